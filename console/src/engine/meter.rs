//! How fast the farm is, and when it will be done.
//!
//! Pure: times and sums are handed in.

use std::collections::VecDeque;

use vc_farm::event::Millis;

use crate::store::Tally;

/// Minutes shown.
const MINUTES: usize = 60;
const MINUTE_MS: u64 = 60_000;
/// The time left is told by the pace of the last ten minutes in which something ran.
const WINDOW_MS: u64 = 10 * MINUTE_MS;
/// Pace is noted this often at most.
const STEP_MS: u64 = 5_000;
/// Speed is looked at this often at most.
const SAMPLE_MS: u64 = 1_000;
/// A minute that has run for less says nothing yet.
const MINUTE_MIN_MS: u64 = 5_000;
/// Jobs that must have ended before a time is told: fewer say nothing.
const DONE_MIN: u64 = 3;

/// Parts of the window whose paces are compared, to say how sure a time is.
const PARTS: u64 = 5;
/// A time is never told as surer than this share of it: encodes differ.
const SPREAD_MIN: f64 = 0.05;
/// With more than this the pace says nothing.
const SPREAD_MAX: f64 = 0.6;

/// The sums at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    active_ms: u64,
    /// Work done, as expected cost.
    done: u64,
    /// Output bytes.
    bytes_out: u64,
}

/// Keeps the farm's pace.
pub(super) struct Meter {
    minutes: VecDeque<u32>,
    minute_began: Millis,
    /// Speed times milliseconds of the minute so far.
    sum: f64,
    last: Millis,
    /// Something ran at the last sample.
    running: bool,
    /// Milliseconds in which something ran.
    active_ms: u64,
    /// Oldest first.
    pace: VecDeque<Note>,
    ended_at_start: Option<u64>,
    ended: u64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Meter {
            minutes: VecDeque::new(),
            minute_began: Millis(0),
            sum: 0.0,
            last: Millis(0),
            running: false,
            active_ms: 0,
            pace: VecDeque::new(),
            ended_at_start: None,
            ended: 0,
        }
    }

    /// Whether the last sample is old enough: adding up the slots of a thousand agents takes its time.
    pub(super) fn wants_sample(&self, now: Millis) -> bool {
        now.0 >= self.last.0 + SAMPLE_MS
    }

    /// The farm's speed since the last call.
    pub(super) fn sample(&mut self, now: Millis, speed: f32, running: bool) {
        let mut from = self.last;
        self.last = now.max(from);
        self.running = running;
        if running {
            self.active_ms += self.last.0 - from.0;
        }
        while self.last.0 >= self.minute_began.0 + MINUTE_MS {
            let end = self.minute_began.0 + MINUTE_MS;
            self.sum += f64::from(speed) * end.saturating_sub(from.0) as f64;
            self.minutes.push_back(tenths(self.sum, MINUTE_MS));
            if self.minutes.len() > MINUTES {
                self.minutes.pop_front();
            }
            // After a standstill of hours there is no need to count each minute of it.
            let gap = (self.last.0 - end) / MINUTE_MS;
            let skipped = gap.saturating_sub(MINUTES as u64) * MINUTE_MS;
            self.minute_began = Millis(end + skipped);
            from = self.minute_began;
            self.sum = 0.0;
        }
        self.sum += f64::from(speed) * (self.last.0 - from.0.min(self.last.0)) as f64;
    }

    /// The sums after a turn.
    pub(super) fn done(&mut self, tally: &Tally) {
        self.ended =
            vc_protocol::job::JobState::ALL.iter().filter(|s| s.is_final()).map(|s| tally.of(*s)).sum();
        let at_start = *self.ended_at_start.get_or_insert(self.ended);
        self.ended_at_start = Some(at_start.min(self.ended));
        // A retry takes work back: the pace starts anew from there.
        if self.pace.back().is_some_and(|last| last.done > tally.cost_done) {
            self.pace.clear();
        }
        // The newest note moves on until it is a step away from the one before.
        let note = Note { active_ms: self.active_ms, done: tally.cost_done, bytes_out: tally.bytes_out };
        let len = self.pace.len();
        if len >= 2 && self.pace[len - 1].active_ms < self.pace[len - 2].active_ms + STEP_MS {
            self.pace[len - 1] = note;
        } else {
            self.pace.push_back(note);
        }
        while self.pace.len() > 2 && self.pace[1].active_ms + WINDOW_MS < self.active_ms {
            self.pace.pop_front();
        }
    }

    /// Farm speed each minute of the last hour, oldest first, times ten. The minute that runs is among them while
    /// there is work, so that a short conversion has a picture too and an idle farm none that moves.
    pub(super) fn minutes(&self) -> Vec<u32> {
        let elapsed = self.last.0.saturating_sub(self.minute_began.0);
        let now = (self.running && elapsed >= MINUTE_MIN_MS).then(|| tenths(self.sum, elapsed));
        let whole = self.minutes.len().saturating_sub(MINUTES - usize::from(now.is_some()));
        self.minutes.iter().skip(whole).copied().chain(now).collect()
    }

    /// Seconds until so much work is done, once that can be told. `begun` is work done on jobs that still run.
    pub(super) fn eta_s(&self, open: u64, begun: u64) -> Option<u64> {
        if self.ended.saturating_sub(self.ended_at_start?) < DONE_MIN {
            return None;
        }
        let (first, last) = (self.pace.front()?, self.pace.back()?);
        let active_ms = self.active_ms.saturating_sub(first.active_ms);
        let done = (last.done - first.done).saturating_add(begun);
        if active_ms == 0 || done == 0 {
            return None;
        }
        let left = open.saturating_sub(begun) as f64;
        Some((left * active_ms as f64 / done as f64 / 1000.0).ceil() as u64)
    }

    /// Least and most that a time left may be: from how far the paces of parts of the window lie apart. None before
    /// there are enough of them.
    pub(super) fn range_s(&self, eta_s: u64) -> Option<(u64, u64)> {
        let (first, last) = (self.pace.front()?, self.pace.back()?);
        let part_ms = (last.active_ms - first.active_ms) / PARTS;
        if part_ms < STEP_MS {
            return None;
        }
        let at = |ms: u64| self.pace.iter().find(|note| note.active_ms >= ms);
        let mut paces = Vec::new();
        let mut from = first;
        for part in 1..=PARTS {
            let to = at(first.active_ms + part * part_ms)?;
            if to.active_ms > from.active_ms {
                paces.push((to.done - from.done) as f64 / (to.active_ms - from.active_ms) as f64);
            }
            from = to;
        }
        let mean = paces.iter().sum::<f64>() / paces.len() as f64;
        let variance = paces.iter().map(|pace| (pace - mean).powi(2)).sum::<f64>() / paces.len() as f64;
        // The pace that is told is their mean, which is surer than each of them.
        let spread = (variance / paces.len() as f64).sqrt() / mean;
        if !spread.is_finite() || spread > SPREAD_MAX {
            return None;
        }
        let spread = spread.max(SPREAD_MIN);
        Some(((eta_s as f64 / (1.0 + spread)) as u64, (eta_s as f64 / (1.0 - spread)).ceil() as u64))
    }

    /// Seconds of work until so many bytes of output are written, at the pace of the window.
    pub(super) fn fills_s(&self, free: u64) -> Option<u64> {
        let (first, last) = (self.pace.front()?, self.pace.back()?);
        let bytes = last.bytes_out.checked_sub(first.bytes_out).filter(|bytes| *bytes > 0)?;
        let active_ms = self.active_ms.checked_sub(first.active_ms).filter(|ms| *ms >= STEP_MS)?;
        u64::try_from(u128::from(free) * u128::from(active_ms) / u128::from(bytes) / 1000).ok()
    }
}

