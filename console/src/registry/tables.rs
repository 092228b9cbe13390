//! Tables of the registry, and the only place that reads and writes their rows.
//!
//! They lie in the job store's file, so that what is durable together is backed up together. A row is a version byte
//! and the encoded value.

use redb::{TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use vc_certs::KeyHash;
use vc_protocol::codec::{self, CodecError};
use vc_protocol::id::AgentId;
use vc_protocol::join::TokenId;
use vc_protocol::operator::Role;

/// Member number to who that is. Rows are never removed: a number and a revoked key are known for ever.
pub(super) const MEMBERS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("agents");
/// Token number to what it allows.
pub(super) const TOKENS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("join_tokens");

/// Layout of the rows that this build writes.
const ROW_VERSION: u8 = 2;
/// The layout before there were roles: everybody was an agent.
const ROW_VERSION_FIRST: u8 = 1;

/// A row, and what it was in the first layout.
pub(super) trait Row: Serialize + DeserializeOwned {
    /// That layout.
    type First: DeserializeOwned + Into<Self>;
}

/// A member as it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemberRow {
    /// Unique name.
    pub(super) name: String,
    /// Its public key.
    pub(super) key: KeyHash,
    /// Its certificate, DER: a lost answer is given again as it was.
    pub(super) certificate: Vec<u8>,
    /// The token that let it in.
    pub(super) token: TokenId,
    /// When it joined, milliseconds since 1970.
    pub(super) created_ms: i64,
    /// When it was thrown out.
    pub(super) revoked_ms: Option<i64>,
    /// As what it belongs to the farm.
    pub(super) role: Role,
    /// Its next key, until the first session with it.
    pub(super) next: Option<NextKey>,
}

/// A key that is certified and was not used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NextKey {
    /// The public key.
    pub(super) key: KeyHash,
    /// Its certificate, DER: a lost answer is given again as it was.
    pub(super) certificate: Vec<u8>,
}

/// [`MemberRow`] before there were roles.
#[derive(Serialize, Deserialize)]
pub(super) struct MemberRowFirst {
    name: String,
    key: KeyHash,
    certificate: Vec<u8>,
    token: TokenId,
    created_ms: i64,
    revoked_ms: Option<i64>,
}

impl Row for MemberRow {
    type First = MemberRowFirst;
}

impl From<MemberRowFirst> for MemberRow {
    fn from(first: MemberRowFirst) -> Self {
        let MemberRowFirst { name, key, certificate, token, created_ms, revoked_ms } = first;
        MemberRow { name, key, certificate, token, created_ms, revoked_ms, role: Role::Agent, next: None }
    }
}

/// A token as it is on disk.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TokenRow {
    /// Key of its proofs; gone once it has expired or is burned.
    pub(super) mac_key: Option<[u8; 32]>,
    /// When it ends, milliseconds since 1970.
    pub(super) expires_ms: i64,
    /// How many may join with it.
    pub(super) uses: u16,
    /// Wrong proofs so far.
    pub(super) wrong: u8,
    /// Who has joined with it, and with which key.
    pub(super) joined: Vec<(KeyHash, AgentId)>,
    /// As what they join.
    pub(super) role: Role,
}

/// [`TokenRow`] before there were roles.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenRowFirst {
    mac_key: Option<[u8; 32]>,
    expires_ms: i64,
    uses: u16,
    wrong: u8,
    joined: Vec<(KeyHash, AgentId)>,
}

impl Row for TokenRow {
    type First = TokenRowFirst;
}

impl From<TokenRowFirst> for TokenRow {
    fn from(first: TokenRowFirst) -> Self {
        let TokenRowFirst { mac_key, expires_ms, uses, wrong, joined } = first;
        TokenRow { mac_key, expires_ms, uses, wrong, joined, role: Role::Agent }
    }
}

/// Why a row is not one.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// No bytes at all.
    #[error("the row is empty")]
    Empty,
    /// Of a layout this build does not know.
    #[error("the row has layout {0}, this build knows {ROW_VERSION}; upgrade it")]
    Newer(u8),
    /// Damaged.
    #[error("decode the row")]
    Codec(#[from] CodecError),
}

pub(super) fn to_row<T: Row>(value: &T) -> Result<Vec<u8>, RowError> {
    let mut row = vec![ROW_VERSION];
    row.extend_from_slice(&codec::encode(value)?);
    Ok(row)
}

pub(super) fn from_row<T: Row>(row: &[u8]) -> Result<T, RowError> {
    match row.split_first() {
        None => Err(RowError::Empty),
        Some((&ROW_VERSION, value)) => Ok(codec::decode(value)?),
        Some((&ROW_VERSION_FIRST, value)) => Ok(codec::decode::<T::First>(value)?.into()),
        Some((&other, _)) => Err(RowError::Newer(other)),
    }
}

/// Makes the tables that are missing: one that was never written cannot be read.
pub(super) fn create_all(txn: &WriteTransaction) -> Result<(), redb::TableError> {
    txn.open_table(MEMBERS)?;
    txn.open_table(TOKENS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_and_newer_or_damaged_ones_are_told() {
        let row = MemberRow {
            name: "ada".into(),
            key: [1; 32],
            certificate: vec![2; 300],
            token: TokenId(3),
            created_ms: -4,
            revoked_ms: Some(5),
            role: Role::Viewer,
            next: Some(NextKey { key: [6; 32], certificate: vec![7; 300] }),
        };
        let mut bytes = to_row(&row).unwrap();
        assert_eq!(from_row::<MemberRow>(&bytes).unwrap(), row);
        bytes[0] = 9;
        assert!(matches!(from_row::<MemberRow>(&bytes), Err(RowError::Newer(9))));
        assert!(matches!(from_row::<MemberRow>(&[]), Err(RowError::Empty)));
        assert!(matches!(from_row::<MemberRow>(&[1, 2]), Err(RowError::Codec(_))));
    }

    #[test]
    fn rows_from_before_there_were_roles_are_agents() {
        let first = MemberRowFirst {
            name: "ada".into(),
            key: [1; 32],
            certificate: vec![2; 300],
            token: TokenId(3),
            created_ms: -4,
            revoked_ms: None,
        };
        let stored = [&[ROW_VERSION_FIRST], codec::encode(&first).unwrap().as_slice()].concat();
        assert_eq!(from_row::<MemberRow>(&stored).unwrap(), first.into());
        let first = TokenRowFirst {
            mac_key: Some([1; 32]),
            expires_ms: 5,
            uses: 2,
            wrong: 1,
            joined: vec![([3; 32], AgentId(1))],
        };
        let stored = [&[ROW_VERSION_FIRST], codec::encode(&first).unwrap().as_slice()].concat();
        let row: TokenRow = from_row(&stored).unwrap();
        assert_eq!((row.role, row.uses, row.joined.len()), (Role::Agent, 2, 1));
    }
}
