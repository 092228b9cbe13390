//! Sorting by a column that is named: by a click on its title, or in the palette.

use vc_protocol::operator::{Sort, SortBy};

use super::State;
use super::agents::AgentSort;
use super::failures::GroupSort;
use super::overview::{TreeSort, TreeSortBy};
use crate::tui::keys::Ground;

/// Titles that are not the word for their order.
const TITLES: [(&str, &str); 9] = [
    ("pri", "priority"),
    ("try", "tries"),
    ("where / job", "name"),
    ("rtt", "round trip"),
    ("done", "completed"),
    ("fail", "failed"),
    ("cert", "certificate"),
    ("cause (class)", "cause"),
    ("recov", "recovered"),
];

/// The orders of the list in sight, by their words.
pub(super) fn words(state: &State) -> Vec<&'static str> {
    match state.below() {
        Ground::Overview => TreeSortBy::ALL.iter().map(|s| s.word()).collect(),
        Ground::Jobs => SortBy::ALL.iter().map(|s| s.word()).collect(),
        Ground::Agents => AgentSort::ALL.iter().map(|s| s.word()).collect(),
        Ground::Failures => GroupSort::ALL.iter().map(|s| s.column()).collect(),
        Ground::AgentDetail | Ground::Events | Ground::JobDetail | Ground::Log => Vec::new(),
    }
}

/// Sorts by the column of this title or word; by the one that it is sorted by, the other way round. False if the list
/// in sight has no such order.
pub(super) fn by(state: &mut State, name: &str) -> bool {
    let name = name.to_lowercase();
    let word = TITLES.iter().find(|(title, _)| *title == name).map_or(name.as_str(), |(_, word)| *word);
    let Some(at) = words(state).iter().position(|known| *known == word) else { return false };
    match (state.below(), &state.snapshot) {
        (Ground::Overview, Some(snapshot)) => {
            let old = state.overview.sort;
            let wanted = TreeSort { by: TreeSortBy::ALL[at], reversed: false };
            let same = old.by == wanted.by;
            state.overview.sort_by(snapshot, if same { old.inverted() } else { wanted });
        }
        (Ground::Jobs, _) => {
            let (old, wanted) = (state.jobs.sort, SortBy::ALL[at]);
            state.jobs.set_sort(Sort { by: wanted, reversed: old.by == wanted && !old.reversed });
        }
        (Ground::Agents, Some(snapshot)) => {
            let wanted = AgentSort::ALL[at];
            let reversed = state.agents.sort == wanted && !state.agents.reversed;
            state.agents.sort_by(snapshot, wanted, reversed);
        }
        (Ground::Failures, _) => {
            let wanted = GroupSort::ALL[at];
            let reversed = state.failures.sort == wanted && !state.failures.reversed;
            state.failures.sort_by(wanted, reversed);
        }
        _ => return false,
    }
    true
}
