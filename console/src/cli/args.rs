//! What can be said on the command line: the root of it. Each noun's own words are in the module of that noun.
//!
//! Knows nothing of what the commands do. Completions and manuals are made from these definitions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vc_agent::pages::Shell;
use vc_protocol::id::JobId;

use super::add::AddArgs;
use super::agents::AgentsCommand;
use super::config::ConfigCommand;
use super::convert::ConvertArgs;
use super::doctor::DoctorArgs;
use super::events::EventsArgs;
use super::failures::FailuresArgs;
use super::jobs::JobsCommand;
use super::join::JoinArgs;
use super::look::LookArgs;
use super::members::OperatorsCommand;
use super::profiles::ProfilesCommand;
use super::serve::ServeArgs;
use super::stats::StatsArgs;
use super::status::StatusArgs;
use super::stop::StopArgs;
use super::token::TokenCommand;
use crate::config::Given;
use crate::config::keys::Name;

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
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    look: LookArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Args, Clone)]
pub(super) struct Common {
    /// Folder of the job table, the keys and the socket [env: VC_STATE_DIR] [default: ~/.local/state/vc-console]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Server on another box, of a farm that you joined with `join`; - for the only one [env: VC_CONNECT]
    #[arg(long, global = true, value_name = "HOST[:PORT]", allow_hyphen_values = true)]
    connect: Option<String>,
    /// Settings, before those in the usual places [env: VC_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the dashboard of the server, which is started if none runs: the same as without a command
    Attach(LookArgs),
    /// Run the server: job table, scheduler, and the port that agents dial
    Serve(ServeArgs),
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
    /// Operators and viewers on other boxes
    #[command(subcommand)]
    Operators(OperatorsCommand),
    /// Let agents, operators and viewers into the farm
    #[command(subcommand)]
    Token(TokenCommand),
    /// Become an operator or viewer of a farm on another box, with a line from `token create --role` there
    Join(JoinArgs),
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
    /// Print the version
    Version {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

impl Cli {
    /// What the command line says of settings.
    pub(super) fn given(&self) -> Given {
        let mut given = Given { file: self.common.config.clone(), flags: Vec::new() };
        given.flag(Name::StateDir, self.common.state_dir.clone());
        given.flag(Name::Connect, self.common.connect.clone());
        self.look.given(&mut given);
        if let Some(Command::Attach(look)) = &self.command {
            look.given(&mut given);
        }
        if let Some(Command::Serve(args)) = &self.command {
            args.given(&mut given);
        }
        if let Some(Command::Add(args)) = &self.command {
            args.given(&mut given);
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;
    use crate::tui::settings;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["vc-console"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_the_dashboard_does_a_command_does() {
        for action in settings::actions() {
            assert!(!action.acts || !action.subcommand.is_empty(), "no command does {}", action.name);
            for line in action.subcommand.split(", ").filter(|line| !line.is_empty()) {
                let mut command = Cli::command();
                command.build();
                for word in line.split_whitespace() {
                    if let Some(option) = word.strip_prefix("--") {
                        let has = command.get_arguments().any(|arg| arg.get_long() == Some(option));
                        assert!(has, "`{line}`, of {}: no option {word}", action.name);
                    } else if let Some(below) = command.find_subcommand(word).cloned() {
                        command = below;
                    } else {
                        assert!(
                            !command.has_subcommands(),
                            "`{line}`, of {}: no command {word}",
                            action.name
                        );
                    }
                }
                let is_half = command.is_subcommand_required_set();
                assert!(!is_half, "`{line}`, of {}, is half a command", action.name);
            }
        }
    }

    #[test]
    fn every_verb_is_read() {
        for line in [
            "jobs ls",
            "jobs ls --filter is:failed --sort updated:desc --limit 5 --jsonl",
            "jobs ls --sort where --json",
            "jobs show 7 --json",
            "jobs show #7",
            "jobs logs 7 --follow",
            "jobs logs 7 -f",
            "jobs logs 7 --json",
            "jobs retry 1 2 3",
            "jobs retry --filter is:failed --yes --json",
            "jobs cancel - -y",
            "jobs hold 1",
            "jobs release --filter cause:moov",
            "jobs prio 9 1 2",
            "jobs prio +1 --filter is:pending",
            "jobs prio -1 -",
            "jobs purge --filter age:>30d",
            "jobs wait",
            "jobs wait 1 2 --timeout 90s",
            "jobs wait --filter agent:ada --jsonl",
            "add /a /b --out /out --depth 2 --wait --timeout 2h",
            "add /a --out /out --recursive --dry-run",
            "pause",
            "resume --json",
            "agents ls --json",
            "agents show ada",
            "agents drain ada/gpu0 --kill --yes",
            "agents drain 3 --device gpu0 --json",
            "agents undrain ada",
            "agents release ada --device gpu1",
            "agents test ada/gpu1",
            "failures --json",
            "events --follow --since 2h",
            "events --since 2026-01-31T12:00:00Z --json",
            "events --follow --jsonl --job 7",
            "events --limit 5",
            "stats --days 30 --json",
            "status",
            "status --watch",
            "status --watch --jsonl",
            "status --check --json",
            "why 7 --json",
            "version --json",
        ] {
            assert!(
                parsed(line).is_ok(),
                "{line}: {}",
                parsed(line).err().map(|e| e.to_string()).unwrap_or_default()
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        use ErrorKind::*;
        let check = |line: &str, kind| assert_eq!(parsed(line).err().map(|e| e.kind()), Some(kind), "{line}");
        check("jobs ls --json --jsonl", ArgumentConflict);
        check("jobs ls --sort colour", ValueValidation);
        check("jobs ls --sort id:up", ValueValidation);
        check("jobs show seven", ValueValidation);
        check("jobs logs 7 --follow --json", ArgumentConflict);
        check("jobs retry 1 --filter is:failed", ArgumentConflict);
        check("jobs prio 10 1", ValueValidation);
        check("jobs prio -2 1", ValueValidation);
        check("jobs prio +5 1", ValueValidation);
        check("jobs prio", MissingRequiredArgument);
        check("jobs wait --timeout soon", ValueValidation);
        check("add /a --out /out --timeout 2h", MissingRequiredArgument);
        check("add /a --out /out --wait --dry-run", ArgumentConflict);
        check("add /a --out /out --recursive --depth 1", ArgumentConflict);
        check("events --follow --json", ArgumentConflict);
        check("events --since yesterday", ValueValidation);
        check("stats --days 0", ValueValidation);
        check("status --watch --check", ArgumentConflict);
        check("status --jsonl", MissingRequiredArgument);
        check("agents show", MissingRequiredArgument);
        check("agents drain", MissingRequiredArgument);
    }
}
