//! The two queues between the dashboard and whoever talks to the server.
//!
//! The other side subscribes by itself and pushes every snapshot; it answers each request with one
//! [`Reply::Response`] of the same tag, or with [`Reply::Gone`] for all that are open.

use tokio::sync::mpsc;
use vc_protocol::operator::{Request, Response, Snapshot, Welcome};

/// Ties an answer to its question. Only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestTag(pub u64);

/// What comes back.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Connected, at first or anew: whom the server takes us for, and what we may do.
    Welcome(Welcome),
    /// The farm changed. After [`Reply::Gone`] it means that the server is back.
    Snapshot(Box<Snapshot>),
    /// The answer to a request.
    Response(RequestTag, Response),
    /// The server cannot be reached, with the reason; open requests are lost.
    Gone(String),
    /// All is done: the dashboard closes by itself.
    End,
    /// What became of [`Link::start_agent`]: what was done, or why it was not.
    Started(Result<String, String>),
}

/// The way to the server.
#[derive(Debug)]
pub struct Link {
    /// Questions.
    pub requests: mpsc::Sender<(RequestTag, Request)>,
    /// Answers and snapshots. Its end is treated like [`Reply::Gone`].
    pub replies: mpsc::Receiver<Reply>,
    /// Starts an agent on this box, if that is the server's; answered by [`Reply::Started`].
    pub start_agent: Option<mpsc::Sender<()>>,
}
