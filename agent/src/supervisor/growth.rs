//! How many encodes at once a card is given: one more as long as that gives more frames a second in all, fewer when
//! the card refuses one. Pure: it is told every few seconds what the card did, and what it refused.
//!
//! ```text
//!             full for a minute                    a tenth more
//!   Watching ───────────────────► Trying one more ──────────────► Watching with one more
//!      ▲                             │       │
//!      │ nothing to fill it with     │       │ no more, or refused
//!      ├─────────────────────────────┘       ▼
//!      └─────────────────────────────── Settled, for an hour of work
//! ```

use crate::register::Learned;

/// Most slots that are found by trying: encoders of a card are one to three, and each encode holds memory of the card.
const CAP: u16 = 8;
/// Ticks that are compared, with all slots taken: a minute, so that the start of single encodes does not matter.
const TICKS: u16 = 12;
/// First ticks with a new slot, which do not count: its encode is starting.
const RAMP_TICKS: u16 = 2;
/// Ticks for which slots may stay empty before what was measured is too old, and a new slot is not worth keeping open.
const IDLE_TICKS: u16 = 24;
/// What one slot more must give, in hundredths: less is noise, and memory for nothing.
const GAIN_PERCENT: f32 = 10.0;
/// Ticks of full work after which it is tried again: an hour. Other films, and other programs on the card, change it.
const SETTLED_TICKS: u16 = 720;

/// What a card did since the last tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tick {
    /// Slots that work was done in.
    pub(crate) busy: u16,
    /// Frames a second of all of it together.
    pub(crate) fps: f32,
}

/// Frames a second over some ticks with all slots taken.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Window {
    sum: f32,
    ticks: u16,
    idle: u16,
}

impl Window {
    /// Takes a tick in; whether it is full.
    fn take(&mut self, tick: Tick, slots: u16) -> bool {
        if tick.busy < slots {
            self.idle = self.idle.saturating_add(1);
            if self.idle >= IDLE_TICKS {
                *self = Window { idle: self.idle, ..Window::default() };
            }
            return false;
        }
        *self = Window { sum: self.sum + tick.fps, ticks: self.ticks + 1, idle: 0 };
        self.ticks >= TICKS
    }

    fn fps(&self) -> f32 {
        self.sum / f32::from(self.ticks.max(1))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Watching(Window),
    Trying { before: f32, ramp: u16, window: Window },
    Settled { ticks: u16 },
}

/// The slots of one card.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Growth {
    slots: u16,
    /// Set by hand: nothing is tried.
    is_fixed: bool,
    limit: Option<u16>,
    step: Step,
    note: String,
}

impl Growth {
    /// From what was learned earlier; `fixed` is what was set by hand.
    pub(crate) fn new(learned: Learned, fixed: Option<u16>) -> Growth {
        let limit = learned.limit.filter(|_| fixed.is_none());
        let slots =
            fixed.unwrap_or_else(|| learned.best.unwrap_or(1).clamp(1, limit.unwrap_or(CAP).clamp(1, CAP)));
        let note = match (fixed, learned.best, limit) {
            (Some(_), ..) => "set by hand".to_owned(),
            (None, Some(best), _) => format!("{best} gave the most frames a second before"),
            (None, None, Some(limit)) => format!("more than {limit} at once were refused before"),
            (None, None, None) => String::new(),
        };
        // A limit from before is tried again after a while, like one that was met just now.
        let step = if limit.is_some_and(|limit| slots >= limit) {
            Step::Settled { ticks: SETTLED_TICKS }
        } else {
            Step::Watching(Window::default())
        };
        Growth { slots, is_fixed: fixed.is_some(), limit, step, note }
    }

    /// Encodes at once.
    pub(crate) fn slots(&self) -> u16 {
        self.slots
    }

    /// Why so many; empty if nothing was learned.
    pub(crate) fn note(&self) -> &str {
        &self.note
    }

