//! One job in words: its tabs.

use vc_protocol::job::JobState;
use vc_protocol::operator::{AttemptView, JobDetail};
use vc_protocol::path::FilePath;
use vc_protocol::progress::{Phase, Progress};

use super::super::look::Glyphs;
use super::super::state::State;
use super::super::state::detail::{Detail, Tab};
use super::jobs::live;
use super::table::{Align, Column, fixed, growing, heads, row, widths};
use super::text::{Line, Role, cut, cut_name, section, width, wrap};
use super::{chart, state_role, words};

/// From this width on log and command stand side by side in the summary.
const WIDE: usize = 110;
/// Title and tabs.
const HEAD_ROWS: usize = 2;
/// What an encode passes through, in order.
const PHASES: [Phase; 4] = [Phase::Fetching, Phase::Encoding, Phase::Verifying, Phase::Committing];

const ATTEMPTS: [Column; 7] = [
    fixed("NO", Align::Right, 3, 20),
    growing("WHERE", (10, 24), 1, 15),
    growing("ENCODER", (10, 16), 1, 10),
    fixed("STARTED", Align::Left, 8, 8),
    fixed("LENGTH", Align::Right, 7, 9),
    growing("ENDED", (9, 14), 1, 18),
    growing("CAUSE", (16, 200), 4, 255),
];

pub(super) fn body(state: &State, open: &Detail, columns: usize, rows: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let mut lines = vec![title(open, columns, glyphs), tab_line(open, columns)];
    let room = rows.saturating_sub(HEAD_ROWS);
    let all = tab_lines(state, open, columns, room);
    let max = all.len().saturating_sub(room);
    let scroll = open.scroll.min(max);
    let skip = if open.tab == Tab::Log { max - scroll } else { scroll };
    lines.extend(all.into_iter().skip(skip).take(room));
    lines
}

pub(super) fn scroll_max(state: &State, open: &Detail, columns: usize, rows: usize) -> usize {
    let room = rows.saturating_sub(HEAD_ROWS);
    tab_lines(state, open, columns, room).len().saturating_sub(room)
}

/// All lines of the open tab; `room` is what the summary shares out.
fn tab_lines(state: &State, open: &Detail, columns: usize, room: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let Some(data) = &open.data else {
        let text = open.refused.clone().unwrap_or_else(|| "asking the server".into());
        return vec![
            Line::default(),
            Line::new(format!("  {}", cut(&text, columns.saturating_sub(2), glyphs))),
        ];
    };
    match open.tab {
        Tab::Summary => summary(state, data, columns, room),
        Tab::Log => log(data, columns, glyphs),
        Tab::Command => commands(data, columns, glyphs),
        Tab::Attempts => attempts(state, data, columns),
    }
}

/// ` #41902 tv/s04/ep_0417.mkv -> out/s04/ep_0417.mkv  attempt 1, retries 0/3, pri 5`
fn title(open: &Detail, columns: usize, glyphs: Glyphs) -> Line {
    let mut line = Line::new(" ").with(Role::Strong, format!("#{}", open.job));
    let Some(data) = &open.data else { return line };
    let row = &data.row;
    let attempt = data.attempts.first().map(|a| format!("attempt {}, ", a.no)).unwrap_or_default();
    let facts = format!("  {attempt}retries {}/{}, pri {}", row.retries, row.retries_max, row.priority.0);
    let arrow = if glyphs == Glyphs::Unicode { " → " } else { " -> " };
    let room = columns.saturating_sub(line.width() + 1 + width(&facts) + width(arrow));
    let output = FilePath(data.output.file_name().to_vec()).shown();
    let output = cut_name(&output, room / 3, glyphs);
    let source = cut_name(&row.source.shown(), room.saturating_sub(width(&output)), glyphs);
    line.push(Role::Plain, format!(" {source}{arrow}{output}{facts}"));
    line
}

fn tab_line(open: &Detail, columns: usize) -> Line {
    let mut line = Line::default();
    for tab in Tab::ALL {
        if tab == open.tab {
            line.push(Role::Strong, format!("[{}]", tab.word()));
        } else {
            line.push(Role::Plain, format!(" {} ", tab.word()));
        }
    }
    line.pad_to(columns.saturating_sub(9)).push(Role::Plain, "[ ] tabs");
    line
}

