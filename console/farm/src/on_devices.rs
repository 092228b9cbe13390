//! What an agent offers becomes another: slots were learned, an encoder was tried, a card came or went.
//!
//! What runs stays where it is, whatever its device may do from here on. What only waits comes back if it would never
//! begin there, or stands behind more than the device may hold: others may have room for it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use vc_protocol::device::Device;
use vc_protocol::id::{AgentId, AttemptId, DeviceId};
use vc_protocol::profile::VideoCodec;

use crate::effect::Effects;
use crate::farm::{Farm, Mutant, note, note_at};
use crate::ready::LaneKey;

impl Farm {
    pub(crate) fn on_devices(&mut self, id: AgentId, devices: Vec<Device>, out: &mut Effects) {
        if self.config.mutant == Some(Mutant::OfferKept) {
            return;
        }
        let wall_ms = self.wall_ms;
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let before = agent.offered();
        agent.offer(devices, wall_ms);
        let after = agent.offered();
        if before == after {
            return;
        }
        let known: BTreeSet<DeviceId> = before.keys().chain(after.keys()).copied().collect();
        for device in known {
            match (before.get(&device), after.get(&device)) {
                (None, None) => {}
                // Whoever tells names by what was offered last does not know this one yet.
                (None, Some(new)) => {
                    let text = format!("offers {}, with {}", new.short_name(), counted(new.slots));
                    note(out, text, None, Some(id));
                }
                (Some(gone), None) => {
                    note(out, format!("offers {} no more", gone.short_name()), None, Some(id));
                }
                (Some(before), Some(after)) => {
                    change(before, after).into_iter().for_each(|text| note_at(out, "", text, id, device));
                }
            }
        }
        self.break_off_tests(id, |seats| seats.device.is_none());
        self.refresh_agent(id);
        let lanes: Vec<LaneKey> = self.ready.lanes.keys().copied().collect();
        for lane in lanes {
            self.ask_proofs(id, lane, out);
        }
        self.test_overdue(id, out);
        self.take_misplaced(id, out);
        self.wake_idle_beside(id);
        self.agents.get_mut(&id).into_iter().for_each(|agent| agent.forget_empty_devices());
    }

    /// Takes back what waits there and should not.
    pub(crate) fn take_misplaced(&mut self, id: AgentId, out: &mut Effects) {
        for attempt in self.misplaced(id) {
            self.hand_back(attempt, "its device offers less", out);
        }
    }

    /// What waits on this agent's devices and should not: what they cannot make, and of what is too much for them
    /// that which came last.
    fn misplaced(&self, id: AgentId) -> Vec<AttemptId> {
        let mut misplaced = Vec::new();
        for seats in self.agents.get(&id).into_iter().flat_map(|agent| agent.devices.values()) {
            let live = seats.held.iter().filter(|attempt| self.is_live(**attempt));
            let makes = |attempt: &AttemptId| {
                self.jobs.group(attempt.job).is_some_and(|group| seats.makes(group.codec))
            };
            let (mut waiting, others): (Vec<AttemptId>, Vec<AttemptId>) =
                live.partition(|attempt| self.waits(**attempt));
            let since = |attempt: &AttemptId| self.runs.get(attempt).map(|run| run.lease.since_ms);
            waiting.sort_by_key(|attempt| (makes(attempt), Reverse((since(attempt), *attempt))));
            let unmade = waiting.iter().filter(|attempt| !makes(attempt)).count();
            let surplus = (waiting.len() + others.len()).saturating_sub(seats.places());
            misplaced.extend(waiting.into_iter().take(unmade.max(surplus)));
        }
        misplaced
    }
}

/// What is other than before, for people.
fn change(before: &Device, after: &Device) -> Option<String> {
    let not_in = |these: &[VideoCodec], those: &[VideoCodec]| {
        let others = these.iter().filter(|codec| codec.is_encoded() && !those.contains(codec));
        others.map(|codec| codec.ffmpeg_name()).collect::<Vec<_>>().join(" and ")
    };
    let (gained, lost) = (not_in(&after.codecs, &before.codecs), not_in(&before.codecs, &after.codecs));
    let mut told = Vec::new();
    if before.slots != after.slots {
        told.push(format!("has {} in place of {}", counted(after.slots), before.slots));
    }
    if !gained.is_empty() {
        told.push(format!("makes {gained} too"));
    }
    if !lost.is_empty() {
        told.push(format!("makes no {lost} any more"));
    }
    (!told.is_empty()).then(|| told.join(", "))
}

