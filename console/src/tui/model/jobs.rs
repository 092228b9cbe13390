//! The jobs table in words: only the rows in sight.

use vc_protocol::job::JobState;
use vc_protocol::operator::{JobRow, SortBy};
use vc_protocol::progress::{Phase, Progress};

use super::super::look::Glyphs;
use super::super::state::jobs::top;
use super::super::state::mouse::Hit;
use super::super::state::overview::runs;
use super::super::state::{Millis, State};
use super::table::{Align, Column, fixed, growing, heads, row, scrolled, scrolled_max, widths};
use super::text::{Line, Role, clean, cut, cut_name, head, section};
use super::{state_role, words};

const COLUMNS: [Column; 14] = [
    fixed("ID", Align::Left, 7, 20),
    fixed("STATE", Align::Left, 9, 19),
    fixed("PRI", Align::Right, 3, 10),
    growing("FILE", (19, 80), 3, 255),
    growing("PROFILE", (10, 14), 1, 13),
    growing("WHERE", (9, 20), 0, 14),
    fixed("TRY", Align::Left, 3, 12),
    fixed("SIZE", Align::Right, 5, 6),
    fixed("OUT", Align::Right, 5, 5),
    fixed("SPEED", Align::Right, 6, 8),
    fixed("ETA", Align::Right, 7, 7),
    fixed("AGE", Align::Right, 6, 3),
    fixed("UPDATED", Align::Right, 7, 11),
    growing("CAUSE", (9, 40), 1, 4),
];
/// Stay when the others are scrolled away.
const PINNED: [usize; 2] = [0, 3];

/// Columns that can be scrolled away.
pub(super) fn column_max(columns: usize) -> usize {
    scrolled_max(&COLUMNS, &PINNED, columns.saturating_sub(2))
}

