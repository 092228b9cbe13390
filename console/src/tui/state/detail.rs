//! One job opened: which tab, how far scrolled, and what the server last said of it.

use vc_protocol::id::JobId;
use vc_protocol::operator::JobDetail;

use super::{Action, Millis, State};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;

/// Least time between two questions about the open job: its log is asked of its agent.
pub(crate) const REFRESH_MS: Millis = 1000;

/// Tabs of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Summary,
    Log,
    Command,
    Attempts,
}

impl Tab {
    pub(crate) const ALL: [Tab; 4] = [Tab::Summary, Tab::Log, Tab::Command, Tab::Attempts];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Tab::Summary => "Summary",
            Tab::Log => "Log",
            Tab::Command => "Command",
            Tab::Attempts => "Attempts",
        }
    }

    /// The tab `by` places further; stops at the ends.
    pub(crate) fn step(self, by: isize) -> Tab {
        let at = Tab::ALL.iter().position(|t| *t == self).unwrap_or(0);
        Tab::ALL[at.saturating_add_signed(by).min(Tab::ALL.len() - 1)]
    }
}

/// An opened job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Detail {
    pub(crate) job: JobId,
    pub(crate) tab: Tab,
    /// Lines away from where the tab starts: from the top, in the log from the end.
    pub(crate) scroll: usize,
    pub(crate) data: Option<JobDetail>,
    pub(crate) refused: Option<String>,
    pub(crate) asked: Option<RequestTag>,
    pub(crate) asked_at: Millis,
    /// Revision of the table when it was asked.
    pub(crate) revision: u64,
}

impl Detail {
    pub(crate) fn new(job: JobId, tab: Tab) -> Detail {
        Detail { job, tab, scroll: 0, data: None, refused: None, asked: None, asked_at: 0, revision: 0 }
    }

    /// When to ask (again); `alive` says whether the job still moves.
    pub(crate) fn due(&self, revision: u64, alive: bool) -> Option<Millis> {
        if self.asked.is_some() {
            return None;
        }
        match &self.data {
            None if self.refused.is_none() => Some(0),
            None => (revision != self.revision).then_some(self.asked_at + REFRESH_MS),
            Some(_) => (alive || revision != self.revision).then_some(self.asked_at + REFRESH_MS),
        }
    }
}

/// Carries out what is an opened job's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, _now: Millis, command: Command, _out: &mut Vec<Action>) -> bool {
    let Some(detail) = &mut state.detail else { return false };
    match command {
        Command::PrevTab | Command::PrevPane => (detail.tab, detail.scroll) = (detail.tab.step(-1), 0),
        Command::NextTab | Command::NextPane => (detail.tab, detail.scroll) = (detail.tab.step(1), 0),
        _ => return false,
    }
    true
}

/// Why a command does nothing here now; none if it works or is not an opened job's.
pub(super) fn refusal(_state: &State, _command: Command) -> Option<&'static str> {
    None
}
