//! The filter language: terms joined by spaces, the same for the dashboard and `jobs ls --filter`.
//!
//! Words and `"quoted text"` together are one text to look for; `state:` and `is:` take state words joined by commas.
//! Knows nothing of screens.

use vc_protocol::job::JobState;
use vc_protocol::operator::JobFilter;

/// A term that makes no sense, and where it starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Byte offset of the bad part.
    pub at: usize,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// Longest filter, in bytes: more than a file name can have.
pub(crate) const FILTER_BYTES_MAX: usize = 512;

/// Reads a filter.
pub fn parse(text: &str) -> Result<JobFilter, FilterError> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(error(FILTER_BYTES_MAX, "the filter is too long"));
    }
    let mut states = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| !c.is_whitespace()).map(|skip| at + skip) {
        let rest = &text[start..];
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| error(start, "a closing \" is missing"))?;
            words.push(&quoted[..end]);
            at = start + end + 2;
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let term = &rest[..end];
        at = start + end;
        match term.split_once(':') {
            Some(("state" | "is", value)) => {
                read_states(value, start + term.len() - value.len(), &mut states)?
            }
            Some((name @ ("agent" | "device" | "profile" | "cause" | "pri" | "age"), value)) => {
                let help = format!("{name}: is not known here; write {value} as plain text");
                return Err(error(start, &help));
            }
            Some(_) | None if term.starts_with('!') => {
                return Err(error(start, "a term cannot be turned around; quote it to look for the !"));
            }
            Some(_) | None => words.push(term),
        }
    }
    states.sort();
    states.dedup();
    Ok(JobFilter { states, text: words.join(" ") })
}

/// The states in `value`, which starts at byte `at` of the filter.
fn read_states(value: &str, at: usize, states: &mut Vec<JobState>) -> Result<(), FilterError> {
    let mut offset = at;
    for word in value.split(',') {
        match JobState::from_word(word) {
            Some(state) => states.push(state),
            None => {
                let known: Vec<_> = JobState::ALL.iter().map(|s| s.word()).collect();
                let what =
                    if word.is_empty() { "a state is missing".into() } else { format!("no state {word:?}") };
                return Err(error(offset, &format!("{what}: {}", known.join(" "))));
            }
        }
        offset += word.len() + 1;
    }
    Ok(())
}

fn error(at: usize, message: &str) -> FilterError {
    FilterError { at, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobState::*;

    #[test]
    fn good_filters_are_read() {
        let check = |text: &str, states: &[JobState], words: &str| {
            let expected = JobFilter { states: states.to_vec(), text: words.to_owned() };
            assert_eq!(parse(text), Ok(expected), "{text:?}");
        };
        check("", &[], "");
        check("   ", &[], "");
        check("ep_04", &[], "ep_04");
        check("state:failed,held", &[Failed, Held], "");
        check("is:held  ep  state:failed 04", &[Failed, Held], "ep 04");
        check("\"state:x  y\" z", &[], "state:x  y z");
        check("a:b", &[], "a:b");
        check("Größe state:pending", &[Pending], "Größe");
        check("state:failed,failed", &[Failed], "");
    }

    #[test]
    fn a_bad_term_is_pointed_at() {
        let check = |text: &str, at: usize, word: &str| {
            let error = parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text:?}: {error}");
            assert!(error.message.contains(word), "{text:?}: {error}");
        };
        check("state:fialed", 6, "fialed");
        check("ep state:failed,", 16, "missing");
        check("is:retry", 3, "retry");
        check("x \"open", 2, "closing");
        check("agent:ada", 0, "ada as plain text");
        check("a !b", 2, "turned around");
        check(&"x".repeat(600), FILTER_BYTES_MAX, "too long");
    }
}
