//! What reaches the engine, and its end of a session with an agent.
//!
//! Knows nothing of streams and frames: `net` makes these values and carries out what is asked of a [`SessionLink`].

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use vc_farm::event::Settlement;
use vc_protocol::agent::{AgentHello, FromAgent, ToAgent};
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, AttemptId, SessionNo};

use super::handle::Call;
use super::prove::Challenged;

/// Way into the engine. When it is full the sender waits, and with it the stream of that one peer.
pub type EngineSender = mpsc::Sender<Input>;

/// What reaches the engine.
#[derive(Debug)]
pub enum Input {
    /// An agent said hello over a new session.
    Opened(Opened),
    /// Something from an agent (never Hello).
    FromAgent(AgentId, SessionNo, FromAgent),
    /// An agent has a new certificate; its session goes on with the old one.
    Renewed(Renewal),
    /// The session ended.
    Closed(AgentId, SessionNo),
    /// An operator asks for something; see [`super::handle::Handle`].
    Call(Call),
    /// A challenge for an agent is ready, or cannot be made.
    Challenged(Challenged),
    /// The engine's own disk work found this of a granted output.
    Settled(AttemptId, Settlement),
    /// Free bytes where outputs go, the smallest.
    Free(Option<u64>),
}

/// A new session. It replaces an older one of the same agent at once.
#[derive(Debug)]
pub struct Opened {
    /// Who, as the TLS session proves.
    pub agent: AgentId,
    /// Larger than that of every earlier session since the console's start.
    pub session: SessionNo,
    /// Its name in the farm.
    pub name: String,
    /// Where it dialled from.
    pub address: SocketAddr,
    /// What it said, within its limits.
    pub hello: AgentHello,
    /// The way back.
    pub link: SessionLink,
}

/// A new certificate of an agent, which may have no session.
#[derive(Debug)]
pub struct Renewal {
    /// Whose.
    pub agent: AgentId,
    /// Its name in the farm.
    pub name: String,
    /// The certificate's serial number in hexadecimal digits.
    pub serial: String,
    /// When it ends, milliseconds since 1970.
    pub ends_ms: i64,
}

/// The engine's end of a session: `send` never waits; a full queue or `close` ends the session.
#[derive(Clone)]
pub struct SessionLink {
    queue: mpsc::Sender<ToAgent>,
    /// None where a test or bench plays the agent.
    connection: Option<quinn::Connection>,
}

impl SessionLink {
    /// A link whose messages are taken from the other end of `queue`.
    pub fn new(queue: mpsc::Sender<ToAgent>, connection: quinn::Connection) -> Self {
        SessionLink { queue, connection: Some(connection) }
    }

    /// A link to an agent inside this process, for tests and benches.
    pub fn from_channel(queue: mpsc::Sender<ToAgent>) -> Self {
        SessionLink { queue, connection: None }
    }

    /// Queues a message. An agent that does not read fast enough loses its session, never the engine's time.
    pub fn send(&self, message: ToAgent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(message) {
            self.close(Close::TooSlow);
        }
    }

    /// Ends the session; what is still queued is dropped.
    pub fn close(&self, why: Close) {
        if let Some(connection) = &self.connection {
            connection.close((why as u32).into(), why.words().as_bytes());
        }
    }

    /// Round trip to the agent in microseconds, as the transport measures it.
    pub fn rtt_us(&self) -> u64 {
        let rtt = self.connection.as_ref().map_or(Duration::ZERO, quinn::Connection::rtt);
        rtt.as_micros().try_into().unwrap_or(u64::MAX)
    }

    /// Packets lost on the way to the agent, in thousandths.
    pub fn lost_permille(&self) -> Option<u16> {
        let path = self.connection.as_ref()?.stats().path;
        let lost = u128::from(path.lost_packets) * 1000 / u128::from(path.sent_packets.max(1));
        Some(u16::try_from(lost).unwrap_or(1000).min(1000))
    }

    /// Serial of the agent's certificate, and when it ends, milliseconds since 1970.
    pub fn certificate(&self) -> Option<(String, i64)> {
        vc_certs::peer::certificate_life(self.connection.as_ref()?)
    }

    /// Where the agent is; changes when it moves to another network.
    pub fn address(&self) -> Option<SocketAddr> {
        self.connection.as_ref().map(quinn::Connection::remote_address)
    }
}

impl fmt::Debug for SessionLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionLink({:?})", self.address())
    }
}
