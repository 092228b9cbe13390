//! Why jobs failed, grouped: one name for all causes that differ only in numbers, paths and addresses.
//!
//! A known cause has its name, class and advice from a table of [`rules`]; any other is named by its own words with
//! what differs from job to job taken out. Pure: knows nothing of jobs, stores and screens.

mod rules;

use std::net::{IpAddr, SocketAddr};

use vc_protocol::failure::FailureClass;

/// Longest name of a group in bytes; causes that agree that far are one group.
pub const NAME_BYTES_MAX: usize = 120;
/// Rounds after which a name is taken as it is. Two do for all but rubbish.
const ROUNDS_MAX: usize = 16;
/// Stands for a number.
const NUMBER: &str = "N";
/// Stands for a path or the name of a file.
const FILE: &str = "FILE";
/// Stands for an address of the network.
const HOST: &str = "HOST";

/// What is known about a kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// Its number, stable between versions: a letter for whose fault it is, then a count.
    pub id: &'static str,
    /// What it likely is, and what to do.
    pub advice: &'static str,
    /// Whose fault it is.
    pub class: FailureClass,
}

/// The name of the group that a cause belongs to. A name is its own name.
pub fn name(cause: &str) -> String {
    let mut name = plainer(cause);
    // What was taken out, or cut off, may leave words that look like paths or known causes themselves.
    for _ in 0..ROUNDS_MAX {
        let next = plainer(&name);
        if next == name {
            break;
        }
        name = next;
    }
    name
}

fn plainer(cause: &str) -> String {
    match rules::find(cause) {
        Some(rule) if !rule.name.is_empty() => rule.name.to_owned(),
        _ => plain(cause),
    }
}

/// What is known about a cause, or about a group by its name.
pub fn hint(cause: &str) -> Option<Hint> {
    rules::find(cause).map(|rule| rule.hint)
}

/// What is left once a number is taken out can look like a file; a name that stands still comes after a pass or two.
const PASSES_MAX: usize = 8;

/// The cause without what differs from job to job; of a name that is the name again.
fn plain(cause: &str) -> String {
    let mut name = pass(cause);
    for _ in 1..PASSES_MAX {
        let again = pass(&name);
        if again == name {
            break;
        }
        name = again;
    }
    name
}

fn pass(cause: &str) -> String {
    let line = cause.lines().next().unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for word in split(untagged(line.trim())) {
        words.push(plain_word(word));
    }
    let mut name = words.join(" ");
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    name.truncate(name.trim_end().len());
    // A filter puts names in double quotes.
    name.replace('"', "'")
}

/// Without ffmpeg's tags in front: `[mov,mp4 @ 0x55e9] [error] `.
fn untagged(mut line: &str) -> &str {
    while let Some(rest) = line.strip_prefix('[') {
        match rest.split_once(']') {
            Some((_, after)) if !after.trim().is_empty() => line = after.trim_start(),
            _ => break,
        }
    }
    line
}

