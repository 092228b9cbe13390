//! Plain `vc-console`: the dashboard on the server of the state folder, which is started if none runs.

use std::io::IsTerminal;

use super::exit::{Exit, Failed};
use super::target::Target;
use super::{screen, status, text};
use crate::config::{Config, Given};
use crate::launch::{self, LaunchError, Started};
use crate::operator::client::{Client, ClientError};

/// Shows the server; off a terminal nothing is started, and its status is printed.
pub(super) async fn attach(target: &Target, config: &Config, given: &Given) -> Result<Exit, Failed> {
    let somebody_looks = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    match Client::connect(target.server()?).await {
        Ok(_) => {}
        Err(ClientError::NotRunning(_)) if somebody_looks => start(target, given).await?,
        Err(error) => return Err(error.into()),
    }
    if somebody_looks { screen::attach(target.server()?, config).await } else { status::plain(target).await }
}

async fn start(target: &Target, given: &Given) -> Result<(), Failed> {
    let started = launch::start_server(target.state_dir(), given.file.as_deref()).await;
    match started.map_err(not_started)? {
        Started::Ours { pid, log } => {
            text::note(&format!("started a server in the background: process {pid}, log {}", log.display()));
        }
        Started::Another => {}
    }
    Ok(())
}

fn not_started(error: LaunchError) -> Failed {
    Failed::new(Exit::NoServer, format!("{:#}", anyhow::Error::from(error)))
}