fn summary(state: &State, data: &JobDetail, columns: usize, room: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let row = &data.row;
    let mut lines = Vec::new();
    match live(state, row) {
        Some(progress) => lines.extend(moving(data, &progress, columns, glyphs)),
        None => lines.push(standing(data, columns, glyphs)),
    }
    let fact = |name: &str, text: String| {
        Line::new(format!(" {name:<8}{}", cut(&text, columns.saturating_sub(9), glyphs)))
    };
    let length = if data.media_ms > 0 {
        format!("  {}", words::clock_left(data.media_ms / 1000))
    } else {
        String::new()
    };
    lines.push(path_fact(
        "source",
        &data.source,
        &format!("{length}  {}", words::bytes(row.bytes_in)),
        columns,
        glyphs,
    ));
    let size = if row.bytes_out > 0 { format!("  {}", words::bytes(row.bytes_out)) } else { String::new() };
    lines.push(path_fact("output", &data.output, &size, columns, glyphs));
    let encoder = if data.encoder.is_empty() { String::new() } else { format!("{} ", data.encoder) };
    let place =
        if row.place.is_empty() { "not started".into() } else { format!("{encoder}on {}", row.place) };
    lines.push(fact("how", format!("{}, {place}", row.profile)));
    let zone = &state.look.zone;
    let now = state.snapshot.as_ref().map_or(row.updated_ms, |s| s.now_ms);
    let mut dates = format!("added {}", words::time_or_day(data.created_ms, now, zone));
    dates += &format!(", last change {}", words::time(row.updated_ms, zone));
    if row.state == JobState::Completed && data.seconds.is_finite() && data.seconds > 0.0 {
        dates += &format!(", took {}", words::length(data.seconds as u64));
    }
    lines.push(fact("when", dates));
    for warning in data.warnings.iter().take(3) {
        lines.push(fact("warning", warning.clone()));
    }
    let left = room.saturating_sub(lines.len());
    lines.extend(log_and_command(data, columns, left, glyphs));
    lines
}

/// Bar, phases and figures of a running job.
fn moving(data: &JobDetail, progress: &Progress, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let (word, role) =
        if data.row.unsure { ("unsure", Role::Odd) } else { super::overview::phase_word(progress.phase) };
    let eta = progress.eta_s.map_or("-".into(), |s| words::clock_left(u64::from(s)));
    let bar = chart::bar(progress.permille, columns.min(100) * 2 / 5, glyphs);
    let first = Line::new(" ")
        .with(role, format!("{word} "))
        .with(role, bar)
        .with(Role::Plain, format!(" {}%  ETA {eta}", progress.permille.min(1000) / 10));
    let arrow = if glyphs == Glyphs::Unicode { " → " } else { " > " };
    let mut phases = Line::new(" ");
    for (at, phase) in PHASES.into_iter().enumerate() {
        if at > 0 {
            phases.push(Role::Plain, arrow);
        }
        if phase == progress.phase {
            phases.push(Role::Strong, phase.word().to_uppercase());
        } else {
            phases.push(Role::Plain, phase.word());
        }
    }
    if data.row.unsure {
        phases.push(Role::Odd, "   its agent is silent: this may be old");
    }
    let mut figures = format!(
        " {} fps   {}   frame {}",
        words::fps(progress.fps),
        words::speed(progress.speed),
        words::count(progress.frames)
    );
    figures += &format!("   out {}", words::bytes(progress.out_bytes));
    if let Some(estimate) = estimate(data, progress) {
        let share = (estimate as f64 / data.row.bytes_in.max(1) as f64 * 100.0) as u64;
        figures += &format!(" (~{}, {share}% of source)", words::bytes(estimate));
    }
    vec![first, phases, Line::new(figures)]
}

/// Output size if the rest is like what was written so far.
fn estimate(data: &JobDetail, progress: &Progress) -> Option<u64> {
    let enough = progress.phase == Phase::Encoding && progress.out_ms > 0 && progress.out_bytes > 0;
    (enough && data.media_ms > 0)
        .then(|| (progress.out_bytes as f64 / progress.out_ms as f64 * data.media_ms as f64) as u64)
}

/// State and cause of a job that does not run.
fn standing(data: &JobDetail, columns: usize, glyphs: Glyphs) -> Line {
    let row = &data.row;
    let mut line = Line::new(" ").with(state_role(row.state), row.state.word());
    if !row.cause.is_empty() {
        let class = row.class.map(|c| format!(" ({})", c.word())).unwrap_or_default();
        let room = columns.saturating_sub(line.width());
        line.push(Role::Plain, cut(&format!("{class}: {}", row.cause), room, glyphs));
    } else if row.state == JobState::Completed && row.bytes_in > 0 {
        let share = u128::from(row.bytes_out) * 100 / u128::from(row.bytes_in);
        line.push(Role::Plain, format!(", {share}% of the source's size"));
    }
    line
}

fn path_fact(name: &str, path: &FilePath, tail: &str, columns: usize, glyphs: Glyphs) -> Line {
    let room = columns.saturating_sub(9 + width(tail));
    Line::new(format!(" {name:<8}{}{tail}", cut_name(&path.shown(), room, glyphs)))
}

