//! What the rows hold, and where a job stands in the index.

use serde::{Deserialize, Serialize};
use vc_farm::record::{AgentRecord, FarmRecord, JobRecord, Lease};
use vc_protocol::agent::AgentHello;
use vc_protocol::device::Device;
use vc_protocol::id::{AttemptNo, JobId, ProfileId, RootId, TaskNo};
use vc_protocol::job::{FileStamp, JobSpec, JobState};
use vc_protocol::operator::EventKind;
use vc_protocol::path::FilePath;

use super::row::Row;
use super::tables::IndexKey;

/// Attempts that a job's row points to; older ones are forgotten.
pub(super) const RUNS_MAX: usize = 10;

/// A whole job with what points to its attempts: one row, so that a hand-out is one read and an end is one write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredJob {
    /// What was asked for.
    pub(super) spec: JobSpec,
    /// As the farm core made it.
    pub(super) record: JobRecord,
    /// Attempts that ended, oldest first, at most [`RUNS_MAX`].
    pub(super) runs: Vec<Run>,
}

/// Points from a job to one attempt that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// Its task.
    pub(super) task: TaskNo,
    /// Its number.
    pub(super) no: AttemptNo,
    /// Who had it.
    pub(super) lease: Lease,
    /// Its place in the table of attempts.
    pub(super) at: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventRow {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What it is about.
    pub kind: EventKind,
    /// The sentence.
    pub text: String,
    /// The operator who did it; empty if it happened by itself.
    pub who: String,
    /// Name of the agent concerned, empty if there is none.
    pub agent: String,
    /// The job concerned.
    pub job: Option<JobId>,
}

/// Sources that were added together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BatchRow {
    /// When, milliseconds since 1970.
    pub(super) created_ms: i64,
    /// From where.
    pub(super) source_root: RootId,
}

/// What an agent was like when it was last connected, for screens and for the names of devices.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Where it dialled from.
    pub address: String,
    /// Version of the program.
    pub version: String,
    /// First line of `ffmpeg -version`.
    pub ffmpeg: String,
    /// Its devices.
    pub devices: Vec<Device>,
}

impl StoredJob {
    /// Who runs it, or ran it last.
    pub(super) fn lease(&self) -> Option<Lease> {
        let out = self.record.tasks.iter().find_map(|task| task.lease());
        out.or_else(|| self.runs.last().map(|run| run.lease))
    }
}

impl Seen {
    /// What a connecting agent says of itself.
    pub fn of(name: &str, address: String, hello: &AgentHello) -> Self {
        Seen {
            name: name.to_owned(),
            address,
            version: hello.version.clone(),
            ffmpeg: hello.ffmpeg.clone(),
            devices: hello.devices.clone(),
        }
    }
}

/// Numbers handed out next, and sums over the whole table. One row, written with every turn.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) last_job: u64,
    pub(super) last_root: u32,
    pub(super) last_profile: u32,
    pub(super) last_batch: u32,
    pub(super) last_attempt: u64,
    pub(super) last_event: u64,
    /// Grows with every turn that wrote something.
    pub(super) revision: u64,
    pub(super) tally: Tally,
}

/// Sums over the whole table; always equal to what its rows say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Jobs by state, in the order of [`JobState::ALL`].
    pub by_state: [u64; 7],
    /// Source bytes of completed jobs.
    pub bytes_in: u64,
    /// Output bytes of completed jobs.
    pub bytes_out: u64,
    /// Source milliseconds of completed jobs.
    pub media_ms: u64,
    /// Expected work of jobs in final states.
    pub cost_done: u64,
    /// Expected work of all others.
    pub cost_open: u64,
}

impl Tally {
    pub(super) fn enter(&mut self, record: &JobRecord) {
        self.shift(record, |sum, by| *sum = sum.saturating_add(by));
    }

    pub(super) fn leave(&mut self, record: &JobRecord) {
        self.shift(record, |sum, by| *sum = sum.saturating_sub(by));
    }

    fn shift(&mut self, record: &JobRecord, add: impl Fn(&mut u64, u64)) {
        add(&mut self.by_state[record.state as usize], 1);
        let cost = if record.state.is_final() { &mut self.cost_done } else { &mut self.cost_open };
        add(cost, record.cost);
        if let (JobState::Completed, Some(result)) = (record.state, &record.result) {
            add(&mut self.bytes_in, result.bytes_in);
            add(&mut self.bytes_out, result.bytes_out);
            add(&mut self.media_ms, result.media_ms);
        }
    }

    /// Jobs in this state.
    pub fn of(&self, state: JobState) -> u64 {
        self.by_state[state as usize]
    }
}

/// Where a job stands: pending ones in the order in which they are handed out, running ones by number, all others
/// newest first.
pub(super) fn index_key(record: &JobRecord) -> IndexKey {
    let id = record.id.0;
    match record.state {
        JobState::Pending => (JobState::Pending as u8, !record.priority.0, !record.cost, id),
        JobState::Running => (JobState::Running as u8, 0, 0, id),
        state @ (JobState::Completed
        | JobState::Failed
        | JobState::Cancelled
        | JobState::Skipped
        | JobState::Held) => (state as u8, 0, !(record.updated_ms.max(0) as u64), !id),
    }
}

/// Stands behind the states in the index: pending jobs a second time, newest change first, since their own place is
/// that in the queue.
pub(super) const WAITING: u8 = 7;

/// Where a pending job stands by its last change.
pub(super) fn waiting_key(record: &JobRecord) -> Option<IndexKey> {
    let key = (WAITING, 0, !(record.updated_ms.max(0) as u64), !record.id.0);
    (record.state == JobState::Pending).then_some(key)
}

/// The job of an index key.
pub(super) fn index_job(key: IndexKey) -> JobId {
    let by_number = key.0 == JobState::Pending as u8 || key.0 == JobState::Running as u8;
    JobId(if by_number { key.3 } else { !key.3 })
}

/// Key of a source: what must be equal for a rescan to find nothing new, except size and time.
pub(super) fn source_key(
    source_root: RootId,
    profile: ProfileId,
    output_root: RootId,
    path: &[u8],
) -> Vec<u8> {
    let mut key = Vec::with_capacity(12 + path.len());
    for part in [source_root.0, profile.0, output_root.0] {
        key.extend_from_slice(&part.to_be_bytes());
    }
    key.extend_from_slice(path);
    key
}

macro_rules! rows {
    ($($shape:ty),*) => { $(impl Row for $shape { const VERSION: u8 = 1; })* };
}
rows!(StoredJob, BatchRow, Seen, Counters, FarmRecord, AgentRecord, FileStamp);

/// What a folder is for. The same folder in both roles has two numbers: each role is proved by other means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    /// Sources are below it.
    Source = b's',
    /// Outputs go below it.
    Output = b'o',
}

/// A folder as its table holds it: the role's letter, then the absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RootRow(Vec<u8>);

impl RootRow {
    pub(super) fn new(role: Role, path: &FilePath) -> Self {
        let mut bytes = vec![role as u8];
        bytes.extend_from_slice(&path.0);
        RootRow(bytes)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        RootRow(bytes.to_vec())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn path(&self) -> FilePath {
        FilePath(self.0.get(1..).unwrap_or_default().to_vec())
    }
}
