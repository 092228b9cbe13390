//! The jobs table in words: only the rows in sight.

use vc_protocol::job::JobState;
use vc_protocol::operator::JobRow;
use vc_protocol::progress::{Phase, Progress};

use super::super::state::jobs::top;
use super::super::state::mouse::Hit;
use super::super::state::{Millis, State};
use super::table::{Align, Column, fixed, growing, heads, row, widths};
use super::text::{Line, Role, clean, cut, cut_name, head, section};
use super::{state_role, words};

const COLUMNS: [Column; 13] = [
    fixed("ID", Align::Left, 7, 20),
    fixed("STATE", Align::Left, 9, 19),
    fixed("PRI", Align::Right, 3, 10),
    growing("FILE", (19, 80), 3, 255),
    growing("PROFILE", (12, 14), 0, 13),
    growing("WHERE", (9, 20), 0, 14),
    fixed("TRY", Align::Left, 3, 12),
    fixed("SIZE", Align::Right, 5, 6),
    fixed("OUT", Align::Right, 5, 5),
    fixed("SPEED", Align::Right, 6, 8),
    fixed("ETA", Align::Right, 8, 7),
    fixed("UPDATED", Align::Right, 7, 11),
    growing("CAUSE", (10, 40), 1, 4),
];

pub(super) fn body(state: &State, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let jobs = &state.jobs;
    let mut lines = vec![title(state, columns)];
    let widths = widths(&COLUMNS, columns.saturating_sub(2));
    let mut titles = Line::new("  ");
    titles.extend(heads(&COLUMNS, &widths));
    lines.push(titles);
    let room = rows.saturating_sub(3);
    let (count, wall) = (jobs.count(), state.wall_ms(now));
    let first = top(jobs.at, count, room as u64);
    for at in first..count.min(first + room as u64) {
        let selected = at == jobs.at;
        let found = jobs.window.as_ref().and_then(|w| w.row(at));
        let mark = if found.is_some_and(|r| jobs.marks.has(r.id)) { "*" } else { " " };
        let mut line = Line::new(if selected { ">" } else { " " }).with(Role::Plain, mark);
        if let Some(job) = found {
            line.extend(row(&COLUMNS, &widths, cells(state, job, &widths, wall)));
        }
        line.selected = selected;
        line.hit = Some(Hit::Row(at));
        lines.push(line);
    }
    if count == 0 {
        lines.push(Line::default());
        lines.push(Line::new(format!("  {}", cut(&nothing(state), columns.saturating_sub(2), glyphs))));
    }
    lines.resize(rows.saturating_sub(1), Line::default());
    lines.push(cause_line(state, columns));
    lines
}

/// Why no row is there.
fn nothing(state: &State) -> String {
    if let Some(refused) = &state.jobs.refused {
        return refused.clone();
    }
    match &state.jobs.window {
        None => "asking the server".into(),
        Some(_) if state.jobs.filter_text.is_empty() => {
            "No jobs yet: `vc-console add FOLDER --out FOLDER` adds some.".into()
        }
        Some(_) => "No job fits the filter; esc clears it.".into(),
    }
}

fn title(state: &State, columns: usize) -> Line {
    let glyphs = state.look.glyphs;
    let all: u64 = state.snapshot.as_ref().map_or(0, |s| s.totals.by_state.iter().sum());
    let shown = match &state.jobs.window {
        None => "-".into(),
        Some(w) if w.page.total.is_none() && w.page.more => format!("{} or more", words::count(w.count())),
        Some(w) => words::count(w.count()),
    };
    let count = if state.jobs.filter_text.is_empty() {
        shown
    } else {
        format!("{shown} of {}", words::count(all.max(state.jobs.count())))
    };
    let filter = clean(&state.jobs.filter_text, glyphs);
    let filter = head(&filter, columns / 2);
    let left = if filter.is_empty() { "2 Jobs".into() } else { format!("2 Jobs  {filter}") };
    section(&format!("{left}  {count}"), "", columns, glyphs)
}

