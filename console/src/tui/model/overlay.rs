//! Dialogs in words, clamped to the frame; in a narrow one they take all of it.

use ratatui::layout::{Rect, Size};
use vc_protocol::job::JobState;

use super::super::keys::{self, Group, Place};
use super::super::look::Glyphs;
use super::super::state::State;
use super::super::state::overlay::{Confirm, Overlay, Target, Verb};
use super::text::{Line, Role, cut, cut_name, width, wrap};
use super::{Dialog, words};
use crate::tui::Mode;

/// Widest inside of a dialog: sentences are read best below this.
const INNER_MAX: usize = 66;
/// Jobs that a question names.
const NAMED: usize = 3;

pub(super) fn dialog(state: &State, size: Size) -> Option<Dialog> {
    let (title, lines, scroll) = content(state, size)?;
    let (columns, rows) = (usize::from(size.width), usize::from(size.height));
    let whole = size.width < super::WIDTH_MIN;
    let widest = lines.iter().map(Line::width).chain([width(&title) + 2]).max().unwrap_or(0);
    let outer_columns = if whole { columns } else { (widest + 4).min(columns) };
    let outer_rows = if whole { rows } else { (lines.len() + 2).min(rows) };
    let inner_rows = outer_rows.saturating_sub(2);
    let scroll = scroll.min(lines.len().saturating_sub(inner_rows));
    let mut lines: Vec<Line> = lines.into_iter().skip(scroll).take(inner_rows).collect();
    for line in &mut lines {
        line.fit(outer_columns.saturating_sub(4));
    }
    let area = Rect {
        x: ((columns - outer_columns) / 2) as u16,
        y: ((rows - outer_rows) / 2) as u16,
        width: outer_columns as u16,
        height: outer_rows as u16,
    };
    Some(Dialog { title, area, lines })
}

pub(super) fn scroll_max(state: &State, size: Size) -> usize {
    let rows = usize::from(size.height).saturating_sub(2);
    content(state, size).map_or(0, |(_, lines, _)| lines.len().saturating_sub(rows))
}

/// Title, all lines, and how far scrolled.
fn content(state: &State, size: Size) -> Option<(String, Vec<Line>, usize)> {
    let glyphs = state.look.glyphs;
    let columns = usize::from(size.width).saturating_sub(4).min(INNER_MAX);
    match state.overlay.as_ref()? {
        Overlay::Help { scroll } => {
            let lines = help(state, usize::from(size.width).saturating_sub(4));
            let hidden = lines.len() > usize::from(size.height).saturating_sub(2);
            let hint = if hidden { ", j k scroll" } else { "" };
            Some((format!("? Help (only keys that work now{hint})"), lines, *scroll))
        }
        Overlay::Confirm(confirm) => {
            Some((confirm_title(confirm), confirm_lines(confirm, columns, glyphs), 0))
        }
        Overlay::Why { job, answer, scroll } => {
            let mut lines = Vec::new();
            match answer {
                None => lines.push(Line::new("asking the server")),
                Some(Err(refused)) => {
                    lines.extend(wrap(refused, columns, 0, glyphs).into_iter().map(Line::new))
                }
                Some(Ok(why)) => {
                    lines.extend(
                        wrap(&why.answer, columns, 0, glyphs)
                            .into_iter()
                            .map(|l| Line::role(Role::Strong, l)),
                    );
                    lines.push(Line::default());
                    let names = why.devices.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(20);
                    for (name, reason) in &why.devices {
                        let mut first = Line::new(cut(name, names, glyphs));
                        first.pad_to(names + 2);
                        for part in wrap(reason, columns.saturating_sub(names + 2), 0, glyphs) {
                            let mut line = std::mem::take(&mut first);
                            line.pad_to(names + 2).push(Role::Plain, part);
                            lines.push(line);
                        }
                    }
                }
            }
            Some((format!("Why does job #{job} not run?"), lines, *scroll))
        }
        Overlay::Leave { .. } => Some(leave(state)),
    }
}

/// Built from the table of keys, for the screen below; commands that do nothing now are left out.
fn help(state: &State, columns: usize) -> Vec<Line> {
    let place = state.below();
    let mut lines = Vec::new();
    for group in Group::ALL {
        let works =
            |b: &&keys::Binding| b.command.fact().group == group && state.refusal(b.command).is_none();
        for (at, binding) in keys::bindings(place).filter(works).enumerate() {
            let head = if at == 0 { group.word() } else { "" };
            let mut line = Line::role(Role::Strong, format!("{head:<6}"));
            line.push(
                Role::Plain,
                format!("{:<11} {}", state.keys.shown(place, binding.command), binding.command.fact().help),
            );
            lines.push(line);
        }
    }
    in_two_columns(lines, columns)
}