    /// What is worth keeping until the next start.
    pub(crate) fn learned(&self) -> Learned {
        let best = match self.step {
            // A slot that is only being tried was not learned.
            Step::Trying { .. } => self.slots - 1,
            Step::Watching(_) | Step::Settled { .. } => self.slots,
        };
        Learned { best: (best > 1 && !self.is_fixed).then_some(best), limit: self.limit }
    }

    /// Takes in what the card did; whether the slots are others now. `open` is how many it has, which may be fewer than
    /// it could use.
    pub(crate) fn tick(&mut self, tick: Tick, open: u16) -> bool {
        let before = self.slots;
        if self.is_fixed || open < self.slots {
            return false;
        }
        match &mut self.step {
            Step::Watching(window) => {
                if window.take(tick, self.slots) {
                    let before = window.fps();
                    *window = Window::default();
                    if self.slots < self.limit.unwrap_or(CAP).min(CAP) {
                        self.slots += 1;
                        self.step = Step::Trying { before, ramp: RAMP_TICKS, window: Window::default() };
                    }
                }
            }
            Step::Trying { before, ramp, window } => {
                let before = *before;
                if tick.busy >= self.slots && *ramp > 0 {
                    *ramp -= 1;
                } else if window.take(tick, self.slots) {
                    let after = window.fps();
                    self.judge(before, after);
                } else if window.idle >= IDLE_TICKS {
                    // There is no work for it: nothing was learned.
                    self.slots -= 1;
                    self.step = Step::Watching(Window::default());
                }
            }
            Step::Settled { ticks } => {
                *ticks = ticks.saturating_sub(u16::from(tick.busy >= self.slots));
                if *ticks == 0 {
                    self.limit = None;
                    self.step = Step::Watching(Window::default());
                }
            }
        }
        self.slots != before
    }

    /// After as long with one slot more as before without.
    fn judge(&mut self, before: f32, after: f32) {
        if after >= before * (1.0 + GAIN_PERCENT / 100.0) {
            self.note =
                format!("{} at once give {after:.0} frames a second, one less gave {before:.0}", self.slots);
            self.step = Step::Watching(Window::default());
        } else {
            self.note =
                format!("{} at once gave {after:.0} frames a second, one less {before:.0}", self.slots);
            self.slots -= 1;
            self.step = Step::Settled { ticks: SETTLED_TICKS };
        }
    }

    /// The card would not take one encode more beside these. One it keeps: what holds the rest may go away.
    pub(crate) fn refused(&mut self, beside: u16, cause: &str) {
        let limit = beside.max(1);
        self.limit = Some(limit);
        self.slots = self.slots.min(limit);
        self.step = Step::Settled { ticks: SETTLED_TICKS };
        self.note = format!("one more than {limit} was refused: {cause}");
    }
}

