//! `stop`: asks the server to end in one of three ways, and waits until it is gone.

use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::json;
use tokio::time::{sleep, timeout};
use vc_protocol::job::JobState;
use vc_protocol::operator::{Request, Response, StopHow};

use super::confirm::{self, Answer};
use super::exit::{Exit, Failed};
use super::loss::{self, Running};
use super::size::left;
use super::target::Target;
use super::{ask, text, when};
use crate::operator::client::{Client, ClientError};
use crate::store;

/// A server that does not wait for jobs is gone within its own ten seconds, and some for a slow disk.
const LEAVE_MAX: Duration = Duration::from_secs(30);
/// How often a person who waits is told for what.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// Between two looks whether a process is gone.
const LOOK_EVERY: Duration = Duration::from_millis(30);

#[derive(Args)]
pub(super) struct StopArgs {
    /// Let what runs end first, and hand out nothing new
    #[arg(long, conflicts_with = "now")]
    drain: bool,
    /// Stop what runs; those jobs go back to pending
    #[arg(long)]
    now: bool,
    /// Give up waiting after this, such as 90s, 15m or 2h; the server goes on ending [default: none with --drain, else 30s]
    #[arg(long, value_name = "TIME", value_parser = when::length)]
    timeout: Option<Duration>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn stop(target: &Target, args: StopArgs) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    // Asked for before it ends: afterwards the number may be another server's.
    let holder = if target.is_remote() { None } else { store::holder(target.state_dir()) };
    let process = holder.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let (how, word, note) = match (args.drain, args.now) {
        (true, _) => (StopHow::Drain, "drain", "the server ends when what runs has ended"),
        (false, true) => (StopHow::Now, "now", "the server ends; what runs goes back to pending"),
        (false, false) => (StopHow::Leave, "leave", "the server ends; agents go on with what they have"),
    };
    if how == StopHow::Now {
        let snapshot = ask::snapshot(&mut client).await?;
        let devices = snapshot.agents.iter().flat_map(|agent| &agent.devices);
        let running: Vec<_> = devices.flat_map(|device| &device.runs).map(Running::of_run).collect();
        if !running.is_empty() && !args.yes {
            confirm::ask(&loss::would(&running, "be stopped and go back to pending"), &Answer::Yes)?;
        }
    }
    match client.request(&Request::Stop(how)).await {
        // One that was draining already may be gone before it can say so.
        Ok(Response::Stopping) | Err(ClientError::Gone | ClientError::Socket(_)) => {}
        Ok(_) => return Err(ClientError::Unexpected.into()),
        Err(error) => return Err(error.into()),
    }
    text::note(note);
    let bound = args.timeout.or((how != StopHow::Drain).then_some(LEAVE_MAX));
    let gone = gone(client, process, how);
    match bound {
        None => gone.await?,
        Some(bound) => timeout(bound, gone).await.unwrap_or_else(|_| {
            let message = format!("the server has not ended after {} s; it goes on ending", bound.as_secs());
            Err(Failed::new(Exit::TimedOut, message))
        })?,
    }
    if args.json {
        text::json_out(&json!({ "v": 1, "how": word, "stopped": true }));
    }
    Ok(Exit::Done)
}

/// Returns when the server has let go of the connection and its process is gone; says now and then what it waits for.
async fn gone(mut client: Client, process: Option<Pid>, how: StopHow) -> Result<(), Failed> {
    let mut told = Instant::now();
    // However the connection ends, that is what was asked for.
    if client.ask(&Request::Subscribe).await.is_ok() {
        while let Ok(response) = client.next().await {
            let Response::Snapshot(snapshot) = response else { return Err(ClientError::Unexpected.into()) };
            if how == StopHow::Drain && snapshot.paused.is_none() {
                return Err(Failed::new(Exit::Unexpected, "somebody resumed the farm: the server goes on"));
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let running = snapshot.totals.by_state[JobState::Running as usize];
                text::note(&format!("{running} still run, ETA {}", left(snapshot.totals.eta_s)));
            }
        }
    }
    while process.is_some_and(runs) {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Whether that process runs. One that has ended, and that nobody has asked for its exit status, does not.
fn runs(process: Pid) -> bool {
    if kill(process, None).is_err() {
        return false;
    }
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    state != Some("Z")
}
