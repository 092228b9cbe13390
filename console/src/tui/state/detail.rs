//! One job opened: which tab, how far scrolled, and what the server last said of it.

use vc_protocol::id::{JobId, TaskNo};
use vc_protocol::job::JobState;
use vc_protocol::operator::{AttemptView, EventView, JobDetail, Request, Response};

use super::log::{LOG_REFRESH_MS, LogView};
use super::prompt::{self, Asks};
use super::{Action, Millis, State};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;
use crate::tui::model;

/// Events of a job that are asked for: more than the life of one has.
const EVENTS: u32 = 200;

/// Tabs of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Summary,
    Log,
    Command,
    Attempts,
    Source,
    Events,
}

impl Tab {
    pub(crate) const ALL: [Tab; 6] =
        [Tab::Summary, Tab::Log, Tab::Command, Tab::Attempts, Tab::Source, Tab::Events];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Tab::Summary => "Summary",
            Tab::Log => "Log",
            Tab::Command => "Command",
            Tab::Attempts => "Attempts",
            Tab::Source => "Source",
            Tab::Events => "Events",
        }
    }

    /// The tab `by` places further, round and round.
    fn step(self, by: isize) -> Tab {
        let all = Tab::ALL.len().cast_signed();
        let at = Tab::ALL.iter().position(|t| *t == self).unwrap_or(0).cast_signed();
        Tab::ALL[(at + by).rem_euclid(all).cast_unsigned()]
    }
}

/// A question to the server and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Question {
    open: Option<RequestTag>,
    at: Millis,
    /// Revision of the table when it was asked.
    revision: u64,
    answered: bool,
}

impl Question {
    /// When to ask (again); `moves` says whether the answer may be another by then.
    fn due(&self, moves: impl Fn(u64) -> bool) -> Option<Millis> {
        if self.open.is_some() {
            return None;
        }
        match self.answered {
            false => Some(0),
            true => moves(self.revision).then_some(self.at + LOG_REFRESH_MS),
        }
    }

    fn is(&self, tag: RequestTag) -> bool {
        self.open == Some(tag)
    }

    fn close(&mut self) {
        (self.open, self.answered) = (None, true);
    }
}

/// An opened job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Detail {
    pub(crate) job: JobId,
    pub(crate) tab: Tab,
    /// Lines away from the top of a tab that is not the log.
    pub(crate) scroll: usize,
    pub(crate) log: LogView,
    /// The attempt whose log and commands are shown, if not the newest that has any.
    pub(crate) chosen: Option<(TaskNo, u32)>,
    pub(crate) data: Option<JobDetail>,
    pub(crate) events: Option<Result<Vec<EventView>, String>>,
    pub(crate) refused: Option<String>,
    asked: Question,
    asked_events: Question,
}

impl Detail {
    pub(crate) fn new(job: JobId, tab: Tab) -> Detail {
        Detail {
            job,
            tab,
            scroll: 0,
            log: LogView::default(),
            chosen: None,
            data: None,
            events: None,
            refused: None,
            asked: Question::default(),
            asked_events: Question::default(),
        }
    }

    /// Another tab, from its beginning.
    pub(crate) fn turn_to(&mut self, tab: Tab) {
        (self.tab, self.scroll) = (tab, 0);
    }

    /// Questions under way are lost.
    pub(super) fn forget_questions(&mut self) {
        self.asked.open = None;
        self.asked_events.open = None;
    }

    /// The attempt that log and command are of: the chosen one, else the newest that has something to show.
    pub(crate) fn attempt(&self) -> Option<&AttemptView> {
        let attempts = &self.data.as_ref()?.attempts;
        let chosen = self.chosen.and_then(|id| attempts.iter().find(|a| (a.task, a.no) == id));
        let telling = || attempts.iter().find(|a| !a.log.trim().is_empty() || !a.commands.is_empty());
        chosen.or_else(telling).or_else(|| attempts.first())
    }

    /// Place of that attempt among all.
    pub(crate) fn attempt_at(&self) -> usize {
        let attempts = self.data.as_ref().map_or(&[][..], |data| &data.attempts);
        let shown = self.attempt().map(|a| (a.task, a.no));
        attempts.iter().position(|a| Some((a.task, a.no)) == shown).unwrap_or(0)
    }

    /// When to ask for the job (again): its log is asked of its agent, so only while something of it is in sight.
    fn due(&self, revision: u64) -> Option<Millis> {
        let running = self.data.as_ref().is_some_and(|d| d.row.state == JobState::Running);
        let shown = match self.tab {
            Tab::Summary | Tab::Log | Tab::Command | Tab::Attempts => true,
            Tab::Source | Tab::Events => false,
        };
        self.asked.due(|asked| shown && (running || asked != revision))
    }

    fn events_due(&self, revision: u64) -> Option<Millis> {
        if self.tab == Tab::Events { self.asked_events.due(|asked| asked != revision) } else { None }
    }

