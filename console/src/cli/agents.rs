//! `agents`: who works for the farm, and what is done to them.

mod show;

use clap::{Args, Subcommand};
use serde_json::json;
use vc_protocol::id::DeviceId;
use vc_protocol::operator::{
    AgentAction, AgentState, AgentView, DeviceState, DeviceView, Request, Response, Snapshot,
};

use super::ask::{answer, snapshot};
use super::confirm::{self, Answer};
use super::exit::{Exit, Failed};
use super::loss::{self, Running};
use super::members::{self, MemberCommand};
use super::table::{self, Audience, Cell, Column, Fit};
use super::target::Target;
use super::{json, text};
use crate::launch;
use crate::operator::client::{Client, ClientError};
use crate::tui::words;
use vc_protocol::progress::Phase;

#[derive(Subcommand)]
pub(super) enum AgentsCommand {
    /// List agents
    Ls {
        /// One JSON document, devices and what runs on them included
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known of an agent: its box, devices and encoders
    Show {
        /// Its name or number
        agent: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Hand out nothing new to an agent or to one device; what it has goes on
    Drain {
        #[command(flatten)]
        place: Place,
        /// Stop what runs there as well: it goes back to pending. Asks first
        #[arg(long)]
        kill: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Hand out work again to a drained agent or device
    Undrain(Place),
    /// End a device's quarantine without a test; without a device, of all that are in one
    Release(Place),
    /// Try each encoder of a device now: a good end takes it out of quarantine
    Test(Place),
    #[command(flatten)]
    Member(MemberCommand),
    /// Start an agent on this box in the background, for the server of the state folder
    Start {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

/// An agent, or a device of it.
#[derive(Args)]
pub(super) struct Place {
    /// The agent's name or number, or AGENT/DEVICE
    #[arg(value_name = "AGENT")]
    agent: String,
    /// One device of it, such as gpu0
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(target: &Target, command: AgentsCommand) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    match command {
        AgentsCommand::Ls { json } => list(&mut client, json).await,
        AgentsCommand::Show { agent, json } => {
            let id = agent_of(&snapshot(&mut client).await?, &agent)?.id;
            let detail = answer!(client, &Request::Agent(id), Response::Agent(detail) => *detail);
            show::show(&detail, json);
            Ok(Exit::Done)
        }
        AgentsCommand::Drain { place, kill, yes } => {
            let farm = snapshot(&mut client).await?;
            let (agent, device) = place.find(&farm)?;
            if kill && !yes {
                confirm_kill(agent, device)?;
            }
            let action = AgentAction::Drain { device: device.map(|device| device.id), kill };
            act(&mut client, agent, vec![action], place.json).await
        }
        AgentsCommand::Undrain(place) => {
            let farm = snapshot(&mut client).await?;
            let (agent, device) = place.find(&farm)?;
            act(&mut client, agent, vec![AgentAction::Undrain(device.map(|device| device.id))], place.json)
                .await
        }
        AgentsCommand::Release(place) => {
            let farm = snapshot(&mut client).await?;
            let (agent, device) = place.find(&farm)?;
            let ids =
                devices(agent, device, |device| matches!(device.state, DeviceState::Quarantined { .. }));
            let actions = ids.into_iter().map(AgentAction::Release).collect();
            act(&mut client, agent, actions, place.json).await
        }
        AgentsCommand::Test(place) => {
            let farm = snapshot(&mut client).await?;
            let (agent, device) = place.find(&farm)?;
            let actions = devices(agent, device, |_| true).into_iter().map(AgentAction::SelfTest).collect();
            act(&mut client, agent, actions, place.json).await
        }
        AgentsCommand::Member(command) => members::run(&mut client, command).await,
        AgentsCommand::Start { json } => start(target, json).await,
    }
}

/// The device named, or those that it makes sense for.
fn devices(
    agent: &AgentView,
    named: Option<&DeviceView>,
    fits: impl Fn(&DeviceView) -> bool,
) -> Vec<DeviceId> {
    match named {
        Some(device) => vec![device.id],
        None => agent.devices.iter().filter(|device| fits(device)).map(|device| device.id).collect(),
    }
}

impl Place {
    /// The agent, and the device if one was named.
    fn find<'a>(&self, farm: &'a Snapshot) -> Result<(&'a AgentView, Option<&'a DeviceView>), Failed> {
        let (agent, device) = match (agent_of(farm, &self.agent), &self.device, self.agent.rsplit_once('/')) {
            (Err(_), None, Some((agent, device))) => (agent_of(farm, agent)?, Some(device)),
            (agent, device, _) => (agent?, device.as_deref()),
        };
        Ok((agent, device.map(|name| device_of(agent, name)).transpose()?))
    }
}

fn agent_of<'a>(farm: &'a Snapshot, name: &str) -> Result<&'a AgentView, Failed> {
    let by_name = farm.agents.iter().find(|agent| agent.name == name);
    let by_number = || farm.agents.iter().find(|agent| name.parse() == Ok(agent.id));
    by_name.or_else(by_number).ok_or_else(|| {
        let known: Vec<_> = farm.agents.iter().map(|agent| agent.name.as_str()).collect();
        nobody("agent", name, &known)
    })
}

fn device_of<'a>(agent: &'a AgentView, name: &str) -> Result<&'a DeviceView, Failed> {
    let by_name = agent.devices.iter().find(|device| device.short == name || device.name == name);
    let by_number = || agent.devices.iter().find(|device| name.parse() == Ok(device.id));
    by_name.or_else(by_number).ok_or_else(|| {
        let known: Vec<_> = agent.devices.iter().map(shown).collect();
        nobody(&format!("device of {}", agent.name), name, &known)
    })
}

