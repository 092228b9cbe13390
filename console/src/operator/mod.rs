//! The operator service: the local socket on which dashboard and command line talk to the server.
//!
//! [`client`] asks them, [`wire`] moves frames. Policy is elsewhere: this
//! module translates.

pub mod client;
pub mod wire;

/// Name of the socket in the state folder.
pub const SOCKET: &str = "operator.sock";
