//! What this box offers and is like: its devices with their slots and what was proved of them, the trials that run, and
//! how busy it is.

use std::sync::Arc;

use vc_protocol::agent::{Outcome, Report};
use vc_protocol::device::{BoxFacts, Device, DeviceFacts, DeviceKind};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::DeviceId;
use vc_protocol::progress::Progress;

use super::cards::Cards;
use super::growth::Tick;
use super::slots::Slots;
use super::trials::Trials;
use crate::device::Card;
use crate::encoder::{ENCODERS, Route};
use crate::proved::Proved;
use crate::register::Register;
use crate::sample::{Gauges, Roots, Sampler};
use crate::state_dir::StateDir;
use crate::status::DeviceStatus;

/// What is known of the box.
pub(crate) struct BoxView {
    pub(super) slots: Slots,
    pub(super) trials: Trials,
    cards: Cards,
    proved: Arc<Proved>,
    sampler: Sampler,
    gauges: Gauges,
    /// What the console was told that this box offers.
    told: Vec<Device>,
    was_busy: bool,
}

impl BoxView {
    /// With the processor alone; `card_slots` are the slots of each card, if they were set by hand.
    pub(crate) fn new(
        dir: &StateDir,
        processor: Device,
        card_slots: Option<u16>,
        proved: Arc<Proved>,
    ) -> Self {
        BoxView {
            slots: Slots::new(vec![processor]),
            trials: Trials::default(),
            cards: Cards::new(Register::open(dir.devices()), card_slots),
            proved,
            sampler: Sampler::default(),
            gauges: Gauges::new(Roots::new(dir.children())),
            told: Vec::new(),
            was_busy: false,
        }
    }

    /// Cards were found; they come back with their numbers.
    pub(super) fn add(&mut self, cards: Vec<Card>) -> Vec<(DeviceId, Card)> {
        let added = self.cards.add(cards, &mut self.slots);
        for (id, card) in &added {
            self.proved.add(*id, card.gpu.clone());
        }
        self.gauges.watch(added.iter().map(|(id, card)| (*id, card)));
        added
    }

    pub(super) fn devices(&self) -> &[Device] {
        self.slots.devices()
    }

    pub(super) fn has(&self, device: DeviceId) -> bool {
        self.devices().iter().any(|known| known.id == device)
    }

    pub(super) fn card(&self, device: DeviceId) -> Option<&Card> {
        self.cards.card(device)
    }

    /// Brings what is offered into line with what was proved and learned.
    pub(super) fn refresh(&mut self) {
        self.cards.refresh(&self.proved, &mut self.slots);
    }

    /// What is offered, if that is other than the console was told.
    pub(super) fn news(&mut self) -> Option<Vec<Device>> {
        (self.told != self.slots.devices()).then(|| self.tell())
    }

    /// What the hello tells, which is thereby told.
    pub(super) fn tell(&mut self) -> Vec<Device> {
        self.told = self.slots.devices().to_vec();
        self.told.clone()
    }

    /// The box as it is.
    pub(super) fn read(&mut self) -> BoxFacts {
        self.gauges.ask();
        let (facts, processor) = self.sampler.read();
        let device = |device: &Device| {
            let encoders = self.proved.facts(device.id);
            DeviceFacts {
                id: device.id,
                load: match device.kind {
                    DeviceKind::Cpu => processor,
                    DeviceKind::Gpu => self.gauges.latest(device.id),
                },
                slots_note: self.cards.note(device, &encoders, self.trials.is_running(device.id)),
                gpu: self.cards.gpu_facts(device.id),
                encoders,
            }
        };
        BoxFacts { devices: self.devices().iter().map(device).collect(), ..facts }
    }

    /// While work is held, and once after it.
    pub(super) fn is_news(&mut self, busy: bool) -> bool {
        let was_busy = std::mem::replace(&mut self.was_busy, busy);
        busy || was_busy
    }

    /// Takes in what each device did since the last time; whether any card has other slots.
    pub(super) fn tick(&mut self, did: impl Fn(DeviceId) -> Tick) -> bool {
        self.cards.tick(&self.slots, did)
    }

    /// An attempt on that device ended, having come so far; `running` counts what still runs on a device. Whether its
    /// card has other slots.
    pub(super) fn ended(
        &mut self,
        device: DeviceId,
        report: &Report,
        last: &Progress,
        running: impl Fn(DeviceId) -> u16,
    ) -> bool {
        let Some((route, cause)) = refusal(report, last) else { return false };
        self.cards.refused(device, route, cause, running);
        true
    }

    pub(super) fn status(&self) -> Vec<DeviceStatus> {
        let status = |device: &Device| {
            let encoders = self.proved.facts(device.id);
            DeviceStatus {
                id: device.id,
                name: device.name.clone(),
                slots: device.slots,
                taken: self.slots.taken(device),
                codecs: device.codecs.clone(),
                note: self.cards.note(device, &encoders, self.trials.is_running(device.id)),
            }
        };
        self.devices().iter().map(status).collect()
    }
}

/// Why a card would not take one encode more, and on which way, if that is how an attempt ended: for want of something,
/// before its first frame. A full disk and too many files are no
/// card's fault.
fn refusal<'r>(report: &'r Report, last: &Progress) -> Option<(Route, &'r str)> {
    let Outcome::Failed(failure) = &report.outcome else { return None };
    let row = ENCODERS.iter().find(|row| row.name == report.encoder && row.route != Route::Cpu)?;
    let is_other = ["disk", "open files"].iter().any(|word| failure.cause.contains(word));
    let is_refusal = failure.class == FailureClass::Capacity && last.frames == 0 && !is_other;
    is_refusal.then_some((row.route, failure.cause.as_str()))
}

#[cfg(test)]
mod tests {
    use vc_protocol::failure::Failure;
    use vc_protocol::progress::Phase;

    use super::*;
    use crate::session::state::testing::attempt;

    #[test]
    fn a_refused_session_is_told_from_a_full_disk_and_from_what_the_processor_lacks() {
        let Some(of_card) = ENCODERS.iter().find(|row| row.route != Route::Cpu) else {
            return println!("skipped: the table has no encoder of a card");
        };
        let start = Progress::start(Phase::Encoding);
        for (encoder, class, cause, frames, expected) in [
            (of_card.name, FailureClass::Capacity, "no encoder session is free", 0, true),
            (of_card.name, FailureClass::Capacity, "no encoder session is free", 9, false),
            (of_card.name, FailureClass::Capacity, "no space left on the disk", 0, false),
            (of_card.name, FailureClass::Job, "out of memory", 0, false),
            ("libx264", FailureClass::Capacity, "out of memory", 0, false),
            ("", FailureClass::Capacity, "out of memory", 0, false),
        ] {
            let mut report = Report::blank(attempt(1), Outcome::Failed(Failure::new(class, cause)));
            report.encoder = encoder.into();
            let last = Progress { frames, ..start };
            assert_eq!(refusal(&report, &last).is_some(), expected, "{encoder} {cause} {frames}");
        }
        assert_eq!(refusal(&Report::blank(attempt(1), Outcome::Stopped), &start), None);
    }
}
