//! What agents and console say to each other on the control stream, after the hello.
//!
//! Every message about work carries its [`AttemptId`]. One that is not current changes nothing and is answered
//! [`ToAgent::Stale`].

use serde::{Deserialize, Serialize};

use crate::codec::Message;
use crate::device::{BoxFacts, Device};
use crate::failure::Failure;
use crate::id::{AgentId, AttemptId, DeviceId, RootId};
use crate::job::{FileStamp, Offer};
use crate::media::Media;
use crate::path::FilePath;
use crate::progress::{Phase, Progress};
use crate::prove::Challenge;

/// How often an agent says that it is alive and what it runs, in seconds. Three lost ones make it suspect.
pub const HEARTBEAT_S: u64 = 5;
/// Most attempts named in one hello or heartbeat; far above what the slots of one box can hold.
pub const ATTEMPTS_MAX: usize = 4096;
/// Most bytes of ffmpeg's log kept of an attempt in its report, so that a report fits a frame.
pub const LOG_TAIL_BYTES_MAX: usize = 64 * 1024;
/// Most commands listed in a report.
pub const COMMANDS_MAX: usize = 32;

/// The agent's first message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentHello {
    /// Random for each start of the process: tells a restart from a network change.
    pub instance: u64,
    /// Host name, for people.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// First line of `ffmpeg -version`.
    pub ffmpeg: String,
    /// What it offers.
    pub devices: Vec<Device>,
    /// Attempts that it still runs or has finished and not had acknowledged.
    pub inventory: Vec<Held>,
}

/// An attempt that the agent still holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Held {
    /// It runs, or waits for a slot.
    Running(AttemptId, Progress),
    /// Its result is proven and waits for the right to commit.
    Proven(AttemptId, Proven),
    /// It ended, and the report was not acknowledged.
    Ended(Box<Report>),
}

impl Held {
    /// Which attempt.
    pub fn attempt(&self) -> AttemptId {
        match self {
            Self::Running(a, _) | Self::Proven(a, _) => *a,
            Self::Ended(report) => report.attempt,
        }
    }
}

/// A proven, flushed part file, ready to take its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// Name of the part file in the root's temporary folder.
    pub part: FilePath,
    /// BLAKE3 of its content.
    pub hash: [u8; 32],
    /// Its size in bytes.
    pub size: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The output is in place, flushed, under the granted hash.
    Committed(Proven),
    /// Nothing needed doing: the output was there already; the text says which.
    Skipped(String),
    /// The source is another than the offer says, now like this; nothing was committed.
    SourceChanged(FileStamp),
    /// It did not work.
    Failed(Failure),
    /// It was told to stop, and did; its files are gone.
    Stopped,
}

/// What a command line was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandPhase {
    /// Looking at the source.
    Probe,
    /// Making the output.
    Encode,
    /// Proving the output.
    Verify,
    /// Measuring samples for the wanted quality.
    Sample,
}

/// A command that was run, as it can be run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What it was for.
    pub phase: CommandPhase,
    /// Program and arguments as bytes.
    pub argv: Vec<FilePath>,
}

/// An encoder that could have been used, and why it was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// ffmpeg's name of it.
    pub encoder: String,
    /// Why: `failed its trial: …`, or what it said when it ran.
    pub cause: String,
}

/// Most of them told.
pub const PASSED_OVER_MAX: usize = 16;

/// What likeness is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// 0 to 100.
    Vmaf,
    /// 0 to 1.
    Ssim,
}

impl Metric {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vmaf => "VMAF",
            Self::Ssim => "SSIM",
        }
    }
}

/// A quality that was found by measuring samples of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityFound {
    /// In what.
    pub metric: Metric,
    /// The score that the profile asks for.
    pub target: f64,
    /// The quality that was taken, on the encoder's own scale.
    pub quality: f64,
    /// The score that it is expected to have.
    pub predicted: f64,
    /// What was tried: quality and score.
    pub tried: Vec<(f64, f64)>,
}

impl QualityFound {
    /// For people: `23.5 for VMAF 95, predicted 95.2; tried 20: 97.1, 28: 92.4`.
    pub fn words(&self) -> String {
        let digits = match self.metric {
            Metric::Vmaf => 1,
            Metric::Ssim => 4,
        };
        let score = |score: f64| rounded(score, digits);
        let tried: Vec<_> = self
            .tried
            .iter()
            .map(|(quality, got)| format!("{}: {}", rounded(*quality, 1), score(*got)))
            .collect();
        let tried = if tried.is_empty() { String::new() } else { format!("; tried {}", tried.join(", ")) };
        let (quality, metric) = (rounded(self.quality, 1), self.metric.word());
        format!("{quality} for {metric} {}, predicted {}{tried}", score(self.target), score(self.predicted))
    }
}

/// With at most so many digits behind the point.
fn rounded(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Most tried qualities told.
pub const QUALITIES_MAX: usize = 8;

/// The end of an attempt. Repeated until acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub outcome: Outcome,
    /// The encoder that ran last, empty if none did.
    pub encoder: String,
    /// Every command that was started.
    pub commands: Vec<Command>,
    /// What could not be kept, and other things worth a look.
    pub warnings: Vec<String>,
    /// Last lines of ffmpeg's log, at most [`LOG_TAIL_BYTES_MAX`].
    pub log: String,
    /// Wall milliseconds from the start of its first command to its end.
    pub wall_ms: u64,
    /// Length of the source in milliseconds, 0 if unknown.
    pub media_ms: u64,
    /// Source bytes.
    pub bytes_in: u64,
    /// Output bytes, 0 unless committed.
    pub bytes_out: u64,
    /// The source as ffprobe describes it, if it was looked into; see [`Media::told`].
    pub media: Option<Box<Media>>,
    /// Phases in order, with the milliseconds that each took; at most [`crate::progress::PHASES_MAX`].
    pub phases: Vec<(Phase, u64)>,
    /// Encoders that were not used, the preferred first; at most [`PASSED_OVER_MAX`].
    pub passed_over: Vec<PassedOver>,
    /// How its quality was found, if it was measured for.
    pub quality: Option<QualityFound>,
}

