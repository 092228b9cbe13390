//! What the operator service asks of the engine.
//!
//! Reads of the table go to snapshots of the store and never wait for the engine; what changes something, or is known
//! only in memory, is a [`Call`] that the engine answers after it is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use vc_farm::event::NewJob;
use vc_protocol::agent::LiveLog;
use vc_protocol::id::{AgentId, AttemptId, JobId};
use vc_protocol::job::Priority;
use vc_protocol::operator::filter::{Kind, Term, Test};
use vc_protocol::operator::{
    Acted, AgentDetail, EventView, Failures, JobAction, JobDetail, JobFilter, JobRow, Page, ScanCounts,
    Selection, Snapshot, Sort, Stats, Why,
};
use vc_protocol::path::FilePath;
use vc_protocol::profile::NamedProfile;
use vc_protocol::progress::Progress;

use super::input::{EngineSender, Input};
use super::orders::{Order, Refusal};
use crate::store::{AddSession, Added, Candidate, Query, Store, StoreError, Tally};
use crate::wall::wall_ms;

/// How long a running attempt's agent has to send its log before the detail goes out without it.
const LOG_WAIT: Duration = Duration::from_secs(2);

/// Why an operator's call was not carried out. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The engine ended.
    #[error("the server is going down")]
    Stopped,
    /// The store cannot be written: nothing is handed out or changed until it can.
    #[error("the job table cannot be written: {0}")]
    Halted(String),
    /// The store cannot be read.
    #[error("the job table cannot be read")]
    Store(#[from] StoreError),
}

/// What became of a batch of candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddReport {
    /// To be added to the scan's counts.
    pub counts: ScanCounts,
    /// One line for each candidate that was refused.
    pub problems: Vec<String>,
    /// Numbers of the first and the last new job; all between them are new as well.
    pub jobs: Option<(JobId, JobId)>,
}

/// Where a running job stands, as only the engine knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// The attempt that is out.
    pub attempt: AttemptId,
    /// Where it runs, as `ada/cpu`.
    pub place: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// The last progress heard of it.
    pub progress: Option<Progress>,
    /// Its agent is silent.
    pub unsure: bool,
    /// Milliseconds since its agent last renewed its lease.
    pub lease_ms: Option<u64>,
}

type Answer<T> = oneshot::Sender<Result<T, CallError>>;

/// A call on the engine.
#[derive(Debug)]
pub enum Call {
    /// Numbers for a scan; answered when durable.
    BeginAdd(Box<AddWish>, Answer<AddSession>),
    /// Candidates of a scan; answered when durable.
    Add(Arc<AddSession>, Vec<Candidate>, Answer<AddReport>),
    /// Answered when durable; the text is who asks.
    Act(JobAction, Vec<JobId>, String, Answer<Acted>),
    /// Answered when durable, with what was done; the text is who asks.
    Order(Order, String, Answer<Result<String, Refusal>>),
    /// Why a job does not run.
    Why(JobId, Answer<Option<Why>>),
    /// Where these jobs stand, those that run.
    Live(Vec<JobId>, Answer<BTreeMap<JobId, Live>>),
    /// The log of a running attempt, from its agent.
    LiveLog(AttemptId, oneshot::Sender<LiveLog>),
    /// How an agent's box is, and its log, from the agent.
    AskBox(AgentId, oneshot::Sender<String>),
    /// Everything about one agent but its log.
    Agent(AgentId, Answer<Option<AgentDetail>>),
    /// The overview.
    Snapshot(Answer<Arc<Snapshot>>),
    /// End the loop after this turn.
    Stop,
}

/// What a scan is about.
#[derive(Debug, Clone, PartialEq)]
pub struct AddWish {
    /// Absolute path of the folder of the sources.
    pub source_root: FilePath,
    /// Absolute path of the folder of the outputs.
    pub output_root: FilePath,
    /// Recipe.
    pub profile: NamedProfile,
    /// Priority of all.
    pub priority: Priority,
}

/// The operator's way to the farm; clones are the same one.
#[derive(Clone)]
pub struct Handle {
    calls: EngineSender,
    store: Store,
    snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
    tally: watch::Receiver<Tally>,
    in_hand: watch::Receiver<usize>,
}

impl Handle {
    pub(super) fn new(
        calls: EngineSender,
        store: Store,
        snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
        tally: watch::Receiver<Tally>,
        in_hand: watch::Receiver<usize>,
    ) -> Self {
        Handle { calls, store, snapshots, tally, in_hand }
    }

