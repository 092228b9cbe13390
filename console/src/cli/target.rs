//! The server that a command is given to.

use std::path::{Path, PathBuf};

use super::exit::Failed;
use crate::config::Config;
use crate::config::keys::Name;
use crate::operator::client::{self, Client};

/// Where the server is.
pub(super) struct Target {
    state_dir: PathBuf,
    server: client::Target,
}

impl Target {
    /// The server of the state folder that is set.
    pub(super) fn new(config: &Config) -> Result<Target, Failed> {
        let state_dir = config.path(Name::StateDir).map(Path::to_owned);
        let state_dir =
            state_dir.ok_or_else(|| Failed::usage("no home folder is known: say where with --state-dir"))?;
        let server = client::Target::Local(state_dir.clone());
        Ok(Target { state_dir, server })
    }

    /// Its state folder.
    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// For whoever connects by itself.
    pub(super) fn server(&self) -> &client::Target {
        &self.server
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> Result<Client, Failed> {
        Ok(Client::connect(&self.server).await?)
    }
}
