//! The filter language: terms joined by spaces, the same for the dashboard and `jobs ls --filter`.
//!
//! ```text
//!  state:failed,held  is:retry,unsure  agent:ada  device:gpu0  profile:hevc  cause:"moov atom"  pri:>5  age:<2h  word  "two words"  !term
//! ```
//!
//! A job is found when every term fits. Knows nothing of screens and stores: [`parse`] makes a [`JobFilter`],
//! [`JobFilter`]'s `Display` writes one that parses to the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::{JobState, Priority};

/// Longest filter, in bytes: more than a file name can have.
pub const FILTER_BYTES_MAX: usize = 512;

/// Most terms of a filter: as many as fit its text.
pub const TERMS_MAX: usize = FILTER_BYTES_MAX / 2;

/// Which jobs: those that every term fits; no terms for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobFilter {
    /// In the order in which they were written.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Fits jobs that the test does not.
    pub not: bool,
    /// What is asked.
    pub test: Test,
}

/// What a term asks of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// It is any of these.
    Is(Vec<Kind>),
    /// The agent that runs it or ran it last has this name.
    Agent(String),
    /// The device that runs it or ran it last is this: `gpu0`, or `ada/gpu0`.
    Device(String),
    /// Its profile has this name.
    Profile(String),
    /// Its cause, with numbers, paths and addresses taken out, contains this, without regard to case; is this, if there
    /// is a group of that very name.
    Cause(String),
    /// Its priority compares so.
    Priority(Compare, Priority),
    /// Seconds since it was added compare so.
    Age(Compare, u64),
    /// Source, output, profile, agent or cause contains this, without regard to case.
    Text(String),
}

/// What a job can be: a state, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// In this state.
    State(JobState),
    /// Pending after a failure.
    Retry,
    /// Running on an agent that is silent.
    Unsure,
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compare {
    /// Less than.
    Below,
    /// Exactly.
    Equal,
    /// More than.
    Above,
}

/// A term that makes no sense, and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// Byte offset of the bad part.
    pub at: usize,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FilterError {}

impl Compare {
    /// Whether `left` compares so to `right`.
    pub fn holds<T: Ord>(self, left: T, right: T) -> bool {
        match self {
            Self::Below => left < right,
            Self::Equal => left == right,
            Self::Above => left > right,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::Equal => "",
            Self::Above => ">",
        }
    }
}

impl Kind {
    /// The word in `is:`.
    pub fn word(self) -> &'static str {
        match self {
            Self::State(state) => state.word(),
            Self::Retry => "retry",
            Self::Unsure => "unsure",
        }
    }

    fn all() -> impl Iterator<Item = Kind> {
        JobState::ALL.into_iter().map(Kind::State).chain([Kind::Retry, Kind::Unsure])
    }

    /// The state that a job of this kind is in.
    pub fn state(self) -> JobState {
        match self {
            Self::State(state) => state,
            Self::Retry => JobState::Pending,
            Self::Unsure => JobState::Running,
        }
    }
}

impl Test {
    /// The same, as a condition.
    pub fn term(self) -> Term {
        Term { not: false, test: self }
    }
}

impl JobFilter {
    /// Jobs in any of these states.
    pub fn of_states(states: &[JobState]) -> Self {
        let kinds: Vec<Kind> = states.iter().copied().map(Kind::State).collect();
        if kinds.is_empty() { Self::default() } else { Self { terms: vec![Test::Is(kinds).term()] } }
    }

    /// Everything is meant.
    pub fn is_all(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether it is as short as anything that [`parse`] makes: what comes by other ways must not cost more.
    pub fn is_short(&self) -> bool {
        let is_short = |term: &Term| match &term.test {
            Test::Is(kinds) => kinds.len() <= Kind::all().count(),
            Test::Agent(text)
            | Test::Device(text)
            | Test::Profile(text)
            | Test::Cause(text)
            | Test::Text(text) => text.len() <= FILTER_BYTES_MAX,
            Test::Priority(..) | Test::Age(..) => true,
        };
        self.terms.len() <= TERMS_MAX && self.terms.iter().all(is_short)
    }

    /// States that a job which fits can be in; a superset when other terms narrow it further.
    pub fn states(&self) -> Vec<JobState> {
        let allows = |state: JobState| {
            self.terms.iter().all(|term| match (&term.test, term.not) {
                (Test::Is(kinds), false) => kinds.iter().any(|kind| kind.state() == state),
                (Test::Is(kinds), true) => !kinds.contains(&Kind::State(state)),
                _ => true,
            })
        };
        JobState::ALL.into_iter().filter(|state| allows(*state)).collect()
    }
}

/// Reads a filter.
pub fn parse(text: &str) -> Result<JobFilter, FilterError> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(error(FILTER_BYTES_MAX, "the filter is too long"));
    }
    let mut terms = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| !c.is_whitespace()).map(|skip| at + skip) {
        let not = text[start..].starts_with('!');
        let begin = start + usize::from(not);
        let (word, end) = word(text, begin)?;
        if word.value.is_empty() && word.name.is_none() {
            return Err(error(start, "a term is missing after the !"));
        }
        terms.push(Term { not, test: test(&word)? });
        at = end;
    }
    Ok(JobFilter { terms })
}

