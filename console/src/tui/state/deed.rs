//! What is asked of the farm: how much is asked before, what is sent, what is said after.

use vc_protocol::id::{AgentId, JobId};
use vc_protocol::job::{JobState, Priority};
use vc_protocol::operator::{
    Acted, AgentAction, JobAction, JobFilter, RETRY_UNASKED_MAX, Request, Response, Role, Selection, StopHow,
    TokenWish,
};

use crate::tui::keys::{Command, Level};

/// A token made from here: for one agent, long enough to walk to its box.
pub(super) const TOKEN: TokenWish = TokenWish { uses: 1, ttl_s: 15 * 60, role: Role::Agent };

/// What is asked of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Cancel,
    Retry,
    Hold,
    Release,
    Raise,
    Lower,
    Prioritise(Priority),
    Purge,
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

/// An agent as a dialog names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentRef {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    /// The device concerned, as it is shown.
    pub(crate) device: Option<String>,
    /// Jobs that it has.
    pub(crate) jobs: u64,
}

/// Something to be done to the farm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    Jobs(Verb, Target),
    Agent(AgentRef, AgentAction),
    Pause,
    Resume,
    Token,
    Stop(StopHow),
}

impl Verb {
    pub(crate) fn action(self) -> JobAction {
        match self {
            Verb::Cancel => JobAction::Cancel,
            Verb::Retry => JobAction::Retry,
            Verb::Hold => JobAction::Hold,
            Verb::Release => JobAction::Release,
            Verb::Raise => JobAction::Raise,
            Verb::Lower => JobAction::Lower,
            Verb::Prioritise(priority) => JobAction::Prioritise(priority),
            Verb::Purge => JobAction::Purge,
        }
    }

    /// Whether it makes sense for this job.
    pub(crate) fn fits(self, job: &JobRef) -> bool {
        match self {
            Verb::Cancel | Verb::Raise | Verb::Lower | Verb::Prioritise(_) => !job.state.is_final(),
            Verb::Retry => match job.state {
                JobState::Failed | JobState::Cancelled | JobState::Skipped | JobState::Held => true,
                JobState::Pending | JobState::Running | JobState::Completed => false,
            },
            Verb::Hold => job.state == JobState::Pending,
            Verb::Release => job.state == JobState::Held,
            Verb::Purge => job.state.is_final(),
        }
    }

    /// What was done, and how to undo it.
    fn done(self, key: &dyn Fn(Command) -> String) -> String {
        match self {
            Verb::Cancel => format!("cancelled; {} puts back", key(Command::Retry)),
            Verb::Retry => format!("back to pending; {} cancels", key(Command::Cancel)),
            Verb::Hold => format!("held; {} releases", key(Command::Hold)),
            Verb::Release => format!("released; {} holds", key(Command::Hold)),
            Verb::Raise => format!("one priority up; {} takes it back", key(Command::Lower)),
            Verb::Lower => format!("one priority down; {} takes it back", key(Command::Raise)),
            Verb::Prioritise(priority) => {
                format!("at priority {}; the same command sets another", priority.0)
            }
            Verb::Purge => "forgotten; their files are as they were".into(),
        }
    }
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

    /// What the server must still find, or nothing is done.
    fn expect(&self) -> Option<u64> {
        match self {
            Target::Jobs(_) => None,
            Target::All { count, .. } => Some(*count),
        }
    }

    /// Without the jobs for which the verb makes no sense. Of a filter's, the server leaves them alone.
    pub(crate) fn fitting(self, verb: Verb) -> Target {
        match self {
            Target::Jobs(jobs) => Target::Jobs(jobs.into_iter().filter(|job| verb.fits(job)).collect()),
            all @ Target::All { .. } => all,
        }
    }

    /// Whether the verb makes sense for any of them.
    pub(crate) fn any(&self, verb: Verb) -> bool {
        match self {
            Target::Jobs(jobs) => jobs.iter().any(|job| verb.fits(job)),
            Target::All { .. } => true,
        }
    }
}

