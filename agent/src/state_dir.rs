//! The folder that an agent calls its own: where it is, that nobody else reads it, and that one process uses it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Longest process id in a lock file, with its newline and some room.
const PID_BYTES_MAX: u64 = 32;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// It cannot be made, opened or closed to others.
    #[error("use the state folder {}", .0.display())]
    Unusable(PathBuf, #[source] io::Error),
    /// Another agent has it.
    #[error("use the state folder {}: another vc-agent has it (process {pid}); stop that one first", .dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// Who has it, as the lock file says.
        pid: String,
    },
    /// There is no home folder to put it into.
    #[error(
        "find a place for the state: set --state-dir or VC_STATE_DIR (neither XDG_STATE_HOME nor HOME is set)"
    )]
    Nowhere,
}

/// A locked state folder. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Where it is when nothing is said: `$XDG_STATE_HOME/vc-agent`, else `~/.local/state/vc-agent`.
    pub fn default_path() -> Result<PathBuf, StateDirError> {
        let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        from("XDG_STATE_HOME")
            .filter(|p| p.is_absolute())
            .or_else(|| from("HOME").map(|home| home.join(".local/state")))
            .map(|base| base.join("vc-agent"))
            .ok_or(StateDirError::Nowhere)
    }

    /// Makes it if missing, closes it to others, and takes its lock.
    pub fn open(path: &Path) -> Result<StateDir, StateDirError> {
        let at = |e| StateDirError::Unusable(path.to_owned(), e);
        // What runs for the agent has another working folder than the agent.
        let path = &std::path::absolute(path).map_err(at)?;
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(at)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The pid is for the message only; without it the message is still right.
                let _ = lock.take(PID_BYTES_MAX).read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() { "unknown".into() } else { pid.trim().to_owned() };
                return Err(StateDirError::InUse { dir: path.to_owned(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(at(e)),
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(at)?;
        writeln!(lock, "{}", std::process::id()).map_err(at)?;
        Ok(StateDir { path: path.to_owned(), _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal's folder.
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// Where live processes and part files are written down, for the sweep at the next start.
    pub fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// Where each running child has its record.
    pub fn children(&self) -> PathBuf {
        self.run().join("children")
    }

    /// What is remembered of the cards of this box.
    pub fn devices(&self) -> PathBuf {
        self.path.join("devices.json")
    }

    /// The socket that answers `vc-agent status`.
    pub fn socket(path: &Path) -> PathBuf {
        path.join("agent.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_told_who_has_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = StateDir::open(&path).unwrap();
        let refused = StateDir::open(&path).unwrap_err();
        let StateDirError::InUse { pid, .. } = &refused else { panic!("{refused}") };
        assert_eq!(*pid, std::process::id().to_string());
        drop(first);
        StateDir::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
