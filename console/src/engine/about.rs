//! What agents said of their boxes, and the detail of one agent that is made from it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use vc_protocol::agent::ToAgent;
use vc_protocol::device::{BoxFacts, DeviceFacts, DeviceUse, GpuFacts};
use vc_protocol::id::{AgentId, DeviceId};
use vc_protocol::operator::{AgentDetail, DeviceDetail};

use super::run::Loop;
use crate::store::StoreError;

/// Figures of use kept of a device: five minutes of them.
const HISTORY_MAX: usize = 60;
/// Least time between two of them: as often as a busy agent tells.
const HISTORY_EVERY: Duration = Duration::from_millis(4_500);
/// Facts older than this say nothing of how busy a device is.
const FRESH: Duration = Duration::from_secs(15);
/// Operators that wait for an agent's log at once; more are answered without.
const WAITING_MAX: usize = 64;

/// What is known of one box.
struct Known {
    facts: BoxFacts,
    heard: Instant,
    /// How far its clock is ahead.
    clock_ms: i64,
    noted: Option<Instant>,
    /// Use of encode and decode of each device, oldest first.
    history: BTreeMap<DeviceId, (VecDeque<u16>, VecDeque<u16>)>,
}

/// What is known of every box.
#[derive(Default)]
pub(super) struct Boxes {
    known: BTreeMap<AgentId, Known>,
    waiting: BTreeMap<AgentId, Vec<oneshot::Sender<String>>>,
}

impl Boxes {
    /// An agent told how its box is.
    pub(super) fn heard(&mut self, agent: AgentId, facts: BoxFacts, wall_ms: i64, rtt_us: u64) {
        let now = Instant::now();
        let on_the_way = i64::try_from(rtt_us / 2000).unwrap_or(0);
        let clock_ms = facts.now_ms.saturating_add(on_the_way).saturating_sub(wall_ms);
        let before = self.known.remove(&agent);
        let (noted, mut history) = before.map_or_else(Default::default, |known| (known.noted, known.history));
        let is_due = noted.is_none_or(|at| now - at >= HISTORY_EVERY);
        if is_due {
            history.retain(|id, _| facts.devices.iter().any(|device| device.id == *id));
            for DeviceFacts { id, load, .. } in &facts.devices {
                let (encode, decode) = history.entry(*id).or_default();
                note(encode, load.encode);
                note(decode, load.decode);
            }
        }
        let noted = if is_due { Some(now) } else { noted };
        self.known.insert(agent, Known { facts, heard: now, clock_ms, noted, history });
    }

    /// How busy a device is, if its agent said so lately.
    pub(super) fn load(&self, agent: AgentId, device: DeviceId) -> DeviceUse {
        let fresh = self.known.get(&agent).filter(|known| known.heard.elapsed() < FRESH);
        let of_device = fresh.and_then(|known| known.facts.devices.iter().find(|d| d.id == device));
        of_device.map(|device| device.load).unwrap_or_default()
    }

    /// An agent sent its log.
    pub(super) fn log(&mut self, agent: AgentId, log: &str) {
        for waiting in self.waiting.remove(&agent).into_iter().flatten() {
            // Whoever asked may have stopped waiting.
            let _ = waiting.send(log.to_owned());
        }
    }

    /// Its session is another one.
    pub(super) fn forget_questions(&mut self, agent: AgentId) {
        self.waiting.remove(&agent);
    }

    /// Whether the agent is yet to be asked: what it sends answers all who wait by then.
    fn wait(&mut self, agent: AgentId, answer: oneshot::Sender<String>) -> bool {
        let waiting = self.waiting.entry(agent).or_default();
        waiting.retain(|sender| !sender.is_closed());
        let is_first = waiting.is_empty();
        if waiting.len() < WAITING_MAX {
            waiting.push(answer);
        }
        is_first
    }
}