impl Report {
    /// Of an attempt of which nothing is known but its end.
    pub fn blank(attempt: AttemptId, outcome: Outcome) -> Report {
        Report {
            attempt,
            outcome,
            encoder: String::new(),
            commands: Vec::new(),
            warnings: Vec::new(),
            log: String::new(),
            wall_ms: 0,
            media_ms: 0,
            bytes_in: 0,
            bytes_out: 0,
            media: None,
            phases: Vec::new(),
            passed_over: Vec::new(),
            quality: None,
        }
    }
}

/// From an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromAgent {
    /// First message of a session.
    Hello(Box<AgentHello>),
    /// Alive, and holding these attempts: renews their leases.
    Heartbeat(Vec<AttemptId>),
    /// How far things are. Renews nothing; may be merged or lost.
    Progress(Vec<(AttemptId, Progress)>),
    /// May this proven result take its place?
    AskCommit(AttemptId, Proven),
    /// An attempt ended.
    Report(Box<Report>),
    /// Answer to [`ToAgent::Prove`]: the proof, or why there is none.
    Proof(RootId, Result<[u8; 32], String>),
    /// Answer to [`ToAgent::WantLog`].
    Log(AttemptId, LiveLog),
    /// The agent is going down: no more work; what it holds comes back as reports.
    Draining,
    /// Answer to [`ToAgent::SelfTest`]: whether every encoder of the device works, and if not, which fails how.
    SelfTested(DeviceId, Result<(), String>),
    /// Answer to [`ToAgent::WantFacts`], and with every heartbeat while work is held.
    Facts(Box<BoxFacts>),
    /// Answer to [`ToAgent::WantOwnLog`]: the last lines, at most [`LOG_TAIL_BYTES_MAX`].
    OwnLog(String),
    /// What it offers has changed: slots were learned, an encoder was tried, a card came or went. Replaces all of
    /// what the hello said.
    Devices(Vec<Device>),
}

/// What a running attempt has printed and run so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LiveLog {
    /// Commands started so far.
    pub commands: Vec<Command>,
    /// Last lines, at most [`LOG_TAIL_BYTES_MAX`].
    pub log: String,
    /// The encoder that runs, empty before one does.
    pub encoder: String,
    /// Encoders that it would go on with.
    pub next_encoders: Vec<String>,
    /// The source as ffprobe describes it, once it did.
    pub media: Option<Box<Media>>,
    /// Phases in order, with the milliseconds that each took so far.
    pub phases: Vec<(Phase, u64)>,
    /// Encoders that were not used so far.
    pub passed_over: Vec<PassedOver>,
    /// How its quality was found, if it was measured for.
    pub quality: Option<QualityFound>,
}

/// What becomes of an attempt that the agent held when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disposition {
    /// Go on.
    Continue,
    /// The right to commit is yours: go on with the rename.
    Commit,
    /// Known and final: forget it.
    Done,
    /// Kill it, delete its files, forget it.
    Abandon,
}

/// To an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToAgent {
    /// Answer to the hello.
    Welcome {
        /// The id that the certificate carries.
        agent: AgentId,
        /// Its name in the farm.
        name: String,
        /// What to do with each attempt of the inventory, in its order.
        inventory: Vec<(AttemptId, Disposition)>,
    },
    /// Run this.
    Offer(Box<Offer>),
    /// End this attempt within two seconds, delete its files, report [`Outcome::Stopped`].
    Cancel(AttemptId),
    /// The right to commit is granted.
    Granted(AttemptId),
    /// The report is on disk: forget the attempt.
    Done(AttemptId),
    /// That attempt is not current: kill it, delete its files, forget it.
    Stale(AttemptId),
    /// Prove that you see this folder.
    Prove(Box<Challenge>),
    /// Send [`FromAgent::Log`] of this attempt.
    WantLog(AttemptId),
    /// Try every encoder of this device, send [`FromAgent::SelfTested`].
    SelfTest(DeviceId),
    /// Send [`FromAgent::Facts`].
    WantFacts,
    /// Send [`FromAgent::OwnLog`].
    WantOwnLog,
}

impl Message for FromAgent {
    const KINDS: u32 = 12;
}

impl Message for ToAgent {
    const KINDS: u32 = 11;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quality_that_was_found_is_told_with_what_was_tried() {
        let tried = vec![(20.0, 97.13), (28.25, 92.0)];
        let (target, quality, predicted) = (95.0, 23.5, 95.24);
        let mut found = QualityFound { metric: Metric::Vmaf, target, quality, predicted, tried };
        assert_eq!(found.words(), "23.5 for VMAF 95, predicted 95.2; tried 20: 97.1, 28.2: 92");
        (found.metric, found.target, found.predicted) = (Metric::Ssim, 0.98, 0.980_04);
        found.tried.clear();
        assert_eq!(found.words(), "23.5 for SSIM 0.98, predicted 0.98");
    }
}
