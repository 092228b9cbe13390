//! The session with the console.

pub(crate) mod backoff;
pub(crate) mod fit;
pub(crate) mod state;
