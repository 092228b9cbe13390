//! The Agents screen in words.

use super::super::state::agents::OpenAgent;
use super::super::state::{Millis, State};
use super::text::{Line, cut, section};

pub(super) fn body(state: &State, columns: usize, _rows: usize, _now: Millis) -> Vec<Line> {
    vec![section("3 Agents", "", columns, state.look.glyphs), Line::default(), Line::new("  nothing yet")]
}

/// One agent with its devices.
pub(super) fn open_body(
    state: &State,
    open: &OpenAgent,
    columns: usize,
    _rows: usize,
    _now: Millis,
) -> Vec<Line> {
    let agents = state.snapshot.iter().flat_map(|s| &s.agents);
    let name = agents.filter(|a| a.id == open.id).map(|a| a.name.clone()).next().unwrap_or_default();
    vec![section(&cut(&name, columns, state.look.glyphs), "", columns, state.look.glyphs)]
}
