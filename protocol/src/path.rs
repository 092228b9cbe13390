//! Paths as the bytes that they are: a file name need not be UTF-8.
//!
//! Knows nothing of the file system; agents and console turn these into `std::path` at their edges.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest path accepted from a peer or a scan, in bytes. Linux refuses longer ones itself (`PATH_MAX`).
pub const PATH_BYTES_MAX: usize = 4096;

/// A path as bytes, absolute or relative as its field says. [`fmt::Display`] shows it safely for a terminal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct FilePath(pub Vec<u8>);

/// Why a relative path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Empty, absolute, or one of its parts is empty, `.` or `..`.
    #[error("path leaves its folder")]
    Escapes,
    /// Longer than [`PATH_BYTES_MAX`], or it holds a zero byte.
    #[error("path is too long or holds a zero byte")]
    Malformed,
}

impl FilePath {
    /// Checks that this names something below a root: no `..`, not absolute, no zero byte.
    pub fn check_relative(&self) -> Result<(), PathError> {
        if self.0.len() > PATH_BYTES_MAX || self.0.contains(&0) {
            return Err(PathError::Malformed);
        }
        let escapes = self.0.split(|b| *b == b'/').any(|part| matches!(part, b"" | b"." | b".."));
        if escapes { Err(PathError::Escapes) } else { Ok(()) }
    }

    /// The last part of the path.
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or(&self.0)
    }

    /// `self/rest`.
    pub fn join(&self, rest: &FilePath) -> FilePath {
        let mut bytes = self.0.clone();
        if bytes.last() != Some(&b'/') {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(&rest.0);
        FilePath(bytes)
    }

    /// For JSON and terminals: control, escape and bidi-override characters shown as escapes, bytes that are not
    /// UTF-8 as `\xNN`.
    pub fn shown(&self) -> String {
        self.to_string()
    }
}

impl From<&str> for FilePath {
    fn from(text: &str) -> Self {
        FilePath(text.as_bytes().to_vec())
    }
}

/// Whether a character could steer a terminal or turn the reading direction.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if is_unprintable(c) { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
            }
            for b in chunk.invalid() {
                write!(f, "\\x{b:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_stay_below_their_root() {
        for good in ["a.mp4", "a/b.mp4", "-i", "a\nb", "...mp4"] {
            assert_eq!(FilePath::from(good).check_relative(), Ok(()), "{good:?}");
        }
        for bad in ["", "/a", "a//b", "a/../b", "..", "./a", "a/", "a\0b"] {
            assert!(FilePath::from(bad).check_relative().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_shown() {
        let hostile = FilePath(b"a\x1b[2Jb\nc\xffd\xe2\x80\xaee".to_vec());
        assert_eq!(hostile.to_string(), r"a\u{1b}[2Jb\nc\xffd\u{202e}e");
    }
}
