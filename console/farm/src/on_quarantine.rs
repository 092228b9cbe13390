//! Devices that fail too often: kept from work, tested, tried with one job.
//!
//! Never more than half of the devices that are there: if all of them fail, no device is to blame, and the farm pauses
//! and says so. A farm of one or two devices does not even pause: what its only device fails goes on under the budgets
//! and waits of each job, since there is nothing that its operator would rather have it do.

use vc_protocol::agent::ToAgent;
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, DeviceId, JobId};

use crate::agent::Seats;
use crate::effect::{Effect, Effects};
use crate::failure::Mishap;
use crate::farm::{Farm, Mutant, note, note_at};
use crate::job::Ending;
use crate::on_drain::What;
use crate::on_time::Due;
use crate::record::{Lease, Pause};
use crate::ward::{QUARANTINE_MS, SELF_TEST_MS, Sign, Ward};

/// In a farm of so many devices each is too large a part of it for a conclusion about all of them.
const FEW_DEVICES: usize = 2;

impl Ending {
    /// What it says of the device that the attempt had; nothing, if neither speaks for or against it.
    pub(crate) fn sign(&self) -> Option<Sign> {
        match self {
            Ending::Committed(_) => Some(Sign::Well),
            Ending::Mishap(Mishap::Failed(failure)) => match failure.class {
                FailureClass::Infrastructure => Some(Sign::Ill(failure.cause.clone())),
                FailureClass::Capacity => Some(Sign::Short(failure.cause.clone())),
                FailureClass::Encoder | FailureClass::Job => Some(Sign::Failed),
                FailureClass::Source => None,
            },
            Ending::Mishap(Mishap::Lost { ran: true, text }) => Some(Sign::Lost((*text).to_owned())),
            Ending::Mishap(Mishap::Lost { ran: false, .. } | Mishap::Stopped | Mishap::SourceChanged)
            | Ending::Skipped(_)
            | Ending::SourceChanged(_)
            | Ending::NameTaken => None,
        }
    }
}

impl Farm {
    /// An attempt ended like this; those agents had failed its task.
    pub(crate) fn watch(
        &mut self,
        lease: Lease,
        job: JobId,
        sign: &Sign,
        failed_on: &[AgentId],
        out: &mut Effects,
    ) {
        let now = self.clock.mono();
        let Some(seats) = self.seats(lease.agent, lease.device) else { return };
        if matches!(sign, Sign::Short(_)) && seats.was_lowered_since(lease) {
            return;
        }
        seats.ward.saw(job, sign, now);
        match sign {
            Sign::Well => {
                if seats.ward.prove() {
                    note_at(out, "", "works again", lease.agent, lease.device);
                    self.device_changed(lease.agent, out);
                }
                self.outdo(lease, job, failed_on, out);
            }
            Sign::Failed => {}
            Sign::Ill(why) | Sign::Short(why) | Sign::Lost(why) => {
                self.consider(lease.agent, lease.device, why, out)
            }
        }
    }

    /// The job was done here: those that failed it are no better than their jobs any more.
    fn outdo(&mut self, here: Lease, job: JobId, failed_on: &[AgentId], out: &mut Effects) {
        for id in failed_on {
            let Some(agent) = self.agents.get_mut(id) else { continue };
            let others =
                agent.devices.iter_mut().filter(|(device, _)| (*id, **device) != (here.agent, here.device));
            let mut suspects = Vec::new();
            for (device, seats) in others {
                seats.ward.outdone(job);
                suspects.push(*device);
            }
            for device in suspects {
                self.consider(*id, device, "most of what failed there was done elsewhere", out);
            }
        }
    }

