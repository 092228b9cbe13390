//! Jobs as people and agents see them.

use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, BatchId, DeviceId, JobId, ProfileId, RootId};
use crate::path::FilePath;
use crate::profile::NamedProfile;

/// The state of a job. Stored as its number: new ones go last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum JobState {
    /// Waits for a device, a time, or a dependency.
    Pending = 0,
    /// An agent has it.
    Running = 1,
    /// Its output is in place.
    Completed = 2,
    /// Given up, with a cause.
    Failed = 3,
    /// Ended by a person.
    Cancelled = 4,
    /// Nothing to gain or already right.
    Skipped = 5,
    /// Waits for a person, with a reason.
    Held = 6,
}

impl JobState {
    /// Every state, in the order of their numbers.
    pub const ALL: [JobState; 7] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
        Self::Held,
    ];

    /// No further change without a person.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Skipped)
    }

    /// The word shown in rows, filters and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Held => "held",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }
}

/// Priority of a job, higher first; 5 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority(pub u8);

impl Priority {
    /// What a job gets when nothing is said.
    pub const DEFAULT: Priority = Priority(5);
    /// The highest.
    pub const MAX: Priority = Priority(9);
}

/// A file at the moment it was looked at: tells whether it changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    /// Bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// What the operator asked for; never changes after the job was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Folder of the source.
    pub source_root: RootId,
    /// Source below it.
    pub source: FilePath,
    /// The source when it was added.
    pub stamp: FileStamp,
    /// Folder of the output.
    pub output_root: RootId,
    /// Output below it, with the profile's extension.
    pub output: FilePath,
    /// Recipe.
    pub profile: ProfileId,
    /// Added together with.
    pub batch: BatchId,
    /// When it was added, milliseconds since 1970.
    pub created_ms: i64,
}

/// What an agent needs to run an attempt; roots are the console's paths, which the agent maps to its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// What to run, with its fencing number.
    pub attempt: AttemptId,
    /// On which device.
    pub device: DeviceId,
    /// Folder of the source and its number.
    pub source_root: (RootId, FilePath),
    /// Source below it.
    pub source: FilePath,
    /// The source when it was added.
    pub stamp: FileStamp,
    /// Folder of the output and its number.
    pub output_root: (RootId, FilePath),
    /// Output below it.
    pub output: FilePath,
    /// Recipe.
    pub profile: NamedProfile,
}

/// Folder, below an output root, that holds part files. One folder a root, on the destination's file system.
pub const TEMP_FOLDER: &str = ".vc-tmp";

/// Start of the name of every part file of a job: `<job>.<attempt>.<random>.part` and the container's extension.
pub fn part_prefix(job: JobId) -> String {
    format!("{job}.")
}
