//! The Events screen: the events held here, newest first and without a gap, the cursor that follows its event, and
//! what its keys do.

use vc_protocol::id::JobId;
use vc_protocol::operator::{EventView, Request, Response};

use super::detail::{Detail, Tab};
use super::prompt::{self, Asks};
use super::{Action, Millis, State, agent, on_reply, shift};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;
use crate::tui::model;

/// Events asked for at once.
pub(crate) const PAGE: u32 = 200;
/// Most events held: some megabytes. What is older is for the command line.
pub(crate) const HELD_MAX: usize = 20_000;
/// Least time between two questions for new ones.
const REFETCH_MS: Millis = 500;

/// Which events a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Newest,
    Before(u64),
}

/// A question under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) tag: RequestTag,
    pub(crate) wanted: Wanted,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Events {
    /// Newest first.
    pub(crate) held: Vec<EventView>,
    /// The oldest one that is kept at the server is here.
    pub(crate) whole: bool,
    /// Only those that contain this, without regard to case.
    pub(crate) filter: String,
    /// Positions of those that fit the filter.
    fitting: Vec<usize>,
    /// Position of the cursor among them.
    pub(crate) at: usize,
    /// Columns scrolled away at the left.
    pub(crate) column: usize,
    /// The event under the cursor, which it follows; none at the top, where it follows new ones.
    selected: Option<u64>,
    pub(crate) asked: Option<Asked>,
    pub(crate) refused: Option<String>,
    asked_at: Millis,
    /// The newest one heard of.
    newest: u64,
}

impl Events {
    /// How many fit the filter, of those held.
    pub(crate) fn count(&self) -> usize {
        self.fitting.len()
    }

    /// The event in this row.
    pub(crate) fn get(&self, at: usize) -> Option<&EventView> {
        self.held.get(*self.fitting.get(at)?)
    }

    /// The event under the cursor.
    pub(crate) fn row(&self) -> Option<&EventView> {
        self.get(self.at)
    }

    /// After what is held or the filter changed.
    fn refit(&mut self) {
        let needle = self.filter.to_lowercase();
        let fits = |event: &EventView| needle.is_empty() || words(event).contains(&needle);
        let all = self.held.iter().enumerate();
        self.fitting = all.filter(|(_, event)| fits(event)).map(|(at, _)| at).collect();
    }

    /// New ones come in under the cursor's hand, so it stays at the top.
    pub(crate) fn follows(&self) -> bool {
        self.selected.is_none()
    }

    pub(crate) fn move_to(&mut self, at: usize) {
        self.at = at.min(self.count().saturating_sub(1));
        self.selected = self.row().map(|event| event.no).filter(|_| self.at > 0);
    }

