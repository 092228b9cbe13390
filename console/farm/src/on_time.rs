//! Time passed: leases end, agents fall silent, waits are over.
//!
//! Owns the timers. They may ring early and are then set again; what they are about decides on the clock of
//! listening, which stands while the console does.

use std::collections::BTreeSet;

use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, RootId, TaskNo};
use vc_protocol::job::JobState;

use crate::agent::Quiet;
use crate::effect::Effects;
use crate::event::Millis;
use crate::failure::Mishap;
use crate::farm::{Farm, Mutant};
use crate::job::Ending;
use crate::jobs::Spot;
use crate::lease::{GRACE_MS, SUSPECT_MS, Seat, Settling, Standing, UNSURE_MS};
use crate::record::TaskState;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The agent may have been silent for too long.
    Silence(AgentId),
    /// The attempt may have to be taken back.
    Lease(AttemptId),
    /// The wait before the task's next attempt is over.
    Retry(JobId, TaskNo),
    /// The agent is asked again for a proof that it sees the folder.
    Proof(AgentId, RootId),
    /// The output of a vanished holder is looked for again.
    Settle(AttemptId),
    /// The device is to be tested, or the answer to its test is overdue.
    Ward(AgentId, DeviceId),
}

/// All deadlines, on the console's monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Millis, Due)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Millis, due: Due) {
        self.0.insert((at, due));
    }

    pub(crate) fn drop(&mut self, at: Millis, due: Due) {
        self.0.remove(&(at, due));
    }

    pub(crate) fn first(&self) -> Option<(Millis, Due)> {
        self.0.first().copied()
    }

    pub(crate) fn contains(&self, at: Millis, due: Due) -> bool {
        self.0.contains(&(at, due))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn take_due(&mut self, now: Millis) -> Option<Due> {
        let first = *self.0.first()?;
        (first.0 <= now && self.0.remove(&first)).then_some(first.1)
    }
}

impl Farm {
    pub(crate) fn on_tick(&mut self, out: &mut Effects) {
        // What rings early is set again for later than now, so this ends.
        while let Some(due) = self.timers.take_due(self.clock.mono()) {
            match due {
                Due::Silence(agent) => self.on_silence(agent, out),
                Due::Lease(attempt) => self.on_lease_due(attempt, out),
                Due::Retry(job, task) => self.on_retry_due(job, task),
                Due::Proof(agent, root) => self.on_proof_due(agent, root, out),
                Due::Settle(attempt) => self.on_settle_due(attempt, out),
                Due::Ward(agent, device) => self.on_ward_due(agent, device, out),
            }
        }
    }

    /// Sets the timer of an agent's silence, unless it runs.
    pub(crate) fn arm_silence(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let after = match agent.quiet {
            Quiet::Heard => SUSPECT_MS,
            Quiet::Suspect => UNSURE_MS,
            Quiet::Unsure => return,
        };
        if agent.armed.is_none() {
            let at = self.clock.mono_of(agent.heard.plus(after));
            agent.armed = Some(at);
            self.timers.set(at, Due::Silence(id));
        }
    }

