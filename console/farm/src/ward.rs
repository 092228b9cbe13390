//! How a device does: what it failed lately, and whether it is kept from work for that.
//!
//! Knows nothing of agents, timers and messages; it changes one [`Ward`] and says what came of it. What is counted
//! lives in memory only, since a restart is reason enough to count anew; a quarantine and its history outlive it.
//!
//! ```text
//!  Free ── three ills in a row, or over half of ten ──► Quarantined ── self-test passed ──► Trial ── one job ──► Free
//!   ▲                                                    ▲  │                                 │
//!   └──────────────── released by a person ──────────────┼──┘                                 │
//!                                                        └───────────── ill again ────────────┘
//! ```

use std::collections::VecDeque;

use vc_protocol::id::JobId;

use crate::event::Millis;
use crate::record::{DeviceRecord, Quarantine};

/// A quarantine lasts this long before the self-test: what was used up has time to come back, and a device that is
/// broken wastes one test in that time.
pub const QUARANTINE_MS: u64 = 10 * 60_000;
/// A self-test that is not answered by then has failed: the trials of a device take up to a minute, and an agent that
/// has others to make first gives up after two.
pub const SELF_TEST_MS: u64 = 130_000;
/// Failures in a row that are the device's: one may be by chance, three jobs are a pattern.
const ROW_MAX: u8 = 3;
/// Ends that are remembered of a device.
const LAST_MAX: usize = 10;
/// Quarantines within a day after which only a person lets it work again.
const TIMES_MAX: usize = 3;
const DAY_MS: i64 = 24 * 60 * 60_000;

/// What the end of an attempt says of its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It did its work.
    Well,
    /// It failed, and the device may be as much to blame as the job: whether the job succeeds elsewhere will tell.
    Failed,
    /// The device failed it, for this reason.
    Ill(String),
    /// It had not enough of something for this one, such as encoder sessions.
    Short(String),
    /// Its agent was lost with it. All that is lost at one moment counts once.
    Lost(String),
}

/// How an attempt on the device ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Failed,
    /// And the job was done elsewhere since.
    FailedHere,
}

/// Whether it gets work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Health {
    #[default]
    Free,
    /// None, until a test is passed; without a time, until a person releases it.
    Quarantined { why: String, until_ms: Option<i64> },
    /// One job at a time, until one succeeds.
    Trial,
}

/// A device under watch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ward {
    health: Health,
    /// The agent was asked to test it.
    pub(crate) testing: bool,
    /// When the self-test is due, or its answer overdue.
    pub(crate) alarm: Option<Millis>,
    /// When it was quarantined, on the wall clock, oldest first.
    times: Vec<i64>,
    row: u8,
    lost_at: Option<Millis>,
    last: VecDeque<(JobId, End)>,
}

impl Ward {
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.is_quarantined()
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        matches!(self.health, Health::Quarantined { .. })
    }

    /// Takes in how an attempt ended. In quarantine that changes nothing: what still ran there began before it.
    pub(crate) fn saw(&mut self, job: JobId, sign: &Sign, now: Millis) {
        if self.is_quarantined() {
            return;
        }
        let end = match sign {
            Sign::Lost(_) if self.lost_at == Some(now) => return,
            Sign::Well => End::Well,
            Sign::Failed | Sign::Ill(_) | Sign::Short(_) | Sign::Lost(_) => End::Failed,
        };
        self.row = match sign {
            Sign::Well | Sign::Failed => 0,
            Sign::Ill(_) | Sign::Short(_) | Sign::Lost(_) => self.row.saturating_add(1),
        };
        if let Sign::Lost(_) = sign {
            self.lost_at = Some(now);
        }
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back((job, end));
    }

    /// A job that may have failed here was done elsewhere.
    pub(crate) fn outdone(&mut self, job: JobId) {
        for (_, end) in self.last.iter_mut().filter(|(failed, end)| *failed == job && *end == End::Failed) {
            *end = End::FailedHere;
        }
    }

    /// Whether it should be quarantined, going by what was seen.
    pub(crate) fn is_ill(&self) -> bool {
        let here = self.last.iter().filter(|(_, end)| *end == End::FailedHere).count();
        let row_max = if self.health == Health::Trial { 1 } else { ROW_MAX };
        self.row >= row_max || here > LAST_MAX / 2
    }

    /// One job has shown that it works: true if it was on trial.
    pub(crate) fn prove(&mut self) -> bool {
        let was_on_trial = self.health == Health::Trial;
        if was_on_trial {
            self.health = Health::Free;
        }
        was_on_trial
    }

    /// Keeps it from work; whether a self-test may end that.
    pub(crate) fn quarantine(&mut self, why: String, wall_ms: i64) -> bool {
        self.times.retain(|at| wall_ms.saturating_sub(*at) < DAY_MS);
        self.times.push(wall_ms);
        let is_tested = self.times.len() < TIMES_MAX;
        self.health = Health::Quarantined { why, until_ms: is_tested.then(|| end_of(wall_ms)) };
        self.start_counting();
        is_tested
    }

    /// A test passed: a quarantined device gets one job to show that it works. True if it was one.
    pub(crate) fn passed(&mut self) -> bool {
        let was_quarantined = self.is_quarantined();
        if was_quarantined {
            self.health = Health::Trial;
        }
        was_quarantined
    }

    /// A test failed: whether another one follows.
    pub(crate) fn flunked(&mut self, problem: &str, wall_ms: i64) -> bool {
        let Health::Quarantined { why, until_ms } = &mut self.health else { return false };
        *why = format!("self-test failed: {problem}");
        *until_ms = until_ms.map(|_| end_of(wall_ms));
        until_ms.is_some()
    }

    /// A person answers for it: true if it was quarantined or on trial.
    pub(crate) fn release(&mut self) -> bool {
        self.times.clear();
        self.start_counting();
        std::mem::take(&mut self.health) != Health::Free
    }

    /// It is asked for less from here on, which answers for what it failed in a row.
    pub(crate) fn relieve(&mut self) {
        self.row = 0;
    }

    /// What was seen so far counts no longer.
    pub(crate) fn start_counting(&mut self) {
        self.row = 0;
        self.last.clear();
    }

    /// A self-test is to end its quarantine, whenever that is.
    pub(crate) fn awaits_test(&self) -> bool {
        matches!(self.health, Health::Quarantined { until_ms: Some(_), .. })
    }

    pub(crate) fn fill(&self, record: &mut DeviceRecord) {
        record.quarantined_ms.clone_from(&self.times);
        record.on_trial = self.health == Health::Trial;
        record.quarantine = match &self.health {
            Health::Quarantined { why, until_ms } => {
                Some(Quarantine { why: why.clone(), until_ms: *until_ms })
            }
            Health::Free | Health::Trial => None,
        };
    }

    /// How long until its self-test is due, if one is.
    pub(crate) fn restore(&mut self, record: DeviceRecord, wall_ms: i64) -> Option<u64> {
        self.times = record.quarantined_ms;
        self.health = match record.quarantine {
            Some(Quarantine { why, until_ms }) => Health::Quarantined { why, until_ms },
            None if record.on_trial => Health::Trial,
            None => Health::Free,
        };
        let Health::Quarantined { until_ms: Some(until_ms), .. } = self.health else { return None };
        let left = u64::try_from(until_ms.saturating_sub(wall_ms)).unwrap_or(0);
        // A wall clock that was set back must not keep it for a year.
        Some(left.min(QUARANTINE_MS))
    }
}

