//! What helps somebody else to understand a job or an agent, as text to paste.

use std::fmt::Write as _;

use vc_protocol::operator::{AgentView, AttemptView, JobDetail};
use vc_protocol::path::is_unprintable;

use crate::tui::model::shell_line;

/// Text from outside without what would steer the terminal that it is pasted into; lines stay lines.
pub(super) fn plain(text: &str) -> String {
    let keep = |c: &char| *c == '\n' || *c == '\t' || !is_unprintable(*c);
    text.chars().filter(keep).collect()
}

/// The command that did the work of the newest attempt that ran any, as a shell line; empty if none did.
pub(super) fn command(detail: &JobDetail) -> String {
    let commands = detail.attempts.iter().find(|a| !a.commands.is_empty()).map(|a| &a.commands);
    let longest = commands.and_then(|all| all.iter().max_by_key(|c| c.argv.len()));
    longest.map(|c| shell_line(&c.argv)).unwrap_or_default()
}

/// The newest attempt that logged something.
pub(super) fn logged(detail: &JobDetail) -> Option<&AttemptView> {
    detail.attempts.iter().find(|a| !a.log.trim().is_empty())
}

pub(super) fn of_job(detail: &JobDetail) -> String {
    let row = &detail.row;
    let class = row.class.map(|c| format!(" ({})", c.word())).unwrap_or_default();
    let cause = if row.cause.is_empty() { String::new() } else { format!("{class}: {}", row.cause) };
    let mut text = format!("job {}: {}{cause}\n", row.id, row.state.word());
    let _ = writeln!(text, "source   {}\noutput   {}", detail.source, detail.output);
    let _ = writeln!(text, "profile  {}, retries {}/{}", row.profile, row.retries, row.retries_max);
    for attempt in &detail.attempts {
        let ended = if attempt.ended.is_empty() { "runs" } else { &attempt.ended };
        let AttemptView { no, place, encoder, cause, .. } = attempt;
        let _ = writeln!(text, "attempt {no} on {place} with {encoder}: {ended} {cause}");
        for passed in &attempt.passed_over {
            let _ = writeln!(text, "  not {}: {}", passed.encoder, passed.cause);
        }
    }
    let command = command(detail);
    if !command.is_empty() {
        let _ = writeln!(text, "command  {command}");
    }
    if let Some(attempt) = logged(detail) {
        let _ = write!(text, "log of attempt {}\n{}", attempt.no, attempt.log);
    }
    plain(&text)
}

pub(super) fn of_agent(view: &AgentView) -> String {
    let mut text =
        format!("agent {} at {}, vc-agent {}\n{}\n", view.name, view.address, view.version, view.ffmpeg);
    for device in &view.devices {
        let state = &device.state;
        let _ = writeln!(text, "device {} {}: {} slots, {state:?}", device.short, device.name, device.slots);
    }
    for folder in &view.unproven {
        let _ = writeln!(text, "cannot see {folder}");
    }
    plain(&text)
}

#[cfg(test)]
mod tests {
    use vc_protocol::job::JobState;

    use super::*;
    use crate::tui::tests::fixture;

    #[test]
    fn a_report_says_all_that_is_known_and_steers_no_terminal() {
        let mut detail = fixture::detail(JobState::Failed);
        detail.attempts[0].log += "\x1b[2J\u{202e}";
        let text = of_job(&detail);
        for part in [
            "job 41902: failed (source): moov atom not found",
            "attempt 1 on dec/cpu",
            "-c:v libx264",
            "using SAR",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert!(!text.contains(['\x1b', '\u{202e}']));
    }
}
