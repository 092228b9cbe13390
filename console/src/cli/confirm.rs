//! Asks before something is lost: on stderr and at a terminal, or not at all.

use std::io::{BufRead, IsTerminal};

use super::exit::{Exit, Failed};
use super::text;

/// Whether `--yes` was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// Do it without a question.
    Given,
    /// Ask.
    Wanted,
}

impl From<bool> for Consent {
    fn from(yes: bool) -> Self {
        if yes { Self::Given } else { Self::Wanted }
    }
}

/// What must be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Work that can be done again is lost: y.
    Yes,
    /// It cannot be taken back: this word, a name or a count.
    Word(String),
}

/// Asks whether to do what the sentence says would happen.
///
/// Without a terminal nobody can answer: nothing is done, and the sentence says what would have been.
pub(super) fn ask(would: &str, answer: &Answer) -> Result<(), Failed> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failed::new(Exit::NeedsYes, format!("{would}: say --yes to do it")));
    }
    text::note(&match answer {
        Answer::Yes => format!("{would}. Do it? [y/N]"),
        Answer::Word(word) => format!("{would}. This cannot be taken back: type {word} to do it"),
    });
    let mut line = String::new();
    // An end of input is no answer, and no answer is no.
    let _ = std::io::stdin().lock().read_line(&mut line);
    if fits(answer, line.trim()) { Ok(()) } else { Err(Failed::new(Exit::Unexpected, "nothing was done")) }
}

fn fits(answer: &Answer, said: &str) -> bool {
    match answer {
        Answer::Yes => said.eq_ignore_ascii_case("y") || said.eq_ignore_ascii_case("yes"),
        Answer::Word(word) => said == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_answer_is_a_yes() {
        assert!(fits(&Answer::Yes, "y") && fits(&Answer::Yes, "YES"));
        let word = Answer::Word("12".into());
        assert!(fits(&word, "12"));
        for said in ["", "n", "yep", "no"] {
            assert!(!fits(&Answer::Yes, said) && !fits(&word, said), "{said:?}");
        }
        assert!(!fits(&word, "y"));
    }
}
