//! What operators ask for, as events of the farm, and the answers that wait until it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use vc_farm::event::{Event, OperatorEvent};
use vc_farm::record::JobRecord;
use vc_protocol::agent::{LiveLog, ToAgent};
use vc_protocol::id::{AgentId, AttemptId, JobId};
use vc_protocol::job::JobState;
use vc_protocol::operator::{Acted, AgentDetail, Snapshot, Why};

use super::handle::{Action, AddReport, AddWish, Call, CallError, Live};
use super::run::{After, Loop};
use crate::store::{AddSession, Candidate, StoreError, Turn};

type Answer<T> = oneshot::Sender<Result<T, CallError>>;

/// An answer that is given when the turn is durable.
pub(super) enum Pending {
    BeginAdd(Answer<AddSession>, AddSession),
    Add(Answer<AddReport>, AddReport),
    Act(Answer<Acted>, Acted),
    Why(Answer<Option<Why>>, JobId),
    Live(Answer<BTreeMap<JobId, Live>>, Vec<JobId>),
    Agent(Answer<Option<AgentDetail>>, AgentId),
    Snapshot(Answer<Arc<Snapshot>>),
}

impl Pending {
    /// The turn did not become durable.
    pub(super) fn refuse(self, reason: &str) {
        match self {
            Pending::BeginAdd(answer, _) => no(answer, reason),
            Pending::Add(answer, _) => no(answer, reason),
            Pending::Act(answer, _) => no(answer, reason),
            Pending::Why(answer, _) => no(answer, reason),
            Pending::Live(answer, _) => no(answer, reason),
            Pending::Agent(answer, _) => no(answer, reason),
            Pending::Snapshot(answer) => no(answer, reason),
        }
    }
}

fn no<T>(answer: Answer<T>, reason: &str) {
    // Whoever asked may have gone.
    let _ = answer.send(Err(CallError::Halted(reason.to_owned())));
}

impl Call {
    /// Nothing can be written: the call, unless it would.
    fn refuse_to_write(self, reason: &str) -> Option<Call> {
        match self {
            Call::BeginAdd(_, answer) => no(answer, reason),
            Call::Add(_, _, answer) => no(answer, reason),
            Call::Act(_, _, answer) => no(answer, reason),
            reads @ (Call::Why(..)
            | Call::Live(..)
            | Call::LiveLog(..)
            | Call::AskBox(..)
            | Call::Agent(..)
            | Call::Snapshot(_)
            | Call::Stop) => {
                return Some(reads);
            }
        }
        None
    }
}

impl Loop {
    /// Takes a call in; its answer waits in `after`.
    pub(super) fn call(&mut self, call: Call, turn: &mut Turn<'_>, after: &mut After) {
        let call = match &self.halted {
            Some(halt) => match call.refuse_to_write(&halt.reason) {
                Some(call) => call,
                None => return,
            },
            None => call,
        };
        let pending = match call {
            Call::BeginAdd(wish, answer) => {
                self.begin_add(&wish, turn).map(|made| Pending::BeginAdd(answer, made))
            }
            Call::Add(session, candidates, answer) => {
                self.add(&session, &candidates, turn, after).map(|report| Pending::Add(answer, report))
            }
            Call::Act(action, jobs, answer) => {
                self.act(action, &jobs, turn, after).map(|acted| Pending::Act(answer, acted))
            }
            Call::Why(job, answer) => Ok(Pending::Why(answer, job)),
            Call::Live(jobs, answer) => Ok(Pending::Live(answer, jobs)),
            Call::LiveLog(attempt, answer) => return self.ask_log(attempt, answer),
            Call::AskBox(agent, answer) => return self.ask_box(agent, answer),
            Call::Agent(agent, answer) => Ok(Pending::Agent(answer, agent)),
            Call::Snapshot(answer) => Ok(Pending::Snapshot(answer)),
            Call::Stop => return,
        };
        match pending {
            Ok(pending) => after.answers.push(pending),
            // The turn's transaction may be half done: none of it counts. The caller hears that the engine let go.
            Err(error) => after.broken = Some(error),
        }
    }

