//! Transitions of a job: how the end of an attempt, a cancel or a retry changes its row.
//!
//! Knows nothing of queues, agents' sessions and timers; it changes one [`JobRecord`] and says what came of it.

use vc_protocol::id::{AgentId, AttemptId, AttemptNo, TaskNo};
use vc_protocol::job::{FileStamp, JobState};

use crate::attempt::{After, Stale};
use crate::event::NewJob;
use crate::failure::{self, Mishap, Next};
use crate::graph;
use crate::record::{AttemptEnd, JobRecord, JobResult, Reason, TaskKind, TaskRecord, TaskState};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    /// Its output is in place.
    Committed(JobResult),
    /// Nothing needed doing.
    Skipped(String),
    /// The source is another now.
    SourceChanged(FileStamp),
    /// Another file has the output's name.
    NameTaken,
    /// No result.
    Mishap(Mishap),
}

/// What a decision about an ended attempt rests on, besides the job.
pub(crate) struct Facts<'a> {
    pub(crate) agent: AgentId,
    pub(crate) wall_ms: i64,
    pub(crate) retries_max: u8,
    /// Whether any agent but these could take the task.
    pub(crate) elsewhere: &'a dyn Fn(&[AgentId]) -> bool,
}

impl JobRecord {
    /// The row of a job that was just added: this is what the store writes for it.
    pub fn fresh(job: &NewJob, wall_ms: i64) -> Self {
        JobRecord {
            id: job.id,
            group: job.group,
            priority: job.priority,
            cost: job.cost,
            state: JobState::Pending,
            updated_ms: wall_ms,
            reason: None,
            tasks: vec![TaskRecord::fresh(TaskKind::Encode)],
            result: None,
        }
    }

    /// Whether nothing ever happened to it.
    pub(crate) fn is_fresh(&self) -> bool {
        let as_new = JobRecord::fresh(
            &NewJob { id: self.id, group: self.group, priority: self.priority, cost: self.cost },
            self.updated_ms,
        );
        *self == as_new
    }

    pub(crate) fn task(&self, no: TaskNo) -> Option<&TaskRecord> {
        self.tasks.get(usize::from(no.0))
    }

    pub(crate) fn task_mut(&mut self, no: TaskNo) -> Option<&mut TaskRecord> {
        self.tasks.get_mut(usize::from(no.0))
    }

    /// Its current attempts.
    pub(crate) fn live_attempts(&self) -> Vec<AttemptId> {
        let live = graph::numbers(&self.tasks).zip(&self.tasks).filter(|(_, task)| task.lease().is_some());
        live.map(|(no, task)| self.attempt_id(no, task.attempt)).collect()
    }

    pub(crate) fn attempt_id(&self, task: TaskNo, no: AttemptNo) -> AttemptId {
        AttemptId { job: self.id, task, no }
    }

    pub(crate) fn has_grant(&self) -> bool {
        self.tasks.iter().any(|t| matches!(t.state, TaskState::Granted(..)))
    }

    /// Pending, running or completed, as its tasks are. Other states are set by decisions, not by tasks.
    pub(crate) fn follow_tasks(&mut self, wall_ms: i64) {
        self.updated_ms = wall_ms;
        self.state = self.state_by_tasks();
    }

    pub(crate) fn state_by_tasks(&self) -> JobState {
        if self.tasks.iter().any(|t| t.lease().is_some()) {
            JobState::Running
        } else if self.tasks.iter().all(|t| t.state == TaskState::Done) {
            JobState::Completed
        } else {
            JobState::Pending
        }
    }