/// The last lines of both; side by side where there is room.
fn log_and_command(data: &JobDetail, columns: usize, rows: usize, glyphs: Glyphs) -> Vec<Line> {
    if columns >= WIDE {
        let half = columns / 2 - 1;
        let mut left = vec![section("Log", "l all", half, glyphs)];
        left.extend(last(log(data, half, glyphs), rows.saturating_sub(1)));
        let mut right = vec![section("Command", "", columns - half - 2, glyphs)];
        right.extend(encode_command(data, columns - half - 2, glyphs));
        right.truncate(rows);
        let height = left.len().max(right.len());
        left.resize(height, Line::default());
        right.resize(height, Line::default());
        for (line, other) in left.iter_mut().zip(right) {
            line.fit(half).push(Role::Plain, "  ");
            line.extend(other);
        }
        return left;
    }
    let command = encode_command(data, columns, glyphs);
    let command_rows = command.len().min(rows.saturating_sub(2) / 2);
    let mut lines = vec![section("Log", "l all", columns, glyphs)];
    lines.extend(last(log(data, columns, glyphs), rows.saturating_sub(2 + command_rows)));
    if command_rows > 0 {
        lines.push(section("Command", "] all", columns, glyphs));
        lines.extend(command.into_iter().take(command_rows));
    }
    lines
}

fn last(mut lines: Vec<Line>, rows: usize) -> Vec<Line> {
    lines.split_off(lines.len().saturating_sub(rows))
}

/// The newest attempt that has a log.
fn log(data: &JobDetail, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let attempt = data.attempts.iter().find(|a| !a.log.trim().is_empty());
    let Some(attempt) = attempt else { return vec![Line::new(" nothing was logged yet")] };
    let lines = attempt.log.lines().map(str::trim_end).filter(|l| !l.is_empty());
    lines
        .flat_map(|l| wrap(l, columns.saturating_sub(1), 2, glyphs))
        .map(|l| Line::new(format!(" {l}")))
        .collect()
}

/// Commands of the newest attempt that ran any, as shell lines.
fn commands(data: &JobDetail, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let Some(attempt) = newest_with_commands(data) else { return vec![Line::new(" nothing was run yet")] };
    let mut lines = Vec::new();
    for command in &attempt.commands {
        let name = format!("{:?}", command.phase).to_lowercase();
        lines.push(Line::role(Role::Strong, format!(" {name}")));
        lines.extend(shell_lines(&command.argv, columns, glyphs));
        lines.push(Line::default());
    }
    lines
}

fn newest_with_commands(data: &JobDetail) -> Option<&AttemptView> {
    data.attempts.iter().find(|a| !a.commands.is_empty())
}

/// The last command: the one that runs or ended the attempt.
fn encode_command(data: &JobDetail, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let command = newest_with_commands(data).and_then(|a| a.commands.iter().max_by_key(|c| c.argv.len()));
    match command {
        Some(command) => shell_lines(&command.argv, columns, glyphs),
        None => vec![Line::new(" nothing was run yet")],
    }
}

fn shell_lines(argv: &[FilePath], columns: usize, glyphs: Glyphs) -> Vec<Line> {
    wrap(&super::shell_line(argv), columns.saturating_sub(2), 2, glyphs)
        .into_iter()
        .map(|l| Line::new(format!(" {l}")))
        .collect()
}

/// An argument as a shell takes it.
pub(super) fn quoted(argument: &FilePath) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./:=,+@%^".contains(b);
    if !argument.0.is_empty() && argument.0.iter().all(plain) {
        return argument.shown();
    }
    let text = argument.shown();
    // What `shown` had to escape is only right inside $'…'.
    if text.as_bytes() == argument.0.as_slice() {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("$'{}'", text.replace('\'', r"\'"))
    }
}

fn attempts(state: &State, data: &JobDetail, columns: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    if data.attempts.is_empty() {
        return vec![Line::new(" not started yet")];
    }
    let widths = widths(&ATTEMPTS, columns.saturating_sub(2));
    let mut lines = vec![Line::new(" ")];
    lines[0].extend(heads(&ATTEMPTS, &widths));
    for attempt in &data.attempts {
        let length = attempt.ended_ms.map_or("-".into(), |end| {
            words::length(u64::try_from(end - attempt.started_ms).unwrap_or(0) / 1000)
        });
        let (ended, role) = match attempt.ended.as_str() {
            "" => ("running", Role::Busy),
            "completed" => ("completed", Role::Good),
            "stopped" => ("stopped", Role::Odd),
            class => (class, Role::Bad),
        };
        let cells = [
            Line::new(attempt.no.to_string()),
            Line::new(cut(&attempt.place, widths[1], glyphs)),
            Line::new(cut(&attempt.encoder, widths[2], glyphs)),
            Line::new(words::time(attempt.started_ms, &state.look.zone)),
            Line::new(length),
            Line::role(role, cut(ended, widths[5], glyphs)),
            Line::new(cut(&attempt.cause, widths[6], glyphs)),
        ];
        let mut line = Line::new(" ");
        line.extend(row(&ATTEMPTS, &widths, cells));
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_so_that_a_shell_gives_them_back() {
        let check = |argument: &[u8], expected: &str| {
            assert_eq!(quoted(&FilePath(argument.to_vec())), expected);
        };
        check(b"-c:v", "-c:v");
        check(b"", "''");
        check(b"a b", "'a b'");
        check(b"it's", r"'it'\''s'");
        check(b"a\nb", r"$'a\nb'");
        check(b"\xff", r"$'\xff'");
    }
}
