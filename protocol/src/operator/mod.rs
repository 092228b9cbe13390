//! The operator service: what the dashboard and the command line ask of the server.
//!
//! One connection answers requests in order, each with one [`Response`]; [`Request::Subscribe`],
//! [`Request::FollowEvents`] and [`Request::Add`] turn it into a stream of them. Before the first request each side says
//! its [`crate::hello::Hello`], and the server a [`Response::Welcome`].

mod agents;
mod farm;
pub mod filter;
mod jobs;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, JobId};
use crate::job::Priority;
use crate::path::FilePath;

pub use agents::*;
pub use farm::*;
pub use filter::JobFilter;
pub use jobs::*;

/// Most rows in one page of jobs: a page of rows with 4 KiB paths would not fit a frame, so pages are also cut by size.
pub const PAGE_ROWS_MAX: usize = 200;
/// Most events in one answer.
pub const EVENTS_MAX: u32 = 1000;
/// Most ids in one request; the command line splits longer lists.
pub const IDS_MAX: usize = 10_000;

/// A client asks before it has more jobs than this retried: they may keep a farm busy for days.
pub const RETRY_UNASKED_MAX: u64 = 100;

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
        /// In which order.
        sort: Sort,
        /// Rows to leave out in front.
        offset: u64,
        /// Rows wanted, at most [`PAGE_ROWS_MAX`].
        limit: u32,
    },
    /// A [`Response::Detail`].
    Job(JobId),
    /// A [`Response::Detail`] with the log of the newest attempt, asked of its agent if it runs.
    Log(JobId),
    /// A [`Response::Acted`].
    Act {
        /// What.
        action: JobAction,
        /// To which.
        jobs: Selection,
        /// Refused as [`RefusalCode::Changed`] if the filter does not find exactly so many jobs any more.
        expect: Option<u64>,
    },
    /// A [`Response::Why`].
    Why(JobId),
    /// [`Response::Adding`] while it scans, then [`Response::Added`].
    Add(AddRequest),
    /// A [`Response::Failures`].
    Failures,
    /// A [`Response::Events`], newest first.
    Events {
        /// Only those below this number; none for the newest.
        before: Option<u64>,
        /// Only those of this job.
        job: Option<JobId>,
        /// Wanted, at most [`EVENTS_MAX`].
        limit: u32,
    },
    /// [`Response::Events`], oldest first, of everything above this number, now and whenever something happens.
    FollowEvents(u64),
    /// A [`Response::Stats`] of so many days, today included.
    Stats(u32),
    /// A [`Response::Agent`].
    Agent(AgentId),
    /// A [`Response::Done`].
    OnAgent(AgentId, AgentAction),
    /// A [`Response::Done`]: hand out no more work.
    Pause,
    /// A [`Response::Done`].
    Resume,
    /// A [`Response::Token`].
    TokenCreate(TokenWish),
    /// A [`Response::Tokens`].
    Tokens,
    /// A [`Response::Done`]; the text is the token's id.
    TokenRevoke(String),
    /// A [`Response::Profiles`].
    Profiles,
    /// A [`Response::Stopping`], then the server ends.
    Stop(StopHow),
    /// A [`Response::Members`].
    Members,
}

impl Request {
    /// Only looks: a viewer may ask it.
    pub fn only_looks(&self) -> bool {
        match self {
            Self::Snapshot
            | Self::Subscribe
            | Self::Jobs { .. }
            | Self::Job(_)
            | Self::Log(_)
            | Self::Why(_)
            | Self::Failures
            | Self::Events { .. }
            | Self::FollowEvents(_)
            | Self::Stats(_)
            | Self::Agent(_)
            | Self::Profiles => true,
            // Even a dry run makes the server walk whatever folder it is told.
            Self::Add(_)
            | Self::Act { .. }
            | Self::OnAgent(..)
            | Self::Pause
            | Self::Resume
            | Self::TokenCreate(_)
            | Self::Tokens
            | Self::TokenRevoke(_)
            | Self::Members
            | Self::Stop(_) => false,
        }
    }
}

/// How the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopHow {
    /// At once; agents go on with what they have.
    Leave,
    /// When what runs has ended; nothing new is handed out.
    Drain,
    /// At once; what runs is stopped and goes back to pending.
    Now,
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
    /// Folders below the named ones that are looked into: none for all, 0 for none.
    pub depth: Option<u16>,
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
    /// Not by this operator (6): a viewer only looks.
    NotAllowed,
    /// The filter finds other jobs than when it was asked about (1): look again.
    Changed,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Response {
    /// Who the server takes the client for: the first answer of every connection.
    Welcome(Welcome),
    /// The overview.
    Snapshot(Box<Snapshot>),
    /// A page of jobs.
    Page(Page),
    /// One job.
    Detail(Box<JobDetail>),
    /// A command was carried out, durably.
    Acted(Acted),
    /// Something was done; the sentence says what.
    Done(String),
    /// Failures by cause.
    Failures(Failures),
    /// Things that happened.
    Events(Vec<EventView>),
    /// What the farm did.
    Stats(Box<Stats>),
    /// One agent.
    Agent(Box<AgentDetail>),
    /// Tokens that still let somebody in.
    Tokens(Vec<TokenView>),
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
        /// The new jobs, as ranges of numbers: the first and the last of each.
        jobs: Vec<(JobId, JobId)>,
    },
    /// The line to paste on the newcomer.
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
    /// Everybody who ever joined, by number.
    Members(Vec<MemberView>),
}
