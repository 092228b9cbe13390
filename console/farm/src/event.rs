//! Everything that can happen to the farm.

use vc_protocol::agent::{Held, Proven, Report};
use vc_protocol::device::Device;
use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, RootId, SessionNo};
use vc_protocol::job::Priority;
use vc_protocol::progress::Progress;

use crate::record::{Group, JobRecord};

/// Milliseconds of the console's monotonic clock: leases and timeouts are judged on it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Millis(pub u64);

/// The two clocks at the moment of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For deadlines.
    pub mono: Millis,
    /// For people and for what must survive a restart, milliseconds since 1970.
    pub wall_ms: i64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Jobs were added; the store has numbered them and holds their specs.
    Added(Vec<NewJob>),
    /// Something came from an agent, over this session of it.
    Agent(AgentId, SessionNo, AgentEvent),
    /// A person of this name asked for something.
    Operator(String, OperatorEvent),
    /// The engine looked at what a vanished holder of a grant left behind.
    Settled(AttemptId, Settlement),
    /// The console's own loop stood still this long: nobody's silence counts for that time.
    Late(Millis),
    /// Time passed.
    Tick,
}

/// A job that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewJob {
    /// Its number.
    pub id: JobId,
    /// Where it can run.
    pub group: Group,
    /// Higher first.
    pub priority: Priority,
    /// Expected work.
    pub cost: u64,
}

/// Something that came from an agent.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// It connected. A newer session number replaces an older one at once.
    Connected {
        /// Random for each start of the agent's process.
        instance: u64,
        /// What it offers.
        devices: Vec<Device>,
        /// What it still holds.
        inventory: Vec<Held>,
    },
    /// The connection ended. Its leases run on.
    Disconnected,
    /// Alive, and holding these.
    Heartbeat(Vec<AttemptId>),
    /// How far things are.
    Progress(Vec<(AttemptId, Progress)>),
    /// May this take its place?
    AskCommit(AttemptId, Proven),
    /// An attempt ended.
    Report(Box<Report>),
    /// It proved, or failed to prove, that it sees this folder.
    RootProof(RootId, Result<(), String>),
    /// It tried every encoder of this device.
    SelfTested(DeviceId, Result<(), String>),
    /// What it offers is now this.
    Devices(Vec<Device>),
    /// It is going down: no more work.
    Draining,
}

/// Something a person asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum OperatorEvent {
    /// End this job, whatever it does.
    Cancel(JobId),
    /// Back to pending with full budgets. A job in a final state comes with its row, which the core does not hold: the
    /// row as the last effect about it left it, even one of the same turn that is not written yet. An older one would
    /// bring attempt numbers back that are in use.
    Retry(JobId, Option<Box<JobRecord>>),
    /// Let this pending job wait for a person. One that runs is left alone: it is cancelled, or its agent drained.
    Hold(JobId),
    /// Let this held job wait no more: back to pending with full budgets.
    Release(JobId),
    /// To this priority; of a job that runs, for its next attempt.
    Prioritise(JobId, Priority),
    /// Hand out nothing, until somebody resumes.
    Pause,
    /// Hand out again. Also takes back [`OperatorEvent::Close`].
    Resume,
    /// Nothing new for this agent, or for one device of it. What only waits there comes back at once.
    Drain {
        /// Whom.
        agent: AgentId,
        /// Only this device.
        device: Option<DeviceId>,
        /// What runs there comes back as well, and the agent is told to end it.
        kill: bool,
    },
    /// Work again for this agent, or for one device of it.
    Undrain(AgentId, Option<DeviceId>),
    /// Out of quarantine, without a test.
    ReleaseQuarantine(AgentId, DeviceId),
    /// Test this device now; a good end takes it out of quarantine.
    SelfTest(AgentId, DeviceId),
    /// The agent's key is refused from now on: all that it holds goes to others.
    Revoked(AgentId),
    /// The console is about to end: hand out nothing any more, and take back what only waits on its agent. Unlike a
    /// pause this is forgotten with the console.
    Close,
    /// What runs comes back at once, and the agents are told to end it.
    Recall,
    /// Something done that is none of the farm's, such as a token: for the list of what happened.
    Noted(String),
}

/// What was found of a granted output whose holder vanished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The output is in place with the granted hash, flushed; its size in bytes.
    InPlace(u64),
    /// Something else has the final name.
    NameTaken,
    /// Neither output nor part file: every part file of the task was unlinked and the folder flushed.
    Withdrawn,
    /// The folder could not be read; look again later.
    Unreachable(String),
}
