//! `jobs`: what is in the table, and what is done to it.

mod act;
mod list;
mod select;
mod show;
mod wait;

use clap::{Args, Subcommand};
use vc_protocol::id::JobId;
use vc_protocol::job::Priority;
use vc_protocol::operator::JobAction;

use super::exit::{Exit, Failed};
use super::target::Target;

#[derive(Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs: aligned on a terminal, else a line of tab-parted fields for each
    Ls(list::ListArgs),
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
        /// Go on until the job ends
        #[arg(long, short, conflicts_with = "json")]
        follow: bool,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Put jobs back to pending, with full budgets; asks about more than 100
    Retry(ActArgs),
    /// End jobs; asks when running ones lose what is encoded of them
    Cancel(ActArgs),
    /// Hand out no more of these jobs until they are released
    Hold(ActArgs),
    /// Hand out held jobs again
    Release(ActArgs),
    /// Set the priority: 0 to 9, higher first
    Prio {
        /// 0 to 9, or +1 or -1 for one higher or lower
        #[arg(value_name = "PRIORITY", value_parser = priority, allow_negative_numbers = true)]
        to: JobAction,
        #[command(flatten)]
        args: ActArgs,
    },
    /// Forget finished jobs, so that their sources may be added again; asks for their count. Files are never touched
    Purge(ActArgs),
    /// Wait until jobs have ended: 0 all well, 10 some failed, 11 some were cancelled or are held, 7 timed out
    Wait(wait::WaitArgs),
}

/// Which jobs something is done to, and how it is asked and told.
#[derive(Args)]
pub(super) struct ActArgs {
    #[command(flatten)]
    which: select::Which,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

fn priority(text: &str) -> Result<JobAction, String> {
    match text {
        "+1" => Ok(JobAction::Raise),
        "-1" => Ok(JobAction::Lower),
        // A sign means a step, and there are no others.
        number => match number.parse().map(Priority) {
            Ok(priority) if priority <= Priority::MAX && !number.starts_with('+') => {
                Ok(JobAction::Prioritise(priority))
            }
            _ => Err("a priority is 0 to 9, +1 or -1".to_owned()),
        },
    }
}

pub(super) async fn run(target: &Target, command: JobsCommand) -> Result<Exit, Failed> {
    let (action, args) = match command {
        JobsCommand::Ls(args) => return list::list(target, args).await,
        JobsCommand::Show { job, json } => return show::show(target, job, json).await,
        JobsCommand::Logs { job, follow: true, .. } => return show::follow(target, job).await,
        JobsCommand::Logs { job, follow: false, json } => return show::logs(target, job, json).await,
        JobsCommand::Wait(args) => return wait::wait(target, args).await,
        JobsCommand::Retry(args) => (JobAction::Retry, args),
        JobsCommand::Cancel(args) => (JobAction::Cancel, args),
        JobsCommand::Hold(args) => (JobAction::Hold, args),
        JobsCommand::Release(args) => (JobAction::Release, args),
        JobsCommand::Prio { to, args } => (to, args),
        JobsCommand::Purge(args) => (JobAction::Purge, args),
    };
    act::act(target, action, args.which, args.yes.into(), args.json).await
}
