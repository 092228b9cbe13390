//! Work without ffmpeg, for the tests of this crate.

use std::sync::Arc;

use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::device::EncoderFacts;
use vc_protocol::id::DeviceId;
use vc_protocol::job::Offer;
use vc_protocol::prove::Challenge;

use super::link::Link;
use super::work::Work;
use crate::process::{StopReason, StopToken};
use crate::session::state::testing::{ended, proven};
use crate::work::{AttemptLink, End, LiveView, Place};

/// Work whose way is told by the source's name.
pub(crate) struct Fake;

impl Work for Fake {
    async fn run(
        self: Arc<Self>,
        offer: Box<Offer>,
        place: Place,
        link: Link,
        _view: LiveView,
        mut stop: StopToken,
    ) -> End {
        let id = offer.attempt;
        let _slot = place.slot().await;
        let stopped = || End::Report(Box::new(Report::blank(id, Outcome::Stopped)));
        match offer.source.0.as_slice() {
            b"panic" => panic!("as asked"),
            b"hang" => {
                stop.stopped().await;
                stopped()
            }
            _ => {
                link.draft(ended(id));
                let proven = proven(id.job.0);
                tokio::select! {
                    _ = link.ask_commit(&proven) => End::Report(Box::new(ended(id))),
                    reason = stop.stopped() => {
                        if reason == StopReason::Shutdown { End::Parked(proven) } else { stopped() }
                    }
                }
            }
        }
    }

    async fn finish(self: Arc<Self>, _: Box<Offer>, _: Proven, draft: Report) -> Report {
        draft
    }

    async fn discard(self: Arc<Self>, _: Box<Offer>) {}

    async fn try_encoders(self: Arc<Self>, _: DeviceId, _: StopToken) -> Vec<EncoderFacts> {
        vec![
            EncoderFacts { name: "good".into(), fps: Some(25.0), ..EncoderFacts::default() },
            EncoderFacts { name: "bad".into(), problem: "makes garbage".into(), ..EncoderFacts::default() },
        ]
    }

    async fn prove(self: Arc<Self>, challenge: Challenge) -> Result<[u8; 32], String> {
        // As a disk does, it lets others go on.
        tokio::task::yield_now().await;
        Ok(challenge.key)
    }
}
