//! The server that a command is given to.

use std::path::{Path, PathBuf};

use super::exit::Failed;
use crate::operator::client::Client;

/// Where the server is.
pub(super) struct Target {
    state_dir: PathBuf,
}

impl Target {
    /// The server of the folder named, or of this user's default folder.
    pub(super) fn new(named: Option<&Path>) -> Result<Target, Failed> {
        Ok(Target { state_dir: state_dir(named)? })
    }

    /// The server of this folder.
    pub(super) fn of(state_dir: &Path) -> Target {
        Target { state_dir: state_dir.to_owned() }
    }

    /// Its state folder.
    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> Result<Client, Failed> {
        Ok(Client::connect(&self.state_dir).await?)
    }
}

/// The folder named, or the default of this user.
fn state_dir(named: Option<&Path>) -> Result<PathBuf, Failed> {
    if let Some(dir) = named {
        return Ok(dir.to_owned());
    }
    let base = match std::env::var_os("XDG_STATE_HOME").filter(|v| !v.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => match std::env::var_os("HOME") {
            Some(home) => PathBuf::from(home).join(".local/state"),
            None => return Err(Failed::usage("no home folder is known: say where with --state-dir")),
        },
    };
    Ok(base.join("vc-console"))
}
