//! The wall clock. Deadlines are on the engine's monotonic one.

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock in milliseconds since 1970: for people, and for what outlives the process.
pub fn wall_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
