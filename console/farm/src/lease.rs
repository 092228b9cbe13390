//! Leases: how long an agent may be silent before its work is given to another.
//!
//! Owns the limits, the clock on which silence is counted, and the in-memory side of an attempt that an agent holds.
//! Knows nothing of jobs. Fencing does not rest on any of these times: they only decide when to try elsewhere.

use vc_protocol::agent::Report;
use vc_protocol::progress::Progress;

use crate::event::Millis;
use crate::record::Lease;

/// A lease lives this long after the last heartbeat that named its attempt: twelve heartbeats.
pub const LEASE_MS: u64 = 60_000;
/// After the end of a lease its attempt is left alone this long: a network change or a reboot of a switch is over by
/// then, and giving a running encode away for less wastes more than it saves.
pub const GRACE_MS: u64 = 120_000;
/// After a restart of the console nothing is taken back for this long: three times the longest pause between two
/// dials of an agent, so that every agent alive has reported.
pub const RECONCILE_MS: u64 = 90_000;
/// Silent this long, an agent gets no new work: three heartbeats.
pub const SUSPECT_MS: u64 = 15_000;
/// Silent this long, what an agent runs is shown as unsure: the screen must not claim what nobody said.
pub const UNSURE_MS: u64 = 20_000;

impl Millis {
    /// This much later.
    pub fn plus(self, ms: u64) -> Millis {
        Millis(self.0.saturating_add(ms))
    }

    /// How long since then; zero if it lies ahead.
    pub fn since(self, then: Millis) -> u64 {
        self.0.saturating_sub(then.0)
    }
}

/// The console's monotonic clock beside the one on which silence is counted: that one stands while the console does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    mono: Millis,
    late_ms: u64,
    listened: Millis,
}

impl Clock {
    pub(crate) fn new(mono: Millis) -> Self {
        Clock { mono, late_ms: 0, listened: mono }
    }

    /// Neither clock ever runs backwards, whatever is handed in.
    pub(crate) fn advance(&mut self, mono: Millis) {
        self.mono = self.mono.max(mono);
        self.listened = self.listened.max(Millis(self.mono.0.saturating_sub(self.late_ms)));
    }

    /// The console stood still this long, up to this moment.
    pub(crate) fn stood_still(&mut self, before: Clock, ms: u64) {
        self.late_ms = self.late_ms.saturating_add(ms);
        self.listened = before.listened.max(Millis(self.mono.0.saturating_sub(self.late_ms)));
    }

    pub(crate) fn mono(&self) -> Millis {
        self.mono
    }

    /// Time spent listening: silence and leases are counted on this.
    pub(crate) fn listened(&self) -> Millis {
        self.listened
    }

    /// The earliest moment on the monotonic clock at which `listened` can be reached.
    pub(crate) fn mono_of(&self, listened: Millis) -> Millis {
        self.mono.plus(listened.since(self.listened))
    }
}

/// Whether an attempt still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The current attempt of its task.
    Live,
    /// Fenced off, told to stop; it may still fill a slot there.
    Zombie,
}

/// Whether the agent is believed to have the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// It fills a place on its device.
    Taken,
    /// The agent is gone or no longer has it; only the output is still looked after.
    Left,
}

/// Where the look at a vanished holder's output stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settling {
    /// Nobody needs to look: the holder commits by itself.
    No,
    /// The engine was asked.
    Asked,
    /// The folder could not be read; asked again then.
    Again(Millis),
}

/// An attempt that was handed out, as far as it lives in memory only.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) lease: Lease,
    pub(crate) standing: Standing,
    pub(crate) seat: Seat,
    /// Taken back when the clock of listening reaches this.
    pub(crate) lapses: Millis,
    /// When its timer rings, on the monotonic clock; it may ring early and is then set again.
    pub(crate) armed: Millis,
    pub(crate) progress: Option<Progress>,
    pub(crate) settling: Settling,
    /// What a holder of a grant said at its end, other than that it committed.
    pub(crate) report: Option<Box<Report>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_does_not_grow_while_the_console_stands_still() {
        let mut clock = Clock::new(Millis(1_000));
        clock.advance(Millis(2_000));
        let before = clock;
        clock.advance(Millis(122_000));
        clock.stood_still(before, 120_000);
        assert_eq!(clock.listened(), Millis(2_000));
        assert_eq!(clock.mono_of(Millis(5_000)), Millis(125_000));
    }

    #[test]
    fn neither_clock_runs_backwards() {
        let mut clock = Clock::new(Millis(10_000));
        let before = clock;
        clock.advance(Millis(4_000));
        clock.stood_still(before, 999_999);
        assert_eq!((clock.mono(), clock.listened()), (Millis(10_000), Millis(10_000)));
        clock.advance(Millis(11_000));
        assert_eq!((clock.mono(), clock.listened()), (Millis(11_000), Millis(10_000)));
    }
}
