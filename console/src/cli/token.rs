//! `token`: lets newcomers into the farm.

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;
use vc_protocol::operator::{Request, Response, Role, TokenView, TokenWish};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::size::{rfc3339, seconds};
use super::table::{self, Audience, Cell, Column, Fit};
use super::target::Target;
use super::text;
use crate::operator::client::ClientError;
use crate::wall::wall_ms;

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Print the line to paste on a new agent, or for a person on another box
    Create {
        /// What it lets in: an agent works, an operator looks and acts, a viewer looks
        #[arg(long, default_value = "agent", value_parser = role())]
        role: Role,
        /// Newcomers that it lets in
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
        uses: u16,
        /// Minutes that it lives, at most a day
        #[arg(long, default_value_t = 15, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
        ttl: u64,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// List tokens that still let somebody in
    Ls {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Take a token back: it lets nobody in any more
    Revoke {
        /// The token, as `token ls` lists it
        #[arg(value_name = "ID")]
        token: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

fn role() -> impl TypedValueParser<Value = Role> {
    let words = PossibleValuesParser::new(Role::ALL.map(Role::word));
    words.map(|word| Role::from_word(&word).unwrap_or(Role::Agent))
}

pub(super) async fn run(target: &Target, command: TokenCommand) -> Result<Exit, Failed> {
    match command {
        TokenCommand::Create { role, uses, ttl, json } => {
            create(target, TokenWish { uses, ttl_s: ttl * 60, role }, json).await
        }
        TokenCommand::Ls { json } => list(target, json).await,
        TokenCommand::Revoke { token, json } => revoke(target, token, json).await,
    }
}

async fn create(target: &Target, wish: TokenWish, as_json: bool) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let request = Request::TokenCreate(wish);
    let (line, ttl_s) = answer!(client, &request, Response::Token { line, ttl_s } => (line, ttl_s));
    let (program, place) = match wish.role {
        Role::Agent => ("vc-agent", "on the new agent"),
        Role::Operator | Role::Viewer => ("vc-console", "where that person works"),
    };
    let (command, uses) = (format!("{program} join {line}"), wish.uses);
    if as_json {
        let role = wish.role;
        text::json_out(&json!({ "v": 1, "line": line, "command": command, "role": role, "seconds": ttl_s }));
    } else {
        text::out(&command);
        text::note(&format!("paste it {place} within {} min; it lets in {uses}, once each", ttl_s / 60));
    }
    Ok(Exit::Done)
}

async fn list(target: &Target, as_json: bool) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let tokens = answer!(client, &Request::Tokens, Response::Tokens(tokens) => tokens);
    if as_json {
        let row = |token: &TokenView| {
            json!({
                "id": token.id,
                "role": token.role,
                "uses_left": token.uses_left,
                "ends": rfc3339(token.ends_ms),
            })
        };
        text::json_out(&json!({ "v": 1, "tokens": tokens.iter().map(row).collect::<Vec<_>>() }));
        return Ok(Exit::Done);
    }
    let now_ms = wall_ms();
    let cells = |token: &TokenView| -> Vec<Cell> {
        let left_s = u64::try_from(token.ends_ms.saturating_sub(now_ms) / 1000).unwrap_or(0);
        let ends = Cell::new(format!("in {}", seconds(left_s as f64)), rfc3339(token.ends_ms));
        vec![token.id.as_str().into(), token.role.word().into(), token.uses_left.into(), ends]
    };
    let rows: Vec<_> = tokens.iter().map(cells).collect();
    table::print(&COLUMNS, &rows, Audience::of_stdout());
    if tokens.is_empty() {
        text::note("no token lets anybody in: `vc-console token create` makes one");
    }
    Ok(Exit::Done)
}

const COLUMNS: [Column; 4] =
    [("ID", Fit::Left), ("ROLE", Fit::Left), ("USES LEFT", Fit::Right), ("ENDS", Fit::Left)];

async fn revoke(target: &Target, token: String, as_json: bool) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let done = answer!(client, &Request::TokenRevoke(token), Response::Done(done) => done);
    text::done(&[done], as_json);
    Ok(Exit::Done)
}
