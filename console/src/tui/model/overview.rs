//! The overview in words: farm, tree of slots, what needs a person, what just happened.

use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentState, AgentView, DeviceView, FarmTotals, Need, RunView, Snapshot};
use vc_protocol::path::FilePath;
use vc_protocol::progress::{Phase, Progress};

use super::super::look::Glyphs;
use super::super::state::mouse::Hit;
use super::super::state::overview::{Node, Row};
use super::super::state::{Millis, State};
use super::table::{Align, Column, fixed, growing, heads, row, widths};
use super::text::{Line, Role, cut, cut_name, rule, section, width};
use super::{busy_slots, chart, state_role, words};
use crate::tui::Mode;

/// From this width on the chart stands beside the counts.
const WIDE: usize = 110;
/// From this height on the last events always have their place.
const TALL: usize = 33;
/// Rows of events kept free on a tall screen, with their title.
const EVENT_ROWS: usize = 8;

/// States in the order in which they are told.
const BY_URGENCY: [JobState; 7] = [
    JobState::Pending,
    JobState::Running,
    JobState::Failed,
    JobState::Completed,
    JobState::Held,
    JobState::Skipped,
    JobState::Cancelled,
];

const COLUMNS: [Column; 7] = [
    growing("WHERE / JOB", (18, 60), 4, 255),
    growing("PROFILE", (10, 14), 1, 1),
    fixed("STATE", Align::Left, 10, 9),
    growing("PROGRESS", (17, 28), 1, 8),
    fixed("FPS", Align::Right, 6, 2),
    fixed("SPEED", Align::Right, 6, 6),
    fixed("ETA", Align::Right, 8, 7),
];

pub(super) fn body(state: &State, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let Some(snapshot) = &state.snapshot else { return vec![Line::default()] };
    let mut lines = farm(state, snapshot, columns, now);
    let needs = snapshot.needs.len().min(if rows >= TALL {
        4
    } else if rows >= 20 {
        3
    } else {
        2
    });
    let reserved = if rows >= TALL { EVENT_ROWS } else { 0 };
    let room = rows.saturating_sub(lines.len() + 2 + needs + 1 + reserved).max(1);
    lines.extend(tree(state, snapshot, columns, room, now));

    let more = if snapshot.needs.len() > needs { format!("{needs} shown") } else { String::new() };
    lines.push(section(&format!("Needs you ({})", snapshot.needs.len()), &more, columns, glyphs));
    lines.extend(snapshot.needs.iter().take(needs).map(|need| need_line(need, columns, glyphs)));

    let left = rows.saturating_sub(lines.len());
    if left >= 2 && !snapshot.recent.is_empty() {
        lines.push(section("Just happened", "", columns, glyphs));
        for event in snapshot.recent.iter().take(left - 1) {
            let time = words::time(event.at_ms, &state.look.zone);
            let job = event.job.map(|id| format!("#{id}")).filter(|id| !event.text.contains(id.as_str()));
            let job = job.map(|id| id + " ").unwrap_or_default();
            let mut file = cut_name(&event.file.shown(), columns / 4, glyphs);
            if !file.is_empty() {
                file += "  ";
            }
            lines.push(Line::new(format!(
                " {time}  {}",
                cut(&format!("{job}{file}{}", event.text), columns.saturating_sub(11), glyphs)
            )));
        }
    }
    lines
}

