//! Commands that ask the running server something and print the answer.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use serde_json::json;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::filter::Test;
use vc_protocol::operator::{
    JobAction, JobDetail, JobFilter, Page, Request, Response, Role, Selection, Snapshot, Sort, TokenWish,
};

use super::confirm::confirm;
use super::exit::{Exit, Failed};
use super::{JobsCommand, ProfilesCommand, Which, json, text};
use crate::operator::client::{Client, ClientError};
use crate::profiles::{Profiles, user_folder};

/// Most job numbers read from stdin; more are better said as a filter.
const STDIN_IDS_MAX: usize = vc_protocol::operator::IDS_MAX;

/// Jobs named in a question.
const JOBS_NAMED: usize = 3;

/// Takes the one kind of answer that fits the question.
macro_rules! answer {
    ($client:expr, $request:expr, $pattern:pat => $value:expr) => {{
        let $pattern = $client.request($request).await? else { return Err(ClientError::Unexpected.into()) };
        $value
    }};
}

/// The farm now.
pub(super) async fn snapshot(client: &mut Client) -> Result<Snapshot, Failed> {
    Ok(answer!(client, &Request::Snapshot, Response::Snapshot(snapshot) => *snapshot))
}

/// One page of jobs.
pub(super) async fn page(
    client: &mut Client,
    filter: &JobFilter,
    offset: u64,
    limit: u32,
) -> Result<Page, Failed> {
    let request = &Request::Jobs { filter: filter.clone(), sort: Sort::default(), offset, limit };
    Ok(answer!(client, request, Response::Page(page) => page))
}

/// One job.
pub(super) async fn detail(client: &mut Client, job: JobId) -> Result<JobDetail, Failed> {
    Ok(answer!(client, &Request::Job(job), Response::Detail(detail) => *detail))
}

pub(super) async fn status(state_dir: &Path, as_json: bool) -> Result<Exit, Failed> {
    let snapshot = snapshot(&mut Client::connect(state_dir).await?).await?;
    if as_json {
        text::json_out(&json::status(&snapshot));
    } else {
        text::out(&text::status(&snapshot));
    }
    Ok(Exit::Done)
}