fn cells(state: &State, job: &JobRow, widths: &[usize; 13], wall: i64) -> [Line; 13] {
    let glyphs = state.look.glyphs;
    // The snapshot is newer than the page.
    let live = live(state, job);
    let running = |show: fn(&Progress) -> String| {
        Line::new(live.filter(|_| !job.unsure).map_or("-".into(), |p| show(&p)))
    };
    let (word, role) = match live {
        _ if job.unsure => ("unsure", Role::Odd),
        // On its agent, but not in a slot: "running" would promise too much.
        Some(Progress { phase: phase @ Phase::Waiting, .. }) => super::overview::phase_word(phase),
        Some(_) | None => (job.state.word(), state_role(job.state)),
    };
    let bytes = |n: u64| Line::new(if n == 0 { "-".into() } else { words::bytes_tight(n) });
    let out = if job.bytes_out > 0 { job.bytes_out } else { live.map_or(0, |p| p.out_bytes) };
    let place = if job.place.is_empty() { "-".into() } else { cut(&job.place, widths[5], glyphs) };
    [
        Line::new(job.id.to_string()),
        Line::role(role, word),
        Line::new(job.priority.0.to_string()),
        Line::new(cut_name(&job.source.shown(), widths[3], glyphs)),
        Line::new(cut(&job.profile, widths[4], glyphs)),
        Line::new(place),
        Line::new(format!("{}/{}", job.retries, job.retries_max)),
        bytes(job.bytes_in),
        bytes(out),
        running(|p| words::speed(p.speed)),
        running(|p| p.eta_s.map_or("-".into(), |s| words::clock_left(u64::from(s)))),
        Line::new(updated(state, job, wall)),
        Line::new(cut(&job.cause, widths[12], glyphs)),
    ]
}

/// Where a running job stands, from the snapshot if it is there.
pub(super) fn live(state: &State, job: &JobRow) -> Option<Progress> {
    let agents = state.snapshot.iter().flat_map(|s| &s.agents);
    let mut runs = agents.flat_map(|a| &a.devices).flat_map(|d| &d.runs);
    let found = runs.find(|r| r.attempt.job == job.id).map(|r| r.progress);
    found.or(job.progress).filter(|_| job.state == JobState::Running)
}

/// The last change, or how long until a retry or since the last word.
fn updated(state: &State, job: &JobRow, wall: i64) -> String {
    let left = |at: i64| u64::try_from(at.saturating_sub(wall)).unwrap_or(0).div_ceil(1000);
    match job.not_before_ms {
        Some(at) if job.state == JobState::Pending && at > wall => format!("in {}", words::minutes(left(at))),
        Some(_) | None => words::time_or_day(job.updated_ms, wall, &state.look.zone),
    }
}

/// The whole cause of the job under the cursor, which its column cannot show.
fn cause_line(state: &State, columns: usize) -> Line {
    let glyphs = state.look.glyphs;
    let Some(job) = state.jobs.row() else { return Line::default() };
    let percent = live(state, job).map(|p| format!("{} {}%", p.phase.word(), p.permille.min(1000) / 10));
    if live(state, job).is_some_and(|p| p.phase == Phase::Waiting) && !job.unsure {
        let text = format!(" #{} waits for a slot of {}", job.id, job.place);
        return Line::new(cut(&text, columns, glyphs));
    }
    // A cancelled job has no other cause than that it was.
    let text = match (job.cause.is_empty() || job.cause == job.state.word(), percent) {
        (false, _) => job.cause.clone(),
        (true, Some(percent)) => percent,
        (true, None) => return Line::default(),
    };
    let word = if job.unsure { "unsure" } else { job.state.word() };
    let class = job.class.map(|c| format!(" ({})", c.word())).unwrap_or_default();
    let mut line = Line::new(format!(" #{} ", job.id));
    line.push(state_role(job.state), word).push(Role::Plain, format!("{class}: "));
    let room = columns.saturating_sub(line.width());
    line.push(Role::Plain, cut(&text, room, glyphs));
    line
}