fn end_of(wall_ms: i64) -> i64 {
    wall_ms.saturating_add_unsigned(QUARANTINE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(5);

    fn ill() -> Sign {
        Sign::Ill("no session left".to_owned())
    }

    fn after(signs: &[Sign]) -> Ward {
        let mut ward = Ward::default();
        for (job, sign) in (1..).zip(signs) {
            ward.saw(JobId(job), sign, NOW.plus(job));
        }
        ward
    }

    #[test]
    fn three_in_a_row_are_the_devices_fault_and_two_with_anything_else_between_are_not() {
        assert!(after(&[ill(), ill(), ill()]).is_ill());
        assert!(!after(&[ill(), ill()]).is_ill());
        assert!(!after(&[ill(), ill(), Sign::Well, ill()]).is_ill());
        assert!(!after(&[ill(), ill(), Sign::Failed, ill()]).is_ill());
        assert!(!after(&[const { Sign::Failed }; 10]).is_ill(), "the jobs may be at fault");
    }

    #[test]
    fn what_is_lost_at_one_moment_counts_once() {
        let mut ward = Ward::default();
        let lost = Sign::Lost("its agent restarted".to_owned());
        (1..=5).for_each(|job| ward.saw(JobId(job), &lost, NOW));
        assert!(!ward.is_ill());
        (6..=7).for_each(|job| ward.saw(JobId(job), &lost, NOW.plus(job)));
        assert!(ward.is_ill());
    }

    #[test]
    fn over_half_of_the_last_ten_that_others_could_do_are_the_devices_fault() {
        let mut ward = after(&[const { Sign::Failed }; 6]);
        (1..=5).for_each(|job| ward.outdone(JobId(job)));
        assert!(!ward.is_ill());
        ward.outdone(JobId(6));
        assert!(ward.is_ill());
        (7..=11).for_each(|job| ward.saw(JobId(job), &Sign::Well, NOW));
        assert!(!ward.is_ill(), "the first of them is forgotten");
    }

    #[test]
    fn the_third_time_in_a_day_only_a_person_lets_it_work() {
        let mut ward = Ward::default();
        assert!(ward.quarantine("a".into(), 0));
        assert!(ward.passed() && *ward.health() == Health::Trial);
        ward.saw(JobId(1), &ill(), NOW);
        assert!(ward.is_ill(), "one is enough on trial");
        assert!(ward.quarantine("b".into(), 1_000));
        assert!(ward.flunked("black picture", 2_000) && ward.passed() && ward.prove());
        assert!(!ward.quarantine("c".into(), DAY_MS - 1));
        assert!(!ward.awaits_test() && ward.is_quarantined());
        assert!(ward.release() && ward.is_open());
        assert!(ward.quarantine("d".into(), DAY_MS), "a person answered for it");
    }

    #[test]
    fn a_day_later_it_is_the_first_time_again() {
        let mut ward = Ward::default();
        assert!(ward.quarantine("a".into(), 0) && ward.quarantine("b".into(), 10));
        assert!(ward.quarantine("c".into(), DAY_MS + 10));
    }
}
