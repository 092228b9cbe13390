//! Work without ffmpeg, for the tests of this crate.

use std::sync::Arc;

use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::device::EncoderFacts;
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::DeviceId;
use vc_protocol::job::Offer;
use vc_protocol::progress::{Phase, Progress};
use vc_protocol::prove::Challenge;

use super::link::Link;
use super::work::Work;
use crate::device::Card;
use crate::encoder::{ENCODERS, Route};
use crate::process::{StopReason, StopToken};
use crate::proved::Proved;
use crate::session::state::testing::{ended, proven};
use crate::work::{AttemptLink, End, LiveView, Place};

/// Work whose way is told by the source's name, with an ffmpeg that lists every encoder of the table.
pub(crate) struct Fake(Arc<Proved>);

impl Fake {
    pub(crate) fn new() -> Self {
        let listed = ENCODERS.iter().map(|encoder| encoder.name.to_owned()).collect();
        Fake(Arc::new(Proved::new(listed, [(DeviceId(0), None)])))
    }
}

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
            b"refused" => {
                let cause = Failure::new(FailureClass::Capacity, "no encoder session is free");
                let encoder = ENCODERS.iter().find(|row| row.route != Route::Cpu);
                let encoder = encoder.map(|row| row.name.to_owned()).unwrap_or_default();
                End::Report(Box::new(Report { encoder, ..Report::blank(id, Outcome::Failed(cause)) }))
            }
            b"hang" => {
                link.progress(Progress::start(Phase::Encoding));
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

    fn proved(&self) -> &Arc<Proved> {
        &self.0
    }

    fn kept_trials(&self, _: Option<&Card>) -> Option<Vec<EncoderFacts>> {
        None
    }

    async fn try_encoders(self: Arc<Self>, card: Option<Card>, _: StopToken) -> Vec<EncoderFacts> {
        let own = if card.is_some() { DeviceId(1) } else { DeviceId(0) };
        // Each trial finds one encoder less that works, the last one of the table first.
        let mut facts = self.0.facts(own);
        let good = facts.iter().rposition(|f| f.problem.is_empty() && f.fps.is_some()).unwrap_or(facts.len());
        for (place, facts) in facts.iter_mut().enumerate() {
            facts.fps = (place < good).then_some(25.0);
            facts.problem = if place < good { String::new() } else { "makes garbage".to_owned() };
        }
        facts
    }

    async fn prove(self: Arc<Self>, challenge: Challenge) -> Result<[u8; 32], String> {
        // As a disk does, it lets others go on.
        tokio::task::yield_now().await;
        Ok(challenge.key)
    }
}