/// The name of a device in rows.
fn shown(device: &DeviceView) -> &str {
    if device.short.is_empty() { &device.name } else { &device.short }
}

fn nobody(what: &str, name: &str, known: &[&str]) -> Failed {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Failed::new(Exit::NothingMatched, format!("there is no {what} \"{name}\": there is {known}"))
}

fn confirm_kill(agent: &AgentView, device: Option<&DeviceView>) -> Result<(), Failed> {
    let there = |each: &&DeviceView| device.is_none_or(|device| device.id == each.id);
    let runs = agent.devices.iter().filter(there).flat_map(|device| &device.runs);
    let running: Vec<_> = runs.map(Running::of_run).collect();
    if running.is_empty() {
        return Ok(());
    }
    confirm::ask(&loss::would(&running, "be stopped and go back to pending"), &Answer::Yes)
}

async fn act(
    client: &mut Client,
    agent: &AgentView,
    actions: Vec<AgentAction>,
    as_json: bool,
) -> Result<Exit, Failed> {
    if actions.is_empty() {
        return Err(Failed::new(
            Exit::NothingMatched,
            format!("no device of {} is in quarantine", agent.name),
        ));
    }
    let mut done = Vec::new();
    for action in actions {
        let request = Request::OnAgent(agent.id, action);
        done.push(answer!(client, &request, Response::Done(sentence) => sentence));
    }
    text::done(&done, as_json);
    Ok(Exit::Done)
}

async fn list(client: &mut Client, as_json: bool) -> Result<Exit, Failed> {
    let farm = snapshot(client).await?;
    if as_json {
        let agents: Vec<_> = farm.agents.iter().map(json::agent).collect();
        text::json_out(&json!({ "v": 1, "agents": agents }));
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = farm.agents.iter().map(cells).collect();
    table::print(&COLUMNS, &rows, Audience::of_stdout());
    if farm.agents.is_empty() {
        text::note("no agent has joined: `vc-console token create` prints the line for one");
    }
    Ok(Exit::Done)
}

async fn start(target: &Target, as_json: bool) -> Result<Exit, Failed> {
    if target.is_remote() {
        return Err(Failed::usage(
            "the server is on another box: start the agent there, or join it from here",
        ));
    }
    let started = launch::start_local_agent(target.state_dir()).await;
    let sentence = started.map_err(|error| {
        if let launch::LocalAgentError::Token(error) = error {
            return Failed::from(error);
        }
        Failed::unexpected(&anyhow::Error::from(error).context("no agent was started"))
    })?;
    text::done(&[sentence], as_json);
    Ok(Exit::Done)
}

const COLUMNS: [Column; 11] = [
    ("ID", Fit::Right),
    ("NAME", Fit::Left),
    ("STATE", Fit::Left),
    ("BUSY", Fit::Right),
    ("FPS", Fit::Right),
    ("SPEED", Fit::Right),
    ("DONE", Fit::Right),
    ("FAILED", Fit::Right),
    ("ADDRESS", Fit::Left),
    ("VERSION", Fit::Left),
    ("PROBLEM", Fit::Text),
];

fn cells(agent: &AgentView) -> Vec<Cell> {
    let progress = || agent.devices.iter().flat_map(|device| &device.runs).map(|run| run.progress);
    let (fps, speed): (f32, f32) = (progress().map(|p| p.fps).sum(), progress().map(|p| p.speed).sum());
    vec![
        agent.id.into(),
        agent.name.as_str().into(),
        state(agent).into(),
        busy(agent).into(),
        Cell::new(words::fps(fps), fps),
        Cell::new(words::speed(speed), speed),
        agent.completed.into(),
        agent.failed.into(),
        agent.address.as_str().into(),
        agent.version.as_str().into(),
        problems(agent).join("; ").into(),
    ]
}

/// How an agent is, in one word.
pub(super) fn state(agent: &AgentView) -> &'static str {
    match agent.state {
        AgentState::Offline => "OFFLINE",
        AgentState::Suspect => "silent",
        AgentState::Ok | AgentState::Draining
            if agent.drained && agent.devices.iter().all(|d| d.runs.is_empty()) =>
        {
            "drained"
        }
        AgentState::Draining => "draining",
        AgentState::Ok if agent.drained => "draining",
        AgentState::Ok => "ok",
    }
}

