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
