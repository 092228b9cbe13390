//! Which part files this agent is writing, so that its next start can delete those that a crash left behind.
//!
//! A record is a symbolic link in the state folder whose target is the part file's path: made and removed in one step,
//! never torn, and journalled by the file system together with its folder. Knows nothing of what is in the files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vc_protocol::path::FilePath;

/// The records of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    dir: Arc<Path>,
}

/// A part file that is written down as ours, until this is dropped.
#[derive(Debug)]
pub(crate) struct PartRecord {
    link: PathBuf,
}

impl Parts {
    /// Opens the records, made if missing, and deletes the part files of an earlier process, but for those with one of
    /// these names: they are proven, and the journal has them.
    pub(crate) fn open(dir: &Path, proven: &BTreeSet<FilePath>) -> io::Result<Parts> {
        fs::create_dir_all(dir)?;
        for entry in fs::read_dir(dir)? {
            let link = entry?.path();
            let Ok(part) = fs::read_link(&link) else { continue };
            let name = FilePath(part.file_name().unwrap_or_default().as_bytes().to_vec());
            if !proven.contains(&name) {
                match fs::remove_file(&part) {
                    Ok(()) => tracing::info!("deleted {}, left by an earlier run", part.display()),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    // Its folder may be on a share that is away just now: the record stays for the next start.
                    Err(e) => {
                        tracing::warn!("failed to delete {}, left by an earlier run: {e}", part.display());
                        continue;
                    }
                }
            }
            fs::remove_file(&link)?;
        }
        Ok(Parts { dir: dir.into() })
    }

    /// Writes a part file down as ours. To be called before it is made; its name is unique.
    pub(crate) fn record(&self, part: &Path) -> io::Result<PartRecord> {
        let name = part.file_name().unwrap_or(OsStr::new("part"));
        let link = self.dir.join(name);
        symlink(part, &link)?;
        Ok(PartRecord { link })
    }
}

impl Drop for PartRecord {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.link) {
            tracing::debug!(%error, "the record of a part file stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_files_of_a_crash_are_deleted_and_proven_or_foreign_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let records = dir.path().join("run");
        let make = |name: &str| {
            let path = dir.path().join(name);
            fs::write(&path, "x").unwrap();
            path
        };
        let parts = Parts::open(&records, &BTreeSet::new()).unwrap();
        let (lost, proven, foreign) =
            (make("1.1.a.part.mp4"), make("2.1.b.part.mp4"), make("3.1.c.part.mp4"));
        std::mem::forget(parts.record(&lost).unwrap());
        std::mem::forget(parts.record(&proven).unwrap());
        std::mem::forget(parts.record(&dir.path().join("never-made")).unwrap());
        drop(parts.record(&foreign).unwrap());

        Parts::open(&records, &BTreeSet::from([FilePath::from("2.1.b.part.mp4")])).unwrap();
        assert_eq!((lost.exists(), proven.exists(), foreign.exists()), (false, true, true));
        assert_eq!(fs::read_dir(&records).unwrap().count(), 0);
    }
}