/// Words at white space; what stands in quotes is one word.
fn split(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = quoted_end(rest).unwrap_or_else(|| rest.find(char::is_whitespace).unwrap_or(rest.len()));
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

/// Where a quoted word ends: its closing quote stands before white space, punctuation or the end.
fn quoted_end(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    rest.char_indices().skip(1).find_map(|(at, c)| {
        let end = at + c.len_utf8();
        let after = rest[end..].chars().next();
        (c == quote && after.is_none_or(|c| !c.is_alphanumeric()))
            .then(|| rest[end..].find(char::is_whitespace).map_or(rest.len(), |space| end + space))
    })
}

fn plain_word(word: &str) -> String {
    let is_mark =
        |c: char| matches!(c, '\'' | '"' | '(' | ')' | '{' | '}' | '<' | '>' | ',' | ';' | '!' | '?');
    let head = word.len() - word.trim_start_matches(is_mark).len();
    let (head, rest) = word.split_at(head);
    let core = rest.trim_end_matches(|c| is_mark(c) || matches!(c, ':' | '.'));
    let tail = &rest[core.len()..];
    format!("{head}{}{tail}", plain_core(core))
}

fn plain_core(core: &str) -> String {
    let unbracketed = core.trim_matches(['[', ']']);
    if unbracketed.parse::<IpAddr>().is_ok() || core.parse::<SocketAddr>().is_ok() {
        return HOST.to_owned();
    }
    if is_path(core) {
        return FILE.to_owned();
    }
    if is_hex(core) {
        return NUMBER.to_owned();
    }
    // Words such as `h264`, `libx265` and `VK_ERROR_1` are names.
    if core.starts_with(|c: char| c.is_alphabetic()) && !core.contains(['=', ':', '#']) {
        return core.to_owned();
    }
    without_numbers(core)
}

fn is_path(core: &str) -> bool {
    let starts = ["/", "./", "../", "~/", "file:"].iter().any(|start| core.starts_with(start));
    let inner = core.matches('/').count();
    (starts && core.len() > 1) || inner > 1 || core.contains("://") || is_file_name(core)
}

/// A name with an ending such as `.mkv`; `libcuda.so.1` and `e.g.` are none.
fn is_file_name(core: &str) -> bool {
    core.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty()
            && (2..=4).contains(&ending.len())
            && ending.chars().all(|c| c.is_ascii_alphanumeric())
            && ending.starts_with(|c: char| c.is_ascii_alphabetic())
            && stem.chars().any(char::is_alphanumeric)
    })
}

fn is_hex(core: &str) -> bool {
    let digits = core.strip_prefix("0x").unwrap_or(core);
    let long = digits.len() >= 8 && digits.bytes().any(|b| b.is_ascii_digit());
    (long || digits.len() < core.len()) && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Each run of digits, with the marks between them, as one number: `1920x1080`, `47:58`, `-1.5`.
fn without_numbers(core: &str) -> String {
    let mut plain = String::with_capacity(core.len());
    let mut rest = core;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let sign = usize::from(at == 1 && plain.is_empty() && rest.starts_with(['-', '+']));
        plain.push_str(&rest[..at - sign]);
        plain.push_str(NUMBER);
        rest = &rest[at..];
        while let Some(after) = rest.strip_prefix(|c: char| c.is_ascii_digit()) {
            let joined = after
                .strip_prefix([':', '.', ',', 'x'])
                .filter(|s| s.starts_with(|c: char| c.is_ascii_digit()));
            rest = joined.unwrap_or(after);
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_job_to_job_is_taken_out() {
        for (cause, expected) in [
            ("moov atom not found", "moov atom not found"),
            ("[mov,mp4 @ 0x55e9] [error] moov atom not found", "moov atom not found"),
            ("something odd at 47:58 of 50:11 (twice)", "something odd at N of N (twice)"),
            ("frame 1920x1080, -7 of 12% and 0x55ef", "frame N, N of N% and N"),
            ("open /mnt/a/b.mkv: odd", "open FILE: odd"),
            ("open '/mnt/a b/c.mkv': odd", "open 'FILE': odd"),
            ("part 41902.1.ab.part.mp4 is odd", "part FILE is odd"),
            ("10.0.0.5:4433 and [::1]:80 and 10.0.0.5 do not answer", "HOST and HOST and HOST do not answer"),
            ("Unknown thing 'libx266' for h264_nvenc", "Unknown thing 'libx266' for h264_nvenc"),
            ("libcuda.so.1 can't input/output", "libcuda.so.1 can't input/output"),
            ("stream=3 #0:1 10bit", "stream=N #N Nbit"),
            ("first line\nsecond", "first line"),
            ("", ""),
            ("[]", "[]"),
        ] {
            assert_eq!(name(cause), expected, "{cause}");
        }
        assert_eq!(name(&"ä".repeat(400)).len(), NAME_BYTES_MAX);
    }

    proptest::proptest! {
        #[test]
        fn a_name_is_its_own_name(cause in "[\\[a-z0-9:/.'\" x#-]{0,60}|\\PC{0,200}") {
            let once = name(&cause);
            proptest::prop_assert!(once.len() <= NAME_BYTES_MAX);
            proptest::prop_assert_eq!(name(&once), once);
        }
    }
}
