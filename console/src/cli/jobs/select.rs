//! Which jobs a command means: numbers, a filter, or numbers on stdin.

use std::io::{BufRead, IsTerminal};

use clap::Args;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::filter::Test;
use vc_protocol::operator::{IDS_MAX, JobFilter, Selection};

use crate::cli::exit::Failed;

/// Most job numbers read from stdin; more are better said as a filter.
const STDIN_IDS_MAX: usize = IDS_MAX;

#[derive(Args)]
pub(in crate::cli) struct Which {
    /// Numbers of jobs
    #[arg(value_name = "JOB")]
    pub(super) jobs: Vec<JobId>,
    /// All jobs in these states (comma separated), instead of numbers
    #[arg(long, value_name = "STATES", conflicts_with = "jobs")]
    pub(super) state: Option<String>,
    /// Only jobs whose source, profile, agent or cause contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "jobs")]
    pub(super) text: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// A filter of the words on the command line.
pub(super) fn filter(states: Option<&str>, text: Option<&str>) -> Result<JobFilter, Failed> {
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

pub(super) fn selection(which: Which) -> Result<Selection, Failed> {
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