/// Slots in use of those there are.
pub(super) fn busy(agent: &AgentView) -> String {
    let slots: u32 = agent.devices.iter().map(|d| u32::from(d.slots)).sum();
    let works = |d: &DeviceView| d.runs.iter().filter(|run| run.progress.phase != Phase::Waiting).count();
    let busy: usize = agent.devices.iter().map(works).sum();
    format!("{busy}/{slots}")
}

/// What keeps an agent from working as it could.
pub(super) fn problems(agent: &AgentView) -> Vec<String> {
    let quarantined = agent.devices.iter().filter_map(|device| match &device.state {
        DeviceState::Quarantined { why, .. } => Some(format!("{} quarantined: {why}", shown(device))),
        DeviceState::Ok | DeviceState::Draining => None,
    });
    quarantined.chain(agent.unproven.iter().map(|reason| format!("cannot use {reason}"))).collect()
}

#[cfg(test)]
mod tests {
    use vc_protocol::id::AgentId;

    use super::*;

    fn farm() -> Snapshot {
        let device = |id, short: &str, state| DeviceView {
            id: DeviceId(id),
            short: short.into(),
            state,
            ..DeviceView::default()
        };
        let quarantined = DeviceState::Quarantined { why: "too hot".into(), until_ms: None, testing: false };
        let devices = vec![device(0, "gpu0", DeviceState::Ok), device(1, "gpu1", quarantined)];
        let ada = AgentView { id: AgentId(7), name: "ada".into(), devices, ..AgentView::default() };
        let bolt = AgentView { id: AgentId(8), name: "rack1/bolt".into(), ..AgentView::default() };
        Snapshot { agents: vec![ada, bolt], ..Snapshot::default() }
    }

    #[test]
    fn agents_and_devices_are_found_by_name_and_number() {
        let farm = farm();
        let find = |agent: &str, device: Option<&str>| {
            let place = Place { agent: agent.into(), device: device.map(str::to_owned), json: false };
            let found = place.find(&farm).map_err(|failed| (failed.exit, failed.message));
            found.map(|(agent, device)| (agent.id.0, device.map(|device| device.id.0)))
        };
        assert_eq!(find("ada", None), Ok((7, None)));
        assert_eq!(find("7", None), Ok((7, None)));
        assert_eq!(find("ada/gpu1", None), Ok((7, Some(1))));
        assert_eq!(find("ada", Some("0")), Ok((7, Some(0))));
        assert_eq!(find("rack1/bolt", None), Ok((8, None)));
        let none = |message: &str| Err((Exit::NothingMatched, message.to_owned()));
        assert_eq!(find("adda", None), none("there is no agent \"adda\": there is ada, rack1/bolt"));
        assert_eq!(find("ada/gpu7", None), none("there is no device of ada \"gpu7\": there is gpu0, gpu1"));
        assert_eq!(
            find("rack1/bolt", Some("x")),
            none("there is no device of rack1/bolt \"x\": there is none")
        );
    }

    #[test]
    fn without_a_device_only_those_in_quarantine_are_released() {
        let farm = farm();
        let in_quarantine = |device: &DeviceView| matches!(device.state, DeviceState::Quarantined { .. });
        assert_eq!(devices(&farm.agents[0], None, in_quarantine), [DeviceId(1)]);
        assert_eq!(devices(&farm.agents[0], Some(&farm.agents[0].devices[0]), in_quarantine), [DeviceId(0)]);
        assert_eq!(devices(&farm.agents[1], None, in_quarantine), []);
    }
}