    /// Ends this attempt and decides what becomes of the job. A job that is given up or held may still have other
    /// attempts, which the caller fences.
    pub(crate) fn finish(
        &mut self,
        attempt: AttemptId,
        ending: Ending,
        facts: &Facts<'_>,
    ) -> Result<AttemptEnd, Stale> {
        let wall_ms = facts.wall_ms;
        let after = if let Ending::Committed(_) = ending { After::Done } else { After::Open };
        self.task_mut(attempt.task).ok_or(Stale)?.finish(attempt.no, after)?;
        let mishap = match ending {
            Ending::Committed(result) => {
                self.follow_tasks(wall_ms);
                self.reason = None;
                if self.state == JobState::Completed {
                    self.result = Some(result);
                }
                return Ok(AttemptEnd::Completed);
            }
            Ending::Skipped(text) => {
                self.decide(JobState::Skipped, Reason { class: None, text }, wall_ms);
                return Ok(AttemptEnd::Skipped);
            }
            Ending::NameTaken => {
                let text = "name taken: another file has the output's name".to_owned();
                self.decide(JobState::Failed, Reason { class: None, text }, wall_ms);
                return Ok(AttemptEnd::Failed(Reason { class: None, text: "name taken".to_owned() }));
            }
            Ending::SourceChanged(_) => Mishap::SourceChanged,
            Ending::Mishap(mishap) => mishap,
        };
        let stopped = mishap == Mishap::Stopped;
        let reason = self.suffer(attempt, &mishap, facts);
        Ok(if stopped { AttemptEnd::Stopped } else { AttemptEnd::Failed(reason) })
    }

    fn suffer(&mut self, attempt: AttemptId, mishap: &Mishap, facts: &Facts<'_>) -> Reason {
        let reason = mishap.reason();
        let seed = (self.id, attempt.task);
        let Some(task) = self.task_mut(attempt.task) else { return reason };
        mishap.charge(task, facts.agent);
        let elsewhere = (facts.elsewhere)(&task.failed_on);
        match failure::next(task, mishap, elsewhere, facts.retries_max, seed) {
            Next::Again { wait_ms } => {
                let wait_ms = i64::try_from(wait_ms).unwrap_or(i64::MAX);
                task.not_before_ms = (wait_ms > 0).then(|| facts.wall_ms.saturating_add(wait_ms));
                self.reason = Some(reason.clone());
                self.follow_tasks(facts.wall_ms);
            }
            Next::Fail => self.decide(JobState::Failed, reason.clone(), facts.wall_ms),
            Next::Hold(why) => {
                let text = format!("{why}; last: {}", reason.text);
                self.decide(JobState::Held, Reason { class: reason.class, text }, facts.wall_ms);
            }
        }
        reason
    }

    /// Ends this attempt because its job goes on without it.
    pub(crate) fn fence(&mut self, attempt: AttemptId) -> Result<(), Stale> {
        self.task_mut(attempt.task).ok_or(Stale)?.finish(attempt.no, After::Open)?;
        Ok(())
    }

    /// A decision about the whole job.
    pub(crate) fn decide(&mut self, state: JobState, reason: Reason, wall_ms: i64) {
        self.state = state;
        self.reason = Some(reason);
        self.updated_ms = wall_ms;
    }

    /// Back to pending with full budgets; what is done stays done.
    pub(crate) fn retry(&mut self, wall_ms: i64) {
        self.tasks.iter_mut().for_each(TaskRecord::renew_budgets);
        // What was wrong before a person looked at it explains nothing any more.
        self.reason = None;
        self.follow_tasks(wall_ms);
    }