    /// Quarantines the device if it is ill and enough others are left.
    fn consider(&mut self, id: AgentId, device: DeviceId, why: &str, out: &mut Effects) {
        let is_ill = |seats: &mut Seats| seats.ward.is_open() && seats.ward.is_ill();
        if !self.seats(id, device).is_some_and(is_ill) {
            return;
        }
        let (mut there, mut quarantined, mut ill) = (0, 0, 0);
        for (agent_id, agent) in &self.agents {
            for (device_id, seats) in &agent.devices {
                let is_it = (*agent_id, *device_id) == (id, device);
                let works = seats.device.as_ref().is_some_and(|device| device.slots > 0);
                if is_it || (agent.session.is_some() && works) {
                    there += 1;
                    quarantined += usize::from(seats.ward.is_quarantined());
                    ill += usize::from(seats.ward.is_open() && seats.ward.is_ill());
                }
            }
        }
        if 2 * (quarantined + 1) <= there {
            self.quarantine(id, device, why, out);
        } else if there > FEW_DEVICES && quarantined + ill == there && self.paused.is_none() {
            let why = format!("systemic: all {there} devices fail alike; last: {why}");
            note(out, format!("the farm pauses; {why}"), None, None);
            self.paused = Some(Pause { who: String::new(), why, since_ms: self.wall_ms });
            self.put_farm(out);
        }
    }

    fn quarantine(&mut self, id: AgentId, device: DeviceId, why: &str, out: &mut Effects) {
        let wall_ms = self.wall_ms;
        let Some(seats) = self.seats(id, device) else { return };
        // The answer to a test that somebody asked for comes too late to say anything of it.
        seats.ward.testing = false;
        let is_tested = seats.ward.quarantine(why.to_owned(), wall_ms);
        self.clear_alarm(id, device);
        let text = if is_tested {
            self.set_alarm(id, device, QUARANTINE_MS);
            format!("quarantined for 10 min: {why}; what waits there goes elsewhere")
        } else {
            format!("quarantined until somebody releases it, for the third time in a day: {why}")
        };
        note_at(out, "", text, id, device);
        self.device_changed(id, out);
        if self.config.mutant == Some(Mutant::QuarantineIgnored) {
            self.clear_alarm(id, device);
            self.seats(id, device).into_iter().for_each(|seats| seats.ward = Ward::default());
            self.refresh_agent(id);
            return;
        }
        self.take_all_back(What::Waiting, "its device was quarantined", out, |run| {
            (run.lease.agent, run.lease.device) == (id, device)
        });
    }

    /// Asks the agent to try the device; whoever is not there, or does not offer it, is asked when it connects.
    fn test(&mut self, id: AgentId, device: DeviceId, out: &mut Effects) {
        let Some(session) = self.session(id) else { return };
        let Some(seats) = self.seats(id, device).filter(|seats| seats.device.is_some()) else { return };
        seats.ward.testing = true;
        self.clear_alarm(id, device);
        self.set_alarm(id, device, SELF_TEST_MS);
        out.push(Effect::Tell(id, session, ToAgent::SelfTest(device)));
    }

    /// Tests that were due while the agent was away.
    pub(crate) fn test_overdue(&mut self, id: AgentId, out: &mut Effects) {
        let Some(agent) = self.agents.get(&id) else { return };
        let is_overdue = |seats: &Seats| seats.ward.awaits_test() && seats.ward.alarm.is_none();
        let overdue: Vec<DeviceId> =
            agent.devices.iter().filter(|(_, seats)| is_overdue(seats)).map(|(device, _)| *device).collect();
        for device in overdue {
            self.test(id, device, out);
        }
    }

