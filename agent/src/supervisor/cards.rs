//! The cards among the devices that are offered: how many encodes at once each is given, and why.
//!
//! A card whose encoders have not passed a trial is offered with no codec and no slot: it is seen, with the reason, and
//! gets no work. What was learned is kept in the [`Register`]. Knows nothing of attempts but what they make of a card.

use std::collections::BTreeMap;

use vc_protocol::device::{Device, DeviceKind, EncoderFacts, GpuFacts, SLOTS_MAX};
use vc_protocol::id::DeviceId;

use super::growth::{Growth, Tick, share};
use super::slots::Slots;
use crate::device::Card;
use crate::encoder::Route;
use crate::ffmpeg::NO_SESSION;
use crate::proved::Proved;
use crate::register::Register;

/// The cards of this box.
#[derive(Debug)]
pub(super) struct Cards {
    register: Register,
    /// Set by hand, for every card.
    fixed: Option<u16>,
    cards: BTreeMap<DeviceId, Kept>,
    /// Sessions of NVIDIA's encoder that the box has, once one was refused.
    sessions: Option<u16>,
}

#[derive(Debug)]
struct Kept {
    card: Card,
    growth: Growth,
}

impl Cards {
    pub(super) fn new(register: Register, fixed: Option<u16>) -> Cards {
        Cards {
            register,
            fixed: fixed.map(|slots| slots.min(SLOTS_MAX)),
            cards: BTreeMap::new(),
            sessions: None,
        }
    }

    /// Takes these in, and says which numbers they have. Nothing is known of their encoders yet.
    pub(super) fn add(&mut self, cards: Vec<Card>, slots: &mut Slots) -> Vec<(DeviceId, Card)> {
        let keys: Vec<_> = cards.iter().map(|card| (card.key.as_str(), card.facts.driver.as_str())).collect();
        let numbers = self.register.number(&keys);
        let mut added = Vec::with_capacity(cards.len());
        for ((id, learned), card) in numbers.into_iter().zip(cards) {
            if card.is_nvidia() && self.fixed.is_none() && self.sessions.is_none() {
                self.sessions = self.register.nvidia_sessions(&card.facts.driver);
            }
            let (kind, name) = (DeviceKind::Gpu, card.gpu.name.clone());
            slots.add(Device { id, kind, name, slots: 0, codecs: Vec::new() });
            let growth = Growth::new(learned, self.fixed);
            added.push((id, card.clone()));
            self.cards.insert(id, Kept { card, growth });
        }
        added
    }

    /// The card of that number.
    pub(super) fn card(&self, id: DeviceId) -> Option<&Card> {
        self.cards.get(&id).map(|kept| &kept.card)
    }

    pub(super) fn gpu_facts(&self, id: DeviceId) -> Option<GpuFacts> {
        self.cards.get(&id).map(|kept| kept.card.facts.clone())
    }

    /// Brings what is offered into line with what was proved and learned.
    pub(super) fn refresh(&self, proved: &Proved, slots: &mut Slots) {
        let ids: Vec<_> = slots.devices().iter().map(|device| (device.id, device.slots)).collect();
        let codecs: BTreeMap<_, _> = ids.iter().map(|(id, _)| (*id, proved.codecs(*id))).collect();
        let granted = self.granted(|id| codecs.get(&id).is_some_and(|codecs| !codecs.is_empty()));
        for (id, before) in ids {
            let codecs = codecs.get(&id).cloned().unwrap_or_default();
            slots.set(id, granted.get(&id).copied().unwrap_or(before), codecs);
        }
    }

    /// Slots of each card: what it wants, within what all NVIDIA cards may have together, and none without an encoder.
    fn granted(&self, is_usable: impl Fn(DeviceId) -> bool) -> BTreeMap<DeviceId, u16> {
        let wants =
            |(id, kept): (&DeviceId, &Kept)| (*id, if is_usable(*id) { kept.growth.slots() } else { 0 });
        let mut granted: BTreeMap<_, _> = self.cards.iter().map(wants).collect();
        if let Some(sessions) = self.sessions {
            let nvidia: Vec<_> =
                self.cards.iter().filter(|(_, k)| k.card.is_nvidia()).map(|(id, _)| *id).collect();
            let wanted: Vec<_> = nvidia.iter().map(|id| granted[id]).collect();
            granted.extend(nvidia.into_iter().zip(share(sessions, &wanted)));
        }
        granted
    }

    /// Takes in what each card did since the last time; whether any has other slots.
    pub(super) fn tick(&mut self, slots: &Slots, did: impl Fn(DeviceId) -> Tick) -> bool {
        let mut changed = false;
        for device in slots.devices() {
            let Some(kept) = self.cards.get_mut(&device.id) else { continue };
            // A card without work for it has nothing to learn from; asking costs nothing.
            if device.slots > 0 && kept.growth.tick(did(device.id), device.slots) {
                tracing::info!(device = %device.id, slots = kept.growth.slots(), why = kept.growth.note(), "slots");
                self.register.learn(device.id, kept.growth.learned());
                changed = true;
            }
        }
        changed
    }