fn farm(state: &State, snapshot: &Snapshot, columns: usize, now: Millis) -> Vec<Line> {
    let totals = &snapshot.totals;
    let glyphs = state.look.glyphs;
    let halted = snapshot.halted.as_deref().map(|why| cut(why, columns / 2, glyphs)).unwrap_or_default();
    if columns < WIDE {
        let halted = if halted.is_empty() { halted } else { format!("halted: {halted}") };
        let mut lines = vec![section("Farm", &halted, columns, glyphs)];
        lines.push(counts(totals, &BY_URGENCY, columns));
        lines.push(share(totals, columns.min(90) * 2 / 5, glyphs));
        lines.push(speeds(totals, columns, glyphs));
        lines.push(fitting(&[&saved(totals), &done_hours(totals), &disk(totals)], columns));
        return lines;
    }
    let left_columns = columns * 11 / 20;
    let right_columns = columns - left_columns - 2;
    let title = if halted.is_empty() { String::new() } else { format!("halted: {halted}") };
    let mut left = vec![section("Farm", &title, left_columns, glyphs)];
    left.push(share(totals, left_columns * 2 / 3, glyphs));
    left.push(counts(totals, &BY_URGENCY[..3], left_columns));
    left.push(counts(totals, &BY_URGENCY[3..], left_columns));
    left.push(fitting(&[&saved(totals)], left_columns));
    left.push(fitting(&[&done_hours(totals), &disk(totals)], left_columns));
    let right = speed_chart(state, totals, right_columns, now);
    for (line, part) in left.iter_mut().zip(right) {
        line.fit(left_columns).push(Role::Plain, "  ");
        line.extend(part);
    }
    left
}

/// ` pending 18,208 (4 to retry)  running 23  …`; what is zero and unusual is left out, and so is what does not fit.
fn counts(totals: &FarmTotals, states: &[JobState], columns: usize) -> Line {
    let mut line = Line::new(" ");
    for state in states {
        let n = totals.by_state[*state as usize];
        let usual =
            matches!(state, JobState::Pending | JobState::Running | JobState::Failed | JobState::Completed);
        if n == 0 && !usual {
            continue;
        }
        let shown = if *state == JobState::Running { n.saturating_sub(totals.unsure) } else { n };
        let role = if n > 0 { state_role(*state) } else { Role::Plain };
        let mut part = Line::role(role, state.word()).with(Role::Plain, format!(" {}", words::count(shown)));
        if *state == JobState::Pending && totals.to_retry > 0 {
            part.push(Role::Plain, format!(" ({} to retry)", words::count(totals.to_retry)));
        }
        if *state == JobState::Running && totals.unsure > 0 {
            part.push(Role::Plain, "  ").push(Role::Odd, "unsure");
            part.push(Role::Plain, format!(" {}", words::count(totals.unsure)));
        }
        if line.width() > 1 {
            part.spans.insert(0, (Role::Plain, "  ".into()));
        }
        if line.width() + part.width() <= columns {
            line.extend(part);
        }
    }
    line
}

/// As many of the parts as fit, in their order.
fn fitting(parts: &[&str], columns: usize) -> Line {
    let mut text = String::from(" ");
    for part in parts.iter().filter(|p| !p.is_empty()) {
        let gap = if text.len() > 1 { 3 } else { 0 };
        if width(&text) + gap + width(part) <= columns {
            text += &" ".repeat(gap);
            text += part;
        }
    }
    Line::new(text)
}

/// The farm's bar, its share and the time left.
fn share(totals: &FarmTotals, bar_columns: usize, glyphs: Glyphs) -> Line {
    let permille = totals.permille.min(1000);
    let eta = totals.eta_s.map_or("-".into(), |s| format!("~{}", words::length(s)));
    Line::new(" ")
        .with(Role::Good, chart::bar(permille, bar_columns, glyphs))
        .with(Role::Plain, format!(" {}.{}%   ETA {eta}", permille / 10, permille % 10))
}

fn speeds(totals: &FarmTotals, columns: usize, glyphs: Glyphs) -> Line {
    let head = format!(" speed {}   {} fps   ", words::speed(totals.speed), words::fps(totals.fps));
    let tail = format!("   60 min, peak {}", peak(totals));
    let room = columns.saturating_sub(width(&head) + width(&tail)).min(60);
    let spark = chart::spark(&totals.speed_minutes, room, glyphs);
    Line::new(head).with(Role::Busy, spark).with(Role::Plain, tail)
}

fn peak(totals: &FarmTotals) -> String {
    let tenths = totals.speed_minutes.iter().copied().max().unwrap_or(0);
    words::speed(tenths as f32 / 10.0)
}

