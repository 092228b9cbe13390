//! The command line: arguments in, requests to the server, text or JSON out.
//!
//! The only part of the console that prints. Decides nothing about jobs.

mod add;
mod ask;
mod convert;
pub mod exit;
mod json;
mod screen;
mod serve;
mod signals;
mod size;
mod text;
mod watch;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vc_protocol::id::JobId;
use vc_protocol::path::FilePath;

use exit::{Exit, Failed};

use crate::profiles;

/// Port that agents dial unless said otherwise.
const LISTEN: &str = "0.0.0.0:4433";

#[derive(Parser)]
#[command(
    name = "vc-console",
    version,
    about = "The console of a video conversion farm",
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args, Clone)]
struct Common {
    /// Folder of the job table, the keys and the socket [default: ~/.local/state/vc-console]
    #[arg(long, global = true, env = "VC_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: job table, scheduler, and the port that agents dial
    Serve {
        /// Address and UDP port that agents dial
        #[arg(long, env = "VC_LISTEN", default_value = LISTEN, value_name = "ADDR:PORT")]
        listen: SocketAddr,
    },
    /// Convert files on this machine: one command, no set-up
    Convert(ConvertArgs),
    /// Add videos to the queue of the running server
    Add(AddArgs),
    /// Show the farm in one screen of text
    Status {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// List jobs and act on them
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// The agents of the farm
    #[command(subcommand)]
    Agents(AgentsCommand),
    /// Say why a job does not run, device by device
    Why {
        /// The job
        job: JobId,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Let agents into the farm
    #[command(subcommand)]
    Token(TokenCommand),
    /// The recipes that jobs can name
    #[command(subcommand)]
    Profiles(ProfilesCommand),
    /// End the server; agents go on with what they have
    Stop,
}

#[derive(Args)]
struct ConvertArgs {
    /// Files and folders
    #[arg(required = true, value_name = "SRC")]
    sources: Vec<PathBuf>,
    /// Folder for the outputs; the tree below each SRC is kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the profile
    #[arg(long, default_value = profiles::DEFAULT)]
    profile: String,
    /// Encodes at once [default: from the number of cores]
    #[arg(long, env = "VC_SLOTS", value_parser = clap::value_parser!(u16).range(1..=256))]
    slots: Option<u16>,
    /// ffmpeg to use
    #[arg(long, env = "VC_FFMPEG", value_name = "FILE")]
    ffmpeg: Option<PathBuf>,
    /// ffprobe to use
    #[arg(long, env = "VC_FFPROBE", value_name = "FILE")]
    ffprobe: Option<PathBuf>,
    /// One JSON document at the end, nothing else on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct AddArgs {
    /// Files and folders, as the server sees them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Folder for the outputs; the tree below each PATH is kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the profile
    #[arg(long, default_value = profiles::DEFAULT)]
    profile: String,
    /// 0 to 9, higher first
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: u8,
    /// Only say what would be added
    #[arg(long)]
    dry_run: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Which {
    /// Numbers of jobs
    #[arg(value_name = "JOB")]
    jobs: Vec<JobId>,
    /// All jobs in these states (comma separated), instead of numbers
    #[arg(long, value_name = "STATES", conflicts_with = "jobs")]
    state: Option<String>,
    /// Only jobs whose source, profile, agent or cause contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "jobs")]
    text: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum JobsCommand {
    /// List jobs
    Ls {
        /// Only these states, comma separated
        #[arg(long, value_name = "STATES")]
        state: Option<String>,
        /// Only jobs whose source, profile, agent or cause contains this
        #[arg(long)]
        text: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 1000)]
        limit: u64,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known of a job
    Show {
        /// The job
        job: JobId,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print the log of a job's newest attempt
    Logs {
        /// The job
        job: JobId,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Put jobs back to pending, with full budgets
    Retry(Which),
    /// End jobs; what is encoded of them is thrown away
    Cancel {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
enum AgentsCommand {
    /// List agents with their devices
    Ls {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum TokenCommand {
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

#[derive(Subcommand)]
enum ProfilesCommand {
    /// List profiles
    Ls {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print a profile as TOML
    Show {
        /// Its name
        name: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Runs the program with these arguments; the value is its exit status.
pub async fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && args.iter().any(|arg| arg == "--json") => {
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
    let wants_json = cli.command.as_ref().is_some_and(Command::wants_json);
    match run(cli).await {
        Ok(exit) => exit,
        Err(failed) => {
            text::report(&failed, wants_json);
            failed.exit
        }
    }
}

impl Command {
    fn wants_json(&self) -> bool {
        match self {
            Self::Convert(ConvertArgs { json, .. })
            | Self::Add(AddArgs { json, .. })
            | Self::Status { json }
            | Self::Why { json, .. }
            | Self::Jobs(
                JobsCommand::Ls { json, .. }
                | JobsCommand::Show { json, .. }
                | JobsCommand::Logs { json, .. }
                | JobsCommand::Retry(Which { json, .. })
                | JobsCommand::Cancel { which: Which { json, .. }, .. },
            )
            | Self::Agents(AgentsCommand::Ls { json })
            | Self::Token(TokenCommand::Create { json, .. })
            | Self::Profiles(ProfilesCommand::Ls { json } | ProfilesCommand::Show { json, .. }) => *json,
            Self::Serve { .. } | Self::Stop => false,
        }
    }
}

async fn run(cli: Cli) -> Result<Exit, Failed> {
    let state_dir = || state_dir(cli.common.state_dir.as_deref());
    let Some(command) = cli.command else { return serve::attach(&state_dir()?).await };
    match command {
        Command::Serve { listen } => serve::serve(state_dir()?, listen).await,
        Command::Convert(args) => convert::convert(args, cli.common.state_dir).await,
        Command::Add(args) => add::add(&state_dir()?, args).await,
        Command::Status { json } => ask::status(&state_dir()?, json).await,
        Command::Jobs(command) => ask::jobs(&state_dir()?, command).await,
        Command::Agents(AgentsCommand::Ls { json }) => ask::agents(&state_dir()?, json).await,
        Command::Why { job, json } => ask::why(&state_dir()?, job, json).await,
        Command::Token(TokenCommand::Create { uses, ttl, json }) => {
            ask::token(&state_dir()?, uses, ttl, json).await
        }
        Command::Profiles(command) => ask::profiles(&command),
        Command::Stop => ask::stop(&state_dir()?).await,
    }
}

/// The folder named, or the default of this user.
fn state_dir(named: Option<&std::path::Path>) -> Result<PathBuf, Failed> {
    if let Some(dir) = named {
        return Ok(dir.to_owned());
    }
    let base = match std::env::var_os("XDG_STATE_HOME").filter(|v| !v.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => match std::env::var_os("HOME") {
            Some(home) => PathBuf::from(home).join(".local/state"),
            None => return Err(Failed::usage("no home folder is known: say where with --state-dir")),
        },
    };
    Ok(base.join("vc-console"))
}

/// An absolute path, without asking whether it exists.
fn absolute(path: &std::path::Path) -> Result<FilePath, Failed> {
    let path = std::path::absolute(path).map_err(|e| Failed::usage(format!("{}: {e}", path.display())))?;
    Ok(crate::intake::walk::to_file_path(&path))
}
