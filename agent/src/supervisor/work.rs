//! What the supervisor asks of the code that does the work, so that it is tested without ffmpeg.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vc_protocol::agent::{Proven, Report};
use vc_protocol::job::Offer;
use vc_protocol::prove::Challenge;

use super::link::Link;
use super::slots::Slot;

/// Everything that is done for an attempt.
pub(crate) trait Work: Send + Sync + 'static {
    /// Runs one attempt to its end, whatever that is. Within two seconds of the token no process of it is left.
    fn run(
        self: Arc<Self>,
        offer: Box<Offer>,
        slot: Slot,
        link: Link,
        stop: CancellationToken,
    ) -> impl Future<Output = Report> + Send;

    /// Puts the granted result of an earlier process in place; the draft is the report if that works.
    fn finish(
        self: Arc<Self>,
        offer: Box<Offer>,
        proven: Proven,
        draft: Report,
    ) -> impl Future<Output = Report> + Send;

    /// Deletes the part file of an earlier process.
    fn discard(self: Arc<Self>, offer: Box<Offer>, proven: Proven) -> impl Future<Output = ()> + Send;

    /// Answers a challenge, or says why it cannot.
    fn prove(self: Arc<Self>, challenge: Challenge) -> impl Future<Output = Result<[u8; 32], String>> + Send;
}