/// Tenths of real time on average: a farm is far below the limits of the type.
fn tenths(sum: f64, of_ms: u64) -> u32 {
    (sum / of_ms as f64 * 10.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(completed: u64, done: u64) -> Tally {
        Tally { by_state: [0, 0, completed, 0, 0, 0, 0], cost_done: done, ..Tally::default() }
    }

    #[test]
    fn minutes_are_averages_over_their_time() {
        let mut meter = Meter::new();
        meter.sample(Millis(30_000), 10.0, true);
        meter.sample(Millis(60_000), 20.0, true);
        assert_eq!(meter.minutes(), [150]);
        meter.sample(Millis(150_000), 2.0, true);
        assert_eq!(meter.minutes(), [150, 20, 20], "the minute that runs is shown");
        meter.sample(Millis(160_000), 0.0, false);
        assert_eq!(meter.minutes(), [150, 20], "but not while nothing does");
        meter.sample(Millis(1_000 * 3_600_000), 0.0, false);
        assert!(meter.minutes().len() <= MINUTES && meter.minutes().last() == Some(&0));
    }

    #[test]
    fn a_time_is_told_after_three_jobs_and_idle_time_does_not_count() {
        let mut meter = Meter::new();
        meter.done(&tally(5, 1_000));
        for (n, at) in [(1, 10_000), (2, 20_000)] {
            meter.sample(Millis(at), 1.0, true);
            meter.done(&tally(5 + n, 1_000 + 100 * n));
            assert_eq!(meter.eta_s(1_000, 0), None);
        }
        meter.sample(Millis(30_000), 1.0, true);
        meter.done(&tally(8, 1_300));
        assert_eq!(meter.eta_s(1_000, 0), Some(100));
        meter.sample(Millis(900_000), 0.0, false);
        assert_eq!(meter.eta_s(1_000, 0), Some(100));
    }

    #[test]
    fn a_steady_pace_is_surer_than_an_uneven_one() {
        let range = |steps: [u64; 10]| {
            let mut meter = Meter::new();
            let mut done = 0;
            for (n, step) in steps.into_iter().enumerate() {
                meter.sample(Millis(n as u64 * 10_000), 1.0, true);
                meter.done(&Tally { bytes_out: done * 10, ..tally(n as u64, done) });
                done += step;
            }
            (meter.range_s(1_000), meter.fills_s(1_000))
        };
        let (steady, fills) = range([100; 10]);
        assert_eq!(steady, Some((952, 1_053)));
        assert_eq!(fills, Some(10));
        let (uneven, _) = range([10, 250, 10, 10, 200, 10, 300, 10, 10, 90]);
        let (least, most) = uneven.unwrap();
        assert!(least < 900 && most > 1_100, "{least} {most}");
        assert_eq!(Meter::new().range_s(1_000), None);
        assert_eq!(Meter::new().fills_s(1_000), None);
    }

    #[test]
    fn work_taken_back_starts_the_pace_anew() {
        let mut meter = Meter::new();
        meter.done(&tally(0, 0));
        meter.sample(Millis(10_000), 1.0, true);
        meter.done(&tally(4, 400));
        meter.done(&tally(3, 300));
        assert_eq!(meter.eta_s(100, 0), None);
    }
}
