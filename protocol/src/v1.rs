//! Shapes of the first release, as files on disk still hold them. Read, never written.

use serde::Deserialize;

use crate::agent::{Command, Outcome, Report};
use crate::id::AttemptId;

/// [`Report`] before it described the source.
#[derive(Debug, Deserialize)]
pub struct ReportV1 {
    attempt: AttemptId,
    outcome: Outcome,
    encoder: String,
    commands: Vec<Command>,
    warnings: Vec<String>,
    log: String,
    wall_ms: u64,
    media_ms: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl From<ReportV1> for Report {
    fn from(old: ReportV1) -> Self {
        Report {
            encoder: old.encoder,
            commands: old.commands,
            warnings: old.warnings,
            log: old.log,
            wall_ms: old.wall_ms,
            media_ms: old.media_ms,
            bytes_in: old.bytes_in,
            bytes_out: old.bytes_out,
            ..Report::blank(old.attempt, old.outcome)
        }
    }
}
