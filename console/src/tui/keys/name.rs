//! Keys as people write them: `ctrl-x`, `F5`, `space`.

use std::fmt;
use std::str::FromStr;

use vc_protocol::path::is_unprintable;

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

/// Keys that are not written as they are, with the names that people give them.
const NAMED: [(&str, Key); 22] = [
    ("space", Key::Char(' ')),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("home", Key::Home),
    ("end", Key::End),
    ("pgup", Key::PageUp),
    ("pageup", Key::PageUp),
    ("pgdn", Key::PageDown),
    ("pagedown", Key::PageDown),
    ("enter", Key::Enter),
    ("return", Key::Enter),
    ("esc", Key::Esc),
    ("escape", Key::Esc),
    ("tab", Key::Tab),
    ("shift-tab", Key::BackTab),
    ("backtab", Key::BackTab),
    ("backspace", Key::Backspace),
    ("delete", Key::Delete),
    ("del", Key::Delete),
    ("ctrl-space", Key::Ctrl(' ')),
];

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Key, String> {
        let mut chars = text.chars();
        if let (Some(c), None) = (chars.next(), chars.next())
            && !is_unprintable(c)
        {
            return Ok(Key::Char(c));
        }
        let name = text.to_ascii_lowercase().replace("ctrl+", "ctrl-").replace("shift+", "shift-");
        if let Some((_, key)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Ok(*key);
        }
        if let Some(c) = name.strip_prefix("ctrl-")
            && let [c @ b'a'..=b'z'] = c.as_bytes()
        {
            return Ok(Key::Ctrl(char::from(*c)));
        }
        let function = name.strip_prefix('f').and_then(|n| n.parse().ok()).filter(|n| (1..=12).contains(n));
        function.map(Key::F).ok_or_else(|| {
            let text: String = text.chars().filter(|c| !is_unprintable(*c)).take(20).collect();
            format!(
                "{text:?} is not a key: one character, ctrl-x, F1 to F12, space, enter, esc, tab, PgUp, …"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_shown() {
        let all = ('!'..='~').map(Key::Char).chain(('a'..='z').map(Key::Ctrl)).chain((1..=12).map(Key::F));
        for key in all.chain(NAMED.map(|(_, key)| key)) {
            assert_eq!(key.to_string().parse(), Ok(key), "{key}");
        }
        for bad in ["", "ab", "alt-x", "ctrl-", "ctrl-é", "F13", "F0", "\u{1b}", "ctrl-xx"] {
            assert!(bad.parse::<Key>().is_err(), "{bad:?}");
        }
    }
}
