//! Keys as people write them: `ctrl-x`, `F5`, `space`.

use std::fmt;

use super::Key;

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Key::Char(' ') => "space",
            Key::Ctrl(' ') => "ctrl-space",
            Key::Char(c) => return write!(f, "{c}"),
            Key::Ctrl(c) => return write!(f, "ctrl-{c}"),
            Key::F(n) => return write!(f, "F{n}"),
            Key::Up => "up",
            Key::Down => "down",
            Key::Left => "left",
            Key::Right => "right",
            Key::Home => "home",
            Key::End => "end",
            Key::PageUp => "PgUp",
            Key::PageDown => "PgDn",
            Key::Enter => "enter",
            Key::Esc => "esc",
            Key::Tab => "tab",
            Key::BackTab => "shift-tab",
            Key::Backspace => "backspace",
            Key::Delete => "delete",
        })
    }
}
