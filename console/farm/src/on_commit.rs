//! The right to commit: asked for, granted once, and looked after when its holder vanishes.
//!
//! A grant does not lapse with the lease. It ends when the output is found in place, or when the engine has made sure
//! that it never will be: every part file of the task is unlinked before a withdrawal, so a late rename finds nothing.

use vc_protocol::agent::{Proven, ToAgent};
use vc_protocol::id::{AgentId, AttemptId, SessionNo};

use crate::attempt::{Stale, Step};
use crate::effect::{Effect, Effects};
use crate::event::Settlement;
use crate::failure::Mishap;
use crate::farm::{Farm, note};
use crate::job::Ending;
use crate::lease::{Seat, Settling, Standing};
use crate::on_agent::Word;
use crate::on_time::Due;
use crate::record::{JobResult, TaskState};

/// A folder that cannot be read now may be mounted again by then; looking more often helps nobody.
const UNREACHABLE_AGAIN_MS: u64 = 30_000;

impl Farm {
    pub(crate) fn on_ask_commit(
        &mut self,
        id: AgentId,
        session: SessionNo,
        attempt: AttemptId,
        proven: &Proven,
        out: &mut Effects,
    ) {
        let granted = match self.word(id, attempt) {
            Word::Current(current) => self.grant(current, proven, out),
            Word::Zombie | Word::Stale => Err(Stale),
        };
        let answer = match granted {
            Ok(()) => ToAgent::Granted(attempt),
            Err(Stale) => ToAgent::Stale(attempt),
        };
        out.push(Effect::Tell(id, session, answer));
    }

    /// Grants an attempt its file, durably, or finds that it was granted before.
    pub(crate) fn grant(
        &mut self,
        attempt: AttemptId,
        proven: &Proven,
        out: &mut Effects,
    ) -> Result<(), Stale> {
        let wall_ms = self.wall_ms;
        let step = self
            .jobs
            .edit(attempt.job, |live| {
                let step = live.record.task_mut(attempt.task).ok_or(Stale)?.grant(attempt.no, proven)?;
                live.record.follow_tasks(wall_ms);
                Ok(step)
            })
            .ok_or(Stale)??;
        // The agent has it after all: its place is taken again.
        self.reseat(attempt, Seat::Taken);
        if step == Step::New {
            self.put(attempt.job, out);
        }
        Ok(())
    }

    /// Asks the engine to look at the output of a vanished holder, to finish or withdraw it.
    pub(crate) fn settle(&mut self, attempt: AttemptId, out: &mut Effects) {
        let Some(proven) = self.granted(attempt).cloned() else { return };
        self.reseat(attempt, Seat::Left);
        if let Some(run) = self.runs.get_mut(&attempt) {
            run.settling = Settling::Asked;
            out.push(Effect::Settle(attempt, proven));
        }
    }

    fn granted(&self, attempt: AttemptId) -> Option<&Proven> {
        let run = self.runs.get(&attempt).filter(|run| run.standing == Standing::Live)?;
        match &self.jobs.live(attempt.job)?.record.task(attempt.task)?.state {
            TaskState::Granted(lease, proven) if *lease == run.lease => Some(proven),
            TaskState::Open
            | TaskState::Leased(_)
            | TaskState::Running(_)
            | TaskState::Granted(..)
            | TaskState::Done => None,
        }
    }

    pub(crate) fn on_settled(&mut self, attempt: AttemptId, settlement: Settlement, out: &mut Effects) {
        // The holder's own report may have come first; then there is nothing left to settle.
        if self.granted(attempt).is_none() {
            return;
        }
        let again = self.clock.mono().plus(UNREACHABLE_AGAIN_MS);
        let Some(run) = self.runs.get_mut(&attempt) else { return };
        let agent = run.lease.agent;
        if let Settling::Again(at) = run.settling {
            self.timers.drop(at, Due::Settle(attempt));
        }
        run.settling = Settling::No;
        let report = match settlement {
            Settlement::Unreachable(why) => {
                run.settling = Settling::Again(again);
                self.timers.set(again, Due::Settle(attempt));
                note(out, format!("cannot look at its output: {why}"), Some(attempt.job), Some(agent));
                return;
            }
            Settlement::InPlace(_) | Settlement::NameTaken | Settlement::Withdrawn => run.report.take(),
        };
        let ending = match settlement {
            Settlement::InPlace(size) => {
                note(out, "its output was found and finished", Some(attempt.job), Some(agent));
                let said = report.as_deref();
                Ending::Committed(JobResult {
                    bytes_in: said.map_or(0, |r| r.bytes_in),
                    bytes_out: size,
                    wall_ms: said.map_or(0, |r| r.wall_ms),
                    media_ms: said.map_or(0, |r| r.media_ms),
                })
            }
            Settlement::NameTaken => Ending::NameTaken,
            Settlement::Withdrawn | Settlement::Unreachable(_) => {
                let lost = Mishap::Lost { ran: true, text: "its agent was lost before it committed" };
                report.as_deref().and_then(Self::ending_without_output).unwrap_or(Ending::Mishap(lost))
            }
        };
        self.end(attempt, ending, report, out);
    }
}
