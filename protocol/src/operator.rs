//! The operator service: what the dashboard and the command line ask of the server.
//!
//! One connection answers requests in order, each with one [`Response`]; [`Request::Subscribe`] and [`Request::Add`]
//! turn it into a stream of them.

use serde::{Deserialize, Serialize};

use crate::agent::Command;
use crate::failure::FailureClass;
use crate::id::{AgentId, AttemptId, DeviceId, JobId, TaskNo};
use crate::job::{JobState, Priority};
use crate::path::FilePath;
use crate::progress::Progress;

/// Most rows in one page of jobs: a page of rows with 4 KiB paths would not fit a frame, so pages are also cut by size.
pub const PAGE_ROWS_MAX: usize = 200;
/// Most ids in one request; the command line splits longer lists.
pub const IDS_MAX: usize = 10_000;

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobFilter {
    /// Only these states; empty for all.
    pub states: Vec<JobState>,
    /// Only rows whose source, output, profile, agent or cause contains this, without regard to case; empty for all.
    pub text: String,
}

/// Jobs meant by a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selection {
    /// These.
    Ids(Vec<JobId>),
    /// All that the filter finds.
    Filter(JobFilter),
}

/// What an operator can ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One [`Response::Snapshot`].
    Snapshot,
    /// A [`Response::Snapshot`] now and whenever something changed, at most ten a second.
    Subscribe,
    /// A [`Response::Page`].
    Jobs {
        /// Which.
        filter: JobFilter,
        /// Rows to leave out in front.
        offset: u64,
        /// Rows wanted, at most [`PAGE_ROWS_MAX`].
        limit: u32,
    },
    /// A [`Response::Detail`].
    Job(JobId),
    /// A [`Response::Detail`] with the log of the newest attempt, asked of its agent if it runs.
    Log(JobId),
    /// A [`Response::Acted`]: back to pending, with full budgets.
    Retry(Selection),
    /// A [`Response::Acted`].
    Cancel(Selection),
    /// A [`Response::Why`].
    Why(JobId),
    /// [`Response::Adding`] while it scans, then [`Response::Added`].
    Add(AddRequest),
    /// A [`Response::Token`].
    TokenCreate {
        /// Agents it lets in.
        uses: u16,
        /// Seconds it lives.
        ttl_s: u64,
    },
    /// A [`Response::Profiles`].
    Profiles,
    /// A [`Response::Stopping`], then the server ends. Agents go on.
    Stop,
}

/// Folders and files to convert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddRequest {
    /// Absolute paths of files and folders.
    pub paths: Vec<FilePath>,
    /// Absolute path of the output folder.
    pub out: FilePath,
    /// Name of the profile.
    pub profile: String,
    /// Priority of all of them.
    pub priority: Priority,
    /// Only say what would be added.
    pub dry_run: bool,
}

/// Counts of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScanCounts {
    /// Files looked at.
    pub seen: u64,
    /// New jobs.
    pub added: u64,
    /// Already known, unchanged.
    pub unchanged: u64,
    /// Not videos by their extension, hidden, or too small.
    pub ignored: u64,
    /// Refused: another source claims that output.
    pub clashed: u64,
    /// Could not be read.
    pub unreadable: u64,
}

/// Counters of the whole farm.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FarmTotals {
    /// Jobs by state, in the order of [`JobState::ALL`].
    pub by_state: [u64; 7],
    /// Pending jobs that wait for a retry.
    pub to_retry: u64,
    /// Running jobs whose agent is silent.
    pub unsure: u64,
    /// Source bytes of completed jobs.
    pub bytes_in: u64,
    /// Output bytes of completed jobs.
    pub bytes_out: u64,
    /// Source milliseconds of completed jobs.
    pub media_ms: u64,
    /// Sum of the slots' speeds, as multiple of real time.
    pub speed: f32,
    /// Sum of the slots' frames a second.
    pub fps: f32,
    /// Share of the work done, in thousandths, by expected cost.
    pub permille: u16,
    /// Seconds until everything ends, once three jobs are done.
    pub eta_s: Option<u64>,
    /// Free bytes where outputs go, smallest of the output roots; none if there is none.
    pub output_free: Option<u64>,
    /// Farm speed each minute of the last hour, oldest first, times ten.
    pub speed_minutes: Vec<u32>,
}

/// How an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Connected and heard.
    Ok,
    /// Connected, silent for a while: no new work.
    Suspect,
    /// Not connected.
    Offline,
    /// Going down: finishes, takes nothing new.
    Draining,
}

/// A running attempt on a screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Which.
    pub attempt: AttemptId,
    /// Source below its root.
    pub source: FilePath,
    /// Name of the profile.
    pub profile: String,
    /// Where it stands.
    pub progress: Progress,
    /// Its agent is silent: this may be old.
    pub unsure: bool,
}

/// A device on a screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Its number.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Encodes at once.
    pub slots: u16,
    /// What it runs, in slot order, waiting ones last.
    pub runs: Vec<RunView>,
}

/// An agent on a screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// Its number.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: AgentState,
    /// Milliseconds since its last word, if it was ever heard.
    pub silent_ms: Option<u64>,
    /// Where it dials from.
    pub address: String,
    /// Round trip in microseconds, while connected.
    pub rtt_us: Option<u64>,
    /// Version of the program.
    pub version: String,
    /// First line of `ffmpeg -version`.
    pub ffmpeg: String,
    /// Its devices; the last known ones while it is offline.
    pub devices: Vec<DeviceView>,
    /// Folders it could not prove to see, each with the reason.
    pub unproven: Vec<String>,
    /// Jobs it ended, by completed and failed.
    pub completed: u64,
    /// Attempts that failed there.
    pub failed: u64,
}

