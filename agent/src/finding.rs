//! What a check of `doctor` found, and how it is told. Of both programs; knows none of their checks.

use serde_json::{Value, json};
use vc_protocol::path::is_unprintable;

/// How a check ended, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Worth knowing, and nothing to do.
    Note,
    /// It works, and not as well as it could.
    Warning,
    /// It does not work, or work would be lost.
    Bad,
}

impl Verdict {
    /// The word in front of a finding.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warn",
            Self::Bad => "bad",
        }
    }
}

/// Where the text of a finding begins in its line.
const TEXT_AT: usize = 26;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a few words that stay the same.
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// What to do about it; empty if there is nothing to do.
    pub fix: String,
}

impl Finding {
    /// What a check found, and what to do about it.
    ///
    /// Names of devices, folders and errors are not ours: what could steer a terminal is left out here, for all of them.
    pub fn new(
        check: &'static str,
        verdict: Verdict,
        text: impl AsRef<str>,
        fix: impl AsRef<str>,
    ) -> Finding {
        let clean = |text: &str| text.chars().filter(|c| !is_unprintable(*c)).collect();
        Finding { check, verdict, text: clean(text.as_ref()), fix: clean(fix.as_ref()) }
    }

    /// It is as it should be.
    pub fn fine(check: &'static str, text: impl AsRef<str>) -> Finding {
        Finding::new(check, Verdict::Fine, text, "")
    }

    /// It is worth knowing, and nothing to do.
    pub fn note(check: &'static str, text: impl AsRef<str>) -> Finding {
        Finding::new(check, Verdict::Note, text, "")
    }

    /// The same for a terminal of this width: what is too long goes on below its own beginning.
    pub fn wrapped(&self, width: usize) -> Vec<String> {
        self.lines().iter().flat_map(|line| wrapped(line, width)).collect()
    }

    /// For people: what was found, and below it what to do.
    pub fn lines(&self) -> Vec<String> {
        let Finding { check, verdict, text, fix } = self;
        let mut lines = vec![format!("{:<4}  {check:<18}  {text}", verdict.word())];
        if !fix.is_empty() {
            lines.push(format!("{:<4}  {:<18}  -> {fix}", "", ""));
        }
        lines
    }
}

/// Breaks a line of [`Finding::lines`] between words.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let place = |text: &str| text.chars().count();
    let (head, text) = line.split_at_checked(TEXT_AT).unwrap_or((line, ""));
    let mut lines = vec![head.to_owned()];
    for word in text.split(' ') {
        let begun = lines.last_mut().map(|last| (place(last), last));
        match begun {
            Some((at, last)) if at <= TEXT_AT || at + 1 + place(word) <= width => {
                if at > TEXT_AT {
                    last.push(' ');
                }
                last.push_str(word);
            }
            Some(_) | None => lines.push(format!("{:TEXT_AT$}{word}", "")),
        }
    }
    lines
}

/// The worst of these, and fine if there are none.
pub fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Fine)
}

/// For programs: the worst, and each.
pub fn document(findings: &[Finding]) -> Value {
    let row =
        |f: &Finding| json!({ "check": f.check, "verdict": f.verdict.word(), "text": f.text, "fix": f.fix });
    let checks: Vec<_> = findings.iter().map(row).collect();
    json!({ "v": 1, "worst": worst(findings).word(), "checks": checks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_finding_goes_on_below_its_own_beginning_and_a_short_one_stays() {
        let finding = Finding::new("encoder", Verdict::Warning, "libx264: makes garbage, 6.0 dB", "do so");
        assert_eq!(finding.wrapped(80), finding.lines());
        let expected = [
            "warn  encoder             libx264: makes",
            "                          garbage, 6.0",
            "                          dB",
            "                          -> do so",
        ];
        assert_eq!(finding.wrapped(40), expected);
        let long = Finding::fine("x", "a/folder/whose/name/has/no/blank b");
        assert_eq!(long.wrapped(30).len(), 2);
    }
}
