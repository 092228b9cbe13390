//! How an agent proves that it sees the same folder as the console.
//!
//! Sources: the console picks random ranges of files there and a random key; the agent answers the keyed hash of those
//! ranges. Outputs: the console wrote a probe file of random bytes; the agent answers its keyed hash. Nothing is ever
//! written into a source tree.

use serde::{Deserialize, Serialize};

use crate::id::RootId;
use crate::path::FilePath;

/// Most ranges in one challenge: a few files are proof enough, and reading them must stay cheap.
pub const RANGES_MAX: usize = 8;
/// Longest range in bytes.
pub const RANGE_BYTES_MAX: u32 = 64 * 1024;

/// Bytes of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// File below the root.
    pub file: FilePath,
    /// First byte.
    pub offset: u64,
    /// How many.
    pub len: u32,
}

/// What an agent must answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Which root this is about.
    pub root: RootId,
    /// Where the console sees that root.
    pub path: FilePath,
    /// The agent must also be able to create files there.
    pub writable: bool,
    /// Key of the hash, random for each challenge.
    pub key: [u8; 32],
    /// Ranges to hash, in order.
    pub ranges: Vec<Range>,
}

/// BLAKE3, keyed, over each range's length (8 bytes, little endian) and bytes.
pub fn proof<'a>(key: &[u8; 32], ranges: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for bytes in ranges {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    *hasher.finalize().as_bytes()
}
