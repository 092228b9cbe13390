//! The first run in words: three steps in place of an empty table, which tick off by themselves.

use super::super::look::Glyphs;
use super::super::state::first::{First, LAST_MS, Steps, connected};
use super::super::state::{Millis, State};
use super::text::{Line, Role, cut, head, wrap};
use super::words;
use crate::tui::Mode;

/// The steps, if any is left; they need this many columns and take what rows they need.
pub(super) fn steps(state: &State, columns: usize, now: Millis) -> Vec<Line> {
    let Some(snapshot) = state.snapshot.as_deref() else { return Vec::new() };
    let Some(steps) = Steps::of(snapshot) else { return Vec::new() };
    if state.mode == Mode::Convert {
        let starts = "  Starting the agent of this machine.";
        return if steps.joined { Vec::new() } else { vec![Line::default(), Line::new(starts)] };
    }
    let glyphs = state.look.glyphs;
    let mut lines = vec![Line::default()];
    lines.push(step(1, steps.joined, "On each GPU box:  vc-agent join LINE, then vc-agent run", glyphs));
    if !steps.joined {
        lines.extend(token(&state.first, columns, now, glyphs));
    }
    lines.push(step(2, steps.added, "vc-console add ~/Videos --out ~/converted", glyphs));
    if state.first.can_start {
        let (ticked, text) = match (steps.joined && connected(snapshot), state.first.starting) {
            (true, _) => (true, "an agent works"),
            (false, true) => (false, "the agent of this box is starting"),
            // What it has, its agent finds out.
            (false, false) => (false, "or press a to use this box: its GPU, or without one its CPU (slow)"),
        };
        lines.push(step(3, ticked, text, glyphs));
    }
    for line in &mut lines {
        line.fit(columns);
    }
    lines
}

/// `  [x] 1  …`
fn step(no: u8, done: bool, text: &str, glyphs: Glyphs) -> Line {
    let (mark, role) = match (done, glyphs) {
        (true, Glyphs::Ascii) => ("[x]", Role::Good),
        (true, Glyphs::Unicode) => (" ✓ ", Role::Good),
        (false, Glyphs::Ascii) => ("[ ]", Role::Plain),
        (false, Glyphs::Unicode) => ("   ", Role::Plain),
    };
    Line::new("  ").with(role, mark).with(Role::Strong, format!(" {no}  ")).with(Role::Plain, text)
}

/// The line to paste, and how long it lets somebody in.
fn token(first: &First, columns: usize, now: Millis, glyphs: Glyphs) -> Vec<Line> {
    const MARGIN: usize = 9;
    let room = columns.saturating_sub(MARGIN);
    let indented = |role: Role, text: String| Line::new(" ".repeat(MARGIN)).with(role, text);
    let Some(token) = &first.token else {
        let text = first
            .refused
            .as_deref()
            .map_or("asking for a line to paste".to_owned(), |why| format!("no line to paste: {why}"));
        return wrap(&text, room, 0, glyphs).into_iter().map(|part| indented(Role::Plain, part)).collect();
    };
    // Folded by hand: a line to paste must not be broken at blanks or cut.
    let mut lines = Vec::new();
    let mut rest = token.line.as_str();
    while !rest.is_empty() && room > 0 && lines.len() < LINE_ROWS {
        let part = head(rest, room);
        rest = &rest[part.len()..];
        if part.is_empty() {
            break;
        }
        lines.push(indented(Role::Strong, cut(&part, room, glyphs)));
    }
    let left = token.ends.saturating_sub(now);
    let left = if left > LAST_MS {
        format!("{} min", left.div_ceil(60_000))
    } else {
        words::minutes(left.div_ceil(1000))
    };
    lines.push(indented(Role::Plain, format!("y copies; one use, {left} left")));
    lines
}

/// Most rows of the line to paste; `y` copies all of it.
const LINE_ROWS: usize = 4;
