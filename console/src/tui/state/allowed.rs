//! Whether a command does something now, and if not, why. Footer, help and palette leave out what does nothing.

use super::deed::Verb;
use super::jobs::Marks;
use super::overlay::Overlay;
use super::{State, agents, asks, copy, detail, events, failures, jobs, overview};
use crate::tui::Mode;
use crate::tui::keys::{Command, Ground};
use vc_protocol::operator::Role;

const NO_JOB: &str = "no job is selected";

impl State {
    /// This operator may change something.
    pub(crate) fn may_act(&self) -> bool {
        !self.read_only && self.welcome.as_ref().is_none_or(|w| w.role != Role::Viewer)
    }

    /// Why a command does nothing now; none if it works.
    pub(crate) fn refusal(&self, command: Command) -> Option<&'static str> {
        if command.acts() && !self.may_act() {
            return Some("you may look here, but not act");
        }
        if (command.acts() || command == Command::Why) && self.gone.is_some() {
            return Some("no word from the server: nothing can be asked of it now");
        }
        self.own_refusal(command).or_else(|| self.common_refusal(command))
    }

    /// What the screen says of what is its own.
    fn own_refusal(&self, command: Command) -> Option<&'static str> {
        match self.below() {
            Ground::Agents | Ground::AgentDetail => agents::refusal(self, command),
            Ground::Failures => failures::refusal(self, command),
            Ground::Events => events::refusal(self, command),
            Ground::Overview => overview::refusal(self, command),
            Ground::Jobs => jobs::refusal(self, command),
            Ground::JobDetail | Ground::Log => detail::refusal(self, command),
        }
    }

    /// Whether the verb makes sense for any job that a command is for. Each frame asks this for each key it names, so
    /// thousands of marks are taken as they were seen last and are not looked up.
    fn has_target(&self, verb: Verb) -> bool {
        match &self.jobs.marks {
            Marks::Jobs(jobs) if self.detail.is_none() && !jobs.is_empty() => {
                jobs.values().any(|job| verb.fits(job))
            }
            Marks::Jobs(_) | Marks::All { .. } => self.target().is_some_and(|target| target.any(verb)),
        }
    }

    fn has_own_rows(&self) -> bool {
        matches!(self.below(), Ground::Agents | Ground::AgentDetail | Ground::Failures | Ground::Events)
    }

    fn common_refusal(&self, command: Command) -> Option<&'static str> {
        let any = |verb| self.has_target(verb);
        let agent = || self.selected_agent().is_some();
        let (works, reason) = match command {
            Command::Retry
            | Command::Cancel
            | Command::Hold
            | Command::Raise
            | Command::Lower
            | Command::Priority
            | Command::Purge
                if self.jobs.marks.count() == 0 && self.selected().is_none() =>
            {
                (false, NO_JOB)
            }
            Command::Retry => {
                (any(Verb::Retry), "nothing to retry here: only failed, cancelled, skipped and held jobs")
            }
            Command::Cancel => (any(Verb::Cancel), "nothing to cancel here: it has ended"),
            Command::Hold => (
                any(Verb::Hold) || any(Verb::Release),
                "nothing to hold or release here: only pending and held jobs",
            ),
            Command::Raise | Command::Lower | Command::Priority => {
                (any(Verb::Raise), "no job here whose turn could change: it has ended")
            }
            Command::Purge => (any(Verb::Purge), "nothing to forget here: only jobs that have ended"),
            // What their rows are, only these screens know.
            Command::Log | Command::Open if self.has_own_rows() => (true, ""),
            Command::Why | Command::Log | Command::Mark => (self.selected().is_some(), NO_JOB),
            Command::Drain | Command::DrainKill | Command::Rename => (agent(), "no agent is selected"),
            Command::ReleaseDevice => return asks::release_refusal(self),
            Command::SelfTest => return asks::test_refusal(self),
            Command::Revoke => {
                (self.snapshot.as_ref().is_some_and(|s| !s.agents.is_empty()), "there is no agent")
            }
            Command::RetryGroup | Command::CancelGroup => {
                (self.selected_group().is_some(), "no failure is selected")
            }
            Command::Open => {
                let opens_jobs = self.below() == Ground::Jobs;
                (!opens_jobs || self.selected().is_some(), "nothing is selected")
            }
            Command::MarkNone => (self.jobs.marks.count() > 0, "nothing is marked"),
            Command::MarkAll => (self.jobs.count() > 0, "there is no job to mark"),
            Command::CopyId => (copy::id(self).is_some(), "nothing to copy is selected"),
            Command::Print => {
                let prints = matches!(self.overlay, Some(Overlay::Copy(_) | Overlay::Text { .. }));
                (prints, "there is nothing to print")
            }
            Command::CopyMenu => (!copy::items(self).is_empty(), "nothing to copy is selected"),
            Command::Suspend => (
                self.mode == Mode::Attach,
                "the conversion runs in this program: it would stand still with it",
            ),
            Command::Detach | Command::DrainStop | Command::StopNow | Command::Token => {
                (self.mode == Mode::Attach, "the farm of a conversion ends when you leave")
            }
            // What moves, looks or answers always does something.
            Command::Down
            | Command::Up
            | Command::First
            | Command::Last
            | Command::HalfDown
            | Command::HalfUp
            | Command::PageDown
            | Command::PageUp
            | Command::ScrollLeft
            | Command::ScrollRight
            | Command::NextPane
            | Command::PrevPane
            | Command::GoOverview
            | Command::GoJobs
            | Command::GoAgents
            | Command::GoFailures
            | Command::GoEvents
            | Command::Fold
            | Command::Unfold
            | Command::Expand
            | Command::Tree
            | Command::PrevTab
            | Command::NextTab
            | Command::Follow
            | Command::Wrap
            | Command::Times
            | Command::SortBefore
            | Command::SortNext
            | Command::Invert
            | Command::SortBy
            | Command::Freeze
            | Command::Theme
            | Command::Redraw
            | Command::Resubscribe
            | Command::Help
            | Command::Palette
            | Command::Back
            | Command::Filter
            | Command::NextHit
            | Command::PrevHit
            | Command::MarkRange
            | Command::Pause
            | Command::LocalAgent
            | Command::Mouse
            | Command::Leave
            | Command::Yes
            | Command::No
            | Command::Take
            | Command::NextAnswer
            | Command::PrevAnswer
            | Command::Complete => (true, ""),
        };
        (!works).then_some(reason)
    }
}
