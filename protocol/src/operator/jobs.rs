//! Jobs on a screen: rows, pages, details, commands on them, failures and history.

use serde::{Deserialize, Serialize};

use crate::agent::{Command, PassedOver, QualityFound};
use crate::failure::FailureClass;
use crate::id::{JobId, TaskNo};
use crate::job::{JobState, Priority};
use crate::media::Media;
use crate::path::FilePath;
use crate::progress::{Phase, Progress};

/// A job in a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    /// Its number.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// Its agent is silent.
    pub unsure: bool,
    /// Its priority.
    pub priority: Priority,
    /// Source below its root.
    pub source: FilePath,
    /// Name of the profile.
    pub profile: String,
    /// Agent and device that run it or ran it last, as `ada/cpu`; empty if none did.
    pub place: String,
    /// Retries used.
    pub retries: u8,
    /// Retries allowed.
    pub retries_max: u8,
    /// When it was added, milliseconds since 1970.
    pub created_ms: i64,
    /// Last change, milliseconds since 1970.
    pub updated_ms: i64,
    /// When a waiting retry may run, milliseconds since 1970.
    pub not_before_ms: Option<i64>,
    /// Where it stands, while it runs.
    pub progress: Option<Progress>,
    /// Source bytes.
    pub bytes_in: u64,
    /// Output bytes, 0 until completed.
    pub bytes_out: u64,
    /// Why it is as it is: last failure, hold or skip reason; empty if there is none.
    pub cause: String,
    /// Class of that failure.
    pub class: Option<FailureClass>,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Rows from the offset on.
    pub rows: Vec<JobRow>,
    /// Rows that the filter finds in all; none while a text filter leaves it open.
    pub total: Option<u64>,
    /// More rows follow.
    pub more: bool,
    /// A search that has not looked at everything: how far it is. Asking again from the end of the rows goes on.
    pub scanned: Option<Scanned>,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scanned {
    /// Jobs looked at.
    pub seen: u64,
    /// Jobs to be looked at in all.
    pub of: u64,
}

/// The order of a table. Of more than [`SORT_ROWS_MAX`] jobs, only `State`, `Id`, `Priority` and `Updated` sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// The other way round.
    pub reversed: bool,
}

/// What a table is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SortBy {
    /// What runs, what needs a person, what waits in the order in which it is handed out, the rest newest first.
    #[default]
    State,
    /// Number, lowest first.
    Id,
    /// Highest first.
    Priority,
    /// Path of the source.
    File,
    /// Name of the profile.
    Profile,
    /// Agent and device.
    Place,
    /// Retries used, most first.
    Retries,
    /// Last change, newest first.
    Updated,
    /// Source bytes, largest first.
    Size,
}

impl SortBy {
    /// An index keeps this order, however many jobs there are.
    pub fn is_indexed(self) -> bool {
        matches!(self, Self::State | Self::Id | Self::Priority | Self::Updated)
    }

    /// The word shown in titles and taken by `--sort`.
    pub fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Id => "id",
            Self::Priority => "priority",
            Self::File => "file",
            Self::Profile => "profile",
            Self::Place => "where",
            Self::Retries => "tries",
            Self::Updated => "updated",
            Self::Size => "size",
        }
    }

    /// Every order, as the columns stand.
    pub const ALL: [SortBy; 9] = [
        Self::State,
        Self::Id,
        Self::Priority,
        Self::File,
        Self::Profile,
        Self::Place,
        Self::Retries,
        Self::Updated,
        Self::Size,
    ];
}

/// Most jobs that are sorted by a column without an index.
pub const SORT_ROWS_MAX: u64 = 50_000;

/// One attempt of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Its task.
    pub task: TaskNo,
    /// Its number.
    pub no: u32,
    /// Name of the agent and of the device.
    pub place: String,
    /// The encoder that ran, empty if none did.
    pub encoder: String,
    /// Encoders that were not used, the preferred first.
    pub passed_over: Vec<PassedOver>,
    /// How its quality was found, if it was measured for.
    pub quality: Option<QualityFound>,
    /// Start, milliseconds since 1970.
    pub started_ms: i64,
    /// End, milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// `completed`, `stopped`, a class of failure, or empty while it runs.
    pub ended: String,
    /// Its cause, if it failed.
    pub cause: String,
    /// Commands that it started.
    pub commands: Vec<Command>,
    /// Last lines of its log.
    pub log: String,
}

