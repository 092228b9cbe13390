//! The operator service: the local socket on which dashboard and command line talk to the server.
//!
//! [`service`] answers requests with the engine, [`client`] asks them, [`link`] does so
//! for the dashboard, [`wire`] moves frames. Policy is elsewhere: this
//! module translates.

mod acting;
mod adding;
pub mod client;
pub mod link;
pub mod service;
pub mod wire;

/// Name of the socket in the state folder.
pub const SOCKET: &str = "operator.sock";
