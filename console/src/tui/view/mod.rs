//! Paints a frame that is already in words. Decides nothing but styles and borders, and never writes outside.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color as Ink, Modifier, Style};
use ratatui::widgets::{Clear, Widget};

use super::look::{Color, Glyphs};
use super::model::text::{Line, Role, head, width};
use super::model::{Dialog, FrameModel};

/// The one list of roles and their styles: only red, green, cyan and magenta, which can be read on every common
/// background.
fn style(role: Role, color: Color) -> Style {
    let ink = |ink| if color == Color::On { Style::new().fg(ink) } else { Style::new() };
    match role {
        Role::Plain => Style::new(),
        Role::Strong => Style::new().add_modifier(Modifier::BOLD),
        Role::Good => ink(Ink::Green),
        Role::Bad => ink(Ink::Red).add_modifier(Modifier::BOLD),
        Role::Busy => ink(Ink::Cyan),
        Role::Odd => ink(Ink::Magenta),
        Role::Found => Style::new().add_modifier(Modifier::REVERSED),
    }
}

/// Draws a frame.
pub(crate) struct FrameView<'a> {
    pub(crate) model: &'a FrameModel,
    pub(crate) color: Color,
}

impl Widget for FrameView<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        for (line, y) in self.model.lines.iter().zip(area.top()..area.bottom()) {
            paint(line, Rect { y, height: 1, ..area }, self.color, buffer);
        }
        if self.model.dimmed {
            buffer.set_style(area, Style::new().add_modifier(Modifier::DIM));
        }
        if let Some(dialog) = &self.model.dialog {
            DialogView { dialog, glyphs: self.model.glyphs, color: self.color }.render(area, buffer);
        }
    }
}

/// A dialog with its border.
struct DialogView<'a> {
    dialog: &'a Dialog,
    glyphs: Glyphs,
    color: Color,
}

impl Widget for DialogView<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = self.dialog.area.intersection(area);
        Clear.render(area, buffer);
        if area.width < 2 || area.height < 2 {
            return;
        }
        let (across, down, corners) = match self.glyphs {
            Glyphs::Ascii => ("-", "|", ["+", "+", "+", "+"]),
            Glyphs::Unicode => ("─", "│", ["┌", "┐", "└", "┘"]),
        };
        let inner = usize::from(area.width) - 2;
        let title = head(&format!("{across} {} ", self.dialog.title), inner);
        let fill = across.repeat(inner - width(&title));
        let top = format!("{}{title}{fill}{}", corners[0], corners[1]);
        let bottom = format!("{}{}{}", corners[2], across.repeat(inner), corners[3]);
        let whole = usize::from(area.width);
        buffer.set_stringn(area.x, area.y, top, whole, Style::new());
        buffer.set_stringn(area.x, area.bottom() - 1, bottom, whole, Style::new());
        for y in area.top() + 1..area.bottom() - 1 {
            buffer.set_stringn(area.x, y, down, 1, Style::new());
            buffer.set_stringn(area.right() - 1, y, down, 1, Style::new());
        }
        let text = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
        for (line, y) in self.dialog.lines.iter().zip(area.top() + 1..area.bottom() - 1) {
            paint(line, Rect { y, height: 1, ..text }, self.color, buffer);
        }
    }
}

/// Paints one line into a row.
fn paint(line: &Line, row: Rect, color: Color, buffer: &mut Buffer) {
    let mut x = row.x;
    for (role, text) in &line.spans {
        let room = usize::from(row.right().saturating_sub(x));
        (x, _) = buffer.set_stringn(x, row.y, text, room, style(*role, color));
    }
    if line.selected {
        buffer.set_style(row, Style::new().add_modifier(Modifier::REVERSED));
    }
}
