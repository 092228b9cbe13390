//! The list of agents in words: one row each, their sums, and what is to be said of the one under the cursor.

use vc_protocol::operator::{AgentState, AgentView, DeviceState, Snapshot};

use super::super::state::agents::{runs, speed};
use super::super::state::{Millis, State};
use super::overview::{host, silent};
use super::table::{Align, Column, fixed, growing, heads, row, scrolled, scrolled_max, widths};
use super::text::{Line, Role, cut, section};
use super::{busy_slots, words};
use crate::tui::state::mouse::Hit;

const COLUMNS: [Column; 13] = [
    growing("NAME", (10, 30), 2, 255),
    fixed("STATE", Align::Left, 8, 20),
    growing("ADDRESS", (12, 24), 1, 3),
    fixed("RTT", Align::Right, 7, 10),
    fixed("DEV", Align::Right, 5, 9),
    fixed("SLOTS", Align::Right, 5, 18),
    fixed("JOBS", Align::Right, 4, 16),
    fixed("FPS", Align::Right, 6, 8),
    fixed("SPEED", Align::Right, 6, 17),
    fixed("DONE", Align::Right, 7, 12),
    fixed("FAIL", Align::Right, 5, 13),
    fixed("CERT", Align::Right, 5, 4),
    fixed("VERSION", Align::Left, 8, 2),
];
/// Stays when the others are scrolled away.
const PINNED: [usize; 1] = [0];

/// Title, heads, sums and the line below the table.
const AROUND: usize = 4;

/// Columns that can be scrolled away.
pub(super) fn column_max(columns: usize) -> usize {
    scrolled_max(&COLUMNS, &PINNED, columns.saturating_sub(2))
}

pub(super) fn body(state: &State, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let list = &state.agents;
    let order = if list.reversed { ", inverted" } else { "" };
    let mut lines = vec![section("3 Agents", &format!("by {}{order}", list.sort.word()), columns, glyphs)];
    let Some(snapshot) = &state.snapshot else { return lines };
    let agents = list.rows(snapshot);
    if agents.is_empty() {
        lines.push(Line::default());
        let none = "  No agent has joined yet: `vc-console token create` prints the line for one.";
        lines.push(Line::new(cut(none, columns, glyphs)));
        return lines;
    }
    let shown = scrolled(&COLUMNS, &PINNED, list.column.min(column_max(columns)));
    let widths = widths(&shown, columns.saturating_sub(2));
    let mut titles = Line::new("  ");
    titles.extend(heads(&shown, &widths));
    lines.push(titles);
    let room = rows.saturating_sub(AROUND).max(1);
    let wall = state.wall_ms(now);
    let top = crate::tui::state::jobs::top(list.at as u64, agents.len() as u64, room as u64) as usize;
    for (at, agent) in agents.iter().enumerate().skip(top).take(room) {
        let selected = at == list.at;
        let mut line = Line::new(if selected { "> " } else { "  " });
        line.extend(row(&shown, &widths, cells(state, agent, &widths, wall)));
        line.selected = selected;
        line.hit = Some(Hit::Row(at as u64));
        lines.push(line);
    }
    let mut sums = Line::new("  ");
    sums.extend(row(&shown, &widths, sums_of(snapshot)));
    lines.push(sums);
    lines.resize(rows.saturating_sub(1), Line::default());
    lines.push(agents.get(list.at).map_or(Line::default(), |agent| about(state, agent, columns, now)));
    lines
}

/// How an agent is, in one word.
pub(super) fn state_word(agent: &AgentView) -> (&'static str, Role) {
    match agent.state {
        AgentState::Offline => ("OFFLINE", Role::Bad),
        AgentState::Suspect => ("silent", Role::Odd),
        AgentState::Draining | AgentState::Ok if agent.drained && runs(agent).next().is_none() => {
            ("drained", Role::Odd)
        }
        AgentState::Draining => ("draining", Role::Odd),
        AgentState::Ok if agent.drained => ("draining", Role::Odd),
        AgentState::Ok => ("ok", Role::Good),
    }
}

/// `4 d`, `5h20m`, `ended`
pub(super) fn cert_left(agent: &AgentView, wall: i64) -> (String, Role) {
    const DAY_MS: i64 = 86_400_000;
    match agent.cert_ends_ms.map(|ends| ends.saturating_sub(wall)) {
        None => ("-".into(), Role::Plain),
        Some(left) if left <= 0 => ("ended".into(), Role::Bad),
        Some(left) if left < DAY_MS => ("<1 d".into(), Role::Bad),
        Some(left) => (format!("{} d", left / DAY_MS), Role::Plain),
    }
}

/// When it was heard last, and how long ago that is while time goes on here.
fn last_word(state: &State, agent: &AgentView, now: Millis) -> String {
    let (Some(silent_ms), Some(snapshot)) = (agent.silent_ms, &state.snapshot) else {
        return "never heard".to_owned();
    };
    let at = snapshot.now_ms.saturating_sub_unsigned(silent_ms);
    let time = words::time_with_day(at, snapshot.now_ms, &state.look.zone);
    if !state.active() {
        return format!("last word {time}");
    }
    let seconds = silent_ms.saturating_add(now.saturating_sub(state.heard)) / 1000;
    format!("last word {time}, {} ago", words::length(seconds))
}

