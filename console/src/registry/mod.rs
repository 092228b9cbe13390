//! Who belongs to the farm: agents, operators and viewers, and the join tokens, durable in the job store's file.
//!
//! Knows nothing of connections. `net` asks it in every handshake (from memory) and hands it join requests (one
//! durable transaction each); operators make tokens here.

mod judge;
mod renewals;
mod tables;
mod tokens;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use redb::{ReadableDatabase, ReadableTable, WriteTransaction};
use vc_certs::proof::{Binding, MacKey};
use vc_certs::tls::{Admission, NotAdmitted};
use vc_certs::{Authority, CertsError, KeyHash};
use vc_protocol::id::AgentId;
use vc_protocol::join::{JoinAnswer, JoinRefusal, JoinRequest, Joined};
use vc_protocol::operator::Role;

use crate::store::{Store, StoreError};
use judge::{Failures, Verdict, judge, name_for, name_problem};
use tables::{MEMBERS, MemberRow, TOKENS, TokenRow, from_row, to_row};
use tokens::{read_token, write_token};

pub use renewals::Renewed;
pub use tables::RowError;
pub use tokens::{TTL_DEFAULT, TTL_MAX, Token, TokenWish, USES_MAX};

/// What can go wrong with the registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store's file is closed.
    #[error("open the registry")]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("read or write the registry")]
    Storage(#[source] Box<redb::Error>),
    /// A row is damaged or newer.
    #[error("use a row of the registry")]
    Row(#[from] RowError),
    /// A key or certificate cannot be made.
    #[error("make a key or certificate")]
    Certs(#[from] CertsError),
    /// A token that is asked for is none we make.
    #[error("make a token: {0}")]
    Wish(&'static str),
    /// A name that a member cannot have.
    #[error("give that name: {0}")]
    Name(&'static str),
    /// There is no such member.
    #[error("find member {0}")]
    Nobody(AgentId),
}

/// For `map_err`: redb has one error type for each of its steps.
fn storage<E: Into<redb::Error>>(error: E) -> RegistryError {
    RegistryError::Storage(Box::new(error.into()))
}

/// A member as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: AgentId,
    /// Its unique name.
    pub name: String,
    /// As what it belongs to the farm.
    pub role: Role,
    /// When it joined, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was thrown out.
    pub revoked_ms: Option<i64>,
}

/// The registry. Its calls that write block; handshakes are answered from memory.
pub struct Registry {
    store: Store,
    /// Always equal to the table.
    members: RwLock<BTreeMap<AgentId, MemberRow>>,
    failures: Mutex<Failures>,
    /// Held over a transaction and the change of memory that goes with it.
    writing: Mutex<()>,
    /// When the next token expires, so that the sweep costs nothing until then.
    next_expiry_ms: Mutex<Option<i64>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({} members)", self.members_read().len())
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
        let mut members = BTreeMap::new();
        for entry in txn.open_table(MEMBERS).map_err(storage)?.iter().map_err(storage)? {
            let (id, row) = entry.map_err(storage)?;
            members.insert(AgentId(id.value()), from_row(row.value())?);
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
            members: RwLock::new(members),
            failures: Mutex::default(),
            writing: Mutex::default(),
            next_expiry_ms: Mutex::new(next_expiry_ms),
        })
    }

    /// Everybody who ever joined, revoked ones too, by number.
    pub fn members(&self) -> Vec<Member> {
        self.members_read().iter().map(|(id, row)| view(*id, row)).collect()
    }

    /// A member that is not revoked.
    pub fn active(&self, id: AgentId) -> Option<Member> {
        let members = self.members_read();
        members.get(&id).filter(|row| row.revoked_ms.is_none()).map(|row| view(id, row))
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
                tracing::warn!(%from, token = %request.token, %why, "a newcomer was not let in");
                JoinAnswer::Refused(why)
            }
            Err(NotJoined::Failed(error)) => {
                let error = anyhow::Error::from(error);
                tracing::error!(%from, token = %request.token, "let a newcomer in: {error:#}");
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
                let members = self.members_read();
                let known = members.get(&agent).filter(|known| known.revoked_ms.is_none());
                let known = known.ok_or(JoinRefusal::UsedToken)?;
                return Ok(answer(authority, agent, known, known.certificate.clone(), now_ms));
            }
            Verdict::Admit => {}
        }
        let (agent, known) = self.admit_newcomer(&txn, authority, request, row.role, now_ms)?;
        row.joined.push((known.key, agent));
        write_token(&txn, token, &row)?;
        commit(txn)?;
        tracing::info!(member = %agent, role = row.role.word(), name = known.name, token = %token, "a newcomer joined");
        let joined = answer(authority, agent, &known, known.certificate.clone(), now_ms);
        self.members.write().unwrap_or_else(PoisonError::into_inner).insert(agent, known);
        Ok(joined)
    }

    fn admit_newcomer(
        &self,
        txn: &WriteTransaction,
        authority: &Authority,
        request: &JoinRequest,
        role: Role,
        now_ms: i64,
    ) -> Result<(AgentId, MemberRow), NotJoined> {
        let mut table = txn.open_table(MEMBERS).map_err(storage)?;
        let last = table.last().map_err(storage)?.map_or(0, |(id, _)| id.value());
        let agent = AgentId(last + 1);
        let name = {
            let members = self.members_read();
            name_for(&request.host, role.word(), |name| members.values().any(|row| row.name == name))
        };
        let signed = match authority.sign_member(&request.csr, role, agent) {
            Ok(signed) => signed,
            Err(CertsError::Request(_)) => return Err(JoinRefusal::BadRequest.into()),
            Err(e) => return Err(RegistryError::from(e).into()),
        };
        let row = MemberRow {
            name,
            key: signed.key_hash,
            certificate: signed.certificate,
            token: request.token,
            created_ms: now_ms,
            revoked_ms: None,
            role,
            next: None,
        };
        table.insert(agent.0, to_row(&row).map_err(RegistryError::from)?.as_slice()).map_err(storage)?;
        Ok((agent, row))
    }

    /// Throws a member out, durably: from here on no handshake of it succeeds. Its sessions are the caller's to close.
    pub fn revoke(&self, id: AgentId, now_ms: i64) -> Result<Member, RegistryError> {
        self.change(id, |row, _| {
            row.revoked_ms.get_or_insert(now_ms);
            Ok(())
        })
    }

    /// Gives a member another name, durably. Names of revoked members stay taken: history tells by them.
    pub fn rename(&self, id: AgentId, name: &str) -> Result<Member, RegistryError> {
        if let Some(problem) = name_problem(name) {
            return Err(RegistryError::Name(problem));
        }
        self.change(id, |row, members| {
            if row.revoked_ms.is_some() {
                return Err(RegistryError::Nobody(id));
            }
            if members.iter().any(|(other, row)| *other != id && row.name == name) {
                return Err(RegistryError::Name("it is taken"));
            }
            name.clone_into(&mut row.name);
            Ok(())
        })
    }

    /// One durable transaction on one row.
    fn change(
        &self,
        id: AgentId,
        change: impl FnOnce(&mut MemberRow, &BTreeMap<AgentId, MemberRow>) -> Result<(), RegistryError>,
    ) -> Result<Member, RegistryError> {
        let _alone = self.writing();
        let row = {
            let members = self.members_read();
            let known = members.get(&id).ok_or(RegistryError::Nobody(id))?;
            let mut row = known.clone();
            change(&mut row, &members)?;
            if row == *known {
                return Ok(view(id, known));
            }
            row
        };
        let db = self.store.db()?;
        let txn = db.begin_write().map_err(storage)?;
        {
            let mut table = txn.open_table(MEMBERS).map_err(storage)?;
            table.insert(id.0, to_row(&row)?.as_slice()).map_err(storage)?;
        }
        commit(txn)?;
        let changed = view(id, &row);
        self.members.write().unwrap_or_else(PoisonError::into_inner).insert(id, row);
        Ok(changed)
    }

    fn members_read(&self) -> RwLockReadGuard<'_, BTreeMap<AgentId, MemberRow>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
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
    fn admit(&self, role: Role, id: AgentId, key: KeyHash) -> Result<(), NotAdmitted> {
        match self.members_read().get(&id) {
            None => Err(NotAdmitted::Unknown),
            Some(row) if row.role != role => Err(NotAdmitted::OtherRole),
            Some(row) if row.key != key && row.next.as_ref().is_none_or(|next| next.key != key) => {
                Err(NotAdmitted::OtherKey)
            }
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

fn view(id: AgentId, row: &MemberRow) -> Member {
    Member {
        id,
        name: row.name.clone(),
        role: row.role,
        created_ms: row.created_ms,
        revoked_ms: row.revoked_ms,
    }
}

fn answer(
    authority: &Authority,
    agent: AgentId,
    row: &MemberRow,
    certificate: Vec<u8>,
    now_ms: i64,
) -> Joined {
    Joined {
        farm: authority.farm(),
        agent,
        name: row.name.clone(),
        certificate,
        authorities: vec![authority.certificate().to_vec()],
        clock_ms: now_ms,
    }
}

/// Like the store's own commits: only the last one before a crash counts, and one without quick repair makes the next
/// opening slow.
fn commit(mut txn: WriteTransaction) -> Result<(), RegistryError> {
    txn.set_quick_repair(true);
    txn.commit().map_err(storage)
}

#[cfg(test)]
mod tests;
