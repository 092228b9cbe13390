//! `agents`: who works for the farm.

use clap::Subcommand;
use serde_json::json;

use super::exit::{Exit, Failed};
use super::target::Target;
use super::{ask, json, text};

#[derive(Subcommand)]
pub(super) enum AgentsCommand {
    /// List agents with their devices
    Ls {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(target: &Target, command: AgentsCommand) -> Result<Exit, Failed> {
    match command {
        AgentsCommand::Ls { json } => list(target, json).await,
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
