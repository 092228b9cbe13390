//! The words of the farm: what jobs, agents and the wire are made of.
//!
//! Knows nothing of sockets, clocks, files and schedulers. Both programs speak these types, the farm core decides
//! with them, and [`codec`] alone turns them into bytes.

pub mod agent;
pub mod close;
pub mod codec;
pub mod device;
pub mod failure;
pub mod hello;
pub mod id;
pub mod job;
pub mod join;
pub mod media;
pub mod operator;
pub mod path;
pub mod profile;
pub mod progress;
pub mod prove;
pub mod v1;
pub mod v2;
