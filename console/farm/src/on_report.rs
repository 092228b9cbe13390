//! Attempts end: by a report, by a cancel, or because their agent is gone.

use vc_protocol::agent::{Outcome, Report, ToAgent};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AgentId, AttemptId, JobId, SessionNo};
use vc_protocol::job::JobState;

use crate::effect::{Effect, Effects};
use crate::failure::Mishap;
use crate::farm::{Farm, note};
use crate::job::{Ending, Facts};
use crate::lease::Standing;
use crate::on_agent::Word;
use crate::ready::LaneKey;
use crate::record::{AttemptEnd, AttemptRecord, JobResult, TaskState};

impl Farm {
    pub(crate) fn on_report(
        &mut self,
        id: AgentId,
        session: SessionNo,
        report: Box<Report>,
        out: &mut Effects,
    ) {
        let attempt = report.attempt;
        let answer = match self.word(id, attempt) {
            Word::Current(current) => {
                self.take_report(current, report, out);
                ToAgent::Done(attempt)
            }
            Word::Zombie => {
                self.bury(report, out);
                ToAgent::Done(attempt)
            }
            Word::Stale if self.was_reported(attempt) => ToAgent::Done(attempt),
            Word::Stale => ToAgent::Stale(attempt),
        };
        out.push(Effect::Tell(id, session, answer));
    }

    /// Whether this report was taken before, so that it is answered as before: a job that is final took its last one,
    /// or was ended by a person, and either way wants nothing more of it.
    fn was_reported(&self, attempt: AttemptId) -> bool {
        match self.jobs.get(attempt.job) {
            None => true,
            Some(_) => self
                .jobs
                .live(attempt.job)
                .and_then(|live| live.side(attempt.task))
                .is_some_and(|side| side.reported == attempt.no),
        }
    }

    /// The end of a current attempt, in the agent's words.
    pub(crate) fn take_report(&mut self, attempt: AttemptId, report: Box<Report>, out: &mut Effects) {
        self.jobs.edit(attempt.job, |live| {
            if let Some(side) = live.side_mut(attempt.task) {
                side.reported = attempt.no;
            }
        });
        let task = self.jobs.live(attempt.job).and_then(|live| live.record.task(attempt.task));
        let granted = match task.map(|t| &t.state) {
            Some(TaskState::Granted(_, proven)) => Some(proven.clone()),
            Some(TaskState::Open | TaskState::Leased(_) | TaskState::Running(_) | TaskState::Done) | None => {
                None
            }
        };
        match (&report.outcome, granted) {
            (Outcome::Committed(proven), Some(granted)) if *proven == granted => {
                let ending = Ending::Committed(JobResult {
                    bytes_in: report.bytes_in,
                    bytes_out: proven.size,
                    wall_ms: report.wall_ms,
                    media_ms: report.media_ms,
                });
                self.end(attempt, ending, Some(report), out);
            }
            // It held the right to commit and says that it did not, or that it committed something else. The word of
            // an agent whose rename may have happened decides nothing: the engine looks.
            (_, Some(_)) => self.settle_after(attempt, report, out),
            // It says that it committed without the right. If that file is there, it may as well stay.
            (Outcome::Committed(proven), None) => {
                let proven = proven.clone();
                if self.grant(attempt, &proven, out).is_ok() {
                    self.settle_after(attempt, report, out);
                }
            }
            (_, None) => {
                if let Some(ending) = Self::ending_without_output(&report) {
                    self.end(attempt, ending, Some(report), out);
                }
            }
        }
    }

    fn settle_after(&mut self, attempt: AttemptId, report: Box<Report>, out: &mut Effects) {
        if let Some(run) = self.runs.get_mut(&attempt) {
            run.report = Some(report);
        }
        self.settle(attempt, out);
    }

    /// What a report means when there is no output.
    pub(crate) fn ending_without_output(report: &Report) -> Option<Ending> {
        Some(match &report.outcome {
            Outcome::Skipped(text) => Ending::Skipped(text.clone()),
            Outcome::SourceChanged(stamp) => Ending::SourceChanged(*stamp),
            Outcome::Failed(failure) => Ending::Mishap(Mishap::Failed(failure.clone())),
            // Nobody cancelled it, or it would be fenced off: its agent goes down.
            Outcome::Stopped => Ending::Mishap(Mishap::Stopped),
            // It said that it committed, and no output was found.
            Outcome::Committed(_) => Ending::Mishap(Mishap::Failed(Failure::new(
                FailureClass::Infrastructure,
                "its output vanished after it was committed",
            ))),
        })
    }

