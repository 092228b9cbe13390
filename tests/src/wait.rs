//! Waiting for a level, with a bound. The only sleep of the harness is here.

use std::time::{Duration, Instant};

/// Bound of a wait that takes well under a second on an idle machine; generous, since tests share two cores with
/// encoders and with each other.
pub const LONG: Duration = Duration::from_secs(60);

/// Pause between two looks: short against what people notice, long enough that looking costs nothing.
const STEP: Duration = Duration::from_millis(20);

/// Looks until `look` finds something, at most for `bound`.
pub fn eventually<T>(bound: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + bound;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(STEP);
    }
}

/// What `look` finds within `bound`.
///
/// # Panics
/// When it finds nothing, naming what was waited for.
pub fn wait_for<T>(what: &str, bound: Duration, look: impl FnMut() -> Option<T>) -> T {
    eventually(bound, look).unwrap_or_else(|| panic!("waited {bound:?} in vain until {what}"))
}

/// Returns once `holds` does.
///
/// # Panics
/// When it does not within `bound`.
pub fn wait_until(what: &str, bound: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, bound, || holds().then_some(()));
}
