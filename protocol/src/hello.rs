//! The first bytes on every control stream, each way. This layout never changes; everything else may.
//!
//! `VCF1`, lowest and highest protocol version (2 bytes each, little endian), then two texts, each a length byte and
//! UTF-8: the program's version and a space-separated list of feature names.

/// Oldest protocol version this build speaks.
pub const VERSION_MIN: u16 = 3;
/// Newest protocol version this build speaks.
pub const VERSION_MAX: u16 = 3;
/// Longest hello in bytes: the fixed part and two full texts.
pub const HELLO_BYTES_MAX: usize = 8 + 2 * 256;

const MAGIC: [u8; 4] = *b"VCF1";

/// What each side says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Oldest version spoken.
    pub min: u16,
    /// Newest version spoken.
    pub max: u16,
    /// Version of the program, for people.
    pub program: String,
    /// Names of optional features.
    pub features: Vec<String>,
}

/// Why a hello was refused; the text tells the operator what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// These bytes are not a hello.
    #[error("the peer does not speak the farm's protocol")]
    Malformed,
    /// The peer is older than this build understands.
    #[error("upgrade the peer: {program} speaks protocol {max} at most, this build needs {VERSION_MIN}")]
    PeerTooOld {
        /// The peer's program version.
        program: String,
        /// The newest version it speaks.
        max: u16,
    },
    /// The peer is newer than this build understands.
    #[error(
        "upgrade this program: the peer ({program}) needs protocol {min}, this build speaks {VERSION_MAX} at most"
    )]
    PeerTooNew {
        /// The peer's program version.
        program: String,
        /// The oldest version it speaks.
        min: u16,
    },
}

impl Hello {
    /// What this build says.
    pub fn ours(program: &str) -> Self {
        Hello { min: VERSION_MIN, max: VERSION_MAX, program: program.to_owned(), features: Vec::new() }
    }

    /// As bytes; texts are cut at 255 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.min.to_le_bytes());
        bytes.extend_from_slice(&self.max.to_le_bytes());
        for text in [&self.program, &self.features.join(" ")] {
            let text = &text[..text.floor_char_boundary(255)];
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    /// From exactly these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HelloError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(HelloError::Malformed)?;
        let (versions, rest) = rest.split_at_checked(4).ok_or(HelloError::Malformed)?;
        let (program, rest) = text(rest)?;
        let (features, rest) = text(rest)?;
        if !rest.is_empty() {
            return Err(HelloError::Malformed);
        }
        Ok(Hello {
            min: u16::from_le_bytes([versions[0], versions[1]]),
            max: u16::from_le_bytes([versions[2], versions[3]]),
            program: program.to_owned(),
            features: features.split_ascii_whitespace().map(str::to_owned).collect(),
        })
    }

    /// The newest version that both speak.
    pub fn agree(&self) -> Result<u16, HelloError> {
        if self.max < VERSION_MIN {
            Err(HelloError::PeerTooOld { program: self.program.clone(), max: self.max })
        } else if self.min > VERSION_MAX {
            Err(HelloError::PeerTooNew { program: self.program.clone(), min: self.min })
        } else {
            Ok(self.max.min(VERSION_MAX))
        }
    }
}

fn text(bytes: &[u8]) -> Result<(&str, &[u8]), HelloError> {
    let (len, rest) = bytes.split_first().ok_or(HelloError::Malformed)?;
    let (text, rest) = rest.split_at_checked(usize::from(*len)).ok_or(HelloError::Malformed)?;
    Ok((std::str::from_utf8(text).map_err(|_| HelloError::Malformed)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_these_bytes_for_ever() {
        let hello = Hello { min: 1, max: 2, program: "0.1".into(), features: vec!["a".into(), "b".into()] };
        let bytes = b"VCF1\x01\x00\x02\x00\x030.1\x03a b";
        assert_eq!(hello.to_bytes(), bytes);
        assert_eq!(Hello::from_bytes(bytes).unwrap(), hello);
    }

    #[test]
    fn versions_meet_or_say_who_must_upgrade() {
        let peer = |min, max| Hello { min, max, program: "x".into(), features: vec![] }.agree();
        assert_eq!(peer(0, 9), Ok(VERSION_MAX));
        assert!(matches!(peer(9, 9), Err(HelloError::PeerTooNew { .. })));
        assert!(matches!(peer(0, 0), Err(HelloError::PeerTooOld { .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Hello::from_bytes(&bytes);
        }
    }
}