    pub(crate) fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.refit();
        self.move_to(0);
    }

    /// The last events of a snapshot, newest first: shown at once when they join what is held.
    pub(crate) fn hear(&mut self, recent: &[EventView]) {
        self.newest = recent.first().map_or(0, |event| event.no).max(self.newest);
        let joins = recent.last().is_some_and(|oldest| self.held.first().is_some_and(|h| oldest.no <= h.no));
        if joins {
            self.merge(recent.to_vec());
        }
    }

    /// Takes an answer.
    pub(crate) fn take(&mut self, wanted: Wanted, page: Vec<EventView>) {
        self.refused = None;
        match wanted {
            Wanted::Before(_) => {
                let oldest = self.held.last().map_or(u64::MAX, |event| event.no);
                let before = self.held.len();
                self.held.extend(page.into_iter().filter(|event| event.no < oldest));
                // Pages are also cut by size, so only one that brings nothing is the last.
                self.whole = self.held.len() == before;
            }
            Wanted::Newest => {
                let joins =
                    self.held.is_empty() || page.last().is_some_and(|oldest| oldest.no <= self.held[0].no);
                self.newest = page.first().map_or(self.newest, |event| event.no);
                if joins {
                    self.whole |= page.is_empty();
                    self.merge(page);
                } else {
                    // More happened than one page holds: begin anew from the top.
                    (self.held, self.whole) = (page, false);
                }
            }
        }
        self.refit();
        self.follow();
    }

    /// Puts newer ones in front.
    fn merge(&mut self, mut newer: Vec<EventView>) {
        let known = self.held.first().map_or(0, |event| event.no);
        if !self.held.is_empty() {
            newer.retain(|event| event.no > known);
        }
        self.held.splice(0..0, newer);
        if self.held.len() > HELD_MAX {
            self.held.truncate(HELD_MAX);
            self.whole = false;
        }
        self.refit();
        self.follow();
    }

    fn follow(&mut self) {
        let found = self.selected.and_then(|no| self.fitting.iter().position(|at| self.held[*at].no <= no));
        self.move_to(if self.selected.is_none() { 0 } else { found.unwrap_or(self.at) });
    }

    /// What to ask for, if something in sight is missing or newer ones are known of. `height` is the number of rows in
    /// sight.
    pub(crate) fn wanted(&self, height: usize, now: Millis) -> Option<Wanted> {
        if self.asked.is_some() {
            return None;
        }
        if self.held.is_empty() && !self.whole {
            return self.refused.is_none().then_some(Wanted::Newest);
        }
        let known = self.held.first().map_or(0, |event| event.no);
        if self.newest > known {
            return (now >= self.asked_at + REFETCH_MS).then_some(Wanted::Newest);
        }
        let below = self.count().saturating_sub(self.at);
        let short = below <= height && !self.whole && self.held.len() < HELD_MAX;
        let oldest = self.held.last().map(|event| event.no).filter(|no| *no > 0 && short);
        oldest.filter(|_| self.refused.is_none()).map(Wanted::Before)
    }

    /// When [`Events::wanted`] changes its mind by time alone.
    pub(crate) fn due(&self) -> Option<Millis> {
        let known = self.held.first().map_or(0, |event| event.no);
        (self.asked.is_none() && !self.held.is_empty() && self.newest > known)
            .then_some(self.asked_at + REFETCH_MS)
    }

    pub(crate) fn ask(&mut self, asked: Asked, now: Millis) {
        (self.asked, self.asked_at) = (Some(asked), now);
    }
}

/// All that a filter looks at.
fn words(event: &EventView) -> String {
    let job = event.job.map(|id| format!("#{id}")).unwrap_or_default();
    format!("{} {} {} {job} {}", event.text, event.who, event.agent, event.file.shown()).to_lowercase()
}

/// Carries out what is this screen's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, _now: Millis, command: Command, _out: &mut Vec<Action>) -> bool {
    match command {
        Command::ScrollLeft => state.events.column = state.events.column.saturating_sub(1),
        Command::ScrollRight => {
            let last = model::column_max(state);
            state.events.column = (state.events.column + 1).min(last);
        }
        Command::Open => open(state),
        Command::Log => {
            if let Some(job) = selected_job(state) {
                state.detail = Some(Detail::new(job, Tab::Log));
            }
        }
        Command::Filter => {
            let text = state.events.filter.clone();
            prompt::open(state, Asks::Events, text);
        }
        Command::Back if !state.events.filter.is_empty() => state.events.set_filter(String::new()),
        _ => return false,
    }
    true
}

/// Opens what the event under the cursor is about: its job, else its agent.
fn open(state: &mut State) {
    if let Some(job) = selected_job(state) {
        state.detail = Some(Detail::new(job, Tab::Summary));
    } else if let Some(id) = selected_agent(state) {
        agent::open(state, id, None);
    }
}

/// Why a command does nothing here now; none if it works or is not this screen's.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn refusal(state: &State, command: Command) -> Option<&'static str> {
    match command {
        Command::Open if selected_job(state).is_none() && selected_agent(state).is_none() => {
            Some("nothing to open here: it is about no job and no agent")
        }
        Command::Log if selected_job(state).is_none() => Some("it is about no job"),
        _ => None,
    }
}

/// Moves the cursor by rows.
pub(super) fn scroll(state: &mut State, by: i64) {
    let at = shift(state.events.at, by, usize::MAX);
    state.events.move_to(at);
}

/// After a new snapshot.
pub(super) fn hear(state: &mut State) {
    if let Some(snapshot) = &state.snapshot {
        state.events.hear(&snapshot.recent);
    }
}

