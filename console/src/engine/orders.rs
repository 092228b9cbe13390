//! What operators ask of the farm, of agents and of devices, as events of the farm core and a sentence in return.

use vc_farm::event::{Event, OperatorEvent};
use vc_protocol::id::{AgentId, DeviceId};
use vc_protocol::operator::RefusalCode;

use super::run::{After, Loop};
use crate::store::{Seen, Turn};

/// Something asked of the farm as a whole, of an agent or of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Hand out nothing until somebody resumes, restarts included.
    Pause,
    /// Hand out again; also takes [`Order::Close`] back.
    Resume,
    /// Hand out nothing more: this process is about to end.
    Close,
    /// The same, and what runs comes back to pending and is ended.
    Recall,
    /// Nothing new there.
    Drain {
        /// Whom.
        agent: AgentId,
        /// Only this device.
        device: Option<DeviceId>,
        /// What runs there comes back to pending and is ended.
        kill: bool,
    },
    /// Work again.
    Undrain(AgentId, Option<DeviceId>),
    /// Out of quarantine, without a test.
    Release(AgentId, DeviceId),
    /// Test the device now; a good end takes it out of quarantine.
    SelfTest(AgentId, DeviceId),
    /// The registry refuses the agent's key from now on: forget it, and give what it has to others.
    Revoked(AgentId),
    /// The registry knows the agent by another name.
    Renamed(AgentId, String),
    /// Something was done that is none of the farm's: for the list of what happened.
    Noted(String),
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal.
    pub code: RefusalCode,
    /// The sentence.
    pub message: String,
}

impl Loop {
    /// What was done, in a sentence.
    pub(super) fn order(
        &mut self,
        order: Order,
        who: &str,
        turn: &mut Turn<'_>,
        after: &mut After,
    ) -> Result<String, Refusal> {
        let (events, done) = match order {
            Order::Pause => {
                (vec![OperatorEvent::Pause], "paused: nothing is handed out until you resume".to_owned())
            }
            Order::Resume => (vec![OperatorEvent::Resume], "the farm goes on".to_owned()),
            Order::Close => (vec![OperatorEvent::Close], "nothing new is handed out".to_owned()),
            Order::Recall => {
                let events = vec![OperatorEvent::Close, OperatorEvent::Recall];
                (events, "nothing new is handed out, and what runs goes back to pending".to_owned())
            }
            Order::Drain { agent, device, kill } => {
                let place = self.named_place(agent, device)?;
                let rest =
                    if kill { "what runs there goes back to pending" } else { "what runs there goes on" };
                let event = OperatorEvent::Drain { agent, device, kill };
                (vec![event], format!("{place} gets nothing new; {rest}"))
            }
            Order::Undrain(agent, device) => {
                let place = self.named_place(agent, device)?;
                (vec![OperatorEvent::Undrain(agent, device)], format!("{place} takes work again"))
            }
            Order::Release(agent, device) => {
                let place = self.named_place(agent, Some(device))?;
                (vec![OperatorEvent::ReleaseQuarantine(agent, device)], format!("{place} takes work again"))
            }
            Order::SelfTest(agent, device) => {
                let place = self.named_place(agent, Some(device))?;
                if !self.sessions.contains_key(&agent) {
                    let message = format!("{} is not connected", self.agent_name(agent));
                    return Err(Refusal { code: RefusalCode::Unavailable, message });
                }
                (
                    vec![OperatorEvent::SelfTest(agent, device)],
                    format!("{place} is tested; the events tell how it ends"),
                )
            }
            Order::Revoked(agent) => {
                let name = self.agent_name(agent);
                self.config.registered.remove(&agent);
                (vec![OperatorEvent::Revoked(agent)], format!("{name} is revoked"))
            }
            Order::Renamed(agent, name) => {
                let done = format!("{} is called {name} from here on", self.agent_name(agent));
                self.painter.named(agent, &name);
                // Rows of jobs and filters find their agents by what the table says of them.
                if let Some(seen) = self.store.seen().get(&agent) {
                    turn.saw(agent, Seen { name: name.clone(), ..seen.as_ref().clone() });
                }
                self.config.registered.insert(agent, name);
                self.painter.dirty();
                (vec![OperatorEvent::Noted(done.clone())], done)
            }
            Order::Noted(text) => (vec![OperatorEvent::Noted(text.clone())], text),
        };
        for event in events {
            self.apply(Event::Operator(who.to_owned(), event), turn, after);
        }
        Ok(done)
    }

    /// `ada`, or `ada/gpu0`, if there are such.
    fn named_place(&self, agent: AgentId, device: Option<DeviceId>) -> Result<String, Refusal> {
        let not_found = |message| Refusal { code: RefusalCode::NotFound, message };
        let live = self.farm.agents().find(|live| live.id == agent);
        let seen = self.store.seen().get(&agent).cloned();
        let is_registered = self.config.registered.contains_key(&agent);
        if live.is_none() && !is_registered {
            return Err(not_found(format!("there is no agent {agent}")));
        }
        let name = self.agent_name(agent);
        let Some(device) = device else { return Ok(name) };
        let was_seen = seen.is_some_and(|seen| seen.devices.iter().any(|known| known.id == device));
        let is_there = live.is_some_and(|live| live.devices.iter().any(|known| known.id == device));
        if was_seen || is_there {
            return Ok(self.place(agent, device));
        }
        Err(not_found(format!("{name} has no device {device}")))
    }

    /// Attempts that agents still have which can be told to end them.
    pub(super) fn in_hand(&self) -> usize {
        let connected = self.farm.agents().filter(|agent| agent.session.is_some());
        connected.flat_map(|agent| agent.devices).map(|device| device.held.len()).sum()
    }
}
