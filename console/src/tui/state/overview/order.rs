//! In which order agents stand in the tree, and jobs in the flat list.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use vc_protocol::operator::{RunView, Snapshot};
use vc_protocol::progress::Progress;

use super::{Node, Shape, runs};

/// What the rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TreeSortBy {
    #[default]
    Name,
    State,
    Progress,
    Fps,
    Speed,
    Eta,
}

impl TreeSortBy {
    pub(crate) const ALL: [TreeSortBy; 6] =
        [Self::Name, Self::State, Self::Progress, Self::Fps, Self::Speed, Self::Eta];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Progress => "progress",
            Self::Fps => "fps",
            Self::Speed => "speed",
            Self::Eta => "eta",
        }
    }
}

/// An order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TreeSort {
    pub(crate) by: TreeSortBy,
    pub(crate) reversed: bool,
}

impl TreeSort {
    /// The column `by` places further, round and round.
    pub(super) fn step(self, by: isize) -> TreeSort {
        let all = TreeSortBy::ALL.len().cast_signed();
        let at = TreeSortBy::ALL.iter().position(|s| *s == self.by).unwrap_or(0).cast_signed();
        TreeSort { by: TreeSortBy::ALL[(at + by).rem_euclid(all).cast_unsigned()], reversed: false }
    }

    pub(in crate::tui::state) fn inverted(self) -> TreeSort {
        TreeSort { reversed: !self.reversed, ..self }
    }
}

/// What a row is sorted by; the fields that do not count are alike for all.
#[derive(Debug, Default, PartialEq)]
struct Key<'a> {
    name: &'a [u8],
    state: u8,
    /// Highest first.
    figure: f32,
    /// Unknown last.
    eta: u64,
}

impl Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let figure = other.figure.total_cmp(&self.figure);
        self.state
            .cmp(&other.state)
            .then(figure)
            .then(self.eta.cmp(&other.eta))
            .then(self.name.cmp(other.name))
    }
}

/// The places of agents (in a tree) or jobs (in a flat list). Empty if the server's order is right as it is.
pub(super) fn places(snapshot: &Snapshot, shape: Shape, sort: TreeSort) -> BTreeMap<Node, usize> {
    let mut keyed: Vec<(Key<'_>, Node)> = match (shape, sort) {
        (Shape::Tree, TreeSort { by: TreeSortBy::Name, reversed: false }) => return BTreeMap::new(),
        (Shape::Tree, _) => snapshot
            .agents
            .iter()
            .map(|agent| {
                let runs: Vec<&RunView> = agent.devices.iter().flat_map(|d| &d.runs).collect();
                (key(agent.name.as_bytes(), agent.state as u8, &runs, sort.by), Node::Agent(agent.id))
            })
            .collect(),
        (Shape::Flat, _) => runs(snapshot)
            .map(|(_, _, run)| {
                let state = run.progress.phase as u8;
                (key(run.source.file_name(), state, &[run], sort.by), Node::Run(run.attempt.job))
            })
            .collect(),
    };
    keyed.sort_by(|(a, _), (b, _)| if sort.reversed { b.cmp(a) } else { a.cmp(b) });
    keyed.into_iter().enumerate().map(|(place, (_, node))| (node, place)).collect()
}

fn key<'a>(name: &'a [u8], state: u8, runs: &[&RunView], by: TreeSortBy) -> Key<'a> {
    let sum = |of: fn(&Progress) -> f32| runs.iter().map(|r| of(&r.progress)).sum();
    let own = Key { name, ..Key::default() };
    match by {
        TreeSortBy::Name => own,
        TreeSortBy::State => Key { state, ..own },
        TreeSortBy::Progress => Key { figure: sum(|p| f32::from(p.permille)), ..own },
        TreeSortBy::Fps => Key { figure: sum(|p| p.fps), ..own },
        TreeSortBy::Speed => Key { figure: sum(|p| p.speed), ..own },
        TreeSortBy::Eta => {
            let soonest = runs.iter().filter_map(|r| r.progress.eta_s).min();
            Key { eta: soonest.map_or(u64::MAX, u64::from), ..own }
        }
    }
}
