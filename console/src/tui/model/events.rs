//! The Events screen in words.

use super::super::state::{Millis, State};
use super::text::{Line, section};

pub(super) fn body(state: &State, columns: usize, _rows: usize, _now: Millis) -> Vec<Line> {
    vec![section("5 Events", "", columns, state.look.glyphs), Line::default(), Line::new("  nothing yet")]
}