/// Asks for what is in sight and missing or old.
pub(super) fn fetch(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    let Some(wanted) = state.events.wanted(usize::from(state.size.height), now) else { return };
    let before = match wanted {
        Wanted::Newest => None,
        Wanted::Before(no) => Some(no),
    };
    let tag = state.send(Request::Events { before, job: None, limit: PAGE }, out);
    state.events.ask(Asked { tag, wanted }, now);
}

/// When [`fetch`] may want something by time alone.
pub(super) fn due(state: &State, _now: Millis) -> Option<Millis> {
    state.events.due()
}

/// Takes the answer to a question of this screen; gives back what is not for it.
pub(super) fn answer(
    state: &mut State,
    _now: Millis,
    tag: RequestTag,
    response: Response,
) -> Option<Response> {
    let Some(asked) = state.events.asked.take_if(|asked| asked.tag == tag) else { return Some(response) };
    if let Response::Events(page) = response {
        state.events.take(asked.wanted, page);
    } else {
        state.events.refused = Some(on_reply::refusal(response));
    }
    state.dirty = true;
    None
}

/// The job that the event under the cursor is about.
pub(super) fn selected_job(state: &State) -> Option<JobId> {
    state.events.row()?.job
}

/// The agent that it is about, if it is still known by that name.
fn selected_agent(state: &State) -> Option<vc_protocol::id::AgentId> {
    let name = &state.events.row()?.agent;
    state.snapshot.as_ref()?.agents.iter().find(|agent| agent.name == *name).map(|agent| agent.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(numbers: impl IntoIterator<Item = u64>) -> Vec<EventView> {
        let event = |no| EventView { no, text: format!("thing {}", no % 10), ..EventView::default() };
        numbers.into_iter().map(event).collect()
    }

    fn numbers(list: &Events) -> Vec<u64> {
        list.held.iter().map(|event| event.no).collect()
    }

    #[test]
    fn new_ones_come_in_at_the_top_and_the_cursor_stays_on_its_event() {
        let mut list = Events::default();
        assert_eq!(list.wanted(5, 0), Some(Wanted::Newest));
        list.take(Wanted::Newest, events((1..=20).rev()));
        list.hear(&events((18..=22).rev()));
        assert_eq!((list.row().map(|e| e.no), list.follows()), (Some(22), true));
        list.move_to(3);
        list.hear(&events((21..=25).rev()));
        assert_eq!((list.row().map(|e| e.no), list.at), (Some(19), 6));
        assert_eq!(numbers(&list)[..3], [25, 24, 23]);
    }

    #[test]
    fn a_gap_is_never_shown_as_if_nothing_happened() {
        let mut list = Events::default();
        list.take(Wanted::Newest, events((1..=20).rev()));
        list.hear(&events((500..=512).rev()));
        assert_eq!(list.wanted(5, 600), Some(Wanted::Newest));
        list.take(Wanted::Newest, events((313..=512).rev()));
        assert_eq!((list.held.len(), list.whole), (200, false));
    }

    #[test]
    fn older_ones_are_asked_for_near_the_end_until_there_are_none() {
        let mut list = Events::default();
        list.take(Wanted::Newest, events((101..=120).rev()));
        assert_eq!(list.wanted(5, 0), None);
        list.move_to(17);
        assert_eq!(list.wanted(5, 0), Some(Wanted::Before(101)));
        list.take(Wanted::Before(101), events((99..=100).rev()));
        assert_eq!((numbers(&list).len(), list.at), (22, 17));
        list.take(Wanted::Before(99), vec![]);
        assert_eq!(list.wanted(50, 0), None);
    }

    #[test]
    fn a_filter_looks_further_back_for_what_fits() {
        let mut list = Events::default();
        list.take(Wanted::Newest, events((101..=200).rev()));
        list.set_filter("THING 7".into());
        assert_eq!(list.count(), 10);
        assert_eq!(list.row().map(|e| e.no), Some(197));
        assert_eq!(list.wanted(20, 0), Some(Wanted::Before(101)));
    }
}