    fn choose(&mut self, by: i64) {
        let Some(data) = &self.data else { return };
        let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
        let last = data.attempts.len().saturating_sub(1);
        let at = self.attempt_at().saturating_add_signed(by).min(last);
        self.chosen = data.attempts.get(at).map(|a| (a.task, a.no));
        self.log = LogView { long: self.log.long, times: self.log.times, ..LogView::default() };
        self.read_log(0);
    }

    fn read_log(&mut self, wall_ms: i64) {
        let text = self.attempt().map(|attempt| attempt.log.clone()).unwrap_or_default();
        self.log.take(&text, wall_ms);
    }
}

/// When [`fetch`] may want something by time alone.
pub(super) fn due(state: &State) -> Option<Millis> {
    let detail = state.detail.as_ref()?;
    let revision = state.revision();
    [detail.due(revision), detail.events_due(revision)].into_iter().flatten().min()
}

/// Asks for what is in sight and missing or old.
pub(super) fn fetch(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    let revision = state.revision();
    let Some(detail) = &state.detail else { return };
    let job = detail.job;
    let is_due = |due: Option<Millis>| due.is_some_and(|at| at <= now);
    let (wants_job, wants_events) = (is_due(detail.due(revision)), is_due(detail.events_due(revision)));
    let asked = |tag| Question { open: Some(tag), at: now, revision, answered: false };
    if wants_job {
        let tag = state.send(Request::Log(job), out);
        if let Some(detail) = &mut state.detail {
            detail.asked = asked(tag);
        }
    }
    if wants_events {
        let tag = state.send(Request::Events { before: None, job: Some(job), limit: EVENTS }, out);
        if let Some(detail) = &mut state.detail {
            detail.asked_events = asked(tag);
        }
    }
}

/// Takes the answer to a question about the opened job; gives back what is not for it.
pub(super) fn answer(
    state: &mut State,
    now: Millis,
    tag: RequestTag,
    response: Response,
) -> Option<Response> {
    let wall_ms = state.wall_ms(now);
    let Some(detail) = &mut state.detail else { return Some(response) };
    if detail.asked.is(tag) {
        detail.asked.close();
        if let Response::Detail(data) = response {
            (detail.data, detail.refused) = (Some(*data), None);
            detail.read_log(wall_ms);
        } else {
            detail.refused = Some(super::on_reply::refusal(response));
        }
    } else if detail.asked_events.is(tag) {
        detail.asked_events.close();
        detail.events = Some(if let Response::Events(events) = response {
            Ok(events)
        } else {
            Err(super::on_reply::refusal(response))
        });
    } else {
        return Some(response);
    }
    state.dirty = true;
    None
}

/// Moves what the open tab shows by lines.
pub(super) fn scroll(state: &mut State, by: i64) {
    let max = model::detail_scroll_max(state);
    let Some(detail) = &mut state.detail else { return };
    match detail.tab {
        Tab::Log => detail.log.scroll(by, max),
        Tab::Attempts => detail.choose(by),
        Tab::Summary | Tab::Command | Tab::Source | Tab::Events => {
            let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
            detail.scroll = detail.scroll.min(max).saturating_add_signed(by).min(max);
        }
    }
}

/// Carries out what is an opened job's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, _now: Millis, command: Command, _out: &mut Vec<Action>) -> bool {
    let last = model::detail_scroll_max(state);
    let Some(detail) = &mut state.detail else { return false };
    match command {
        Command::PrevTab | Command::PrevPane => detail.turn_to(detail.tab.step(-1)),
        Command::NextTab | Command::NextPane => detail.turn_to(detail.tab.step(1)),
        Command::Follow => detail.log.follow(last),
        Command::Wrap => detail.log.fold(),
        Command::Times => detail.log.times = !detail.log.times,
        Command::ScrollLeft => sideways(detail, -1),
        Command::ScrollRight => sideways(detail, 1),
        Command::Filter => {
            let text = detail.log.find.clone();
            detail.turn_to(Tab::Log);
            prompt::open(state, Asks::Find, text);
        }
        Command::NextHit => detail.log.next_hit(1),
        Command::PrevHit => detail.log.next_hit(-1),
        Command::Open | Command::Log => detail.turn_to(Tab::Log),
        // The search is closed before its log is.
        Command::Back if detail.tab == Tab::Log && !detail.log.find.is_empty() => {
            (detail.log.find, detail.log.hit) = (String::new(), None);
        }
        _ => return false,
    }
    true
}

/// Long lines of a log move; other tabs turn.
fn sideways(detail: &mut Detail, by: isize) {
    if detail.tab == Tab::Log {
        detail.log.sideways(by);
    } else {
        detail.turn_to(detail.tab.step(by));
    }
}

/// Why a command does nothing here now; none if it works or is not an opened job's.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn refusal(state: &State, command: Command) -> Option<&'static str> {
    let detail = state.detail.as_ref()?;
    match command {
        Command::NextHit | Command::PrevHit if detail.log.find.is_empty() => {
            Some("nothing is searched for: / finds")
        }
        Command::NextHit | Command::PrevHit if detail.log.hits().next().is_none() => Some("not found"),
        Command::Filter if detail.log.lines.is_empty() => Some("nothing was logged yet"),
        _ => None,
    }
}