/// Side by side if both halves fit whole.
fn in_two_columns(lines: Vec<Line>, columns: usize) -> Vec<Line> {
    let (left, right) = lines.split_at(lines.len().div_ceil(2));
    let widest = |lines: &[Line]| lines.iter().map(Line::width).max().unwrap_or(0);
    let gutter = widest(left) + 2;
    if gutter + widest(right) > columns {
        return lines;
    }
    let mut both = left.to_vec();
    for (line, other) in both.iter_mut().zip(right) {
        line.pad_to(gutter);
        line.extend(other.clone());
    }
    both
}

fn confirm_title(confirm: &Confirm) -> String {
    let verb = match confirm.verb {
        Verb::Cancel => "Cancel",
        Verb::Retry => "Retry",
    };
    let running = match &confirm.target {
        Target::Jobs(jobs) if jobs.iter().all(|j| j.state == JobState::Running) => "running ",
        Target::Jobs(_) | Target::All { .. } => "",
    };
    format!("{verb} {}?", words::some(confirm.target.count(), &format!("{running}job")))
}

fn confirm_lines(confirm: &Confirm, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let mut lines = Vec::new();
    if confirm.again {
        lines.push(Line::role(Role::Strong, "The number changed meanwhile."));
    }
    match &confirm.target {
        Target::All { filter, .. } => {
            let what = if filter.is_all() { "every job".to_owned() } else { filter.to_string() };
            lines.push(Line::new(cut(&format!("All that the filter finds: {what}"), columns, glyphs)));
        }
        Target::Jobs(jobs) => {
            let name_columns = columns.saturating_sub(34).max(12);
            for job in jobs.iter().take(NAMED) {
                let share = job.permille.map_or(String::new(), |p| format!("{}%", p.min(1000) / 10));
                let mut line =
                    Line::new(format!("#{} {}", job.id, cut_name(&job.name, name_columns, glyphs)));
                let facts = if share.is_empty() { job.state.word().to_owned() } else { share };
                line.push(Role::Plain, format!("  {facts}  {}", cut(&job.place, 18, glyphs)));
                lines.push(line);
            }
            if jobs.len() > NAMED {
                lines.push(Line::new(format!("and {} more", words::count((jobs.len() - NAMED) as u64))));
            }
            let spent = jobs.iter().map(|j| j.spent_ms).sum::<u64>() / 1000;
            if confirm.verb == Verb::Cancel && spent > 0 {
                lines.push(Line::new(format!("~{} of encoding is thrown away.", words::length(spent))));
            }
        }
    }
    lines.push(Line::new(match confirm.verb {
        Verb::Cancel => "Sources stay. r puts them back.",
        Verb::Retry => "They go back to pending with full retries. x cancels.",
    }));
    lines.push(Line::default());
    lines.push(Line::new("      ").with(Role::Strong, "[ No (esc) ]").with(Role::Plain, "    y  yes"));
    lines
}

fn leave(state: &State) -> (String, Vec<Line>, usize) {
    let running = state.counted(JobState::Running);
    let waiting = state.counted(JobState::Pending);
    let place = match state.mode {
        Mode::Attach => Place::LeaveAttach,
        Mode::Convert => Place::LeaveConvert,
    };
    let (title, text) = match state.mode {
        Mode::Attach => {
            let are = if running == 1 { "is" } else { "are" };
            ("Leave", format!("{} {are} running.", words::some(running, "job")))
        }
        Mode::Convert => {
            let all = format!("{} running and {} pending", words::count(running), words::count(waiting));
            ("Cancel everything and quit?", format!("{all} end here. Finished outputs stay."))
        }
    };
    let mut lines = vec![Line::new(text), Line::default()];
    for foot in keys::footer(place).iter().filter(|f| state.refusal(f.command).is_none()) {
        lines.push(
            Line::role(Role::Strong, format!("  {:<10}", state.keys.first(place, foot.command)))
                .with(Role::Plain, foot.word),
        );
    }
    (title.to_owned(), lines, 0)
}
