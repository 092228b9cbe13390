//! The farm on a screen: counters, agents, devices, what needs a person, what happened.

use serde::{Deserialize, Serialize};

pub use crate::device::DeviceUse;

use crate::id::{AgentId, AttemptId, DeviceId, JobId};
use crate::path::FilePath;
use crate::progress::Progress;

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
    /// Least and most that it may be, from how much the speed varied.
    pub eta_range_s: Option<(u64, u64)>,
    /// Milliseconds of video left to convert, about; 0 while nothing says how much.
    pub media_left_ms: u64,
    /// Free bytes where outputs go, smallest of the output roots; none if there is none.
    pub output_free: Option<u64>,
    /// Seconds until that is full at the present rate, if it shrinks.
    pub output_full_s: Option<u64>,
    /// Bytes of the job table's file.
    pub table_bytes: u64,
    /// Jobs completed since midnight (UTC).
    pub today_jobs: u64,
    /// Bytes saved by them.
    pub today_saved: i64,
    /// Farm speed each minute of the last hour, oldest first, times ten.
    pub speed_minutes: Vec<u32>,
}

/// How an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Connected and heard.
    Ok,
    /// Connected, silent for a while: no new work.
    Suspect,
    /// Not connected.
    #[default]
    Offline,
    /// Going down, or told to take nothing new: finishes what it has.
    Draining,
}

/// How a device is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum DeviceState {
    /// Takes work.
    #[default]
    Ok,
    /// A person wants nothing new there.
    Draining,
    /// It failed too often.
    Quarantined {
        /// What happened.
        why: String,
        /// When it is tested, milliseconds since 1970; none if a person must release it.
        until_ms: Option<i64>,
        /// A test runs now.
        testing: bool,
    },
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeviceView {
    /// Its number.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Its name in rows: `cpu`, `gpu0`.
    pub short: String,
    /// How it is.
    pub state: DeviceState,
    /// How busy it is.
    pub load: DeviceUse,
    /// Encodes at once.
    pub slots: u16,
    /// What it runs, in slot order, waiting ones last.
    pub runs: Vec<RunView>,
}

/// An agent on a screen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentView {
    /// Its number.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: AgentState,
    /// A person wants nothing new there.
    pub drained: bool,
    /// Seconds until a draining agent is empty, as far as its jobs know.
    pub empty_s: Option<u64>,
    /// Seconds until the jobs of a silent agent go back to pending.
    pub gives_back_s: Option<u64>,
    /// When its certificate ends, milliseconds since 1970.
    pub cert_ends_ms: Option<i64>,
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Need {
    /// One word: `failed`, `held`, `offline`, `agents`, `folder`, `store`, `disk`, `device`, `paused`, `cert`.
    pub kind: String,
    /// What it is about: a count or a name.
    pub what: String,
    /// The sentence.
    pub text: String,
    /// The agent concerned.
    pub agent: Option<AgentId>,
    /// Jobs concerned, the first few.
    pub jobs: Vec<JobId>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A job went its way.
    #[default]
    Job,
    /// An agent or a device came, went, or changed.
    Agent,
    /// A person asked for something.
    Operator,
    /// The farm as a whole: start, disk, job table.
    Farm,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventView {
    /// Its number; only grows.
    pub no: u64,
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
    /// Set while a person wants nothing handed out.
    pub paused: Option<Paused>,
}

/// A person wants nothing handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Who; empty if the farm did it by itself.
    pub who: String,
    /// Why, if that is more than that somebody asked for it: all devices fail alike, the server is to end.
    pub why: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}
