//! What can be said on the command line: the root of it. Each noun's own words are in the module of that noun.
//!
//! Knows nothing of what the commands do. Completions and manuals are made from these definitions.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vc_protocol::id::JobId;

use super::add::AddArgs;
use super::agents::AgentsCommand;
use super::convert::ConvertArgs;
use super::events::EventsArgs;
use super::failures::FailuresArgs;
use super::jobs::JobsCommand;
use super::profiles::ProfilesCommand;
use super::stats::StatsArgs;
use super::status::StatusArgs;
use super::token::TokenCommand;

/// Port that agents dial unless said otherwise.
const LISTEN: &str = "0.0.0.0:4433";

#[derive(Parser)]
#[command(
    name = "vc-console",
    version,
    about = "The console of a video conversion farm",
    max_term_width = 100
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Args, Clone)]
pub(super) struct Common {
    /// Folder of the job table, the keys and the socket [default: ~/.local/state/vc-console]
    #[arg(long, global = true, env = "VC_STATE_DIR", value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum Command {
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
    Status(StatusArgs),
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
    /// Show what went wrong, grouped by cause
    Failures(FailuresArgs),
    /// Show what happened, and who did it
    Events(EventsArgs),
    /// Show what the farm did, by day, profile and agent
    Stats(StatsArgs),
    /// Hand out no more work; what runs goes on
    Pause {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Hand out work again
    Resume {
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
    /// Print the version
    Version {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}
