//! Joining a farm: this box makes a key that never leaves it, and gets a certificate for it.
//!
//! The console is trusted by the pin in the join line and by nothing else; the token's secret is never sent.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio::time::timeout;
use vc_certs::ended::Ended;
use vc_certs::wire::WireError;
use vc_certs::{AgentKey, CertsError, Identity, JoinLine, join as exchange};
use vc_protocol::join::{HOST_BYTES_MAX, JoinRefusal};

use crate::session::dial;
use crate::state_dir::{StateDir, StateDirError};
use crate::{task, told};

/// A difference of the clocks that is worth a word; certificates allow for an hour.
const CLOCK_OFF_MS: i64 = 60_000;
/// How long the console gets to hear our close.
const CLOSE_BOUND: Duration = Duration::from_millis(200);

/// Why this box did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The state folder.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// It has joined before.
    #[error("join: this box is {name} of farm {farm} already; `--force` replaces that identity")]
    AlreadyJoined {
        /// Its name there.
        name: String,
        /// The farm.
        farm: String,
    },
    /// Keys, certificates or their files.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// Nobody answered.
    #[error("reach the console: {0}")]
    Unreachable(String),
    /// Somebody answered who is not the console of this line.
    #[error("trust the console: {0}; check the addresses, or make a new line with `vc-console token create`")]
    Untrusted(String),
    /// The console did not let it in.
    #[error("join: {0}")]
    Refused(JoinRefusal),
    /// The exchange broke off.
    #[error("talk to the console: {0}; the same line can be used again")]
    Broken(String),
}

/// Joins the farm of that line and writes the new identity down. Trying again with the same line after a lost answer
/// uses up nothing. An identity that is there already is replaced only by `force`.
///
/// The task ends when the console has heard our close: a program that has nothing else to do waits for it.
pub async fn join(
    line: &JoinLine,
    state_dir: &Path,
    force: bool,
) -> Result<(Identity, JoinHandle<()>), JoinError> {
    let dir = StateDir::open(state_dir)?;
    if !force && let Some(known) = Identity::load(dir.path())? {
        return Err(JoinError::AlreadyJoined { name: known.name.clone(), farm: known.farm.to_string() });
    }
    let key = AgentKey::pending(dir.path())?;
    let dialled = dial::newcomer(&line.addresses, line.pin).await.map_err(|ended| match ended {
        Ended::Refused(words) => JoinError::Untrusted(words),
        Ended::Lost(words) => JoinError::Unreachable(words),
    })?;
    let (endpoint, connection, address) = dialled;
    let host = host_name();
    let answer = exchange::ask(&connection, line, &key, &host, env!("CARGO_PKG_VERSION")).await;
    // What is lost by leaving early is only the courtesy of a close frame.
    drop(connection);
    let goodbye = task::spawn("goodbye", async move {
        let _ = timeout(CLOSE_BOUND, endpoint.wait_idle()).await;
    });
    let (mut identity, console_ms) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let _ = goodbye.await;
            return Err(error.into());
        }
    };
    warn_of_clock(console_ms);
    identity.consoles = best_first(&line.addresses, &address);
    identity.store(dir.path())?;
    Ok((identity, goodbye))
}

impl From<exchange::JoinError> for JoinError {
    fn from(error: exchange::JoinError) -> Self {
        match error {
            exchange::JoinError::Refused(why) => Self::Refused(why),
            exchange::JoinError::Certs(error) => Self::Certs(error),
            exchange::JoinError::Wire(WireError::Ended(Ended::Refused(words))) => Self::Untrusted(words),
            exchange::JoinError::Wire(WireError::Hello(hello)) => Self::Untrusted(hello.to_string()),
            other @ (exchange::JoinError::Wire(_) | exchange::JoinError::Binding) => {
                Self::Broken(told::chain(&other))
            }
        }
    }
}

/// The address that answered goes first.
fn best_first(addresses: &[String], best: &str) -> Vec<String> {
    let rest = addresses.iter().filter(|a| *a != best).cloned();
    std::iter::once(best.to_owned()).chain(rest).collect()
}

fn warn_of_clock(console_ms: i64) {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let off_ms = now_ms.saturating_sub(console_ms);
    if off_ms.abs() > CLOCK_OFF_MS {
        tracing::warn!(
            "the clock of this box is {} s off the console's: set it, or certificates will not be valid",
            off_ms / 1000
        );
    }
}

/// This box's name for people, as the kernel says it.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !vc_protocol::path::is_unprintable(*c)).collect();
    let name = name[..name.floor_char_boundary(HOST_BYTES_MAX)].to_owned();
    if name.is_empty() { "agent".into() } else { name }
}

#[cfg(test)]
mod tests;
