//! Follows jobs to their ends by the farm's snapshots: something for each that ends, and a line every half minute.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{FarmTotals, JobFilter, JobRow, RefusalCode, Request, Response, Snapshot, Sort};

use super::ask::Pages;
use super::exit::{Exit, Failed};
use super::follow::Stream;
use super::size::{bytes, left};
use super::{json, text};
use crate::operator::client::{Client, ClientError, Target};

/// How often the farm is described when nothing ends.
const STILL_HERE: Duration = Duration::from_secs(30);

/// States in which nothing happens any more without a person.
const ENDS: [JobState; 5] =
    [JobState::Completed, JobState::Skipped, JobState::Failed, JobState::Cancelled, JobState::Held];

/// Whether nothing is left that could still change by itself.
pub(super) fn is_over(totals: &FarmTotals) -> bool {
    totals.by_state[JobState::Pending as usize] + totals.by_state[JobState::Running as usize] == 0
}

/// How jobs that ended are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    /// A line on stdout.
    Lines,
    /// A line on stderr, where stdout has one document at the end.
    Notes,
    /// A JSON object on stdout.
    Objects,
}

impl Say {
    fn ended(self, row: &JobRow) -> text::Reader {
        match self {
            Self::Lines => text::part(&ended(row)),
            Self::Notes => {
                text::note(&ended(row));
                text::Reader::There
            }
            Self::Objects => text::json_part(&json::line(json::row(row))),
        }
    }
}

/// Jobs that are waited for, and what became of those that ended.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    open: BTreeSet<JobId>,
    ended: BTreeMap<JobId, JobState>,
}

impl Waiting {
    /// One more job, in that state.
    pub(super) fn know(&mut self, job: JobId, state: JobState) {
        if ENDS.contains(&state) {
            self.ended.insert(job, state);
        } else {
            self.open.insert(job);
        }
    }

    /// No job at all.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.ended.is_empty()
    }

    /// Jobs that have not ended.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Jobs that ended, each with its state.
    pub(super) fn ended(&self) -> &BTreeMap<JobId, JobState> {
        &self.ended
    }

    /// Jobs that ended in that state.
    pub(super) fn count(&self, state: JobState) -> usize {
        self.ended.values().filter(|ended| **ended == state).count()
    }

    /// What became of them, as an exit status.
    pub(super) fn exit(&self) -> Exit {
        if self.count(JobState::Failed) > 0 {
            Exit::SomeFailed
        } else if self.count(JobState::Cancelled) + self.count(JobState::Held) > 0 {
            Exit::SomeLeft
        } else {
            Exit::Done
        }
    }

    /// What became of them, in words.
    pub(super) fn summary(&self) -> String {
        let counts = ENDS.map(|state| (state.word(), self.count(state)));
        let counts: Vec<_> =
            counts.into_iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{n} {word}")).collect();
        if counts.is_empty() { "nothing to wait for".to_owned() } else { counts.join(", ") }
    }

    /// Returns when all have ended. Rows that changed before `since_ms` (of the server's clock) are known already.
    pub(super) async fn until_all_ended(
        &mut self,
        server: &Target,
        since_ms: i64,
        say: Say,
        bound: Option<Duration>,
    ) -> Result<(), Failed> {
        if self.open.is_empty() {
            return Ok(());
        }
        let all = self.open.len() + self.ended.len();
        let watch = watch(server, since_ms, say, Some(self), || false);
        let Some(bound) = bound else { return watch.await };
        match tokio::time::timeout(bound, watch).await {
            Ok(ended) => ended,
            Err(_) => {
                let message = format!("timed out: {} of {all} jobs have not ended", self.open.len());
                Err(Failed::new(Exit::TimedOut, message))
            }
        }
    }

    fn end(&mut self, job: JobId, state: JobState) {
        self.open.remove(&job);
        self.ended.insert(job, state);
    }
}

/// Follows these jobs, or all there are, until they have ended. `is_lost` says that they never will.
pub(super) async fn watch(
    server: &Target,
    since_ms: i64,
    say: Say,
    waiting: Option<&mut Waiting>,
    is_lost: impl Fn() -> bool,
) -> Result<(), Failed> {
    let mut still_here = tokio::time::interval_at(tokio::time::Instant::now() + STILL_HERE, STILL_HERE);
    let mut snapshots = Stream::snapshots(server).await?;
    let mut told =
        Told { client: Client::connect(server).await?, rows: BTreeMap::new(), since_ms, say, waiting };
    let mut newest: Option<Snapshot> = None;
    loop {
        tokio::select! {
            _ = still_here.tick() => {
                newest.iter().for_each(|snapshot| text::note(&line(snapshot)));
                if is_lost() {
                    return Err(Failed::new(Exit::Unexpected, "the agent ended before its work was done"));
                }
            }
            snapshot = snapshots.snapshot() => {
                let snapshot = snapshot?;
                let has_changed = newest.as_ref().is_none_or(|before| {
                    before.revision != snapshot.revision || before.totals.by_state != snapshot.totals.by_state
                });
                let is_over = is_over(&snapshot.totals);
                newest = Some(snapshot);
                if has_changed && told.tell().await? == text::Reader::Gone {
                    return Ok(());
                }
                if told.is_done(is_over).await? {
                    return Ok(());
                }
            }
        }
    }
}

