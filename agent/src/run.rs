//! One agent from start to end: what an earlier process left is swept and taken up, then a supervisor, a session and the
//! renewal of the certificate run side by side, and the order of the shutdown is written here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vc_certs::{CertsError, Identity};
use vc_protocol::device::Device;
use vc_protocol::id::DeviceId;

use crate::config::AgentConfig;
use crate::device::{self, Card};
use crate::host::{Host, HostError};
use crate::identity::host_name;
use crate::journal::{Journal, JournalError, Record};
use crate::renewal::Renewal;
use crate::session::{Facts, Session};
use crate::state_dir::{StateDir, StateDirError};
use crate::supervisor::box_view::BoxView;
use crate::supervisor::slots::cpu_device;
use crate::supervisor::work::Work;
use crate::supervisor::{Call, Supervisor};
use crate::{status, task};

/// Messages of the console that wait for the supervisor; when it is full, reading from the network waits.
const CALLS_MAX: usize = 64;
/// How long the session gets to send what is left and to close.
const SESSION_BOUND: Duration = Duration::from_secs(2);

/// Why an agent did not run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The state folder.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// No identity there.
    #[error("find the identity of this box in {}: it has not joined a farm; run `vc-agent join LINE` with a line \
             from `vc-console token create`", .0.display())]
    NotJoined(PathBuf),
    /// The identity cannot be read.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What the work needs is not there.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nothing is left to work with.
    #[error(
        "find something to work with: the processor has no slot, and there is no GPU that may be used; give \
             `--slots` 1 or more, or look at `vc-agent doctor`"
    )]
    NoDevice,
    /// A thread of the start broke.
    #[error("start the agent")]
    Start(#[source] tokio::task::JoinError),
}

/// Works for the farm that this box has joined, until `stop`; then hands back what it holds, in under fifteen seconds.
///
/// Whatever the console does, this goes on: it dials again for ever. It ends early only with an error at its start.
pub async fn run(config: AgentConfig, stop: CancellationToken) -> Result<(), AgentError> {
    // While ffmpeg says its version. A driver that takes longer holds up nothing: its cards come when they come.
    let looking = task::spawn("look for GPUs", device::find(config.cards.clone()));
    let needs_card = config.slots == Some(0);
    let started = task::spawn_blocking("start", move || Start::new(config)).await;
    let mut start = started.map_err(AgentError::Start)??;
    if needs_card || looking.is_finished() {
        start.cards = looking.await.map_err(AgentError::Start)?;
        if needs_card && start.cards.is_empty() {
            return Err(AgentError::NoDevice);
        }
    } else {
        start.looking = Some(looking);
    }
    start.run(stop).await;
    Ok(())
}

/// Everything that an agent needs, opened.
pub(crate) struct Start<W> {
    pub(crate) dir: StateDir,
    pub(crate) identity: Identity,
    pub(crate) journal: Journal,
    pub(crate) left: Vec<Record>,
    pub(crate) processor: Device,
    pub(crate) tries_processor: bool,
    /// Slots of each card, if they were set by hand.
    pub(crate) card_slots: Option<u16>,
    /// Cards that were found in time for the first hello.
    pub(crate) cards: Vec<Card>,
    /// The others, when a look at them has ended.
    pub(crate) looking: Option<JoinHandle<Vec<Card>>>,
    pub(crate) ffmpeg: String,
    pub(crate) work: W,
}

impl Start<Host> {
    /// Blocks for as long as ffmpeg takes to say its version. Ffmpeg processes of an earlier agent are ended before
    /// anything else: they may still write.
    fn new(config: AgentConfig) -> Result<Self, AgentError> {
        let dir = StateDir::open(&config.state_dir)?;
        let identity = Identity::load(dir.path())?;
        let mut identity = identity.ok_or_else(|| AgentError::NotJoined(dir.path().to_owned()))?;
        if let Some(console) = config.console {
            identity.consoles = vec![console.to_string()];
        }
        let (journal, left) = Journal::open(&dir.spool())?;
        let host = Host::new(&config, &dir, &left)?;
        let processor = cpu_device(config.slots, host.proved().codecs(DeviceId(0)));
        Ok(Start {
            dir,
            identity,
            journal,
            left,
            processor,
            tries_processor: config.tries_processor,
            card_slots: config.cards.slots,
            cards: Vec::new(),
            looking: None,
            ffmpeg: host.version_line(),
            work: host,
        })
    }
}

impl<W: Work> Start<W> {
    /// The order of the shutdown: the supervisor hands everything back and drops its outbox, the session sends what
    /// is left and closes, the journal is written, the folder is free.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Start { dir, identity, journal, left, processor, ffmpeg, work, .. } = self;
        tracing::info!(device = %processor.id, name = processor.name, slots = processor.slots,
            codecs = ?processor.codecs);
        tracing::info!(agent = %identity.agent, name = identity.name, farm = %identity.farm, ffmpeg,
            consoles = identity.consoles.join(","), left = left.len(), "started");
        let journal = Arc::new(journal);
        let facts = Facts { instance: random(), host: host_name(), ffmpeg };
        let own = BoxView::new(&dir, processor, self.card_slots, work.proved().clone());
        let who = (identity.agent, identity.name.clone());
        let mut supervisor = Supervisor::new(who, Arc::new(work), journal.clone(), left, own);
        supervisor.add_processor(self.tries_processor);
        supervisor.on_cards(self.cards);
        let (calls, called) = mpsc::channel::<Call>(CALLS_MAX);
        let closing = CancellationToken::new();
        let (newest, identity) = watch::channel(identity);
        let renewal = Renewal { dir: dir.path().to_owned(), identity: newest, closing: closing.clone() };
        let renewal = task::spawn("renewal", renewal.keep());
        let session = Session { identity, facts, calls: calls.clone(), closing: closing.clone() };
        let session = task::spawn("session", session.keep());
        let socket = StateDir::socket(dir.path());
        if let Some(looking) = self.looking {
            supervisor.expect_cards();
            task::spawn("late GPUs", late(looking, calls.clone()));
        }
        let status = task::spawn("status", status::serve(socket, calls, closing.clone()));

        supervisor.run(called, stop).await;
        closing.cancel();
        if timeout(SESSION_BOUND, session).await.is_err() {
            tracing::debug!("the console did not hear the goodbye");
        }
        // All have been told and only finish what they are at; a panic in them changes nothing any more.
        let _ = timeout(SESSION_BOUND, status).await;
        let _ = timeout(SESSION_BOUND, renewal).await;
        let _ = task::spawn_blocking("journal", move || journal.close()).await;
        drop(dir);
    }
}

/// Hands in the cards of a look that took its time. A supervisor that has ended needs none.
async fn late(looking: JoinHandle<Vec<Card>>, calls: mpsc::Sender<Call>) {
    let cards = looking.await.unwrap_or_else(|error| {
        tracing::error!("internal error: {error}");
        Vec::new()
    });
    drop(calls.send(Call::Cards(cards)).await);
}

/// Random bits from the operating system; without any, the process number and the clock are distinct enough for what
/// they are used for: telling starts apart and spreading redials.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let nanos = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_nanos() as u64);
        nanos ^ u64::from(std::process::id()).rotate_left(32)
    })
}

#[cfg(test)]
mod tests;
