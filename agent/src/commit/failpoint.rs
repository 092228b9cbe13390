//! Places where a test can kill the agent.

/// Ends the process here if the variable `VC_FAILPOINT` names this place, in debug builds only.
///
/// The places of an attempt, in order: `encode-began`, `part-synced`, `grant-asked` (the session, once it has sent the
/// question), `grant-held`, `renamed`, `dir-synced`, `reported` (the session, once it has sent the report).
#[cfg(debug_assertions)]
pub fn failpoint(name: &'static str) {
    if std::env::var_os("VC_FAILPOINT").is_some_and(|wanted| wanted == name) {
        tracing::error!(name, "failpoint reached");
        std::process::abort();
    }
}

/// Nothing: release builds have no places to fail at.
#[cfg(not(debug_assertions))]
pub fn failpoint(_name: &'static str) {}
