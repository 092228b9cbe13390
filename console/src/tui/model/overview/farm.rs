//! The farm as a whole: what is done, what is left, how fast it goes.

use vc_protocol::job::JobState;
use vc_protocol::operator::{FarmTotals, Need, Snapshot};

use super::super::chart;
use super::super::text::{Line, Role, rule, section, section_with, width};
use super::super::{state_role, words};
use super::WIDE;
use crate::tui::look::Glyphs;
use crate::tui::state::{Millis, State};

/// States in the order in which they are told.
const BY_URGENCY: [JobState; 7] = [
    JobState::Pending,
    JobState::Running,
    JobState::Failed,
    JobState::Completed,
    JobState::Skipped,
    JobState::Held,
    JobState::Cancelled,
];

/// Title and figures; the speed of the last hour beside them where there is room.
pub(super) fn lines(state: &State, snapshot: &Snapshot, columns: usize, now: Millis) -> Vec<Line> {
    let totals = &snapshot.totals;
    let glyphs = state.look.glyphs;
    let eta = state.overview.etas.farm();
    if columns < WIDE {
        return vec![
            title(state, snapshot, columns),
            counts(totals, &BY_URGENCY, Usual::Few, columns),
            share(totals, columns.min(90) * 2 / 5, &left_of(totals, eta), glyphs),
            speeds(totals, columns, glyphs),
            fitting(&[&saved(totals), &video_left(totals), &disk(totals)], columns),
        ];
    }
    let left_columns = columns * 11 / 20;
    let right_columns = columns - left_columns - 2;
    let mut third = counts(totals, &BY_URGENCY[3..], Usual::Most, left_columns);
    if let Some((least, most)) = range(totals) {
        let text = format!("   ETA range {}-{}", words::length(least), words::length(most));
        if third.width() + width(&text) <= left_columns {
            third.push(Role::Plain, text);
        }
    }
    let full = totals.output_full_s.map(|s| format!(" ({} at this rate)", words::roughly(s)));
    let mut left = vec![
        title(state, snapshot, left_columns),
        share(totals, left_columns * 7 / 10, &eta_words(eta), glyphs),
        counts(totals, &BY_URGENCY[..3], Usual::Most, left_columns),
        third,
        fitting(&[&saved(totals), &video_left(totals)], left_columns),
        fitting(&[&(disk(totals) + &full.unwrap_or_default()), &table(totals)], left_columns),
    ];
    let right = speed_chart(state, totals, right_columns, now);
    for (line, part) in left.iter_mut().zip(right) {
        line.fit(left_columns).push(Role::Plain, "  ");
        line.extend(part);
    }
    left
}

/// What stops the farm stands in the title; else what it did today.
fn title(state: &State, snapshot: &Snapshot, columns: usize) -> Line {
    let glyphs = state.look.glyphs;
    let totals = &snapshot.totals;
    // The same kind also tells that no agent is there, and then counts jobs.
    let is_report = |need: &&Need| need.kind == "agents" && need.what.contains("agent");
    let reporting = snapshot.needs.iter().find(is_report);
    let (role, text) = if let Some(why) = &snapshot.halted {
        (Role::Bad, format!("HALTED: {why}"))
    } else if let Some(paused) = &snapshot.paused {
        let since = words::time(paused.since_ms, &state.look.zone);
        let why = match (paused.who.as_str(), paused.why.as_str()) {
            ("", "") => String::new(),
            ("", why) => format!(": {why}"),
            (who, "") => format!(" by {who}"),
            (who, why) => format!(" by {who}: {why}"),
        };
        (Role::Odd, format!("PAUSED since {}{why}, P goes on", since.get(..5).unwrap_or_default()))
    } else if let Some(need) = reporting {
        (Role::Odd, format!("waiting for {} to report", need.what))
    } else if totals.today_jobs > 0 {
        let saved = u64::try_from(totals.today_saved).ok().filter(|saved| *saved > 0);
        let saved = saved.map(|saved| format!(", {} saved", words::bytes(saved))).unwrap_or_default();
        (Role::Plain, format!("today {}{saved}", words::some(totals.today_jobs, "job")))
    } else {
        return section("Farm", "", columns, glyphs);
    };
    section_with("Farm", (role, &text), columns, glyphs)
}

/// How many states are told although no job is in them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Usual {
    Few,
    Most,
}

