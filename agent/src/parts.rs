//! Which part files this agent is making, so that its next start deletes those that a crash left behind.
//!
//! A record is a symbolic link in the state folder whose target is what the paths of an attempt's files begin with: made
//! and removed in one step, never torn, and journalled by the file system together with its folder. Knows nothing of
//! what is in the files.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vc_protocol::path::FilePath;

use crate::commit::remove_all;

/// The records of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    dir: Arc<Path>,
}

/// Files that are written down as ours, until this is dropped.
#[derive(Debug)]
pub(crate) struct PartRecord {
    link: PathBuf,
}

impl Parts {
    /// Opens the records, made if missing, and deletes the files of an earlier process, but for those of these proven
    /// results, which the journal has.
    pub(crate) fn open(dir: &Path, proven: &BTreeSet<FilePath>) -> io::Result<Parts> {
        fs::create_dir_all(dir)?;
        for entry in fs::read_dir(dir)? {
            let link = entry?.path();
            let Ok(stem) = fs::read_link(&link) else { continue };
            let (Some(folder), Some(name)) = (stem.parent(), stem.file_name().and_then(|n| n.to_str()))
            else {
                continue;
            };
            if !proven.iter().any(|part| part.0.starts_with(name.as_bytes())) {
                match fs::metadata(folder) {
                    Ok(_) => remove_all(folder, &format!("{name}."), None),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    // The share is away just now: the record stays for the next start.
                    Err(e) => {
                        tracing::warn!("files of an earlier run may stay in {}: {e}", folder.display());
                        continue;
                    }
                }
            }
            fs::remove_file(&link)?;
        }
        Ok(Parts { dir: dir.into() })
    }

    /// Writes files whose paths begin like this down as ours, before they are made; the name is unique.
    pub(crate) fn record(&self, stem: &Path) -> io::Result<PartRecord> {
        let link = self.dir.join(stem.file_name().unwrap_or(stem.as_os_str()));
        symlink(stem, &link)?;
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
        let lost = [make("1.1.a.part.mp4"), make("1.1.a.pass-0.log")];
        let stay = [make("2.1.b.part.mp4"), make("3.1.c.part.mp4"), make("1.1.ab.part.mp4")];
        for crashed in ["1.1.a", "2.1.b", "9.1.never-made"] {
            std::mem::forget(parts.record(&dir.path().join(crashed)).unwrap());
        }
        drop(parts.record(&dir.path().join("3.1.c")).unwrap());

        Parts::open(&records, &BTreeSet::from([FilePath::from("2.1.b.part.mp4")])).unwrap();
        assert!(lost.iter().all(|path| !path.exists()));
        assert!(stay.iter().all(|path| path.exists()));
        assert_eq!(fs::read_dir(&records).unwrap().count(), 0);
    }
}
