//! This box: ffmpeg, the media it reaches and the folder it keeps its records in, as the supervisor uses them.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::device::EncoderFacts;
use vc_protocol::id::DeviceId;
use vc_protocol::job::Offer;
use vc_protocol::prove::Challenge;

use crate::commit;
use crate::config::AgentConfig;
use crate::device::Card;
use crate::encoder;
use crate::ffmpeg::{self, Tools, ToolsError};
use crate::journal::Record;
use crate::parts::Parts;
use crate::process::{self, Spawner, StopToken};
use crate::proved::Proved;
use crate::state_dir::StateDir;
use crate::storage::{Mounted, Storage};
use crate::supervisor::link::Link;
use crate::supervisor::work::Work;
use crate::told;
use crate::trial::{self, Bench, Cache, Folder, Subject};
use crate::work::{self, End, LiveView, Place, STALL_MAX, WorkContext};

/// Why this box cannot work.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// ffmpeg or ffprobe.
    #[error("find what videos are converted with")]
    Tools(#[from] ToolsError),
    /// Clearing up after an earlier process, or starting.
    #[error("{step}")]
    Prepare {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// What every attempt on this box shares.
pub(crate) struct Host {
    context: WorkContext,
    parts: Parts,
    /// Where trials write.
    trials: PathBuf,
    /// What earlier trials showed.
    kept: Cache,
}

impl Host {
    /// Blocks for as long as ffmpeg takes to say its version. Processes of an earlier agent are ended before their
    /// files are deleted: they may still write.
    pub(crate) fn new(config: &AgentConfig, dir: &StateDir, left: &[Record]) -> Result<Self, HostError> {
        let at = |step| move |source| HostError::Prepare { step, source };
        let children = dir.children();
        let killed = process::sweep(&children).map_err(at("end processes of an earlier run"))?;
        if killed > 0 {
            tracing::warn!(killed, "ended processes that an earlier run left behind");
        }
        let parts = Parts::open(&dir.run().join("parts"), &proven_parts(left))
            .map_err(at("delete files of an earlier run"))?;
        let tools = match &config.tools {
            Some(tools) => tools.clone(),
            None => Tools::find(config.ffmpeg.as_deref(), config.ffprobe.as_deref())?,
        };
        let spawner = Spawner::start(Some(children)).map_err(at("start the thread that starts ffmpeg"))?;
        let storage: Arc<dyn Storage> = Arc::new(Mounted::new(config.maps.clone()));
        let proved = Arc::new(Proved::new(tools.encoders.clone(), [(DeviceId(0), None)]));
        let kept = Cache::open(&tools);
        let context = WorkContext { tools: Arc::new(tools), proved, spawner, storage, stall: STALL_MAX };
        Ok(Host { context, parts, trials: dir.run(), kept })
    }

    /// First line of `ffmpeg -version`.
    pub(crate) fn version_line(&self) -> String {
        self.context.tools.version_line.clone()
    }
}

fn proven_parts(left: &[Record]) -> BTreeSet<vc_protocol::path::FilePath> {
    let part = |record: &Record| match record {
        Record::Proven { proven, .. } => Some(proven.part.clone()),
        Record::Ended(_) => None,
    };
    left.iter().filter_map(part).collect()
}

impl Work for Host {
    async fn run(
        self: Arc<Self>,
        offer: Box<Offer>,
        place: Place,
        link: Link,
        view: LiveView,
        stop: StopToken,
    ) -> End {
        let link = link.with_parts(self.parts.clone());
        work::run(&self.context, &offer, place, &link, &view, stop).await
    }

    async fn finish(self: Arc<Self>, offer: Box<Offer>, proven: Proven, draft: Report) -> Report {
        let outcome = commit::finish(&*self.context.storage, &offer, &proven).await;
        let bytes_out = if matches!(outcome, Outcome::Committed(_)) { proven.size } else { 0 };
        Report { outcome, bytes_out, ..draft }
    }

    async fn discard(self: Arc<Self>, offer: Box<Offer>) {
        if let Err(error) = commit::discard(&*self.context.storage, &offer).await {
            tracing::warn!(attempt = %offer.attempt, "files may stay behind: {}", told::chain(&error));
        }
    }

    fn proved(&self) -> &Arc<Proved> {
        &self.context.proved
    }

    fn kept_trials(&self, card: Option<&Card>) -> Option<Vec<EncoderFacts>> {
        let rows = encoder::rows(card.map(|card| &card.gpu), &self.context.tools.encoders);
        self.kept.kept(&Subject::of(card), &rows)
    }

    async fn try_encoders(self: Arc<Self>, card: Option<Card>, stop: StopToken) -> Vec<EncoderFacts> {
        let WorkContext { tools, spawner, .. } = &self.context;
        let gpu = card.as_ref().map(|card| &card.gpu);
        let rows = encoder::rows(gpu, &tools.encoders);
        let folder = match Folder::make(&self.trials) {
            Ok(folder) => folder,
            Err(error) => {
                // Nothing is known then, and nothing is kept.
                tracing::warn!("no encoder is tried: no folder in {}: {error}", self.trials.display());
                return Vec::new();
            }
        };
        let bench = Bench { tools, spawner, folder: &folder, stop: &stop };
        let facts = trial::device(bench, gpu, &rows, &mut |_| {}).await;
        if stop.reason().is_none() && !facts.iter().any(|facts| ffmpeg::is_busy(&facts.problem)) {
            self.kept.remember(&Subject::of(card.as_ref()), &rows, &facts);
        }
        facts
    }

    async fn prove(self: Arc<Self>, challenge: Challenge) -> Result<[u8; 32], String> {
        self.context.storage.prove(&challenge).await
    }
}