fn note(history: &mut VecDeque<u16>, share: Option<u16>) {
    let Some(share) = share else { return };
    if history.len() == HISTORY_MAX {
        history.pop_front();
    }
    history.push_back(share);
}

impl Loop {
    /// Asks an agent how its box is, and for its log, which comes after that.
    pub(super) fn ask_box(&mut self, agent: AgentId, answer: oneshot::Sender<String>) {
        let Some(session) = self.sessions.get(&agent) else { return };
        // Once for all who look: operators must not fill the queue of an agent that is busy.
        if self.boxes.wait(agent, answer) {
            session.link.send(ToAgent::WantFacts);
            session.link.send(ToAgent::WantOwnLog);
        }
    }

    /// Everything about one agent but its log; none if there is no such agent.
    pub(super) fn agent_detail(&mut self, id: AgentId) -> Result<Option<AgentDetail>, StoreError> {
        let snapshot = self.snapshot()?;
        let Some(view) = snapshot.agents.into_iter().find(|agent| agent.id == id) else { return Ok(None) };
        let known = self.boxes.known.get(&id);
        let session = self.sessions.get(&id);
        let link = session.map(|session| &session.link);
        let certificate = session.and_then(|session| session.certificate.as_ref());
        let detail = |device: DeviceId| {
            let told = known.and_then(|known| known.facts.devices.iter().find(|facts| facts.id == device));
            let history = known.and_then(|known| known.history.get(&device)).cloned().unwrap_or_default();
            DeviceDetail {
                id: device,
                facts: told.and_then(|told| told.gpu.as_ref()).map(card_facts).unwrap_or_default(),
                encoders: told.map(|told| told.encoders.clone()).unwrap_or_default(),
                encode_history: history.0.into(),
                decode_history: history.1.into(),
                learned: told.map(|told| told.slots_note.clone()).unwrap_or_default(),
            }
        };
        Ok(Some(AgentDetail {
            host: known.map(|known| known.facts.clone()),
            clock_ms: known.map(|known| known.clock_ms),
            lost_permille: link.and_then(|link| link.lost_permille()),
            cert_serial: certificate.map(|(serial, _)| serial.clone()).unwrap_or_default(),
            devices: view.devices.iter().map(|device| detail(device.id)).collect(),
            view,
            log: String::new(),
        }))
    }
}

/// What tells a card from its like, each with its name; what nobody says is left out.
fn card_facts(card: &GpuFacts) -> Vec<(String, String)> {
    let decodes = card.decodes.join(", ");
    let facts = [
        ("PCI", &card.pci),
        ("driver", &card.driver),
        ("Vulkan", &card.vulkan),
        ("UUID", &card.uuid),
        ("decodes", &decodes),
    ];
    let told = facts.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(encode: u16) -> BoxFacts {
        let load = DeviceUse { encode: Some(encode), ..DeviceUse::default() };
        let device = DeviceFacts { id: DeviceId(0), load, ..DeviceFacts::default() };
        BoxFacts { now_ms: 1_500, devices: vec![device], ..BoxFacts::default() }
    }

    #[test]
    fn the_clock_is_judged_without_the_way() {
        let mut boxes = Boxes::default();
        boxes.heard(AgentId(1), facts(10), 1_000, 200_000);
        assert_eq!(boxes.known[&AgentId(1)].clock_ms, 600);
    }

    #[test]
    fn the_newest_use_is_shown_and_history_has_its_own_pace() {
        let mut boxes = Boxes::default();
        boxes.heard(AgentId(1), facts(10), 0, 0);
        boxes.heard(AgentId(1), facts(900), 0, 0);
        assert_eq!(boxes.load(AgentId(1), DeviceId(0)).encode, Some(900));
        assert_eq!(boxes.known[&AgentId(1)].history[&DeviceId(0)].0, [10]);
        assert_eq!(boxes.load(AgentId(2), DeviceId(0)), DeviceUse::default());
    }
}
