//! The judge's own view of what agents offer, held against every offer that they get and against what waits on them.

use std::collections::BTreeMap;

use vc_farm::effect::Effect;
use vc_farm::event::{AgentEvent, Event};
use vc_farm::record::{AttemptEnd, JobRecord, TaskState};
use vc_protocol::device::Device;
use vc_protocol::id::{AgentId, DeviceId, JobId};

use crate::judge::{Sometimes, Verdict};

/// Attempts on a device for each of its slots: one runs, one waits.
const PLACES_PER_SLOT: usize = 2;

/// What each agent last said that it offers.
#[derive(Debug, Default)]
pub(crate) struct Offered(BTreeMap<(AgentId, DeviceId), Device>);

impl Offered {
    pub(crate) fn on_event(
        &mut self,
        event: &Event,
        rows: &BTreeMap<JobId, JobRecord>,
        seen: &mut Sometimes,
    ) -> bool {
        let Event::Agent(agent, _, AgentEvent::Connected { devices, .. } | AgentEvent::Devices(devices)) =
            event
        else {
            return false;
        };
        let before: Vec<Device> = self.of(*agent).cloned().collect();
        self.0.retain(|(of, _), _| of != agent);
        self.0.extend(devices.iter().map(|device| ((*agent, device.id), device.clone())));
        if let Event::Agent(_, _, AgentEvent::Devices(_)) = event {
            let mut saw = |what| *seen.entry(what).or_default() += 1;
            if before != *devices {
                saw("devices: changed");
            }
            for device in before {
                let held = rows.values().filter(|row| is_on(row, *agent, device.id)).count();
                match self.0.get(&(*agent, device.id)) {
                    None if held > 0 => saw("devices: gone with work on it"),
                    Some(after) if held > usize::from(after.slots) => saw("devices: more work than slots"),
                    Some(_) | None => {}
                }
            }
        }
        true
    }

    fn of(&self, agent: AgentId) -> impl Iterator<Item = &Device> {
        self.0.iter().filter(move |((of, _), _)| *of == agent).map(|(_, device)| device)
    }

    pub(crate) fn on_effect(
        &self,
        effect: &Effect,
        rows: &BTreeMap<JobId, JobRecord>,
        offers_anew: bool,
        seen: &mut Sometimes,
    ) -> Verdict {
        match effect {
            Effect::Offer { agent, device, attempt, .. } => {
                let told = format!("{attempt} was offered to {agent}/{device}");
                let offered = self.0.get(&(*agent, *device)).ok_or(format!("{told}, which is not there"))?;
                let codec = rows.get(&attempt.job).map(|row| row.group.codec);
                if !codec.is_some_and(|codec| offered.codecs.contains(&codec)) {
                    return Err(format!("{told}, which does not make {codec:?}"));
                }
                let held = rows.values().filter(|row| is_on(row, *agent, *device)).count();
                let places = PLACES_PER_SLOT * usize::from(offered.slots);
                if held > places {
                    return Err(format!("{told}, which has places for {places} and holds {held}"));
                }
                Ok(())
            }
            Effect::PutAttempt(ended) if offers_anew && ended.end == AttemptEnd::Stopped => {
                *seen.entry("devices: surplus taken back").or_default() += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The agent has just said what it offers: nothing waits where it would never begin.
    pub(crate) fn check_waiting(&self, event: &Event, rows: &BTreeMap<JobId, JobRecord>) -> Verdict {
        let Event::Agent(agent, ..) = event else { return Ok(()) };
        let stuck = rows.values().find(|row| {
            row.tasks.iter().any(|task| match &task.state {
                TaskState::Leased(lease) if lease.agent == *agent => {
                    let device = self.0.get(&(lease.agent, lease.device));
                    device.is_none_or(|d| d.slots == 0 || !d.codecs.contains(&row.group.codec))
                }
                _ => false,
            })
        });
        match stuck {
            Some(row) => Err(format!("job {} waits on a device of agent {agent} that cannot do it", row.id)),
            None => Ok(()),
        }
    }
}

/// Whether it fills a place there. The holder of a grant may be gone, while its output is looked for.
fn is_on(row: &JobRecord, agent: AgentId, device: DeviceId) -> bool {
    row.tasks.iter().any(|task| match &task.state {
        TaskState::Leased(lease) | TaskState::Running(lease) => {
            (lease.agent, lease.device) == (agent, device)
        }
        _ => false,
    })
}
