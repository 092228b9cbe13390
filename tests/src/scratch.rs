//! A folder for one test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder that is gone with its test, all programs of the test with it.
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
}

impl Scratch {
    /// A new, empty folder. Its path is short: a console's socket lies below it, and a socket's path may have 107
    /// bytes at most.
    #[expect(clippy::new_without_default, reason = "making a folder is an act, not a default value")]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("vct").tempdir().expect("a temporary folder can be made");
        Scratch { dir }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path below it; nothing is made.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A folder below it, made with its parents.
    pub fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let folder = self.join(name);
        std::fs::create_dir_all(&folder).expect("a folder can be made in the temporary folder");
        folder
    }
}
