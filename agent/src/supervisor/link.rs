//! What an attempt's task knows of the agent around it: where it tells how far it is and what it runs, and where it
//! asks for the right to commit. Knows nothing of sessions: a grant that is asked for while the console is away comes
//! when it is back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use vc_protocol::agent::{COMMANDS_MAX, Command, LOG_TAIL_BYTES_MAX, LiveLog, Proven, Report};
use vc_protocol::id::AttemptId;
use vc_protocol::job::Offer;
use vc_protocol::progress::{Phase, Progress};

use crate::journal::{Journal, Record};
use crate::session::dial::with_sources;
use crate::session::fit;
use crate::session::state::Input;

/// An attempt's line to the agent.
#[derive(Debug)]
pub(crate) struct Link {
    offer: Box<Offer>,
    progress: watch::Sender<Progress>,
    live: LiveShared,
    granted: watch::Receiver<bool>,
    inputs: mpsc::Sender<Input>,
    journal: Arc<Journal>,
}

/// The agent's end of a [`Link`].
#[derive(Debug)]
pub(crate) struct LinkEnd {
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) live: LiveShared,
    pub(crate) granted: watch::Sender<bool>,
}

/// What a running attempt has run and printed.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveShared(Arc<Mutex<LiveLog>>);

impl LiveShared {
    /// As it may be sent.
    pub(crate) fn read(&self) -> LiveLog {
        let mut live = self.lock().clone();
        fit::live(&mut live);
        live
    }

    fn lock(&self) -> MutexGuard<'_, LiveLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Both ends of a line.
    pub(crate) fn new(
        offer: Box<Offer>,
        inputs: mpsc::Sender<Input>,
        journal: Arc<Journal>,
    ) -> (Self, LinkEnd) {
        let (progress, shown) = watch::channel(Progress::start(Phase::Waiting));
        let (grant, granted) = watch::channel(false);
        let live = LiveShared::default();
        let end = LinkEnd { progress: shown, live: live.clone(), granted: grant };
        (Link { offer, progress, live, granted, inputs, journal }, end)
    }

    /// Of which attempt.
    pub(crate) fn attempt(&self) -> AttemptId {
        self.offer.attempt
    }

    /// How far it is; only the newest is told, twice a second at most.
    pub(crate) fn progress(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    /// A command is started.
    pub(crate) fn command(&self, command: Command) {
        let mut live = self.live.lock();
        if live.commands.len() < COMMANDS_MAX {
            live.commands.push(command);
        }
    }

    /// ffmpeg printed this. The last part is kept for people who look at the running job.
    pub(crate) fn printed(&self, text: &str) {
        let mut live = self.live.lock();
        live.log.push_str(text);
        // Cut at twice the limit, so that not every line moves the whole tail.
        if live.log.len() > 2 * LOG_TAIL_BYTES_MAX {
            let from = live.log.ceil_char_boundary(live.log.len() - LOG_TAIL_BYTES_MAX);
            live.log.drain(..from);
        }
    }

    /// Asks for the right to put a proven, flushed result in place, and returns once it is granted: at once, after the
    /// console is back, or never. Wait beside the stop token. `draft` is what will be reported if all goes well: with
    /// it in the journal the result is finished even by another process of this agent.
    pub(crate) async fn ask_commit(&self, proven: Proven, draft: &Report) {
        let mut draft = Box::new(draft.clone());
        fit::report(&mut draft);
        let record = Record::Proven { offer: self.offer.clone(), draft, proven: proven.clone() };
        let mut granted = self.granted.clone();
        // At once: a console that grants before the journal has it is no danger, since it can finish what it granted.
        let (kept, asked) =
            tokio::join!(self.journal.keep(record), self.inputs.send(Input::Proven(self.attempt(), proven)),);
        if let Err(error) = kept {
            // The result is safe as long as this process lives; after that the console settles the grant.
            tracing::warn!(attempt = %self.attempt(), "failed to {}", with_sources(&error));
        }
        if asked.is_err() || granted.wait_for(|yes| *yes).await.is_err() {
            // The agent around it is gone: there will be no grant, and the caller's stop token says the rest.
            std::future::pending::<()>().await;
        }
    }
}
