//! The clock of this box: certificates are valid only while it is about right.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use super::{Finding, Verdict};

/// This program is younger than that: a clock before it was never set.
const SANE_FROM: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// A clock past that was set wrongly.
const SANE_TO: Timestamp = Timestamp::constant(4_102_444_800, 0);

/// What to do about a wrong clock.
pub(super) const NTP: &str = "let the system keep the time: timedatectl set-ntp true";

/// Seconds since 1970, negative before.
pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A moment for people.
pub(super) fn shown(second: i64) -> String {
    Timestamp::from_second(second).map(|t| t.strftime("%F %T UTC").to_string()).unwrap_or_default()
}

pub(super) fn own() -> Finding {
    judge(now_s())
}

fn judge(now: i64) -> Finding {
    if (SANE_FROM.as_second()..SANE_TO.as_second()).contains(&now) {
        Finding::fine("clock", shown(now))
    } else {
        let text = format!("{}: certificates are not valid then", shown(now));
        Finding::new("clock", Verdict::Bad, text, NTP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_bad() {
        assert_eq!(judge(1_790_000_000), Finding::fine("clock", "2026-09-21 14:13:20 UTC"));
        for second in [0, -5, 1_000_000_000, 5_000_000_000, i64::MAX] {
            assert_eq!(judge(second).verdict, Verdict::Bad, "{second}");
        }
    }
}
