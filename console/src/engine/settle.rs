//! What became of a granted output whose holder vanished: finished for it, or withdrawn.
//!
//! Only the granted content ever gets the final name, and never over another file. Before a grant is withdrawn every
//! part file of the task is gone, on disk, so that a late rename of the old holder finds nothing to rename. Each step
//! can be repeated after a crash. Disk work, done off the engine's thread.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use vc_farm::event::Settlement;
use vc_protocol::agent::Proven;
use vc_protocol::id::JobId;
use vc_protocol::job::{TEMP_FOLDER, part_prefix};
use vc_protocol::path::FilePath;

/// Looks at the output below this folder and brings it to one of its ends.
pub(super) fn settle(root: &Path, output: &FilePath, job: JobId, granted: &Proven) -> Settlement {
    match try_settle(root, output, job, granted) {
        Ok(settlement) => settlement,
        Err(error) => Settlement::Unreachable(error.to_string()),
    }
}

fn try_settle(root: &Path, output: &FilePath, job: JobId, granted: &Proven) -> io::Result<Settlement> {
    output.check_relative().map_err(io::Error::other)?;
    // A share that is not mounted must not look like an output that is not there.
    std::fs::metadata(root)?;
    let target = root.join(OsStr::from_bytes(&output.0));
    let temp = root.join(TEMP_FOLDER);
    let prefix = part_prefix(job);
    // The name came from an agent: only a plain name of this job's own is ever touched.
    let is_own = granted.part.0.starts_with(prefix.as_bytes()) && !granted.part.0.contains(&b'/');
    let part = is_own.then(|| temp.join(OsStr::from_bytes(&granted.part.0)));
    let mut settled = look_at_target(&target, granted)?;
    if let (None, Some(part)) = (&settled, &part)
        && is_granted(part, granted)? == Some(true)
    {
        settled = publish(part, &temp, &target, granted)?;
    }
    if let Some(settled) = settled {
        // The name is decided, so a file that waits for it is of no use to anybody.
        part.into_iter().for_each(|part| drop(std::fs::remove_file(part)));
        return Ok(settled);
    }
    withdraw(root, &temp, &prefix)?;
    // The holder may have come back and renamed between the two looks. From here on there is nothing left to rename.
    Ok(look_at_target(&target, granted)?.unwrap_or(Settlement::Withdrawn))
}

/// What the final name says, if there is such a file.
fn look_at_target(target: &Path, granted: &Proven) -> io::Result<Option<Settlement>> {
    Ok(match is_granted(target, granted)? {
        None => None,
        Some(false) => Some(Settlement::NameTaken),
        Some(true) => {
            sync_folder_of(target)?;
            Some(Settlement::InPlace(granted.size))
        }
    })
}

