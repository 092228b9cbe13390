//! Challenges: how an agent shows that it sees the same folders as the console.

use vc_protocol::id::{AgentId, RootId, SessionNo};
use vc_protocol::prove::Challenge;

/// A challenge that is ready to be sent, or why there is none.
#[derive(Debug)]
pub struct Challenged {
    /// For whom.
    pub agent: AgentId,
    /// Over which session.
    pub session: SessionNo,
    /// About which folder.
    pub root: RootId,
    /// The challenge with the proof that is expected, or why none can be made.
    pub made: Result<(Box<Challenge>, [u8; 32]), String>,
}
