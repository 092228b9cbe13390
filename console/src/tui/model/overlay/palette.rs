//! The command palette: the line, and the commands that fit it with their keys.

use ratatui::layout::Size;

use super::super::text::{Line, Role, clean, cut, width};
use super::{Content, choice};
use crate::tui::state::State;
use crate::tui::state::palette::Palette;

/// Choices in sight; as many rows stay, so that the dialog does not jump while somebody types.
const ROWS: usize = 10;
/// Widest inside.
const COLUMNS: usize = 60;

pub(super) fn content(state: &State, palette: &Palette, size: Size) -> Content {
    let glyphs = state.look.glyphs;
    let columns = usize::from(size.width).saturating_sub(4).min(COLUMNS);
    let rows = ROWS.min(usize::from(size.height).saturating_sub(6)).max(1);
    let room = columns.saturating_sub(3);
    let value = palette.field.value();
    let scroll = palette.field.visual_scroll(room);
    let shown: String = clean(value, glyphs).chars().skip(scroll).collect();
    let mut line = Line::new("> ").with(Role::Strong, cut(&shown, room, glyphs));
    line.fit(columns);
    let mut lines = vec![line];
    let choices = palette.choices(state);
    let top = (palette.at + 1).saturating_sub(rows);
    for (at, fact) in choices.iter().enumerate().skip(top).take(rows) {
        let argument = if fact.argument.is_empty() { String::new() } else { format!(" {}", fact.argument) };
        let key = state.keys.first(state.below().into(), fact.command);
        let mut row = Line::role(Role::Strong, format!("{}{argument}", fact.name));
        row.pad_to(24);
        let help = columns.saturating_sub(row.width() + width(&key) + 4);
        row.push(Role::Plain, cut(fact.help, help, glyphs));
        row.pad_to(columns.saturating_sub(width(&key) + 3)).push(Role::Plain, format!(" {key}"));
        lines.push(choice(at, palette.at, row));
    }
    if choices.is_empty() {
        lines.push(Line::new("  no command here has these letters"));
    }
    lines.resize(rows + 1, Line::default());
    lines.push(match &palette.error {
        Some(error) => Line::role(Role::Bad, cut(error, columns, glyphs)),
        None => Line::new("tab complete   up history   a number opens that job"),
    });
    let cursor = 2 + palette.field.visual_cursor().saturating_sub(scroll);
    Content { title: ": command".into(), lines, cursor: Some((cursor, 0)), ..Content::default() }
}