    /// A card refused one more encode; `running` counts the encodes of a card, that one not included.
    pub(super) fn refused(
        &mut self,
        id: DeviceId,
        route: Route,
        cause: &str,
        running: impl Fn(DeviceId) -> u16,
    ) {
        let Some(kept) = self.cards.get_mut(&id) else { return };
        if route == Route::Nvenc && self.fixed.is_none() && cause.contains(NO_SESSION) {
            // The driver counts the sessions of the whole box, whichever card they are on.
            let nvidia = self.cards.iter().filter(|(_, kept)| kept.card.is_nvidia());
            let sessions = nvidia.map(|(id, _)| running(*id)).sum::<u16>().max(1);
            self.sessions = Some(sessions);
            tracing::warn!(device = %id, sessions, "the NVIDIA driver gives out no more encoder sessions: {cause}");
            if let Some(kept) = self.cards.get(&id) {
                self.register.learn_nvidia_sessions(&kept.card.facts.driver, sessions);
            }
        } else {
            kept.growth.refused(running(id), cause);
            tracing::warn!(device = %id, slots = kept.growth.slots(), "the card takes no more encodes: {cause}");
            self.register.learn(id, kept.growth.learned());
        }
    }

    /// Why a device has as many slots as it has.
    pub(super) fn note(&self, device: &Device, encoders: &[EncoderFacts], is_tried: bool) -> String {
        let Some(Kept { card, growth }) = self.cards.get(&device.id) else { return String::new() };
        if device.codecs.iter().all(|codec| !codec.is_encoded()) {
            // What was really tried tells more than what the card cannot do anyway.
            let failed = || encoders.iter().filter(|encoder| !encoder.problem.is_empty());
            return match failed().find(|encoder| !encoder.trials.is_empty()).or_else(|| failed().next()) {
                _ if is_tried => "its encoders are being tried".to_owned(),
                Some(first) => format!("no encoder of it works: {} {}", first.name, first.problem),
                None if encoders.is_empty() => "this ffmpeg has no encoder for it".to_owned(),
                None => "no encoder of it was tried".to_owned(),
            };
        }
        match self.sessions {
            Some(sessions) if card.is_nvidia() && device.slots < growth.slots() => {
                format!("the NVIDIA driver gives out {sessions} encoder sessions on this box")
            }
            Some(_) | None => growth.note().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use vc_protocol::profile::VideoCodec;

    use super::*;
    use crate::device::Gpu;

    fn card(key: &str, nvidia: bool) -> Card {
        let gpu = Gpu {
            pci: key.parse().ok(),
            name: "NVIDIA L4".into(),
            vulkan: vec![0],
            render_node: None,
            nvidia: nvidia.then(|| format!("GPU-{key}")),
            encodes: Vec::new(),
            is_software: false,
        };
        Card { key: key.into(), gpu, facts: GpuFacts { driver: "NVIDIA 570".into(), ..GpuFacts::default() } }
    }

    fn granted(cards: &Cards) -> Vec<u16> {
        cards.granted(|_| true).into_values().collect()
    }

    #[test]
    fn a_refused_session_limits_all_nvidia_cards_together_and_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let register = || Register::open(dir.path().join("devices.json"));
        let all =
            || vec![card("0000:01:00.0", true), card("0000:02:00.0", true), card("0000:03:00.0", false)];
        let mut cards = Cards::new(register(), None);
        let mut slots = Slots::new(vec![]);
        let ids: Vec<_> = cards.add(all(), &mut slots).into_iter().map(|(id, _)| id.0).collect();
        assert_eq!((ids, granted(&cards)), (vec![1, 2, 3], vec![1, 1, 1]));
        let running = |id| u16::from(id == DeviceId(1));
        cards.refused(DeviceId(2), Route::Vulkan, "out of memory", running);
        assert_eq!(granted(&cards), [1, 1, 1], "the last one of a card stays");
        cards.refused(DeviceId(2), Route::Nvenc, "no encoder session is free", running);
        assert_eq!(granted(&cards), [1, 0, 1]);
        let other = Device { id: DeviceId(2), ..slots.devices()[1].clone() };
        let other = Device { codecs: vec![VideoCodec::Hevc], ..other };
        assert!(cards.note(&other, &[], false).contains("1 encoder sessions"), "{cards:?}");

        let mut again = Cards::new(register(), None);
        again.add(all(), &mut Slots::new(vec![]));
        assert_eq!(granted(&again), [1, 0, 1]);
        let mut by_hand = Cards::new(register(), Some(4));
        by_hand.add(all(), &mut Slots::new(vec![]));
        assert_eq!(granted(&by_hand), [4, 4, 4]);
    }

    #[test]
    fn a_card_without_a_proved_encoder_is_seen_with_the_reason_and_gets_no_work() {
        let dir = tempfile::tempdir().unwrap();
        let mut cards = Cards::new(Register::open(dir.path().join("devices.json")), None);
        let mut slots = Slots::new(vec![]);
        cards.add(vec![card("0000:01:00.0", false)], &mut slots);
        let proved = Proved::new(BTreeSet::new(), []);
        cards.refresh(&proved, &mut slots);
        let device = slots.devices()[0].clone();
        assert_eq!((device.slots, device.codecs.len(), device.kind), (0, 0, DeviceKind::Gpu));
        let failed =
            EncoderFacts { name: "h264_vulkan".into(), problem: "no video".into(), ..Default::default() };
        for (encoders, is_tried, expected) in [
            (vec![], false, "this ffmpeg has no encoder for it"),
            (vec![failed.clone()], true, "its encoders are being tried"),
            (vec![failed], false, "no encoder of it works: h264_vulkan no video"),
        ] {
            assert_eq!(cards.note(&device, &encoders, is_tried), expected);
        }
    }
}
