//! The agent: runs attempts on this box's devices and proves their results before they are committed.
//!
//! [`join`] makes this box a member of a farm, [`run`] works for it until told to stop. Both are what the `vc-agent`
//! program does, and what `vc-console convert` does within its own process.

pub mod check;
pub mod cli;
pub mod commit;
pub mod config;
pub mod device;
pub mod doctor;
pub mod encoder;
pub mod ffmpeg;
pub mod finding;
mod host;
pub mod identity;
pub mod journal;
mod own_log;
pub mod pages;
mod parts;
pub mod plan;
pub mod probe;
pub mod process;
pub mod proved;
pub mod quality;
mod register;
mod renewal;
mod run;
mod sample;
pub(crate) mod session;
pub mod state_dir;
pub mod status;
pub mod storage;
pub(crate) mod supervisor;
pub mod task;
mod trial;
pub mod work;

pub use config::AgentConfig;
pub use identity::{JoinError, join};
pub use run::{AgentError, run};
pub use vc_certs::told;
