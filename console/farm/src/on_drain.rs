//! A person wants an agent, a device or the whole farm to take nothing new, or to give back what it has.
//!
//! What comes back by hand costs its job nothing: no retry, no launch, nobody is blamed. A granted attempt is left
//! alone, since its output may take its place at any instant.

use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, AttemptId, DeviceId};
use vc_protocol::progress::Phase;

use crate::effect::{Effect, Effects};
use crate::failure::Mishap;
use crate::farm::{Farm, note, note_at, note_by};
use crate::job::Ending;
use crate::lease::{Run, Seat, Settling, Standing};
use crate::on_time::Due;
use crate::record::{AgentRecord, Reason, TaskState};

/// Which attempts come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Those that only wait on their agent, or have their source looked at: nothing is encoded of them yet.
    Waiting,
    /// And those that run.
    Running,
}

impl Farm {
    pub(crate) fn on_drain(
        &mut self,
        who: &str,
        id: AgentId,
        device: Option<DeviceId>,
        kill: bool,
        out: &mut Effects,
    ) {
        if !self.set_drained(who, id, device, true, out) {
            return;
        }
        note_of(out, who, "drained", id, device);
        let what = if kill { What::Running } else { What::Waiting };
        let reason = by(who, "taken back");
        self.take_all_back(what, &reason, out, |run| {
            run.lease.agent == id && device.is_none_or(|device| run.lease.device == device)
        });
    }

    pub(crate) fn on_undrain(&mut self, who: &str, id: AgentId, device: Option<DeviceId>, out: &mut Effects) {
        if self.set_drained(who, id, device, false, out) {
            note_of(out, who, "takes work again", id, device);
        }
    }

    /// False if there is no such agent any more.
    fn set_drained(
        &mut self,
        who: &str,
        id: AgentId,
        device: Option<DeviceId>,
        drained: bool,
        out: &mut Effects,
    ) -> bool {
        if self.revoked.contains(&id) {
            note_by(out, who, "is revoked: there is nothing to drain", None, Some(id));
            return false;
        }
        self.meet(id);
        let Some(agent) = self.agents.get_mut(&id) else { return false };
        match device {
            Some(device) => agent.devices.entry(device).or_default().drained = drained,
            None => agent.drained = drained,
        }
        agent.forget_empty_devices();
        out.push(Effect::PutAgent(id, agent.record()));
        self.refresh_agent(id);
        true
    }

    /// Everything comes back at once: the server ends, and what runs would run for nobody.
    pub(crate) fn on_recall(&mut self, who: &str, out: &mut Effects) {
        let reason = by(who, "taken back");
        self.take_all_back(What::Running, &reason, out, |_| true);
    }

    /// Its key is refused from now on. No attempt of it may ever count again, and none of its jobs pays for that.
    pub(crate) fn on_revoked(&mut self, who: &str, id: AgentId, out: &mut Effects) {
        self.revoked.insert(id);
        if let Some(session) = self.session(id) {
            out.push(Effect::Close(id, session, Close::Revoked));
        }
        self.lose_session(id);
        let held: Vec<AttemptId> =
            self.runs.iter().filter(|(_, run)| run.lease.agent == id).map(|(attempt, _)| *attempt).collect();
        for attempt in held {
            let Some(run) = self.runs.get(&attempt) else { continue };
            if run.standing == Standing::Zombie {
                self.drop_run(attempt);
            } else if run.settling != Settling::No {
                self.reseat(attempt, Seat::Left);
            } else if self.granted(attempt).is_some() {
                self.settle(attempt, out);
            } else {
                // The box is not suspected of having been broken by the job.
                let lost = Mishap::Lost { ran: false, text: "its agent was revoked" };
                self.end(attempt, Ending::Mishap(lost), None, out);
            }
        }
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.drained = true;
            let armed = agent.armed.take();
            let devices: Vec<DeviceId> = agent.devices.keys().copied().collect();
            self.refresh_agent(id);
            devices.into_iter().for_each(|device| {
                self.clear_alarm(id, device);
                self.rooms.crowded.remove(&(id, device));
            });
            armed.into_iter().for_each(|at| self.timers.drop(at, Due::Silence(id)));
            self.agents.remove(&id);
        }
        out.push(Effect::PutAgent(id, AgentRecord::default()));
        note_by(out, who, "revoked", None, Some(id));
    }

    /// Takes those attempts back that are not granted, from whoever has them.
    pub(crate) fn take_all_back(
        &mut self,
        what: What,
        reason: &str,
        out: &mut Effects,
        of: impl Fn(&Run) -> bool,
    ) {
        let is_meant = |(attempt, run): &(&AttemptId, &Run)| {
            of(run)
                && match what {
                    What::Waiting => self.waits(**attempt),
                    What::Running => self.is_live(**attempt) && self.granted(**attempt).is_none(),
                }
        };
        let meant: Vec<AttemptId> = self.runs.iter().filter(is_meant).map(|(attempt, _)| *attempt).collect();
        for attempt in meant {
            self.hand_back(attempt, reason, out);
        }
    }

    /// Takes one back that is current and not granted.
    pub(crate) fn hand_back(&mut self, attempt: AttemptId, reason: &str, out: &mut Effects) {
        if !self.fence_attempt(attempt, out) {
            return;
        }
        let (job, wall_ms) = (attempt.job, self.wall_ms);
        let told = format!("back to pending: {reason}");
        let reason = Reason { class: None, text: reason.to_owned() };
        self.jobs.edit(job, |live| live.record.take_back(attempt.task, reason, wall_ms));
        self.enqueue(job);
        self.put(job, out);
        note(out, told, Some(job), None);
    }

    /// Whether it is current.
    pub(crate) fn is_live(&self, attempt: AttemptId) -> bool {
        self.runs.get(&attempt).is_some_and(|run| run.standing == Standing::Live)
    }

    /// Whether it is current and only waits on its agent, or has its source looked at.
    pub(crate) fn waits(&self, attempt: AttemptId) -> bool {
        let Some(run) = self.runs.get(&attempt).filter(|run| run.standing == Standing::Live) else {
            return false;
        };
        let task = self.jobs.live(attempt.job).and_then(|live| live.record.task(attempt.task));
        match task.map(|task| &task.state) {
            Some(TaskState::Leased(_)) => true,
            // Right after a restart of the console a running one has told nothing yet: it is not taken for one that waits.
            Some(TaskState::Running(_)) => {
                run.progress.is_some_and(|told| matches!(told.phase, Phase::Waiting | Phase::Fetching))
            }
            Some(TaskState::Granted(..) | TaskState::Open | TaskState::Done) | None => false,
        }
    }
}