    /// Starts a scan of one folder; a dry run only counts.
    pub async fn begin_add(&self, wish: AddWish, dry_run: bool) -> Result<Arc<AddSession>, CallError> {
        if dry_run {
            let AddWish { source_root, output_root, profile, priority } = wish;
            return Ok(Arc::new(self.store.begin_dry_run(&source_root, &output_root, &profile, priority)));
        }
        self.call(|answer| Call::BeginAdd(Box::new(wish), answer)).await.map(Arc::new)
    }

    /// Takes in what a scan found, a few hundred at a time; every job counted as added is durable.
    pub async fn add(
        &self,
        session: &Arc<AddSession>,
        candidates: Vec<Candidate>,
    ) -> Result<AddReport, CallError> {
        if session.is_dry() {
            let session = session.clone();
            let added = self.read(move |store| store.dry_add(&session, &candidates)).await?;
            return Ok(AddReport::of(added).0);
        }
        self.call(|answer| Call::Add(session.clone(), candidates, answer)).await
    }

    /// Does this to these jobs, durably, in the name of `who`.
    pub async fn act(&self, action: JobAction, jobs: Vec<JobId>, who: &str) -> Result<Acted, CallError> {
        self.call(|answer| Call::Act(action, jobs, who.to_owned(), answer)).await
    }

    /// Carries out an order, durably, in the name of `who`; the sentence says what was done.
    pub async fn order(&self, order: Order, who: &str) -> Result<Result<String, Refusal>, CallError> {
        self.call(|answer| Call::Order(order, who.to_owned(), answer)).await
    }

    /// The registry refuses this agent's key from now on: its session ends, and what it has goes to others.
    pub async fn revoked(&self, agent: AgentId, who: &str) -> Result<Result<String, Refusal>, CallError> {
        self.order(Order::Revoked(agent), who).await
    }

    /// The jobs that are meant: for a filter, all that it finds at one moment.
    pub async fn select(&self, selection: Selection) -> Result<Vec<JobId>, CallError> {
        match selection {
            Selection::Ids(ids) => Ok(ids),
            Selection::Filter(filter) => {
                let query = self.query(filter, Sort::default()).await?;
                self.read(move |store| store.select(&query)).await
            }
        }
    }

    /// Why a job does not run; none if there is no such job.
    pub async fn why(&self, job: JobId) -> Result<Option<Why>, CallError> {
        self.call(|answer| Call::Why(job, answer)).await
    }

    /// A page of jobs, running ones with their progress.
    pub async fn page(
        &self,
        filter: JobFilter,
        sort: Sort,
        offset: u64,
        limit: usize,
    ) -> Result<Page, CallError> {
        let query = self.query(filter, sort).await?;
        let mut page = self.read(move |store| store.page(&query, offset, limit)).await?;
        let running = |row: &JobRow| row.state == vc_protocol::job::JobState::Running;
        let ids: Vec<JobId> = page.rows.iter().filter(|row| running(row)).map(|row| row.id).collect();
        if !ids.is_empty() {
            let live = self.call(|answer| Call::Live(ids, answer)).await?;
            for row in &mut page.rows {
                live.get(&row.id).into_iter().for_each(|live| live.onto(row));
            }
        }
        Ok(page)
    }

    /// What the store cannot know: the time, and which agents are silent.
    async fn query(&self, filter: JobFilter, sort: Sort) -> Result<Query, CallError> {
        let asks_unsure =
            |term: &Term| matches!(&term.test, Test::Is(kinds) if kinds.contains(&Kind::Unsure));
        let mut unsure = BTreeSet::new();
        if filter.terms.iter().any(asks_unsure) {
            let running = self.read(|store| store.reader()?.running()).await?;
            let live = self.call(|answer| Call::Live(running, answer)).await?;
            unsure.extend(live.into_iter().filter(|(_, live)| live.unsure).map(|(id, _)| id));
        }
        Ok(Query { filter, sort, unsure: Arc::new(unsure), now_ms: wall_ms() })
    }

    /// Failures by cause.
    pub async fn failures(&self) -> Result<Failures, CallError> {
        self.read(|store| store.failures(wall_ms())).await
    }

