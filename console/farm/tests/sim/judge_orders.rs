//! The judge's own view of what people and the farm itself said about who gets work, held against every offer.

use std::collections::BTreeSet;

use vc_farm::Farm;
use vc_farm::effect::Effect;
use vc_farm::event::{Event, OperatorEvent};
use vc_farm::record::AgentRecord;
use vc_protocol::id::{AgentId, DeviceId};

use crate::console::Remembered;
use crate::judge::{Sometimes, Verdict};

/// Who may get nothing.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    paused: bool,
    closing: bool,
    drained: BTreeSet<(AgentId, Option<DeviceId>)>,
    quarantined: BTreeSet<(AgentId, DeviceId)>,
    revoked: BTreeSet<AgentId>,
}

impl Orders {
    /// The console starts with what it remembers.
    pub(crate) fn on_start(remembered: &Remembered) -> Self {
        let mut orders = Orders { paused: remembered.farm.paused.is_some(), ..Orders::default() };
        for (agent, record) in &remembered.agents {
            orders.drained.extend(drained(*agent, record));
            orders.quarantined.extend(quarantined(*agent, record));
        }
        orders
    }

    pub(crate) fn on_event(&mut self, event: &Event) {
        let Event::Operator(_, what) = event else { return };
        match what {
            OperatorEvent::Pause => self.paused = true,
            OperatorEvent::Close => self.closing = true,
            OperatorEvent::Resume => (self.paused, self.closing) = (false, false),
            OperatorEvent::Drain { agent, .. } | OperatorEvent::Undrain(agent, _)
                if self.revoked.contains(agent) => {}
            OperatorEvent::Drain { agent, device, .. } => {
                self.drained.insert((*agent, *device));
            }
            OperatorEvent::Undrain(agent, device) => {
                self.drained.remove(&(*agent, *device));
            }
            OperatorEvent::Revoked(agent) => {
                self.revoked.insert(*agent);
                self.drained.retain(|(drained, _)| drained != agent);
            }
            _ => {}
        }
    }

    pub(crate) fn on_effect(&mut self, effect: &Effect, farm: &Farm, seen: &mut Sometimes) -> Verdict {
        let mut saw = |what| *seen.entry(what).or_default() += 1;
        match effect {
            Effect::Offer { agent, device, attempt, .. } => {
                let told = format!("{attempt} was offered to {agent}/{device}");
                let rules = [
                    (self.paused, "although the farm is paused"),
                    (self.closing, "although the server is to end"),
                    (self.drained.contains(&(*agent, None)), "a drained agent"),
                    (self.drained.contains(&(*agent, Some(*device))), "a drained device"),
                    (self.quarantined.contains(&(*agent, *device)), "a quarantined device"),
                    (self.revoked.contains(agent), "a revoked agent"),
                ];
                match rules.into_iter().find(|(broken, _)| *broken) {
                    Some((_, why)) => return Err(format!("{told}, {why}")),
                    None => return Ok(()),
                }
            }
            Effect::PutFarm(record) => {
                let by_itself = record.paused.as_ref().is_some_and(|pause| pause.who.is_empty());
                if by_itself {
                    self.paused = true;
                }
                if self.paused != record.paused.is_some() {
                    return Err(format!("remembers {record:?}, paused {}", self.paused));
                }
                saw(if by_itself { "farm paused by itself" } else { "operator: paused" });
            }
            Effect::PutAgent(agent, record) if self.revoked.contains(agent) => {
                if *record != AgentRecord::default() {
                    return Err(format!("remembers {record:?} of agent {agent}, which is revoked"));
                }
                self.quarantined.retain(|(of, _)| of != agent);
                saw("operator: revoked an agent");
            }
            Effect::PutAgent(agent, record) => {
                let is: BTreeSet<_> = drained(*agent, record).collect();
                let should: BTreeSet<_> =
                    self.drained.iter().filter(|(of, _)| of == agent).copied().collect();
                if is != should {
                    return Err(format!("remembers {record:?} of agent {agent}, drained {should:?}"));
                }
                if !is.is_empty() {
                    saw("operator: drained");
                }
                for device in record.devices.iter().filter(|device| device.quarantine.is_some()) {
                    if self.quarantined.insert((*agent, device.id)) {
                        saw("device quarantined");
                        self.check_half(farm, (*agent, device.id))?;
                    }
                    if device.quarantine.as_ref().is_some_and(|quarantine| quarantine.until_ms.is_none()) {
                        saw("device kept until a person releases it");
                    }
                }
                let now: BTreeSet<_> = quarantined(*agent, record).collect();
                self.quarantined.retain(|at| at.0 != *agent || now.contains(at));
            }
            _ => {}
        }
        Ok(())
    }

    /// No more than half of the devices that are there are kept from work.
    fn check_half(&self, farm: &Farm, newest: (AgentId, DeviceId)) -> Verdict {
        let (mut there, mut kept) = (0, 0);
        for agent in farm.agents() {
            for device in agent.devices {
                let works = agent.session.is_some() && device.device.is_some_and(|device| device.slots > 0);
                if works || (agent.id, device.id) == newest {
                    there += 1;
                    kept += u32::from(self.quarantined.contains(&(agent.id, device.id)));
                }
            }
        }
        if 2 * kept <= there { Ok(()) } else { Err(format!("{kept} of {there} devices are quarantined")) }
    }
}

fn drained(agent: AgentId, record: &AgentRecord) -> impl Iterator<Item = (AgentId, Option<DeviceId>)> + '_ {
    let devices = record.devices.iter().filter(|device| device.drained).map(|device| Some(device.id));
    record.drained.then_some(None).into_iter().chain(devices).map(move |device| (agent, device))
}

fn quarantined(agent: AgentId, record: &AgentRecord) -> impl Iterator<Item = (AgentId, DeviceId)> + '_ {
    let devices = record.devices.iter().filter(|device| device.quarantine.is_some());
    devices.map(move |device| (agent, device.id))
}
