//! The command line: arguments in, requests to the server, text or JSON out.
//!
//! The only part of the console that prints. Decides nothing about jobs. A module a noun, with the noun's own words.

mod add;
mod agents;
mod args;
mod ask;
mod attach;
mod config;
mod confirm;
mod convert;
mod crash;
mod doctor;
mod events;
pub mod exit;
mod failures;
mod farm;
mod follow;
mod jobs;
mod join;
mod json;
mod look;
mod loss;
mod members;
mod pages;
mod profiles;
mod screen;
mod serve;
mod signals;
mod size;
mod stats;
mod status;
mod stop;
mod table;
mod target;
mod text;
mod token;
mod watch;
mod when;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::Parser;
use vc_protocol::path::FilePath;

use args::{Cli, Command};
use exit::{Exit, Failed};
pub use pages::complete;
use target::Target;

use crate::config::keys::Name;

/// Runs the program with these arguments; the value is its exit status.
pub async fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && wants_json(&args) => {
            let message = error.to_string();
            let line = message.lines().next().unwrap_or_default();
            text::report(&Failed::usage(line.trim_start_matches("error: ")), true);
            return Exit::Usage;
        }
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let done = run(cli).await;
    if let Some(failed) = text::lost() {
        text::report(&failed, false);
        return failed.exit;
    }
    match done {
        Ok(exit) => exit,
        Err(failed) => {
            text::report(&failed, wants_json(&args));
            failed.exit
        }
    }
}

/// Told by the words alone, since an error of usage comes before their meaning. After `--` come names.
fn wants_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json" || arg == "--jsonl")
}

async fn run(cli: Cli) -> Result<Exit, Failed> {
    let given = cli.given();
    let command = match cli.command {
        // What must work whatever is set.
        Some(Command::Config(command)) => return config::run(command, &given),
        Some(Command::Completion { shell }) => return pages::completion(shell),
        Some(Command::Man { out }) => return pages::man(out),
        Some(Command::Version { json }) => {
            let config = config::load(&given).ok();
            let target = config.and_then(|config| Target::new(&config).ok());
            return Ok(farm::version(target.as_ref(), json).await);
        }
        Some(command) => command,
        None => Command::Attach(look::LookArgs::default()),
    };
    let config = config::load(&given)?;
    crash::write_down(config.path(Name::StateDir).map(PathBuf::from));
    let made = OnceLock::new();
    let target = || Target::new(&config).map(|target| made.get_or_init(|| target));
    let done = match command {
        Command::Attach(_) => attach::attach(target()?, &config, &given).await,
        Command::Serve(_) => serve::serve(target()?.state_dir().to_owned(), &config).await,
        Command::Convert(args) => convert::convert(args, &config).await,
        Command::Add(args) => add::add(target()?, args, &config).await,
        Command::Status(args) => status::status(target()?, &args).await,
        Command::Jobs(command) => jobs::run(target()?, command).await,
        Command::Agents(command) => agents::run(target()?, command).await,
        Command::Operators(command) => members::operators(target()?, command).await,
        Command::Why { job, json } => status::why(target()?, job, json).await,
        Command::Failures(args) => failures::failures(target()?, &args).await,
        Command::Events(args) => events::events(target()?, &args).await,
        Command::Stats(args) => stats::stats(target()?, &args).await,
        Command::Pause { json } => farm::pause(target()?, json).await,
        Command::Resume { json } => farm::resume(target()?, json).await,
        Command::Token(command) => token::run(target()?, command).await,
        Command::Join(args) => join::join(target()?, args).await,
        Command::Profiles(command) => profiles::run(target()?, &command).await,
        Command::Stop(args) => stop::stop(target()?, args).await,
        Command::Doctor(args) => doctor::run(&config, args).await,
        Command::Config(_) | Command::Completion { .. } | Command::Man { .. } | Command::Version { .. } => {
            Ok(Exit::Done)
        }
    };
    if let Some(target) = made.get() {
        target.close().await;
    }
    done
}

/// An absolute path, without asking whether it exists.
fn absolute(path: &std::path::Path) -> Result<FilePath, Failed> {
    let path = std::path::absolute(path).map_err(|e| Failed::usage(format!("{}: {e}", path.display())))?;
    Ok(crate::intake::walk::to_file_path(&path))
}
