//! Rows as the first release wrote them, and how they read today.

use serde::Deserialize;
use vc_farm::record::{AttemptEnd, AttemptRecord, Lease};
use vc_protocol::id::{AttemptId, JobId};
use vc_protocol::operator::EventKind;
use vc_protocol::v1::ReportV1;

use super::row::{Row, RowError, decode};
use super::shape::EventRow;

/// The version of both.
const VERSION_1: u8 = 1;

#[derive(Deserialize)]
struct AttemptV1 {
    attempt: AttemptId,
    lease: Lease,
    ended_ms: i64,
    end: AttemptEnd,
    report: Option<Box<ReportV1>>,
}

impl Row for AttemptRecord {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, RowError> {
        if version != VERSION_1 {
            return Err(RowError::Version { found: version, known: Self::VERSION });
        }
        let AttemptV1 { attempt, lease, ended_ms, end, report } = decode(body)?;
        let report = report.map(|report| Box::new((*report).into()));
        Ok(AttemptRecord { attempt, lease, ended_ms, end, report })
    }
}

#[derive(Deserialize)]
struct EventV1 {
    at_ms: i64,
    text: String,
    job: Option<JobId>,
}

impl Row for EventRow {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, RowError> {
        if version != VERSION_1 {
            return Err(RowError::Version { found: version, known: Self::VERSION });
        }
        let EventV1 { at_ms, text, job } = decode(body)?;
        // It did not say what it is about; all that was not about a job came from agents.
        let kind = if job.is_some() { EventKind::Job } else { EventKind::Agent };
        Ok(EventRow { at_ms, kind, text, who: String::new(), agent: String::new(), job })
    }
}
