//! What operators ask for, as events of the farm, and the answers that wait until it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use vc_farm::event::{Event, OperatorEvent};
use vc_farm::record::JobRecord;
use vc_protocol::agent::{LiveLog, ToAgent};
use vc_protocol::id::{AgentId, AttemptId, JobId};
use vc_protocol::job::{JobState, Priority};
use vc_protocol::operator::{Acted, AgentDetail, EventKind, JobAction, Snapshot, Why};

use super::handle::{AddReport, AddWish, Call, CallError, Live};
use super::orders::Refusal;
use super::run::{After, Loop};
use crate::store::{AddSession, Candidate, EventRow, StoreError, Turn};

/// Logs that operators wait for at once; more are answered without.
const LOGS_MAX: usize = 256;

type Answer<T> = oneshot::Sender<Result<T, CallError>>;

/// An answer that is given when the turn is durable.
pub(super) enum Pending {
    BeginAdd(Answer<AddSession>, AddSession),
    Add(Answer<AddReport>, AddReport),
    Act(Answer<Acted>, Acted),
    Order(Answer<Result<String, Refusal>>, Result<String, Refusal>),
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
            Pending::Order(answer, _) => no(answer, reason),
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
            Call::Act(_, _, _, answer) => no(answer, reason),
            Call::Order(_, _, answer) => no(answer, reason),
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
            Call::Act(action, jobs, who, answer) => {
                self.act(action, &jobs, &who, turn, after).map(|acted| Pending::Act(answer, acted))
            }
            Call::Order(order, who, answer) => {
                Ok(Pending::Order(answer, self.order(order, &who, turn, after)))
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
        let (report, new) = AddReport::of(turn.add(self.clock.now().wall_ms, session, candidates)?);
        if !new.is_empty() {
            self.painter.fills(session.output_root);
            self.apply(Event::Added(new), turn, after);
        }
        Ok(report)
    }

    fn act(
        &mut self,
        action: JobAction,
        jobs: &[JobId],
        who: &str,
        turn: &mut Turn<'_>,
        after: &mut After,
    ) -> Result<Acted, StoreError> {
        let mut acted = Acted::default();
        for job in jobs {
            let allowed = match self.known(*job, turn)? {
                None => Err("there is no such job".to_owned()),
                // The farm core holds nothing of a job in a final state.
                Some(record) if action == JobAction::Purge && record.state.is_final() => {
                    turn.purge(*job)?;
                    Ok(None)
                }
                Some(record) => self.allow(action, record)?.map(Some),
            };
            match allowed {
                Ok(event) => {
                    if let Some(event) = event {
                        self.apply(Event::Operator(who.to_owned(), event), turn, after);
                    }
                    acted.done.push(*job);
                    acted.count += 1;
                }
                Err(why) => acted.left.push((*job, why)),
            }
        }
        if action == JobAction::Purge && acted.count > 0 {
            self.note_purged(acted.count, who, turn);
        }
        Ok(acted)
    }

    /// One line for all jobs that were purged together: they are no longer there to be looked at.
    fn note_purged(&self, count: u64, who: &str, turn: &mut Turn<'_>) {
        let jobs = if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") };
        turn.note(EventRow {
            at_ms: self.clock.now().wall_ms,
            kind: EventKind::Operator,
            text: format!("purged {jobs}"),
            who: who.to_owned(),
            ..EventRow::default()
        });
    }

    /// The job as it is now, this turn included.
    fn known(&self, job: JobId, turn: &Turn<'_>) -> Result<Option<JobRecord>, StoreError> {
        if turn.is_purged(job) {
            return Ok(None);
        }
        if let Some(record) = self.farm.record(job) {
            return Ok(Some(record));
        }
        match turn.changed(job) {
            Some(record) => Ok(Some(record.clone())),
            None => self.store.reader()?.record(job),
        }
    }

