//! `jobs wait`: returns when jobs have ended, with what became of them as its exit status.

use std::time::Duration;

use clap::Args;
use vc_protocol::job::JobState;
use vc_protocol::operator::{JobFilter, Selection, Sort};

use super::select::Which;
use crate::cli::ask::{Pages, detail, snapshot};
use crate::cli::exit::{Exit, Failed};
use crate::cli::target::Target;
use crate::cli::watch::{Say, Waiting};
use crate::cli::{json, text, when};
use crate::operator::client::Client;

#[derive(Args)]
pub(in crate::cli) struct WaitArgs {
    #[command(flatten)]
    which: Which,
    /// Give up after this long, such as 90s, 15m or 2h
    #[arg(long, value_name = "TIME", value_parser = when::length)]
    timeout: Option<Duration>,
    /// One JSON document at the end
    #[arg(long)]
    json: bool,
    /// A JSON object for each job that ends
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

pub(super) async fn wait(target: &Target, args: WaitArgs) -> Result<Exit, Failed> {
    let named = args.which.named()?;
    let mut client = target.connect().await?;
    // The clock first: what ends from here on is seen as ending.
    let since_ms = snapshot(&mut client).await?.now_ms;
    let mut waiting = Waiting::default();
    match named {
        Some(Selection::Ids(ids)) => {
            for id in ids {
                waiting.know(id, detail(&mut client, id).await?.row.state);
            }
        }
        Some(Selection::Filter(filter)) => {
            found(&mut client, filter, &mut waiting).await?;
            if waiting.is_empty() {
                return Err(Failed::new(Exit::NothingMatched, "no job fits"));
            }
        }
        None => {
            let open = JobFilter::of_states(&[JobState::Pending, JobState::Running]);
            found(&mut client, open, &mut waiting).await?;
        }
    }
    drop(client);
    let open = waiting.open();
    if open > 0 {
        text::note(&format!("waiting for {open} {}", if open == 1 { "job" } else { "jobs" }));
    }
    let say = match (args.json, args.jsonl) {
        (_, true) => Say::Objects,
        (true, _) => Say::Notes,
        (false, false) => Say::Lines,
    };
    waiting.until_all_ended(target.server()?, since_ms, say, args.timeout).await?;
    if args.json {
        text::json_out(&json::waited(&waiting));
    } else {
        text::note(&waiting.summary());
    }
    Ok(waiting.exit())
}

async fn found(client: &mut Client, filter: JobFilter, waiting: &mut Waiting) -> Result<(), Failed> {
    let mut pages = Pages::new(filter, Sort::default());
    while let Some(page) = pages.next(client, u64::MAX).await? {
        page.rows.iter().for_each(|row| waiting.know(row.id, row.state));
    }
    Ok(())
}
