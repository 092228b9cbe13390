//! The operator service: how dashboard and command line talk to a server, over its socket or from another box.
//!
//! [`service`] answers requests with the engine, and [`streams`] those that came over QUIC; [`client`] asks them,
//! [`link`] does so for the dashboard, [`remote`] reaches a server on another box as the person that [`people`] made of
//! this user. [`wire`] moves frames. Policy is elsewhere: this module translates.

mod acting;
mod adding;
pub mod client;
pub mod link;
pub mod members;
pub mod people;
pub mod remote;
mod renewal;
pub mod service;
pub mod streams;
pub mod wire;

/// Name of the socket in the state folder.
pub const SOCKET: &str = "operator.sock";
