//! Values to bytes and back, and the frames around them. The only user of bincode outside the store's rows.
//!
//! A frame is a length (4 bytes, little endian) and a body. The length is checked before memory is taken, and a body
//! must be used up to its last byte.

use serde::{Serialize, de::DeserializeOwned};

/// Largest frame on control streams, in bytes: a report with its log fits.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;
/// Largest frame on the operator socket, in bytes, which only the server's own user can open: an overview of thousands
/// of agents, ten attempts of a job with all that they printed, or as many paths as a command line holds.
pub const OPERATOR_FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why bytes are not a value.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A length over the limit.
    #[error("frame of {0} bytes is over the limit")]
    TooLong(usize),
    /// The body is not such a value.
    #[error("decode a frame")]
    Decode(#[source] bincode::error::DecodeError),
    /// The value cannot be written.
    #[error("encode a frame")]
    Encode(#[source] bincode::error::EncodeError),
    /// Bytes were left over: a longer, newer value.
    #[error("{0} bytes were left over")]
    Trailing(usize),
}

fn config<const MAX: usize>() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX>()
}

/// A value as bytes, without a length in front.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    encode_within::<FRAME_BYTES_MAX, T>(value)
}

fn encode_within<const MAX: usize, T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = bincode::serde::encode_to_vec(value, config::<MAX>()).map_err(CodecError::Encode)?;
    if bytes.len() > MAX { Err(CodecError::TooLong(bytes.len())) } else { Ok(bytes) }
}

/// The value that exactly these bytes are.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    decode_within::<FRAME_BYTES_MAX, T>(bytes)
}

/// [`decode`] with a limit of its own.
pub fn decode_within<const MAX: usize, T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > MAX {
        return Err(CodecError::TooLong(bytes.len()));
    }
    let (value, used) =
        bincode::serde::decode_from_slice(bytes, config::<MAX>()).map_err(CodecError::Decode)?;
    if used == bytes.len() { Ok(value) } else { Err(CodecError::Trailing(bytes.len() - used)) }
}

/// A message that a newer peer may send in a kind that this build does not know.
pub trait Message: DeserializeOwned {
    /// How many kinds this build knows: the number of variants, `u32::MAX` for what is no enum.
    const KINDS: u32;
}

/// The message that exactly these bytes are, or nothing if it is of an unknown, newer kind.
pub fn decode_message<T: Message>(bytes: &[u8]) -> Result<Option<T>, CodecError> {
    match decode(bytes) {
        Ok(message) => Ok(Some(message)),
        Err(CodecError::Decode(_)) if kind(bytes).is_some_and(|kind| kind >= T::KINDS) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The number of the variant that these bytes begin with.
fn kind(bytes: &[u8]) -> Option<u32> {
    bincode::serde::decode_from_slice::<u32, _>(bytes, config::<FRAME_BYTES_MAX>()).ok().map(|(kind, _)| kind)
}

/// A value with its length in front, ready to be sent.
pub fn frame<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    frame_within::<FRAME_BYTES_MAX, T>(value)
}

/// [`frame`] with a limit of its own.
pub fn frame_within<const MAX: usize, T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let body = encode_within::<MAX, T>(value)?;
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The checked body length that a frame's first four bytes announce.
pub fn frame_len(head: [u8; 4]) -> Result<usize, CodecError> {
    frame_len_within::<FRAME_BYTES_MAX>(head)
}

/// [`frame_len`] with a limit of its own.
pub fn frame_len_within<const MAX: usize>(head: [u8; 4]) -> Result<usize, CodecError> {
    let len = u32::from_le_bytes(head) as usize;
    if len > MAX { Err(CodecError::TooLong(len)) } else { Ok(len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_and_nothing_longer_is_read() {
        let value = (7_u64, "name".to_owned(), vec![1_u8, 2, 3]);
        let mut bytes = encode(&value).unwrap();
        assert_eq!(decode::<(u64, String, Vec<u8>)>(&bytes).unwrap(), value);
        bytes.push(0);
        assert!(matches!(decode::<(u64, String, Vec<u8>)>(&bytes), Err(CodecError::Trailing(1))));
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let claims_64_gib = [253, 0, 0, 0, 0, 16, 0, 0, 0];
        assert!(matches!(decode::<String>(&claims_64_gib), Err(CodecError::Decode(_))));
        assert!(matches!(frame_len([0xff; 4]), Err(CodecError::TooLong(_))));
    }

    #[test]
    fn kinds_are_counted_as_declared() {
        fn check<T: Message>() {
            let text = |kind: u32| format!("{:?}", decode::<T>(&encode(&kind).unwrap()).err());
            assert!(text(T::KINDS).contains("variant index"), "more kinds than declared");
            assert!(!text(T::KINDS - 1).contains("variant index"), "fewer kinds than declared");
        }
        check::<crate::agent::FromAgent>();
        check::<crate::agent::ToAgent>();
        check::<crate::join::JoinAnswer>();
    }

    #[test]
    fn a_newer_kind_is_nothing_and_a_broken_one_an_error() {
        use crate::agent::ToAgent;
        assert!(matches!(decode_message::<ToAgent>(&[200, 1, 2, 3]), Ok(None)));
        assert!(matches!(decode_message::<ToAgent>(&[2]), Err(CodecError::Decode(_))));
        assert!(matches!(decode_message::<ToAgent>(&[]), Err(CodecError::Decode(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = decode::<crate::agent::FromAgent>(&bytes);
            let _ = decode::<crate::agent::ToAgent>(&bytes);
            let _ = decode::<crate::operator::Request>(&bytes);
        }
    }
}
