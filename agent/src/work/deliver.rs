//! The last phase: a verified part file becomes the output, if the console says so.

use vc_protocol::agent::{Outcome, Proven};
use vc_protocol::progress::Phase;

use super::attempt::Attempt;
use super::{Grant, Halt};
use crate::commit::{self, BootTime, CommitError, Scratch, failpoint};
use crate::process::StopReason;
use crate::storage::Destination;

impl Attempt<'_> {
    pub(super) async fn deliver(&mut self, to: &Destination, scratch: Scratch) -> Result<Proven, Halt> {
        self.enter(Phase::Committing);
        let proven = commit::seal(scratch.part()).await.map_err(|error| error.failure())?;
        self.link.draft(self.report(Outcome::Committed(proven.clone())));
        loop {
            let answer = tokio::select! {
                biased;
                answer = self.link.ask_commit(&proven) => answer,
                reason = self.stop.stopped() => return Err(stopped(reason, scratch, proven)),
            };
            let granted = BootTime::now();
            match answer {
                Grant::Granted => failpoint("grant-held"),
                Grant::Stale => return Err(Halt::Stopped),
            }
            let source = self.context.storage.fetch(self.offer).await.map_err(|error| error.failure())?;
            if source.stamp != self.offer.stamp {
                return Err(Halt::SourceChanged(source.stamp));
            }
            match commit::place(to.clone(), proven.clone(), granted).await {
                Ok(()) => return Ok(proven),
                Err(CommitError::GrantTooOld) => {}
                Err(error) => return Err(error.failure().into()),
            }
        }
    }
}

/// Stopped while it waits for the grant. A cancelled result is thrown away; one that only has to outlive this process
/// stays.
fn stopped(reason: StopReason, scratch: Scratch, proven: Proven) -> Halt {
    match reason {
        StopReason::Shutdown | StopReason::Now => {
            scratch.keep_part();
            Halt::Parked(proven)
        }
        StopReason::Stalled
        | StopReason::Overtime
        | StopReason::Unwanted
        | StopReason::Stale
        | StopReason::Cancelled => Halt::Stopped,
    }
}
