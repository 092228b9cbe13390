//! What an attempt ran, as lines that a shell takes.

use vc_protocol::operator::AttemptView;
use vc_protocol::path::FilePath;

use super::super::text::{Line, Role, wrap};
use crate::tui::look::Glyphs;

/// Every command of an attempt.
pub(super) fn all(attempt: Option<&AttemptView>, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let Some(attempt) = attempt.filter(|a| !a.commands.is_empty()) else {
        return vec![Line::new(" nothing was run yet")];
    };
    let mut lines = Vec::new();
    for command in &attempt.commands {
        let name = format!("{:?}", command.phase).to_lowercase();
        lines.push(Line::role(Role::Strong, format!(" {name}")));
        lines.extend(shell_lines(&command.argv, columns, glyphs));
        lines.push(Line::default());
    }
    lines.pop();
    lines
}

/// The command that says most: the longest one is the encoder's.
pub(super) fn main(attempt: Option<&AttemptView>, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let command = attempt.and_then(|a| a.commands.iter().max_by_key(|c| c.argv.len()));
    match command {
        Some(command) => shell_lines(&command.argv, columns, glyphs),
        None => vec![Line::new(" nothing was run yet")],
    }
}

fn shell_lines(argv: &[FilePath], columns: usize, glyphs: Glyphs) -> Vec<Line> {
    wrap(&shell_line(argv), columns.saturating_sub(2), 2, glyphs)
        .into_iter()
        .map(|line| Line::new(format!(" {line}")))
        .collect()
}

/// A command as one line for a shell.
pub(crate) fn shell_line(argv: &[FilePath]) -> String {
    argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// An argument as a shell takes it.
fn quoted(argument: &FilePath) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./:=,+@%^".contains(b);
    if !argument.0.is_empty() && argument.0.iter().all(plain) {
        return argument.shown();
    }
    let text = argument.shown();
    // What `shown` had to escape is only right inside $'…'.
    if text.as_bytes() == argument.0.as_slice() {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("$'{}'", text.replace('\'', r"\'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_so_that_a_shell_gives_them_back() {
        let check = |argument: &[u8], expected: &str| {
            assert_eq!(quoted(&FilePath(argument.to_vec())), expected);
        };
        check(b"-c:v", "-c:v");
        check(b"", "''");
        check(b"a b", "'a b'");
        check(b"it's", r"'it'\''s'");
        check(b"a\nb", r"$'a\nb'");
        check(b"\xff", r"$'\xff'");
    }
}
