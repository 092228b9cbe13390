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
            Word::Zombie => {
                // This answer ends it without another word of its agent: nothing else would free its place.
                self.drop_run(attempt);
                Err(Stale)
            }
            Word::Stale => Err(Stale),
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
        let Some(run) = self.runs.get_mut(&attempt) else { return };
        match std::mem::replace(&mut run.settling, Settling::Asked) {
            Settling::Asked => return,
            Settling::Again(at) => self.timers.drop(at, Due::Settle(attempt)),
            Settling::No => {}
        }
        out.push(Effect::Settle(attempt, proven));
    }

    pub(crate) fn granted(&self, attempt: AttemptId) -> Option<&Proven> {
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

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::failure::FailureClass;
    use vc_protocol::job::JobState;

    use super::*;
    use crate::event::AgentEvent;
    use crate::recorder::{Recorder, attempt, failure, new_job, proven};

    fn running() -> (Recorder, AttemptId) {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        (r, attempt(1, 1))
    }

    #[test]
    fn the_grant_is_written_before_it_is_told_and_told_again_when_asked_again() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.expect(&["job 1 running: granted", "tell 1 granted 1.0/1"]);
        r.asks(1, a);
        r.expect(&["tell 1 granted 1.0/1"]);
        r.restart();
        r.rejoin(1, 1, vec![vc_protocol::agent::Held::Proven(a, proven(a))]);
        r.expect(&["tell 1 welcome 1.0/1 commit", "prove 1 root 10", "prove 1 root 20 writable"]);
    }

    #[test]
    fn a_grant_is_for_one_file() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.skip();
        r.say(1, AgentEvent::AskCommit(a, Proven { hash: [9; 32], ..proven(a) }));
        r.expect(&["tell 1 stale 1.0/1"]);
    }

    #[test]
    fn a_commit_completes_the_job() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.skip();
        r.commits(1, a);
        r.expect(&["attempt 1.0/1 completed", "job 1 completed: done", "tell 1 done 1.0/1"]);
        r.commits(1, a);
        r.expect(&["tell 1 done 1.0/1"]);
        assert_eq!(r.farm.job(a.job), None);
        assert_eq!(r.row(1).result.as_ref().map(|x| (x.bytes_in, x.bytes_out)), Some((100, 50)));
    }

    #[test]
    fn a_grant_does_not_lapse_with_the_lease() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.skip();
        r.join(2, 1);
        r.pass_alive(185_000, &[2]);
        r.expect(&["settle 1.0/1"]);
        r.settled(a, Settlement::Unreachable("not mounted".to_owned()));
        r.pass_alive(25_000, &[2]);
        r.nothing_else();
        r.pass_alive(10_000, &[2]);
        r.expect(&["settle 1.0/1"]);
        r.settled(a, Settlement::Withdrawn);
        r.expect(&[
            "attempt 1.0/1 failed infrastructure",
            "job 1 pending: open",
            "job 1 running: leased",
            "offer 1.0/2 to 2/0",
        ]);
        r.settled(a, Settlement::InPlace(50));
        r.nothing_else();
    }

    #[test]
    fn a_taken_name_fails_the_job() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.pass(180_000);
        r.skip();
        r.settled(a, Settlement::NameTaken);
        r.expect(&["attempt 1.0/1 failed ", "job 1 failed: open"]);
        assert!(r.row(1).reason.as_ref().is_some_and(|x| x.text.starts_with("name taken")));
    }

    #[test]
    fn after_a_restart_a_grant_is_looked_after_when_its_holder_stays_away() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.skip();
        r.restart();
        r.pass(89_999);
        r.nothing_else();
        r.pass(1);
        r.expect(&["settle 1.0/1"]);
        assert_eq!(r.farm.totals().unsure, 1);
        r.restart();
        r.pass(90_000);
        r.expect(&["settle 1.0/1"]);
    }

    #[test]
    fn a_failure_after_the_grant_counts_only_once_no_output_was_found() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.skip();
        r.reports(1, a, failure(FailureClass::Source));
        r.expect(&["settle 1.0/1", "tell 1 done 1.0/1"]);
        r.settled(a, Settlement::Withdrawn);
        r.expect(&["attempt 1.0/1 failed source", "job 1 failed: open"]);
    }

    #[test]
    fn an_output_that_is_being_looked_for_is_not_looked_for_twice() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.pass(180_000);
        r.skip();
        r.settled(a, Settlement::Unreachable("not mounted".to_owned()));
        r.reports(1, a, failure(FailureClass::Infrastructure));
        r.expect(&["settle 1.0/1", "tell 1 done 1.0/1"]);
        r.reports(1, a, failure(FailureClass::Infrastructure));
        r.expect(&["tell 1 done 1.0/1"]);
    }

    #[test]
    fn a_rename_whose_report_says_failed_is_completed_all_the_same() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.skip();
        r.reports(1, a, failure(FailureClass::Infrastructure));
        r.expect(&["settle 1.0/1", "tell 1 done 1.0/1"]);
        r.settled(a, Settlement::InPlace(50));
        r.expect(&["attempt 1.0/1 completed", "job 1 completed: done"]);
        assert_eq!(r.row(1).result.as_ref().map(|x| x.bytes_in), Some(100));
    }

    #[test]
    fn a_commit_without_a_grant_is_believed_only_if_the_file_is_there() {
        let (mut r, a) = running();
        r.commits(1, a);
        r.expect(&["job 1 running: granted", "settle 1.0/1", "tell 1 done 1.0/1"]);
        r.settled(a, Settlement::Withdrawn);
        r.expect(&["attempt 1.0/1 failed infrastructure", "job 1 pending: open"]);
    }

    #[test]
    fn a_granted_job_cannot_be_cancelled() {
        let (mut r, a) = running();
        r.asks(1, a);
        r.skip();
        r.cancel(1);
        r.nothing_else();
        r.expect_note("not cancelled");
        assert_eq!(r.farm.job(a.job).map(|j| j.state), Some(JobState::Running));
        r.reports(1, a, Outcome::Committed(proven(a)));
        assert_eq!(r.row(1).state, JobState::Completed);
    }
}
