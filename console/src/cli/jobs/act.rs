//! Has the server do something to jobs, after a question where work would be lost.

use std::io::{BufRead, IsTerminal};

use vc_protocol::job::JobState;
use vc_protocol::operator::{JobAction, JobFilter, Request, Response, Selection};

use crate::cli::ask::{answer, detail, page};
use crate::cli::exit::{Exit, Failed};
use crate::cli::{json, text};
use crate::operator::client::{Client, ClientError};

/// Jobs named in a question.
const JOBS_NAMED: usize = 3;

pub(super) async fn act(
    client: &mut Client,
    action: JobAction,
    jobs: Selection,
    done: &str,
    as_json: bool,
) -> Result<Exit, Failed> {
    let request = &Request::Act { action, jobs, expect: None };
    let acted = answer!(client, request, Response::Acted(acted) => acted);
    if as_json {
        text::json_out(&json::acted(&acted));
    } else {
        acted.done.iter().for_each(|id| text::out(&format!("{id} {done}")));
        acted.left.iter().for_each(|(id, why)| text::note(&format!("{id} left alone: {why}")));
    }
    Ok(if acted.done.is_empty() { Exit::NothingMatched } else { Exit::Done })
}

/// Asks before running jobs lose work; without a terminal it must have been said already.
pub(super) async fn confirm_cancel(
    client: &mut Client,
    selection: &Selection,
    yes: bool,
) -> Result<(), Failed> {
    if yes {
        return Ok(());
    }
    let (count, running) = match selection {
        Selection::Ids(ids) => {
            let mut running = Vec::new();
            for id in ids {
                if detail(client, *id).await.is_ok_and(|d| d.row.state == JobState::Running) {
                    running.push(*id);
                }
            }
            (Some(running.len() as u64), running)
        }
        Selection::Filter(filter) => {
            let includes_running = filter.states().contains(&JobState::Running);
            let mut filter = filter.clone();
            filter.terms.extend(JobFilter::of_states(&[JobState::Running]).terms);
            if includes_running {
                let page = page(client, &filter, 0, JOBS_NAMED as u32).await?;
                // With a text the server may not know how many there are.
                let count = page.total.or((!page.more).then_some(page.rows.len() as u64));
                (count, page.rows.iter().map(|r| r.id).collect())
            } else {
                (Some(0), Vec::new())
            }
        }
    };
    if running.is_empty() {
        return Ok(());
    }
    let first: Vec<_> = running.iter().take(JOBS_NAMED).map(|id| format!("#{id}")).collect();
    let jobs = match count {
        Some(1) => "1 running job".to_owned(),
        Some(count) => format!("{count} running jobs"),
        None => "running jobs".to_owned(),
    };
    let more = if count.is_some_and(|count| count <= first.len() as u64) { "" } else { ", ..." };
    let what = format!("{jobs} would be cancelled ({}{more}), what is encoded is lost", first.join(", "));
    if !std::io::stdin().is_terminal() {
        return Err(Failed::new(Exit::NeedsYes, format!("{what}: say --yes to do it")));
    }
    text::note(&format!("{what}. Cancel? [y/N]"));
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if answer.trim().eq_ignore_ascii_case("y") {
        Ok(())
    } else {
        Err(Failed::new(Exit::Unexpected, "nothing was done"))
    }
}
