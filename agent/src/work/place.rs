//! A place in the queue for a slot of a device.
//!
//! Taken when the offer comes, so that slots are given in the order of the offers, which is that of their priority,
//! and not to whoever has described its source first. A slot whose turn has come stays with its attempt while that
//! is being described: mostly this was done before, while the slot was still busy with another one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

type Turn = Result<OwnedSemaphorePermit, AcquireError>;

/// A place in the queue. Dropped, it is given up.
pub struct Place(State);

enum State {
    Come(Turn),
    Queued(Pin<Box<dyn Future<Output = Turn> + Send>>),
}

impl Place {
    /// Takes the last place in the queue, at once.
    pub fn take(slots: &Arc<Semaphore>) -> Place {
        // A future is in the queue from its first poll on; without `unconstrained` a task that has worked for long
        // would be put off before it gets there.
        let mut queued = Box::pin(tokio::task::unconstrained(slots.clone().acquire_owned()));
        match queued.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Place(State::Come(turn)),
            Poll::Pending => Place(State::Queued(queued)),
        }
    }

    /// Whether there was a free slot when the place was taken.
    pub fn has_come(&self) -> bool {
        matches!(self.0, State::Come(_))
    }

    /// The slot, when its turn has come; none when the agent goes down.
    pub async fn slot(self) -> Option<OwnedSemaphorePermit> {
        match self.0 {
            State::Come(turn) => turn.ok(),
            State::Queued(queued) => queued.await.ok(),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("has_come", &self.has_come()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slots_are_given_in_the_order_of_the_places() {
        let slots = Arc::new(Semaphore::new(1));
        let [first, second, third] = [(); 3].map(|()| Place::take(&slots));
        assert!(first.has_come() && !second.has_come());
        drop(first);
        // It is the second one's turn, though the third asks and the second does not yet.
        let mut third = Box::pin(third.slot());
        let asked = third.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(asked.is_pending());
        assert!(second.slot().await.is_some());
        assert!(third.await.is_some());
        assert_eq!(slots.available_permits(), 1);
    }
}
