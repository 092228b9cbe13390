//! Runs the attempts: performs what [`Holdings`] decides, with one task an attempt.
//!
//! It outlives sessions. Knows nothing of sockets: a session hands it what the console says and an outbox, and asks it
//! what is held. Knows nothing of ffmpeg: that is behind [`Work`].

pub(crate) mod box_view;
mod cards;
mod devices;
mod growth;
pub(crate) mod link;
pub(crate) mod slots;
mod trials;
pub(crate) mod work;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use vc_protocol::agent::{FromAgent, HEARTBEAT_S, Held, Outcome, Report, ToAgent};
use vc_protocol::device::Device;
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AgentId, AttemptId, DeviceId};
use vc_protocol::job::Offer;
use vc_protocol::progress::{Phase, Progress};
use vc_protocol::prove::Challenge;

use crate::device::Card;
use crate::journal::{Journal, Record};
use crate::own_log;
use crate::process::{StopReason, Stopper};
use crate::session::fit;
use crate::session::state::{Action, Holdings, Input};
use crate::status::{AttemptStatus, ConsoleStatus, Status};
use crate::task;
use crate::work::{End, Grant, LiveView};
use box_view::BoxView;
use link::{Link, LinkEnd};
use work::Work;

/// How often progress is told: twice a second, in one message for all attempts.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Events of tasks that wait for the supervisor; a task whose event does not fit waits.
const INPUTS_MAX: usize = 256;
/// Challenges answered at once; each reads half a MiB.
const PROOFS_MAX: usize = 16;
/// Challenges that wait for that; a console sends one for each folder that it has work in, all at once.
const PROOFS_WAITING_MAX: usize = 4096;
/// How long a proven result waits for its grant when the agent was asked to stop.
const GRANT_GRACE: Duration = Duration::from_secs(3);
/// How long a stopping agent waits for its tasks to end (two seconds are promised) and for the console to
/// acknowledge, so that with everything after it the agent is gone in under fifteen.
const LEAVE_BOUND: Duration = Duration::from_secs(10);

/// What goes into a hello.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// What this box offers.
    pub(crate) devices: Vec<Device>,
    /// What it holds.
    pub(crate) held: Vec<Held>,
}

/// From a session to the supervisor.
#[derive(Debug)]
pub(crate) enum Call {
    /// What goes into the hello?
    Inventory(oneshot::Sender<Inventory>),
    /// These cards were found on this box.
    Cards(Vec<Card>),
    /// The console said welcome; what is sent to it goes into this outbox.
    Up {
        /// The welcome.
        welcome: ToAgent,
        /// Where the console is.
        address: String,
        /// Frames to be sent.
        outbox: mpsc::Sender<FromAgent>,
    },
    /// The console said something.
    Said(ToAgent),
    /// The session ended, or there was none; the text says why.
    Down(String),
    /// What does the agent do?
    Status(oneshot::Sender<Box<Status>>),
}

/// Runs what the agent holds.
pub(crate) struct Supervisor<W> {
    work: Arc<W>,
    journal: Arc<Journal>,
    holdings: Holdings,
    lines: BTreeMap<AttemptId, Line>,
    inputs: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    outbox: Option<mpsc::Sender<FromAgent>>,
    console: ConsoleStatus,
    identity: (AgentId, String),
    proofs: Arc<Semaphore>,
    proofs_waiting: Arc<Semaphore>,
    own: BoxView,
    /// Cards may still be found.
    is_looking: bool,
}

/// An attempt with a task.
struct Line {
    device: DeviceId,
    end: LinkEnd,
    view: LiveView,
    stopper: Stopper,
}

impl<W: Work> Supervisor<W> {
    /// With what an earlier process left in the journal.
    pub(crate) fn new(
        identity: (AgentId, String),
        work: Arc<W>,
        journal: Arc<Journal>,
        left: Vec<Record>,
        own: BoxView,
    ) -> Self {
        let mut holdings = Holdings::new(own.devices().iter().map(|d| d.id).collect());
        for record in left {
            match record {
                Record::Proven { offer, draft, proven } => holdings.park(offer, draft, proven),
                Record::Ended(report) => holdings.remember(report),
            }
        }
        Supervisor {
            work,
            journal,
            holdings,
            lines: BTreeMap::new(),
            inputs: mpsc::channel(INPUTS_MAX),
            outbox: None,
            console: ConsoleStatus::default(),
            identity,
            proofs: Arc::new(Semaphore::new(PROOFS_MAX)),
            proofs_waiting: Arc::new(Semaphore::new(PROOFS_WAITING_MAX)),
            own,
            is_looking: false,
        }
    }

