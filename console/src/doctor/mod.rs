//! Looks for what would make a farm fail or crawl on this box, and says what to do about it.
//!
//! Each check is a function that returns findings; it changes nothing but short-lived files of its own in the folders
//! that it tries. Knows nothing of agents' devices: `vc-agent doctor` looks at those.

mod box_facts;
mod clock;
mod folders;
mod network;

use std::path::{Path, PathBuf};

use vc_agent::finding::{Finding, Verdict};
use vc_protocol::operator::{AgentState, JobFilter, Request, Response, Snapshot, Sort};

use crate::config::Config;
use crate::config::keys::Name;
use crate::intake::walk::to_path;
use crate::operator::client::{Client, Target};

pub use box_facts::Terminal;

/// Agents whose clocks are asked for; each is a question to the server.
const AGENTS_MAX: usize = 200;

/// Jobs whose output folders are tried when none was named.
const NEWEST_JOBS: u32 = 5;

/// What the running server says of itself.
struct Running {
    snapshot: Snapshot,
    /// How far each agent's clock is ahead, in milliseconds.
    clocks: Vec<(String, i64)>,
    /// Where the newest jobs put their outputs.
    outs: Vec<PathBuf>,
}

/// Every check, in the order in which they are read. `outs` are output folders to try.
pub async fn examine(config: &Config, mut outs: Vec<PathBuf>, terminal: Terminal) -> Vec<Finding> {
    let state_dir = config.path(Name::StateDir).map(Path::to_owned);
    let running = match &state_dir {
        Some(dir) => ask(dir).await,
        None => None,
    };
    if outs.is_empty() {
        outs.extend(config.path(Name::Out).map(Path::to_owned));
        outs.extend(running.iter().flat_map(|running| running.outs.clone()));
        outs.sort();
        outs.dedup();
    }
    let listen = config.address(Name::Listen);
    let looked = tokio::task::spawn_blocking(move || {
        let is_running = running.is_some();
        let mut findings = folders::state(state_dir.as_deref(), is_running);
        findings.extend(listen.map(|listen| network::port(listen, running.as_ref())));
        findings.extend(network::receive_buffer());
        findings.extend(network::mtu());
        findings.extend(clock::own(state_dir.as_deref()));
        findings.extend(running.as_ref().map(|running| clock::agents(&running.clocks)));
        findings.extend(folders::outputs(&outs));
        findings.push(box_facts::ffmpeg());
        findings.extend(box_facts::terminal(&terminal));
        findings
    });
    looked.await.unwrap_or_else(|_| {
        vec![Finding::new("doctor", Verdict::Bad, "a check broke off", "report it with the lines above")]
    })
}

/// What the server says, if one runs and understands us.
async fn ask(state_dir: &Path) -> Option<Running> {
    let mut client = Client::connect(&Target::Local(state_dir.to_owned())).await.ok()?;
    let Ok(Response::Snapshot(snapshot)) = client.request(&Request::Snapshot).await else { return None };
    let mut clocks = Vec::new();
    let there = snapshot.agents.iter().filter(|agent| agent.state != AgentState::Offline);
    for agent in there.take(AGENTS_MAX) {
        if let Ok(Response::Agent(detail)) = client.request(&Request::Agent(agent.id)).await {
            clocks.extend(detail.clock_ms.map(|ms| (agent.name.clone(), ms)));
        }
    }
    let outs = newest_outputs(&mut client).await;
    Some(Running { snapshot: *snapshot, clocks, outs })
}

/// The folders into which the newest jobs are converted, as far as they are there.
async fn newest_outputs(client: &mut Client) -> Vec<PathBuf> {
    let newest =
        Request::Jobs { filter: JobFilter::default(), sort: Sort::default(), offset: 0, limit: NEWEST_JOBS };
    let Ok(Response::Page(page)) = client.request(&newest).await else { return Vec::new() };
    let mut outs = Vec::new();
    for row in page.rows {
        if let Ok(Response::Detail(detail)) = client.request(&Request::Job(row.id)).await {
            let folder = to_path(&detail.output).parent().map(Path::to_owned);
            outs.extend(folder.filter(|folder| folder.is_dir()));
        }
    }
    outs
}