/// `name:value`, `name:"value"`, `value` or `"value"`.
struct Word<'a> {
    name: Option<&'a str>,
    value: &'a str,
    value_at: usize,
}

const NAMES: [&str; 8] = ["state", "is", "agent", "device", "profile", "cause", "pri", "age"];

/// The word that starts at this byte, and where it ends.
fn word(text: &str, start: usize) -> Result<(Word<'_>, usize), FilterError> {
    let rest = &text[start..];
    let plain_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let name = rest[..plain_end].split_once(':').map(|(name, _)| name).filter(|name| NAMES.contains(name));
    let value_at = start + name.map_or(0, |name| name.len() + 1);
    if let Some(quoted) = text[value_at..].strip_prefix('"') {
        let end = quoted.find('"').ok_or_else(|| error(value_at, "a closing \" is missing"))?;
        let word = Word { name, value: &quoted[..end], value_at: value_at + 1 };
        return Ok((word, value_at + end + 2));
    }
    let end = start + plain_end;
    Ok((Word { name, value: &text[value_at..end], value_at }, end))
}

fn test(word: &Word<'_>) -> Result<Test, FilterError> {
    let value = || {
        if word.value.is_empty() {
            return Err(error(word.value_at, "a value is missing"));
        }
        Ok(word.value.to_owned())
    };
    Ok(match word.name {
        Some("state" | "is") => Test::Is(kinds(word.value, word.value_at)?),
        Some("agent") => Test::Agent(value()?),
        Some("device") => Test::Device(value()?),
        Some("profile") => Test::Profile(value()?),
        Some("cause") => Test::Cause(value()?),
        Some("pri") => {
            let (compare, number) = compare(word.value);
            let number: u8 =
                number.parse().ok().filter(|n| *n <= Priority::MAX.0).ok_or_else(|| {
                    error(word.value_at, "a priority is 0 to 9, as in pri:5, pri:>5 or pri:<5")
                })?;
            Test::Priority(compare, Priority(number))
        }
        Some("age") => {
            let (compare, number) = compare(word.value);
            let seconds = seconds(number)
                .ok_or_else(|| error(word.value_at, "an age is like age:<2h or age:>3d (s, m, h or d)"))?;
            Test::Age(compare, seconds)
        }
        Some(_) | None => Test::Text(word.value.to_owned()),
    })
}

/// The kinds in `value`, which starts at byte `at` of the filter.
fn kinds(value: &str, at: usize) -> Result<Vec<Kind>, FilterError> {
    let mut kinds = Vec::new();
    let mut offset = at;
    for word in value.split(',') {
        match Kind::all().find(|kind| kind.word() == word) {
            Some(kind) if kinds.contains(&kind) => {}
            Some(kind) => kinds.push(kind),
            None => {
                let known: Vec<_> = Kind::all().map(Kind::word).collect();
                let what =
                    if word.is_empty() { "a state is missing".into() } else { format!("no state {word:?}") };
                return Err(error(offset, &format!("{what}: {}", known.join(" "))));
            }
        }
        offset += word.len() + 1;
    }
    Ok(kinds)
}

fn compare(value: &str) -> (Compare, &str) {
    match value.as_bytes().first() {
        Some(b'<') => (Compare::Below, &value[1..]),
        Some(b'>') => (Compare::Above, &value[1..]),
        _ => (Compare::Equal, value),
    }
}

/// The seconds that a text such as `90s`, `15m`, `2h` or `3d` means.
pub fn seconds(text: &str) -> Option<u64> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(unit)
}

/// A value with a quote inside was written as one bare word.
fn quoted(value: &str) -> String {
    if value.contains('"') { value.to_owned() } else { format!("\"{value}\"") }
}

fn error(at: usize, message: &str) -> FilterError {
    FilterError { at, message: message.to_owned() }
}

