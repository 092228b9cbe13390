//! Dialogs in words, clamped to the frame; in a narrow one they take all of it.

mod answers;
mod help;
mod palette;

use ratatui::layout::{Rect, Size};
use vc_protocol::operator::Why;

use super::super::look::Glyphs;
use super::super::state::State;
use super::super::state::mouse::Hit;
use super::super::state::overlay::Overlay;
use super::Dialog;
use super::text::{Line, Role, cut, width, wrap};

/// Widest inside of a dialog: sentences are read best below this.
const INNER_MAX: usize = 66;

/// What a dialog shows, before it is cut to the frame.
#[derive(Default)]
struct Content {
    title: String,
    lines: Vec<Line>,
    scroll: usize,
    /// Lines at the top that stay when the rest scrolls.
    fixed: usize,
    /// Column and line of the text cursor.
    cursor: Option<(usize, usize)>,
}

/// The open dialog, and where text is typed in it.
pub(super) fn dialog(state: &State, size: Size) -> Option<(Dialog, Option<(u16, u16)>)> {
    let Content { title, lines, scroll, fixed, cursor } = content(state, size)?;
    let (columns, rows) = (usize::from(size.width), usize::from(size.height));
    let whole = size.width < super::WIDTH_MIN;
    let widest = lines.iter().map(Line::width).chain([width(&title) + 2]).max().unwrap_or(0);
    let outer_columns = if whole { columns } else { (widest + 4).min(columns) };
    let outer_rows = if whole { rows } else { (lines.len() + 2).min(rows) };
    let inner_rows = outer_rows.saturating_sub(2);
    let scroll = scroll.min(lines.len().saturating_sub(inner_rows));
    let mut shown = lines;
    shown.drain(fixed.min(shown.len())..(fixed + scroll).min(shown.len()));
    shown.truncate(inner_rows);
    let inner_columns = outer_columns.saturating_sub(4);
    for line in &mut shown {
        line.fit(inner_columns);
    }
    let area = Rect {
        x: ((columns - outer_columns) / 2) as u16,
        y: ((rows - outer_rows) / 2) as u16,
        width: outer_columns as u16,
        height: outer_rows as u16,
    };
    let cursor = cursor.filter(|(x, y)| *x < inner_columns && *y < inner_rows);
    let cursor = cursor.map(|(x, y)| (area.x + 2 + x as u16, area.y + 1 + y as u16));
    Some((Dialog { title, area, lines: shown }, cursor))
}

pub(super) fn scroll_max(state: &State, size: Size) -> usize {
    let rows = usize::from(size.height).saturating_sub(2);
    content(state, size).map_or(0, |content| content.lines.len().saturating_sub(rows))
}

fn content(state: &State, size: Size) -> Option<Content> {
    let glyphs = state.look.glyphs;
    let columns = usize::from(size.width).saturating_sub(4).min(INNER_MAX);
    Some(match state.overlay.as_ref()? {
        Overlay::Help { field, scroll } => help::content(state, field, *scroll, size),
        Overlay::Confirm(confirm) => answers::confirm(confirm, columns, glyphs),
        Overlay::Typed(typed) => answers::typed(typed, columns, glyphs),
        Overlay::Why { job, answer, scroll } => Content {
            title: format!("Why does job #{job} not run?"),
            lines: why(answer.as_ref(), columns, glyphs),
            scroll: *scroll,
            ..Content::default()
        },
        Overlay::Text { title, text, scroll, .. } => Content {
            title: title.clone(),
            lines: text.lines().flat_map(|l| wrap(l, columns, 0, glyphs)).map(Line::new).collect(),
            scroll: *scroll,
            ..Content::default()
        },
        Overlay::Leave(leaving) => answers::leave(state, leaving),
        Overlay::Palette(palette) => palette::content(state, palette, size),
        Overlay::Copy(menu) => answers::copy(menu, columns, glyphs),
    })
}

fn why(answer: Option<&Result<Why, String>>, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let why = match answer {
        None => return vec![Line::new("asking the server")],
        Some(Err(refused)) => return wrap(refused, columns, 0, glyphs).into_iter().map(Line::new).collect(),
        Some(Ok(why)) => why,
    };
    let answer = wrap(&why.answer, columns, 0, glyphs);
    let mut lines: Vec<Line> = answer.into_iter().map(|l| Line::role(Role::Strong, l)).collect();
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
    lines
}

/// A row that can be chosen.
fn choice(at: usize, focus: usize, line: Line) -> Line {
    let mut row = Line::new(if at == focus { "> " } else { "  " });
    row.extend(line);
    row.selected = at == focus;
    row.hit = Some(Hit::Answer(at));
    row
}
