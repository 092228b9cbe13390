//! Has the server do something to jobs, after a question where something would be lost.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use vc_protocol::job::JobState;
use vc_protocol::operator::{
    Acted, IDS_MAX, JobAction, JobRow, RETRY_UNASKED_MAX, RefusalCode, Request, Response, Selection, Sort,
};

use super::select::Which;
use crate::cli::ask::{Pages, detail, narrowed, snapshot};
use crate::cli::confirm::{self, Answer, Consent};
use crate::cli::exit::{Exit, Failed};
use crate::cli::loss::{self, JOBS_NAMED, Running, listed};
use crate::cli::target::Target;
use crate::cli::{json, text};
use crate::operator::client::{Client, ClientError};
use crate::tui::words::some;

/// Lines on a terminal about jobs that it was done to; the rest is a count.
const LINES_MAX: usize = 20;

/// Does it, and says to which jobs.
pub(super) async fn act(
    target: &Target,
    action: JobAction,
    which: Which,
    consent: Consent,
    as_json: bool,
) -> Result<Exit, Failed> {
    let jobs = match which.selection()? {
        // Only these can be forgotten, so only these are counted.
        Selection::Filter(filter) if action == JobAction::Purge => {
            Selection::Filter(narrowed(&filter, JobState::ALL.into_iter().filter(|state| state.is_final())))
        }
        jobs @ (Selection::Filter(_) | Selection::Ids(_)) => jobs,
    };
    let mut client = target.connect().await?;
    let acted = loop {
        let (jobs, expect) = match consent {
            Consent::Given => (jobs.clone(), None),
            Consent::Wanted => agreed(&mut client, action, &jobs).await?,
        };
        match send(&mut client, action, jobs, expect).await {
            // Asked only at a terminal, so there is somebody to ask again.
            Err(ClientError::Refused { code: RefusalCode::Changed, .. }) => {
                text::note("meanwhile the filter finds other jobs");
            }
            acted => break acted?,
        }
    };
    tell(action, &acted, as_json);
    Ok(if acted.count == 0 { Exit::NothingMatched } else { Exit::Done })
}

/// One request for a filter, as many as it takes for numbers.
async fn send(
    client: &mut Client,
    action: JobAction,
    jobs: Selection,
    expect: Option<u64>,
) -> Result<Acted, ClientError> {
    let parts: Vec<Selection> = match jobs {
        Selection::Ids(ids) => ids.chunks(IDS_MAX).map(|ids| Selection::Ids(ids.to_vec())).collect(),
        filter @ Selection::Filter(_) => vec![filter],
    };
    let mut all = Acted::default();
    for jobs in parts {
        let Response::Acted(acted) = client.request(&Request::Act { action, jobs, expect }).await? else {
            return Err(ClientError::Unexpected);
        };
        all.count += acted.count;
        all.done.extend(acted.done);
        all.left.extend(acted.left);
    }
    Ok(all)
}

fn done(action: JobAction) -> String {
    match action {
        JobAction::Retry => "back to pending".to_owned(),
        JobAction::Cancel => "cancelled".to_owned(),
        JobAction::Hold => "held".to_owned(),
        JobAction::Release => "released".to_owned(),
        JobAction::Prioritise(priority) => format!("priority {}", priority.0),
        JobAction::Raise => "priority raised".to_owned(),
        JobAction::Lower => "priority lowered".to_owned(),
        JobAction::Purge => "forgotten".to_owned(),
    }
}

fn tell(action: JobAction, acted: &Acted, as_json: bool) {
    if as_json {
        text::json_out(&json::acted(acted));
        return;
    }
    if acted.count == 0 && acted.left.is_empty() {
        text::note("no job fits");
    }
    let done = done(action);
    let shown = if std::io::stdout().is_terminal() { LINES_MAX } else { usize::MAX };
    text::parts(acted.done.iter().take(shown).map(|id| format!("{id} {done}")));
    let named = acted.done.len().min(shown) as u64;
    if acted.count > named {
        text::note(&format!("and {} more {done}", acted.count - named));
    }
    acted.left.iter().take(shown).for_each(|(id, why)| text::note(&format!("{id} left alone: {why}")));
    if acted.left.len() > shown {
        text::note(&format!("and {} more left alone", acted.left.len() - shown));
    }
}

/// The jobs that a question was about, fixed when it was asked, and how many a filter must still find.
type Agreed = (Selection, Option<u64>);