impl AgentRef {
    /// `fox`, or `fox/gpu1`.
    pub(crate) fn label(&self) -> String {
        match &self.device {
            Some(device) => format!("{}/{device}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Deed {
    /// How much is asked before it is done.
    pub(crate) fn level(&self) -> Level {
        match self {
            Deed::Jobs(Verb::Purge, _) | Deed::Agent(_, AgentAction::Revoke) => Level::Typed,
            Deed::Jobs(Verb::Cancel, _) => Level::Asks,
            Deed::Jobs(Verb::Retry, target) if target.count() > RETRY_UNASKED_MAX => Level::Asks,
            Deed::Agent(_, AgentAction::Drain { kill: true, .. }) | Deed::Stop(StopHow::Now) => Level::Asks,
            Deed::Jobs(..) | Deed::Agent(..) | Deed::Pause | Deed::Resume | Deed::Token | Deed::Stop(_) => {
                Level::Undoable
            }
        }
    }

    /// What must be typed at level 2: the name or the count.
    pub(crate) fn word(&self) -> String {
        match self {
            Deed::Jobs(_, target) => target.count().to_string(),
            Deed::Agent(agent, _) => agent.name.clone(),
            Deed::Pause | Deed::Resume | Deed::Token | Deed::Stop(_) => "yes".into(),
        }
    }

    /// What is sent; none for what the caller of the dashboard does after it is left.
    pub(crate) fn request(&self) -> Option<Request> {
        Some(match self {
            Deed::Jobs(verb, target) => {
                Request::Act { action: verb.action(), jobs: target.selection(), expect: target.expect() }
            }
            Deed::Agent(agent, action) => Request::OnAgent(agent.id, action.clone()),
            Deed::Pause => Request::Pause,
            Deed::Resume => Request::Resume,
            Deed::Token => Request::TokenCreate(TOKEN),
            Deed::Stop(_) => return None,
        })
    }

    /// What was done, and how to undo it with which key; none if the answer is not one to this.
    pub(crate) fn said(&self, response: &Response, key: &dyn Fn(Command) -> String) -> Option<String> {
        let (text, undo) = match (self, response) {
            (Deed::Jobs(verb, _), Response::Acted(acted)) => return Some(acted_words(*verb, acted, key)),
            (Deed::Agent(_, action), Response::Done(text)) => (text, undo_agent(action, key)),
            (Deed::Pause, Response::Done(text)) => (text, format!("; {} goes on", key(Command::Pause))),
            (Deed::Resume, Response::Done(text)) => (text, format!("; {} pauses", key(Command::Pause))),
            _ => return None,
        };
        Some(format!("{text}{undo}"))
    }
}

fn undo_agent(action: &AgentAction, key: &dyn Fn(Command) -> String) -> String {
    match action {
        AgentAction::Drain { .. } => format!("; {} takes it back", key(Command::Drain)),
        AgentAction::Undrain(_) => format!("; {} drains it again", key(Command::Drain)),
        AgentAction::Rename(_) => "; rename again to take it back".into(),
        AgentAction::Release(_) | AgentAction::SelfTest(_) | AgentAction::Revoke => String::new(),
    }
}

fn acted_words(verb: Verb, acted: &Acted, key: &dyn Fn(Command) -> String) -> String {
    let jobs = if acted.count == 1 { "1 job".to_owned() } else { format!("{} jobs", acted.count) };
    let mut words = format!("{jobs} {}", verb.done(key));
    if let Some((id, why)) = acted.left.first() {
        if acted.count == 0 {
            return format!("nothing was done; {} left alone, #{id}: {why}", acted.left.len());
        }
        words = format!("{words}; {} left alone, #{id}: {why}", acted.left.len());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_work_is_asked_and_what_cannot_be_taken_back_is_typed() {
        let all = |count| Target::All { filter: JobFilter::default(), count };
        let agent = AgentRef { id: AgentId(1), name: "dec".into(), device: None, jobs: 3 };
        let on = |action| Deed::Agent(agent.clone(), action);
        let check = |deed: Deed, level| assert_eq!(deed.level(), level, "{deed:?}");
        check(Deed::Jobs(Verb::Cancel, all(1)), Level::Asks);
        check(Deed::Jobs(Verb::Retry, all(100)), Level::Undoable);
        check(Deed::Jobs(Verb::Retry, all(101)), Level::Asks);
        check(Deed::Jobs(Verb::Hold, all(101)), Level::Undoable);
        check(Deed::Jobs(Verb::Purge, all(1)), Level::Typed);
        check(on(AgentAction::Revoke), Level::Typed);
        check(on(AgentAction::Drain { device: None, kill: true }), Level::Asks);
        check(on(AgentAction::Drain { device: None, kill: false }), Level::Undoable);
        check(Deed::Stop(StopHow::Now), Level::Asks);
        check(Deed::Stop(StopHow::Drain), Level::Undoable);
        assert_eq!(on(AgentAction::Revoke).word(), "dec");
        assert_eq!(Deed::Jobs(Verb::Purge, all(18_208)).word(), "18208");
    }
}
