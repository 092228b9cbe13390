//! What a running attempt has run and printed, readable from outside while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vc_protocol::agent::{COMMANDS_MAX, Command, CommandPhase, LOG_TAIL_BYTES_MAX, LiveLog};

use crate::process::{Invocation, Ring};

/// A shared view of one attempt. Clones see the same.
#[derive(Debug, Clone)]
pub struct LiveView {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    commands: Vec<Command>,
    log: Ring,
}

impl Default for LiveView {
    fn default() -> Self {
        let inner = Inner { commands: Vec::new(), log: Ring::new(LOG_TAIL_BYTES_MAX) };
        LiveView { inner: Arc::new(Mutex::new(inner)) }
    }
}

impl LiveView {
    /// An empty one.
    pub fn new() -> LiveView {
        LiveView::default()
    }

    /// What there is so far.
    pub fn snapshot(&self) -> LiveLog {
        let inner = self.lock();
        LiveLog { commands: inner.commands.clone(), log: inner.log.text(LOG_TAIL_BYTES_MAX) }
    }

    /// A command is about to be started.
    pub(super) fn begin(&self, phase: CommandPhase, call: &Invocation) {
        let mut inner = self.lock();
        if inner.commands.len() < COMMANDS_MAX {
            inner.commands.push(Command { phase, argv: call.argv() });
        }
    }

    /// A command printed something.
    pub(super) fn printed(&self, bytes: &[u8]) {
        self.lock().log.push(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Both fields stay whole whatever panics between two pushes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
