//! The files of an attempt before its output is in place: gone when it ends, however it ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vc_protocol::id::AttemptId;
use vc_protocol::job::{Offer, part_prefix};

use crate::storage::{Destination, Storage, StorageError};

/// Random hex digits for a name that no other attempt, agent or run has.
pub fn random_name() -> io::Result<String> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// `<job>.<attempt>.`
fn attempt_prefix(attempt: AttemptId) -> String {
    format!("{}{}.", part_prefix(attempt.job), attempt.no)
}

/// Names for one run's files in the folder for part files. Dropping it removes whatever is there under these names.
#[derive(Debug)]
pub struct Scratch {
    temp: PathBuf,
    stem: String,
    extension: &'static str,
    is_part_kept: bool,
}

impl Scratch {
    /// New names.
    pub fn new(to: &Destination, attempt: AttemptId, extension: &'static str) -> io::Result<Scratch> {
        let stem = format!("{}{}", attempt_prefix(attempt), random_name()?);
        Ok(Scratch { temp: to.temp.clone(), stem, extension, is_part_kept: false })
    }

    /// What the paths of all its files begin with.
    pub fn stem(&self) -> PathBuf {
        self.temp.join(&self.stem)
    }

    /// The part file.
    pub fn part(&self) -> PathBuf {
        self.temp.join(format!("{}.part.{}", self.stem, self.extension))
    }

    /// Start of the names of what a first pass leaves to the second.
    pub fn pass_log(&self) -> PathBuf {
        self.temp.join(format!("{}.pass", self.stem))
    }

    /// A clip that is measured.
    pub fn sample(&self, name: &str) -> PathBuf {
        self.temp.join(format!("{}.{name}.mkv", self.stem))
    }

    /// Leaves the part file where it is: a later agent process hands it in.
    pub fn keep_part(mut self) {
        self.is_part_kept = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let part = self.is_part_kept.then(|| self.part());
        remove_all(&self.temp, &self.stem, part.as_deref());
    }
}

/// Removes everything that an attempt left in its folder for part files, whichever process it ran in.
pub async fn discard(storage: &dyn Storage, offer: &Offer) -> Result<(), StorageError> {
    let to = storage.destination(offer).await?;
    let prefix = attempt_prefix(offer.attempt);
    let removed = tokio::task::spawn_blocking(move || remove_all(&to.temp, &prefix, None));
    removed.await.map_err(|_| StorageError::Task)
}

/// Removes the files of a folder whose names begin like this, but for one.
pub(crate) fn remove_all(temp: &Path, prefix: &str, but: Option<&Path>) {
    let Ok(entries) = fs::read_dir(temp) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) && but != Some(path.as_path())
        {
            remove(&path);
        }
    }
}

/// Removes a file; one that is not there is fine, one that stays is told to the log.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a file stays behind");
    }
}
