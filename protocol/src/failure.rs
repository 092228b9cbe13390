//! Why an attempt failed, as data: the class decides what happens next, the cause is what people read.

use serde::{Deserialize, Serialize};

/// Decides retries; see `FailureClass` budgets in the farm core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The source is at fault: fails at once, no retry.
    Source,
    /// No encoder of this agent could do it; another agent may.
    Encoder,
    /// Encoder sessions or disk there used up: elsewhere, no retry used.
    Capacity,
    /// Agent or device lost, transfer broken, shut down: elsewhere, no retry used.
    Infrastructure,
    /// Anything else: three retries with backoff.
    Job,
}

impl FailureClass {
    /// The word shown in rows and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Encoder => "encoder",
            Self::Capacity => "capacity",
            Self::Infrastructure => "infrastructure",
            Self::Job => "job",
        }
    }
}

/// What went wrong with one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Decides what happens next.
    pub class: FailureClass,
    /// One line for people, without the path of the file: `moov atom not found`.
    pub cause: String,
    /// The process was killed by a signal that nobody of ours sent (crash, out of memory).
    pub by_signal: bool,
}

/// Longest cause kept, in bytes; longer ones are cut by [`Failure::new`].
pub const CAUSE_BYTES_MAX: usize = 400;

impl Failure {
    /// A failure whose cause is cut to [`CAUSE_BYTES_MAX`] and to its first line.
    pub fn new(class: FailureClass, cause: impl Into<String>) -> Self {
        let mut cause: String = cause.into();
        cause = cause.lines().next().unwrap_or_default().trim().to_owned();
        cause.truncate(cause.floor_char_boundary(CAUSE_BYTES_MAX));
        Failure { class, cause, by_signal: false }
    }
}
