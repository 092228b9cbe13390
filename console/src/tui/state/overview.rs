//! The overview: which rows the tree has, in which order, what is folded, which pane has the cursor.
//!
//! Knows agents, devices and jobs by their numbers only, so that the cursor stays with them whatever happens around
//! it. What the rows say is the model's.

mod etas;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::operator::{AgentView, DeviceView, RunView, Snapshot};

use super::detail::{Detail, Tab};
use super::{Action, Millis, State, first, needs};
use crate::tui::keys::Command;

pub(crate) use etas::Etas;
pub(crate) use order::{TreeSort, TreeSortBy};

/// Names a row whatever happens around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Agent(AgentId),
    Device(AgentId, DeviceId),
    Run(JobId),
}

/// A row with what it shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    Agent(&'a AgentView),
    Device(&'a AgentView, &'a DeviceView),
    Run(&'a AgentView, &'a DeviceView, &'a RunView),
}

impl Row<'_> {
    pub(crate) fn node(&self) -> Node {
        match self {
            Row::Agent(agent) => Node::Agent(agent.id),
            Row::Device(agent, device) => Node::Device(agent.id, device.id),
            Row::Run(_, _, run) => Node::Run(run.attempt.job),
        }
    }
}

/// How the running jobs are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shape {
    /// Below their agents and devices.
    #[default]
    Tree,
    /// One below the other.
    Flat,
}

/// Parts of the screen that the cursor can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pane {
    #[default]
    Slots,
    Needs,
    Recent,
}

impl Pane {
    const ALL: [Pane; 3] = [Pane::Slots, Pane::Needs, Pane::Recent];

    fn step(self, by: isize) -> Pane {
        let all = Pane::ALL.len().cast_signed();
        let at = Pane::ALL.iter().position(|p| *p == self).unwrap_or(0).cast_signed();
        Pane::ALL[(at + by).rem_euclid(all).cast_unsigned()]
    }
}

/// Where the cursor is and what is folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Overview {
    pub(crate) selected: Option<Node>,
    /// Where the selected row was seen last: the cursor stays there when the row goes away.
    pub(crate) at: usize,
    pub(crate) folded: BTreeSet<Node>,
    pub(crate) shape: Shape,
    pub(crate) sort: TreeSort,
    pub(crate) pane: Pane,
    /// The pane has the whole screen.
    pub(crate) expanded: bool,
    /// Row of the cursor among what needs a person.
    pub(crate) need: usize,
    /// Row of the cursor among the last events.
    pub(crate) event: usize,
    pub(crate) etas: Etas,
    /// Places of agents and jobs as they were sorted last; empty for the server's order.
    places: BTreeMap<Node, usize>,
}