/// Asks where the action must be asked about.
async fn agreed(client: &mut Client, action: JobAction, jobs: &Selection) -> Result<Agreed, Failed> {
    match action {
        JobAction::Hold
        | JobAction::Release
        | JobAction::Prioritise(_)
        | JobAction::Raise
        | JobAction::Lower => Ok((jobs.clone(), None)),
        JobAction::Cancel => {
            let running = running(client, jobs).await?;
            if running.is_empty() {
                return Ok((jobs.clone(), None));
            }
            let meant = meant(client, jobs).await?;
            let would = format!("{}; sources stay", loss::would(&running, "be cancelled"));
            confirm::ask(&would, &Answer::Yes)?;
            Ok((meant.jobs, meant.expect))
        }
        JobAction::Retry => {
            let meant = meant(client, jobs).await?;
            if meant.count > RETRY_UNASKED_MAX {
                let would =
                    format!("{} would go back to pending ({})", some(meant.count, "job"), meant.named());
                confirm::ask(&would, &Answer::Yes)?;
            }
            Ok((meant.jobs, meant.expect))
        }
        JobAction::Purge => {
            let meant = meant(client, jobs).await?;
            if meant.count == 0 {
                return Err(Failed::new(Exit::NothingMatched, "no job fits that is in a final state"));
            }
            let would = format!(
                "{} would be forgotten ({}), files are not touched",
                some(meant.count, "job"),
                meant.named()
            );
            confirm::ask(&would, &Answer::Word(meant.count.to_string()))?;
            Ok((meant.jobs, meant.expect))
        }
    }
}

struct Meant {
    jobs: Selection,
    /// How many the filter must still find.
    expect: Option<u64>,
    count: u64,
    /// The first few, as people know them.
    first: Vec<String>,
}

impl Meant {
    fn named(&self) -> String {
        listed(&self.first, self.count)
    }
}

fn name(row: &JobRow) -> String {
    format!("#{} {}", row.id, String::from_utf8_lossy(row.source.file_name()))
}

/// How many jobs are meant. Where the server cannot count what a filter finds, its jobs are fixed by number.
async fn meant(client: &mut Client, jobs: &Selection) -> Result<Meant, Failed> {
    let filter = match jobs {
        Selection::Ids(ids) => {
            let mut first = Vec::new();
            for id in ids.iter().take(JOBS_NAMED) {
                first.push(detail(client, *id).await.map_or_else(|_| format!("#{id}"), |d| name(&d.row)));
            }
            return Ok(Meant { jobs: jobs.clone(), expect: None, count: ids.len() as u64, first });
        }
        Selection::Filter(filter) => filter,
    };
    let mut pages = Pages::new(filter.clone(), Sort::default());
    let (mut ids, mut first) = (BTreeSet::new(), Vec::new());
    while let Some(page) = pages.next(client, u64::MAX).await? {
        if first.is_empty() {
            first = page.rows.iter().take(JOBS_NAMED).map(name).collect();
        }
        if let Some(count) = page.total {
            return Ok(Meant { jobs: jobs.clone(), expect: Some(count), count, first });
        }
        ids.extend(page.rows.iter().map(|row| row.id));
        if ids.len() > IDS_MAX {
            let message = format!(
                "more than {IDS_MAX} jobs fit, too many to ask about: narrow the filter, or say --yes"
            );
            return Err(Failed::usage(message));
        }
    }
    let count = ids.len() as u64;
    Ok(Meant { jobs: Selection::Ids(ids.into_iter().collect()), expect: None, count, first })
}

/// The jobs among these that run.
async fn running(client: &mut Client, jobs: &Selection) -> Result<Vec<Running>, Failed> {
    match jobs {
        Selection::Ids(ids) => {
            let ids: BTreeSet<_> = ids.iter().copied().collect();
            let snapshot = snapshot(client).await?;
            let devices = snapshot.agents.iter().flat_map(|agent| &agent.devices);
            let runs = devices.flat_map(|device| &device.runs).filter(|run| ids.contains(&run.attempt.job));
            Ok(runs.map(Running::of_run).collect())
        }
        Selection::Filter(filter) => {
            let mut running = Vec::new();
            let mut pages = Pages::new(narrowed(filter, [JobState::Running]), Sort::default());
            while let Some(page) = pages.next(client, u64::MAX).await? {
                running.extend(page.rows.iter().map(Running::of_row));
            }
            Ok(running)
        }
    }
}
