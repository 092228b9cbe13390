//! The Agents screen: the order of its rows, the cursor that follows its agent, and what its keys do.
//!
//! An opened agent lies over it and is `agent`'s; what both have in common is told apart here.

use std::cmp::Ordering;

use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::operator::{AgentState, AgentView, Response, RunView, Snapshot};

use super::agent::{self, AgentRow};
use super::{Action, Millis, State, shift};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;
use crate::tui::model;

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AgentSort {
    #[default]
    Name,
    /// What needs a person first.
    State,
    /// Slowest answer first.
    Rtt,
    /// Most at work first; likewise the others.
    Jobs,
    Speed,
    Completed,
    Failed,
    /// The certificate that ends next first.
    Cert,
}

impl AgentSort {
    pub(crate) const ALL: [AgentSort; 8] = [
        Self::Name,
        Self::State,
        Self::Rtt,
        Self::Jobs,
        Self::Speed,
        Self::Completed,
        Self::Failed,
        Self::Cert,
    ];

    /// The word in the title.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Rtt => "round trip",
            Self::Jobs => "jobs",
            Self::Speed => "speed",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cert => "certificate",
        }
    }

    /// The column `by` places further, around the ends.
    pub(crate) fn step(self, by: isize) -> AgentSort {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        let count = Self::ALL.len();
        Self::ALL[(at + count).saturating_add_signed(by) % count]
    }

    fn compare(self, a: &AgentView, b: &AgentView) -> Ordering {
        match self {
            Self::Name => Ordering::Equal,
            Self::State => urgency(b.state).cmp(&urgency(a.state)),
            Self::Rtt => b.rtt_us.cmp(&a.rtt_us),
            Self::Jobs => runs(b).count().cmp(&runs(a).count()),
            Self::Speed => speed(b).total_cmp(&speed(a)),
            Self::Completed => b.completed.cmp(&a.completed),
            Self::Failed => b.failed.cmp(&a.failed),
            Self::Cert => a.cert_ends_ms.unwrap_or(i64::MAX).cmp(&b.cert_ends_ms.unwrap_or(i64::MAX)),
        }
    }
}

fn urgency(state: AgentState) -> u8 {
    match state {
        AgentState::Offline => 3,
        AgentState::Suspect => 2,
        AgentState::Draining => 1,
        AgentState::Ok => 0,
    }
}

/// Everything that an agent runs.
pub(crate) fn runs(agent: &AgentView) -> impl Iterator<Item = &RunView> {
    agent.devices.iter().flat_map(|device| &device.runs)
}

/// Sum of its slots' speeds.
pub(crate) fn speed(agent: &AgentView) -> f32 {
    runs(agent).map(|run| run.progress.speed).sum()
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Agents {
    pub(crate) sort: AgentSort,
    pub(crate) reversed: bool,
    /// The agent under the cursor, which it follows.
    pub(crate) selected: Option<AgentId>,
    /// Where it was seen last: the cursor stays there when the agent goes away.
    pub(crate) at: usize,
    /// Columns scrolled away at the left.
    pub(crate) column: usize,
    /// The order in which they stand.
    order: Vec<AgentId>,
}

impl Agents {
    /// The rows as they stand.
    pub(crate) fn rows<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a AgentView> {
        let find = |id: &AgentId| snapshot.agents.iter().find(|agent| agent.id == *id);
        self.order.iter().filter_map(find).collect()
    }

    pub(crate) fn move_to(&mut self, at: usize) {
        self.at = at.min(self.order.len().saturating_sub(1));
        self.selected = self.order.get(self.at).copied();
    }

    /// Puts the cursor on an agent.
    pub(super) fn select(&mut self, id: AgentId) {
        if let Some(at) = self.order.iter().position(|known| *known == id) {
            self.move_to(at);
        }
    }

    /// Sorts by another column.
    pub(crate) fn sort_by(&mut self, snapshot: &Snapshot, sort: AgentSort, reversed: bool) {
        (self.sort, self.reversed) = (sort, reversed);
        self.follow(snapshot, true);
    }

    /// After a new snapshot. While `calm` is false somebody is choosing a row, so none of them moves.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot, calm: bool) {
        let mut sorted: Vec<&AgentView> = snapshot.agents.iter().collect();
        sorted.sort_by(|a, b| {
            let by = self.sort.compare(a, b).then_with(|| a.name.cmp(&b.name)).then(a.id.cmp(&b.id));
            if self.reversed { by.reverse() } else { by }
        });
        let sorted = sorted.into_iter().map(|agent| agent.id);
        if calm {
            self.order = sorted.collect();
        } else {
            let old = std::mem::take(&mut self.order);
            let (mut stay, new): (Vec<AgentId>, Vec<AgentId>) = sorted.partition(|id| old.contains(id));
            stay.sort_by_key(|id| old.iter().position(|known| known == id));
            stay.extend(new);
            self.order = stay;
        }
        let found = self.selected.and_then(|id| self.order.iter().position(|known| *known == id));
        self.move_to(found.unwrap_or(self.at));
    }
}

