//! From ffmpeg's blocks to what people see: share, rates over the last seconds, time left.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use vc_protocol::progress::{Phase, Progress};

use crate::process::Block;

/// Rates are averages over this long: long enough to be calm, short enough to follow.
const WINDOW: Duration = Duration::from_secs(5);
/// Least time between two that are told.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// More samples than ffmpeg gives in a window, which is one each half second.
const SAMPLES_MAX: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    frames: u64,
    out_ms: u64,
}

/// Measures one encode of one or more passes.
#[derive(Debug)]
pub(super) struct Meter {
    total_ms: Option<u64>,
    passes: u64,
    pass: u64,
    window: VecDeque<Sample>,
    told: Option<Instant>,
    last: Progress,
}

impl Meter {
    /// Before the first pass of `passes`; `total_ms` is the length of the source, where it is known.
    pub(super) fn new(total_ms: Option<u64>, passes: usize) -> Meter {
        let last = Progress::start(Phase::Encoding);
        let passes = u64::try_from(passes).unwrap_or(1).max(1);
        Meter {
            total_ms: total_ms.filter(|ms| *ms > 0),
            passes,
            pass: 0,
            window: VecDeque::new(),
            told: None,
            last,
        }
    }

    /// A pass begins, counted from 0.
    pub(super) fn begin_pass(&mut self, pass: usize, now: Instant) {
        self.pass = u64::try_from(pass).unwrap_or(0);
        self.window.clear();
        self.window.push_back(Sample { at: now, frames: 0, out_ms: 0 });
    }

    /// Takes a block; what it gives is to be told.
    pub(super) fn take(&mut self, block: &Block, now: Instant) -> Option<Progress> {
        let frames = block.frames.unwrap_or(self.last.frames);
        let out_ms = block.out_time_us.map_or(self.last.out_ms, |us| u64::try_from(us / 1000).unwrap_or(0));
        let sample = Sample { at: now, frames, out_ms };
        while self.window.len() >= SAMPLES_MAX
            || self.window.front().is_some_and(|s| self.window.len() > 1 && now - s.at > WINDOW)
        {
            self.window.pop_front();
        }
        let base = self.window.front().copied().unwrap_or(sample);
        self.window.push_back(sample);
        let elapsed = (now - base.at).as_secs_f32();
        let rate =
            |from: u64, to: u64| if elapsed > 0.0 { to.saturating_sub(from) as f32 / elapsed } else { 0.0 };
        let speed = rate(base.out_ms, out_ms) / 1000.0;
        self.last = Progress {
            phase: Phase::Encoding,
            permille: self.permille(out_ms),
            frames,
            fps: rate(base.frames, frames),
            speed,
            out_bytes: block.total_size.unwrap_or(self.last.out_bytes),
            out_ms,
            eta_s: self.eta(out_ms, speed),
        };
        let is_due = self.told.is_none_or(|told| now - told >= TELL_EVERY);
        is_due.then(|| {
            self.told = Some(now);
            self.last
        })
    }

    /// The newest, told or not.
    pub(super) fn last(&self) -> Progress {
        self.last
    }

    /// Share of the file that the newest has written, 0 to 1; none while a pass runs that writes none of it.
    pub(super) fn share(&self) -> Option<f64> {
        let total = self.total_ms.filter(|_| self.pass + 1 == self.passes)?;
        Some((self.last.out_ms as f64 / total as f64).min(1.0))
    }

    fn permille(&self, out_ms: u64) -> u16 {
        let Some(total) = self.total_ms else { return 0 };
        let done = out_ms.min(total).saturating_mul(1000) / total;
        u16::try_from((self.pass * 1000 + done) / self.passes).unwrap_or(1000).min(1000)
    }

    fn eta(&self, out_ms: u64, speed: f32) -> Option<u32> {
        let total = self.total_ms?;
        let left_ms = total.saturating_sub(out_ms) + (self.passes - 1).saturating_sub(self.pass) * total;
        // A float that is too large becomes the largest number, which is as good as any.
        (speed > 0.001).then(|| (left_ms as f32 / 1000.0 / speed).ceil() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(frames: u64, out_s: i64) -> Block {
        Block {
            frames: Some(frames),
            total_size: Some(frames * 100),
            out_time_us: Some(out_s * 1_000_000),
            is_end: false,
        }
    }

    #[test]
    fn share_rates_and_time_left_follow_the_last_seconds() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = Meter::new(Some(100_000), 1);
        meter.begin_pass(0, start);
        let first = meter.take(&block(50, 2), at(1000)).unwrap();
        assert_eq!((first.permille, first.fps, first.speed, first.eta_s), (20, 50.0, 2.0, Some(49)));
        assert_eq!(meter.take(&block(60, 3), at(1300)), None, "not more than twice a second");
        for second in 2..=20 {
            meter.take(&block(60 + second * 10, 3 + second as i64), at(second * 1000));
        }
        let last = meter.last();
        assert!((last.speed - 1.0).abs() < 0.01 && (last.fps - 10.0).abs() < 0.1, "{last:?}");
        assert_eq!((last.permille, last.out_bytes, last.eta_s), (230, 26_000, Some(77)));
    }

    #[test]
    fn two_passes_are_one_way_and_unknown_lengths_are_no_share() {
        let now = Instant::now();
        let mut meter = Meter::new(Some(10_000), 2);
        meter.begin_pass(0, now);
        assert_eq!(meter.take(&block(1, 10), now + WINDOW).unwrap().permille, 500);
        assert_eq!(meter.share(), None, "the first pass writes nothing");
        meter.begin_pass(1, now + WINDOW);
        let second = meter.take(&block(1, 5), now + 2 * WINDOW).unwrap();
        assert_eq!((second.permille, second.eta_s), (750, Some(5)));
        assert_eq!(meter.share(), Some(0.5));
        let mut unknown = Meter::new(None, 1);
        unknown.begin_pass(0, now);
        let some = unknown.take(&block(1, 5), now + WINDOW).unwrap();
        assert_eq!((some.permille, some.eta_s), (0, None));
    }
}
