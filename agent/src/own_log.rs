//! The agent's own log, the last of it kept in memory for whoever looks at it from the console.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use vc_protocol::agent::LOG_TAIL_BYTES_MAX;

use crate::process::Ring;

static LOG: OnceLock<Mutex<Ring>> = OnceLock::new();

/// Where log lines are written to be kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OwnLog;

impl Write for OwnLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        ring().lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ring() -> &'static Mutex<Ring> {
    LOG.get_or_init(|| Mutex::new(Ring::new(LOG_TAIL_BYTES_MAX)))
}

/// What was logged so far: the beginning and the end of it, at most [`LOG_TAIL_BYTES_MAX`].
pub(crate) fn text() -> String {
    ring().lock().unwrap_or_else(PoisonError::into_inner).text(LOG_TAIL_BYTES_MAX)
}