fn done_hours(totals: &FarmTotals) -> String {
    let seconds = totals.media_ms / 1000;
    if seconds < 3600 {
        if seconds == 0 { String::new() } else { format!("{} of video done", words::length(seconds)) }
    } else {
        format!("{} h of video done", words::count(seconds / 3600))
    }
}

/// What the outputs save over their sources.
fn saved(totals: &FarmTotals) -> String {
    let (before, after) = (totals.bytes_in, totals.bytes_out);
    if before == 0 {
        return "nothing converted yet".into();
    }
    let percent = |part: u64| (part as f64 / before as f64 * 100.0).round();
    let whole = words::bytes(before);
    if after > before {
        let more = after - before;
        return format!("outputs {} larger than their {whole} ({}%)", words::bytes(more), percent(more));
    }
    let less = words::bytes(before - after);
    // One unit is enough where both have the same.
    let less = match (less.split_once(' '), whole.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => number.to_owned(),
        _ => less,
    };
    format!("saved {less} of {whole} ({}%)", percent(before - after))
}

fn disk(totals: &FarmTotals) -> String {
    totals.output_free.map(|free| format!("output disk {} free", words::bytes(free))).unwrap_or_default()
}

/// Title, three rows of columns, axis and times: as many lines as the farm's counts beside it, and no more.
fn speed_chart(state: &State, totals: &FarmTotals, columns: usize, now: Millis) -> Vec<Line> {
    const ROWS: usize = 3;
    let glyphs = state.look.glyphs;
    let speed = format!("{} fps  {}", words::fps(totals.fps), words::speed(totals.speed));
    let mut lines = vec![section("Speed, last 60 min", &speed, columns, glyphs)];
    let label = peak(totals);
    let margin = width(&label).max(5);
    let inner = columns.saturating_sub(margin + 1);
    let (wall, corner) = match glyphs {
        Glyphs::Ascii => ("|", "+"),
        Glyphs::Unicode => ("│", "└"),
    };
    for (at, cells) in chart::columns(&totals.speed_minutes, inner, ROWS, glyphs).into_iter().enumerate() {
        let label = if at == 0 { label.as_str() } else { "" };
        lines.push(Line::new(format!("{label:>margin$}{wall}")).with(Role::Busy, cells));
    }
    lines.push(Line::new(format!("{:>margin$}{corner}{}", "0x", rule(glyphs).repeat(inner))));
    let at = |minutes: i64| {
        let time = words::time(state.wall_ms(now) - minutes * 60_000, &state.look.zone);
        time.get(..5).unwrap_or_default().to_owned()
    };
    let mut axis = Line::default();
    axis.pad_to(margin + 1).push(Role::Plain, at(60));
    axis.pad_to(margin + 1 + inner / 2 - 2).push(Role::Plain, at(30));
    axis.pad_to(columns.saturating_sub(5)).push(Role::Plain, at(0));
    lines.push(axis);
    lines
}

fn tree(state: &State, snapshot: &Snapshot, columns: usize, room: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let hint = if columns >= WIDE { "by name   left right fold" } else { "by name" };
    let mut lines = vec![section("Agents > devices > slots", hint, columns, glyphs)];
    let rows = state.overview.rows(snapshot);
    if rows.is_empty() {
        lines.extend(first_steps(state).into_iter().take(room + 1));
        return lines;
    }
    let widths = widths(&COLUMNS, columns.saturating_sub(2));
    let mut titles = Line::new("  ");
    titles.extend(heads(&COLUMNS, &widths));
    lines.push(titles);
    // As wide as the widest, so that names stand below each other.
    let ids = rows.iter().map(|row| match row {
        Row::Run(_, _, run) => run.attempt.job.to_string().len(),
        Row::Agent(_) | Row::Device(..) => 0,
    });
    let ids = ids.max().unwrap_or(0);
    let top = crate::tui::state::jobs::top(state.overview.at as u64, rows.len() as u64, room as u64) as usize;
    for (at, tree_row) in rows.iter().enumerate().skip(top).take(room) {
        let selected = state.overview.selected == Some(tree_row.node());
        let mark = match tree_row {
            Row::Run(_, _, run) if state.jobs.marks.has(run.attempt.job) => "*",
            Row::Run(..) | Row::Agent(_) | Row::Device(..) => " ",
        };
        let cells = match tree_row {
            Row::Agent(agent) => agent_cells(state, agent, widths[0], now),
            Row::Device(agent, device) => device_cells(state, agent, device, widths[0]),
            Row::Run(_, _, run) => run_cells(run, ids, &widths, glyphs),
        };
        let mut line = Line::new(if selected { ">" } else { " " }).with(Role::Plain, mark);
        line.extend(row(&COLUMNS, &widths, cells));
        line.selected = selected;
        line.hit = Some(Hit::Row(at as u64));
        lines.push(line);
    }
    lines
}

