//! `operators`, and what can be done to whoever joined: `revoke` and `rename`, of agents and operators alike.

use clap::Subcommand;
use serde_json::json;
use vc_protocol::id::AgentId;
use vc_protocol::operator::{AgentAction, MemberView, Request, Response, Role};

use super::ask::{answer, snapshot};
use super::confirm::{self, Answer};
use super::exit::{Exit, Failed};
use super::size::rfc3339;
use super::table::{self, Audience, Cell, Column, Fit};
use super::target::Target;
use super::text;
use crate::operator::client::{Client, ClientError};

#[derive(Subcommand)]
pub(super) enum MemberCommand {
    /// Throw somebody out for good: the key is refused from now on, and an agent's jobs go back to pending. Asks first
    Revoke {
        /// The name or number
        #[arg(value_name = "NAME|ID")]
        member: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Give somebody another name
    Rename {
        /// The name or number
        #[arg(value_name = "NAME|ID")]
        member: String,
        /// The new name
        name: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum OperatorsCommand {
    /// List operators and viewers
    Ls {
        /// Those who were revoked as well
        #[arg(long)]
        all: bool,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Member(MemberCommand),
}

pub(super) async fn operators(target: &Target, command: OperatorsCommand) -> Result<Exit, Failed> {
    match command {
        OperatorsCommand::Ls { all, json } => list(target, all, json).await,
        OperatorsCommand::Member(command) => run(&mut target.connect().await?, command).await,
    }
}

pub(super) async fn run(client: &mut Client, command: MemberCommand) -> Result<Exit, Failed> {
    let (id, action, as_json) = match command {
        MemberCommand::Revoke { member, yes, json } => {
            let member = Member::find(client, &member).await?;
            if !yes {
                confirm::ask(&member.would_lose(), &Answer::Word(member.name.clone()))?;
            }
            (member.id, AgentAction::Revoke, json)
        }
        MemberCommand::Rename { member, name, json } => {
            (Member::find(client, &member).await?.id, AgentAction::Rename(name), json)
        }
    };
    let done = answer!(client, &Request::OnAgent(id, action), Response::Done(done) => done);
    text::done(&[done], as_json);
    Ok(Exit::Done)
}

/// Whoever joined, and what would be taken from them.
struct Member {
    id: AgentId,
    name: String,
    role: Role,
    runs: usize,
}

impl Member {
    /// By name, else by number.
    async fn find(client: &mut Client, wanted: &str) -> Result<Member, Failed> {
        let mut all = members(client).await?;
        all.retain(|member| member.revoked_ms.is_none());
        let by_name = all.iter().position(|member| member.name == wanted);
        let by_number = || all.iter().position(|member| wanted.parse() == Ok(member.id));
        let Some(at) = by_name.or_else(by_number) else {
            let wanted = wanted.escape_debug();
            let message = format!("nobody is called {wanted}: `agents ls` and `operators ls` list them");
            return Err(Failed::new(Exit::NothingMatched, message));
        };
        let MemberView { id, name, role, .. } = all.swap_remove(at);
        let agents = snapshot(client).await?.agents.into_iter().filter(|agent| agent.id == id);
        let runs = agents.flat_map(|agent| agent.devices).map(|device| device.runs.len()).sum();
        Ok(Member { id, name, role, runs })
    }

    fn would_lose(&self) -> String {
        let Member { name, role, runs, .. } = self;
        let jobs = match (role, runs) {
            (Role::Operator | Role::Viewer, _) | (Role::Agent, 0) => String::new(),
            (Role::Agent, 1) => "; 1 job that it has goes back to pending".to_owned(),
            (Role::Agent, _) => format!("; {runs} jobs that it has go back to pending"),
        };
        format!("{} {name} would have to join again with a new token{jobs}", role.word())
    }
}

async fn members(client: &mut Client) -> Result<Vec<MemberView>, Failed> {
    Ok(answer!(client, &Request::Members, Response::Members(members) => members))
}

async fn list(target: &Target, all: bool, as_json: bool) -> Result<Exit, Failed> {
    let mut people = members(&mut target.connect().await?).await?;
    people.retain(|person| person.role != Role::Agent && (all || person.revoked_ms.is_none()));
    if as_json {
        let row = |person: &MemberView| {
            json!({
                "id": person.id,
                "name": person.name,
                "role": person.role,
                "joined": rfc3339(person.joined_ms),
                "revoked": person.revoked_ms.map(rfc3339),
            })
        };
        text::json_out(&json!({ "v": 1, "operators": people.iter().map(row).collect::<Vec<_>>() }));
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = people.iter().map(cells).collect();
    table::print(&COLUMNS, &rows, Audience::of_stdout());
    if people.is_empty() {
        text::note("nobody: `vc-console token create --role operator` prints the line for one");
    }
    Ok(Exit::Done)
}

const COLUMNS: [Column; 5] = [
    ("ID", Fit::Right),
    ("NAME", Fit::Left),
    ("ROLE", Fit::Left),
    ("JOINED", Fit::Left),
    ("REVOKED", Fit::Left),
];

fn cells(person: &MemberView) -> Vec<Cell> {
    vec![
        person.id.into(),
        person.name.as_str().into(),
        person.role.word().into(),
        rfc3339(person.joined_ms).into(),
        person.revoked_ms.map_or_else(|| "-".to_owned(), rfc3339).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_what_is_lost() {
        let member = |role, runs| Member { id: AgentId(1), name: "ada".into(), role, runs }.would_lose();
        assert_eq!(
            member(Role::Agent, 2),
            "agent ada would have to join again with a new token; 2 jobs that it has go back to pending"
        );
        assert_eq!(member(Role::Viewer, 0), "viewer ada would have to join again with a new token");
    }
}
