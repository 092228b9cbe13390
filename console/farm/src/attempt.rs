//! Transitions of a task and of its attempts.
//!
//! The attempt number is the fence: each transition names the attempt it is about and refuses any but the current
//! one. Knows nothing of agents, queues and clocks.
//!
//! ```text
//!  Open ─launch─► Leased(n) ─start─► Running(n) ─grant─► Granted(n, file) ─finish─► Done
//!   ▲                │                   │                    │
//!   └────────────────┴──────finish───────┴────────────────────┘
//! ```

use vc_protocol::agent::Proven;
use vc_protocol::id::AttemptNo;

use crate::record::{Lease, TaskKind, TaskRecord, TaskState};

/// The attempt is not the current one: nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stale;

/// Whether a request changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It did: the row must be written.
    New,
    /// It had happened before.
    Same,
}

/// Where a task goes when its attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Its work is done.
    Done,
    /// It needs another attempt, if anybody makes one.
    Open,
}

impl TaskRecord {
    /// A task of which no attempt was made.
    pub fn fresh(kind: TaskKind) -> Self {
        TaskRecord {
            kind,
            needs: Vec::new(),
            state: TaskState::Open,
            attempt: AttemptNo(0),
            retries: 0,
            launches: 0,
            not_before_ms: None,
            failed_on: Vec::new(),
            crashed_on: Vec::new(),
            lost: 0,
        }
    }

    /// Who has its current attempt.
    pub fn lease(&self) -> Option<Lease> {
        match self.state {
            TaskState::Leased(lease) | TaskState::Running(lease) | TaskState::Granted(lease, _) => {
                Some(lease)
            }
            TaskState::Open | TaskState::Done => None,
        }
    }

    /// Makes the next attempt and gives it out.
    pub(crate) fn launch(&mut self, lease: Lease) -> AttemptNo {
        assert!(self.state == TaskState::Open, "only an open task is handed out");
        self.attempt = AttemptNo(self.attempt.0 + 1);
        self.launches = self.launches.saturating_add(1);
        self.not_before_ms = None;
        self.state = TaskState::Leased(lease);
        self.attempt
    }

    /// The agent said that the attempt runs.
    pub(crate) fn start(&mut self, no: AttemptNo) -> Result<Step, Stale> {
        let lease = self.current(no)?;
        if let TaskState::Leased(_) = self.state {
            self.state = TaskState::Running(lease);
            return Ok(Step::New);
        }
        Ok(Step::Same)
    }

    /// Gives the attempt the right to commit exactly this file; once given, no other file gets it.
    pub(crate) fn grant(&mut self, no: AttemptNo, proven: &Proven) -> Result<Step, Stale> {
        let lease = self.current(no)?;
        if let TaskState::Granted(_, granted) = &self.state {
            return if granted == proven { Ok(Step::Same) } else { Err(Stale) };
        }
        self.state = TaskState::Granted(lease, proven.clone());
        Ok(Step::New)
    }

    /// Ends the attempt.
    pub(crate) fn finish(&mut self, no: AttemptNo, after: After) -> Result<Lease, Stale> {
        let lease = self.current(no)?;
        self.state = match after {
            After::Done => TaskState::Done,
            After::Open => TaskState::Open,
        };
        Ok(lease)
    }

    fn current(&self, no: AttemptNo) -> Result<Lease, Stale> {
        if self.attempt == no { self.lease().ok_or(Stale) } else { Err(Stale) }
    }

    /// Full budgets again. The attempt number stays: it only grows.
    pub(crate) fn renew_budgets(&mut self) {
        self.retries = 0;
        self.launches = 0;
        self.not_before_ms = None;
        self.failed_on.clear();
        self.crashed_on.clear();
        self.lost = 0;
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::id::{AgentId, DeviceId};
    use vc_protocol::path::FilePath;

    use super::*;

    fn proven(hash: u8) -> Proven {
        Proven { part: FilePath::from("7.1.part"), hash: [hash; 32], size: 9 }
    }

    #[test]
    fn only_the_current_attempt_moves_a_task() {
        let lease = Lease { agent: AgentId(1), device: DeviceId(0), since_ms: 5 };
        let mut task = TaskRecord::fresh(TaskKind::Encode);
        assert_eq!(task.launch(lease), AttemptNo(1));
        assert_eq!(task.finish(AttemptNo(1), After::Open), Ok(lease));
        assert_eq!(task.launch(lease), AttemptNo(2));
        let before = task.clone();
        assert_eq!(task.start(AttemptNo(1)), Err(Stale));
        assert_eq!(task.grant(AttemptNo(3), &proven(1)), Err(Stale));
        assert_eq!(task.finish(AttemptNo(1), After::Done), Err(Stale));
        assert_eq!(task, before);
    }

    #[test]
    fn a_grant_is_for_one_file_however_often_it_is_asked_for() {
        let lease = Lease { agent: AgentId(1), device: DeviceId(0), since_ms: 5 };
        let mut task = TaskRecord::fresh(TaskKind::Encode);
        let no = task.launch(lease);
        assert_eq!(task.start(no), Ok(Step::New));
        assert_eq!(task.grant(no, &proven(1)), Ok(Step::New));
        assert_eq!(task.grant(no, &proven(1)), Ok(Step::Same));
        assert_eq!(task.grant(no, &proven(2)), Err(Stale));
        assert_eq!(task.state, TaskState::Granted(lease, proven(1)));
        assert_eq!(task.start(no), Ok(Step::Same));
        assert_eq!(
            task.state,
            TaskState::Granted(lease, proven(1)),
            "a late word of progress takes no grant away"
        );
    }

    #[test]
    fn new_budgets_keep_the_fence() {
        let lease = Lease { agent: AgentId(1), device: DeviceId(0), since_ms: 5 };
        let mut task = TaskRecord::fresh(TaskKind::Encode);
        let no = task.launch(lease);
        assert_eq!(task.finish(no, After::Open), Ok(lease));
        task.renew_budgets();
        assert_eq!(task.launches, 0);
        assert_eq!(task.launch(lease), AttemptNo(2));
    }
}
