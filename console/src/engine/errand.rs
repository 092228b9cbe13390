//! Disk work that the engine's thread must not wait for.
//!
//! A few threads take errands in order; what comes of one goes back to the engine as an [`Input`]. The queue's bound
//! is what the farm core asks for: a proof for each session and folder, a look for each grant whose holder vanished.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vc_protocol::agent::Proven;
use vc_protocol::id::{AgentId, AttemptId, RootId, SessionNo};
use vc_protocol::path::FilePath;

use super::input::{EngineSender, Input};
use super::prove::{self, Challenged, Probe};
use super::settle::settle;
use crate::store::Store;

/// Threads: hashing a large output must not keep a newcomer's proof waiting.
const THREADS: usize = 3;

/// How long the end of the engine waits for disk work that is under way.
const END_WAIT: Duration = Duration::from_secs(2);

/// Something to do.
pub(super) enum Errand {
    /// Make a challenge.
    Prove { agent: AgentId, session: SessionNo, root: RootId, writable: bool },
    /// Finish or withdraw a granted output.
    Settle { attempt: AttemptId, root: PathBuf, output: FilePath, granted: Proven },
    /// Remove a probe file.
    Forget(Probe),
    /// Free bytes of these folders.
    MeasureFree(Vec<PathBuf>),
}

#[derive(Default)]
struct Queue {
    errands: VecDeque<Errand>,
    closed: bool,
}

/// The threads and their queue. Dropping it lets them end after the errand they are at.
pub(super) struct Errands {
    shared: Arc<(Mutex<Queue>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

impl Errands {
    pub(super) fn start(store: &Store, engine: &EngineSender) -> std::io::Result<Self> {
        let shared = Arc::new((Mutex::new(Queue::default()), Condvar::new()));
        let mut errands = Errands { shared: shared.clone(), threads: Vec::new() };
        for n in 0..THREADS {
            // Not a strong sender: the engine ends when all others have let go of it.
            let (shared, store, engine) = (shared.clone(), store.clone(), engine.downgrade());
            let run = move || {
                while let Some(errand) = take(&shared) {
                    let Some(input) = run(&store, errand) else { continue };
                    let Some(engine) = engine.upgrade() else { break };
                    if engine.blocking_send(input).is_err() {
                        break;
                    }
                }
            };
            errands.threads.push(std::thread::Builder::new().name(format!("disk-{n}")).spawn(run)?);
        }
        Ok(errands)
    }

    pub(super) fn push(&self, errand: Errand) {
        let (queue, bell) = &*self.shared;
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Errand::Prove { agent, root, .. } = &errand {
            // Asked again before anybody came to it, as where a share hangs: once is enough.
            queue.errands.retain(
                |old| !matches!(old, Errand::Prove { agent: a, root: r, .. } if a == agent && r == root),
            );
        }
        queue.errands.push_back(errand);
        drop(queue);
        bell.notify_one();
    }

    /// Removes a probe file, not on the caller's thread: the share may hang.
    pub(super) fn forget(&self, probe: Option<Probe>) {
        probe.into_iter().for_each(|probe| self.push(Errand::Forget(probe)));
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        let (queue, bell) = &*self.shared;
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.closed = true;
        // Probe files still go; nobody waits for the rest.
        queue.errands.retain(|errand| matches!(errand, Errand::Forget(_)));
        drop(queue);
        bell.notify_all();
        // Waited for, so that the store can be opened again at once; but not for ever, since a thread may hang on a
        // dead share.
        let deadline = Instant::now() + END_WAIT;
        while !self.threads.iter().all(JoinHandle::is_finished) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn take(shared: &(Mutex<Queue>, Condvar)) -> Option<Errand> {
    let (queue, bell) = shared;
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(errand) = queue.errands.pop_front() {
            return Some(errand);
        }
        if queue.closed {
            return None;
        }
        queue = bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

fn run(store: &Store, errand: Errand) -> Option<Input> {
    match errand {
        Errand::Prove { agent, session, root, writable } => {
            let made = prove::make(store, root, writable).map_err(|error| vc_agent::told::chain(&error));
            Some(Input::Challenged(Challenged { agent, session, root, made }))
        }
        Errand::Settle { attempt, root, output, granted } => {
            Some(Input::Settled(attempt, settle(&root, &output, attempt.job, &granted)))
        }
        Errand::Forget(probe) => {
            drop(probe);
            None
        }
        Errand::MeasureFree(roots) => Some(Input::Free(roots.iter().filter_map(|root| free(root)).min())),
    }
}

/// Bytes that are free where that folder is.
pub(crate) fn free(root: &std::path::Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(root).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}