    /// Ends a current attempt and follows up: the row, the other attempts, the queue.
    pub(crate) fn end(
        &mut self,
        attempt: AttemptId,
        ending: Ending,
        report: Option<Box<Report>>,
        out: &mut Effects,
    ) {
        let job = attempt.job;
        let (Some(run), Some(group)) = (self.drop_run(attempt), self.jobs.group(job)) else { return };
        let changed = if let Ending::SourceChanged(stamp) = &ending { Some(*stamp) } else { None };
        let sign = ending.sign();
        let lane = self.ready.lanes.get(&LaneKey::of(&group));
        let elsewhere = |avoid: &[AgentId]| lane.is_some_and(|lane| lane.elsewhere(avoid));
        let facts = Facts {
            agent: run.lease.agent,
            wall_ms: self.wall_ms,
            retries_max: self.config.retries_max,
            elsewhere: &elsewhere,
        };
        let ended = self.jobs.edit(job, |live| {
            let end = live.record.finish(attempt, ending, &facts);
            let failed_on = live.record.task(attempt.task).map(|task| task.failed_on.clone());
            (end, live.record.state, failed_on.unwrap_or_default())
        });
        let Some((Ok(end), state, failed_on)) = ended else { return };
        if let Some(stamp) = changed {
            out.push(Effect::Restamp(job, stamp));
        }
        self.note_end(attempt, run.lease.agent, &end, state, out);
        out.push(Effect::PutAttempt(Box::new(AttemptRecord {
            attempt,
            lease: run.lease,
            ended_ms: self.wall_ms,
            end,
            report,
        })));
        if state.is_final() || state == JobState::Held {
            self.dequeue(job);
            self.fence(job, out);
        } else {
            self.enqueue(job);
        }
        self.put(job, out);
        if let Some(sign) = sign {
            self.watch(run.lease, job, &sign, &failed_on, out);
        }
    }

    fn note_end(
        &self,
        attempt: AttemptId,
        agent: AgentId,
        end: &AttemptEnd,
        state: JobState,
        out: &mut Effects,
    ) {
        let text = match end {
            AttemptEnd::Completed => "completed".to_owned(),
            AttemptEnd::Skipped => "skipped".to_owned(),
            AttemptEnd::Stopped => "handed back".to_owned(),
            AttemptEnd::Failed(reason) => {
                let class = reason.class.map_or(String::new(), |class| format!(" ({})", class.word()));
                format!("attempt {} failed{class}: {}", attempt.no, reason.text)
            }
        };
        note(out, text, Some(attempt.job), Some(agent));
        if state == JobState::Held {
            let record = self.jobs.live(attempt.job).map(|live| &live.record);
            let why = record.and_then(|r| r.reason.as_ref()).map_or("", |r| &r.text);
            note(out, format!("held: {why}"), Some(attempt.job), None);
        }
    }

    /// Ends the attempts that a job still has although it does not go on. The agents are told to stop; until they say
    /// that they did, their places stay taken. The caller writes the row.
    pub(crate) fn fence(&mut self, job: JobId, out: &mut Effects) {
        let attempts = self.jobs.live(job).map(|live| live.record.live_attempts()).unwrap_or_default();
        for attempt in attempts {
            self.fence_attempt(attempt, out);
        }
    }

    /// The same for one attempt; false if it is not the current one.
    pub(crate) fn fence_attempt(&mut self, attempt: AttemptId, out: &mut Effects) -> bool {
        let fenced = self.jobs.edit(attempt.job, |live| live.record.fence(attempt).is_ok());
        let Some(run) = self.runs.get_mut(&attempt).filter(|_| fenced == Some(true)) else { return false };
        run.standing = Standing::Zombie;
        let lease = run.lease;
        out.push(Effect::PutAttempt(Box::new(AttemptRecord {
            attempt,
            lease,
            ended_ms: self.wall_ms,
            end: AttemptEnd::Stopped,
            report: None,
        })));
        if let Some(session) = self.session(lease.agent) {
            out.push(Effect::Tell(lease.agent, session, ToAgent::Cancel(attempt)));
        }
        true
    }

