//! `profiles`: the recipes that jobs can name. Reads files and asks no server, unless it is on another box.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use vc_protocol::operator::{Request, Response};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::target::Target;
use super::text;
use crate::operator::client::ClientError;
use crate::profiles::{Profiles, ProfilesError, user_folder};

#[derive(Subcommand)]
pub(super) enum ProfilesCommand {
    /// List profiles
    Ls {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Look whether every profile can be used, or those in these files
    Check {
        /// Files to look at, wherever they are; a file's name is its profile's name
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print a profile as TOML, with everything that it inherits
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
            let row = |shown: crate::profiles::Shown| {
                json!({
                    "name": shown.name,
                    "description": shown.description,
                    "origin": shown.origin,
                    "inherits": shown.inherits,
                })
            };
            let rows: Vec<_> = profiles.all().into_iter().map(row).collect();
            text::json_out(&json!({ "v": 1, "profiles": rows }));
        }
        ProfilesCommand::Ls { json: false } => {
            text::parts(
                profiles.all().iter().map(|shown| format!("{:<16} {}", shown.name, shown.description)),
            );
        }
        ProfilesCommand::Check { files, json } => return Ok(check(profiles, files, *json)),
        ProfilesCommand::Show { name, json } => return show(&profiles, name, *json),
    }
    Ok(Exit::Done)
}

fn show(profiles: &Profiles, name: &str, as_json: bool) -> Result<Exit, Failed> {
    let Some(shown) = profiles.all().into_iter().find(|shown| shown.name == name) else {
        let error = profiles.get(name).err().map(|e| e.to_string()).unwrap_or_default();
        return Err(Failed::new(Exit::NothingMatched, error));
    };
    if as_json {
        let profile = profiles.get(name).map_err(|e| Failed::usage(e.to_string()))?.profile;
        let (origin, inherits) = (shown.origin, shown.inherits);
        text::json_out(
            &json!({ "v": 1, "name": name, "origin": origin, "inherits": inherits, "profile": profile }),
        );
    } else {
        text::out(shown.toml.trim_end());
        // Beside the data, which can be the start of a file of one's own.
        text::note(&format!("from {}", shown.origin));
    }
    Ok(Exit::Done)
}

/// Looks at these files; at every profile if there are none.
fn check(mut profiles: Profiles, files: &[PathBuf], as_json: bool) -> Exit {
    let mut problems: Vec<(String, ProfilesError)> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for file in files {
        match profiles.take_file(file) {
            Ok(name) => names.push(name),
            Err(error) => problems.push((file.display().to_string(), error)),
        }
    }
    if files.is_empty() {
        names = profiles.all().into_iter().map(|shown| shown.name).collect();
    }
    let wrong = |name: String| profiles.get(&name).err().map(|error| (name, error));
    problems.extend(names.into_iter().filter_map(wrong));
    if as_json {
        let rows: Vec<Value> = problems.iter().flat_map(|(name, error)| rows(name, error)).collect();
        text::json_out(&json!({ "v": 1, "right": rows.is_empty(), "problems": rows }));
    } else if problems.is_empty() {
        text::note(if files.is_empty() { "every profile can be used" } else { "can be used" });
    } else {
        text::parts(problems.iter().map(|(_, error)| error.to_string()));
    }
    if problems.is_empty() { Exit::Done } else { Exit::Usage }
}

/// One row for each fault.
fn rows(name: &str, error: &ProfilesError) -> Vec<Value> {
    match error {
        ProfilesError::Faults(faults) => faults
            .iter()
            .map(|fault| {
                json!({
                    "name": name,
                    "problem": fault.problem(),
                    "file": fault.origin,
                    "line": fault.line,
                    "column": fault.column,
                    "key": fault.key,
                })
            })
            .collect(),
        ProfilesError::Unknown { .. } | ProfilesError::Read { .. } => {
            vec![json!({ "name": name, "problem": error.to_string() })]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_cannot_be_used_is_wrong_configuration() {
        assert_eq!(check(Profiles::load(None).unwrap(), &[], true), Exit::Done);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.toml");
        std::fs::write(&file, "description = 7").unwrap();
        assert_eq!(check(Profiles::load(Some(dir.path())).unwrap(), &[], true), Exit::Usage);
        assert_eq!(check(Profiles::load(None).unwrap(), std::slice::from_ref(&file), true), Exit::Usage);
        std::fs::write(&file, "inherits = \"remux\"").unwrap();
        assert_eq!(check(Profiles::load(None).unwrap(), &[file], true), Exit::Done);
        assert_eq!(check(Profiles::load(None).unwrap(), &[dir.path().join("none.toml")], false), Exit::Usage);
    }
}