    /// Nobody is left to answer for these devices: the tests are made when they return.
    pub(crate) fn break_off_tests(&mut self, id: AgentId, is_gone: impl Fn(&Seats) -> bool) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        for (device, seats) in agent.devices.iter_mut().filter(|(_, seats)| is_gone(seats)) {
            if std::mem::take(&mut seats.ward.testing)
                && let Some(at) = seats.ward.alarm.take()
            {
                self.timers.drop(at, Due::Ward(id, *device));
            }
        }
    }

    pub(crate) fn on_ward_due(&mut self, id: AgentId, device: DeviceId, out: &mut Effects) {
        let Some(seats) = self.seats(id, device) else { return };
        seats.ward.alarm = None;
        if seats.ward.testing {
            let why = format!("no answer within {} s", SELF_TEST_MS / 1000);
            self.on_self_tested(id, device, Err(why), out);
        } else if seats.ward.awaits_test() {
            self.test(id, device, out);
        }
    }

    pub(crate) fn on_self_tested(
        &mut self,
        id: AgentId,
        device: DeviceId,
        verdict: Result<(), String>,
        out: &mut Effects,
    ) {
        let wall_ms = self.wall_ms;
        // Nobody asked: the peer's word alone changes nothing.
        let Some(seats) = self.seats(id, device).filter(|seats| seats.ward.testing) else { return };
        seats.ward.testing = false;
        let (changed, again, text) = match verdict {
            Ok(()) => match seats.ward.passed() {
                true => {
                    (true, false, "passed its self-test, and gets one job to show that it works".to_owned())
                }
                false => (false, false, "passed its self-test".to_owned()),
            },
            Err(why) => {
                let again = seats.ward.flunked(&why, wall_ms);
                (seats.ward.is_quarantined(), again, format!("failed its self-test: {why}"))
            }
        };
        self.clear_alarm(id, device);
        if again {
            self.set_alarm(id, device, QUARANTINE_MS);
        }
        note_at(out, "", text, id, device);
        if changed {
            self.device_changed(id, out);
        }
    }

    pub(crate) fn on_release_quarantine(
        &mut self,
        who: &str,
        id: AgentId,
        device: DeviceId,
        out: &mut Effects,
    ) {
        if !self.seats(id, device).is_some_and(|seats| seats.ward.release()) {
            note_at(out, who, "not released: it is not quarantined", id, device);
            return;
        }
        self.seats(id, device).into_iter().for_each(|seats| seats.ward.testing = false);
        self.clear_alarm(id, device);
        note_at(out, who, "released from quarantine", id, device);
        self.device_changed(id, out);
    }

    pub(crate) fn on_self_test(&mut self, who: &str, id: AgentId, device: DeviceId, out: &mut Effects) {
        let is_testing = self.seats(id, device).is_some_and(|seats| seats.ward.testing);
        if !is_testing {
            self.test(id, device, out);
        }
        let is_tested = self.seats(id, device).is_some_and(|seats| seats.ward.testing);
        let text = if is_tested { "is tested" } else { "not tested: it is not there" };
        note_at(out, who, text, id, device);
    }

    /// What was seen of devices before a person looked counts no longer.
    pub(crate) fn count_anew(&mut self) {
        let devices = self.agents.values_mut().flat_map(|agent| agent.devices.values_mut());
        devices.for_each(|seats| seats.ward.start_counting());
    }

    /// Its abilities and what is remembered of it are others now.
    fn device_changed(&mut self, id: AgentId, out: &mut Effects) {
        self.refresh_agent(id);
        if let Some(agent) = self.agents.get(&id) {
            out.push(Effect::PutAgent(id, agent.record()));
        }
    }

    pub(crate) fn set_alarm(&mut self, id: AgentId, device: DeviceId, after_ms: u64) {
        let at = self.clock.mono().plus(after_ms);
        let Some(seats) = self.seats(id, device) else { return };
        seats.ward.alarm = Some(at);
        self.timers.set(at, Due::Ward(id, device));
    }

    pub(crate) fn clear_alarm(&mut self, id: AgentId, device: DeviceId) {
        if let Some(at) = self.seats(id, device).and_then(|seats| seats.ward.alarm.take()) {
            self.timers.drop(at, Due::Ward(id, device));
        }
    }

    fn seats(&mut self, id: AgentId, device: DeviceId) -> Option<&mut Seats> {
        self.agents.get_mut(&id)?.devices.get_mut(&device)
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::id::AttemptId;

    use super::*;
    use crate::event::{AgentEvent, OperatorEvent};
    use crate::recorder::{Recorder, failure, new_job};

    const CPU: DeviceId = DeviceId(0);

    fn ill() -> Outcome {
        failure(FailureClass::Capacity)
    }

    /// What this agent runs or lets wait, lowest job first.
    fn first(r: &Recorder, agent: u32) -> AttemptId {
        r.held(agent)[0]
    }

    /// Agents with one slot each, and more jobs than they can take.
    fn farm(agents: u32) -> Recorder {
        let mut r = Recorder::new();
        r.add((1..=60).map(new_job));
        (1..=agents).for_each(|agent| r.join(agent, 1));
        r.skip();
        r
    }

    fn fails(r: &mut Recorder, agent: u32, times: u32) {
        for _ in 0..times {
            let attempt = first(r, agent);
            r.reports(agent, attempt, ill());
        }
    }

    fn finishes(r: &mut Recorder, agent: u32) {
        let attempt = first(r, agent);
        r.asks(agent, attempt);
        r.commits(agent, attempt);
    }

    fn quarantine(r: &Recorder, agent: u32) -> Option<(Option<i64>, bool)> {
        let view = r.farm.agents().find(|view| view.id == AgentId(agent))?;
        view.devices[0].quarantine.as_ref().map(|q| (q.until_ms, q.testing))
    }

    fn gets_work(r: &mut Recorder, agent: u32) -> bool {
        r.offers().iter().any(|(_, to)| *to == agent)
    }

    #[test]
    fn a_device_that_fails_three_jobs_in_a_row_gets_none_until_its_test_and_one_job_succeeded() {
        let mut r = farm(2);
        fails(&mut r, 1, 2);
        assert_eq!(quarantine(&r, 1), None);
        r.skip();
        let waits = r.held(1)[1];
        fails(&mut r, 1, 1);
        r.expect_note("quarantined for 10 min: it broke");
        assert_eq!(quarantine(&r, 1), Some((Some(r.now.wall_ms + 600_000), false)));
        assert_eq!(r.held(1), [waits], "told to stop, and not yet heard to have");
        r.reports(1, waits, Outcome::Stopped);
        r.skip();
        r.pass_alive(595_000, &[1, 2]);
        assert!(!gets_work(&mut r, 1));
        r.pass_alive(5_000, &[1, 2]);
        r.expect(&["tell 1 self-test 0"]);
        r.say(1, AgentEvent::SelfTested(CPU, Ok(())));
        assert_eq!(r.held(1).len(), 1, "one real job");
        r.skip();
        finishes(&mut r, 1);
        r.expect_note("works again");
        assert_eq!(r.held(1).len(), 2, "full again");
    }

    #[test]
    fn a_test_that_fails_or_is_not_answered_is_made_again() {
        let mut r = farm(2);
        fails(&mut r, 1, 3);
        r.skip();
        r.pass_alive(600_000, &[1, 2]);
        r.say(1, AgentEvent::SelfTested(CPU, Err("black picture".to_owned())));
        r.expect_note("failed its self-test: black picture");
        r.skip();
        r.pass_alive(600_000, &[1, 2]);
        r.expect(&["tell 1 self-test 0"]);
        r.pass_alive(SELF_TEST_MS, &[1, 2]);
        r.expect_note("failed its self-test: no answer within 130 s");
        r.say(1, AgentEvent::SelfTested(CPU, Ok(())));
        assert!(quarantine(&r, 1).is_some(), "too late");
        r.skip();
        r.pass_alive(600_000, &[1, 2]);
        r.expect(&["tell 1 self-test 0"]);
    }

    #[test]
    fn the_third_time_it_stays_until_a_person_releases_it_also_after_a_restart() {
        let mut r = farm(2);
        fails(&mut r, 1, 3);
        for _ in 0..2 {
            r.pass_alive(600_000, &[1, 2]);
            let left = r.held(1);
            left.into_iter().for_each(|attempt| r.reports(1, attempt, Outcome::Stopped));
            r.say(1, AgentEvent::SelfTested(CPU, Ok(())));
            fails(&mut r, 1, 1);
        }
        assert_eq!(quarantine(&r, 1), Some((None, false)));
        r.expect_note("until somebody releases it");
        r.skip();
        r.restart();
        assert_eq!(quarantine(&r, 1), Some((None, false)));
        r.rejoin(1, 1, Vec::new());
        r.proves(1);
        assert!(!gets_work(&mut r, 1));
        r.pass_alive(3_600_000, &[1]);
        assert!(!gets_work(&mut r, 1));
        r.ask(OperatorEvent::ReleaseQuarantine(AgentId(1), CPU));
        assert!(gets_work(&mut r, 1));
        r.ask(OperatorEvent::ReleaseQuarantine(AgentId(1), CPU));
        r.expect_note("not released: it is not quarantined");
    }

    #[test]
    fn a_quarantine_goes_on_over_a_restart_and_its_test_waits_for_the_agent() {
        let mut r = farm(2);
        fails(&mut r, 1, 3);
        r.skip();
        r.pass(300_000);
        r.skip();
        r.restart();
        r.pass(600_000);
        r.skip();
        r.rejoin(1, 1, Vec::new());
        r.expect(&["tell 1 welcome", "prove 1 root 10", "prove 1 root 20 writable", "tell 1 self-test 0"]);
        r.say(1, AgentEvent::Disconnected);
        r.pass(70_000);
        r.rejoin(1, 1, Vec::new());
        r.expect_last("tell 1 self-test 0");
    }

    #[test]
    fn a_person_can_have_a_device_tested_at_any_time() {
        let mut r = farm(2);
        r.ask(OperatorEvent::SelfTest(AgentId(1), CPU));
        r.expect(&["tell 1 self-test 0"]);
        r.say(1, AgentEvent::SelfTested(CPU, Err("black picture".to_owned())));
        assert_eq!(quarantine(&r, 1), None, "whoever asked decides what to do about it");
        fails(&mut r, 1, 3);
        r.skip();
        r.ask(OperatorEvent::SelfTest(AgentId(1), CPU));
        r.say(1, AgentEvent::SelfTested(CPU, Ok(())));
        assert_eq!(quarantine(&r, 1), None);
        r.say(1, AgentEvent::Disconnected);
        r.ask(OperatorEvent::SelfTest(AgentId(1), CPU));
        r.expect_note("not tested: it is not there");
    }

    #[test]
    fn the_only_device_of_a_farm_keeps_trying() {
        let mut r = farm(1);
        fails(&mut r, 1, 12);
        assert_eq!((quarantine(&r, 1), r.farm.paused()), (None, None));
        assert!(gets_work(&mut r, 1));
    }

    #[test]
    fn of_two_devices_one_may_be_quarantined_and_the_other_keeps_trying() {
        let mut r = farm(2);
        fails(&mut r, 1, 3);
        fails(&mut r, 2, 12);
        assert!(quarantine(&r, 1).is_some() && quarantine(&r, 2).is_none());
        assert_eq!(r.farm.paused(), None);
    }

    #[test]
    fn when_all_devices_fail_alike_the_farm_pauses_and_says_so() {
        let mut r = farm(4);
        for agent in 1..=3 {
            fails(&mut r, agent, 3);
        }
        let quarantined = (1..=4).filter(|agent| quarantine(&r, *agent).is_some()).count();
        assert_eq!((quarantined, r.farm.paused()), (2, None), "the fourth works");
        fails(&mut r, 4, 3);
        let why = "systemic: all 4 devices fail alike; last: it broke";
        assert_eq!(r.farm.paused().map(|pause| (pause.who.as_str(), pause.why.as_str())), Some(("", why)));
        r.skip();
        r.restart();
        (1..=4).for_each(|agent| r.rejoin(agent, 1, Vec::new()));
        (1..=4).for_each(|agent| r.proves(agent));
        assert_eq!(r.offers(), []);
        r.ask(OperatorEvent::Resume);
        assert!(gets_work(&mut r, 4));
        fails(&mut r, 4, 2);
        assert_eq!(r.farm.paused(), None, "it counts anew");
    }

    #[test]
    fn a_device_that_fails_what_others_can_do_is_found_out() {
        let mut r = farm(2);
        for _ in 0..6 {
            let failed = first(&r, 1);
            r.reports(1, failed, failure(FailureClass::Encoder));
            r.skip();
            while r.farm.record(failed.job).is_some() {
                finishes(&mut r, 2);
            }
        }
        assert!(quarantine(&r, 1).is_some());
        r.expect_note("most of what failed there was done elsewhere");
    }
}
