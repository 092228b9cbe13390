//! Rows as bytes: a version byte, then the value. The only user of bincode beside the wire's codec.
//!
//! bincode does not describe itself, so a changed shape is a new version with its own reading, never a field slipped in.

use serde::{Serialize, de::DeserializeOwned};

/// Longest row in bytes: an attempt with a full log, 32 commands and its warnings stays far below.
pub(super) const ROW_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a row cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// No bytes at all.
    #[error("read an empty row")]
    Empty,
    /// Written by another program version.
    #[error("read a row of version {found} where {known} is known")]
    Version {
        /// What the row says.
        found: u8,
        /// What this build reads.
        known: u8,
    },
    /// Not such a value.
    #[error("read a row")]
    Decode(#[source] bincode::error::DecodeError),
    /// Bytes are left over.
    #[error("read a row: {0} bytes are left over")]
    Trailing(usize),
    /// Cannot be written.
    #[error("write a row")]
    Encode(#[source] bincode::error::EncodeError),
    /// Over [`ROW_BYTES_MAX`].
    #[error("write a row of {0} bytes, over the limit of {ROW_BYTES_MAX}")]
    TooLong(usize),
}

/// A value that has a table of its own.
pub(super) trait Row: Serialize + DeserializeOwned {
    /// Grows with every change of the shape, that of anything inside it included.
    const VERSION: u8;

    /// As bytes.
    fn to_bytes(&self) -> Result<Vec<u8>, RowError> {
        let mut bytes = vec![Self::VERSION];
        bincode::serde::encode_into_std_write(self, &mut bytes, config()).map_err(RowError::Encode)?;
        if bytes.len() > ROW_BYTES_MAX { Err(RowError::TooLong(bytes.len())) } else { Ok(bytes) }
    }

    /// From exactly these bytes.
    fn from_bytes(bytes: &[u8]) -> Result<Self, RowError> {
        let (version, body) = bytes.split_first().ok_or(RowError::Empty)?;
        if *version == Self::VERSION { decode(body) } else { Self::from_older(*version, body) }
    }

    /// From the bytes of an older version, if there is one that is still read.
    fn from_older(version: u8, _body: &[u8]) -> Result<Self, RowError> {
        Err(RowError::Version { found: version, known: Self::VERSION })
    }
}

/// A value from exactly these bytes, whatever version they are of.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, RowError> {
    let (value, used) = bincode::serde::decode_from_slice(body, config()).map_err(RowError::Decode)?;
    if used == body.len() { Ok(value) } else { Err(RowError::Trailing(body.len() - used)) }
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<ROW_BYTES_MAX>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::shape::{EventRow, StoredJob};

    #[test]
    fn a_row_is_read_only_as_what_it_is() {
        let event = EventRow { at_ms: -5, text: "hello".into(), ..EventRow::default() };
        let mut bytes = event.to_bytes().unwrap();
        assert_eq!(EventRow::from_bytes(&bytes).unwrap(), event);
        bytes.push(0);
        assert!(matches!(EventRow::from_bytes(&bytes), Err(RowError::Trailing(1))));
        bytes[0] = 200;
        assert!(matches!(EventRow::from_bytes(&bytes), Err(RowError::Version { found: 200, .. })));
        assert!(matches!(EventRow::from_bytes(&[]), Err(RowError::Empty)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = EventRow::from_bytes(&bytes);
            let _ = StoredJob::from_bytes(&bytes);
        }
    }
}