/// Whether the file has the granted content; none if there is no file.
fn is_granted(path: &Path, granted: &Proven) -> io::Result<Option<bool>> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if cannot_be_there(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !meta.is_file() || meta.len() != granted.size {
        return Ok(Some(false));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(Some(hasher.finalize() == blake3::Hash::from_bytes(granted.hash)))
}

/// Nothing of that name exists, or can: a part of it is a file, or too long for the file system.
fn cannot_be_there(error: &io::Error) -> bool {
    use ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

/// None if the output can never have that name.
fn publish(part: &Path, temp: &Path, target: &Path, granted: &Proven) -> io::Result<Option<Settlement>> {
    if let Some(folder) = target.parent() {
        match std::fs::create_dir_all(folder) {
            // A file has the name of the folder.
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            made => made?,
        }
    }
    match rename_new(part, target) {
        Ok(()) => {
            sync_folder_of(target)?;
            sync_folder(temp)?;
            Ok(Some(Settlement::InPlace(granted.size)))
        }
        // Somebody was quicker: the old holder with the same file, or a stranger.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(Some(look_at_target(target, granted)?.unwrap_or(Settlement::NameTaken)))
        }
        Err(error) if error.kind() == ErrorKind::InvalidFilename => Ok(None),
        Err(error) => Err(error),
    }
}

/// Renames without ever replacing a file.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Ok(()) => Ok(()),
        // File systems without that flag, such as NFS: a link fails where the name exists.
        Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn withdraw(root: &Path, temp: &Path, prefix: &str) -> io::Result<()> {
    let entries = match std::fs::read_dir(temp) {
        Ok(entries) => entries,
        // Made again rather than taken as empty: on a folder that is not the share this fails.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::create_dir(temp)?;
            return sync_folder(root);
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
    }
    sync_folder(temp)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const JOB: JobId = JobId(7);

    struct Bench {
        dir: tempfile::TempDir,
        granted: Proven,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join(TEMP_FOLDER)).unwrap();
            let hash = *blake3::hash(b"granted").as_bytes();
            Bench { dir, granted: Proven { part: FilePath::from("7.3.ab.part.mp4"), hash, size: 7 } }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn put(&self, name: &str, content: &str) {
            std::fs::write(self.path(name), content).unwrap();
        }

        fn settle(&self) -> Settlement {
            settle(self.dir.path(), &FilePath::from("a/out.mp4"), JOB, &self.granted)
        }
    }

    #[test]
    fn a_part_file_with_the_granted_content_is_published_and_again_is_the_same() {
        let bench = Bench::new();
        bench.put(".vc-tmp/7.3.ab.part.mp4", "granted");
        assert_eq!(bench.settle(), Settlement::InPlace(7));
        assert_eq!(bench.settle(), Settlement::InPlace(7));
        assert_eq!(std::fs::read(bench.path("a/out.mp4")).unwrap(), b"granted");
        assert!(!bench.path(".vc-tmp/7.3.ab.part.mp4").exists());
    }

    #[test]
    fn a_strangers_file_keeps_its_name() {
        let bench = Bench::new();
        bench.put(".vc-tmp/7.3.ab.part.mp4", "granted");
        std::fs::create_dir(bench.path("a")).unwrap();
        bench.put("a/out.mp4", "strange");
        assert_eq!(bench.settle(), Settlement::NameTaken);
        assert_eq!(std::fs::read(bench.path("a/out.mp4")).unwrap(), b"strange");
        assert!(!bench.path(".vc-tmp/7.3.ab.part.mp4").exists(), "nobody will ever want it");
    }

    #[test]
    fn an_output_that_can_never_be_is_withdrawn() {
        let bench = Bench::new();
        bench.put("file", "no folder");
        for output in ["file/out.mp4".to_owned(), format!("{}.mp4", "x".repeat(300))] {
            bench.put(".vc-tmp/7.3.ab.part.mp4", "granted");
            let settled = settle(bench.dir.path(), &FilePath::from(output.as_str()), JOB, &bench.granted);
            assert_eq!(settled, Settlement::Withdrawn, "{output}");
            assert!(!bench.path(".vc-tmp/7.3.ab.part.mp4").exists());
        }
    }

    #[test]
    fn before_a_withdrawal_every_part_file_of_the_job_is_gone() {
        let bench = Bench::new();
        for name in ["7.3.ab.part.mp4", "7.2.cd.part.mp4", "77.1.ef.part.mp4"] {
            bench.put(&format!(".vc-tmp/{name}"), "other");
        }
        assert_eq!(bench.settle(), Settlement::Withdrawn);
        assert!(!bench.path(".vc-tmp/7.3.ab.part.mp4").exists());
        assert!(!bench.path(".vc-tmp/7.2.cd.part.mp4").exists());
        assert!(bench.path(".vc-tmp/77.1.ef.part.mp4").exists(), "another job's file stays");
    }

    #[test]
    fn a_folder_that_is_not_there_withdraws_nothing() {
        let bench = Bench::new();
        let gone = bench.path("gone");
        let settled = settle(&gone, &FilePath::from("out.mp4"), JOB, &bench.granted);
        assert!(matches!(settled, Settlement::Unreachable(_)), "{settled:?}");
    }

    #[test]
    fn an_agents_name_for_its_part_file_leads_nowhere_else() {
        let mut bench = Bench::new();
        bench.put("secret", "granted");
        for name in ["../secret", "7./../../secret", "secret"] {
            bench.granted.part = FilePath::from(name);
            assert_eq!(bench.settle(), Settlement::Withdrawn, "{name}");
            assert!(bench.path("secret").exists());
        }
    }
}
