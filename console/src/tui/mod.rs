//! The dashboard: a client of the operator service on a terminal.
//!
//! Owns screens, keys and the terminal. Knows nothing of sockets, stores and agents: it sends
//! [`vc_protocol::operator::Request`]s into a [`Link`] and draws what comes back. Messages go through
//! `state::update`, which is pure; `model::model` turns the state into words and `view` paints them.

use vc_protocol::operator::StopHow;

mod app;
mod clipboard;
mod input;
mod keys;
mod link;
mod look;
mod model;
mod out;
mod plain;
mod probe;
pub mod settings;
mod state;
mod term;
#[cfg(test)]
mod tests;
mod view;

pub use app::run;
pub use keys::Keys;
pub use link::{Link, Reply, RequestTag};
pub use look::{Color, Glyphs, Look, Theme, When};
pub(crate) use model::{text, words};

/// What the dashboard is in front of: decides what leaving means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A server that outlives the dashboard: leaving detaches.
    Attach,
    /// The farm lives in this process: leaving cancels everything.
    Convert,
}

/// How the dashboard is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it is in front of.
    pub mode: Mode,
    /// Glyphs, colours, time zone, frame rate.
    pub look: Look,
    /// What the keys mean.
    pub keys: Keys,
    /// Only look, whatever the server would allow.
    pub read_only: bool,
    /// Take the mouse at the start.
    pub mouse: bool,
    /// Plain lines for screen readers, and no screen at all.
    pub accessible: bool,
}

impl Options {
    /// As the environment says, with nothing wished for.
    pub fn new(mode: Mode, look: Look) -> Options {
        let mouse = look.takes_mouse(When::Auto);
        Options { mode, look, keys: Keys::default(), read_only: false, mouse, accessible: false }
    }
}

/// How the dashboard ended; the caller acts on it after the terminal is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The operator left; the farm goes on (or nothing was running).
    Detached,
    /// The operator asks to stop the server so; the request is not sent yet.
    Stop(StopHow),
    /// The operator gave up the conversion: cancel everything and quit.
    CancelAll,
    /// The link said that all is done ([`Reply::End`]).
    Ended,
    /// SIGTERM or SIGHUP came; the signal's number.
    Signal(i32),
    /// The terminal is gone.
    Hangup,
}
