//! `profiles`: the recipes that jobs can name. Reads files and asks no server, unless it is on another box.

use clap::Subcommand;
use serde_json::json;
use vc_protocol::operator::{Request, Response};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::target::Target;
use super::text;
use crate::operator::client::ClientError;
use crate::profiles::{Profiles, user_folder};

#[derive(Subcommand)]
pub(super) enum ProfilesCommand {
    /// List profiles
    Ls {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Look whether every profile can be used
    Check {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print a profile as TOML
    Show {
        /// Its name
        #[arg(value_name = "PROFILE")]
        name: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(target: &Target, command: &ProfilesCommand) -> Result<Exit, Failed> {
    let profiles = if target.is_remote() {
        let mut client = target.connect().await?;
        Profiles::told(answer!(client, &Request::Profiles, Response::Profiles(list) => list))
    } else {
        Profiles::load(user_folder().as_deref()).map_err(|e| Failed::usage(e.to_string()))?
    };
    match command {
        ProfilesCommand::Ls { json: true } => {
            let rows: Vec<_> = profiles
                .list()
                .into_iter()
                .map(|(name, description, _)| json!({ "name": name, "description": description }))
                .collect();
            text::json_out(&json!({ "v": 1, "profiles": rows }));
        }
        ProfilesCommand::Ls { json: false } => {
            for (name, description, _) in profiles.list() {
                text::out(&format!("{name:<16} {description}"));
            }
        }
        ProfilesCommand::Check { json } => return Ok(check(&profiles, *json)),
        ProfilesCommand::Show { name, json: as_json } => {
            let found = profiles.list().into_iter().find(|(known, _, _)| known == name);
            let Some((_, _, toml)) = found else {
                let error = profiles.get(name).err().map(|e| e.to_string()).unwrap_or_default();
                return Err(Failed::new(Exit::NothingMatched, error));
            };
            if *as_json {
                let profile = profiles.get(name).map_err(|e| Failed::usage(e.to_string()))?.profile;
                text::json_out(&json!({ "v": 1, "name": name, "profile": profile }));
            } else {
                text::out(toml.trim_end());
            }
        }
    }
    Ok(Exit::Done)
}

fn check(profiles: &Profiles, as_json: bool) -> Exit {
    let names = profiles.list().into_iter().map(|(name, _, _)| name);
    let wrong = |name: String| profiles.get(&name).err().map(|error| (name, error.to_string()));
    let problems: Vec<_> = names.filter_map(wrong).collect();
    if as_json {
        let rows: Vec<_> =
            problems.iter().map(|(name, problem)| json!({ "name": name, "problem": problem })).collect();
        text::json_out(&json!({ "v": 1, "right": problems.is_empty(), "problems": rows }));
    } else if problems.is_empty() {
        text::note("every profile can be used");
    } else {
        text::parts(problems.iter().map(|(_, problem)| problem));
    }
    if problems.is_empty() { Exit::Done } else { Exit::Usage }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_cannot_be_used_is_wrong_configuration() {
        assert_eq!(check(&Profiles::load(None).unwrap(), true), Exit::Done);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine.toml"), "description = 7").unwrap();
        assert_eq!(check(&Profiles::load(Some(dir.path())).unwrap(), true), Exit::Usage);
    }
}
