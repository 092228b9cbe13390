//! Agents, tokens and people: details, and what can be done to them.

use serde::{Deserialize, Serialize};

use crate::device::{BoxFacts, EncoderFacts};
use crate::id::{AgentId, DeviceId};

use super::AgentView;

/// What somebody who joined may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs jobs.
    Agent,
    /// Looks and acts.
    Operator,
    /// Looks.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 3] = [Self::Agent, Self::Operator, Self::Viewer];

    /// The word on command lines and in certificates.
    pub fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Who the server takes a client for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Name of the farm.
    pub farm: String,
    /// The operator's name: of the account on this machine, or in the registry.
    pub who: String,
    /// What it may do.
    pub role: Role,
    /// Version of the server.
    pub version: String,
}

/// What is done to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentAction {
    /// Nothing new for it, or for one device of it.
    Drain {
        /// Only this one.
        device: Option<DeviceId>,
        /// What runs there is stopped and goes back to pending.
        kill: bool,
    },
    /// Work again.
    Undrain(Option<DeviceId>),
    /// Out of quarantine, without a test.
    Release(DeviceId),
    /// Try each encoder of the device now; a good end takes it out of quarantine.
    SelfTest(DeviceId),
    /// Never again: its jobs go back to pending, and its key is refused for ever.
    Revoke,
    /// Another name.
    Rename(String),
}

/// A token wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenWish {
    /// Newcomers it lets in.
    pub uses: u16,
    /// Seconds it lives.
    pub ttl_s: u64,
    /// As what they join.
    pub role: Role,
}

/// A token that still lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its id; not its secret.
    pub id: String,
    /// As what newcomers join.
    pub role: Role,
    /// Uses left.
    pub uses_left: u16,
    /// When it ends, milliseconds since 1970.
    pub ends_ms: i64,
}

/// Somebody who joined: a box that works, or a person at another box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// The number.
    pub id: AgentId,
    /// The name, which nobody else has.
    pub name: String,
    /// As what they joined.
    pub role: Role,
    /// When they joined, milliseconds since 1970.
    pub joined_ms: i64,
    /// When they were thrown out, milliseconds since 1970.
    pub revoked_ms: Option<i64>,
}

/// More of a device than a row shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceDetail {
    /// Which.
    pub id: DeviceId,
    /// Driver, address on the bus and what else tells it from its like.
    pub facts: Vec<(String, String)>,
    /// Its encoders, best first.
    pub encoders: Vec<EncoderFacts>,
    /// Use of the encode engine, or of the processor, in thousandths: one figure each 5 s, oldest first.
    pub encode_history: Vec<u16>,
    /// Use of the decode engine likewise.
    pub decode_history: Vec<u16>,
    /// Slots learned to be fewer than offered, with the reason; empty if not.
    pub learned: String,
}

/// Everything about one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// As the overview shows it.
    pub view: AgentView,
    /// The box, as it said last; none if it never did.
    pub host: Option<BoxFacts>,
    /// Milliseconds that its clock is ahead of the console's.
    pub clock_ms: Option<i64>,
    /// Packets lost on the way to it, in thousandths, while connected.
    pub lost_permille: Option<u16>,
    /// Serial of its certificate.
    pub cert_serial: String,
    /// Its devices.
    pub devices: Vec<DeviceDetail>,
    /// Last lines of its own log, if it was asked and answered.
    pub log: String,
}
