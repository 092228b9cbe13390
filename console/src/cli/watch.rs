//! Follows a conversion off a terminal: a line for each finished job, and one every half minute.

use std::collections::BTreeSet;
use std::time::Duration;

use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{FarmTotals, JobFilter, JobRow, PAGE_ROWS_MAX, Request, Response, Snapshot};

use super::exit::{Exit, Failed};
use super::size::{bytes, left};
use super::{ask, text};
use crate::operator::client::{Client, ClientError, Target};

/// How often the farm is described when nothing ends.
const STILL_HERE: Duration = Duration::from_secs(30);

/// Whether nothing is left that could still change by itself.
pub(super) fn is_over(totals: &FarmTotals) -> bool {
    totals.by_state[JobState::Pending as usize] + totals.by_state[JobState::Running as usize] == 0
}

/// Follows until the end. Jobs that ended before `since_ms` (of the server's clock) are not told.
pub(super) async fn watch<T>(
    server: &Target,
    since_ms: i64,
    on_stdout: bool,
    agent: &tokio::task::JoinHandle<T>,
) -> Result<(), Failed> {
    let mut still_here = tokio::time::interval_at(tokio::time::Instant::now() + STILL_HERE, STILL_HERE);
    let mut told = Told { client: Client::connect(server).await?, ids: BTreeSet::new(), since_ms, on_stdout };
    let mut snapshots = subscribe(server).await?;
    let mut newest = Snapshot::default();
    loop {
        tokio::select! {
            _ = still_here.tick() => {
                text::note(&line(&newest));
                if agent.is_finished() {
                    return Err(Failed::new(Exit::Unexpected, "the agent ended before its work was done"));
                }
            }
            snapshot = snapshots.recv() => {
                let Some(snapshot) = snapshot else { return Err(ClientError::Gone.into()) };
                let changed = snapshot.totals.by_state != newest.totals.by_state;
                newest = snapshot;
                if changed {
                    told.tell().await?;
                }
                if is_over(&newest.totals) {
                    return Ok(());
                }
            }
        }
    }
}

/// Snapshots by a channel, so that waiting for one can be given up at any moment.
async fn subscribe(server: &Target) -> Result<tokio::sync::mpsc::Receiver<Snapshot>, Failed> {
    let mut client = Client::connect(server).await?;
    client.ask(&Request::Subscribe).await?;
    // When it is full the server waits, and merges what happens meanwhile.
    let (tx, rx) = tokio::sync::mpsc::channel(1);
    vc_agent::task::spawn("snapshots", async move {
        while let Ok(Response::Snapshot(snapshot)) = client.next().await {
            if tx.send(*snapshot).await.is_err() {
                break;
            }
        }
    });
    Ok(rx)
}

struct Told {
    client: Client,
    ids: BTreeSet<JobId>,
    since_ms: i64,
    on_stdout: bool,
}

impl Told {
    /// Tells of jobs that ended since the last time, oldest first.
    async fn tell(&mut self) -> Result<(), Failed> {
        for state in
            [JobState::Completed, JobState::Skipped, JobState::Failed, JobState::Cancelled, JobState::Held]
        {
            let filter = JobFilter::of_states(&[state]);
            let mut fresh = Vec::new();
            loop {
                let page =
                    ask::page(&mut self.client, &filter, fresh.len() as u64, PAGE_ROWS_MAX as u32).await?;
                let (rows, before) = (page.rows.len(), fresh.len());
                fresh.extend(
                    page.rows
                        .into_iter()
                        .take_while(|r| r.updated_ms >= self.since_ms && !self.ids.contains(&r.id)),
                );
                // A page with anything known ends it; a page may also be short because its rows are long.
                if !page.more || rows == 0 || fresh.len() - before < rows {
                    break;
                }
            }
            for row in fresh.iter().rev().filter(|r| self.ids.insert(r.id)) {
                let line = ended(row);
                if self.on_stdout { text::out(&line) } else { text::note(&line) }
            }
        }
        Ok(())
    }
}

fn ended(row: &JobRow) -> String {
    let mut line = format!("{:<9} {}", row.state.word(), row.source);
    if row.state == JobState::Completed {
        line += &format!("  {} -> {}", bytes(row.bytes_in), bytes(row.bytes_out));
    }
    if !row.cause.is_empty() {
        line += &format!("  {}", text::cause(row));
    }
    line
}

fn line(s: &Snapshot) -> String {
    let t = &s.totals;
    let open = t.by_state[JobState::Pending as usize] + t.by_state[JobState::Running as usize];
    let mut line = format!("{open} left, {}% done, {:.1}x, ETA {}", t.permille / 10, t.speed, left(t.eta_s));
    for need in &s.needs {
        line += &format!("; {}: {}", need.kind, need.text);
    }
    line
}
