//! Which devices are being tried, which still are to be, and what a trial that was asked for says of its device.

use std::collections::{BTreeMap, BTreeSet};

use vc_protocol::device::EncoderFacts;
use vc_protocol::id::DeviceId;

use crate::ffmpeg;
use crate::process::{StopReason, StopToken, Stopper};
use crate::trial::TOO_LATE;

/// The trials of this box.
#[derive(Debug, Default)]
pub(super) struct Trials {
    running: BTreeMap<DeviceId, Trial>,
    /// Devices to be tried when there is nothing else to do.
    wanted: BTreeSet<DeviceId>,
}

#[derive(Debug)]
struct Trial {
    stopper: Stopper,
    /// The console waits for a verdict.
    is_asked: bool,
}

impl Trials {
    /// The device is to be tried when there is nothing else to do.
    pub(super) fn want(&mut self, device: DeviceId) {
        self.wanted.insert(device);
    }

    /// The next of them.
    pub(super) fn next(&self) -> Option<DeviceId> {
        self.wanted.first().copied().filter(|_| self.running.is_empty())
    }

    /// The token of a new trial; none while one runs there, whose end answers both.
    pub(super) fn begin(&mut self, device: DeviceId, is_asked: bool) -> Option<StopToken> {
        self.wanted.remove(&device);
        if let Some(running) = self.running.get_mut(&device) {
            running.is_asked |= is_asked;
            return None;
        }
        let (stopper, token) = Stopper::new();
        self.running.insert(device, Trial { stopper, is_asked });
        Some(token)
    }

    /// It ended; whether the console waits for the verdict.
    pub(super) fn ended(&mut self, device: DeviceId) -> bool {
        self.running.remove(&device).is_some_and(|trial| trial.is_asked)
    }

    pub(super) fn is_running(&self, device: DeviceId) -> bool {
        self.running.contains_key(&device)
    }

    /// Work came for a device that is tried for want of work: the trial makes room, and begins again later.
    pub(super) fn make_room(&mut self, device: DeviceId) {
        if let Some(trial) = self.running.get(&device).filter(|trial| !trial.is_asked) {
            trial.stopper.stop(StopReason::Stale);
            self.wanted.insert(device);
        }
    }

    pub(super) fn stop_all(&mut self) {
        self.wanted.clear();
        for trial in self.running.values() {
            trial.stopper.stop(StopReason::Shutdown);
        }
    }
}

/// Whether a device works: one encoder at least passed its trial, and none fails that passed before.
pub(super) fn verdict(before: &[EncoderFacts], after: &[EncoderFacts]) -> Result<(), String> {
    let has_passed = |facts: &EncoderFacts| facts.problem.is_empty() && facts.fps.is_some();
    let passed_before = |name: &str| before.iter().any(|facts| facts.name == name && has_passed(facts));
    let told = |facts: &EncoderFacts| Err(format!("{} {}", facts.name, facts.problem));
    if let Some(lost) = after.iter().find(|facts| !has_passed(facts) && passed_before(&facts.name)) {
        return told(lost);
    }
    match after.first() {
        None => Err("it has no encoder".to_owned()),
        Some(_) if after.iter().any(has_passed) => Ok(()),
        Some(first) => told(first),
    }
}

/// What is known of a device after its trials: an encoder that only found the card taken by other work, or the box too
/// busy, is as good as it was before.
pub(super) fn taken_in(before: &[EncoderFacts], after: Vec<EncoderFacts>) -> Vec<EncoderFacts> {
    let known = |now: EncoderFacts| {
        let was =
            before.iter().find(|was| was.name == now.name && was.problem.is_empty() && was.fps.is_some());
        let says_nothing = ffmpeg::is_busy(&now.problem)
            || now.problem.contains(TOO_LATE)
            || now.problem.is_empty() && now.fps.is_none();
        if says_nothing { was.cloned().unwrap_or(now) } else { now }
    };
    after.into_iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str, problem: &str) -> EncoderFacts {
        let fps = problem.is_empty().then_some(25.0);
        EncoderFacts { name: name.into(), problem: problem.into(), fps, trials: Vec::new() }
    }

    #[test]
    fn a_device_works_if_an_encoder_passed_and_none_fails_that_passed_before() {
        let (good, bad) = (|name| facts(name, ""), |name| facts(name, "makes garbage"));
        let untried = |name: &str| EncoderFacts { name: name.into(), ..EncoderFacts::default() };
        for (before, after, expected) in [
            (vec![], vec![], Err("it has no encoder")),
            (vec![], vec![good("a"), bad("b")], Ok(())),
            (vec![untried("a"), untried("b")], vec![good("a"), bad("b")], Ok(())),
            (vec![good("a"), bad("b")], vec![good("a"), bad("b")], Ok(())),
            (vec![good("a"), good("b")], vec![good("a"), bad("b")], Err("b makes garbage")),
            (vec![untried("a")], vec![bad("a"), bad("b")], Err("a makes garbage")),
            (vec![bad("a")], vec![good("a")], Ok(())),
        ] {
            assert_eq!(verdict(&before, &after), expected.map_err(str::to_owned), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_card_that_was_taken_by_other_work_keeps_what_it_had_proved() {
        let busy = |name| facts(name, "does not encode: no encoder session is free");
        let before = [facts("a", ""), facts("b", "makes garbage")];
        let after = taken_in(&before, vec![busy("a"), busy("b"), busy("c"), facts("d", "makes garbage")]);
        assert_eq!(after, [facts("a", ""), busy("b"), busy("c"), facts("d", "makes garbage")]);
        assert_eq!(verdict(&before, &after), Ok(()));
    }

    #[test]
    fn a_trial_for_want_of_work_makes_room_and_one_that_was_asked_for_does_not() {
        let (cpu, card) = (DeviceId(0), DeviceId(1));
        let mut trials = Trials::default();
        trials.want(cpu);
        assert_eq!(trials.next(), Some(cpu));
        let idle = trials.begin(cpu, false).unwrap();
        assert_eq!(trials.next(), None);
        trials.make_room(cpu);
        assert_eq!(idle.reason(), Some(StopReason::Stale));
        assert!(!trials.ended(cpu));
        assert_eq!(trials.next(), Some(cpu));

        let asked = trials.begin(card, true).unwrap();
        assert!(trials.begin(card, false).is_none());
        assert_eq!(trials.next(), None, "one after the other");
        trials.make_room(card);
        assert_eq!(asked.reason(), None);
        assert!(trials.ended(card));
        let again = trials.begin(cpu, false).unwrap();
        assert!(trials.begin(cpu, true).is_none());
        trials.make_room(cpu);
        assert_eq!(again.reason(), None, "the console waits for it");
        trials.stop_all();
        assert_eq!(again.reason(), Some(StopReason::Shutdown));
    }
}