fn cells(state: &State, agent: &AgentView, widths: &[usize; 13], wall: i64) -> [Line; 13] {
    let glyphs = state.look.glyphs;
    let (word, role) = state_word(agent);
    let live = |shown: String| Line::new(if silent(agent) { "-".into() } else { shown });
    let healthy = agent.devices.iter().filter(|device| device.state == DeviceState::Ok).count();
    let busy: usize = agent.devices.iter().map(busy_slots).sum();
    let slots: usize = agent.devices.iter().map(|device| usize::from(device.slots)).sum();
    let (cert, cert_role) = cert_left(agent, wall);
    [
        Line::new(cut(&agent.name, widths[0], glyphs)),
        Line::role(role, word),
        Line::new(or_dash(&cut(host(&agent.address), widths[2], glyphs))),
        Line::new(agent.rtt_us.map_or("-".into(), words::round_trip)),
        live(format!("{healthy}/{}", agent.devices.len())),
        live(format!("{busy}/{slots}")),
        Line::new(words::count(runs(agent).count() as u64)),
        live(words::fps(runs(agent).map(|run| run.progress.fps).sum())),
        live(words::speed(speed(agent))),
        Line::new(words::count(agent.completed)),
        Line::role(if agent.failed > 0 { Role::Bad } else { Role::Plain }, words::count(agent.failed)),
        Line::role(cert_role, cert),
        Line::new(or_dash(&cut(&agent.version, widths[12], glyphs))),
    ]
}

pub(super) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// The last row: all of them.
fn sums_of(snapshot: &Snapshot) -> [Line; 13] {
    let heard = || snapshot.agents.iter().filter(|agent| !silent(agent));
    let devices = || heard().flat_map(|agent| &agent.devices);
    let healthy = devices().filter(|device| device.state == DeviceState::Ok).count();
    let busy: usize = devices().map(busy_slots).sum();
    let slots: usize = devices().map(|device| usize::from(device.slots)).sum();
    let all_devices: usize = snapshot.agents.iter().map(|agent| agent.devices.len()).sum();
    let sum = |of: fn(&AgentView) -> u64| words::count(snapshot.agents.iter().map(of).sum());
    let strong = |text: String| Line::role(Role::Strong, text);
    [
        strong(format!("all {}", words::count(snapshot.agents.len() as u64))),
        strong(format!("{} ok", heard().filter(|agent| state_word(agent).1 == Role::Good).count())),
        Line::default(),
        Line::default(),
        strong(format!("{healthy}/{all_devices}")),
        strong(format!("{busy}/{slots}")),
        strong(sum(|agent| runs(agent).count() as u64)),
        strong(words::fps(heard().flat_map(runs).map(|run| run.progress.fps).sum())),
        strong(words::speed(heard().map(speed).sum())),
        strong(sum(|agent| agent.completed)),
        strong(sum(|agent| agent.failed)),
        Line::default(),
        Line::default(),
    ]
}

/// Why the agent under the cursor is as it is; nothing if all is well.
pub(super) fn about(state: &State, agent: &AgentView, columns: usize, now: Millis) -> Line {
    let glyphs = state.look.glyphs;
    let jobs = runs(agent).count() as u64;
    let passed = now.saturating_sub(state.heard) / 1000;
    let text = match agent.state {
        AgentState::Offline | AgentState::Suspect => {
            let since = last_word(state, agent, now);
            let back = match agent.gives_back_s.map(|left| left.saturating_sub(passed)) {
                Some(left) if jobs > 0 => {
                    format!("; {} back to pending in {}", goes(jobs), words::minutes(left))
                }
                Some(_) | None if jobs > 0 => format!("; {} unsure", words::some(jobs, "job")),
                Some(_) | None => String::new(),
            };
            since + &back
        }
        AgentState::Ok | AgentState::Draining if state_word(agent).0 == "draining" => {
            let left = agent.empty_s.map_or(String::new(), |s| format!(", about {}", words::length(s)));
            format!("nothing new goes there; {} left{left}", words::some(jobs, "job"))
        }
        AgentState::Ok | AgentState::Draining if agent.drained => {
            "drained: nothing runs there, nothing new goes there".to_owned()
        }
        AgentState::Ok | AgentState::Draining => match agent.unproven.first() {
            Some(folder) => format!("cannot be used for all jobs: {folder}"),
            None => return Line::default(),
        },
    };
    let (_, role) = state_word(agent);
    let role = if role == Role::Good { Role::Bad } else { role };
    let mut line = Line::new(" ").with(role, cut(&agent.name, columns / 4, glyphs));
    let room = columns.saturating_sub(line.width() + 2);
    line.push(Role::Plain, format!(": {}", cut(&text, room, glyphs)));
    line
}

fn goes(jobs: u64) -> String {
    if jobs == 1 { "1 job goes".into() } else { format!("{} jobs go", words::count(jobs)) }
}
