//! The file that documents every setting: each with its default, commented out.

use std::fmt::Write;

use super::keys::{Fallback, KEYS, Key, Kind, SECTIONS, Value};

/// Width of the comments.
const COLUMNS: usize = 100;

const HEAD: &str = "Settings of vc-console. It is read from --config FILE (or VC_CONFIG), then from \
                    ~/.config/vc/console.toml ($XDG_CONFIG_HOME), then from /etc/vc/console.toml; the first that sets a \
                    key decides. A flag wins over a variable, and both over every file. What is commented out shows the \
                    default. `vc-console config show` says which value holds and where it was said, `vc-console config \
                    check` whether a file is right.";

/// The text of that file.
pub fn documented() -> String {
    let mut text = comment(HEAD);
    for (section, doc) in SECTIONS {
        let _ = write!(text, "\n{}[{section}]\n", comment(doc));
        for key in KEYS.iter().filter(|key| key.section == section) {
            let _ = write!(text, "\n{}#{} = {}\n", comment(&about(key)), key.key, shown_default(key));
        }
    }
    text + &super::tables::documented()
}

fn about(key: &Key) -> String {
    let mut text = key.doc.to_owned();
    if let Kind::Word(_) = key.kind {
        let _ = write!(text, " {}.", capitalised(&key.kind.wanted()));
    }
    let _ = write!(text, " Flag {}, variable {}.", key.flag, key.variables.join(" or "));
    text
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

fn shown_default(key: &Key) -> String {
    let parsed = |text: &str| key.kind.parse(text.as_ref()).ok();
    let value = match key.default {
        Fallback::Is(text) | Fallback::Nothing(text) => parsed(text),
        // As it is without variables: the file is the same on every machine.
        Fallback::StateHome => parsed("~/.local/state/vc-console"),
    };
    value.as_ref().map(Value::toml).map(|value| value.to_string()).unwrap_or_default()
}

/// Lines that begin with `# `, broken between words.
pub(super) fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| line.len() + 1 + word.len() > COLUMNS) {
            lines.push(String::from("#"));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}
