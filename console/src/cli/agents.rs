//! `agents`: who works for the farm.

use clap::Subcommand;
use serde_json::json;

use super::exit::{Exit, Failed};
use super::members::{self, MemberCommand};
use super::target::Target;
use super::{ask, json, text};
use crate::launch;

#[derive(Subcommand)]
pub(super) enum AgentsCommand {
    /// List agents with their devices
    Ls {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Member(MemberCommand),
    /// Start an agent on this box in the background, for the server of the state folder
    Start {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(target: &Target, command: AgentsCommand) -> Result<Exit, Failed> {
    match command {
        AgentsCommand::Ls { json } => list(target, json).await,
        AgentsCommand::Member(command) => members::run(target, command).await,
        AgentsCommand::Start { json } => start(target, json).await,
    }
}

async fn list(target: &Target, as_json: bool) -> Result<Exit, Failed> {
    let snapshot = ask::snapshot(&mut target.connect().await?).await?;
    if as_json {
        let agents: Vec<_> = snapshot.agents.iter().map(json::agent).collect();
        text::json_out(&json!({ "v": 1, "agents": agents }));
    } else {
        snapshot.agents.iter().for_each(|a| text::out(&text::agent(a)));
        if snapshot.agents.is_empty() {
            text::note("no agent has joined: `vc-console token create` prints the line for one");
        }
    }
    Ok(Exit::Done)
}

async fn start(target: &Target, as_json: bool) -> Result<Exit, Failed> {
    let started = launch::start_local_agent(target.state_dir()).await;
    let sentence = started.map_err(|error| match error {
        launch::LocalAgentError::Token(error) => Failed::from(error),
        error => Failed::new(Exit::Unexpected, format!("{:#}", anyhow::Error::from(error))),
    })?;
    if as_json {
        text::json_out(&json!({ "v": 1, "done": sentence }));
    } else {
        text::out(&sentence);
    }
    Ok(Exit::Done)
}