/// Everything about one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    /// Its row.
    pub row: JobRow,
    /// Absolute path of the source on the console.
    pub source: FilePath,
    /// Absolute path of the output on the console.
    pub output: FilePath,
    /// When it was added, milliseconds since 1970.
    pub created_ms: i64,
    /// Encoder of the last attempt.
    pub encoder: String,
    /// Wall seconds of the attempt that completed it.
    pub seconds: f64,
    /// Length of the source in milliseconds, 0 until known.
    pub media_ms: u64,
    /// What could not be kept.
    pub warnings: Vec<String>,
    /// The source as ffprobe describes it; none until an agent has looked into it.
    pub media: Option<Media>,
    /// The recipe in words: codec, quality, audio, subtitles, container.
    pub wanted: String,
    /// Encoders that the running attempt would go on with.
    pub next_encoders: Vec<String>,
    /// Phases of the newest attempt in order, with the milliseconds that each took so far.
    pub phases: Vec<(Phase, u64)>,
    /// Milliseconds since the running attempt's agent last renewed its lease.
    pub lease_ms: Option<u64>,
    /// Attempts, newest first, at most the last ten.
    pub attempts: Vec<AttemptView>,
}

impl JobDetail {
    /// The newest attempt that told how it encodes.
    pub fn encoded(&self) -> Option<&AttemptView> {
        self.attempts.iter().find(|attempt| attempt.encoder == self.encoder)
    }
}

/// What is done to jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobAction {
    /// Back to pending, with full budgets.
    Retry,
    /// End it, whatever it does.
    Cancel,
    /// Wait for a person.
    Hold,
    /// Wait no more.
    Release,
    /// To this priority.
    Prioritise(Priority),
    /// One higher, up to the highest.
    Raise,
    /// One lower, down to 0.
    Lower,
    /// Forget a job in a final state; its source may be added again. Files are never touched.
    Purge,
}

/// Result of a command on jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Acted {
    /// Jobs that it was done to: the first [`super::IDS_MAX`].
    pub done: Vec<JobId>,
    /// How many in all.
    pub count: u64,
    /// Jobs left alone, each with the reason: the first [`super::IDS_MAX`].
    pub left: Vec<(JobId, String)>,
}

/// Failures of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The cause with numbers, paths and addresses taken out: the name of the group.
    pub cause: String,
    /// Class of the last one.
    pub class: Option<FailureClass>,
    /// Jobs that are failed for it, or that the farm holds for it.
    pub open: u64,
    /// Jobs that wait for a retry.
    pub retry: u64,
    /// Attempts of the last 24 hours that failed so and whose job went on.
    pub recovered: u64,
    /// Agent and device if all of them are of one, else how many.
    pub place: String,
    /// The last one, milliseconds since 1970.
    pub last_ms: i64,
    /// The last one's cause, word for word.
    pub example: String,
    /// Its job.
    pub job: Option<JobId>,
    /// Number of the advice, stable between versions; empty if there is none.
    pub hint: String,
    /// The advice: what it likely is, and what to do.
    pub advice: String,
}

/// Failures by cause.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failures {
    /// Those that need a person first.
    pub groups: Vec<FailureGroup>,
    /// Jobs that are failed, or held by the farm.
    pub open: u64,
    /// Jobs that wait for a retry.
    pub retry: u64,
    /// Attempts of the last 24 hours that failed and whose job went on.
    pub recovered: u64,
}

/// Sums of completed and failed jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sums {
    /// Jobs completed.
    pub completed: u64,
    /// Jobs failed.
    pub failed: u64,
    /// Jobs skipped.
    pub skipped: u64,
    /// Milliseconds of video converted.
    pub media_ms: u64,
    /// Wall milliseconds of the attempts that completed.
    pub wall_ms: u64,
    /// Source bytes of completed jobs.
    pub bytes_in: u64,
    /// Output bytes of completed jobs.
    pub bytes_out: u64,
}

/// What the farm did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Per day (days since 1970, UTC), newest first.
    pub days: Vec<(u32, Sums)>,
    /// Per profile, by name, over these days.
    pub profiles: Vec<(String, Sums)>,
    /// Per agent, by name, over these days.
    pub agents: Vec<(String, Sums)>,
    /// All of these days.
    pub all: Sums,
}

/// Why a job does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The one-line answer.
    pub answer: String,
    /// Each device and the first reason why the job does not run there.
    pub devices: Vec<(String, String)>,
}