    /// Whether this can be done to the job, and if not, why.
    fn allow(
        &self,
        action: JobAction,
        record: JobRecord,
    ) -> Result<Result<OperatorEvent, String>, StoreError> {
        let (job, state, Priority(priority)) = (record.id, record.state, record.priority);
        let already = || Err(format!("it is {} already", state.word()));
        let prioritised = |to: u8| Ok(OperatorEvent::Prioritise(job, Priority(to.min(Priority::MAX.0))));
        Ok(match action {
            JobAction::Retry if state == JobState::Running => Err("it is running".to_owned()),
            JobAction::Retry if state == JobState::Completed => already(),
            JobAction::Retry if state.is_final() => {
                if self.store.reader()?.holds_output(job)? {
                    Ok(OperatorEvent::Retry(job, Some(Box::new(record))))
                } else {
                    Err("its source changed since, and a newer job makes its output".to_owned())
                }
            }
            JobAction::Retry => Ok(OperatorEvent::Retry(job, None)),
            JobAction::Release if state != JobState::Held => Err("it is not held".to_owned()),
            JobAction::Release => Ok(OperatorEvent::Release(job)),
            JobAction::Purge => Err(format!("it is {}: cancel it first", state.word())),
            _ if state.is_final() => already(),
            JobAction::Cancel if has_grant(&record) => Err("its output is taking its place".to_owned()),
            JobAction::Cancel => Ok(OperatorEvent::Cancel(job)),
            JobAction::Hold if state == JobState::Running => {
                Err("it is running: cancel it, or drain its agent".to_owned())
            }
            JobAction::Hold if state == JobState::Held => already(),
            JobAction::Hold => Ok(OperatorEvent::Hold(job)),
            JobAction::Raise if priority >= Priority::MAX.0 => Err("it has the highest priority".to_owned()),
            JobAction::Lower if priority == 0 => Err("it has the lowest priority".to_owned()),
            JobAction::Prioritise(to) => prioritised(to.0),
            JobAction::Raise => prioritised(priority.saturating_add(1)),
            JobAction::Lower => prioritised(priority - 1),
        })
    }

    fn ask_log(&mut self, attempt: AttemptId, answer: oneshot::Sender<LiveLog>) {
        if let Some((agent, session)) = self.holder(attempt) {
            // Once for all who look: operators must not fill the queue of an agent that is busy.
            if self.wait_for_log(attempt, answer) {
                self.send(agent, session, ToAgent::WantLog(attempt));
            }
        }
    }

    /// Whether the agent is yet to be asked: what it sends answers all who wait by then.
    fn wait_for_log(&mut self, attempt: AttemptId, answer: oneshot::Sender<LiveLog>) -> bool {
        self.logs.retain(|_, waiting| {
            waiting.retain(|sender| !sender.is_closed());
            !waiting.is_empty()
        });
        let is_first = !self.logs.contains_key(&attempt);
        if !is_first || self.logs.len() < LOGS_MAX {
            self.logs.entry(attempt).or_default().push(answer);
        }
        is_first
    }

    pub(super) fn answer_log(&mut self, attempt: AttemptId, log: &LiveLog) {
        for waiting in self.logs.remove(&attempt).into_iter().flatten() {
            // Whoever asked may have stopped waiting.
            let _ = waiting.send(log.clone());
        }
    }

    /// What the session before was asked is not answered any more: whoever looks next asks anew.
    pub(super) fn forget_questions(&mut self, agent: AgentId) {
        self.boxes.forget_questions(agent);
        let asked = |attempt: &AttemptId| self.holder(*attempt).is_none_or(|(holder, _)| holder == agent);
        let gone: Vec<AttemptId> = self.logs.keys().copied().filter(asked).collect();
        for attempt in gone {
            self.logs.remove(&attempt);
        }
    }

    /// The turn is durable.
    pub(super) fn answer(&mut self, pending: Pending) -> Result<(), StoreError> {
        // Whoever asked may have gone: an answer that nobody takes is dropped.
        match pending {
            Pending::BeginAdd(answer, made) => drop(answer.send(Ok(made))),
            Pending::Add(answer, report) => drop(answer.send(Ok(report))),
            Pending::Act(answer, acted) => drop(answer.send(Ok(acted))),
            Pending::Order(answer, done) => drop(answer.send(Ok(done))),
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
