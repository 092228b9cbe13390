//! A line of text that is typed: editing and pasting, with a bound.

use std::ops::Deref;

use tui_input::{Input, InputRequest};
use vc_protocol::operator::filter::FILTER_BYTES_MAX;
use vc_protocol::path::is_unprintable;

use crate::tui::keys::Key;

/// Longest line, in bytes: the longest that anything here takes is a filter with its command.
const BYTES_MAX: usize = FILTER_BYTES_MAX + 64;

/// A text field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Field(Input);

impl Deref for Field {
    type Target = Input;

    fn deref(&self) -> &Input {
        &self.0
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Field) -> bool {
        self.value() == other.value() && self.cursor() == other.cursor()
    }
}

impl Eq for Field {}

impl Field {
    /// Another text, with the cursor at its end.
    pub(crate) fn set(&mut self, text: &str) {
        self.0 = Input::new(text.to_owned());
    }

    /// Takes a key that edits; false if it does not.
    pub(crate) fn edit(&mut self, key: Key) -> bool {
        let request = match key {
            Key::Char(c) => {
                self.insert(c);
                return true;
            }
            Key::Backspace | Key::Ctrl('h') => InputRequest::DeletePrevChar,
            Key::Delete => InputRequest::DeleteNextChar,
            Key::Left => InputRequest::GoToPrevChar,
            Key::Right => InputRequest::GoToNextChar,
            Key::Home | Key::Ctrl('a') => InputRequest::GoToStart,
            Key::End | Key::Ctrl('e') => InputRequest::GoToEnd,
            Key::Ctrl('w') => InputRequest::DeletePrevWord,
            Key::Ctrl('u') => InputRequest::DeleteLine,
            Key::Ctrl(_) | Key::F(_) | Key::Up | Key::Down | Key::PageUp | Key::PageDown => return false,
            Key::Tab | Key::BackTab | Key::Enter | Key::Esc => return false,
        };
        self.0.handle(request);
        true
    }

    /// Takes what was pasted, without what steers a terminal.
    pub(crate) fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !is_unprintable(*c)) {
            self.insert(c);
        }
    }

    fn insert(&mut self, c: char) {
        if self.value().len() + c.len_utf8() <= BYTES_MAX {
            self.0.handle(InputRequest::InsertChar(c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_rubbish_stays_short_and_harmless() {
        let mut field = Field::default();
        field.paste("a\x1b[31m\u{202e}b\r\n");
        assert_eq!(field.value(), "a[31mb");
        field.paste(&"日".repeat(5000));
        assert!(field.value().len() <= BYTES_MAX);
    }

    #[test]
    fn keys_that_do_not_edit_are_left_to_others() {
        let mut field = Field::default();
        for key in [Key::Enter, Key::Esc, Key::Tab, Key::Up, Key::F(1), Key::Ctrl('p')] {
            assert!(!field.edit(key), "{key}");
        }
        assert!(field.edit(Key::Char('x')) && field.edit(Key::Backspace));
        assert_eq!(field.value(), "");
    }
}
