//! A log in words: the lines in sight, folded or cut, with times and hits.

use super::super::look::Glyphs;
use super::super::state::State;
use super::super::state::log::{LogLine, LogView, LongLines, spots};
use super::text::{Line, Role, clean, cut, head, width, wrap};
use super::words;

/// ` 12:02:58 `
const TIME_COLUMNS: usize = 10;

/// Columns for the text of a line.
fn room(view: &LogView, columns: usize) -> usize {
    columns.saturating_sub(if view.times { TIME_COLUMNS } else { 1 })
}

/// Rows that a line takes.
fn height(view: &LogView, line: &LogLine, columns: usize, glyphs: Glyphs) -> usize {
    match view.long {
        LongLines::Cut => 1,
        // Most lines fit, and need no folding to be counted.
        LongLines::Folded if line.text.len() <= room(view, columns) => 1,
        LongLines::Folded => wrap(&line.text, room(view, columns), 2, glyphs).len(),
    }
}

/// The top line with which the end is in sight.
pub(super) fn last_top(view: &LogView, columns: usize, rows: usize, glyphs: Glyphs) -> usize {
    let mut left = rows;
    for (at, line) in view.lines.iter().enumerate().rev() {
        let height = height(view, line, columns, glyphs);
        if height > left {
            // A line higher than all of it is shown by its end.
            return if left == rows { at } else { at + 1 };
        }
        left -= height;
    }
    0
}

/// The rows in sight.
pub(super) fn rows(state: &State, view: &LogView, columns: usize, rows: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    if view.lines.is_empty() {
        let detail = state.detail.as_ref().and_then(|open| open.data.as_ref());
        let has_ended = detail.is_some_and(|data| data.row.state.is_final());
        let text = if has_ended { " nothing was logged" } else { " nothing was logged yet" };
        return vec![Line::new(cut(text, columns, glyphs))];
    }
    let last = last_top(view, columns, rows, glyphs);
    let top = if view.follows { last } else { view.top.min(last) };
    let mut lines = Vec::new();
    for (at, line) in view.lines.iter().enumerate().skip(top) {
        if lines.len() >= rows && at > top {
            break;
        }
        lines.extend(line_rows(state, view, line, columns, view.hit == Some(at)));
    }
    let hidden = if top == last { lines.len().saturating_sub(rows) } else { 0 };
    lines.drain(..hidden);
    lines.truncate(rows);
    lines
}

fn line_rows(state: &State, view: &LogView, line: &LogLine, columns: usize, is_hit: bool) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let room = room(view, columns);
    let parts = match view.long {
        LongLines::Folded => wrap(&line.text, room, 2, glyphs),
        LongLines::Cut => {
            let text = clean(&line.text, glyphs);
            let skipped = head(&text, view.column).len();
            vec![cut(&text[skipped..], room, glyphs)]
        }
    };
    let part = |(at, part): (usize, String)| {
        let time = if at == 0 { line.came_ms.map(|ms| words::time(ms, &state.look.zone)) } else { None };
        let mark = if is_hit && at == 0 { ">" } else { " " };
        let mut row = Line::new(if view.times {
            format!("{mark}{:<8} ", time.unwrap_or_default())
        } else {
            mark.to_owned()
        });
        row.extend(marked(&part, &view.find));
        row
    };
    parts.into_iter().enumerate().map(part).collect()
}

/// A text with what is searched for made to stand out.
fn marked(text: &str, wanted: &str) -> Line {
    let mut line = Line::default();
    let mut at = 0;
    for spot in spots(text, wanted) {
        line.push(Role::Plain, &text[at..spot.start]);
        line.push(Role::Found, &text[spot.clone()]);
        at = spot.end;
    }
    line.push(Role::Plain, &text[at..]);
    line
}

/// How it is looked at: ` (follow)`, ` "error" 2 of 14`.
pub(super) fn title(view: &LogView, glyphs: Glyphs) -> String {
    let mut title = String::from("Log");
    if view.follows {
        title += " (follow)";
    }
    if !view.find.is_empty() {
        let hits: Vec<usize> = view.hits().collect();
        let at = view.hit.and_then(|hit| hits.iter().position(|at| *at == hit));
        let at = at.map(|at| format!("{} of ", words::count(at as u64 + 1))).unwrap_or_default();
        title += &format!("  \"{}\"  {at}", head(&clean(&view.find, glyphs), 30));
        title += &match hits.len() {
            0 => "not found".to_owned(),
            n => words::some(n as u64, "hit"),
        };
    }
    debug_assert!(width(&title) < 200, "a title is short");
    title
}
