//! The engine: the one loop that drives the farm core.

pub mod input;
