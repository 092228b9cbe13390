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

/// Agent number to who that is. Rows are never removed: a number and a revoked key are known for ever.
pub(super) const AGENTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("agents");
/// Token number to what it allows.
pub(super) const TOKENS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("join_tokens");

/// Layout of the rows that this build writes.
const ROW_VERSION: u8 = 1;

/// An agent as it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AgentRow {
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

pub(super) fn to_row<T: Serialize>(value: &T) -> Result<Vec<u8>, RowError> {
    let mut row = vec![ROW_VERSION];
    row.extend_from_slice(&codec::encode(value)?);
    Ok(row)
}

pub(super) fn from_row<T: DeserializeOwned>(row: &[u8]) -> Result<T, RowError> {
    match row.split_first() {
        None => Err(RowError::Empty),
        Some((&ROW_VERSION, value)) => Ok(codec::decode(value)?),
        Some((&other, _)) => Err(RowError::Newer(other)),
    }
}

/// Makes the tables that are missing: one that was never written cannot be read.
pub(super) fn create_all(txn: &WriteTransaction) -> Result<(), redb::TableError> {
    txn.open_table(AGENTS)?;
    txn.open_table(TOKENS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_and_newer_or_damaged_ones_are_told() {
        let row = AgentRow {
            name: "ada".into(),
            key: [1; 32],
            certificate: vec![2; 300],
            token: TokenId(3),
            created_ms: -4,
            revoked_ms: Some(5),
        };
        let mut bytes = to_row(&row).unwrap();
        assert_eq!(from_row::<AgentRow>(&bytes).unwrap(), row);
        bytes[0] = 9;
        assert!(matches!(from_row::<AgentRow>(&bytes), Err(RowError::Newer(9))));
        assert!(matches!(from_row::<AgentRow>(&[]), Err(RowError::Empty)));
        assert!(matches!(from_row::<AgentRow>(&[1, 2]), Err(RowError::Codec(_))));
    }
}
