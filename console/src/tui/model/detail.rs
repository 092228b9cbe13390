//! One job in words: its title and its tabs.

pub(super) mod command;
mod summary;
mod tables;

use vc_protocol::path::FilePath;

use super::super::look::Glyphs;
use super::super::state::State;
use super::super::state::detail::{Detail, Tab};
use super::text::{Line, Role, cut, cut_name, section, width};
use super::{jobs, log, overview, state_role, table, words};
use crate::tui::state::mouse::Hit;

/// Title and tabs.
const HEAD_ROWS: usize = 2;

pub(super) fn body(state: &State, open: &Detail, columns: usize, rows: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let mut lines = vec![title(open, columns, glyphs), tab_line(open, columns)];
    let room = rows.saturating_sub(HEAD_ROWS);
    if open.data.is_some() && open.tab == Tab::Log {
        lines.push(section(&log_title(open, glyphs), LOG_KEYS, columns, glyphs));
        lines.extend(log::rows(state, &open.log, columns, room.saturating_sub(1)));
        return lines;
    }
    let all = tab_lines(state, open, columns, room);
    // The cursor among attempts stays in sight.
    let scroll =
        if open.tab == Tab::Attempts { (open.attempt_at() + 2).saturating_sub(room) } else { open.scroll };
    let scroll = scroll.min(all.len().saturating_sub(room));
    lines.extend(all.into_iter().skip(scroll).take(room));
    lines
}

/// What the keys of a log do, beside its title.
const LOG_KEYS: &str = "F follow  w wrap  t time  / find";

/// Which log it is, when it is not the newest attempt's.
fn log_title(open: &Detail, glyphs: Glyphs) -> String {
    let title = log::title(&open.log, glyphs);
    match open.attempt() {
        Some(attempt) if open.attempt_at() > 0 => format!("{title}  attempt {}", attempt.no),
        Some(_) | None => title,
    }
}

/// Lines by which the open tab can be scrolled; of a log, the top line with which its end is in sight.
pub(super) fn scroll_max(state: &State, open: &Detail, columns: usize, rows: usize) -> usize {
    let room = rows.saturating_sub(HEAD_ROWS);
    if open.tab == Tab::Log {
        return log::last_top(&open.log, columns, room.saturating_sub(1), state.look.glyphs);
    }
    tab_lines(state, open, columns, room).len().saturating_sub(room)
}

/// All lines of the open tab; `room` is what the summary shares out.
fn tab_lines(state: &State, open: &Detail, columns: usize, room: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let Some(data) = &open.data else {
        let text = open.refused.clone().unwrap_or_else(|| "asking the server".into());
        let text = cut(&text, columns.saturating_sub(2), glyphs);
        return vec![Line::default(), Line::new(format!("  {text}"))];
    };
    match open.tab {
        Tab::Summary => summary::lines(state, open, data, columns, room),
        Tab::Log => Vec::new(),
        Tab::Command => command::all(open.attempt(), columns, glyphs),
        Tab::Attempts => tables::attempts(state, open, data, columns),
        Tab::Source => tables::source(data, columns, glyphs),
        Tab::Events => tables::events(state, open, columns),
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
            line.push_hit(Role::Strong, format!("[{}]", tab.word()), Hit::Tab(tab));
        } else {
            line.push_hit(Role::Plain, format!(" {} ", tab.word()), Hit::Tab(tab));
        }
    }
    line.pad_to(columns.saturating_sub(9)).push(Role::Plain, "[ ] tabs");
    line
}