/// Carries out what is this screen's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, now: Millis, command: Command, out: &mut Vec<Action>) -> bool {
    if state.agent.is_some() {
        return agent::run(state, now, command, out);
    }
    let Some(snapshot) = &state.snapshot else { return false };
    let list = &mut state.agents;
    match command {
        Command::ScrollLeft => list.column = list.column.saturating_sub(1),
        Command::ScrollRight => {
            let last = model::column_max(state);
            state.agents.column = (state.agents.column + 1).min(last);
        }
        Command::SortBefore => list.sort_by(snapshot, list.sort.step(-1), list.reversed),
        Command::SortNext => list.sort_by(snapshot, list.sort.step(1), list.reversed),
        Command::Invert => list.sort_by(snapshot, list.sort, !list.reversed),
        Command::Open => {
            if let Some(id) = list.selected {
                agent::open(state, id, None);
            }
        }
        Command::Log => {
            if let Some(id) = list.selected {
                agent::open(state, id, None);
                agent::show_log(state);
            }
        }
        _ => return false,
    }
    true
}

/// Why a command does nothing here now; none if it works or is not this screen's.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn refusal(state: &State, command: Command) -> Option<&'static str> {
    if state.agent.is_some() {
        return agent::refusal(state, command);
    }
    let selected = || selected(state).is_some();
    match command {
        Command::Open | Command::Log => (!selected()).then_some("no agent is selected"),
        Command::Drain => (!selected()).then_some("no agent is selected"),
        _ => None,
    }
}

/// Moves the cursor by rows.
pub(super) fn scroll(state: &mut State, by: i64) {
    if state.agent.is_some() {
        return agent::scroll(state, by);
    }
    let list = &mut state.agents;
    list.move_to(shift(list.at, by, usize::MAX));
}

/// After a new snapshot.
pub(super) fn hear(state: &mut State, now: Millis) {
    let Some(snapshot) = &state.snapshot else { return };
    let calm = now >= state.calm_at() || state.agents.order.is_empty();
    state.agents.follow(snapshot, calm);
    if let Some(open) = &mut state.agent {
        open.hear(snapshot);
    }
}

/// Asks for what is in sight and missing or old.
pub(super) fn fetch(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    agent::fetch(state, now, out);
}

/// When [`fetch`] may want something by time alone.
pub(super) fn due(state: &State, _now: Millis) -> Option<Millis> {
    state.agent.as_ref()?.due(state.heard)
}

/// Takes the answer to a question of this screen; gives back what is not for it.
pub(super) fn answer(
    state: &mut State,
    _now: Millis,
    tag: RequestTag,
    response: Response,
) -> Option<Response> {
    agent::answer(state, tag, response)
}

/// The agent under the cursor or open.
pub(super) fn selected(state: &State) -> Option<AgentId> {
    state.agent.as_ref().map_or(state.agents.selected, |open| Some(open.id))
}

/// The device under the cursor of an opened agent.
pub(super) fn selected_device(state: &State) -> Option<DeviceId> {
    match state.agent.as_ref()?.selected? {
        AgentRow::Device(id) => Some(id),
        AgentRow::Job(_) => None,
    }
}

/// The job under the cursor of an opened agent.
pub(super) fn selected_job(state: &State) -> Option<JobId> {
    match state.agent.as_ref().filter(|open| open.log.is_none())?.selected? {
        AgentRow::Job(id) => Some(id),
        AgentRow::Device(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farm(agents: &[(u32, &str, u64)]) -> Snapshot {
        let view = |(id, name, completed): &(u32, &str, u64)| AgentView {
            id: AgentId(*id),
            name: (*name).to_owned(),
            completed: *completed,
            ..AgentView::default()
        };
        Snapshot { agents: agents.iter().map(view).collect(), ..Snapshot::default() }
    }

    fn names(list: &Agents, snapshot: &Snapshot) -> String {
        list.rows(snapshot).iter().map(|agent| agent.name.as_str()).collect()
    }

    #[test]
    fn the_cursor_follows_its_agent_through_every_order() {
        let snapshot = farm(&[(1, "a", 5), (2, "b", 9), (3, "c", 7)]);
        let mut list = Agents::default();
        list.follow(&snapshot, true);
        list.move_to(1);
        assert_eq!(names(&list, &snapshot), "abc");
        list.sort_by(&snapshot, AgentSort::Completed, false);
        assert_eq!((names(&list, &snapshot).as_str(), list.at), ("bca", 0));
        list.sort_by(&snapshot, AgentSort::Completed, true);
        assert_eq!((names(&list, &snapshot).as_str(), list.at), ("acb", 2));
        let fewer = farm(&[(1, "a", 5), (3, "c", 7)]);
        list.follow(&fewer, true);
        assert_eq!(list.selected, Some(AgentId(3)), "the cursor stays near where its row was");
    }

    #[test]
    fn no_row_moves_while_somebody_chooses() {
        let mut list = Agents::default();
        list.sort_by(&farm(&[(1, "a", 5), (2, "b", 9)]), AgentSort::Completed, false);
        let later = farm(&[(1, "a", 50), (2, "b", 9), (4, "d", 99)]);
        list.follow(&later, false);
        assert_eq!(names(&list, &later), "bad", "a new one goes last");
        list.follow(&later, true);
        assert_eq!(names(&list, &later), "dab");
    }

    #[test]
    fn columns_are_stepped_through_in_a_ring() {
        assert_eq!(AgentSort::Name.step(-1), AgentSort::Cert);
        assert_eq!(AgentSort::Cert.step(1), AgentSort::Name);
        assert_eq!(AgentSort::Name.step(1), AgentSort::State);
    }
}