    /// Until `stop`, and then until everything is handed back, with a bound.
    pub(crate) async fn run(mut self, mut calls: mpsc::Receiver<Call>, stop: CancellationToken) {
        let mut beat = interval(Duration::from_secs(HEARTBEAT_S));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tell = interval(PROGRESS_EVERY);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Every arm is cancel-safe: channels lose nothing, and intervals and tokens keep their own state.
        while !stop.is_cancelled() {
            tokio::select! { biased;
                () = stop.cancelled() => break,
                Some(input) = self.inputs.1.recv() => self.on(input),
                Some(call) = calls.recv() => self.on_call(call),
                _ = beat.tick() => self.beat(),
                _ = tell.tick(), if !self.lines.is_empty() => self.tell_progress(),
            }
        }
        self.leave(&mut calls, &mut beat).await;
    }

    async fn leave(&mut self, calls: &mut mpsc::Receiver<Call>, beat: &mut tokio::time::Interval) {
        let asked = Instant::now();
        let mut hurry = Some(asked + GRANT_GRACE);
        self.own.trials.stop_all();
        self.on(Input::Drain);
        while !self.holdings.may_leave() {
            let bound = asked + LEAVE_BOUND;
            tokio::select! { biased;
                Some(input) = self.inputs.1.recv() => self.on(input),
                Some(call) = calls.recv() => self.on_call(call),
                _ = beat.tick() => self.on(Input::Beat),
                () = sleep_until(hurry.unwrap_or(bound)), if hurry.is_some() => {
                    hurry = None;
                    self.on(Input::Hurry);
                }
                () = sleep_until(bound) => {
                    tracing::warn!("not everything was handed back in time; the console takes the rest back itself");
                    break;
                }
            }
        }
    }

    fn on_call(&mut self, call: Call) {
        match call {
            // Who asks may have been stopped meanwhile.
            Call::Inventory(answer) => {
                let inventory = Inventory { devices: self.own.tell(), held: self.holdings.inventory() };
                drop(answer.send(inventory));
            }
            Call::Cards(cards) => self.on_cards(cards),
            Call::Status(answer) => drop(answer.send(Box::new(self.status()))),
            Call::Up { welcome, address, outbox } => {
                if let ToAgent::Welcome { name, .. } = &welcome
                    && !name.is_empty()
                {
                    self.identity.1.clone_from(name);
                }
                self.outbox = Some(outbox);
                self.console = ConsoleStatus { connected: true, address: Some(address), problem: None };
                self.on(Input::Console(welcome));
                self.tell_devices();
                self.tell_facts();
            }
            Call::Said(message) => self.on(Input::Console(message)),
            Call::Down(why) => {
                self.outbox = None;
                self.console = ConsoleStatus { connected: false, problem: Some(why), ..self.console.clone() };
                self.on(Input::Lost);
            }
        }
    }

