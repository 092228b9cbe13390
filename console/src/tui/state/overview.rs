//! The tree of agents, devices and running jobs: which rows there are, which is selected, what is folded.

use std::collections::BTreeSet;

use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::operator::{AgentView, DeviceView, RunView, Snapshot};

use super::{Action, Millis, State};
use crate::tui::keys::Command;

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

/// Where the cursor is and what is folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Overview {
    pub(crate) selected: Option<Node>,
    /// Where the selected row was seen last: the cursor stays there when the row goes away.
    pub(crate) at: usize,
    pub(crate) folded: BTreeSet<Node>,
}

impl Overview {
    /// The rows in sight of the fold state.
    pub(crate) fn rows<'a>(&self, snapshot: &'a Snapshot) -> Vec<Row<'a>> {
        let mut rows = Vec::new();
        for agent in &snapshot.agents {
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

    /// After a new snapshot or a fold: finds the selected row again.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot) {
        let rows = self.rows(snapshot);
        let found = self.selected.and_then(|node| rows.iter().position(|r| r.node() == node));
        self.move_to(snapshot, found.unwrap_or(self.at));
    }

    /// Folds the selected row, or what it belongs to.
    pub(crate) fn fold(&mut self, snapshot: &Snapshot) {
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
}

/// Carries out what is this screen's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, _now: Millis, command: Command, _out: &mut Vec<Action>) -> bool {
    match command {
        Command::Fold => on_tree(state, Overview::fold),
        Command::Unfold => on_tree(state, Overview::unfold),
        _ => return false,
    }
    true
}

pub(super) fn on_tree(state: &mut State, change: impl Fn(&mut Overview, &Snapshot)) {
    if let Some(snapshot) = &state.snapshot {
        change(&mut state.overview, snapshot);
    }
}

/// Why a command does nothing here now; none if it works or is not this screen's.
pub(super) fn refusal(_state: &State, _command: Command) -> Option<&'static str> {
    None
}