    fn on_silence(&mut self, id: AgentId, out: &mut Effects) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.armed = None;
        let silent_ms = self.clock.listened().since(agent.heard);
        let quiet = match silent_ms {
            ms if ms >= UNSURE_MS => Quiet::Unsure,
            ms if ms >= SUSPECT_MS => Quiet::Suspect,
            _ => Quiet::Heard,
        };
        let (was, connected) = (agent.quiet, agent.session.is_some());
        agent.quiet = was.max(quiet);
        let changed = agent.quiet != was;
        if changed && connected && was == Quiet::Heard {
            self.note_loss(id, "stopped answering", out);
        }
        if changed {
            self.refresh_agent(id);
        }
        self.arm_silence(id);
    }

    fn on_lease_due(&mut self, attempt: AttemptId, out: &mut Effects) {
        let Some(run) = self.runs.get(&attempt) else { return };
        let lapsed = run.lapses <= self.clock.listened();
        match run.standing {
            Standing::Zombie if lapsed => {
                self.drop_run(attempt);
            }
            Standing::Live if lapsed && run.settling == Settling::No => {
                self.take_back(attempt, "its agent fell silent", out);
            }
            Standing::Zombie | Standing::Live => {}
        }
        // It rang early, or the output is being looked for: what comes of that, or its holder, must find a deadline.
        if let Some(run) = self.runs.get_mut(&attempt) {
            let at = if lapsed { self.clock.mono().plus(GRACE_MS) } else { self.clock.mono_of(run.lapses) };
            run.armed = at;
            self.timers.set(at, Due::Lease(attempt));
        }
    }

    /// The holder of an attempt is gone: a lease ends, a grant is looked after.
    pub(crate) fn take_back(&mut self, attempt: AttemptId, text: &'static str, out: &mut Effects) {
        let state =
            self.jobs.live(attempt.job).and_then(|live| live.record.task(attempt.task)).map(|t| &t.state);
        let ran = match state {
            Some(TaskState::Granted(..)) if self.config.mutant != Some(Mutant::GrantLapses) => {
                self.settle(attempt, out);
                return;
            }
            Some(TaskState::Granted(..) | TaskState::Running(_)) => true,
            Some(TaskState::Leased(_)) => false,
            Some(TaskState::Open | TaskState::Done) | None => return,
        };
        self.end(attempt, Ending::Mishap(Mishap::Lost { ran, text }), None, out);
    }

    fn on_retry_due(&mut self, job: JobId, task: TaskNo) {
        let waits = self.jobs.live(job).is_some_and(|live| {
            live.record.state != JobState::Held
                && live.side(task).is_some_and(|side| matches!(side.spot, Spot::Waiting(_)))
        });
        if waits {
            self.make_ready(job, task);
        }
    }

    fn on_settle_due(&mut self, attempt: AttemptId, out: &mut Effects) {
        let Some(run) = self.runs.get_mut(&attempt) else { return };
        if !matches!(run.settling, Settling::Again(_)) {
            return;
        }
        run.settling = Settling::No;
        // The holder came back meanwhile and commits by itself.
        if run.seat == Seat::Left {
            self.settle(attempt, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::recorder::{Recorder, attempt, new_job};

    fn running() -> Recorder {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        r
    }

    #[test]
    fn an_attempt_is_taken_back_when_lease_and_grace_are_over() {
        let mut r = running();
        r.pass(179_999);
        r.nothing_else();
        r.pass(1);
        r.expect(&["attempt 1.0/1 failed infrastructure", "job 1 pending: open"]);
        r.pass(3_600_000);
        r.nothing_else();
        assert_eq!(r.farm.next_deadline(), None, "a farm that waits for an agent sets no alarm");
    }

    #[test]
    fn heartbeats_that_name_an_attempt_keep_it_and_no_other() {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2)]);
        r.join(1, 1);
        r.skip();
        for _ in 0..36 {
            r.pass(5_000);
            r.say(1, crate::event::AgentEvent::Heartbeat(vec![attempt(1, 1)]));
            r.say(1, crate::event::AgentEvent::Progress(vec![]));
        }
        assert_eq!(
            r.held(1),
            [attempt(1, 1), attempt(2, 2)],
            "the second was lost, taken back and sent again"
        );
    }

    #[test]
    fn after_a_restart_nothing_is_taken_back_for_ninety_seconds() {
        let mut r = running();
        r.restart();
        r.join(2, 1);
        r.pass_alive(85_000, &[2]);
        r.nothing_else();
        assert_eq!(r.farm.unreported_agents(), 1);
        r.pass_alive(5_000, &[2]);
        r.expect(&[
            "attempt 1.0/1 failed infrastructure",
            "job 1 pending: open",
            "job 1 running: leased",
            "offer 1.0/2 to 2/0",
        ]);
    }

    #[test]
    fn nothing_is_taken_back_for_time_in_which_the_console_stood_still() {
        let mut r = running();
        r.pass(100_000);
        r.step(600_000);
        r.apply(Event::Late(Millis(600_000)));
        r.apply(Event::Tick);
        r.nothing_else();
        r.pass(79_999);
        r.nothing_else();
        r.pass(1);
        r.expect(&["attempt 1.0/1 failed infrastructure", "job 1 pending: open"]);
    }

    #[test]
    fn a_job_that_loses_two_agents_is_held() {
        let mut r = running();
        r.pass(180_000);
        r.join(2, 1);
        r.encodes(2, attempt(1, 2));
        r.skip();
        r.pass(180_000);
        r.expect(&["attempt 1.0/2 failed infrastructure", "job 1 held: open"]);
        r.expect_note("held: its agent was lost 2 times while running it");
    }
}