/// Something that a person should look at, most urgent first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// One word: `failed`, `held`, `offline`, `agents`, `folder`, `store`, `disk`.
    pub kind: String,
    /// What it is about: a count or a name.
    pub what: String,
    /// The sentence.
    pub text: String,
    /// Jobs concerned, the first few.
    pub jobs: Vec<JobId>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The sentence.
    pub text: String,
    /// The job concerned.
    pub job: Option<JobId>,
    /// File name of its source; empty if there is no job.
    pub file: FilePath,
}

/// All that the overview shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Name of the farm, for the header.
    pub farm: String,
    /// Address agents dial.
    pub listen: String,
    /// Milliseconds since the server started.
    pub up_ms: u64,
    /// The server's clock, milliseconds since 1970.
    pub now_ms: i64,
    /// Grows whenever a row of the job table changed.
    pub revision: u64,
    /// Counters.
    pub totals: FarmTotals,
    /// Agents by name.
    pub agents: Vec<AgentView>,
    /// What needs a person.
    pub needs: Vec<Need>,
    /// The last things that happened, newest first.
    pub recent: Vec<EventView>,
    /// Set while nothing is handed out, with the reason.
    pub halted: Option<String>,
}

/// A job in a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    /// Its number.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// Its agent is silent.
    pub unsure: bool,
    /// Its priority.
    pub priority: Priority,
    /// Source below its root.
    pub source: FilePath,
    /// Name of the profile.
    pub profile: String,
    /// Agent and device that run it or ran it last, as `ada/cpu`; empty if none did.
    pub place: String,
    /// Retries used.
    pub retries: u8,
    /// Retries allowed.
    pub retries_max: u8,
    /// Last change, milliseconds since 1970.
    pub updated_ms: i64,
    /// When a waiting retry may run, milliseconds since 1970.
    pub not_before_ms: Option<i64>,
    /// Where it stands, while it runs.
    pub progress: Option<Progress>,
    /// Source bytes.
    pub bytes_in: u64,
    /// Output bytes, 0 until completed.
    pub bytes_out: u64,
    /// Why it is as it is: last failure, hold or skip reason; empty if there is none.
    pub cause: String,
    /// Class of that failure.
    pub class: Option<FailureClass>,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Rows from the offset on.
    pub rows: Vec<JobRow>,
    /// Rows that the filter finds in all; none while a text filter leaves it open.
    pub total: Option<u64>,
    /// More rows follow.
    pub more: bool,
}

/// One attempt of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Its task.
    pub task: TaskNo,
    /// Its number.
    pub no: u32,
    /// Name of the agent and of the device.
    pub place: String,
    /// The encoder that ran, empty if none did.
    pub encoder: String,
    /// Start, milliseconds since 1970.
    pub started_ms: i64,
    /// End, milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// `completed`, `stopped`, a class of failure, or empty while it runs.
    pub ended: String,
    /// Its cause, if it failed.
    pub cause: String,
    /// Commands that it started.
    pub commands: Vec<Command>,
    /// Last lines of its log.
    pub log: String,
}

/// Everything about one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    /// Its row.
    pub row: JobRow,
    /// Absolute path of the source on the console.
    pub source: FilePath,
    /// Absolute path of the output on the console.
    pub output: FilePath,
    /// When it was added, milliseconds since 1970.
    pub created_ms: i64,
    /// Encoder of the last attempt.
    pub encoder: String,
    /// Wall seconds of the attempt that completed it.
    pub seconds: f64,
    /// Length of the source in milliseconds, 0 until known.
    pub media_ms: u64,
    /// What could not be kept.
    pub warnings: Vec<String>,
    /// Attempts, newest first, at most the last ten.
    pub attempts: Vec<AttemptView>,
}

/// Result of a command on jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Acted {
    /// Jobs that it was done to.
    pub done: Vec<JobId>,
    /// Jobs left alone, each with the reason.
    pub left: Vec<(JobId, String)>,
}

/// Why a job does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The one-line answer.
    pub answer: String,
    /// Each device and the first reason why the job does not run there.
    pub devices: Vec<(String, String)>,
}

/// Why a request was refused; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The request makes no sense (2).
    Usage,
    /// Nothing by that name or number (4).
    NotFound,
    /// Not now (1): storage is read-only, the server is going down.
    Unavailable,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Response {
    /// The overview.
    Snapshot(Box<Snapshot>),
    /// A page of jobs.
    Page(Page),
    /// One job.
    Detail(Box<JobDetail>),
    /// A command was carried out, durably.
    Acted(Acted),
    /// Why a job does not run.
    Why(Why),
    /// A scan goes on.
    Adding(ScanCounts),
    /// A scan is done; every job counted as added is durable.
    Added {
        /// The final counts.
        counts: ScanCounts,
        /// The first problems, one line each.
        problems: Vec<String>,
    },
    /// The line to paste on the new agent.
    Token {
        /// `vcj1.…`
        line: String,
        /// Seconds it lives.
        ttl_s: u64,
    },
    /// Names and descriptions of the profiles, and each as TOML.
    Profiles(Vec<(String, String, String)>),
    /// The server ends.
    Stopping,
    /// It was not done.
    Refused {
        /// What kind of refusal.
        code: RefusalCode,
        /// The sentence, with what to do.
        message: String,
    },
}
