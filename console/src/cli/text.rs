//! How the program prints: data on stdout, notes for people on stderr. Nothing from outside steers the terminal.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

use serde_json::{Value, json};
use vc_protocol::operator::JobRow;
use vc_protocol::path::is_unprintable;

use super::exit::{Exit, Failed};

/// Whether somebody still reads stdout. What goes on by itself ends when nobody does, and quietly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// As far as is known.
    There,
    /// The pipe is closed, or the file is full.
    Gone,
}

/// The first failure of stdout that is not a reader who had enough.
static LOST: OnceLock<String> = OnceLock::new();

/// Prints data.
pub(crate) fn out(text: &str) {
    part(text);
}

/// Prints data of which more follows.
pub(crate) fn part(text: &str) -> Reader {
    line(&clean(text))
}

/// Prints data line by line, as long as somebody reads it.
pub(crate) fn parts<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Reader {
    let is_gone = lines.into_iter().any(|line| part(line.as_ref()) == Reader::Gone);
    if is_gone { Reader::Gone } else { Reader::There }
}

/// Prints a JSON document.
pub(crate) fn json_out(value: &Value) {
    json_part(value);
}

/// Prints a JSON object of which more follow.
pub(crate) fn json_part(value: &Value) -> Reader {
    line(&escaped(&value.to_string()))
}

fn line(text: &str) -> Reader {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => Reader::There,
        Err(error) => {
            if error.kind() != ErrorKind::BrokenPipe {
                let _ = LOST.set(error.to_string());
            }
            Reader::Gone
        }
    }
}

/// Why data that was printed did not arrive, if it did not.
pub(crate) fn lost() -> Option<Failed> {
    LOST.get().map(|error| Failed::new(Exit::Unexpected, format!("write to stdout: {error}")))
}

/// Prints a note for people.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", clean(text));
}

/// Prints what was done: each sentence on a line, or all of them in one document.
pub(crate) fn done(sentences: &[String], as_json: bool) {
    if as_json {
        json_out(&json!({ "v": 1, "done": sentences }));
    } else {
        parts(sentences);
    }
}

/// Prints why a command was not done: as JSON on stdout where JSON was asked for, as a sentence on stderr else.
pub(crate) fn report(failed: &Failed, as_json: bool) {
    if as_json {
        json_out(&error(failed));
    } else {
        note(&format!("vc-console: {}", failed.message));
        failed.below.iter().for_each(|line| note(line));
    }
}

/// The JSON document of an error. The message is whole; the hint says what to do, where that follows from the code.
fn error(failed: &Failed) -> Value {
    let hint = match failed.exit {
        Exit::Usage => "see --help",
        Exit::NoServer => "start a server with `vc-console serve`",
        Exit::NeedsYes => "say --yes to do it",
        Exit::NotAllowed => "an operator can: `vc-console token create --role operator` on the console",
        Exit::Done
        | Exit::TimedOut
        | Exit::Unexpected
        | Exit::NothingMatched
        | Exit::SomeFailed
        | Exit::SomeLeft
        | Exit::Degraded
        | Exit::Interrupted
        | Exit::Terminated => "",
    };
    json!({ "v": 1, "error": { "code": failed.exit as u8, "message": failed.message, "hint": hint } })
}

/// Text without what steers a terminal; its lines stay lines.
fn clean(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_unprintable(*c)).collect()
}

/// The same document, with what could steer a terminal written as escapes: such characters stand in strings only.
fn escaped(document: &str) -> String {
    let mut text = String::with_capacity(document.len());
    for c in document.chars() {
        if is_unprintable(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// State of a row, as it is shown.
pub(crate) fn state(row: &JobRow) -> &'static str {
    if row.unsure { "unsure" } else { row.state.word() }
}

/// Class and cause of a row.
pub(crate) fn cause(row: &JobRow) -> String {
    match row.class {
        Some(class) => format!("{}: {}", class.word(), row.cause),
        None => row.cause.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_document_keeps_the_whole_message() {
        let failed = Failed::usage("cannot read /a: b: permission denied");
        assert_eq!(
            error(&failed),
            json!({ "v": 1, "error": {
                "code": 2, "message": "cannot read /a: b: permission denied", "hint": "see --help"
            } })
        );
    }

    #[test]
    fn nothing_printed_steers_a_terminal_and_json_stays_the_same() {
        assert_eq!(clean("a\x1b[2J\u{202e}b\n\tc\u{9b}"), "a[2Jb\n\tc");
        let value = json!({ "name": "a\x1b[2J\u{202e}b\u{9b}\n日" });
        let text = escaped(&value.to_string());
        assert!(!text.chars().any(is_unprintable), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
    }
}