pub(super) async fn agents(state_dir: &Path, as_json: bool) -> Result<Exit, Failed> {
    let snapshot = snapshot(&mut Client::connect(state_dir).await?).await?;
    if as_json {
        let agents: Vec<_> = snapshot.agents.iter().map(json::agent).collect();
        text::json_out(&json!({ "v": 1, "agents": agents }));
    } else {
        snapshot.agents.iter().for_each(|a| text::out(&text::agent(a)));
        if snapshot.agents.is_empty() {
            text::note("no agent has joined: `vc-console token create` prints the line for one");
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn why(state_dir: &Path, job: JobId, as_json: bool) -> Result<Exit, Failed> {
    let mut client = Client::connect(state_dir).await?;
    let why = answer!(client, &Request::Why(job), Response::Why(why) => why);
    if as_json {
        text::json_out(&json::why(&why));
    } else {
        text::out(&why.answer);
        why.devices.iter().for_each(|(device, reason)| text::out(&format!("  {device:<20} {reason}")));
    }
    Ok(Exit::Done)
}

pub(super) async fn token(state_dir: &Path, uses: u16, ttl_min: u64, as_json: bool) -> Result<Exit, Failed> {
    let mut client = Client::connect(state_dir).await?;
    let request = Request::TokenCreate(TokenWish { uses, ttl_s: ttl_min * 60, role: Role::Agent });
    let (line, ttl_s) = answer!(client, &request, Response::Token { line, ttl_s } => (line, ttl_s));
    let command = format!("vc-agent join {line}");
    if as_json {
        text::json_out(&json!({ "v": 1, "line": line, "command": command, "seconds": ttl_s }));
    } else {
        text::out(&command);
        text::note(&format!(
            "paste it on the new agent within {} min; it lets in {uses}, once each",
            ttl_s / 60
        ));
    }
    Ok(Exit::Done)
}

pub(super) fn profiles(command: &ProfilesCommand) -> Result<Exit, Failed> {
    let profiles = Profiles::load(user_folder().as_deref()).map_err(|e| Failed::usage(e.to_string()))?;
    match command {
        ProfilesCommand::Ls { json: true } => {
            let rows: Vec<_> = profiles
                .list()
                .into_iter()
                .map(|(name, description, _)| json!({ "name": name, "description": description }))
                .collect();
            text::json_out(&json!({ "v": 1, "profiles": rows }));
        }
        ProfilesCommand::Ls { json: false } => {
            for (name, description, _) in profiles.list() {
                text::out(&format!("{name:<16} {description}"));
            }
        }
        ProfilesCommand::Show { name, json: as_json } => {
            let found = profiles.list().into_iter().find(|(known, _, _)| known == name);
            let Some((_, _, toml)) = found else {
                let error = profiles.get(name).err().map(|e| e.to_string()).unwrap_or_default();
                return Err(Failed::new(Exit::NothingMatched, error));
            };
            if *as_json {
                let profile = profiles.get(name).map_err(|e| Failed::usage(e.to_string()))?.profile;
                text::json_out(&json!({ "v": 1, "name": name, "profile": profile }));
            } else {
                text::out(toml.trim_end());
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn jobs(state_dir: &Path, command: JobsCommand) -> Result<Exit, Failed> {
    let mut client = Client::connect(state_dir).await?;
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
        let want = (limit - at).min(vc_protocol::operator::PAGE_ROWS_MAX as u64) as u32;
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

async fn act(
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
async fn confirm_cancel(client: &mut Client, selection: &Selection, yes: bool) -> Result<(), Failed> {
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
    confirm(&what, "Cancel?", yes)
}

/// A filter of the words on the command line.
fn filter(states: Option<&str>, text: Option<&str>) -> Result<JobFilter, Failed> {
    let mut chosen = Vec::new();
    for word in states.unwrap_or_default().split(',').filter(|w| !w.is_empty()) {
        let state = JobState::from_word(word.trim()).ok_or_else(|| {
            let known: Vec<_> = JobState::ALL.iter().map(|s| s.word()).collect();
            Failed::usage(format!("\"{word}\" is no state: there are {}", known.join(", ")))
        })?;
        chosen.push(state);
    }
    let mut filter = JobFilter::of_states(&chosen);
    filter.terms.extend(text.map(|text| Test::Text(text.to_owned()).term()));
    Ok(filter)
}

fn selection(which: Which) -> Result<Selection, Failed> {
    // An empty variable of a script would select every job there is.
    if let Some(option) = [("--state", &which.state), ("--text", &which.text)]
        .into_iter()
        .find_map(|(name, value)| value.as_ref().is_some_and(|v| v.trim().is_empty()).then_some(name))
    {
        return Err(Failed::usage(format!("{option} is empty, which would mean every job: say which")));
    }
    if which.state.is_some() || which.text.is_some() {
        return filter(which.state.as_deref(), which.text.as_deref()).map(Selection::Filter);
    }
    if !which.jobs.is_empty() {
        return Ok(Selection::Ids(which.jobs));
    }
    if std::io::stdin().is_terminal() {
        return Err(Failed::usage("name jobs by number, --state or --text, or give numbers on stdin"));
    }
    let mut ids = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| Failed::usage(format!("stdin: {e}")))?;
        for word in line.split_whitespace() {
            let id =
                word.parse().map_err(|_| Failed::usage(format!("stdin: \"{word}\" is no job number")))?;
            ids.push(id);
        }
        if ids.len() > STDIN_IDS_MAX {
            return Err(Failed::usage(format!(
                "stdin: more than {STDIN_IDS_MAX} jobs: use --state or --text"
            )));
        }
    }
    if ids.is_empty() { Err(Failed::usage("no job was named")) } else { Ok(Selection::Ids(ids)) }
}