    fn begin_add(&mut self, wish: &AddWish, turn: &mut Turn<'_>) -> Result<AddSession, StoreError> {
        turn.begin_add(&wish.source_root, &wish.output_root, &wish.profile, wish.priority)
    }

    fn add(
        &mut self,
        session: &AddSession,
        candidates: &[Candidate],
        turn: &mut Turn<'_>,
        after: &mut After,
    ) -> Result<AddReport, StoreError> {
        let mut added = turn.add(self.clock.now().wall_ms, session, candidates)?;
        let new = std::mem::take(&mut added.new);
        if !new.is_empty() {
            self.painter.fills(session.output_root);
            self.apply(Event::Added(new), turn, after);
        }
        Ok(added.into())
    }

    fn act(
        &mut self,
        action: Action,
        jobs: &[JobId],
        turn: &mut Turn<'_>,
        after: &mut After,
    ) -> Result<Acted, StoreError> {
        let mut acted = Acted::default();
        for job in jobs {
            let allowed = match self.known(*job, turn)? {
                None => Err("there is no such job".to_owned()),
                Some(record) => self.allow(action, record)?,
            };
            match allowed {
                Ok(event) => {
                    self.apply(Event::Operator(event), turn, after);
                    acted.done.push(*job);
                    acted.count += 1;
                }
                Err(why) => acted.left.push((*job, why)),
            }
        }
        Ok(acted)
    }

    /// The job as it is now, this turn included.
    fn known(&self, job: JobId, turn: &Turn<'_>) -> Result<Option<JobRecord>, StoreError> {
        if let Some(record) = self.farm.record(job) {
            return Ok(Some(record));
        }
        match turn.changed(job) {
            Some(record) => Ok(Some(record.clone())),
            None => self.store.reader()?.record(job),
        }
    }

    /// Whether this can be done to the job, and if not, why.
    fn allow(&self, action: Action, record: JobRecord) -> Result<Result<OperatorEvent, String>, StoreError> {
        let job = record.id;
        Ok(match (action, record.state) {
            (Action::Cancel, state) if state.is_final() => Err(format!("it is {} already", state.word())),
            (Action::Cancel, JobState::Running) if has_grant(&record) => {
                Err("its output is taking its place".to_owned())
            }
            (Action::Cancel, _) => Ok(OperatorEvent::Cancel(job)),
            (Action::Retry, JobState::Running) => Err("it is running".to_owned()),
            (Action::Retry, JobState::Completed) => Err("it is completed already".to_owned()),
            (Action::Retry, state) if state.is_final() => {
                if self.store.reader()?.holds_output(job)? {
                    Ok(OperatorEvent::Retry(job, Some(Box::new(record))))
                } else {
                    Err("its source changed since, and a newer job makes its output".to_owned())
                }
            }
            (Action::Retry, _) => Ok(OperatorEvent::Retry(job, None)),
        })
    }

    fn ask_log(&mut self, attempt: AttemptId, answer: oneshot::Sender<LiveLog>) {
        if let Some((agent, session)) = self.holder(attempt) {
            self.wait_for_log(attempt, answer);
            self.send(agent, session, ToAgent::WantLog(attempt));
        }
    }

    /// The turn is durable.
    pub(super) fn answer(&mut self, pending: Pending) -> Result<(), StoreError> {
        // Whoever asked may have gone: an answer that nobody takes is dropped.
        match pending {
            Pending::BeginAdd(answer, made) => drop(answer.send(Ok(made))),
            Pending::Add(answer, report) => drop(answer.send(Ok(report))),
            Pending::Act(answer, acted) => drop(answer.send(Ok(acted))),
            Pending::Why(answer, job) => drop(answer.send(Ok(self.why(job)?))),
            Pending::Live(answer, jobs) => drop(answer.send(Ok(self.live(&jobs)))),
            Pending::Agent(answer, agent) => drop(answer.send(Ok(self.agent_detail(agent)?))),
            Pending::Snapshot(answer) => drop(answer.send(Ok(Arc::new(self.snapshot()?)))),
        }
        Ok(())
    }
}

fn has_grant(record: &JobRecord) -> bool {
    use vc_farm::record::TaskState;
    record.tasks.iter().any(|task| matches!(task.state, TaskState::Granted(..)))
}