fn counted(slots: u16) -> String {
    if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") }
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::device::DeviceKind;
    use vc_protocol::failure::FailureClass;
    use vc_protocol::id::JobId;

    use super::*;
    use crate::event::{AgentEvent, NewJob};
    use crate::explain::WhyNot;
    use crate::record::Group;
    use crate::recorder::{Recorder, attempt, cpu, failure, group, new_job};

    const GPU: DeviceId = DeviceId(1);

    fn gpu(slots: u16, codecs: &[VideoCodec]) -> Device {
        Device { id: GPU, kind: DeviceKind::Gpu, name: "card".to_owned(), slots, codecs: codecs.to_vec() }
    }

    fn offers(r: &mut Recorder, agent: u32, devices: &[Device]) {
        r.step(1);
        r.say(agent, AgentEvent::Devices(devices.to_vec()));
        r.step(1);
    }

    /// Job 1 runs, and job 2 waits behind it.
    fn two() -> Recorder {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        r
    }

    fn why(r: &Recorder, job: u64) -> Vec<WhyNot> {
        let explained = r.farm.explain(JobId(job)).unwrap();
        explained.devices.into_iter().map(|(_, _, why)| why).collect()
    }

    #[test]
    fn slots_that_were_learned_are_filled_at_once() {
        let mut r = Recorder::new();
        r.add((1..=6).map(new_job));
        r.join(1, 1);
        r.skip();
        offers(&mut r, 1, &[cpu(3)]);
        assert_eq!(r.offers(), [(3, 1), (4, 1), (5, 1), (6, 1)]);
        r.expect_notes(&["has 3 slots in place of 1"]);
        offers(&mut r, 1, &[cpu(3)]);
        r.nothing_else();
        r.expect_notes(&[]);
    }

    #[test]
    fn what_runs_beyond_fewer_slots_ends_there_and_what_came_last_to_wait_comes_back() {
        let mut r = Recorder::new();
        r.add((1..=4).map(new_job));
        r.join(1, 2);
        r.encodes(1, attempt(1, 1));
        r.encodes(1, attempt(2, 1));
        r.skip();
        offers(&mut r, 1, &[cpu(1)]);
        let back = |job| {
            [
                format!("attempt {job}.0/1 stopped"),
                format!("tell 1 cancel {job}.0/1"),
                format!("job {job} pending: open"),
            ]
        };
        let expected = [back(4), back(3)].concat();
        r.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
        r.expect_notes(&[
            "has 1 slot in place of 2",
            "back to pending: its device offers less",
            "back to pending: its device offers less",
        ]);
        assert_eq!((r.row(3).tasks[0].launches, r.row(3).tasks[0].retries), (0, 0), "it cost nothing");
        r.reports(1, attempt(3, 1), Outcome::Stopped);
        r.reports(1, attempt(4, 1), Outcome::Stopped);
        r.reports(1, attempt(1, 1), Outcome::Skipped("there".to_owned()));
        assert_eq!(r.offers(), [(3, 1)], "one runs, one waits");
    }

    #[test]
    fn a_device_without_slots_finishes_what_runs_and_says_why_nothing_else_goes_there() {
        let mut r = two();
        offers(&mut r, 1, &[cpu(0)]);
        r.expect(&["attempt 2.0/1 stopped", "tell 1 cancel 2.0/1", "job 2 pending: open"]);
        assert_eq!(why(&r, 2), [WhyNot::NoSlots]);
        r.reports(1, attempt(2, 1), Outcome::Stopped);
        r.skip();
        r.reports(1, attempt(1, 1), Outcome::Skipped("there".to_owned()));
        r.expect(&["attempt 1.0/1 skipped", "job 1 skipped: open", "tell 1 done 1.0/1"]);
        offers(&mut r, 1, &[cpu(1)]);
        r.expect(&["job 2 running: leased", "offer 2.0/2 to 1/0"]);
    }

    #[test]
    fn a_device_that_vanishes_keeps_what_runs_until_it_ends() {
        let mut r = two();
        offers(&mut r, 1, &[]);
        r.expect(&["attempt 2.0/1 stopped", "tell 1 cancel 2.0/1", "job 2 pending: open"]);
        r.expect_note("offers cpu no more");
        assert_eq!(why(&r, 2), [WhyNot::NotOffered]);
        assert_eq!(r.held(1), [attempt(1, 1), attempt(2, 1)]);
        r.reports(1, attempt(2, 1), Outcome::Stopped);
        r.reports(1, attempt(1, 1), failure(FailureClass::Infrastructure));
        r.pass_alive(40_000, &[1]);
        assert_eq!(r.offers(), []);
        offers(&mut r, 1, &[cpu(1)]);
        r.expect_note("offers cpu, with 1 slot");
        assert_eq!(r.offers().len(), 2);
    }

    #[test]
    fn a_device_that_comes_is_asked_for_proofs_and_gets_work() {
        let mut r = Recorder::new();
        let av1 = Group { codec: VideoCodec::Av1, ..group(1) };
        r.add([NewJob { group: av1, ..new_job(1) }]);
        r.connect(1, 1, vec![cpu(1)], Vec::new());
        r.expect(&["tell 1 welcome"]);
        assert_eq!(why(&r, 1), [WhyNot::Codec(VideoCodec::Av1)]);
        offers(&mut r, 1, &[cpu(1), gpu(1, &[VideoCodec::Av1])]);
        r.expect(&["prove 1 root 10", "prove 1 root 20 writable"]);
        r.proves(1);
        r.expect(&["job 1 running: leased", "offer 1.0/1 to 1/1"]);
    }

    #[test]
    fn what_waits_for_an_encoder_that_failed_its_trial_goes_where_there_is_one() {
        let mut r = two();
        r.add([new_job(3)]);
        r.join(2, 1);
        r.skip();
        offers(&mut r, 1, &[Device { codecs: vec![VideoCodec::Av1], ..cpu(1) }]);
        r.expect(&[
            "attempt 2.0/1 stopped",
            "tell 1 cancel 2.0/1",
            "job 2 pending: open",
            "job 2 running: leased",
            "offer 2.0/2 to 2/0",
        ]);
        r.expect_note("makes av1 too, makes no h264 any more");
    }

    #[test]
    fn a_device_that_went_while_it_was_tested_is_tested_when_it_returns() {
        let mut r = Recorder::new();
        r.add((1..=30).map(new_job));
        let cards = [gpu(1, &[VideoCodec::H264])];
        r.connect(1, 1, vec![cpu(1), cards[0].clone()], Vec::new());
        r.proves(1);
        for _ in 0..3 {
            let on_card = r.farm.agents().next().unwrap().devices[1].held[0].attempt;
            r.reports(1, on_card, failure(FailureClass::Infrastructure));
        }
        r.expect_note("quarantined for 10 min");
        r.pass_alive(600_000, &[1]);
        r.skip();
        offers(&mut r, 1, &[cpu(1)]);
        r.pass_alive(120_000, &[1]);
        r.skip();
        offers(&mut r, 1, &[cpu(1), cards[0].clone()]);
        r.expect(&["tell 1 self-test 1"]);
    }

    #[test]
    fn a_limit_that_was_learned_is_no_fault_of_the_device_and_a_failure_after_that_is() {
        let mut r = Recorder::new();
        r.add((1..=60).map(new_job));
        r.join(1, 5);
        r.join(2, 1);
        let quarantined = |r: &Recorder| r.farm.agents().next().unwrap().devices[0].quarantine.is_some();
        let fails = |r: &mut Recorder, class| {
            let first = r.held(1)[0];
            r.step(1);
            r.reports(1, first, failure(class));
        };
        fails(&mut r, FailureClass::Capacity);
        fails(&mut r, FailureClass::Capacity);
        offers(&mut r, 1, &[cpu(2)]);
        for _ in 0..3 {
            fails(&mut r, FailureClass::Capacity);
        }
        assert!(!quarantined(&r), "they were handed out before it was known");
        for held in r.held(1) {
            r.reports(1, held, Outcome::Skipped("there".to_owned()));
        }
        for _ in 0..3 {
            fails(&mut r, FailureClass::Capacity);
        }
        assert!(quarantined(&r), "and still there is not enough");
    }
}