impl Overview {
    /// The rows in sight of the fold state.
    pub(crate) fn rows<'a>(&self, snapshot: &'a Snapshot) -> Vec<Row<'a>> {
        let mut agents: Vec<&AgentView> = snapshot.agents.iter().collect();
        let place = |node: Node| self.places.get(&node).copied().unwrap_or(usize::MAX);
        if self.shape == Shape::Flat {
            let mut rows: Vec<Row<'_>> = runs(snapshot).map(|(a, d, r)| Row::Run(a, d, r)).collect();
            rows.sort_by_key(|row| place(row.node()));
            return rows;
        }
        agents.sort_by_key(|agent| place(Node::Agent(agent.id)));
        let mut rows = Vec::new();
        for agent in agents {
            rows.push(Row::Agent(agent));
            if self.folded.contains(&Node::Agent(agent.id)) {
                continue;
            }
            for device in &agent.devices {
                rows.push(Row::Device(agent, device));
                if !self.folded.contains(&Node::Device(agent.id, device.id)) {
                    rows.extend(device.runs.iter().map(|run| Row::Run(agent, device, run)));
                }
            }
        }
        rows
    }

    /// Moves the cursor to a row, or to the last one.
    pub(crate) fn move_to(&mut self, snapshot: &Snapshot, at: usize) {
        let rows = self.rows(snapshot);
        self.at = at.min(rows.len().saturating_sub(1));
        self.selected = rows.get(self.at).map(Row::node);
    }

    /// Takes a newer picture of the farm. `calm`: no key was pressed for a while, so rows may change places.
    pub(crate) fn take(&mut self, snapshot: &Snapshot, calm: bool) {
        self.etas.take(snapshot);
        if calm {
            self.places = order::places(snapshot, self.shape, self.sort);
        }
        self.follow(snapshot);
    }

    /// Sorts anew, because that was asked for.
    fn sort_now(&mut self, snapshot: &Snapshot) {
        self.places = order::places(snapshot, self.shape, self.sort);
        self.follow(snapshot);
    }

    /// After a new snapshot or a fold: finds the selected row again.
    fn follow(&mut self, snapshot: &Snapshot) {
        let rows = self.rows(snapshot);
        let found = self.selected.and_then(|node| rows.iter().position(|r| r.node() == node));
        self.move_to(snapshot, found.unwrap_or(self.at));
        self.need = self.need.min(snapshot.needs.len().saturating_sub(1));
        self.event = self.event.min(snapshot.recent.len().saturating_sub(1));
    }

    /// Folds the selected row, or what it belongs to.
    pub(crate) fn fold(&mut self, snapshot: &Snapshot) {
        if self.shape == Shape::Flat {
            return;
        }
        let node = match self.rows(snapshot).get(self.at) {
            Some(Row::Device(agent, device)) if self.folded.contains(&Node::Device(agent.id, device.id)) => {
                Node::Agent(agent.id)
            }
            Some(Row::Run(agent, device, _)) => Node::Device(agent.id, device.id),
            Some(row @ (Row::Agent(_) | Row::Device(..))) => row.node(),
            None => return,
        };
        self.folded.insert(node);
        self.selected = Some(node);
        self.follow(snapshot);
    }

    /// Unfolds the selected row.
    pub(crate) fn unfold(&mut self, snapshot: &Snapshot) {
        if let Some(node) = self.selected {
            self.folded.remove(&node);
            self.follow(snapshot);
        }
    }

    /// The selected row of the tree, when the cursor is in it.
    pub(crate) fn node(&self) -> Option<Node> {
        self.selected.filter(|_| self.pane == Pane::Slots)
    }

    /// The job under the cursor: running, the only one of what needs a person, or of an event.
    pub(crate) fn job(&self, snapshot: &Snapshot) -> Option<JobId> {
        match self.pane {
            Pane::Slots => match self.selected? {
                Node::Run(job) => Some(job),
                Node::Agent(_) | Node::Device(..) => None,
            },
            Pane::Needs => match snapshot.needs.get(self.need)?.jobs[..] {
                [job] => Some(job),
                _ => None,
            },
            Pane::Recent => snapshot.recent.get(self.event)?.job,
        }
    }

    /// Agent and device under the cursor.
    pub(crate) fn agent(&self, snapshot: &Snapshot) -> Option<(AgentId, Option<DeviceId>)> {
        match self.pane {
            Pane::Slots => match self.selected? {
                Node::Agent(agent) => Some((agent, None)),
                Node::Device(agent, device) => Some((agent, Some(device))),
                Node::Run(_) => None,
            },
            Pane::Needs => Some((snapshot.needs.get(self.need)?.agent?, None)),
            Pane::Recent => None,
        }
    }

    /// Moves the cursor by rows in the pane that has it.
    pub(crate) fn scroll(&mut self, snapshot: &Snapshot, by: i64) {
        let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
        let step = |at: usize, len: usize| at.saturating_add_signed(by).min(len.saturating_sub(1));
        match self.pane {
            Pane::Slots => self.move_to(snapshot, self.at.saturating_add_signed(by)),
            Pane::Needs => self.need = step(self.need, snapshot.needs.len()),
            Pane::Recent => self.event = step(self.event, snapshot.recent.len()),
        }
    }

    /// The next pane in which there is something.
    fn turn(&mut self, snapshot: &Snapshot, by: isize) {
        let empty = |pane: Pane| match pane {
            Pane::Slots => false,
            Pane::Needs => snapshot.needs.is_empty(),
            Pane::Recent => snapshot.recent.is_empty(),
        };
        self.pane = self.pane.step(by);
        while empty(self.pane) {
            self.pane = self.pane.step(by);
        }
    }

    /// The next thing that needs a person, round and round.
    pub(super) fn next_need(&mut self, snapshot: &Snapshot, by: isize) {
        let all = snapshot.needs.len();
        if all == 0 {
            return;
        }
        let first = if by < 0 { all - 1 } else { 0 };
        self.need = match self.pane {
            Pane::Needs => (self.need + all).saturating_add_signed(by) % all,
            Pane::Slots | Pane::Recent => first,
        };
        self.pane = Pane::Needs;
    }
}

