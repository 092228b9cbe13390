//! Questions before something is lost.

use std::io::{BufRead, IsTerminal};

use super::exit::{Exit, Failed};
use super::text;

/// Asks before work that can be redone is lost. Without a terminal it must have been said already.
pub(super) fn confirm(what: &str, question: &str, yes: bool) -> Result<(), Failed> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failed::new(Exit::NeedsYes, format!("{what}: say --yes to do it")));
    }
    text::note(&format!("{what}. {question} [y/N]"));
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if answer.trim().eq_ignore_ascii_case("y") {
        Ok(())
    } else {
        Err(Failed::new(Exit::Unexpected, "nothing was done"))
    }
}
