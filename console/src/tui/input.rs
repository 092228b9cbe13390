//! What comes from the terminal library, as the dashboard understands it: keys, clicks, and answers that came late.

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::keys::Key;
use super::model::FrameModel;
use super::state::{Millis, Msg};

/// Two presses within this time are one double click.
const DOUBLE_MS: Millis = 400;
/// A click that came so soon after the focus only brought it.
const FOCUS_MS: Millis = 200;
/// Longest late answer of a terminal; what comes after that is typing again.
const LATE_KEYS_MAX: usize = 64;

/// Whether keys are part of an answer that came late: `ESC ] 11 ; … ESC \`. The library reads such an answer as keys.
#[derive(Debug, Default)]
pub(crate) struct Late {
    expected: bool,
    inside: Option<usize>,
}

impl Late {
    pub(crate) fn new(expected: bool) -> Late {
        Late { expected, inside: None }
    }

    /// True if this key was not typed by a person.
    pub(crate) fn swallows(&mut self, key: &KeyEvent) -> bool {
        if !self.expected {
            return false;
        }
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let Some(count) = self.inside else {
            let begins = alt && key.code == KeyCode::Char(']');
            self.inside = begins.then_some(0);
            return begins;
        };
        let bell = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('g');
        let ends = bell || (alt && key.code == KeyCode::Char('\\'));
        if ends || count >= LATE_KEYS_MAX {
            // There is one such answer.
            *self = Late::default();
        } else {
            self.inside = Some(count + 1);
        }
        true
    }
}

/// Clicks, with what lies under them.
#[derive(Debug, Default)]
pub(crate) struct Clicks {
    last: Option<(Millis, u16, u16)>,
    focused: Option<Millis>,
}

impl Clicks {
    /// The window has the focus again: a click that brought it means nothing else.
    pub(crate) fn focus(&mut self, now: Millis) {
        self.focused = Some(now);
    }

    pub(crate) fn translate(
        &mut self,
        now: Millis,
        mouse: MouseEvent,
        frame: Option<&FrameModel>,
    ) -> Option<Msg> {
        match mouse.kind {
            MouseEventKind::ScrollDown => Some(Msg::Wheel(1)),
            MouseEventKind::ScrollUp => Some(Msg::Wheel(-1)),
            MouseEventKind::Down(MouseButton::Left) => {
                if self.focused.take().is_some_and(|at| now < at + FOCUS_MS) {
                    return None;
                }
                let (x, y) = (mouse.column, mouse.row);
                let twice =
                    self.last.take().is_some_and(|(at, lx, ly)| (lx, ly) == (x, y) && now < at + DOUBLE_MS);
                if !twice {
                    self.last = Some((now, x, y));
                }
                frame?.hit(x, y).map(|hit| Msg::Click { hit, twice })
            }
            MouseEventKind::Down(_)
            | MouseEventKind::Up(_)
            | MouseEventKind::Drag(_)
            | MouseEventKind::Moved
            | MouseEventKind::ScrollLeft
            | MouseEventKind::ScrollRight => None,
        }
    }
}
/// Our key for the terminal library's, if we know it.
pub(crate) fn translate_key(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(match key.code {
        KeyCode::Char(c) if ctrl => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::F(n) => Key::F(n),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Insert
        | KeyCode::Null
        | KeyCode::CapsLock
        | KeyCode::ScrollLock
        | KeyCode::NumLock
        | KeyCode::PrintScreen
        | KeyCode::Pause
        | KeyCode::Menu
        | KeyCode::KeypadBegin
        | KeyCode::Media(_)
        | KeyCode::Modifier(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(c: char, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(c), modifiers)
    }

    #[test]
    fn a_late_answer_is_swallowed_and_typing_goes_on() {
        let answer = |late: &mut Late| {
            let mut swallowed = late.swallows(&key(']', KeyModifiers::ALT));
            for c in "11;rgb:ffff/ffff/ffff".chars() {
                swallowed &= late.swallows(&key(c, KeyModifiers::NONE));
            }
            swallowed && late.swallows(&key('\\', KeyModifiers::ALT))
        };
        let mut late = Late::new(true);
        assert!(!late.swallows(&key('j', KeyModifiers::NONE)));
        assert!(answer(&mut late));
        assert!(!late.swallows(&key('x', KeyModifiers::NONE)));
        assert!(!answer(&mut Late::new(false)), "nothing was asked");
        let mut endless = Late::new(true);
        assert!(endless.swallows(&key(']', KeyModifiers::ALT)));
        let typed = (0..100).filter(|_| !endless.swallows(&key('x', KeyModifiers::NONE))).count();
        assert!(typed > 30, "an answer without an end does not hold the keyboard for ever");
    }
}