impl fmt::Display for JobFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.terms.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not {
            f.write_str("!")?;
        }
        match &self.test {
            Test::Is(kinds) => {
                let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
                write!(f, "is:{}", words.join(","))
            }
            Test::Agent(name) => write!(f, "agent:{}", quoted(name)),
            Test::Device(name) => write!(f, "device:{}", quoted(name)),
            Test::Profile(name) => write!(f, "profile:{}", quoted(name)),
            Test::Cause(text) => write!(f, "cause:{}", quoted(text)),
            Test::Priority(compare, priority) => write!(f, "pri:{}{}", compare.sign(), priority.0),
            Test::Age(compare, seconds) => write!(f, "age:{}{seconds}s", compare.sign()),
            Test::Text(text) => f.write_str(&quoted(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobState::*;

    #[test]
    fn good_filters_are_read_and_written_back() {
        let check = |text: &str, tests: &[(bool, Test)]| {
            let terms = tests.iter().map(|(not, test)| Term { not: *not, test: test.clone() }).collect();
            let filter = JobFilter { terms };
            assert_eq!(parse(text), Ok(filter.clone()), "{text:?}");
            assert_eq!(parse(&filter.to_string()), Ok(filter), "{text:?}");
        };
        let text = |s: &str| (false, Test::Text(s.to_owned()));
        let is = |kinds: &[Kind]| (false, Test::Is(kinds.to_vec()));
        check("", &[]);
        check("   ", &[]);
        check("ep_04", &[text("ep_04")]);
        check("state:failed,held", &[is(&[Kind::State(Failed), Kind::State(Held)])]);
        check("is:retry,unsure  ep 04", &[is(&[Kind::Retry, Kind::Unsure]), text("ep"), text("04")]);
        check("\"state:x  y\" z", &[text("state:x  y"), text("z")]);
        check("a:b", &[text("a:b")]);
        check("Größe state:pending", &[text("Größe"), is(&[Kind::State(Pending)])]);
        check("state:failed,failed", &[is(&[Kind::State(Failed)])]);
        check("a\"b", &[text("a\"b")]);
        check("!draft", &[(true, Test::Text("draft".into()))]);
        check("!is:running", &[(true, Test::Is(vec![Kind::State(Running)]))]);
        check(
            "agent:ada device:gpu0",
            &[(false, Test::Agent("ada".into())), (false, Test::Device("gpu0".into()))],
        );
        check(
            "cause:\"moov atom\" profile:h264-mp4",
            &[(false, Test::Cause("moov atom".into())), (false, Test::Profile("h264-mp4".into()))],
        );
        check(
            "pri:>5 pri:9",
            &[
                (false, Test::Priority(Compare::Above, Priority(5))),
                (false, Test::Priority(Compare::Equal, Priority(9))),
            ],
        );
        check(
            "age:<2h !age:>3d",
            &[(false, Test::Age(Compare::Below, 7200)), (true, Test::Age(Compare::Above, 259_200))],
        );
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
        check("is:nothing", 3, "nothing");
        check("x \"open", 2, "closing");
        check("cause:\"open", 6, "closing");
        check("agent:", 6, "missing");
        check("a !", 2, "missing");
        check("pri:12", 4, "0 to 9");
        check("age:soon", 4, "2h");
        check("age:99999999999999999999d", 4, "2h");
        check(&"x".repeat(600), FILTER_BYTES_MAX, "too long");
    }

    #[test]
    fn whatever_is_read_is_short_and_nothing_much_longer_is() {
        for text in [String::new(), "x ".repeat(FILTER_BYTES_MAX / 2), "x".repeat(FILTER_BYTES_MAX)] {
            assert!(parse(&text).unwrap().is_short(), "{text}");
        }
        let of = |test: Test, times| JobFilter { terms: vec![test.term(); times] };
        assert!(!of(Test::Age(Compare::Above, 1), TERMS_MAX + 1).is_short());
        assert!(!of(Test::Text("x".repeat(FILTER_BYTES_MAX + 1)), 1).is_short());
        assert!(!of(Test::Is(vec![Kind::Retry; 100]), 1).is_short());
    }

    #[test]
    fn states_that_can_fit_are_known() {
        let states = |text: &str| parse(text).map(|filter| filter.states());
        assert_eq!(states("x"), Ok(JobState::ALL.to_vec()));
        assert_eq!(states("is:retry,failed"), Ok(vec![Pending, Failed]));
        assert_eq!(states("is:failed !is:failed"), Ok(vec![]));
        assert_eq!(states("!is:retry"), Ok(JobState::ALL.to_vec()));
    }
}
