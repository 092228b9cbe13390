//! Who belongs to the farm, and how its programs reach each other: the farm's authority, identities of agents and
//! operators, join lines and their proofs, the TLS and QUIC configurations made from them, and frames on QUIC streams.
//!
//! Knows nothing of jobs and of what a session means. The registry of members is the console's; it is asked through
//! [`tls::Admission`].

pub mod authority;
pub mod dial;
mod durable;
pub mod ended;
pub mod endpoint;
mod error;
pub mod identity;
pub mod join;
mod keys;
pub mod line;
mod names;
pub mod peer;
pub mod proof;
pub mod renew;
pub mod tls;
pub mod told;
pub mod transport;
pub mod wire;
mod x509;

pub use authority::{Authority, MEMBER_LIFE_S, Signed};
pub use error::CertsError;
pub use identity::{AgentKey, Identity};
pub use line::{CaPin, JoinLine, Secret};
pub use x509::{KeyHash, life};
