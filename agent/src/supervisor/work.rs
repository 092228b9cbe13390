//! What the supervisor asks of the code that does the work, so that it is tested without ffmpeg.

use std::future::Future;
use std::sync::Arc;

use vc_protocol::agent::{Proven, Report};
use vc_protocol::device::EncoderFacts;
use vc_protocol::job::Offer;
use vc_protocol::prove::Challenge;

use super::link::Link;
use crate::device::Card;
use crate::process::StopToken;
use crate::proved::Proved;
use crate::work::{End, LiveView, Place};

/// Everything that is done for an attempt.
pub(crate) trait Work: Send + Sync + 'static {
    /// Runs one attempt to its end, whatever that is. Within two seconds of a stop no process of it is left.
    fn run(
        self: Arc<Self>,
        offer: Box<Offer>,
        place: Place,
        link: Link,
        view: LiveView,
        stop: StopToken,
    ) -> impl Future<Output = End> + Send;

    /// Puts the granted result of an earlier process in place; the draft is the report if that works.
    fn finish(
        self: Arc<Self>,
        offer: Box<Offer>,
        proven: Proven,
        draft: Report,
    ) -> impl Future<Output = Report> + Send;

    /// Deletes every file of an attempt of an earlier process.
    fn discard(self: Arc<Self>, offer: Box<Offer>) -> impl Future<Output = ()> + Send;

    /// What the devices have proved.
    fn proved(&self) -> &Arc<Proved>;

    /// What an earlier trial of this card, or of the processor, showed, if that still holds.
    fn kept_trials(&self, card: Option<&Card>) -> Option<Vec<EncoderFacts>>;

    /// Tries every encoder of this card, or of the processor.
    fn try_encoders(
        self: Arc<Self>,
        card: Option<Card>,
        stop: StopToken,
    ) -> impl Future<Output = Vec<EncoderFacts>> + Send;

    /// Answers a challenge, or says why it cannot.
    fn prove(self: Arc<Self>, challenge: Challenge) -> impl Future<Output = Result<[u8; 32], String>> + Send;
}
