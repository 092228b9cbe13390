//! The farm core: every scheduling decision, as one pure state machine.
//!
//! Knows nothing of clocks, sockets, disks, threads and chance. [`event`] lists all that can happen, [`effect`] all
//! that follows, [`record`] what survives a restart.

pub mod effect;
pub mod event;
pub mod record;