/// ` pending 18,208 (4 to retry)  running 23  …`; what is zero and unusual is left out, and so is what does not fit.
fn counts(totals: &FarmTotals, states: &[JobState], usual: Usual, columns: usize) -> Line {
    let gap = if usual == Usual::Few { "  " } else { "   " };
    let mut line = Line::new(" ");
    for state in states {
        let n = totals.by_state[*state as usize];
        let always = match state {
            JobState::Pending | JobState::Running | JobState::Failed | JobState::Completed => true,
            JobState::Skipped | JobState::Held => usual == Usual::Most,
            JobState::Cancelled => false,
        };
        if n == 0 && !always {
            continue;
        }
        let shown = if *state == JobState::Running { n.saturating_sub(totals.unsure) } else { n };
        let role = if n > 0 { state_role(*state) } else { Role::Plain };
        let mut part = Line::role(role, state.word()).with(Role::Plain, format!(" {}", words::count(shown)));
        if *state == JobState::Pending && totals.to_retry > 0 {
            part.push(Role::Plain, format!(" ({} to retry)", words::count(totals.to_retry)));
        }
        if *state == JobState::Running && totals.unsure > 0 {
            part.push(Role::Plain, gap).push(Role::Odd, "unsure");
            part.push(Role::Plain, format!(" {}", words::count(totals.unsure)));
        }
        if line.width() > 1 {
            part.spans.insert(0, (Role::Plain, gap.into()));
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
fn share(totals: &FarmTotals, bar_columns: usize, eta: &str, glyphs: Glyphs) -> Line {
    let permille = totals.permille.min(1000);
    Line::new(" ")
        .with(Role::Good, chart::bar(permille, bar_columns, glyphs))
        .with(Role::Plain, format!(" {}.{}%   ETA {eta}", permille / 10, permille % 10))
}

/// `~9h40m`; `-` until it is known.
fn eta_words(eta: Option<u64>) -> String {
    eta.map_or("-".into(), |seconds| format!("~{}", words::length(seconds)))
}

/// The same with its range.
fn left_of(totals: &FarmTotals, eta: Option<u64>) -> String {
    let range = range(totals).filter(|_| eta.is_some());
    let range = range.map(|range| format!(" ({})", words::range(range))).unwrap_or_default();
    eta_words(eta) + &range
}

/// Least and most, where the most is known.
fn range(totals: &FarmTotals) -> Option<(u64, u64)> {
    totals.eta_range_s.filter(|(least, most)| least <= most)
}

fn speeds(totals: &FarmTotals, columns: usize, glyphs: Glyphs) -> Line {
    let head = format!(" speed {}   {} fps   ", words::speed(totals.speed), words::fps(totals.fps));
    let tail = format!("   60 min, peak {}", peak(totals));
    let room = columns.saturating_sub(width(&head) + width(&tail)).min(60);
    let spark = chart::spark(&totals.speed_minutes, room, glyphs);
    Line::new(head).with(Role::Busy, spark).with(Role::Plain, tail)
}

/// The fastest minute, or the present speed, which is no minute yet.
fn peak(totals: &FarmTotals) -> String {
    let tenths = totals.speed_minutes.iter().copied().max().unwrap_or(0);
    words::speed((tenths as f32 / 10.0).max(totals.speed))
}

/// What the highest column of the chart stands for.
fn scale(totals: &FarmTotals) -> String {
    words::speed(totals.speed_minutes.iter().copied().max().unwrap_or(0) as f32 / 10.0)
}

/// `~3,964 h of video left`, told from the video converted so far; `-` while that says nothing although jobs wait.
fn video_left(totals: &FarmTotals) -> String {
    let waiting = totals.by_state[JobState::Pending as usize] + totals.by_state[JobState::Running as usize];
    match totals.media_left_ms / 1000 {
        0 if waiting == 0 => String::new(),
        0 => "- of video left".into(),
        s if s < 3600 => format!("~{} of video left", words::length(s)),
        s => format!("~{} h of video left", words::count(s / 3600)),
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

fn table(totals: &FarmTotals) -> String {
    if totals.table_bytes == 0 {
        return String::new();
    }
    format!("job table {}", words::bytes(totals.table_bytes))
}

/// Title, three rows of columns, axis and times: as many lines as the farm's counts beside it, and no more.
fn speed_chart(state: &State, totals: &FarmTotals, columns: usize, now: Millis) -> Vec<Line> {
    const ROWS: usize = 3;
    let glyphs = state.look.glyphs;
    let speed = format!("{} fps  {}", words::fps(totals.fps), words::speed(totals.speed));
    let mut lines = vec![section("Speed, last 60 min", &speed, columns, glyphs)];
    let label = scale(totals);
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
        let time = words::time(state.wall_ms(now).saturating_sub(minutes * 60_000), &state.look.zone);
        time.get(..5).unwrap_or_default().to_owned()
    };
    let mut axis = Line::default();
    axis.pad_to(margin + 1).push(Role::Plain, at(60));
    axis.pad_to(margin + 1 + inner / 2 - 2).push(Role::Plain, at(30));
    axis.pad_to(columns.saturating_sub(5)).push(Role::Plain, at(0));
    lines.push(axis);
    lines
}
