//! The server that a command is given to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::exit::Failed;
use crate::config::Config;
use crate::config::keys::Name;
use crate::operator::client::{self, Client, ClientError};
use crate::operator::people;
use crate::operator::remote::Remote;

/// Where the server is.
pub(super) struct Target {
    state_dir: PathBuf,
    /// The address of one on another box.
    connect: Option<String>,
    /// Found when it is first needed: what is done on this box must not fail for want of an identity.
    server: OnceLock<client::Target>,
}

impl Target {
    /// The server on the box that is set, or of the state folder that is set.
    pub(super) fn new(config: &Config) -> Result<Target, Failed> {
        let state_dir = config.path(Name::StateDir).map(Path::to_owned);
        let state_dir =
            state_dir.ok_or_else(|| Failed::usage("no home folder is known: say where with --state-dir"))?;
        let connect = Some(config.text(Name::Connect).to_owned()).filter(|to| !to.is_empty());
        Ok(Target { state_dir, connect, server: OnceLock::new() })
    }

    /// The state folder of this user.
    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Whether the server is on another box, so that paths and processes of this one mean nothing to it.
    pub(super) fn is_remote(&self) -> bool {
        self.connect.is_some()
    }

    /// For whoever connects by itself.
    pub(super) fn server(&self) -> Result<&client::Target, Failed> {
        if let Some(known) = self.server.get() {
            return Ok(known);
        }
        let found = match &self.connect {
            None => client::Target::Local(self.state_dir.clone()),
            Some(to) => {
                let remote = Remote::find(&people::folder(&self.state_dir), to).map_err(ClientError::from)?;
                client::Target::Remote(Arc::new(remote))
            }
        };
        Ok(self.server.get_or_init(|| found))
    }

    /// A connection to it.
    pub(super) async fn connect(&self) -> Result<Client, Failed> {
        Ok(Client::connect(self.server()?).await?)
    }

    /// Says goodbye to it.
    pub(super) async fn close(&self) {
        if let Some(server) = self.server.get() {
            server.close().await;
        }
    }
}