/// `+` folded, `-` open.
fn fold_mark(state: &State, node: Node) -> &'static str {
    match (state.look.glyphs, state.overview.folded.contains(&node)) {
        (Glyphs::Ascii, false) => "-",
        (Glyphs::Ascii, true) => "+",
        (Glyphs::Unicode, false) => "▾",
        (Glyphs::Unicode, true) => "▸",
    }
}

fn agent_cells(state: &State, agent: &AgentView, columns: usize, now: Millis) -> [Line; 7] {
    let glyphs = state.look.glyphs;
    let (word, role) = match agent.state {
        AgentState::Ok => ("ok", Role::Good),
        AgentState::Suspect => ("silent", Role::Odd),
        AgentState::Offline => ("OFFLINE", Role::Bad),
        AgentState::Draining => ("draining", Role::Odd),
    };
    let mut name = format!("{} {}", fold_mark(state, Node::Agent(agent.id)), agent.name);
    if columns >= 34 {
        let rtt = agent.rtt_us.map(|us| format!("  {:.1} ms", us as f64 / 1000.0)).unwrap_or_default();
        name += &format!("   {}{rtt}", agent.address);
    }
    let runs = || agent.devices.iter().flat_map(|d| &d.runs);
    let slots: usize = agent.devices.iter().map(|d| usize::from(d.slots)).sum();
    let busy: usize = agent.devices.iter().map(busy_slots).sum();
    let quiet = matches!(agent.state, AgentState::Offline | AgentState::Suspect);
    let jobs = runs().count() as u64;
    let unsure = runs().filter(|r| r.unsure).count() as u64;
    let silent =
        agent.silent_ms.map(|ms| ms + if state.active() { now.saturating_sub(state.heard) } else { 0 });
    let progress = match agent.state {
        AgentState::Ok if !agent.unproven.is_empty() && busy == 0 => {
            words::some(agent.unproven.len() as u64, "folder") + " unproven"
        }
        AgentState::Ok => format!("{busy}/{slots} busy"),
        AgentState::Suspect if jobs > 0 && unsure == 0 => format!("{busy}/{slots} busy"),
        AgentState::Draining => format!("{} left", words::some(jobs, "job")),
        AgentState::Suspect | AgentState::Offline if jobs > 0 => {
            format!("{} unsure", words::some(jobs, "job"))
        }
        AgentState::Suspect | AgentState::Offline => "no jobs".into(),
    };
    let sum = |of: fn(&Progress) -> f32| if quiet { 0.0 } else { runs().map(|r| of(&r.progress)).sum() };
    let since = silent.filter(|_| quiet).map(|ms| words::length(ms / 1000)).unwrap_or_default();
    [
        Line::new(cut(&name, columns, glyphs)),
        Line::default(),
        Line::role(role, word),
        Line::new(progress),
        Line::new(words::fps(sum(|p| p.fps))),
        Line::new(words::speed(sum(|p| p.speed))),
        Line::new(since),
    ]
}

