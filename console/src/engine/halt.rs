//! When the job table cannot be written: everything stands still until it can. Knows no turns.

use std::time::{Duration, Instant};

use vc_protocol::close::Close;

use super::calls::Pending;
use super::run::{Loop, restore};
use crate::store::StoreError;

/// Pause between two tries to write again after an error.
const MEND_PAUSE: Duration = Duration::from_secs(1);

/// Nothing is handed out or written.
pub(super) struct Halt {
    /// Why, for people.
    pub(super) reason: String,
    pub(super) next_try: Instant,
}

impl Loop {
    /// Memory is ahead of the disk: nothing of this turn is told to anyone, and everything in memory is dropped.
    /// Agents come back by themselves and say what they hold.
    pub(super) fn halt(&mut self, error: &StoreError, answers: Vec<Pending>) {
        let reason = vc_agent::told::chain(error);
        tracing::error!(%reason, "the job table cannot be written: nothing is handed out");
        answers.into_iter().for_each(|answer| answer.refuse(&reason));
        for session in std::mem::take(&mut self.sessions).into_values() {
            session.link.close(Close::Busy);
        }
        for (_, expected) in std::mem::take(&mut self.expected) {
            self.errands.forget(expected.probe);
        }
        self.logs.clear();
        self.halted = Some(Halt { reason, next_try: Instant::now() + MEND_PAUSE });
        self.painter.dirty();
    }

    /// Opens the file again, tries a write, and takes the farm from it.
    pub(super) fn mend(&mut self) {
        let Some(halt) = &mut self.halted else { return };
        if Instant::now() < halt.next_try {
            return;
        }
        let now = self.clock.now();
        let mended = self
            .store
            .reopen()
            .and_then(|()| self.store.try_write())
            .and_then(|()| restore(&self.store, now));
        match mended {
            Ok((mut farm, _)) => {
                farm.restore_closing(self.farm.closing().cloned());
                self.farm = farm;
                self.halted = None;
                tracing::info!("the job table can be written again");
            }
            Err(error) => {
                halt.reason = vc_agent::told::chain(&error);
                halt.next_try = Instant::now() + MEND_PAUSE;
            }
        }
        self.painter.dirty();
    }
}
