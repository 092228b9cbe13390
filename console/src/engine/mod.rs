//! The engine: the one loop that drives the farm core.
//!
//! It owns the order of things, and decides nothing: take what has queued up, let the farm core apply it all, write
//! every row in one durable transaction, and only then send and answer. Nothing is promised to anyone before it is on
//! disk. Knows sessions only as [`input::SessionLink`]s, and operators only as [`handle::Call`]s; disk work that may
//! take long has its own threads.
//!
//! ```text
//!  net ──► Input ──┐                          ┌──► sends, offers (SessionLink)
//!  Handle ─► Call ─┼─► turn: Farm::apply ─► Store commit ─► answers to callers
//!  errands ────────┘        (many)           (one) └──► errands (challenges, settlements)
//! ```

mod about;
mod calls;
mod clock;
mod errand;
mod halt;
pub mod handle;
pub mod input;
mod meter;
mod needs;
pub mod orders;
mod perform;
pub mod prove;
mod renewed;
mod run;
mod settle;
mod snapshot;
mod why;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};
use vc_protocol::id::AgentId;
use vc_protocol::path::FilePath;

use crate::store::{Store, StoreError};
pub(crate) use errand::free as free_bytes;
use handle::Handle;
use input::EngineSender;
use run::Loop;

/// Inputs that wait for the engine. When it is full, streams of agents and callers wait.
const INBOX: usize = 4_096;

/// What the engine is told about the farm at its start.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// Name of the farm, for screens.
    pub farm: String,
    /// Agents that the registry knows, with their names.
    pub registered: BTreeMap<AgentId, String>,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The job table cannot be read.
    #[error("read the job table")]
    Store(#[from] StoreError),
    /// No thread could be started.
    #[error("start the engine's threads")]
    Thread(#[source] std::io::Error),
}

/// A running engine.
pub struct Engine {
    /// For operators.
    pub handle: Handle,
    /// For sessions.
    pub sender: EngineSender,
    /// Ends after [`Handle::stop`], or when every sender and handle is gone.
    pub thread: JoinHandle<()>,
}

impl Engine {
    /// Takes up the farm where the store left it, and starts the loop on a thread of its own.
    pub fn start(config: EngineConfig, store: Store) -> Result<Engine, StartError> {
        let (sender, inbox) = mpsc::channel(INBOX);
        let snapshots = Arc::new(watch::Sender::new(Arc::default()));
        let (tallies, tally) = watch::channel(store.tally());
        let (in_hands, in_hand) = watch::channel(0);
        let handle = Handle::new(sender.clone(), store.clone(), snapshots.clone(), tally, in_hand);
        let errands = errand::Errands::start(&store, &sender).map_err(StartError::Thread)?;
        let engine = Loop::new(config, store, errands, snapshots, tallies, in_hands)?;
        let timers = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(StartError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || engine.run(inbox, &timers))
            .map_err(StartError::Thread)?;
        Ok(Engine { handle, sender, thread })
    }
}

/// The path as this machine's.
fn local(path: &FilePath) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&path.0))
}

#[cfg(test)]
mod tests;
