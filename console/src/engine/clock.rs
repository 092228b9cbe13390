//! The console's two clocks, and the notice that its own loop stood still.

use std::time::{Duration, Instant};

use vc_farm::event::{Millis, Now};

use crate::wall::wall_ms;

/// A loop that was away this much longer than it meant to be has not been listening: stopped, starved, or asleep.
const LATE: Duration = Duration::from_secs(2);
/// Longest sleep of the loop when nothing is due: bounds how long a standstill can hide in it.
pub(super) const SLEEP_MAX: Duration = Duration::from_secs(5);

/// Monotonic time since the start, wall time, and where the loop's time went.
pub(super) struct Clock {
    start: Instant,
    woke: Instant,
    fell_asleep: Instant,
    wait: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        let start = Instant::now();
        Clock { start, woke: start, fell_asleep: start, wait: SLEEP_MAX }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.millis(Instant::now()), wall_ms: wall_ms() }
    }

    fn millis(&self, at: Instant) -> Millis {
        Millis(u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX))
    }

    /// How long to sleep until this moment, never longer than [`SLEEP_MAX`].
    pub(super) fn until(&self, deadline: Option<Millis>) -> Duration {
        let now = self.millis(Instant::now());
        match deadline {
            Some(at) => Duration::from_millis(at.0.saturating_sub(now.0)).min(SLEEP_MAX),
            None => SLEEP_MAX,
        }
    }

    /// The loop means to sleep at most this long.
    pub(super) fn falls_asleep(&mut self, wait: Duration) {
        self.fell_asleep = Instant::now();
        self.wait = wait;
    }

    /// The loop is back. How long it was away beyond what it meant to sleep, if that is long enough to matter.
    pub(super) fn wakes(&mut self) -> Option<Millis> {
        let now = Instant::now();
        let worked = self.fell_asleep.saturating_duration_since(self.woke);
        let overslept = now.saturating_duration_since(self.fell_asleep).saturating_sub(self.wait);
        self.woke = now;
        let late = worked + overslept;
        (late > LATE).then(|| Millis(u64::try_from(late.as_millis()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_bounded() {
        let clock = Clock::start();
        assert_eq!(clock.until(None), SLEEP_MAX);
        assert_eq!(clock.until(Some(Millis(0))), Duration::ZERO);
        assert_eq!(clock.until(Some(Millis(u64::MAX))), SLEEP_MAX);
    }

    #[test]
    fn a_standstill_is_noticed_in_sleep_and_at_work() {
        let ago = |s| Instant::now() - Duration::from_secs(s);
        let mut clock = Clock { start: ago(100), woke: ago(70), fell_asleep: ago(70), wait: SLEEP_MAX };
        assert!(clock.wakes().is_some_and(|late| (64_000..66_000).contains(&late.0)));
        let mut clock = Clock { start: ago(100), woke: ago(70), fell_asleep: ago(1), wait: SLEEP_MAX };
        assert!(clock.wakes().is_some_and(|late| (68_000..70_000).contains(&late.0)));
        assert_eq!(clock.wakes(), None);
    }
}
