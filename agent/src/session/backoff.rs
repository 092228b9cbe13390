//! How long to wait before the next dial. Knows nothing of clocks, sockets and dice.

use std::time::Duration;

/// Ceiling of the first wait: a console that was only restarted is met again at once.
const FIRST: Duration = Duration::from_millis(500);
/// Highest ceiling: a farm of a thousand agents costs a dead console some thirty packets a second.
const HIGHEST: Duration = Duration::from_secs(30);
/// Doublings after which the ceiling stands still; keeps the shift small whatever the count says.
const DOUBLINGS_MAX: u32 = 6;

/// What the last try came to, as far as waiting is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastTry {
    /// It may work at any moment; this many tries failed since the last welcome.
    Failed(u32),
    /// The console said no and will say so again, until a person changes something.
    Refused,
}

/// Full jitter: somewhere between nothing and a ceiling that doubles from half a second to half a minute. A refused
/// agent waits between half and all of the longest.
pub(crate) fn wait(last: LastTry, random: u64) -> Duration {
    let (lowest, ceiling) = match last {
        LastTry::Failed(failures) => {
            let doubled = FIRST * (1 << failures.saturating_sub(1).min(DOUBLINGS_MAX));
            (Duration::ZERO, doubled.min(HIGHEST))
        }
        LastTry::Refused => (HIGHEST / 2, HIGHEST),
    };
    let span_ms = (ceiling - lowest).as_millis() as u64;
    lowest + Duration::from_millis(random % (span_ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_no_further() {
        let ceiling_ms = |last| (0..=60_000).map(|r| wait(last, r).as_millis()).max().unwrap();
        let table =
            [(0, 500), (1, 500), (2, 1_000), (3, 2_000), (6, 16_000), (7, 30_000), (u32::MAX, 30_000)];
        for (failures, expected) in table {
            assert_eq!(ceiling_ms(LastTry::Failed(failures)), expected, "after {failures} failures");
        }
        assert_eq!(ceiling_ms(LastTry::Refused), 30_000);
    }

    #[test]
    fn waits_are_spread_over_their_whole_span() {
        assert_eq!(wait(LastTry::Failed(7), 30_001), Duration::ZERO);
        assert_eq!(wait(LastTry::Failed(7), 15_000), Duration::from_secs(15));
        assert_eq!(wait(LastTry::Refused, 0), Duration::from_secs(15));
        assert_eq!(wait(LastTry::Refused, u64::MAX), wait(LastTry::Refused, u64::MAX % 15_001));
    }
}
