//! Dialogs: what they hold. Their ids are fixed when they open; nothing here looks at the row under the cursor later.

use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{JobFilter, Selection, Why};

use super::Millis;

/// A dialog takes `y` only after it stood this long, so that a key meant for the screen below does not answer it.
pub(crate) const YES_AFTER_MS: Millis = 300;

/// What is asked of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Cancel,
    Retry,
}

/// What a dialog needs to say of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRef {
    pub(crate) id: JobId,
    pub(crate) name: String,
    pub(crate) state: JobState,
    /// A pending job that waits for a retry.
    pub(crate) waits: bool,
    pub(crate) place: String,
    pub(crate) permille: Option<u16>,
    /// Milliseconds of encoding that a cancel throws away, about.
    pub(crate) spent_ms: u64,
}

/// The jobs that a command is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Jobs(Vec<JobRef>),
    /// All that a filter finds, and how many that were.
    All {
        filter: JobFilter,
        count: u64,
    },
}

impl Target {
    pub(crate) fn count(&self) -> u64 {
        match self {
            Target::Jobs(jobs) => jobs.len() as u64,
            Target::All { count, .. } => *count,
        }
    }

    pub(crate) fn selection(&self) -> Selection {
        match self {
            Target::Jobs(jobs) => Selection::Ids(jobs.iter().map(|j| j.id).collect()),
            Target::All { filter, .. } => Selection::Filter(filter.clone()),
        }
    }
}

/// A question of level 1: No is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirm {
    pub(crate) verb: Verb,
    pub(crate) target: Target,
    pub(crate) opened: Millis,
    /// The count changed since the question was first asked.
    pub(crate) again: bool,
}

/// What lies over the screen and has the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Overlay {
    Help { scroll: usize },
    Confirm(Confirm),
    Why { job: JobId, answer: Option<Result<Why, String>>, scroll: usize },
    Leave { opened: Millis },
}
