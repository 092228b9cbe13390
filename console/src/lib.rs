//! The console: finds videos, keeps every job, hands work to agents, and shows the farm.
pub mod tui;
