//! Plain `vc-console`: the dashboard on the server of the state folder, which is started if none runs.

use std::io::IsTerminal;
use std::path::Path;

use super::exit::{Exit, Failed};
use super::{ask, screen, text};
use crate::config::{Config, Given};
use crate::launch::{self, LaunchError, Started};
use crate::operator::client::{Client, ClientError};

/// Shows the server; off a terminal nothing is started, and its status is printed.
pub(super) async fn attach(state_dir: &Path, config: &Config, given: &Given) -> Result<Exit, Failed> {
    let somebody_looks = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    match Client::connect(state_dir).await {
        Ok(_) => {}
        Err(ClientError::NotRunning(_)) if somebody_looks => start(state_dir, given).await?,
        Err(error) => return Err(error.into()),
    }
    if somebody_looks { screen::attach(state_dir, config).await } else { ask::status(state_dir, false).await }
}

async fn start(state_dir: &Path, given: &Given) -> Result<(), Failed> {
    let started = launch::start_server(state_dir, given.file.as_deref()).await;
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

/// `agents start`: an agent on this box, for the server of the state folder.
pub(super) async fn start_agent(state_dir: &Path, as_json: bool) -> Result<Exit, Failed> {
    let started = launch::start_local_agent(state_dir).await;
    let sentence = started.map_err(|error| match error {
        launch::LocalAgentError::Token(error) => Failed::from(error),
        error => Failed::new(Exit::Unexpected, format!("{:#}", anyhow::Error::from(error))),
    })?;
    if as_json {
        text::json_out(&serde_json::json!({ "v": 1, "done": sentence }));
    } else {
        text::out(&sentence);
    }
    Ok(Exit::Done)
}
