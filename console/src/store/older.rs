//! Rows as older releases wrote them, and how they read today.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use vc_farm::record::{AttemptEnd, AttemptRecord, Lease};
use vc_protocol::agent::Report;
use vc_protocol::id::{AttemptId, JobId};
use vc_protocol::operator::EventKind;
use vc_protocol::profile::NamedProfile;
use vc_protocol::v1::ReportV1;
use vc_protocol::v2::{NamedProfileV2, ReportV2};

use super::row::{Row, RowError, decode};
use super::shape::EventRow;

/// An attempt with a report of another shape.
#[derive(Deserialize)]
struct Attempt<R> {
    attempt: AttemptId,
    lease: Lease,
    ended_ms: i64,
    end: AttemptEnd,
    report: Option<Box<R>>,
}

fn attempt<R: DeserializeOwned + Into<Report>>(body: &[u8]) -> Result<AttemptRecord, RowError> {
    let Attempt::<R> { attempt, lease, ended_ms, end, report } = decode(body)?;
    let report = report.map(|report| Box::new((*report).into()));
    Ok(AttemptRecord { attempt, lease, ended_ms, end, report })
}

impl Row for AttemptRecord {
    const VERSION: u8 = 3;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, RowError> {
        match version {
            1 => attempt::<ReportV1>(body),
            2 => attempt::<ReportV2>(body),
            found => Err(RowError::Version { found, known: Self::VERSION }),
        }
    }
}

impl Row for NamedProfile {
    const VERSION: u8 = 2;

    fn from_older(version: u8, body: &[u8]) -> Result<Self, RowError> {
        match version {
            1 => Ok(decode::<NamedProfileV2>(body)?.into()),
            found => Err(RowError::Version { found, known: Self::VERSION }),
        }
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
        if version != 1 {
            return Err(RowError::Version { found: version, known: Self::VERSION });
        }
        let EventV1 { at_ms, text, job } = decode(body)?;
        // It did not say what it is about; all that was not about a job came from agents.
        let kind = if job.is_some() { EventKind::Job } else { EventKind::Agent };
        Ok(EventRow { at_ms, kind, text, who: String::new(), agent: String::new(), job })
    }
}
