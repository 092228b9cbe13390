//! Who belongs to the farm: agents and join tokens, durable in the job store's file.
//!
//! Knows nothing of connections. `net` asks it in every handshake (from memory) and hands it join requests (one
//! durable transaction each); operators make tokens here.

mod judge;
mod tables;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};
use vc_certs::line::ADDRESSES_MAX;
use vc_certs::proof::{Binding, MacKey};
use vc_certs::tls::{Admission, NotAdmitted};
use vc_certs::{Authority, CaPin, CertsError, JoinLine, KeyHash, Secret};
use vc_protocol::id::AgentId;
use vc_protocol::join::{JoinAnswer, JoinRefusal, JoinRequest, Joined, TokenId};

use crate::store::{Store, StoreError};
use judge::{Failures, Verdict, judge, name_for};
use tables::{AGENTS, AgentRow, TOKENS, TokenRow, from_row, to_row};

pub use tables::RowError;

/// Life of a token unless asked otherwise: long enough to walk to the next box.
pub const TTL_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// Longest life of a token.
pub const TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Most uses of one token: a room full of boxes.
pub const USES_MAX: u16 = 1000;
/// Most tokens kept at a time, the expired ones included.
const TOKENS_MAX: u64 = 1000;
/// How long an expired token is remembered, so that its user is told "expired" and not "unknown".
const REMEMBER_EXPIRED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// What can go wrong with the registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store's file is closed.
    #[error("open the registry of agents")]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("read or write the registry of agents")]
    Storage(#[source] Box<redb::Error>),
    /// A row is damaged or newer.
    #[error("use a row of the registry of agents")]
    Row(#[from] RowError),
    /// A key or certificate cannot be made.
    #[error("make a key or certificate")]
    Certs(#[from] CertsError),
    /// A token that is asked for is none we make.
    #[error("make a token: {0}")]
    Wish(&'static str),
    /// There is no such agent.
    #[error("find agent {0}")]
    NoAgent(AgentId),
}

/// For `map_err`: redb has one error type for each of its steps.
fn storage<E: Into<redb::Error>>(error: E) -> RegistryError {
    RegistryError::Storage(Box::new(error.into()))
}

/// An agent as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its number.
    pub id: AgentId,
    /// Its unique name.
    pub name: String,
    /// When it joined, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was thrown out.
    pub revoked_ms: Option<i64>,
}

/// What a new token shall allow.
#[derive(Debug, Clone)]
pub struct TokenWish {
    /// How many boxes may join with it, 1 to [`USES_MAX`].
    pub uses: u16,
    /// How long it lives, at most [`TTL_MAX`].
    pub ttl: Duration,
    /// Where the console may be reached, `host:port`, best first.
    pub addresses: Vec<String>,
    /// The farm's CA.
    pub pin: CaPin,
}

/// The registry. Its calls that write block; handshakes are answered from memory.
pub struct Registry {
    store: Store,
    /// Always equal to the table.
    agents: RwLock<BTreeMap<AgentId, AgentRow>>,
    failures: Mutex<Failures>,
    /// Held over a transaction and the change of memory that goes with it.
    writing: Mutex<()>,
    /// When the next token expires, so that the sweep costs nothing until then.
    next_expiry_ms: Mutex<Option<i64>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({} agents)", self.agents_read().len())
    }
}

impl Registry {
    /// Opens the registry in the store's file and reads all agents.
    pub fn open(store: Store) -> Result<Self, RegistryError> {
        let db = store.db()?;
        let txn = db.begin_write().map_err(storage)?;
        tables::create_all(&txn).map_err(storage)?;
        commit(txn)?;
        let txn = db.begin_read().map_err(storage)?;
        let mut agents = BTreeMap::new();
        for entry in txn.open_table(AGENTS).map_err(storage)?.iter().map_err(storage)? {
            let (id, row) = entry.map_err(storage)?;
            agents.insert(AgentId(id.value()), from_row(row.value())?);
        }
        let mut next_expiry_ms = None;
        for entry in txn.open_table(TOKENS).map_err(storage)?.iter().map_err(storage)? {
            let row: TokenRow = from_row(entry.map_err(storage)?.1.value())?;
            if row.mac_key.is_some() {
                next_expiry_ms = Some(next_expiry_ms.unwrap_or(i64::MAX).min(row.expires_ms));
            }
        }
        drop((txn, db));
        Ok(Registry {
            store,
            agents: RwLock::new(agents),
            failures: Mutex::default(),
            writing: Mutex::default(),
            next_expiry_ms: Mutex::new(next_expiry_ms),
        })
    }

    /// Every agent that ever joined, revoked ones too, by number.
    pub fn agents(&self) -> Vec<Agent> {
        let view = |(id, row): (&AgentId, &AgentRow)| Agent {
            id: *id,
            name: row.name.clone(),
            created_ms: row.created_ms,
            revoked_ms: row.revoked_ms,
        };
        self.agents_read().iter().map(view).collect()
    }

    /// The name of an agent that is not revoked.
    pub fn active_name(&self, agent: AgentId) -> Option<String> {
        let agents = self.agents_read();
        agents.get(&agent).filter(|row| row.revoked_ms.is_none()).map(|row| row.name.clone())
    }

    /// Makes a token; durable when this returns. The secret is in the line and nowhere else.
    pub fn create_token(&self, wish: TokenWish, now_ms: i64) -> Result<JoinLine, RegistryError> {
        if wish.uses == 0 || wish.uses > USES_MAX {
            return Err(RegistryError::Wish("it must have 1 to 1000 uses"));
        }
        if wish.ttl.is_zero() || wish.ttl > TTL_MAX {
            return Err(RegistryError::Wish("it must live up to 24 hours"));
        }
        if wish.addresses.is_empty() || wish.addresses.len() > ADDRESSES_MAX {
            return Err(RegistryError::Wish("it must name 1 to 8 addresses"));
        }
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(CertsError::Random)?;
        let (token, secret) = (TokenId(u64::from_le_bytes(number)), Secret::generate()?);
        let ttl_ms = i64::try_from(wish.ttl.as_millis()).unwrap_or(i64::MAX);
        let expires_ms = now_ms.saturating_add(ttl_ms);
        let row = TokenRow {
            mac_key: Some(*MacKey::derive(&secret, token).bytes()),
            expires_ms,
            uses: wish.uses,
            wrong: 0,
            joined: Vec::new(),
        };
        let _alone = self.writing();
        let db = self.store.db()?;
        let txn = db.begin_write().map_err(storage)?;
        {
            let mut tokens = txn.open_table(TOKENS).map_err(storage)?;
            sweep_table(&mut tokens, now_ms)?;
            if redb::ReadableTableMetadata::len(&tokens).map_err(storage)? >= TOKENS_MAX {
                return Err(RegistryError::Wish("there are 1000 already; wait until some have expired"));
            }
            tokens.insert(token.0, to_row(&row)?.as_slice()).map_err(storage)?;
        }
        commit(txn)?;
        let mut next = self.next_expiry();
        *next = Some(next.unwrap_or(i64::MAX).min(expires_ms));
        Ok(JoinLine { addresses: wish.addresses, pin: wish.pin, token, secret })
    }

    /// Answers a join request that came over the session of this binding. What it changes is durable before the
    /// answer is known; a failure of ours is an answer too.
    pub fn join(
        &self,
        authority: &Authority,
        request: &JoinRequest,
        binding: &Binding,
        from: IpAddr,
        now_ms: i64,
    ) -> JoinAnswer {
        if !self.failures().may_try(from, now_ms) {
            return JoinAnswer::Refused(JoinRefusal::TooManyTries);
        }
        match self.try_join(authority, request, binding, now_ms) {
            Ok(joined) => JoinAnswer::Joined(Box::new(joined)),
            Err(NotJoined::Refused(why)) => {
                // Each, so that nobody fills the log either.
                self.failures().note(from, now_ms);
                tracing::warn!(%from, token = %request.token, %why, "a box was not let in");
                JoinAnswer::Refused(why)
            }
            Err(NotJoined::Failed(error)) => {
                let error = anyhow::Error::from(error);
                tracing::error!(%from, token = %request.token, "let a box in: {error:#}");
                JoinAnswer::Refused(JoinRefusal::NotStored)
            }
        }
    }

    /// One durable transaction.
    fn try_join(
        &self,
        authority: &Authority,
        request: &JoinRequest,
        binding: &Binding,
        now_ms: i64,
    ) -> Result<Joined, NotJoined> {
        let _alone = self.writing();
        let db = self.store.db().map_err(RegistryError::from)?;
        let txn = db.begin_write().map_err(storage)?;
        let token = request.token;
        let mut row = read_token(&txn, token)?.ok_or(JoinRefusal::UnknownToken)?;
        let fits =
            |mac: &[u8; 32]| MacKey::from_bytes(*mac).verifies(binding, token, &request.csr, &request.mac);
        let verdict = judge(&row, now_ms, fits, || Authority::request_key(&request.csr).ok());
        match verdict {
            Verdict::Refuse(why) => return Err(why.into()),
            Verdict::WrongProof | Verdict::Burn => {
                row.wrong = row.wrong.saturating_add(1);
                if verdict == Verdict::Burn {
                    row.mac_key = None;
                }
                write_token(&txn, token, &row)?;
                commit(txn)?;
                return Err(JoinRefusal::WrongSecret.into());
            }
            Verdict::Again(agent) => {
                let agents = self.agents_read();
                let known = agents.get(&agent).filter(|known| known.revoked_ms.is_none());
                let known = known.ok_or(JoinRefusal::UsedToken)?;
                return Ok(answer(authority, agent, known, now_ms));
            }
            Verdict::Admit => {}
        }
        let (agent, known) = self.admit_newcomer(&txn, authority, request, now_ms)?;
        row.joined.push((known.key, agent));
        write_token(&txn, token, &row)?;
        commit(txn)?;
        tracing::info!(agent = %agent, name = known.name, token = %token, "a box joined");
        let joined = answer(authority, agent, &known, now_ms);
        self.agents.write().unwrap_or_else(PoisonError::into_inner).insert(agent, known);
        Ok(joined)
    }

    fn admit_newcomer(
        &self,
        txn: &WriteTransaction,
        authority: &Authority,
        request: &JoinRequest,
        now_ms: i64,
    ) -> Result<(AgentId, AgentRow), NotJoined> {
        let mut table = txn.open_table(AGENTS).map_err(storage)?;
        let last = table.last().map_err(storage)?.map_or(0, |(id, _)| id.value());
        let agent = AgentId(last + 1);
        let name = {
            let agents = self.agents_read();
            name_for(&request.host, |name| agents.values().any(|row| row.name == name))
        };
        let signed = match authority.sign_agent(&request.csr, agent) {
            Ok(signed) => signed,
            Err(CertsError::Request(_)) => return Err(JoinRefusal::BadRequest.into()),
            Err(e) => return Err(RegistryError::from(e).into()),
        };
        let row = AgentRow {
            name,
            key: signed.key_hash,
            certificate: signed.certificate,
            token: request.token,
            created_ms: now_ms,
            revoked_ms: None,
        };
        table.insert(agent.0, to_row(&row).map_err(RegistryError::from)?.as_slice()).map_err(storage)?;
        Ok((agent, row))
    }

    /// Throws an agent out, durably: from here on no handshake of it succeeds. Its sessions are the caller's to close.
    pub fn revoke(&self, agent: AgentId, now_ms: i64) -> Result<(), RegistryError> {
        let _alone = self.writing();
        let mut row = self.agents_read().get(&agent).cloned().ok_or(RegistryError::NoAgent(agent))?;
        if row.revoked_ms.is_some() {
            return Ok(());
        }
        row.revoked_ms = Some(now_ms);
        let db = self.store.db()?;
        let txn = db.begin_write().map_err(storage)?;
        {
            let mut table = txn.open_table(AGENTS).map_err(storage)?;
            table.insert(agent.0, to_row(&row)?.as_slice()).map_err(storage)?;
        }
        commit(txn)?;
        self.agents.write().unwrap_or_else(PoisonError::into_inner).insert(agent, row);
        Ok(())
    }

    /// Erases the keys of tokens that have expired and forgets those that expired long ago. Touches the disk only
    /// when there is something to do; to be called every minute or so.
    pub fn sweep(&self, now_ms: i64) -> Result<(), RegistryError> {
        if self.next_expiry().is_none_or(|due| now_ms < due) {
            return Ok(());
        }
        let _alone = self.writing();
        let db = self.store.db()?;
        let txn = db.begin_write().map_err(storage)?;
        let next = sweep_table(&mut txn.open_table(TOKENS).map_err(storage)?, now_ms)?;
        commit(txn)?;
        *self.next_expiry() = next;
        Ok(())
    }

    fn agents_read(&self) -> RwLockReadGuard<'_, BTreeMap<AgentId, AgentRow>> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_expiry(&self) -> MutexGuard<'_, Option<i64>> {
        self.next_expiry_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission for Registry {
    fn admit(&self, agent: AgentId, key: KeyHash) -> Result<(), NotAdmitted> {
        match self.agents_read().get(&agent) {
            None => Err(NotAdmitted::Unknown),
            Some(row) if row.key != key => Err(NotAdmitted::OtherKey),
            Some(row) if row.revoked_ms.is_some() => Err(NotAdmitted::Revoked),
            Some(_) => Ok(()),
        }
    }
}

/// Why a request led to nothing: the newcomer's fault, or ours.
enum NotJoined {
    Refused(JoinRefusal),
    Failed(RegistryError),
}

impl From<JoinRefusal> for NotJoined {
    fn from(why: JoinRefusal) -> Self {
        Self::Refused(why)
    }
}

impl From<RegistryError> for NotJoined {
    fn from(error: RegistryError) -> Self {
        Self::Failed(error)
    }
}

fn answer(authority: &Authority, agent: AgentId, row: &AgentRow, now_ms: i64) -> Joined {
    Joined {
        farm: authority.farm(),
        agent,
        name: row.name.clone(),
        certificate: row.certificate.clone(),
        authorities: vec![authority.certificate().to_vec()],
        clock_ms: now_ms,
    }
}

fn read_token(txn: &WriteTransaction, token: TokenId) -> Result<Option<TokenRow>, RegistryError> {
    let table = txn.open_table(TOKENS).map_err(storage)?;
    let row = table.get(token.0).map_err(storage)?;
    Ok(row.map(|row| from_row(row.value())).transpose()?)
}

fn write_token(txn: &WriteTransaction, token: TokenId, row: &TokenRow) -> Result<(), RegistryError> {
    let mut table = txn.open_table(TOKENS).map_err(storage)?;
    table.insert(token.0, to_row(row)?.as_slice()).map_err(storage)?;
    Ok(())
}

/// Returns when the next of the rest expires.
fn sweep_table(table: &mut Table<'_, u64, &[u8]>, now_ms: i64) -> Result<Option<i64>, RegistryError> {
    let mut erase = Vec::new();
    let mut forget = Vec::new();
    let mut next: Option<i64> = None;
    for entry in table.iter().map_err(storage)? {
        let (token, row) = entry.map_err(storage)?;
        let row: TokenRow = from_row(row.value())?;
        if now_ms >= row.expires_ms.saturating_add(REMEMBER_EXPIRED_MS) {
            forget.push(token.value());
        } else if now_ms < row.expires_ms {
            next = Some(next.unwrap_or(i64::MAX).min(row.expires_ms));
        } else if row.mac_key.is_some() {
            erase.push((token.value(), TokenRow { mac_key: None, ..row }));
        }
    }
    for token in forget {
        table.remove(token).map_err(storage)?;
    }
    for (token, row) in erase {
        table.insert(token, to_row(&row)?.as_slice()).map_err(storage)?;
    }
    Ok(next)
}

/// Like the store's own commits: only the last one before a crash counts, and one without quick repair makes the next
/// opening slow.
fn commit(mut txn: WriteTransaction) -> Result<(), RegistryError> {
    txn.set_quick_repair(true);
    txn.commit().map_err(storage)
}

#[cfg(test)]
mod tests;
