//! From a proven part file to an output in its place, safe against a crash at every step.
//!
//! ```text
//! part file --fsync, hash--> sealed --grant--> renamed without replacing --fsync of the folder--> committed
//! ```
//! Each step can be done again: [`place`] finds the output already there under the same hash and says that it is
//! committed. Any failed fsync throws the file away: it is never tried twice. Knows nothing of the session: who asks for
//! the grant is the caller.

mod boot;
mod failpoint;
mod scratch;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use vc_protocol::agent::{Outcome, Proven};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::job::Offer;

use crate::storage::{Destination, Storage, class, words};

pub use boot::BootTime;
pub use failpoint::failpoint;
pub(crate) use scratch::remove_all;
pub use scratch::{Scratch, discard, random_name};

/// A grant older than this at the rename is asked for again: the console may have withdrawn it meanwhile.
pub const GRANT_AGE_MAX: Duration = Duration::from_secs(10);

/// Why an output did not take its place.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A step on the disk failed.
    #[error("{step}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Something else has the final name.
    #[error("name taken: another file is there already")]
    Taken,
    /// Neither the part file nor the output is there.
    #[error("the part file is gone")]
    Gone,
    /// The grant must be asked for again.
    #[error("the right to commit is too old")]
    GrantTooOld,
    /// The blocking task died.
    #[error("the task for it ended")]
    Task,
}

impl CommitError {
    /// As a failure of an attempt.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Io { step, source } => Failure::new(
                class(source, FailureClass::Infrastructure),
                format!("{step}: {}", words(source)),
            ),
            Self::Taken => Failure::new(FailureClass::Job, self.to_string()),
            Self::Gone | Self::GrantTooOld | Self::Task => {
                Failure::new(FailureClass::Infrastructure, self.to_string())
            }
        }
    }
}

fn io_step(step: &'static str) -> impl Fn(io::Error) -> CommitError {
    move |source| CommitError::Io { step, source }
}

/// Flushes a part file and takes its hash and size: after this it can only be renamed or thrown away.
pub async fn seal(part: PathBuf) -> Result<Proven, CommitError> {
    let sealed = tokio::task::spawn_blocking(move || {
        let file = File::open(&part).map_err(io_step("open the part file"))?;
        file.sync_all().map_err(io_step("flush the part file"))?;
        let (hash, size) = hash(&part).map_err(io_step("read the part file back"))?;
        let name = part.file_name().unwrap_or_default().to_owned();
        Ok(Proven { part: vc_protocol::path::FilePath(name.into_vec()), hash, size })
    });
    let sealed = sealed.await.unwrap_or(Err(CommitError::Task));
    failpoint("part-synced");
    sealed
}

fn hash(path: &Path) -> io::Result<([u8; 32], u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((*hasher.finalize().as_bytes(), hasher.count()))
}

/// Gives a proven file its final name, under a grant that was received at `granted`. May be repeated.
pub async fn place(destination: Destination, proven: Proven, granted: BootTime) -> Result<(), CommitError> {
    let placed = tokio::task::spawn_blocking(move || place_now(&destination, &proven, granted));
    placed.await.unwrap_or(Err(CommitError::Task))
}

/// For an attempt that was proven before the agent was restarted, and has the grant now: takes its last steps, or finds
/// that they were taken.
pub async fn finish(storage: &dyn Storage, offer: &Offer, proven: &Proven) -> Outcome {
    let granted = BootTime::now();
    let destination = match storage.destination(offer).await {
        Ok(destination) => destination,
        Err(error) => return Outcome::Failed(error.failure()),
    };
    let part = destination.temp.join(part_name(proven));
    // Once it is renamed the source no longer matters.
    if destination.output.symlink_metadata().is_err() {
        let changed = match storage.fetch(offer).await {
            Ok(source) if source.stamp == offer.stamp => None,
            Ok(source) => Some(Outcome::SourceChanged(source.stamp)),
            Err(error) => Some(Outcome::Failed(error.failure())),
        };
        if let Some(outcome) = changed {
            scratch::remove(&part);
            return outcome;
        }
    }
    match place(destination, proven.clone(), granted).await {
        Ok(()) => Outcome::Committed(proven.clone()),
        // It took too long to look at the folders. The console holds the grant: it finds the part file and finishes.
        Err(error @ CommitError::GrantTooOld) => Outcome::Failed(error.failure()),
        Err(error) => {
            scratch::remove(&part);
            Outcome::Failed(error.failure())
        }
    }
}

fn part_name(proven: &Proven) -> OsString {
    // Only the last component: whatever a journal holds, it cannot lead out of the folder for part files.
    OsString::from_vec(proven.part.file_name().to_vec())
}

fn place_now(to: &Destination, proven: &Proven, granted: BootTime) -> Result<(), CommitError> {
    let part = to.temp.join(part_name(proven));
    let folder = to.output.parent().unwrap_or(&to.root);
    make_folders(&to.root, folder).map_err(io_step("make the output's folder"))?;
    if granted.age() > GRANT_AGE_MAX {
        return Err(CommitError::GrantTooOld);
    }
    match rename_without_replacing(&part, &to.output) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !is_same(&to.output, proven).map_err(io_step("compare with the file that is there"))? {
                return Err(CommitError::Taken);
            }
            scratch::remove(&part);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_there = is_same(&to.output, proven).map_err(io_step("look for the output"))?;
            if !is_there {
                return Err(CommitError::Gone);
            }
        }
        Err(error) => return Err(io_step("rename the part file")(error)),
    }
    failpoint("renamed");
    // What may not survive a power cut does not count as an output. It is not taken away either: the console, which looks
    // for itself after such a report, may have found it already.
    sync_folder(folder).map_err(io_step("flush the output's folder"))?;
    failpoint("dir-synced");
    Ok(())
}

/// Whether a file has the proven content. None there: no.
fn is_same(path: &Path, proven: &Proven) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == proven.size => Ok(hash(path)?.0 == proven.hash),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// One step that never overwrites. Where the file system lacks it, a hard link does the same, and the old name goes.
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

/// Makes every missing folder from `root` down to `folder`, each flushed into its parent.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    let below = folder.strip_prefix(root).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut at = root.to_owned();
    for part in below.components().map(|c| OsStr::new(c.as_os_str())) {
        let parent = at.clone();
        at.push(part);
        match fs::create_dir(&at) {
            Ok(()) => sync_folder(&parent)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