fn note_of(out: &mut Effects, who: &str, text: &str, id: AgentId, device: Option<DeviceId>) {
    match device {
        Some(device) => note_at(out, who, text, id, device),
        None => note_by(out, who, text, None, Some(id)),
    }
}

/// `taken back by ana`.
fn by(who: &str, what: &str) -> String {
    if who.is_empty() { what.to_owned() } else { format!("{what} by {who}") }
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::job::JobState;
    use vc_protocol::operator::AgentState;
    use vc_protocol::progress::Progress;

    use super::*;
    use crate::event::{AgentEvent, OperatorEvent, Settlement};
    use crate::recorder::{Recorder, attempt, new_job, proven};

    const ADA: AgentId = AgentId(1);

    fn drain(device: Option<DeviceId>, kill: bool) -> OperatorEvent {
        OperatorEvent::Drain { agent: ADA, device, kill }
    }

    /// One job that runs, and one that waits there.
    fn two() -> Recorder {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        r
    }

    #[test]
    fn a_drained_agent_gives_back_what_it_only_looked_into() {
        let mut r = two();
        let looks = Progress::start(Phase::Fetching);
        r.say(1, AgentEvent::Progress(vec![(attempt(2, 1), looks)]));
        r.skip();
        r.ask(drain(None, false));
        r.expect(&[
            "agent 1 remembered: drained",
            "attempt 2.0/1 stopped",
            "tell 1 cancel 2.0/1",
            "job 2 pending: open",
        ]);
        assert_eq!((r.row(2).tasks[0].launches, r.row(2).tasks[0].retries), (0, 0));
    }

    #[test]
    fn a_drained_agent_finishes_what_runs_and_gives_back_what_waits() {
        let mut r = two();
        r.ask(drain(None, false));
        r.expect(&[
            "agent 1 remembered: drained",
            "attempt 2.0/1 stopped",
            "tell 1 cancel 2.0/1",
            "job 2 pending: open",
        ]);
        assert_eq!(r.farm.agents().next().map(|a| (a.state, a.drained)), Some((AgentState::Draining, true)));
        assert_eq!((r.row(2).tasks[0].launches, r.row(2).tasks[0].retries), (0, 0));
        r.reports(1, attempt(2, 1), Outcome::Stopped);
        r.asks(1, attempt(1, 1));
        r.commits(1, attempt(1, 1));
        assert_eq!(r.offers(), []);
        assert_eq!(r.row(1).state, JobState::Completed);
        r.restart();
        r.rejoin(1, 1, Vec::new());
        r.proves(1);
        assert_eq!(r.offers(), [], "drained across the restart");
        r.ask(OperatorEvent::Undrain(ADA, None));
        r.expect(&["agent 1 forgotten", "job 2 running: leased", "offer 2.0/2 to 1/0"]);
    }

    #[test]
    fn a_drain_that_kills_takes_everything_back_but_what_commits() {
        let mut r = two();
        r.join(2, 1);
        r.reports(1, attempt(2, 1), Outcome::Skipped("there".to_owned()));
        r.add([new_job(3), new_job(4)]);
        r.skip();
        r.encodes(1, attempt(4, 1));
        r.asks(1, attempt(1, 1));
        r.skip();
        let held = r.held(1);
        assert!(held.contains(&attempt(1, 1)) && held.len() == 2, "{held:?}");
        r.ask(drain(None, true));
        assert_eq!(r.row(1).state, JobState::Running, "its output may be in place already");
        assert_eq!(r.farm.totals().by_state[JobState::Running as usize], 3, "the other box has two");
        r.commits(1, attempt(1, 1));
        assert_eq!(r.row(1).state, JobState::Completed);
    }

    #[test]
    fn a_drained_device_takes_nothing_and_an_agent_not_heard_yet_can_be_drained() {
        let mut r = Recorder::new();
        r.ask(drain(Some(DeviceId(0)), false));
        r.expect(&["agent 1 remembered: device 0 drained"]);
        r.add([new_job(1)]);
        r.join(1, 1);
        assert_eq!(r.offers(), []);
        let view = r.farm.agents().next().map(|a| (a.state, a.drained, a.devices[0].drained));
        assert_eq!(view, Some((AgentState::Ok, false, true)));
        r.restart();
        r.join(1, 1);
        assert_eq!(r.offers(), []);
        r.ask(OperatorEvent::Undrain(ADA, Some(DeviceId(0))));
        assert_eq!(r.offers(), [(1, 1)]);
    }

    #[test]
    fn a_recall_brings_back_what_runs_and_costs_nothing() {
        let mut r = two();
        r.ask(OperatorEvent::Close);
        r.ask(OperatorEvent::Recall);
        r.expect(&[
            "attempt 2.0/1 stopped",
            "tell 1 cancel 2.0/1",
            "job 2 pending: open",
            "attempt 1.0/1 stopped",
            "tell 1 cancel 1.0/1",
            "job 1 pending: open",
        ]);
        let task = &r.row(1).tasks[0];
        assert_eq!((task.launches, task.retries, task.lost, task.attempt.0), (0, 0, 0, 1));
        assert_eq!(r.row(1).reason.as_ref().map(|reason| reason.text.as_str()), Some("taken back by ana"));
        r.reports(1, attempt(1, 1), Outcome::Stopped);
        r.skip();
        r.restart();
        r.join(1, 1);
        assert_eq!(r.offers(), [(1, 1), (2, 1)]);
    }

    #[test]
    fn what_a_revoked_agent_held_goes_to_others_and_nobody_pays() {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2)]);
        r.join(1, 2);
        r.encodes(1, attempt(1, 1));
        r.join(2, 1);
        r.skip();
        r.ask(OperatorEvent::Revoked(ADA));
        r.expect(&[
            "close 1 session 1",
            "attempt 1.0/1 failed infrastructure",
            "job 1 pending: open",
            "attempt 2.0/1 failed infrastructure",
            "job 2 pending: open",
            "agent 1 forgotten",
            "job 1 running: leased",
            "offer 1.0/2 to 2/0",
            "job 2 running: leased",
            "offer 2.0/2 to 2/0",
        ]);
        r.connect(1, 1, vec![crate::recorder::cpu(1)], Vec::new());
        r.expect(&["close 1 session 3"]);
        assert_eq!(r.farm.agents().count(), 1);
        let task = &r.row(1).tasks[0];
        assert_eq!((task.retries, task.lost, task.failed_on.len()), (0, 0, 0));
        r.pass(600_000);
    }

    #[test]
    fn the_output_that_a_revoked_agent_may_have_put_in_place_is_looked_for() {
        let mut r = two();
        r.asks(1, attempt(1, 1));
        r.skip();
        r.ask(OperatorEvent::Revoked(ADA));
        r.expect(&[
            "close 1 session 1",
            "settle 1.0/1",
            "attempt 2.0/1 failed infrastructure",
            "job 2 pending: open",
            "agent 1 forgotten",
        ]);
        r.pass(600_000);
        r.settled(attempt(1, 1), Settlement::InPlace(50));
        r.expect(&["attempt 1.0/1 completed", "job 1 completed: done"]);
    }

    #[test]
    fn a_silent_agent_can_be_drained_and_abandons_what_it_ran_when_it_returns() {
        let mut r = two();
        r.say(1, AgentEvent::Disconnected);
        r.ask(drain(None, true));
        r.skip();
        r.rejoin(1, 1, vec![vc_protocol::agent::Held::Proven(attempt(1, 1), proven(attempt(1, 1)))]);
        r.expect(&["tell 1 welcome 1.0/1 abandon", "prove 1 root 10", "prove 1 root 20 writable"]);
    }
}
