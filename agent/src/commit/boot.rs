//! Time since boot, sleep included: a laptop that slept for an hour holds a grant that is an hour old.

use std::time::Duration;

/// A moment since boot.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct BootTime(f64);

impl BootTime {
    /// This moment. The kernel's `/proc/uptime` counts sleep, which std's `Instant` does not.
    pub fn now() -> BootTime {
        let uptime = std::fs::read_to_string("/proc/uptime").ok();
        let seconds = uptime.as_deref().and_then(|text| text.split_ascii_whitespace().next()?.parse().ok());
        // Without it every grant counts as too new to be old, which the console's own check makes harmless.
        BootTime(seconds.unwrap_or(0.0))
    }

    /// How long ago it was.
    pub fn age(self) -> Duration {
        Duration::try_from_secs_f64(BootTime::now().0 - self.0).unwrap_or_default()
    }

    /// A moment that many seconds before this one, for tests.
    #[cfg(test)]
    pub(super) fn earlier(self, seconds: f64) -> BootTime {
        BootTime(self.0 - seconds)
    }
}
