//! The agent: runs attempts on this box's devices and proves their results before they are committed.

pub mod journal;
pub(crate) mod session;
pub mod state_dir;
pub mod status;
pub mod supervisor;
pub mod task;
