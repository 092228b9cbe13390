//! What happened in words: newest first.

use vc_protocol::operator::{EventKind, EventView};

use super::super::state::events::HELD_MAX;
use super::super::state::{Millis, State};
use super::table::{Align, Column, fixed, growing, heads, row, scrolled, scrolled_max, widths};
use super::text::{Line, Role, clean, cut, cut_name, head, section};
use super::words;
use crate::tui::state::mouse::Hit;

/// Column of the time: `12:04:29`, or `11-22 12:04` when another day is in sight.
const TIME: usize = 8;
const TIME_AND_DAY: usize = 11;

const COLUMNS: [Column; 6] = [
    fixed("TIME", Align::Left, TIME, 20),
    fixed("KIND", Align::Left, 8, 5),
    growing("WHO", (8, 16), 1, 3),
    fixed("JOB", Align::Left, 8, 15),
    growing("AGENT", (8, 16), 1, 7),
    growing("WHAT", (36, 200), 8, 255),
];
/// Stay when the others are scrolled away.
const PINNED: [usize; 2] = [0, 5];
/// Place of WHO: where that dropped, what was done tells it.
const WHO: usize = 2;

/// Columns that can be scrolled away.
pub(super) fn column_max(columns: usize) -> usize {
    scrolled_max(&COLUMNS, &PINNED, columns.saturating_sub(2))
}

pub(super) fn body(state: &State, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let events = &state.events;
    let mut lines = vec![title(state, columns)];
    if events.count() == 0 {
        let text = match &events.refused {
            Some(refused) => refused.as_str(),
            None if !events.whole => "asking the server",
            None if events.filter.is_empty() => "Nothing happened yet.",
            None => "Nothing that happened contains this; esc clears it.",
        };
        lines.push(Line::default());
        lines.push(Line::new(format!("  {}", cut(text, columns.saturating_sub(2), glyphs))));
        return lines;
    }
    let room = rows.saturating_sub(2).max(1);
    let top = crate::tui::state::jobs::top(events.at as u64, events.count() as u64, room as u64) as usize;
    let shown: Vec<(usize, &EventView)> =
        (top..top + room).map_while(|at| events.get(at).map(|event| (at, event))).collect();
    let wall = state.wall_ms(now);
    let other_day = shown.iter().any(|(_, event)| time(state, event, wall).len() > TIME);
    let mut table = scrolled(&COLUMNS, &PINNED, events.column.min(column_max(columns)));
    table[0].min = if other_day { TIME_AND_DAY } else { TIME };
    let widths = widths(&table, columns.saturating_sub(2));
    let mut titles = Line::new("  ");
    titles.extend(heads(&table, &widths));
    lines.push(titles);
    for (at, event) in shown {
        let selected = at == events.at;
        let mut line = Line::new(if selected { "> " } else { "  " });
        line.extend(row(&table, &widths, cells(state, event, &widths, wall)));
        line.selected = selected;
        line.hit = Some(Hit::Row(at as u64));
        lines.push(line);
    }
    lines
}

/// `5 Events  "drain"  12 of 4,000 looked at`
fn title(state: &State, columns: usize) -> Line {
    let glyphs = state.look.glyphs;
    let events = &state.events;
    let more = if events.whole { "" } else { " or more" };
    let held = words::count(events.held.len() as u64);
    let text = if events.filter.is_empty() {
        format!("5 Events  {held}{more}")
    } else {
        let filter = head(&clean(&events.filter, glyphs), columns / 3);
        let looked = if events.whole { "" } else { " looked at" };
        format!("5 Events  \"{filter}\"  {} of {held}{looked}", words::count(events.count() as u64))
    };
    let right = match (events.follows(), events.held.len() >= HELD_MAX) {
        (true, _) => "newest first, following",
        (false, false) => "newest first, g follows",
        (false, true) => "older: `vc-console events`",
    };
    section(&text, right, columns, glyphs)
}

/// With its day if that is another one.
fn time(state: &State, event: &EventView, wall: i64) -> String {
    words::time_with_day(event.at_ms, wall, &state.look.zone)
}

fn kind_word(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Job => "job",
        EventKind::Agent => "agent",
        EventKind::Operator => "operator",
        EventKind::Farm => "farm",
    }
}

fn cells(state: &State, event: &EventView, widths: &[usize; 6], wall: i64) -> [Line; 6] {
    let glyphs = state.look.glyphs;
    let dash = |text: &str, columns| {
        Line::new(if text.is_empty() { "-".into() } else { cut(text, columns, glyphs) })
    };
    let mut file = cut_name(&event.file.shown(), widths[5] / 3, glyphs);
    if !file.is_empty() {
        file += "  ";
    }
    let who =
        if widths[WHO] > 0 || event.who.is_empty() { String::new() } else { format!("{}: ", event.who) };
    let what = cut(&format!("{who}{file}{}", event.text), widths[5], glyphs);
    [
        Line::new(time(state, event, wall)),
        Line::role(
            if event.kind == EventKind::Operator { Role::Strong } else { Role::Plain },
            kind_word(event.kind),
        ),
        dash(&event.who, widths[WHO]),
        dash(&event.job.map(|id| format!("#{id}")).unwrap_or_default(), widths[3]),
        dash(&event.agent, widths[4]),
        Line::new(what),
    ]
}