/// Shares out what all cards together may run: one each in their order, then a second each, up to what each wants.
pub(crate) fn share(limit: u16, wanted: &[u16]) -> Vec<u16> {
    let mut given = vec![0; wanted.len()];
    let mut left = limit;
    while left > 0 && given.iter().zip(wanted).any(|(given, wanted)| given < wanted) {
        for (given, wanted) in given.iter_mut().zip(wanted) {
            if *given < *wanted && left > 0 {
                *given += 1;
                left -= 1;
            }
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card that makes so many frames a second with 0, 1, 2… encodes at once, always full, for so many ticks.
    fn run(growth: &mut Growth, fps: &[f32], ticks: usize) -> Vec<u16> {
        let mut seen = vec![growth.slots()];
        for _ in 0..ticks {
            let busy = growth.slots();
            let fps = fps[usize::from(busy).min(fps.len() - 1)];
            if growth.tick(Tick { busy, fps }, busy) {
                seen.push(growth.slots());
            }
        }
        seen
    }

    fn fresh() -> Growth {
        Growth::new(Learned::default(), None)
    }

    #[test]
    fn slots_grow_while_all_frames_a_second_grow() {
        for (fps, expected, best) in [
            (&[0.0, 200.0][..], &[1, 2, 1][..], None),
            (&[0.0, 200.0, 215.0], &[1, 2, 1], None),
            (&[0.0, 200.0, 300.0, 310.0], &[1, 2, 3, 2], Some(2)),
            (&[0.0, 200.0, 300.0, 400.0, 300.0], &[1, 2, 3, 4, 3], Some(3)),
            (&[0.0, 0.0], &[1, 2, 3, 4, 5, 6, 7, 8], Some(8)),
        ] {
            let mut growth = fresh();
            assert_eq!(run(&mut growth, fps, 200), expected, "{fps:?}");
            assert_eq!(growth.learned().best, best, "{fps:?}: {}", growth.note());
        }
    }

    #[test]
    fn nothing_is_tried_without_work_for_it_and_a_slot_that_stays_empty_goes() {
        let mut growth = fresh();
        for _ in 0..100 {
            assert!(!growth.tick(Tick { busy: 0, fps: 0.0 }, 1));
        }
        run(&mut growth, &[0.0, 100.0], usize::from(TICKS));
        assert_eq!(growth.slots(), 2);
        for _ in 0..IDLE_TICKS {
            growth.tick(Tick { busy: 1, fps: 100.0 }, 2);
        }
        assert_eq!((growth.slots(), growth.note()), (1, ""));
    }

    #[test]
    fn what_is_refused_is_not_tried_again_for_an_hour_of_work() {
        let mut growth = fresh();
        let fps = [0.0, 100.0, 200.0, 300.0, 400.0];
        run(&mut growth, &fps, 4 * usize::from(TICKS));
        assert_eq!(growth.slots(), 3);
        growth.refused(2, "no encoder session is free");
        assert_eq!(growth.slots(), 2);
        assert_eq!(growth.learned(), Learned { best: Some(2), limit: Some(2) });
        assert_eq!(growth.note(), "one more than 2 was refused: no encoder session is free");
        assert_eq!(run(&mut growth, &fps, usize::from(SETTLED_TICKS)), [2]);
        assert_eq!(run(&mut growth, &fps, usize::from(TICKS)), [2, 3]);
        growth.refused(0, "out of memory");
        assert_eq!(growth.slots(), 1, "the only one was refused: another program holds the rest");
    }

    #[test]
    fn what_was_learned_is_where_it_begins_and_what_is_set_by_hand_stays() {
        for (learned, fixed, slots) in [
            (Learned { best: Some(3), limit: None }, None, 3),
            (Learned { best: Some(3), limit: Some(2) }, None, 2),
            (Learned { best: Some(99), limit: Some(0) }, None, 1),
            (Learned { best: Some(3), limit: Some(2) }, Some(12), 12),
        ] {
            assert_eq!(Growth::new(learned, fixed).slots(), slots, "{learned:?} {fixed:?}");
        }
        let mut fixed = Growth::new(Learned::default(), Some(2));
        assert_eq!(run(&mut fixed, &[0.0, 1.0, 9.0, 99.0], 100), [2]);
        fixed.refused(1, "no encoder session is free");
        assert_eq!(fixed.slots(), 1);
    }

    #[test]
    fn a_card_that_may_not_use_its_slots_learns_nothing() {
        let mut growth = Growth::new(Learned { best: Some(3), limit: None }, None);
        for _ in 0..100 {
            assert!(!growth.tick(Tick { busy: 1, fps: 100.0 }, 1));
        }
        assert_eq!(growth.slots(), 3);
    }

    #[test]
    fn sessions_are_shared_out_evenly() {
        for (limit, wanted, expected) in [
            (3, &[2, 2][..], &[2, 1][..]),
            (8, &[2, 2], &[2, 2]),
            (3, &[1, 1, 1, 1], &[1, 1, 1, 0]),
            (5, &[8, 1], &[4, 1]),
            (0, &[1], &[0]),
            (5, &[], &[]),
        ] {
            assert_eq!(share(limit, wanted), expected, "{limit} {wanted:?}");
        }
    }
}