    /// The end of an attempt that was fenced off: its place is free; what it printed is kept for people.
    pub(crate) fn bury(&mut self, report: Box<Report>, out: &mut Effects) {
        let attempt = report.attempt;
        let Some(run) = self.drop_run(attempt) else { return };
        out.push(Effect::PutAttempt(Box::new(AttemptRecord {
            attempt,
            lease: run.lease,
            ended_ms: self.wall_ms,
            end: AttemptEnd::Stopped,
            report: Some(report),
        })));
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::job::FileStamp;

    use super::*;
    use crate::recorder::{Recorder, attempt, failure, new_job};

    fn running() -> Recorder {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        r
    }

    #[test]
    fn a_source_at_fault_fails_the_job_at_once() {
        let mut r = running();
        r.reports(1, attempt(1, 1), failure(FailureClass::Source));
        r.expect(&["attempt 1.0/1 failed source", "job 1 failed: open", "tell 1 done 1.0/1"]);
        r.expect_note("attempt 1 failed (source): it broke");
        assert_eq!(r.row(1).reason.as_ref().and_then(|x| x.class), Some(FailureClass::Source));
    }

    #[test]
    fn an_unexplained_failure_is_retried_three_times() {
        let mut r = running();
        for no in 1..=3 {
            r.reports(1, attempt(1, no), failure(FailureClass::Job));
            assert_eq!(r.row(1).state, JobState::Pending);
            assert_eq!(r.row(1).tasks[0].retries, u8::try_from(no).unwrap());
            r.skip();
            r.pass_alive(240_000, &[1]);
            assert_eq!(r.offers(), [(1, 1)]);
        }
        r.reports(1, attempt(1, 4), failure(FailureClass::Job));
        r.expect(&["attempt 1.0/4 failed job", "job 1 failed: open", "tell 1 done 1.0/4"]);
    }

    #[test]
    fn a_report_that_comes_again_is_answered_as_before() {
        let mut r = running();
        r.reports(1, attempt(1, 1), failure(FailureClass::Job));
        r.skip();
        r.reports(1, attempt(1, 1), failure(FailureClass::Job));
        r.expect(&["tell 1 done 1.0/1"]);
        assert_eq!(r.row(1).tasks[0].retries, 1);
    }

    #[test]
    fn a_report_that_comes_after_its_attempt_was_taken_back_is_stale() {
        let mut r = running();
        r.join(2, 1);
        r.pass_alive(185_000, &[2]);
        r.skip();
        r.commits(1, attempt(1, 1));
        r.expect(&["tell 1 stale 1.0/1"]);
        assert_eq!(r.row(1).state, JobState::Running);
    }

    #[test]
    fn a_source_that_changed_is_queued_anew_with_its_new_stamp() {
        let mut r = running();
        r.reports(1, attempt(1, 1), Outcome::SourceChanged(FileStamp { size: 5, mtime_ns: 6 }));
        r.expect(&["restamp 1", "attempt 1.0/1 failed ", "job 1 pending: open", "tell 1 done 1.0/1"]);
        r.pass_alive(25_000, &[1]);
        r.nothing_else();
        r.pass_alive(5_000, &[1]);
        r.expect(&["job 1 running: leased", "offer 1.0/2 to 1/0"]);
        assert_eq!((r.row(1).tasks[0].retries, r.row(1).tasks[0].failed_on.len()), (0, 0));
    }

    #[test]
    fn what_needs_nothing_is_skipped_with_the_reason() {
        let mut r = running();
        r.reports(1, attempt(1, 1), Outcome::Skipped("output was there".to_owned()));
        r.expect(&["attempt 1.0/1 skipped", "job 1 skipped: open", "tell 1 done 1.0/1"]);
        assert_eq!(r.row(1).reason.as_ref().map(|x| x.text.as_str()), Some("output was there"));
    }

    #[test]
    fn ten_launches_of_any_class_hold_the_job_for_a_person() {
        let mut r = running();
        for no in 1..=10 {
            r.reports(1, attempt(1, no), failure(FailureClass::Infrastructure));
            r.skip();
            r.pass_alive(35_000, &[1]);
        }
        assert_eq!(r.row(1).state, JobState::Held);
        assert_eq!(r.row(1).tasks[0].launches, 10);
        r.nothing_else();
        r.restart();
        r.join(1, 1);
        r.nothing_else();
        r.retry(1);
        r.expect(&["job 1 pending: open", "job 1 running: leased", "offer 1.0/11 to 1/0"]);
    }
}
