//! The console: finds videos, keeps every job, hands work to agents, and shows the farm.

pub mod engine;
pub mod net;
pub mod registry;
pub mod store;
