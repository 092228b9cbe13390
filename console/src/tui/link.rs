//! The two queues between the dashboard and whoever talks to the server.
//!
//! The other side subscribes by itself and pushes every snapshot; it answers each request with one
//! [`Reply::Response`] of the same tag, or with [`Reply::Gone`] for all that are open.

use tokio::sync::mpsc;
use vc_protocol::operator::{Request, Response, Snapshot};

/// Ties an answer to its question. Only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestTag(pub u64);

/// What comes back.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The farm changed. After [`Reply::Gone`] it means that the server is back.
    Snapshot(Box<Snapshot>),
    /// The answer to a request.
    Response(RequestTag, Response),
    /// The server cannot be reached, with the reason; open requests are lost.
    Gone(String),
    /// All is done: the dashboard closes by itself.
    End,
    /// What became of [`Local::start`]: what was done, or why it was not.
    Started(Result<String, String>),
}

/// The box that the dashboard runs on, when it is the server's: an agent can be started on it.
#[derive(Debug)]
pub struct Local {
    /// It has a device that may encode.
    pub gpu: bool,
    /// Starts an agent and lets it join; answered by [`Reply::Started`].
    pub start: mpsc::Sender<()>,
}

/// The way to the server.
#[derive(Debug)]
pub struct Link {
    /// Questions.
    pub requests: mpsc::Sender<(RequestTag, Request)>,
    /// Answers and snapshots. Its end is treated like [`Reply::Gone`].
    pub replies: mpsc::Receiver<Reply>,
    /// This box, if it is the server's.
    pub local: Option<Local>,
}