pub(super) fn body(state: &State, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let jobs = &state.jobs;
    let mut lines = vec![title(state, columns)];
    let shown = scrolled(&COLUMNS, &PINNED, jobs.column.min(column_max(columns)));
    let widths = widths(&shown, columns.saturating_sub(2));
    let mut titles = Line::new("  ");
    titles.extend(heads(&shown, &widths));
    lines.push(titles);
    let room = rows.saturating_sub(3);
    let (count, wall) = (jobs.count(), state.wall_ms(now));
    let first = top(jobs.at, count, room as u64);
    for at in first..count.min(first + room as u64) {
        let selected = at == jobs.at;
        let found = jobs.window.as_ref().and_then(|w| w.row(at));
        let marked = found.is_some_and(|r| jobs.marks.has(r.id));
        let mut line = Line::new(match (selected, marked) {
            (true, true) => ">*",
            (true, false) => "> ",
            (false, true) => "* ",
            (false, false) => "  ",
        });
        if let Some(job) = found {
            line.extend(row(&shown, &widths, cells(state, job, &widths, wall)));
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
    lines.push(cause_line(state, columns, wall));
    lines
}

/// Why no row is there.
fn nothing(state: &State) -> String {
    let jobs = &state.jobs;
    if let Some(refused) = &jobs.refused {
        return refused.clone();
    }
    match &jobs.window {
        None => "asking the server".into(),
        Some(_) if jobs.searching() => "none so far; esc ends the search".into(),
        Some(_) if jobs.stopped => "none up to where the search was ended".into(),
        Some(_) if jobs.filter.is_all() => {
            "No jobs yet: `vc-console add FOLDER --out FOLDER` adds some.".into()
        }
        Some(_) => "No job fits the filter; esc clears it.".into(),
    }
}

/// `-- 2 Jobs  is:failed "ep_"  4 of 60,114 ------ by updated v --`
fn title(state: &State, columns: usize) -> Line {
    let glyphs = state.look.glyphs;
    let jobs = &state.jobs;
    let filter = head(&clean(&jobs.filter_text, glyphs), columns / 2);
    let left = if filter.is_empty() { "2 Jobs".into() } else { format!("2 Jobs  {filter}") };
    let range = if jobs.ranging() { "  range: v ends it" } else { "" };
    section(&format!("{left}  {}{range}", hits(state)), &order(state), columns, glyphs)
}

/// `4 of 60,114`; while a search goes on also how far it is.
fn hits(state: &State) -> String {
    let jobs = &state.jobs;
    let all: u64 = state.snapshot.as_ref().map_or(0, |s| s.totals.by_state.iter().sum());
    let Some(window) = &jobs.window else { return "-".into() };
    let count = words::count(window.count());
    if let Some(scanned) = window.page.scanned {
        let far = format!("{} of {}", words::count_tight(scanned.seen), words::count_tight(scanned.of));
        let (more, end) = match (jobs.searching(), jobs.stopped) {
            (true, _) => ("", ", esc stops"),
            (false, true) => ("", ", stopped"),
            (false, false) if window.page.total.is_none() => (" or more", ""),
            (false, false) => ("", ""),
        };
        return format!("{count}{more}, scanned {far}{end}");
    }
    match window.page.total {
        None if window.page.more => format!("{count} or more"),
        Some(_) | None if jobs.filter.is_all() => count,
        Some(_) | None => format!("{count} of {}", words::count(all.max(jobs.count()))),
    }
}

/// `by updated v`: the arrow points to where the values go down.
fn order(state: &State) -> String {
    let sort = state.jobs.sort;
    let falls = matches!(sort.by, SortBy::Priority | SortBy::Retries | SortBy::Updated | SortBy::Size);
    let arrow = match (falls != sort.reversed, state.look.glyphs) {
        _ if sort == Default::default() => "",
        (true, Glyphs::Ascii) => " v",
        (true, Glyphs::Unicode) => " ↓",
        (false, Glyphs::Ascii) => " ^",
        (false, Glyphs::Unicode) => " ↑",
    };
    format!("by {}{arrow}", sort.by.word())
}

fn cells(state: &State, job: &JobRow, widths: &[usize; 14], wall: i64) -> [Line; 14] {
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
    let eta = state.overview.etas.job(job.id).filter(|_| live.is_some() && !job.unsure);
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
        Line::new(eta.map_or("-".into(), left)),
        Line::new(age(job, wall)),
        Line::new(updated(state, job, wall)),
        Line::new(cut(&job.cause, widths[13], glyphs)),
    ]
}

/// Where a running job stands, from the snapshot if it is there.
pub(super) fn live(state: &State, job: &JobRow) -> Option<Progress> {
    if job.state != JobState::Running {
        return None;
    }
    let mut found = state.snapshot.iter().flat_map(|s| runs(s)).map(|(_, _, run)| run);
    found.find(|run| run.attempt.job == job.id).map(|run| run.progress).or(job.progress)
}

/// `0:01:53`, `12h04m`
fn left(seconds: u64) -> String {
    if seconds < 36_000 { words::clock_left(seconds) } else { words::length(seconds) }
}

/// Since when it is known.
fn age(job: &JobRow, wall: i64) -> String {
    match u64::try_from(wall.saturating_sub(job.created_ms)) {
        Ok(ms) if job.created_ms > 0 => words::length(ms / 1000),
        Ok(_) | Err(_) => "-".into(),
    }
}

/// The last change, or how long until a retry or since the last word.
fn updated(state: &State, job: &JobRow, wall: i64) -> String {
    let left = |at: i64| u64::try_from(at.saturating_sub(wall)).unwrap_or(0).div_ceil(1000);
    let silent = || {
        let mut found = state.snapshot.iter().flat_map(|s| runs(s));
        let (agent, ..) = found.find(|(_, _, run)| run.attempt.job == job.id)?;
        let told = state.snapshot.as_ref().map_or(wall, |s| s.now_ms);
        let since = u64::try_from(wall.saturating_sub(told)).unwrap_or(0);
        Some(agent.silent_ms?.saturating_add(since) / 1000)
    };
    match job.not_before_ms {
        Some(at) if job.state == JobState::Pending && at > wall => format!("in {}", words::minutes(left(at))),
        Some(_) | None if job.unsure => silent().map_or("-".into(), words::length),
        Some(_) | None => words::time_or_day(job.updated_ms, wall, &state.look.zone),
    }
}

/// What the columns cannot show of the job under the cursor: its whole cause, or how far it is.
fn cause_line(state: &State, columns: usize, wall: i64) -> Line {
    let glyphs = state.look.glyphs;
    let Some(job) = state.jobs.row() else { return Line::default() };
    let live = live(state, job);
    let percent = live.map(|p| format!("{} {}%", p.phase.word(), p.permille.min(1000) / 10));
    if live.is_some_and(|p| p.phase == Phase::Waiting) && !job.unsure {
        let text = format!(" #{} waits for a slot of {}", job.id, job.place);
        return Line::new(cut(&text, columns, glyphs));
    }
    // A cancelled job has no other cause than that it was.
    let text = match (job.cause.is_empty() || job.cause == job.state.word(), percent) {
        (false, _) => job.cause.clone(),
        (true, Some(percent)) if job.unsure => {
            format!("last heard {} ago: {percent}", updated(state, job, wall))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_can_be_scrolled_into_sight() {
        for columns in [60, 80, 120, 200] {
            let mut seen = [false; COLUMNS.len()];
            for away in 0..=column_max(columns) {
                let widths = widths(&scrolled(&COLUMNS, &PINNED, away), columns - 2);
                assert!(PINNED.iter().all(|at| widths[*at] > 0), "{columns} {away}");
                for (seen, width) in seen.iter_mut().zip(widths) {
                    *seen |= width > 0;
                }
            }
            assert!(seen.iter().all(|seen| *seen), "{columns}: {seen:?}");
        }
    }
}