    /// The last events below a number, newest first; those of one job alone, if it is said.
    pub async fn events(
        &self,
        before: Option<u64>,
        job: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<EventView>, CallError> {
        self.read(move |store| store.reader()?.events(before, job, limit)).await
    }

    /// The events above a number, oldest first.
    pub async fn events_after(&self, after: u64, limit: usize) -> Result<Vec<EventView>, CallError> {
        self.read(move |store| store.reader()?.events_after(after, limit)).await
    }

    /// What the farm did on the last so many days, today included.
    pub async fn stats(&self, days: u32) -> Result<Stats, CallError> {
        self.read(move |store| store.stats(wall_ms(), days)).await
    }

    /// Everything about one job, its running attempt first; none if there is no such job. With the log, the agent of a
    /// running attempt is asked for what it has printed so far.
    pub async fn detail(&self, job: JobId, with_log: WithLog) -> Result<Option<JobDetail>, CallError> {
        let found = self.read(move |store| store.reader()?.detail(job)).await?;
        let Some(mut detail) = found else { return Ok(None) };
        let live = self.call(|answer| Call::Live(vec![job], answer)).await?;
        if let Some(live) = live.get(&job) {
            let log = match with_log {
                WithLog::Yes => self.ask_agent(|answer| Call::LiveLog(live.attempt, answer)).await,
                WithLog::No => LiveLog::default(),
            };
            live.onto(&mut detail.row);
            detail.encoder.clone_from(&log.encoder);
            detail.next_encoders.clone_from(&log.next_encoders);
            detail.phases.clone_from(&log.phases);
            detail.lease_ms = live.lease_ms;
            if let Some(media) = &log.media {
                detail.media = Some(media.as_ref().clone());
                detail.media_ms = media.duration_ms.unwrap_or(detail.media_ms);
            }
            detail.attempts.insert(0, live.attempt_view(log));
        }
        Ok(Some(detail))
    }

    /// What an agent answers. One that does not in time, or went away, has nothing to show now: the rest is worth
    /// showing.
    async fn ask_agent<T: Default>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Call) -> T {
        let (answer, told) = oneshot::channel();
        if self.calls.send(Input::Call(make(answer))).await.is_err() {
            return T::default();
        }
        tokio::time::timeout(LOG_WAIT, told).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Everything about one agent, asked of it if it is connected; none if there is no such agent.
    pub async fn agent(&self, agent: AgentId) -> Result<Option<AgentDetail>, CallError> {
        let log = self.ask_agent(|answer| Call::AskBox(agent, answer)).await;
        let detail = self.call(|answer| Call::Agent(agent, answer)).await?;
        Ok(detail.map(|detail| AgentDetail { log, ..detail }))
    }

    /// The overview whenever it changed, at most ten times a second. The first value may be old: ask
    /// [`Handle::snapshot`] first.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// The overview now.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, CallError> {
        self.call(Call::Snapshot).await
    }

    /// Jobs by state as of the last commit, for whoever waits until all is final.
    pub fn tally(&self) -> watch::Receiver<Tally> {
        self.tally.clone()
    }

    /// Attempts that reachable agents still have, kept up to date once the farm is to end.
    pub fn in_hand(&self) -> watch::Receiver<usize> {
        self.in_hand.clone()
    }

    /// The store, for reads.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Ends the engine after what it already took in; join its thread to know that it has.
    pub async fn stop(&self) {
        // A closed queue means that it has ended already.
        let _ = self.calls.send(Input::Call(Call::Stop)).await;
    }

    async fn call<T>(&self, make: impl FnOnce(Answer<T>) -> Call) -> Result<T, CallError> {
        let (answer, result) = oneshot::channel();
        self.calls
            .send(Input::Call(make(answer)))
            .await
            .map_err(|_: mpsc::error::SendError<_>| CallError::Stopped)?;
        result.await.map_err(|_| CallError::Stopped)?
    }

    /// Reads block: they get a thread of their own.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CallError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || read(&store)).await;
        Ok(done.map_err(|_| CallError::Stopped)??)
    }
}

/// Whether the agent of a running attempt is asked for its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithLog {
    /// Ask, and wait at most two seconds.
    Yes,
    /// Show what is stored.
    No,
}

impl Live {
    fn onto(&self, row: &mut JobRow) {
        row.place.clone_from(&self.place);
        row.progress = self.progress;
        row.unsure = self.unsure;
    }

    fn attempt_view(&self, log: LiveLog) -> vc_protocol::operator::AttemptView {
        vc_protocol::operator::AttemptView {
            task: self.attempt.task,
            no: self.attempt.no.0,
            place: self.place.clone(),
            encoder: log.encoder,
            passed_over: log.passed_over,
            quality: log.quality,
            started_ms: self.since_ms,
            ended_ms: None,
            ended: String::new(),
            cause: String::new(),
            commands: log.commands,
            log: log.log,
        }
    }
}

impl AddReport {
    /// What whoever asked is told, and the jobs that the farm is told of.
    pub(super) fn of(added: Added) -> (AddReport, Vec<NewJob>) {
        let jobs = added.new.first().zip(added.new.last()).map(|(first, last)| (first.id, last.id));
        (AddReport { counts: added.counts, problems: added.problems, jobs }, added.new)
    }
}