/// Every running job with where it runs, in the server's order.
pub(crate) fn runs(snapshot: &Snapshot) -> impl Iterator<Item = (&AgentView, &DeviceView, &RunView)> {
    let devices = snapshot.agents.iter().flat_map(|a| a.devices.iter().map(move |d| (a, d)));
    devices.flat_map(|(a, d)| d.runs.iter().map(move |r| (a, d, r)))
}

/// Carries out what is this screen's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, now: Millis, command: Command, out: &mut Vec<Action>) -> bool {
    match command {
        Command::LocalAgent => first::start(state, now, out),
        Command::Fold => change(state, Overview::fold),
        Command::Unfold => change(state, Overview::unfold),
        Command::NextPane => change(state, |o, s| o.turn(s, 1)),
        Command::PrevPane => change(state, |o, s| o.turn(s, -1)),
        Command::NextHit => change(state, |o, s| o.next_need(s, 1)),
        Command::PrevHit => change(state, |o, s| o.next_need(s, -1)),
        Command::Expand => state.overview.expanded = !state.overview.expanded,
        Command::Tree => change(state, |o, s| {
            o.shape = if o.shape == Shape::Tree { Shape::Flat } else { Shape::Tree };
            o.sort_now(s);
        }),
        Command::SortBefore => change(state, |o, s| o.sort_by(s, o.sort.step(-1))),
        Command::SortNext => change(state, |o, s| o.sort_by(s, o.sort.step(1))),
        Command::Invert => change(state, |o, s| o.sort_by(s, o.sort.inverted())),
        Command::Open => return open(state),
        Command::Back if state.overview.expanded => state.overview.expanded = false,
        Command::Back => state.overview.pane = Pane::Slots,
        _ => return false,
    }
    true
}

impl Overview {
    pub(super) fn sort_by(&mut self, snapshot: &Snapshot, sort: TreeSort) {
        self.sort = sort;
        self.sort_now(snapshot);
    }
}

fn change(state: &mut State, change: impl Fn(&mut Overview, &Snapshot)) {
    if let Some(snapshot) = &state.snapshot {
        change(&mut state.overview, snapshot);
    }
}

/// Opens a job, folds or unfolds what holds jobs, goes to what a need is about. False: the common way.
fn open(state: &mut State) -> bool {
    let Some(snapshot) = &state.snapshot else { return true };
    if let Some(job) = state.overview.job(snapshot) {
        state.detail = Some(Detail::new(job, Tab::Summary));
        return true;
    }
    match (state.overview.pane, state.overview.node()) {
        (Pane::Slots, Some(node)) => {
            let folded = state.overview.folded.contains(&node);
            change(state, if folded { Overview::unfold } else { Overview::fold });
        }
        (Pane::Needs, _) => {
            let Some(need) = snapshot.needs.get(state.overview.need) else { return true };
            let target = needs::target(need, snapshot);
            needs::go(state, target);
        }
        (Pane::Slots, None) | (Pane::Recent, _) => {}
    }
    true
}

/// Why a command does nothing here now; none if it works or is not this screen's.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn refusal(state: &State, command: Command) -> Option<&'static str> {
    let snapshot = state.snapshot.as_ref()?;
    let overview = &state.overview;
    match command {
        Command::NextHit | Command::PrevHit if snapshot.needs.is_empty() => Some("nothing needs you"),
        Command::Fold | Command::Unfold if overview.shape == Shape::Flat => {
            Some("a flat list does not fold; t shows the tree")
        }
        Command::Open if overview.pane == Pane::Slots && overview.selected.is_none() => {
            Some("nothing is selected")
        }
        Command::Open if overview.pane == Pane::Recent && overview.job(snapshot).is_none() => {
            Some("no job belongs to this event")
        }
        Command::LocalAgent => first::refusal(state),
        _ => None,
    }
}
