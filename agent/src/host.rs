//! This box as the supervisor sees it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::job::Offer;
use vc_protocol::profile::VideoCodec;
use vc_protocol::prove::Challenge;

use crate::config::AgentConfig;
use crate::journal::Record;
use crate::session::state::blank_report;
use crate::state_dir::StateDir;
use crate::supervisor::link::Link;
use crate::supervisor::slots::Slot;
use crate::supervisor::work::Work;

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("find ffmpeg")]
    Tools(#[source] std::io::Error),
    #[error("prepare")]
    Prepare {
        #[source]
        source: std::io::Error,
    },
}

pub(crate) struct Host;

impl Host {
    pub(crate) fn new(_: &AgentConfig, _: &StateDir, _: &[Record]) -> Result<Self, HostError> {
        Ok(Host)
    }
    pub(crate) fn codecs(&self) -> Vec<VideoCodec> {
        vec![]
    }
    pub(crate) fn version_line(&self) -> String {
        String::new()
    }
}

impl Work for Host {
    async fn run(self: Arc<Self>, offer: Box<Offer>, _: Slot, _: Link, _: CancellationToken) -> Report {
        blank_report(offer.attempt, Outcome::Failed(Failure::new(FailureClass::Infrastructure, "none")))
    }
    async fn finish(self: Arc<Self>, offer: Box<Offer>, _: Proven, _: Report) -> Report {
        blank_report(offer.attempt, Outcome::Failed(Failure::new(FailureClass::Infrastructure, "none")))
    }
    async fn discard(self: Arc<Self>, _: Box<Offer>, _: Proven) {}
    async fn prove(self: Arc<Self>, _: Challenge) -> Result<[u8; 32], String> {
        Err("none".into())
    }
}
