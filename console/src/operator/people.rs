//! Who this user is in farms of other boxes: one folder a farm below the state folder, made by a join line.

use std::path::{Path, PathBuf};

use vc_certs::join::{self, Entered};
use vc_certs::{AgentKey, CertsError, Identity, JoinLine};
use vc_protocol::operator::Role;

use super::wire::PROGRAM;

/// Folders of farms read; nobody is in more.
const FARMS_MAX: usize = 100;

/// Why this user did not join.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The line is an agent's.
    #[error(
        "join: the role of this token is agent; give the line to `vc-agent join` on the box that shall work, or make one with `vc-console token create --role operator`"
    )]
    NotAPersons,
    /// Has joined before.
    #[error("join: you are {name} of farm {farm} already ({}); `--force` replaces that identity", role.word())]
    AlreadyJoined {
        /// The name there.
        name: String,
        /// The role there.
        role: Role,
        /// The farm.
        farm: String,
    },
    /// The exchange with the server.
    #[error("join")]
    Join(#[from] join::JoinError),
    /// Keys, certificates or their files.
    #[error(transparent)]
    Certs(#[from] CertsError),
}

/// Where the identities of the user with this state folder are.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("operators")
}

/// Every farm that this user joined, by folder name. One that cannot be read does not hide the others, unless there are
/// no others.
pub fn joined(folder: &Path) -> Result<Vec<Identity>, CertsError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut dirs: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).take(FARMS_MAX).collect();
    dirs.sort();
    let (mut found, mut broken) = (Vec::new(), None);
    for dir in dirs {
        match Identity::load(&dir) {
            Ok(Some(identity)) if identity.role != Role::Agent => found.push(identity),
            Ok(_) => {}
            Err(error) => broken = Some(error),
        }
    }
    match broken {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// Makes this user an operator or viewer of the line's farm, under a name made of that of the `account`. The same line
/// can be tried again if the answer was lost.
pub async fn join(
    folder: &Path,
    line: &JoinLine,
    account: &str,
    force: bool,
) -> Result<Entered, PeopleError> {
    if line.role == Role::Agent {
        return Err(PeopleError::NotAPersons);
    }
    let known = joined(folder)?.into_iter().find(|known| known.trusts(line.pin));
    if let Some(Identity { name, role, farm, .. }) = known.filter(|_| !force) {
        return Err(PeopleError::AlreadyJoined { name, role, farm: farm.to_string() });
    }
    // The line does not say which farm it is for: the key waits under the token's name until the farm has answered.
    let waiting = folder.join(format!("joining-{}", line.token));
    let key = AgentKey::pending(&waiting)?;
    let entered = join::enter(line, &key, account, PROGRAM).await?;
    entered.identity.store(&folder.join(entered.identity.farm.to_string()))?;
    // A key that stays behind is that of the identity, in a folder as private.
    let _ = std::fs::remove_dir_all(waiting);
    Ok(entered)
}
