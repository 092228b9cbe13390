//! `failures`: what went wrong, grouped by cause.

use clap::Args;
use vc_protocol::operator::{FailureGroup, Failures, Request, Response};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::size::rfc3339;
use super::table::{self, Audience, Cell, Column, Fit};
use super::target::Target;
use super::{json, text};
use crate::operator::client::ClientError;
use crate::tui::{Look, words};
use crate::wall::wall_ms;

#[derive(Args)]
pub(super) struct FailuresArgs {
    /// One JSON document
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 10] = [
    ("CAUSE", Fit::Text),
    ("CLASS", Fit::Left),
    ("OPEN", Fit::Right),
    ("RETRY", Fit::Right),
    ("RECOV", Fit::Right),
    ("WHERE", Fit::Left),
    ("LAST", Fit::Right),
    ("JOB", Fit::Right),
    ("HINT", Fit::Left),
    ("EXAMPLE", Fit::Hidden),
];

pub(super) async fn failures(target: &Target, args: &FailuresArgs) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let failures = answer!(client, &Request::Failures, Response::Failures(failures) => failures);
    if args.json {
        text::json_out(&json::failures(&failures));
        return Ok(Exit::Done);
    }
    let (audience, look, now_ms) = (Audience::of_stdout(), Look::detect(), wall_ms());
    let rows: Vec<_> = failures.groups.iter().map(|group| cells(group, now_ms, &look)).collect();
    table::print(&COLUMNS, &rows, audience);
    if audience != Audience::Programs {
        text::parts(hints(&failures));
    }
    if failures.groups.is_empty() {
        text::note("nothing has failed");
    }
    Ok(Exit::Done)
}

fn cells(group: &FailureGroup, now_ms: i64, look: &Look) -> Vec<Cell> {
    vec![
        group.cause.as_str().into(),
        group.class.map_or("", |class| class.word()).into(),
        group.open.into(),
        group.retry.into(),
        group.recovered.into(),
        group.place.as_str().into(),
        Cell::new(words::time_or_day(group.last_ms, now_ms, &look.zone), rfc3339(group.last_ms)),
        group.job.map_or_else(String::new, |job| job.to_string()).into(),
        group.hint.as_str().into(),
        group.example.as_str().into(),
    ]
}

/// The advice for each hint, once.
fn hints(failures: &Failures) -> Vec<String> {
    let mut told = std::collections::BTreeSet::new();
    let groups = failures.groups.iter().filter(|group| !group.hint.is_empty());
    groups
        .filter(|group| told.insert(&group.hint))
        .map(|group| format!(" {}: {}", group.hint, group.advice))
        .collect()
}
