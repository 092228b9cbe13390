//! The output folder that console and agents share: part files and final names, with the operations that a real file
//! system does atomically.

use std::collections::BTreeMap;

use vc_protocol::id::{AttemptId, JobId};

/// Content of a file, as its hash says.
pub(crate) type Hash = [u8; 32];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) hash: Hash,
    /// Encoded to its end, proven and flushed.
    pub(crate) whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renamed {
    Done,
    /// The part file is gone.
    NoPart,
    /// Something with this hash has the final name.
    Exists(Hash),
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) finals: BTreeMap<JobId, File>,
    pub(crate) parts: BTreeMap<AttemptId, File>,
}

impl Disk {
    /// Rename without replacing.
    pub(crate) fn rename(&mut self, attempt: AttemptId) -> Renamed {
        if let Some(file) = self.finals.get(&attempt.job) {
            return Renamed::Exists(file.hash);
        }
        let Some(file) = self.parts.remove(&attempt) else { return Renamed::NoPart };
        self.finals.insert(attempt.job, file);
        Renamed::Done
    }

    pub(crate) fn unlink_parts(&mut self, job: JobId) {
        self.parts.retain(|attempt, _| attempt.job != job);
    }
}