    fn on(&mut self, mut input: Input) {
        match &mut input {
            Input::Ended(report) => self.line_ended(report),
            Input::Left(id, _) => drop(self.lines.remove(id)),
            Input::Tried(device, verdict) => {
                if !self.own.trials.ended(*device) {
                    *verdict = None;
                }
                self.tell_devices();
            }
            Input::Console(_)
            | Input::Lost
            | Input::Progress(_)
            | Input::Proven(..)
            | Input::Proof(..)
            | Input::Beat
            | Input::Drain
            | Input::Hurry => {}
        }
        let mut actions = Vec::new();
        self.holdings.apply(input, &mut actions);
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Send(message) => self.send(message),
            Action::Start(offer) => self.start(offer),
            Action::Finish(offer, draft, proven) => {
                tracing::info!(attempt = %offer.attempt, "putting a result of an earlier run in place");
                let id = offer.attempt;
                let work = self.work.clone();
                self.supervise(
                    id,
                    async move { End::Report(Box::new(work.finish(offer, proven, *draft).await)) },
                );
            }
            Action::Stop(id, reason) => self.stop(id, reason),
            Action::Grant(id) => {
                if let Some(line) = self.lines.get(&id) {
                    line.end.answer.send_replace(Some(Grant::Granted));
                }
            }
            Action::Discard(offer) => {
                let work = self.work.clone();
                task::spawn("discard", work.discard(offer));
            }
            Action::Keep(report) => self.journal.keep_soon(Record::Ended(report)),
            Action::Forget(id) => self.journal.forget(id),
            Action::Prove(challenge) => self.prove(*challenge),
            Action::Try(device) => self.try_encoders(device, true),
            Action::TellFacts => self.tell_facts(),
            Action::TellOwnLog => self.send(FromAgent::OwnLog(own_log::text())),
            Action::TellLog(id) => {
                if let Some(line) = self.lines.get(&id) {
                    let mut live = line.view.snapshot();
                    fit::live(&mut live);
                    self.send(FromAgent::Log(id, live));
                }
            }
        }
    }

    fn start(&mut self, offer: Box<Offer>) {
        let id = offer.attempt;
        let Some(place) = self.own.slots.place(offer.device) else {
            return; // Refused before it came here.
        };
        tracing::info!(attempt = %id, device = %offer.device, source = %offer.source, "attempt taken");
        let (link, end) = Link::new(offer.clone(), self.inputs.0.clone(), self.journal.clone());
        let (stopper, stop) = Stopper::new();
        let view = LiveView::new();
        self.own.trials.make_room(offer.device);
        self.lines.insert(id, Line { device: offer.device, end, view: view.clone(), stopper });
        let work = self.work.clone();
        self.supervise(id, async move { work.run(offer, place, link, view, stop).await });
    }

    /// Starts an attempt's task; whatever happens in it, its end is told.
    fn supervise(&self, id: AttemptId, work: impl Future<Output = End> + Send + 'static) {
        let inputs = self.inputs.0.clone();
        let inner = task::spawn("attempt", work);
        task::spawn("attempt end", async move {
            let input = match inner.await {
                Ok(End::Report(report)) => Input::Ended(Box::new(Report { attempt: id, ..*report })),
                Ok(End::Parked(proven)) => Input::Left(id, proven),
                Err(error) => {
                    tracing::error!(attempt = %id, "internal error: {error}");
                    let cause = "internal error in the agent; its log has the details";
                    let outcome = Outcome::Failed(Failure::new(FailureClass::Job, cause));
                    Input::Ended(Box::new(Report::blank(id, outcome)))
                }
            };
            tracing::info!(attempt = %id, end = end_word(&input), "attempt ended");
            // Fails only when the supervisor has ended, and then nobody waits for it.
            let _ = inputs.send(input).await;
        });
    }

    fn stop(&self, id: AttemptId, reason: StopReason) {
        tracing::info!(attempt = %id, ?reason, "stopping");
        if let Some(line) = self.lines.get(&id) {
            line.stopper.stop(reason);
            if reason == StopReason::Stale {
                line.end.answer.send_replace(Some(Grant::Stale));
            }
        }
    }

    fn prove(&mut self, challenge: Challenge) {
        let root = challenge.root;
        let Ok(place) = self.proofs_waiting.clone().try_acquire_owned() else {
            return self.on(Input::Proof(root, Err("too many challenges at once".into())));
        };
        let (work, inputs, proofs) = (self.work.clone(), self.inputs.0.clone(), self.proofs.clone());
        task::spawn("prove", async move {
            let turn = proofs.acquire_owned().await;
            let answer = work.prove(challenge).await;
            tracing::info!(%root, seen = answer.is_ok(), "folder looked at");
            drop((turn, place));
            // As above: without a supervisor nobody waits for it.
            let _ = inputs.send(Input::Proof(root, answer)).await;
        });
    }

    fn tell_progress(&mut self) {
        let mut news = Vec::new();
        for (id, line) in &mut self.lines {
            if line.end.progress.has_changed().unwrap_or(false) {
                news.push((*id, line.end.progress.borrow_and_update().clamped()));
            }
        }
        if !news.is_empty() {
            self.on(Input::Progress(news));
        }
    }

    /// Progress and facts are left out when the outbox fills: the next ones say it too. A session that cannot take anything else
    /// is too slow and is given up; the next one begins with the inventory.
    fn send(&mut self, message: FromAgent) {
        let Some(outbox) = &self.outbox else { return };
        let is_repeated = matches!(message, FromAgent::Progress(_) | FromAgent::Facts(_));
        if is_repeated && outbox.capacity() < outbox.max_capacity() / 2 {
            return;
        }
        if outbox.try_send(message).is_err() {
            self.on_call(Call::Down("the connection was too slow".into()));
        }
    }

    fn status(&self) -> Status {
        let attempts = self.holdings.iter().map(|(id, entry)| AttemptStatus::of(*id, entry)).collect();
        Status {
            v: 1,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            agent: self.identity.0,
            name: self.identity.1.clone(),
            console: self.console.clone(),
            devices: self.own.status(),
            attempts,
        }
    }
}

impl Line {
    fn last(&self) -> Progress {
        *self.end.progress.borrow()
    }

    /// Whether it holds a slot of that device.
    fn works_on(&self, device: DeviceId) -> bool {
        let phase = self.last().phase;
        self.device == device && matches!(phase, Phase::Encoding | Phase::Verifying | Phase::Sampling)
    }
}

/// One word for the log.
fn end_word(input: &Input) -> &'static str {
    let Input::Ended(report) = input else { return "left to the next run" };
    match &report.outcome {
        Outcome::Committed(_) => "committed",
        Outcome::Skipped(_) => "skipped",
        Outcome::SourceChanged(_) => "source changed",
        Outcome::Failed(_) => "failed",
        Outcome::Stopped => "stopped",
    }
}
