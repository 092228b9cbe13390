//! From a command to what it does to the farm: for which jobs or agent, and whether it is asked about first.

use vc_protocol::id::{AgentId, DeviceId};
use vc_protocol::job::Priority;
use vc_protocol::operator::{AgentAction, AgentState, AgentView, DeviceState, DeviceView, StopHow};

use super::deed::{AgentRef, Deed, Target, Verb};
use super::field::Field;
use super::jobs::Marks;
use super::overlay::{Confirm, Overlay, Typed};
use super::{Action, Millis, State};
use crate::tui::Leave;
use crate::tui::keys::{Command, Ground, Level};

/// Does what a command asks of the farm, with what was typed behind its name. False if it asks nothing of it.
#[expect(clippy::wildcard_enum_match_arm, reason = "what acts on the farm is named, the rest is for others")]
pub(super) fn run(
    state: &mut State,
    now: Millis,
    command: Command,
    argument: &str,
    out: &mut Vec<Action>,
) -> Result<bool, String> {
    let deed = match command {
        Command::Retry => return Ok(on_jobs(state, now, Verb::Retry, out)),
        Command::Cancel => return Ok(on_jobs(state, now, Verb::Cancel, out)),
        Command::Hold => {
            let held = state.target().is_some_and(|t| !t.any(Verb::Hold));
            return Ok(on_jobs(state, now, if held { Verb::Release } else { Verb::Hold }, out));
        }
        Command::Raise => return Ok(on_jobs(state, now, Verb::Raise, out)),
        Command::Lower => return Ok(on_jobs(state, now, Verb::Lower, out)),
        Command::Purge => return Ok(on_jobs(state, now, Verb::Purge, out)),
        Command::Priority => {
            let wanted = argument.parse().ok().filter(|n| *n <= Priority::MAX.0);
            let wanted = wanted.ok_or("a priority is 0 to 9, as in `prio 7`")?;
            return Ok(on_jobs(state, now, Verb::Prioritise(Priority(wanted)), out));
        }
        Command::Pause => {
            let paused = state.snapshot.as_ref().is_some_and(|s| s.paused.is_some());
            if paused { Deed::Resume } else { Deed::Pause }
        }
        Command::Drain => drain(state).ok_or("no agent is selected")?,
        Command::DrainKill => {
            let (agent, device) = state.selected_agent().ok_or("no agent is selected")?;
            let agent = agent_ref(state, agent, device).ok_or("that agent is gone")?;
            Deed::Agent(agent, AgentAction::Drain { device, kill: true })
        }
        Command::ReleaseDevice => {
            on_device(state, AgentAction::Release, is_quarantined).ok_or("no device here is in quarantine")?
        }
        Command::SelfTest => {
            on_device(state, AgentAction::SelfTest, |_| true).ok_or("choose one device first")?
        }
        Command::Rename => {
            let (agent, _) = state.selected_agent().ok_or("no agent is selected")?;
            let agent = agent_ref(state, agent, None).ok_or("that agent is gone")?;
            if argument.is_empty() {
                return Err("the new name is missing, as in `rename ada`".into());
            }
            Deed::Agent(agent, AgentAction::Rename(argument.to_owned()))
        }
        Command::Revoke => {
            let named = state.snapshot.iter().flat_map(|s| &s.agents).find(|a| a.name == argument);
            let id = match (named, argument) {
                (Some(agent), _) => agent.id,
                (None, "") => state.selected_agent().ok_or("which agent? as in `revoke dec`")?.0,
                (None, _) => return Err(format!("there is no agent {argument:?}")),
            };
            Deed::Agent(agent_ref(state, id, None).ok_or("that agent is gone")?, AgentAction::Revoke)
        }
        Command::Token => Deed::Token,
        Command::DrainStop => Deed::Stop(StopHow::Drain),
        Command::StopNow => Deed::Stop(StopHow::Now),
        _ => return Ok(false),
    };
    propose(state, now, deed, out);
    Ok(true)
}

fn on_jobs(state: &mut State, now: Millis, verb: Verb, out: &mut Vec<Action>) -> bool {
    if let Some(target) = state.target() {
        ask_about(state, now, verb, target, out);
    }
    true
}

/// Opens the question about these jobs, or does at once what can be undone.
pub(super) fn ask_about(state: &mut State, now: Millis, verb: Verb, target: Target, out: &mut Vec<Action>) {
    let target = target.fitting(verb);
    if target.count() > 0 {
        propose(state, now, Deed::Jobs(verb, target), out);
    }
}