struct Told<'a> {
    client: Client,
    /// Rows that were told or passed over, with their last change then: a job may end more than once.
    rows: BTreeMap<JobId, i64>,
    since_ms: i64,
    say: Say,
    /// None if all jobs are followed.
    waiting: Option<&'a mut Waiting>,
}

impl Told<'_> {
    /// Tells of jobs that ended since the last time, oldest first.
    async fn tell(&mut self) -> Result<text::Reader, Failed> {
        for state in ENDS {
            let mut fresh: Vec<JobRow> = Vec::new();
            let mut pages = Pages::new(JobFilter::of_states(&[state]), Sort::default());
            // Newest first: anything known ends it.
            while let Some(page) = pages.next(&mut self.client, u64::MAX).await? {
                let rows = page.rows.len();
                let is_new = |row: &JobRow| {
                    row.updated_ms >= self.since_ms && self.rows.get(&row.id) != Some(&row.updated_ms)
                };
                let new: Vec<_> = page.rows.into_iter().take_while(is_new).collect();
                let is_last = new.len() < rows;
                fresh.extend(new);
                if is_last {
                    break;
                }
            }
            for row in fresh.iter().rev() {
                if self.take(row) == text::Reader::Gone {
                    return Ok(text::Reader::Gone);
                }
            }
        }
        Ok(text::Reader::There)
    }

    fn take(&mut self, row: &JobRow) -> text::Reader {
        if self.rows.insert(row.id, row.updated_ms) == Some(row.updated_ms) {
            return text::Reader::There;
        }
        let Some(waiting) = &mut self.waiting else {
            // Nobody waits for a reader here: the work goes on without one.
            let _ = self.say.ended(row);
            return text::Reader::There;
        };
        if !waiting.open.contains(&row.id) {
            return text::Reader::There;
        }
        waiting.end(row.id, row.state);
        self.say.ended(row)
    }

    /// Whether nothing is left to wait for. With the farm idle, what was not seen to end is looked at one by one: its
    /// clock may have gone back, or somebody made the farm forget it.
    async fn is_done(&mut self, farm_is_over: bool) -> Result<bool, Failed> {
        let Some(waiting) = &mut self.waiting else { return Ok(farm_is_over) };
        if !farm_is_over || waiting.open.is_empty() {
            return Ok(waiting.open.is_empty());
        }
        for job in waiting.open.clone() {
            match self.client.request(&Request::Job(job)).await {
                Ok(Response::Detail(detail)) if ENDS.contains(&detail.row.state) => {
                    waiting.end(job, detail.row.state);
                }
                // The farm may have gone on meanwhile.
                Ok(Response::Detail(_)) => {}
                Err(ClientError::Refused { code: RefusalCode::NotFound, .. }) => {
                    waiting.open.remove(&job);
                }
                Ok(_) => return Err(ClientError::Unexpected.into()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(waiting.open.is_empty())
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

/// The farm in one line.
pub(super) fn line(s: &Snapshot) -> String {
    let t = &s.totals;
    let open = t.by_state[JobState::Pending as usize] + t.by_state[JobState::Running as usize];
    let mut line = format!("{open} left, {}% done, {:.1}x, ETA {}", t.permille / 10, t.speed, left(t.eta_s));
    for need in &s.needs {
        line += &format!("; {}: {}", need.kind, need.text);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_end_decides_the_exit_status() {
        let exit = |states: &[JobState]| {
            let mut waiting = Waiting::default();
            for (id, state) in (1..).zip(states) {
                waiting.know(JobId(id), *state);
            }
            (waiting.exit(), waiting.open())
        };
        use JobState::*;
        assert_eq!(exit(&[]), (Exit::Done, 0));
        assert_eq!(exit(&[Completed, Skipped, Running, Pending]), (Exit::Done, 2));
        assert_eq!(exit(&[Completed, Cancelled]), (Exit::SomeLeft, 0));
        assert_eq!(exit(&[Held]), (Exit::SomeLeft, 0));
        assert_eq!(exit(&[Held, Failed, Completed]), (Exit::SomeFailed, 0));
    }

    #[test]
    fn the_summary_counts_by_state() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.summary(), "nothing to wait for");
        waiting.know(JobId(1), JobState::Failed);
        waiting.know(JobId(2), JobState::Completed);
        waiting.know(JobId(3), JobState::Completed);
        assert_eq!(waiting.summary(), "2 completed, 1 failed");
    }
}
