//! Why work stops, as data: the more urgent reason wins.

use tokio::sync::watch;

/// Why a process or an attempt is ended, the more urgent later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// It made no progress for too long.
    Stalled,
    /// It took longer than such a thing may take.
    Overtime,
    /// What it makes is not wanted any more.
    Unwanted,
    /// The console says that this attempt is not current.
    Stale,
    /// A person cancelled the job.
    Cancelled,
    /// The agent goes down.
    Shutdown,
    /// Asked a second time: no grace.
    Now,
}

/// The side that stops. Clones stop the same work.
#[derive(Debug, Clone)]
pub struct Stopper {
    sender: watch::Sender<Option<StopReason>>,
}

/// The side that is stopped.
#[derive(Debug, Clone)]
pub struct StopToken {
    receiver: watch::Receiver<Option<StopReason>>,
}

impl Stopper {
    /// A stopper, and the token that it stops.
    pub fn new() -> (Stopper, StopToken) {
        let (sender, receiver) = watch::channel(None);
        (Stopper { sender }, StopToken { receiver })
    }

    /// Stops for this reason, unless a more urgent one was given before.
    pub fn stop(&self, reason: StopReason) {
        self.sender.send_if_modified(|current| {
            let harder = *current < Some(reason);
            if harder {
                *current = Some(reason);
            }
            harder
        });
    }

    /// Another token for the same work.
    pub fn token(&self) -> StopToken {
        StopToken { receiver: self.sender.subscribe() }
    }
}

impl StopToken {
    /// The most urgent reason so far.
    pub fn reason(&self) -> Option<StopReason> {
        *self.receiver.borrow()
    }

    /// Waits for a reason more urgent than `seen`; for ever, if the stopper is gone. Cancel-safe.
    pub async fn beyond(&mut self, seen: Option<StopReason>) -> StopReason {
        match self.receiver.wait_for(|reason| *reason > seen).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Waits until there is any reason.
    pub async fn stopped(&mut self) -> StopReason {
        self.beyond(None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_more_urgent_reason_wins_and_a_lesser_one_changes_nothing() {
        let (stopper, mut token) = Stopper::new();
        assert_eq!(token.reason(), None);
        stopper.stop(StopReason::Shutdown);
        stopper.stop(StopReason::Cancelled);
        assert_eq!(token.stopped().await, StopReason::Shutdown);
        stopper.stop(StopReason::Now);
        assert_eq!(token.beyond(Some(StopReason::Shutdown)).await, StopReason::Now);
    }
}
