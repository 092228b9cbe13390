//! `--map FROM=TO`: where this box sees the folders that the console names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use vc_protocol::path::FilePath;

/// A mapping that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No `=` in it, or nothing on one side.
    #[error("\"{0}\" is not FROM=TO")]
    Shape(String),
    /// A side is not an absolute path.
    #[error("\"{0}\": both folders must be absolute")]
    Relative(String),
}

/// Folders of the console and what they are called here. The longest that fits wins; what none fits stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathMaps {
    pairs: Vec<(PathBuf, PathBuf)>,
}

impl PathMaps {
    /// Reads mappings as they are given on the command line. `FROM` ends at the first `=`.
    pub fn parse(texts: &[OsString]) -> Result<PathMaps, MapError> {
        let mut pairs = Vec::new();
        for text in texts {
            let shown = || text.to_string_lossy().into_owned();
            let bytes = text.as_bytes();
            let at = bytes.iter().position(|b| *b == b'=').ok_or_else(|| MapError::Shape(shown()))?;
            let (from, to) =
                (Path::new(OsStr::from_bytes(&bytes[..at])), Path::new(OsStr::from_bytes(&bytes[at + 1..])));
            if from.as_os_str().is_empty() || to.as_os_str().is_empty() {
                return Err(MapError::Shape(shown()));
            }
            if !from.is_absolute() || !to.is_absolute() {
                return Err(MapError::Relative(shown()));
            }
            pairs.push((from.to_owned(), to.to_owned()));
        }
        pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.components().count()));
        Ok(PathMaps { pairs })
    }

    /// Where the console's folder is on this box.
    pub fn apply(&self, path: &FilePath) -> PathBuf {
        let path = PathBuf::from(OsString::from_vec(path.0.clone()));
        let mapped = self.pairs.iter().find_map(|(from, to)| Some((to, path.strip_prefix(from).ok()?)));
        match mapped {
            Some((to, rest)) if rest.as_os_str().is_empty() => to.clone(),
            Some((to, rest)) => to.join(rest),
            None => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_folder_that_fits_wins() {
        let maps = ["/media=/mnt/nas", "/media/fast=/ssd", "/x=/y=z"].map(OsString::from);
        let maps = PathMaps::parse(&maps).unwrap();
        for (path, expected) in [
            ("/media/a/b", "/mnt/nas/a/b"),
            ("/media", "/mnt/nas"),
            ("/media/fast/c", "/ssd/c"),
            ("/media/faster", "/mnt/nas/faster"),
            ("/mediaplayer", "/mediaplayer"),
            ("/x/q", "/y=z/q"),
        ] {
            assert_eq!(maps.apply(&FilePath::from(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for text in ["/a", "=/b", "/a=", "a=/b", "/a=b"] {
            assert!(PathMaps::parse(&[OsString::from(text)]).is_err(), "{text}");
        }
    }
}
