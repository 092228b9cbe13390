//! What people read on stdout and stderr. Off a terminal nothing is cut, coloured or redrawn.

use std::io::Write;

use serde_json::{Value, json};
use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentView, JobDetail, JobRow, Snapshot};

use super::exit::{Exit, Failed};
use super::size::{bytes, left, rfc3339, seconds};

/// Prints data. A reader that went away is no error of ours.
pub(crate) fn out(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a JSON document.
pub(crate) fn json_out(value: &Value) {
    out(&value.to_string());
}

/// Prints a note for people.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints why a command was not done: as JSON on stdout where JSON was asked for, as a sentence on stderr else.
pub(crate) fn report(failed: &Failed, as_json: bool) {
    if as_json {
        json_out(&error(failed));
    } else {
        note(&format!("vc-console: {}", failed.message));
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

/// A row of the job table, in fields parted by two blanks.
pub(crate) fn row(row: &JobRow) -> String {
    let state = if row.unsure { "unsure" } else { row.state.word() };
    let place = if row.place.is_empty() { "-" } else { &row.place };
    let mut line = format!(
        "{:>7}  {state:<9}  {}  {}/{}  {:<12}  {place:<16}  {}",
        row.id, row.priority.0, row.retries, row.retries_max, row.profile, row.source
    );
    if let Some(p) = row.progress {
        line += &format!("  {} {}%", p.phase.word(), p.permille / 10);
    }
    if !row.cause.is_empty() {
        line += &format!("  ({})", cause(row));
    }
    line
}

/// Class and cause of a row.
pub(crate) fn cause(row: &JobRow) -> String {
    match row.class {
        Some(class) => format!("{}: {}", class.word(), row.cause),
        None => row.cause.clone(),
    }
}

/// Everything about a job.
pub(crate) fn detail(d: &JobDetail) -> String {
    let mut lines = vec![
        format!("job       {}", d.row.id),
        format!("state     {}", if d.row.unsure { "unsure" } else { d.row.state.word() }),
        format!("source    {}", d.source),
        format!("output    {}", d.output),
        format!("profile   {}, priority {}", d.row.profile, d.row.priority.0),
        format!("retries   {} of {}", d.row.retries, d.row.retries_max),
        format!("added     {}", rfc3339(d.created_ms)),
        format!("updated   {}", rfc3339(d.row.updated_ms)),
    ];
    if !d.row.cause.is_empty() {
        lines.push(format!("cause     {}", cause(&d.row)));
    }
    if d.row.state == JobState::Completed {
        lines.push(format!(
            "result    {} -> {} in {} with {}",
            bytes(d.row.bytes_in),
            bytes(d.row.bytes_out),
            seconds(d.seconds),
            d.encoder
        ));
    }
    lines.extend(d.warnings.iter().map(|w| format!("warning   {w}")));
    for a in &d.attempts {
        let ended = match a.ended.as_str() {
            "" => "running".to_owned(),
            "completed" | "skipped" | "stopped" => a.ended.clone(),
            class => format!("failed ({class})"),
        };
        let facts = [a.place.as_str(), &a.encoder, &ended, &a.cause];
        let facts: Vec<_> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
        lines.push(format!("attempt   {} on {}", a.no, facts.join("  ")));
        for c in &a.commands {
            let words: Vec<_> = c.argv.iter().map(|word| shell_word(&word.0)).collect();
            lines.push(format!("  $ {}", words.join(" ")));
        }
    }
    lines.join("\n")
}

/// A word that a shell reads as these bytes.
fn shell_word(bytes: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(b);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let escape = |b: &u8| match b {
                b'\'' | b'\\' => format!("\\{}", *b as char),
                b' '..=b'~' => (*b as char).to_string(),
                _ => format!("\\x{b:02x}"),
            };
            format!("$'{}'", bytes.iter().map(escape).collect::<String>())
        }
    }
}

/// The farm in one screen of text.
pub(crate) fn status(s: &Snapshot) -> String {
    let t = &s.totals;
    let counts: Vec<_> = JobState::ALL
        .iter()
        .zip(t.by_state)
        .filter(|(state, n)| *n > 0 || matches!(state, JobState::Pending | JobState::Running))
        .map(|(state, n)| format!("{} {n}", state.word()))
        .collect();
    let mut lines = vec![
        format!("farm      {}, agents dial {}, up {}", s.farm, s.listen, seconds(s.up_ms as f64 / 1000.0)),
        format!("jobs      {}", counts.join(", ")),
    ];
    let parts = [(t.to_retry, "pending for a retry"), (t.unsure, "running unsure: no word from the agent")];
    for (n, what) in parts.into_iter().filter(|(n, _)| *n > 0) {
        lines.push(format!("          {n} {what}"));
    }
    lines.push(format!(
        "speed     {:.1}x, {:.0} fps, {}% done, ETA {}",
        t.speed,
        t.fps,
        t.permille / 10,
        left(t.eta_s)
    ));
    if t.bytes_in > 0 {
        lines.push(format!("converted {} into {}", bytes(t.bytes_in), bytes(t.bytes_out)));
    }
    if let Some(halted) = &s.halted {
        lines.push(format!("HALTED    {halted}"));
    }
    lines.extend(s.agents.iter().map(agent));
    lines.extend(s.needs.iter().map(|n| format!("! {:<8} {}: {}", n.kind, n.what, n.text)));
    lines.join("\n")
}

/// An agent in one line and one more for each folder it does not see.
pub(crate) fn agent(a: &AgentView) -> String {
    let slots: u32 = a.devices.iter().map(|d| u32::from(d.slots)).sum();
    let busy: usize = a.devices.iter().map(|d| d.runs.len().min(usize::from(d.slots))).sum();
    let state = match a.state {
        vc_protocol::operator::AgentState::Ok => "ok",
        vc_protocol::operator::AgentState::Suspect => "silent",
        vc_protocol::operator::AgentState::Offline => "OFFLINE",
        vc_protocol::operator::AgentState::Draining => "draining",
    };
    let mut text = format!(
        "agent     {:<16} {state:<9} {busy}/{slots} busy  {}  {} done, {} failed",
        a.name, a.address, a.completed, a.failed
    );
    for reason in &a.unproven {
        text += &format!("\n          cannot use {reason}");
    }
    text
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
    fn words_survive_a_shell() {
        assert_eq!(shell_word(b"-i"), "-i");
        assert_eq!(shell_word(b""), "''");
        assert_eq!(shell_word(b"it's"), r"'it'\''s'");
        assert_eq!(shell_word(b"a\nb\xff'"), r"$'a\x0ab\xff\''");
    }
}
