//! Refusals in the log: the first few of a minute each, the rest as a number. Whoever floods the port with refused
//! connections must not fill the disk with their descriptions.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Lines a minute: enough to see who it is.
const LINES_MAX: u64 = 20;
const WINDOW_S: u64 = 60;

/// Counts refusals.
#[derive(Debug)]
pub(super) struct Complaints {
    started: Instant,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    since_s: u64,
    lines: u64,
    left_out: u64,
}

impl Default for Complaints {
    fn default() -> Self {
        Complaints { started: Instant::now(), window: Mutex::default() }
    }
}

impl Complaints {
    /// A peer at this address was refused, or sent away, for this reason.
    pub(super) fn note(&self, from: SocketAddr, why: &str) {
        let now_s = self.started.elapsed().as_secs();
        let line = self.window.lock().unwrap_or_else(PoisonError::into_inner).note(now_s);
        match line {
            Some(0) => tracing::warn!(%from, "refused: {why}"),
            Some(left_out) => tracing::warn!(%from, left_out, "refused: {why}"),
            None => {}
        }
    }
}

impl Window {
    /// Whether this one is worth a line, and how many before it were not.
    fn note(&mut self, now_s: u64) -> Option<u64> {
        if now_s >= self.since_s + WINDOW_S {
            (self.since_s, self.lines) = (now_s, 0);
        }
        if self.lines >= LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_twenty_lines_a_minute_and_a_number() {
        let mut window = Window::default();
        let lines = (0..1_000).filter(|_| window.note(5).is_some()).count();
        assert_eq!(lines, 20);
        assert_eq!(window.note(60), Some(980));
        assert_eq!(window.note(60), Some(0));
    }
}
