//! Work without ffmpeg, for the tests of this crate.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::job::Offer;
use vc_protocol::prove::Challenge;

use super::link::Link;
use super::slots::Slot;
use super::work::Work;
use crate::session::state::blank_report;
use crate::session::state::testing::{ended, proven};

/// Work whose way is told by the source's name.
pub(crate) struct Fake;

impl Work for Fake {
    async fn run(
        self: Arc<Self>,
        offer: Box<Offer>,
        slot: Slot,
        link: Link,
        stop: CancellationToken,
    ) -> Report {
        let id = offer.attempt;
        let _permit = slot.take().await;
        match offer.source.0.as_slice() {
            b"panic" => panic!("as asked"),
            b"hang" => {
                link.printed("hanging\n");
                stop.cancelled().await;
                blank_report(id, Outcome::Stopped)
            }
            _ => {
                let done = ended(id);
                tokio::select! {
                    () = link.ask_commit(proven(id.job.0), &done) => done,
                    () = stop.cancelled() => blank_report(id, Outcome::Stopped),
                }
            }
        }
    }

    async fn finish(self: Arc<Self>, _: Box<Offer>, _: Proven, draft: Report) -> Report {
        draft
    }

    async fn discard(self: Arc<Self>, _: Box<Offer>, _: Proven) {}

    async fn prove(self: Arc<Self>, challenge: Challenge) -> Result<[u8; 32], String> {
        Ok(challenge.key)
    }
}
