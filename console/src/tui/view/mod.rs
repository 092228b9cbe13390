//! Paints a frame that is already in words. Decides nothing but styles and borders, and never writes outside.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::{Clear, Widget};

use super::look::{Color, Glyphs, Theme};
use super::model::text::{Line, Role, head, width};
use super::model::{Dialog, FrameModel};

/// How roles look: the theme's styles, without their colours where none are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inks<'a> {
    pub(crate) theme: &'a Theme,
    pub(crate) color: Color,
}

impl Inks<'_> {
    fn style(self, role: Role) -> Style {
        let style = self.theme.style(role);
        match self.color {
            Color::On => style,
            // A selection that a theme shows by its background alone must be seen without it too.
            Color::Off if style.bg.is_some() && role == Role::Selected => {
                Style::new().add_modifier(style.add_modifier | Modifier::REVERSED)
            }
            Color::Off => Style::new().add_modifier(style.add_modifier),
        }
    }
}

/// Draws a frame.
pub(crate) struct FrameView<'a> {
    pub(crate) model: &'a FrameModel,
    pub(crate) inks: Inks<'a>,
}

impl Widget for FrameView<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        buffer.set_style(area, self.inks.style(Role::Plain));
        for (line, y) in self.model.lines.iter().zip(area.top()..area.bottom()) {
            paint(line, Rect { y, height: 1, ..area }, self.inks, buffer);
        }
        if self.model.dimmed {
            buffer.set_style(area, self.inks.style(Role::Stale));
        }
        if let Some(dialog) = &self.model.dialog {
            DialogView { dialog, glyphs: self.model.glyphs, inks: self.inks }.render(area, buffer);
        }
    }
}

/// A dialog with its border.
struct DialogView<'a> {
    dialog: &'a Dialog,
    glyphs: Glyphs,
    inks: Inks<'a>,
}

impl Widget for DialogView<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = self.dialog.area.intersection(area);
        Clear.render(area, buffer);
        buffer.set_style(area, self.inks.style(Role::Plain));
        let frame = self.inks.style(Role::Frame);
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
        buffer.set_stringn(area.x, area.y, top, whole, frame);
        buffer.set_stringn(area.x, area.bottom() - 1, bottom, whole, frame);
        for y in area.top() + 1..area.bottom() - 1 {
            buffer.set_stringn(area.x, y, down, 1, frame);
            buffer.set_stringn(area.right() - 1, y, down, 1, frame);
        }
        let text = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
        for (line, y) in self.dialog.lines.iter().zip(area.top() + 1..area.bottom() - 1) {
            paint(line, Rect { y, height: 1, ..text }, self.inks, buffer);
        }
    }
}

/// Paints one line into a row.
fn paint(line: &Line, row: Rect, inks: Inks<'_>, buffer: &mut Buffer) {
    let mut x = row.x;
    for (role, text) in &line.spans {
        let room = usize::from(row.right().saturating_sub(x));
        (x, _) = buffer.set_stringn(x, row.y, text, room, inks.style(*role));
    }
    if line.selected {
        buffer.set_style(row, inks.style(Role::Selected));
    }
}
