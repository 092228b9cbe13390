//! `completion` and `man`: what is made from the definitions of the commands.
//!
//! The shell asks the program itself for what fits, so that ids of jobs and agents are those of the moment.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use vc_agent::pages::{self, Shell};
use vc_protocol::operator::{JobFilter, PAGE_ROWS_MAX, Request, Response, Sort};

use super::args::Cli;
use super::exit::{Exit, Failed};
use super::target::Target;
use super::{config, text};
use crate::config::Given;
use crate::config::keys::Name;
use crate::operator::client::Client;
use crate::profiles::{Profiles, user_folder};

/// How long a person waits for words after a key.
const WORDS_MAX: Duration = Duration::from_millis(200);
/// Name of the program.
const PROGRAM: &str = "vc-console";

/// Answers a shell that asks for words, and ends the program then. Call it before any thread runs.
pub fn complete() {
    pages::complete(PROGRAM, with_ids);
}

/// `completion`: prints what the shell is to read.
pub(super) fn completion(shell: Shell) -> Result<Exit, Failed> {
    let script = shell.script(PROGRAM);
    let failed = |error: io::Error| Failed::new(Exit::Unexpected, format!("write the completion: {error}"));
    text::out(&script.map_err(failed)?);
    Ok(Exit::Done)
}

/// `man`: prints the page of the program, or writes one for each command.
pub(super) fn man(out: Option<PathBuf>) -> Result<Exit, Failed> {
    let failed = |error: io::Error| Failed::new(Exit::Unexpected, format!("write the man pages: {error}"));
    match out {
        Some(dir) => pages::write_man::<Cli>(&dir).map_err(failed)?,
        None => {
            let page = pages::man::<Cli>().map_err(failed)?;
            // A reader that has seen enough is no error.
            let _ = io::stdout().lock().write_all(&page);
        }
    }
    Ok(Exit::Done)
}

/// The commands, with words for every value that is called after something that the farm knows.
fn with_ids() -> Command {
    every_command(Cli::command())
}

fn every_command(command: Command) -> Command {
    command.mut_args(with_words).mut_subcommands(every_command)
}

fn with_words(arg: Arg) -> Arg {
    let called = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str().to_owned());
    let called = called.unwrap_or_else(|| arg.get_id().as_str().to_uppercase());
    match called.as_str() {
        "JOB" => arg.add(ArgValueCandidates::new(|| words(jobs))),
        "AGENT" => arg.add(ArgValueCandidates::new(|| words(agents))),
        "PROFILE" => arg.add(ArgValueCandidates::new(profiles)),
        _ => arg,
    }
}

type Words = Vec<(String, String)>;

/// Asks the server; whatever goes wrong, there are no words.
fn words<F>(ask: impl FnOnce(Client) -> F) -> Vec<CompletionCandidate>
where
    F: Future<Output = Option<Words>>,
{
    let asked = || {
        let config = config::load(&given()).ok()?;
        let target = Target::new(&config).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let answer = async { ask(target.connect().await.ok()?).await };
        runtime.block_on(async { tokio::time::timeout(WORDS_MAX, answer).await.ok()? })
    };
    candidates(asked().unwrap_or_default())
}

/// Where the server is and the file of settings, as far as they were typed before the word in question.
fn given() -> Given {
    let typed: Vec<_> = std::env::args_os().collect();
    let after = |flag: &str| {
        let at = typed.iter().position(|word| word == flag)?;
        typed.get(at + 1).cloned()
    };
    let mut given = Given { file: after("--config").map(PathBuf::from), flags: Vec::new() };
    given.flag(Name::StateDir, after("--state-dir"));
    given.flag(Name::Connect, after("--connect"));
    given
}

fn candidates(words: Words) -> Vec<CompletionCandidate> {
    let candidate = |(word, about): (String, String)| {
        CompletionCandidate::new(word).help((!about.is_empty()).then(|| StyledStr::from(about)))
    };
    words.into_iter().map(candidate).collect()
}

async fn jobs(mut client: Client) -> Option<Words> {
    let newest = Request::Jobs {
        filter: JobFilter::default(),
        sort: Sort::default(),
        offset: 0,
        limit: PAGE_ROWS_MAX as u32,
    };
    let Response::Page(page) = client.request(&newest).await.ok()? else { return None };
    let about = |row: &vc_protocol::operator::JobRow| format!("{} {}", row.state.word(), row.source);
    Some(page.rows.iter().map(|row| (row.id.to_string(), about(row))).collect())
}

async fn agents(mut client: Client) -> Option<Words> {
    let Response::Snapshot(snapshot) = client.request(&Request::Snapshot).await.ok()? else { return None };
    Some(snapshot.agents.into_iter().map(|agent| (agent.name, agent.address)).collect())
}

fn profiles() -> Vec<CompletionCandidate> {
    let known = Profiles::load(user_folder().as_deref());
    let known = known.map(|profiles| profiles.list()).unwrap_or_default();
    candidates(known.into_iter().map(|(name, about, _)| (name, about)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_the_farm_knows_are_completed() {
        let root = with_ids();
        let is_completed = |words: &str| {
            let command = words.split(' ').try_fold(&root, |at, word| at.find_subcommand(word)).expect(words);
            let mut arguments = command.get_arguments();
            arguments.any(|arg| arg.get::<ArgValueCandidates>().is_some())
        };
        for words in [
            "jobs show",
            "jobs retry",
            "jobs cancel",
            "why",
            "agents drain",
            "agents show",
            "profiles show",
            "add",
        ] {
            assert!(is_completed(words), "{words}");
        }
        assert!(!is_completed("serve"));
    }
}
