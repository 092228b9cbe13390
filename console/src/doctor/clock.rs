//! Clocks: this box's own, its file system's, the agents'.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use super::folders::Probe;
use super::{Finding, Verdict};
use crate::wall::wall_ms;

/// This program is younger than that: a clock before it was never set.
const SANE_FROM: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// A clock past that was set wrongly.
const SANE_TO: Timestamp = Timestamp::constant(4_102_444_800, 0);
/// File systems over a network keep their own time. A source counts as changed by its time, so this must be small.
const APART_MAX_MS: i64 = 2_000;
/// Certificates forgive an hour; events and logs of two boxes are hard to read together long before.
const AGENT_APART_MAX_MS: i64 = 60_000;

const NTP: &str = "let the system keep the time: timedatectl set-ntp true";

/// The clock of this box.
pub(super) fn own(state_dir: Option<&Path>) -> Vec<Finding> {
    let now = wall_ms();
    let shown =
        Timestamp::from_millisecond(now).map(|t| t.strftime("%F %T UTC").to_string()).unwrap_or_default();
    let mut findings = vec![if (SANE_FROM.as_millisecond()..SANE_TO.as_millisecond()).contains(&now) {
        Finding::fine("clock", shown)
    } else {
        Finding::new("clock", Verdict::Bad, format!("{shown}: certificates are not valid then"), NTP)
    }];
    findings.extend(state_dir.and_then(file_time));
    findings
}

/// The time that a file gets against the time that the system says.
fn file_time(dir: &Path) -> Option<Finding> {
    let probe = Probe::make(dir).ok()?;
    let before = SystemTime::now();
    let modified = std::fs::metadata(probe.path()).ok()?.modified().ok()?;
    let ms = |t: SystemTime| t.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let apart = ms(modified) - ms(before);
    Some(if apart.abs() <= APART_MAX_MS {
        Finding::fine("file times", format!("as the clock in {}", dir.display()))
    } else {
        let text = format!("{:.1} s from the clock in {}", apart as f64 / 1000.0, dir.display());
        Finding::new("file times", Verdict::Warning, text, "set the clock of the file server as this one's")
    })
}

/// The clocks of the agents that are there.
pub(super) fn agents(clocks: &[(String, i64)]) -> Finding {
    let off: Vec<_> = clocks.iter().filter(|(_, ms)| ms.abs() > AGENT_APART_MAX_MS).collect();
    if off.is_empty() {
        return Finding::fine("clocks of agents", format!("{} known, all within a minute", clocks.len()));
    }
    let named = |(name, ms): &&(String, i64)| format!("{name} by {} s", ms / 1000);
    let text = format!("off: {}", off.iter().map(named).collect::<Vec<_>>().join(", "));
    Finding::new("clocks of agents", Verdict::Warning, text, format!("on each of them: {NTP}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_whose_clock_is_off_is_named() {
        assert_eq!(agents(&[("ada".into(), 12), ("bolt".into(), -900)]).verdict, Verdict::Fine);
        let finding = agents(&[("ada".into(), 12), ("bolt".into(), -90_000)]);
        assert_eq!((finding.verdict, finding.text.as_str()), (Verdict::Warning, "off: bolt by -90 s"));
    }

    #[test]
    fn the_clock_and_the_file_times_of_this_box_are_fine() {
        let dir = tempfile::tempdir().unwrap();
        for finding in own(Some(dir.path())) {
            assert_eq!(finding.verdict, Verdict::Fine, "{finding:?}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
