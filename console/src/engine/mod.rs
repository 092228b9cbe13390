//! The engine: the one loop that drives the farm core.

pub mod handle;
pub mod input;
mod prove;
