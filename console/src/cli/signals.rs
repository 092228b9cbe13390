//! The signals that ask the program to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{Exit, Failed};

/// Asks for the end; once this listens, they end the process by themselves no more.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Signals, Failed> {
        let on = |kind| {
            signal(kind)
                .map_err(|e| Failed::unexpected(&anyhow::Error::from(e).context("listen for signals")))
        };
        Ok(Signals { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    /// Waits until one comes: the exit status of a program that it ends. Cancel-safe.
    pub(super) async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}