    /// The fenced attempt of this task is nobody's fault: back to pending at once, and no launch counted.
    pub(crate) fn take_back(&mut self, task: TaskNo, reason: Reason, wall_ms: i64) {
        if let Some(task) = self.task_mut(task) {
            task.launches = task.launches.saturating_sub(1);
        }
        self.reason = Some(reason);
        self.follow_tasks(wall_ms);
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::failure::{Failure, FailureClass};
    use vc_protocol::id::{BatchId, DeviceId, JobId, ProfileId, RootId};
    use vc_protocol::job::Priority;
    use vc_protocol::profile::VideoCodec;

    use super::*;
    use crate::record::{Group, Lease};

    const LEASE: Lease = Lease { agent: AgentId(3), device: DeviceId(0), since_ms: 1 };

    fn job(tasks: usize) -> JobRecord {
        let group = Group {
            source_root: RootId(1),
            output_root: RootId(2),
            profile: ProfileId(1),
            codec: VideoCodec::H264,
            batch: BatchId(1),
        };
        let new = NewJob { id: JobId(7), group, priority: Priority::DEFAULT, cost: 10 };
        let mut job = JobRecord::fresh(&new, 1);
        job.tasks = vec![TaskRecord::fresh(TaskKind::Encode); tasks];
        job
    }

    fn launch(job: &mut JobRecord, task: u16) -> AttemptId {
        let no = job.tasks[usize::from(task)].launch(LEASE);
        job.follow_tasks(2);
        job.attempt_id(TaskNo(task), no)
    }

    fn finish(job: &mut JobRecord, attempt: AttemptId, ending: Ending) -> Result<AttemptEnd, Stale> {
        let facts = Facts { agent: AgentId(3), wall_ms: 9, retries_max: 3, elsewhere: &|_| false };
        job.finish(attempt, ending, &facts)
    }

    fn result() -> JobResult {
        JobResult { bytes_in: 10, bytes_out: 5, wall_ms: 1, media_ms: 1 }
    }

    #[test]
    fn a_job_is_completed_when_its_last_task_is() {
        let mut job = job(2);
        let (first, second) = (launch(&mut job, 0), launch(&mut job, 1));
        assert_eq!(finish(&mut job, second, Ending::Committed(result())), Ok(AttemptEnd::Completed));
        assert_eq!((job.state, &job.result), (JobState::Running, &None));
        assert_eq!(finish(&mut job, first, Ending::Committed(result())), Ok(AttemptEnd::Completed));
        assert_eq!((job.state, job.result.is_some()), (JobState::Completed, true));
    }

    #[test]
    fn an_old_attempt_ends_nothing() {
        let mut job = job(1);
        let old = launch(&mut job, 0);
        assert!(finish(&mut job, old, Ending::Mishap(Mishap::Stopped)).is_ok());
        launch(&mut job, 0);
        let before = job.clone();
        assert_eq!(finish(&mut job, old, Ending::Committed(result())), Err(Stale));
        assert_eq!(finish(&mut job, old, Ending::Skipped("x".into())), Err(Stale));
        assert_eq!(job.fence(old), Err(Stale));
        assert_eq!(job, before);
    }

    #[test]
    fn each_ending_leads_to_its_state() {
        let failure = |class| Ending::Mishap(Mishap::Failed(Failure::new(class, "why")));
        let cases = [
            (Ending::Skipped("there already".into()), JobState::Skipped),
            (Ending::NameTaken, JobState::Failed),
            (Ending::SourceChanged(FileStamp { size: 1, mtime_ns: 1 }), JobState::Pending),
            (failure(FailureClass::Source), JobState::Failed),
            (failure(FailureClass::Job), JobState::Pending),
            (Ending::Mishap(Mishap::Stopped), JobState::Pending),
        ];
        for (ending, expected) in cases {
            let mut job = job(1);
            let attempt = launch(&mut job, 0);
            assert!(finish(&mut job, attempt, ending.clone()).is_ok());
            assert_eq!(job.state, expected, "{ending:?}");
            assert!(job.reason.is_some());
        }
    }

    #[test]
    fn a_retry_keeps_what_is_done_and_the_fence() {
        let mut job = job(2);
        let done = launch(&mut job, 0);
        assert!(finish(&mut job, done, Ending::Committed(result())).is_ok());
        let failed = launch(&mut job, 1);
        let source = Mishap::Failed(Failure::new(FailureClass::Source, "bad"));
        assert!(finish(&mut job, failed, Ending::Mishap(source)).is_ok());
        assert_eq!(job.state, JobState::Failed);
        job.retry(20);
        assert_eq!(job.state, JobState::Pending);
        assert_eq!(job.tasks[0].state, TaskState::Done);
        assert_eq!((job.tasks[1].launches, job.tasks[1].attempt), (0, AttemptNo(1)));
        assert!(job.tasks[1].failed_on.is_empty());
    }
}
