//! Everything that the farm asks of the world.
//!
//! Rows of one turn are written in one durable transaction; only then is anything else performed.

use vc_protocol::agent::{Proven, ToAgent};
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, RootId, SessionNo};
use vc_protocol::job::FileStamp;

use crate::record::{AgentRecord, AttemptRecord, FarmRecord, JobRecord};

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write this row; the last one of a turn counts.
    PutJob(Box<JobRecord>),
    /// Write this row.
    PutAttempt(Box<AttemptRecord>),
    /// Write what is remembered of the farm as a whole.
    PutFarm(FarmRecord),
    /// Write what is remembered of this agent; nothing, if that is the default.
    PutAgent(AgentId, AgentRecord),
    /// The source changed: from now on the job is about the source as it is stamped here.
    Restamp(JobId, FileStamp),
    /// Send the offer of this attempt, made from the job's spec.
    Offer {
        /// To whom.
        agent: AgentId,
        /// Over which session.
        session: SessionNo,
        /// What.
        attempt: AttemptId,
        /// For which device.
        device: DeviceId,
    },
    /// Send this message.
    Tell(AgentId, SessionNo, ToAgent),
    /// Close this session.
    Close(AgentId, SessionNo, Close),
    /// Make a challenge for this folder and send it; the answer comes back as `AgentEvent::RootProof`.
    Prove {
        /// To whom.
        agent: AgentId,
        /// Over which session.
        session: SessionNo,
        /// Which folder.
        root: RootId,
        /// As an output folder: it must also be able to write.
        writable: bool,
    },
    /// Look at what a vanished holder of a grant left behind, finish or withdraw it, answer `Event::Settled`.
    Settle(AttemptId, Proven),
    /// Tell people.
    Note(Note),
}

/// A fact for the event list and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The sentence, without time and job number.
    pub text: String,
    /// The person who asked for it; empty if it happened by itself.
    pub who: String,
    /// The job concerned.
    pub job: Option<JobId>,
    /// The agent concerned.
    pub agent: Option<AgentId>,
    /// The device of that agent.
    pub device: Option<DeviceId>,
}

/// Effects in the order in which they arose.
pub type Effects = Vec<Effect>;
