//! Joining a farm: this box makes a key that never leaves it, and gets a certificate for it.
//!
//! The console is trusted by the pin in the join line and by nothing else; the token's secret is never sent.

use std::path::Path;

use tokio::task::JoinHandle;
use vc_certs::ended::Ended;
use vc_certs::wire::WireError;
use vc_certs::{AgentKey, CertsError, Identity, JoinLine, join as exchange};
use vc_protocol::join::{HOST_BYTES_MAX, JoinRefusal};
use vc_protocol::operator::Role;

use crate::state_dir::{StateDir, StateDirError};
use crate::{task, told};

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
    /// The line is a person's.
    #[error(
        "join: the role of this token is {}; give the line to `vc-console join`, or make one for an agent with `vc-console token create`",
        .0.word()
    )]
    NotAnAgents(Role),
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
    if line.role != Role::Agent {
        return Err(JoinError::NotAnAgents(line.role));
    }
    let dir = StateDir::open(state_dir)?;
    if !force && let Some(known) = Identity::load(dir.path())? {
        return Err(JoinError::AlreadyJoined { name: known.name.clone(), farm: known.farm.to_string() });
    }
    let key = AgentKey::pending(dir.path())?;
    let entered = exchange::enter(line, &key, &host_name(), env!("CARGO_PKG_VERSION")).await?;
    if let Some(off_s) = entered.clock_off_s() {
        tracing::warn!(
            "the clock of this box is {off_s} s off the console's: set it, or certificates will not be valid"
        );
    }
    let goodbye = task::spawn("goodbye", entered.goodbye());
    entered.identity.store(dir.path())?;
    Ok((entered.identity, goodbye))
}

impl From<exchange::JoinError> for JoinError {
    fn from(error: exchange::JoinError) -> Self {
        match error {
            exchange::JoinError::Dial(Ended::Refused(words)) => Self::Untrusted(words),
            exchange::JoinError::Dial(Ended::Lost(words)) => Self::Unreachable(words),
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

/// This box's name for people, as the kernel says it.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !vc_protocol::path::is_unprintable(*c)).collect();
    let name = name[..name.floor_char_boundary(HOST_BYTES_MAX)].to_owned();
    if name.is_empty() { "agent".into() } else { name }
}

#[cfg(test)]
mod tests;
