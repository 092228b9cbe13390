//! `jobs`: what is in the table, and what is done to it.

mod act;
mod select;

use clap::Subcommand;
use serde_json::json;
use vc_protocol::id::JobId;
use vc_protocol::operator::{JobAction, JobFilter, PAGE_ROWS_MAX, Request, Response};

use super::ask::{answer, detail, page};
use super::exit::{Exit, Failed};
use super::target::Target;
use super::{json, text};
use crate::operator::client::{Client, ClientError};
use act::{act, confirm_cancel};
use select::{Which, filter, selection};

#[derive(Subcommand)]
pub(super) enum JobsCommand {
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

pub(in crate::cli) async fn run(target: &Target, command: JobsCommand) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    match command {
        JobsCommand::Ls { state, text, limit, json } => {
            let filter = filter(state.as_deref(), text.as_deref())?;
            list(&mut client, &filter, limit, json).await
        }
        JobsCommand::Show { job, json: as_json } => {
            let detail = detail(&mut client, job).await?;
            if as_json {
                let mut value = json::detail(&detail);
                value["v"] = 1.into();
                text::json_out(&value);
            } else {
                text::out(&text::detail(&detail));
            }
            Ok(Exit::Done)
        }
        JobsCommand::Logs { job, json: as_json } => logs(&mut client, job, as_json).await,
        JobsCommand::Retry(which) => {
            let as_json = which.json;
            let selection = selection(which)?;
            act(&mut client, JobAction::Retry, selection, "back to pending", as_json).await
        }
        JobsCommand::Cancel { which, yes } => {
            let as_json = which.json;
            let selection = selection(which)?;
            confirm_cancel(&mut client, &selection, yes).await?;
            act(&mut client, JobAction::Cancel, selection, "cancelled", as_json).await
        }
    }
}

async fn list(client: &mut Client, filter: &JobFilter, limit: u64, as_json: bool) -> Result<Exit, Failed> {
    let mut rows = Vec::new();
    let mut more;
    loop {
        let at = rows.len() as u64;
        let want = (limit - at).min(PAGE_ROWS_MAX as u64) as u32;
        let page = page(client, filter, at, want).await?;
        more = page.more;
        let is_last = !more || page.rows.is_empty();
        rows.extend(page.rows);
        if is_last || rows.len() as u64 >= limit {
            break;
        }
    }
    if as_json {
        let jobs: Vec<_> = rows.iter().map(json::row).collect();
        text::json_out(&json!({ "v": 1, "jobs": jobs, "more": more }));
    } else {
        rows.iter().for_each(|row| text::out(&text::row(row)));
        if more {
            text::note(&format!("there are more than these {}: say --limit", rows.len()));
        } else if rows.is_empty() {
            let none = *filter == JobFilter::default();
            text::note(if none { "no job was added yet" } else { "no job fits" });
        }
    }
    Ok(if rows.is_empty() && *filter != JobFilter::default() { Exit::NothingMatched } else { Exit::Done })
}

async fn logs(client: &mut Client, job: JobId, as_json: bool) -> Result<Exit, Failed> {
    let detail = answer!(client, &Request::Log(job), Response::Detail(detail) => detail);
    let log = detail.attempts.first().map_or("", |a| a.log.as_str());
    if as_json {
        text::json_out(&json!({ "v": 1, "id": job, "log": log }));
    } else if log.is_empty() {
        text::note(&format!("job {job} has no log"));
    } else {
        text::out(log.trim_end());
    }
    Ok(Exit::Done)
}
