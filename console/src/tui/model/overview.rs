//! The overview in words: farm, tree of slots, what needs a person, what just happened.

mod farm;
mod tree;

use vc_protocol::operator::{DeviceState, DeviceView, EventView, Need, Snapshot};

use super::super::look::Glyphs;
use super::super::state::mouse::Hit;
use super::super::state::overview::Pane;
use super::super::state::{Millis, State};
use super::text::{Line, Role, cut, cut_name, section, width};
use super::words;

pub(super) use tree::{host, phase_word, progress_cell, silent, told_by_name};

/// From this width on the chart stands beside the counts.
const WIDE: usize = 110;
/// From this height on the last events always have their place.
const TALL: usize = 33;
/// Rows of events kept free on a tall screen, with their title.
const EVENT_ROWS: usize = 8;

pub(super) fn body(state: &State, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let Some(snapshot) = &state.snapshot else { return vec![Line::default()] };
    if state.overview.expanded {
        return match state.overview.pane {
            Pane::Slots => tree::lines(state, snapshot, columns, rows.saturating_sub(2), now),
            Pane::Needs => needs(state, snapshot, columns, rows.saturating_sub(1), now),
            Pane::Recent => recent(state, snapshot, columns, rows.saturating_sub(1)),
        };
    }
    let mut lines = farm::lines(state, snapshot, columns, now);
    let shown = match rows {
        r if r >= TALL => 4,
        r if r >= 20 => 3,
        _ => 2,
    };
    let shown = snapshot.needs.len().min(shown);
    let reserved = if rows >= TALL { EVENT_ROWS } else { 0 };
    let room = rows.saturating_sub(lines.len() + 2 + shown + 1 + reserved).max(1);
    lines.extend(tree::lines(state, snapshot, columns, room, now));
    // What the tree and the last events leave free goes to what needs a person.
    let events = if snapshot.recent.is_empty() { 0 } else { snapshot.recent.len() + 1 };
    let spare = rows.saturating_sub(lines.len() + 1 + events);
    lines.extend(needs(state, snapshot, columns, snapshot.needs.len().min(shown.max(spare)), now));
    let left = rows.saturating_sub(lines.len());
    if left >= 2 && !snapshot.recent.is_empty() {
        lines.extend(recent(state, snapshot, columns, left - 1));
    }
    lines
}

/// Title and so many rows of what needs a person, with the cursor in sight.
fn needs(state: &State, snapshot: &Snapshot, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let all = snapshot.needs.len();
    let hint = if all > 0 { "n next" } else { "" };
    let mut lines = vec![section(&format!("Needs you ({all})"), hint, columns, glyphs)];
    let focused = state.overview.pane == Pane::Needs;
    let top = if focused { state.overview.need.saturating_sub(rows.saturating_sub(1)) } else { 0 };
    for (at, need) in snapshot.needs.iter().enumerate().skip(top).take(rows) {
        let here = focused && at == state.overview.need;
        let text = format!("{}{}", need.text, countdown(state, snapshot, need, now));
        let mut line = need_line(need, &text, if here { ">" } else { " " }, columns, glyphs);
        line.selected = here;
        line.hit = Some(Hit::Need(at));
        lines.push(line);
    }
    lines
}

/// ` within 1:48`: what the server leaves out of the sentence, since it changes each second.
fn countdown(state: &State, snapshot: &Snapshot, need: &Need, now: Millis) -> String {
    let Some(agent) = snapshot.agents.iter().find(|agent| need.agent == Some(agent.id)) else {
        return String::new();
    };
    let left = |at: &i64| u64::try_from(at.saturating_sub(state.wall_ms(now))).unwrap_or(0).div_ceil(1000);
    if need.kind == "offline" && need.text.ends_with("returns") {
        let passed = if state.active() && state.gone.is_none() { now.saturating_sub(state.heard) } else { 0 };
        let back = agent.gives_back_s.map(|s| s.saturating_sub(passed / 1000));
        return back.map(|s| format!(" within {}", words::minutes(s))).unwrap_or_default();
    }
    let named = |d: &&DeviceView| need.what == format!("{}/{}", agent.name, d.short);
    match agent.devices.iter().find(named).map(|d| &d.state) {
        Some(DeviceState::Quarantined { until_ms: Some(at), .. }) if need.text.ends_with("follows") => {
            format!(" in {}", words::minutes(left(at)))
        }
        _ => String::new(),
    }
}

/// ` ! failed    2 files   output shorter than source   #41877 #41880`
fn need_line(need: &Need, text: &str, mark: &str, columns: usize, glyphs: Glyphs) -> Line {
    let mut line = Line::new(mark).with(Role::Bad, format!("! {:<8}", cut(&need.kind, 8, glyphs)));
    let broad = columns >= WIDE;
    let (least, most): (usize, usize) = if broad { (9, 16) } else { (8, 13) };
    let what = cut(&need.what, most, glyphs);
    let blanks = least.saturating_sub(width(&what));
    line.push(Role::Plain, format!("{}{what}{} ", if broad { "  " } else { " " }, " ".repeat(blanks)));
    let ids: Vec<String> = need.jobs.iter().take(3).map(|id| format!("#{id}")).collect();
    let ids = if broad { ids.join(" ") } else { String::new() };
    let room = columns.saturating_sub(line.width() + width(&ids) + 2);
    line.push(Role::Plain, cut(text, room, glyphs));
    line.pad_to(columns.saturating_sub(width(&ids) + 1)).push(Role::Plain, ids);
    line
}

/// Title and so many of the last events, with the cursor in sight.
fn recent(state: &State, snapshot: &Snapshot, columns: usize, rows: usize) -> Vec<Line> {
    let mut lines = vec![section("Just happened", "5 all events", columns, state.look.glyphs)];
    let focused = state.overview.pane == Pane::Recent;
    let top = if focused { state.overview.event.saturating_sub(rows.saturating_sub(1)) } else { 0 };
    for (at, event) in snapshot.recent.iter().enumerate().skip(top).take(rows) {
        let here = focused && at == state.overview.event;
        let mut line = event_line(state, event, if here { ">" } else { " " }, columns);
        line.selected = here;
        line.hit = Some(Hit::Recent(at));
        lines.push(line);
    }
    lines
}

fn event_line(state: &State, event: &EventView, mark: &str, columns: usize) -> Line {
    let glyphs = state.look.glyphs;
    let time = words::time(event.at_ms, &state.look.zone);
    let job = event.job.map(|id| format!("#{id}")).filter(|id| !event.text.contains(id.as_str()));
    let job = job.map(|id| id + " ").unwrap_or_default();
    let mut file = cut_name(&event.file.shown(), columns / 4, glyphs);
    if !file.is_empty() {
        file += "  ";
    }
    let who = if event.who.is_empty() || event.text.contains(&event.who) {
        String::new()
    } else {
        format!("{}: ", event.who)
    };
    let text = cut(&format!("{who}{job}{file}{}", event.text), columns.saturating_sub(11), glyphs);
    Line::new(format!("{mark}{time}  {text}"))
}
