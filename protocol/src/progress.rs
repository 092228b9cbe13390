//! How far an attempt is. Never durable: it lives in memory and is merged, the newest wins.

use serde::{Deserialize, Serialize};

/// What an attempt is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// On the agent, waiting for a slot.
    Waiting,
    /// The source is being read or probed.
    Fetching,
    /// The encoder runs.
    Encoding,
    /// The result is being proven.
    Verifying,
    /// The result takes its place.
    Committing,
    /// Samples of the source are encoded and measured, to find the wanted quality.
    Sampling,
}

impl Phase {
    /// The word shown on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Fetching => "fetching",
            Self::Encoding => "encoding",
            Self::Verifying => "verifying",
            Self::Committing => "committing",
            Self::Sampling => "sampling",
        }
    }
}

/// Phases told of one attempt: five, and two more for each encoder that was tried.
pub const PHASES_MAX: usize = 32;

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Share of the phase's work done, in thousandths.
    pub permille: u16,
    /// Frames encoded so far.
    pub frames: u64,
    /// Frames a second, a few seconds' average.
    pub fps: f32,
    /// Multiple of real time.
    pub speed: f32,
    /// Output bytes so far.
    pub out_bytes: u64,
    /// Media milliseconds encoded so far.
    pub out_ms: u64,
    /// Seconds left of the phase, if it can be told.
    pub eta_s: Option<u32>,
}

impl Progress {
    /// The start of a phase.
    pub fn start(phase: Phase) -> Self {
        Progress { phase, permille: 0, frames: 0, fps: 0.0, speed: 0.0, out_bytes: 0, out_ms: 0, eta_s: None }
    }

    /// What a peer said, clamped to what can be: no infinities, no more than the whole.
    pub fn clamped(mut self) -> Self {
        let finite = |v: f32| if v.is_finite() { v.clamp(0.0, 1_000_000.0) } else { 0.0 };
        self.permille = self.permille.min(1000);
        self.fps = finite(self.fps);
        self.speed = finite(self.speed);
        self
    }
}