/// Does it, or asks first, as its level says.
pub(super) fn propose(state: &mut State, now: Millis, deed: Deed, out: &mut Vec<Action>) {
    match deed.level() {
        Level::Look | Level::Undoable => perform(state, deed, out),
        Level::Asks => {
            state.open(Overlay::Confirm(Confirm { deed, opened: now, yes: false, again: false }));
        }
        Level::Typed => {
            let word = deed.word();
            state.open(Overlay::Typed(Typed { deed, word, field: Field::default(), wrong: false }));
        }
    }
}

/// Sends it. Marks are spent by the command that they were for.
pub(super) fn perform(state: &mut State, deed: Deed, out: &mut Vec<Action>) {
    if let Deed::Stop(how) = deed {
        out.push(Action::Leave(Leave::Stop(how)));
        return;
    }
    let Some(request) = deed.request() else { return };
    if matches!(deed, Deed::Jobs(..)) && matches!(state.below(), Ground::Overview | Ground::Jobs) {
        state.jobs.marks = Marks::default();
    }
    let tag = state.send(request, out);
    state.acting.insert(tag, deed);
}

fn drain(state: &State) -> Option<Deed> {
    let (agent, device) = state.selected_agent()?;
    let view = view(state, agent)?;
    let drained = match device.and_then(|id| view.devices.iter().find(|d| d.id == id)) {
        Some(device) => matches!(device.state, DeviceState::Draining),
        None => view.drained,
    };
    let action =
        if drained { AgentAction::Undrain(device) } else { AgentAction::Drain { device, kill: false } };
    Some(Deed::Agent(agent_ref(state, agent, device)?, action))
}

/// The selected device, or the only one of the selected agent that fits.
fn on_device(
    state: &State,
    action: impl Fn(DeviceId) -> AgentAction,
    fits: impl Fn(&DeviceView) -> bool,
) -> Option<Deed> {
    let (agent, _) = state.selected_agent()?;
    let mut fitting = chosen(state).filter(|d| fits(d));
    let (Some(one), None) = (fitting.next(), fitting.next()) else { return None };
    Some(Deed::Agent(agent_ref(state, agent, Some(one.id))?, action(one.id)))
}

/// Why [`Command::ReleaseDevice`] does nothing now.
pub(super) fn release_refusal(state: &State) -> Option<&'static str> {
    match chosen(state).filter(|d| is_quarantined(d)).count() {
        0 => Some("no device here is in quarantine"),
        1 => None,
        _ => Some("several devices here are in quarantine: open the agent and choose one"),
    }
}

/// Why [`Command::SelfTest`] does nothing now.
pub(super) fn test_refusal(state: &State) -> Option<&'static str> {
    let is_gone = |(id, _)| view(state, id).is_some_and(|a| a.state == AgentState::Offline);
    match chosen(state).count() {
        _ if state.selected_agent().is_some_and(is_gone) => Some("the agent is offline"),
        0 => Some("no device is selected"),
        1 => None,
        _ => Some("it has several devices: open the agent and choose one"),
    }
}

/// The selected device, or all of the selected agent.
fn chosen(state: &State) -> impl Iterator<Item = &DeviceView> {
    let (agent, device) = state.selected_agent().unzip();
    let devices = agent.and_then(|id| view(state, id)).into_iter().flat_map(|agent| &agent.devices);
    devices.filter(move |d| device.flatten().is_none_or(|id| id == d.id))
}

fn is_quarantined(device: &DeviceView) -> bool {
    matches!(device.state, DeviceState::Quarantined { .. })
}

fn view(state: &State, id: AgentId) -> Option<&AgentView> {
    state.snapshot.as_ref()?.agents.iter().find(|a| a.id == id)
}

fn agent_ref(state: &State, id: AgentId, device: Option<DeviceId>) -> Option<AgentRef> {
    let view = view(state, id)?;
    let chosen = view.devices.iter().filter(|d| device.is_none_or(|id| id == d.id));
    let shown = |d: &DeviceView| if d.short.is_empty() { d.name.clone() } else { d.short.clone() };
    Some(AgentRef {
        id,
        name: view.name.clone(),
        device: device.and_then(|id| view.devices.iter().find(|d| d.id == id)).map(shown),
        jobs: chosen.map(|d| d.runs.len() as u64).sum(),
    })
}
