//! `token`: lets newcomers into the farm.

use clap::Subcommand;
use serde_json::json;
use vc_protocol::operator::{Request, Response, Role, TokenWish};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::target::Target;
use super::text;
use crate::operator::client::ClientError;

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Print the line to paste on a new agent
    Create {
        /// Agents that it lets in
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
        uses: u16,
        /// Minutes that it lives, at most a day
        #[arg(long, default_value_t = 15, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
        ttl: u64,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(target: &Target, command: TokenCommand) -> Result<Exit, Failed> {
    match command {
        TokenCommand::Create { uses, ttl, json } => create(target, uses, ttl, json).await,
    }
}

async fn create(target: &Target, uses: u16, ttl_min: u64, as_json: bool) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let request = Request::TokenCreate(TokenWish { uses, ttl_s: ttl_min * 60, role: Role::Agent });
    let (line, ttl_s) = answer!(client, &request, Response::Token { line, ttl_s } => (line, ttl_s));
    let command = format!("vc-agent join {line}");
    if as_json {
        text::json_out(&json!({ "v": 1, "line": line, "command": command, "seconds": ttl_s }));
    } else {
        text::out(&command);
        text::note(&format!(
            "paste it on the new agent within {} min; it lets in {uses}, once each",
            ttl_s / 60
        ));
    }
    Ok(Exit::Done)
}
