//! What the store keeps of a job, and what a restart gives back to the farm.
//!
//! The core alone makes these values; the store writes them as they are.

use serde::{Deserialize, Serialize};
use vc_protocol::agent::{Proven, Report};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, AttemptId, AttemptNo, BatchId, DeviceId, JobId, ProfileId, RootId, TaskNo};
use vc_protocol::job::{JobState, Priority};
use vc_protocol::profile::VideoCodec;

/// What decides where a job can run, shared by many jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// Folder of the source: the agent must have proved that it sees it.
    pub source_root: RootId,
    /// Folder of the output: likewise, and that it can write there.
    pub output_root: RootId,
    /// Recipe.
    pub profile: ProfileId,
    /// Codec that the recipe wants.
    pub codec: VideoCodec,
    /// Added together with: batches of equal priority take turns.
    pub batch: BatchId,
}

/// A job's changing part. Its unchanging part is `vc_protocol::job::JobSpec`, which the core never sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its number.
    pub id: JobId,
    /// Where it can run.
    pub group: Group,
    /// Higher first.
    pub priority: Priority,
    /// Expected work in arbitrary units, comparable between jobs: the longest goes first.
    pub cost: u64,
    /// Its state.
    pub state: JobState,
    /// Last change, milliseconds since 1970.
    pub updated_ms: i64,
    /// Why it is as it is: last failure, hold or skip reason.
    pub reason: Option<Reason>,
    /// Its graph of tasks; a task's number is its place here.
    pub tasks: Vec<TaskRecord>,
    /// What came of it, once completed.
    pub result: Option<JobResult>,
}

/// Why a job is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Class of the failure behind it, if there is one.
    pub class: Option<FailureClass>,
    /// One line for people.
    pub text: String,
}

/// What kind of work a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskKind {
    /// The whole conversion of one file.
    Encode,
}

/// A unit of a job's work that one agent runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// What it is.
    pub kind: TaskKind,
    /// Tasks of this job that must be done before.
    pub needs: Vec<TaskNo>,
    /// Where it stands.
    pub state: TaskState,
    /// Highest attempt number ever issued; only grows.
    pub attempt: AttemptNo,
    /// Retries of the job's own budget that were used.
    pub retries: u8,
    /// Attempts that were launched, whatever became of them.
    pub launches: u8,
    /// Not to be launched before, milliseconds since 1970.
    pub not_before_ms: Option<i64>,
    /// Agents that failed it; others are tried first.
    pub failed_on: Vec<AgentId>,
    /// Agents on which its process was killed by a signal nobody sent.
    pub crashed_on: Vec<AgentId>,
    /// How often its agent was lost while running it.
    pub lost: u8,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskState {
    /// Not handed out: waits for what it needs, for a time, or for a device.
    Open,
    /// Handed out; the agent has not said yet that it runs.
    Leased(Lease),
    /// The agent said that it runs.
    Running(Lease),
    /// This attempt has the right to commit exactly this file. Does not lapse with the lease.
    Granted(Lease, Proven),
    /// Its work is done.
    Done,
}

/// Who has an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The agent.
    pub agent: AgentId,
    /// The device.
    pub device: DeviceId,
    /// When it was handed out, milliseconds since 1970.
    pub since_ms: i64,
}

/// What came of a completed job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobResult {
    /// Source bytes.
    pub bytes_in: u64,
    /// Output bytes.
    pub bytes_out: u64,
    /// Wall milliseconds of the attempt.
    pub wall_ms: u64,
    /// Length of the source in milliseconds.
    pub media_ms: u64,
}

/// What is remembered of the farm as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FarmRecord {
    /// Nothing is handed out.
    pub paused: Option<Pause>,
}

/// Why nothing is handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who asked for it; empty if the farm did it by itself.
    pub who: String,
    /// Why, if more is to be said than that somebody asked for it.
    pub why: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// What is remembered of an agent, whether it is there or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentRecord {
    /// A person wants nothing new there.
    pub drained: bool,
    /// Its devices of which there is something to remember.
    pub devices: Vec<DeviceRecord>,
}

/// What is remembered of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Which.
    pub id: DeviceId,
    /// A person wants nothing new there.
    pub drained: bool,
    /// It failed too often.
    pub quarantine: Option<Quarantine>,
    /// It passed a test after a quarantine, and no job yet.
    pub on_trial: bool,
    /// When it was quarantined, milliseconds since 1970, oldest first.
    pub quarantined_ms: Vec<i64>,
}

/// Why a device gets no work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What happened.
    pub why: String,
    /// When it is tested, milliseconds since 1970; none if only a person lets it work again.
    pub until_ms: Option<i64>,
}

/// An attempt that ended, kept for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Which.
    pub attempt: AttemptId,
    /// Who had it.
    pub lease: Lease,
    /// When it ended, milliseconds since 1970.
    pub ended_ms: i64,
    /// How it ended.
    pub end: AttemptEnd,
    /// What the agent said of it; none if the agent was lost.
    pub report: Option<Box<Report>>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptEnd {
    /// Its output is in place.
    Completed,
    /// There was nothing to do.
    Skipped,
    /// It was stopped: a cancel, or its agent went down.
    Stopped,
    /// It failed.
    Failed(Reason),
}
