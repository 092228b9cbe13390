//! The command line: arguments in, requests to the server, text or JSON out.
//!
//! The only part of the console that prints. Decides nothing about jobs.

mod add;
mod ask;
mod attach;
mod config;
mod confirm;
mod convert;
mod crash;
mod doctor;
pub mod exit;
mod json;
mod look;
mod pages;
mod screen;
mod serve;
mod signals;
mod size;
mod stop;
mod text;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vc_protocol::id::JobId;
use vc_protocol::path::FilePath;

use config::ConfigCommand;
use doctor::DoctorArgs;
use exit::{Exit, Failed};
use look::LookArgs;
use pages::Shell;
pub use pages::complete;
use serve::ServeArgs;
use stop::StopArgs;

use crate::config::keys::Name;
use crate::config::{Config, Given};
use crate::profiles;

/// What a script may ask for, at the end of the help and of the man page.
const EXIT_STATUS: &str = "Exit status: 0 done; 1 unexpected error; 2 wrong usage or configuration; 3 no server; \
    4 nothing matched; 5 needs --yes; 6 not allowed; 7 timed out; 10 some jobs failed; 11 none failed, some cancelled \
    or held; 12 degraded; 130, 143 ended by a signal. Settings: `vc-console config show --default` documents each.";

#[derive(Parser)]
#[command(
    name = "vc-console",
    version,
    about = "The console of a video conversion farm",
    after_help = EXIT_STATUS,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    look: LookArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args, Clone)]
struct Common {
    /// Folder of the job table, the keys and the socket [env: VC_STATE_DIR] [default: ~/.local/state/vc-console]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Settings, before those in the usual places [env: VC_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Show the dashboard of the server, which is started if none runs: the same as without a command
    Attach(LookArgs),
    /// Run the server: job table, scheduler, and the port that agents dial
    Serve(ServeArgs),
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
    Stop(StopArgs),
    /// What is set, and where it was said
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look for what would make the farm fail or crawl, and say what to do
    Doctor(DoctorArgs),
    /// Print what a shell reads to complete the commands, with ids of the moment
    ///
    /// bash: source <(vc-console completion bash). zsh: the same with zsh. fish: vc-console completion fish | source.
    Completion {
        /// Which shell
        shell: Shell,
    },
    /// Print the man page, or write one for each command
    Man {
        /// Folder to write them into
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
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
    /// Folder for the outputs; the tree below each PATH is kept [env: VC_OUT]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Name of the profile [env: VC_PROFILE] [default: h264-1080p]
    #[arg(long)]
    profile: Option<String>,
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
    /// Start an agent on this box in the background, for the server of the state folder
    Start {
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
        #[arg(value_name = "PROFILE")]
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
            | Self::Agents(AgentsCommand::Ls { json } | AgentsCommand::Start { json })
            | Self::Token(TokenCommand::Create { json, .. })
            | Self::Profiles(ProfilesCommand::Ls { json } | ProfilesCommand::Show { json, .. }) => *json,
            Self::Stop(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Config(command) => command.wants_json(),
            Self::Attach(_) | Self::Serve(_) | Self::Completion { .. } | Self::Man { .. } => false,
        }
    }
}

impl Cli {
    /// What the command line says of settings.
    fn given(&self) -> Given {
        let mut given = Given { file: self.common.config.clone(), flags: Vec::new() };
        given.flag(Name::StateDir, self.common.state_dir.clone());
        self.look.given(&mut given);
        if let Some(Command::Attach(look)) = &self.command {
            look.given(&mut given);
        }
        if let Some(Command::Serve(args)) = &self.command {
            args.given(&mut given);
        }
        if let Some(Command::Add(args)) = &self.command {
            given.flag(Name::Out, args.out.clone());
            given.flag(Name::Profile, args.profile.clone());
        }
        given
    }
}

async fn run(cli: Cli) -> Result<Exit, Failed> {
    let given = cli.given();
    let command = match cli.command {
        // What must work whatever is set.
        Some(Command::Config(command)) => return config::run(command, &given),
        Some(Command::Completion { shell }) => return pages::completion(shell),
        Some(Command::Man { out }) => return pages::man(out),
        command => command,
    };
    let config = config::load(&given)?;
    crash::write_down(config.path(Name::StateDir).map(PathBuf::from));
    let state_dir = || state_dir(&config);
    match command {
        None | Some(Command::Attach(_)) => attach::attach(&state_dir()?, &config, &given).await,
        Some(Command::Serve(_)) => serve::serve(state_dir()?, &config).await,
        Some(Command::Convert(args)) => convert::convert(args, &config).await,
        Some(Command::Add(args)) => add::add(&state_dir()?, args, &config).await,
        Some(Command::Status { json }) => ask::status(&state_dir()?, json).await,
        Some(Command::Jobs(command)) => ask::jobs(&state_dir()?, command).await,
        Some(Command::Agents(AgentsCommand::Ls { json })) => ask::agents(&state_dir()?, json).await,
        Some(Command::Agents(AgentsCommand::Start { json })) => {
            attach::start_agent(&state_dir()?, json).await
        }
        Some(Command::Why { job, json }) => ask::why(&state_dir()?, job, json).await,
        Some(Command::Token(TokenCommand::Create { uses, ttl, json })) => {
            ask::token(&state_dir()?, uses, ttl, json).await
        }
        Some(Command::Profiles(command)) => ask::profiles(&command),
        Some(Command::Stop(args)) => stop::stop(&state_dir()?, args).await,
        Some(Command::Doctor(args)) => doctor::run(&config, args).await,
        Some(Command::Config(_) | Command::Completion { .. } | Command::Man { .. }) => Ok(Exit::Done),
    }
}

/// The folder that is set, or the default of this user.
fn state_dir(config: &Config) -> Result<PathBuf, Failed> {
    let dir = config.path(Name::StateDir).map(PathBuf::from);
    dir.ok_or_else(|| Failed::usage("no home folder is known: say where with --state-dir"))
}

/// An absolute path, without asking whether it exists.
fn absolute(path: &std::path::Path) -> Result<FilePath, Failed> {
    let path = std::path::absolute(path).map_err(|e| Failed::usage(format!("{}: {e}", path.display())))?;
    Ok(crate::intake::walk::to_file_path(&path))
}
