//! What can be set of an agent, and how a mapping of folders is written.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use vc_protocol::path::FilePath;

/// Settings of [`crate::run`].
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Folder of its identity, journal and records; its own alone.
    pub state_dir: PathBuf,
    /// Where the console is, instead of where it was when this box joined.
    pub console: Option<SocketAddr>,
    /// Encodes at once; by default one for each four cores, one at least and eight at most.
    pub slots: Option<u16>,
    /// Folders of the console and where they are found here; the longest that fits wins.
    pub maps: Vec<(FilePath, FilePath)>,
    /// ffmpeg, if not the one on the `PATH`.
    pub ffmpeg: Option<PathBuf>,
    /// ffprobe, if not the one on the `PATH`.
    pub ffprobe: Option<PathBuf>,
}

impl AgentConfig {
    /// With everything else as it is by default.
    pub fn new(state_dir: PathBuf) -> Self {
        AgentConfig { state_dir, console: None, slots: None, maps: Vec::new(), ffmpeg: None, ffprobe: None }
    }
}

/// Why a text is not a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No `=` between two folders.
    #[error("a mapping is FROM=TO, the console's folder and where it is here")]
    NoEquals,
    /// One of the two is not absolute.
    #[error("both folders of a mapping are absolute paths")]
    NotAbsolute,
}

/// `FROM=TO`; an `=` in a name is no problem as long as the next folder begins with `/`.
pub fn parse_map(text: &OsStr) -> Result<(FilePath, FilePath), MapError> {
    let bytes = text.as_bytes();
    let at = bytes.windows(2).position(|w| w == b"=/").ok_or(match bytes.contains(&b'=') {
        true => MapError::NotAbsolute,
        false => MapError::NoEquals,
    })?;
    let (from, to) = (&bytes[..at], &bytes[at + 1..]);
    if from.first() != Some(&b'/') {
        return Err(MapError::NotAbsolute);
    }
    Ok((trimmed(from), trimmed(to)))
}

/// Several mappings as one variable holds them: one after another with `:` between, as in `PATH`.
pub fn parse_maps(text: &OsStr) -> Result<Vec<(FilePath, FilePath)>, MapError> {
    let parts = text.as_bytes().split(|b| *b == b':').filter(|part| !part.is_empty());
    parts.map(|part| parse_map(OsStr::from_bytes(part))).collect()
}

/// Without slashes at the end, so that `/a` and `/a/` are one folder.
fn trimmed(path: &[u8]) -> FilePath {
    let end = path.iter().rposition(|b| *b != b'/').map_or(1, |last| last + 1);
    FilePath(path[..end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_two_absolute_folders() {
        let pair = |a: &[u8], b: &[u8]| Ok((FilePath(a.to_vec()), FilePath(b.to_vec())));
        let parse = |bytes: &[u8]| parse_map(OsStr::from_bytes(bytes));
        assert_eq!(parse(b"/srv/media=/mnt/m"), pair(b"/srv/media", b"/mnt/m"));
        assert_eq!(parse(b"/srv/=/mnt//"), pair(b"/srv", b"/mnt"));
        assert_eq!(parse(b"/=/mnt"), pair(b"/", b"/mnt"));
        assert_eq!(parse(b"/a=b=/\xff"), pair(b"/a=b", b"/\xff"));
        assert_eq!(parse(b"/srv"), Err(MapError::NoEquals));
        assert_eq!(parse(b"/srv=mnt"), Err(MapError::NotAbsolute));
        assert_eq!(parse(b"srv=/mnt"), Err(MapError::NotAbsolute));
        assert_eq!(parse(b"=/mnt"), Err(MapError::NotAbsolute));
    }

    #[test]
    fn a_variable_holds_several_mappings() {
        let maps = parse_maps(OsStr::new("/a=/b:/c=/d")).unwrap();
        assert_eq!(maps, [("/a".into(), "/b".into()), ("/c".into(), "/d".into())]);
        assert_eq!(parse_maps(OsStr::new("")), Ok(vec![]));
    }
}
