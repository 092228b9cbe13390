//! Time passed: leases end, agents fall silent, waits are over.
//!
//! Owns the timers. They may ring early and are then set again; what they are about decides on the clock of
//! listening, which stands while the console does.

use std::collections::BTreeSet;

use vc_protocol::id::{AgentId, AttemptId, JobId, RootId, TaskNo};
use vc_protocol::job::JobState;

use crate::agent::Quiet;
use crate::effect::Effects;
use crate::event::Millis;
use crate::failure::Mishap;
use crate::farm::{Farm, Mutant, note};
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
        if agent.quiet != was && connected {
            note(out, format!("silent for {} s", silent_ms / 1000), None, Some(id));
        }
        if agent.quiet != was {
            self.refresh_agent(id);
        }
        self.arm_silence(id);
    }

    fn on_lease_due(&mut self, attempt: AttemptId, out: &mut Effects) {
        let Some(run) = self.runs.get_mut(&attempt) else { return };
        // Lapsed, but someone looks after the output already, or it has just been asked about.
        if run.settling != Settling::No {
            run.armed = self.clock.mono().plus(GRACE_MS);
            self.timers.set(run.armed, Due::Lease(attempt));
            return;
        }
        if run.lapses > self.clock.listened() {
            run.armed = self.clock.mono_of(run.lapses);
            self.timers.set(run.armed, Due::Lease(attempt));
            return;
        }
        if run.standing == Standing::Zombie {
            self.drop_run(attempt);
            return;
        }
        self.take_back(attempt, "its agent fell silent", out);
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