fn device_cells(state: &State, agent: &AgentView, device: &DeviceView, columns: usize) -> [Line; 7] {
    let node = Node::Device(agent.id, device.id);
    let name = format!(" {} {}", fold_mark(state, node), device.name);
    let quiet = matches!(agent.state, AgentState::Offline | AgentState::Suspect);
    let sum = |of: fn(&Progress) -> f32| match quiet {
        true => 0.0,
        false => device.runs.iter().map(|r| of(&r.progress)).sum(),
    };
    [
        Line::new(cut(&name, columns, state.look.glyphs)),
        Line::default(),
        if quiet { Line::default() } else { Line::role(Role::Good, "ok") },
        Line::new(format!("{}/{} busy", busy_slots(device), device.slots)),
        Line::new(words::fps(sum(|p| p.fps))),
        Line::new(words::speed(sum(|p| p.speed))),
        Line::default(),
    ]
}

fn run_cells(run: &RunView, ids: usize, widths: &[usize; 7], glyphs: Glyphs) -> [Line; 7] {
    let progress = run.progress;
    let head = format!("  {:<ids$} ", run.attempt.job.to_string());
    let name = FilePath(run.source.file_name().to_vec()).shown();
    let name = cut_name(&name, widths[0].saturating_sub(head.len()), glyphs);
    let (state, role) = if run.unsure { ("unsure", Role::Odd) } else { phase_word(progress.phase) };
    let known = |shown: String| Line::new(if run.unsure { "-".into() } else { shown });
    [
        Line::new(head + &name),
        Line::new(cut(&run.profile, widths[1], glyphs)),
        Line::role(role, state),
        progress_cell(&progress, widths[3], role, glyphs),
        known(words::fps(progress.fps)),
        known(words::speed(progress.speed)),
        known(progress.eta_s.map_or("-".into(), |s| words::clock_left(u64::from(s)))),
    ]
}

pub(super) fn phase_word(phase: Phase) -> (&'static str, Role) {
    let role = match phase {
        Phase::Waiting => Role::Plain,
        Phase::Fetching | Phase::Encoding => Role::Busy,
        Phase::Verifying | Phase::Committing => Role::Good,
    };
    (phase.word(), role)
}

/// `[######----] 64%`
fn progress_cell(progress: &Progress, columns: usize, role: Role, glyphs: Glyphs) -> Line {
    if progress.phase == Phase::Waiting {
        return Line::default();
    }
    let share = format!(" {:>3}%", progress.permille.min(1000) / 10);
    let bar = chart::bar(progress.permille, columns.saturating_sub(share.len()), glyphs);
    Line::role(role, bar).with(Role::Plain, share)
}

fn need_line(need: &Need, columns: usize, glyphs: Glyphs) -> Line {
    let mut line = Line::new(" ! ").with(Role::Bad, format!("{:<8}", cut(&need.kind, 8, glyphs)));
    let what = cut(&need.what, columns / 6, glyphs);
    line.push(Role::Plain, format!("{what:<10} "));
    let ids: Vec<String> = need.jobs.iter().take(3).map(|id| format!("#{id}")).collect();
    let ids = if columns >= WIDE { ids.join(" ") } else { String::new() };
    let room = columns.saturating_sub(line.width() + width(&ids) + 2);
    line.push(Role::Plain, cut(&need.text, room, glyphs));
    line.pad_to(columns.saturating_sub(width(&ids) + 1)).push(Role::Plain, ids);
    line
}

/// What a new farm shows in place of an empty tree.
fn first_steps(state: &State) -> Vec<Line> {
    let steps: &[&str] = match state.mode {
        Mode::Convert => &["", "  Starting the agent of this machine."],
        Mode::Attach => &[
            "",
            "  No agents yet. Three steps:",
            "  1  here:                `vc-console token create`    prints a line to paste",
            "  2  on each other box:   `vc-agent join LINE`         then `vc-agent run`",
            "  3  here:                `vc-console add ~/Videos --out ~/converted`",
        ],
    };
    steps.iter().map(|step| Line::new(*step)).collect()
}
