//! The console: finds videos, keeps every job, hands work to agents, and shows the farm.

pub mod app;
pub mod cause;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod intake;
pub mod launch;
pub mod net;
pub mod operator;
pub mod profiles;
pub mod registry;
pub mod store;
mod trials;
pub mod tui;
pub mod wall;
