//! Join tokens: made, listed, taken back, and forgotten in time.

use std::time::Duration;

use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};
use vc_certs::line::ADDRESSES_MAX;
use vc_certs::proof::MacKey;
use vc_certs::{CaPin, CertsError, JoinLine, Secret};
use vc_protocol::join::TokenId;
use vc_protocol::operator::Role;

use super::tables::{TOKENS, TokenRow, from_row, to_row};
use super::{Registry, RegistryError, commit, storage};

/// Life of a token unless asked otherwise: long enough to walk to the next box.
pub const TTL_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// Longest life of a token.
pub const TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Most uses of one token: a room full of boxes.
pub const USES_MAX: u16 = 1000;
/// Most tokens kept at a time, the expired ones included.
const TOKENS_MAX: u64 = 1000;
/// How long an expired token is remembered, so that its user is told "expired" and not "unknown".
pub(super) const REMEMBER_EXPIRED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// What a new token shall allow.
#[derive(Debug, Clone)]
pub struct TokenWish {
    /// As what newcomers join.
    pub role: Role,
    /// How many may join with it, 1 to [`USES_MAX`].
    pub uses: u16,
    /// How long it lives, at most [`TTL_MAX`].
    pub ttl: Duration,
    /// Where the console may be reached, `host:port`, best first.
    pub addresses: Vec<String>,
    /// The farm's CA.
    pub pin: CaPin,
}

/// A token that still lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub id: TokenId,
    /// As what newcomers join.
    pub role: Role,
    /// How many may still join with it.
    pub uses_left: u16,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: i64,
}

impl Registry {
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
            role: wish.role,
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
        Ok(JoinLine { role: wish.role, addresses: wish.addresses, pin: wish.pin, token, secret })
    }

    /// Tokens that still let somebody in, the one that ends first in front.
    pub fn tokens(&self, now_ms: i64) -> Result<Vec<Token>, RegistryError> {
        let txn = self.store.db()?.begin_read().map_err(storage)?;
        let mut tokens = Vec::new();
        for entry in txn.open_table(TOKENS).map_err(storage)?.iter().map_err(storage)? {
            let (id, row) = entry.map_err(storage)?;
            let row: TokenRow = from_row(row.value())?;
            let uses_left = row.uses.saturating_sub(u16::try_from(row.joined.len()).unwrap_or(u16::MAX));
            if row.mac_key.is_some() && now_ms < row.expires_ms && uses_left > 0 {
                let (id, expires_ms) = (TokenId(id.value()), row.expires_ms);
                tokens.push(Token { id, role: row.role, uses_left, expires_ms });
            }
        }
        tokens.sort_by_key(|token| (token.expires_ms, token.id));
        Ok(tokens)
    }

    /// Takes a token back, durably: nobody joins with it any more, and it is as if it had never been made. Says whether
    /// there was one.
    pub fn revoke_token(&self, token: TokenId) -> Result<bool, RegistryError> {
        let _alone = self.writing();
        let db = self.store.db()?;
        let txn = db.begin_write().map_err(storage)?;
        let found = txn.open_table(TOKENS).map_err(storage)?.remove(token.0).map_err(storage)?.is_some();
        commit(txn)?;
        Ok(found)
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
}

pub(super) fn read_token(txn: &WriteTransaction, token: TokenId) -> Result<Option<TokenRow>, RegistryError> {
    let table = txn.open_table(TOKENS).map_err(storage)?;
    let row = table.get(token.0).map_err(storage)?;
    Ok(row.map(|row| from_row(row.value())).transpose()?)
}

pub(super) fn write_token(
    txn: &WriteTransaction,
    token: TokenId,
    row: &TokenRow,
) -> Result<(), RegistryError> {
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
