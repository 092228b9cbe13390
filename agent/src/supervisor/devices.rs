//! What the supervisor does about its devices: takes cards in, has encoders tried, opens and closes slots, and tells the
//! console of all that.

use std::time::Duration;

use tokio::time::timeout;
use vc_protocol::agent::{FromAgent, Report};
use vc_protocol::device::{DEVICES_MAX, EncoderFacts};
use vc_protocol::id::DeviceId;
use vc_protocol::progress::Phase;

use super::growth::Tick;
use super::trials::{taken_in, verdict};
use super::work::Work;
use super::{Line, Supervisor};
use crate::device::Card;
use crate::session::state::Input;
use crate::task;

/// Longest that all trials of a device may take. They bound themselves by less; this is for what they wait for.
const TRIALS_MAX: Duration = Duration::from_secs(120);
/// What is said of a device whose trials took longer.
const UNFINISHED: &str = "its trials do not end";
/// The processor, which every box has.
const PROCESSOR: DeviceId = DeviceId(0);

impl<W: Work> Supervisor<W> {
    /// Takes in what the processor's encoders showed earlier; else has them tried, while there is nothing else to do.
    pub(crate) fn add_processor(&mut self, tries_it: bool) {
        match self.work.kept_trials(None) {
            Some(kept) => self.work.proved().tried(PROCESSOR, kept),
            None if tries_it => self.own.trials.want(PROCESSOR),
            None => {}
        }
        self.own.refresh();
    }

    /// Cards are still looked for: they are tried before the processor is.
    pub(crate) fn expect_cards(&mut self) {
        self.is_looking = true;
    }

    /// Those whose trials of an earlier start still hold are offered at once, the others when they have been tried.
    pub(crate) fn on_cards(&mut self, cards: Vec<Card>) {
        self.is_looking = false;
        // What a console accepts, the processor included.
        let cards = cards.into_iter().take(DEVICES_MAX - 1).collect();
        for (id, card) in self.own.add(cards) {
            match self.work.kept_trials(Some(&card)) {
                Some(kept) => self.work.proved().tried(id, kept),
                None => self.try_encoders(id, false),
            }
            let gpu = &card.gpu;
            tracing::info!(device = %id, name = gpu.name, pci = card.facts.pci, driver = card.facts.driver, "GPU found");
        }
        self.holdings.set_devices(self.own.devices().iter().map(|d| d.id).collect());
        self.tell_devices();
    }

    pub(super) fn line_ended(&mut self, report: &Report) {
        let Some(line) = self.lines.remove(&report.attempt) else { return };
        let last = line.last();
        let lines = &self.lines;
        let running = |device| lines.values().filter(|line| line.works_on(device)).count() as u16;
        if self.own.ended(line.device, report, &last, running) {
            self.tell_devices();
        }
    }

    /// Says what is held, and how busy the box is as long as anything runs: an idle farm is silent but for this.
    pub(super) fn beat(&mut self) {
        self.on(Input::Beat);
        let lines = &self.lines;
        let did = |device| {
            let own = || lines.values().filter(|line| line.works_on(device)).map(Line::last);
            let encoding = own().filter(|progress| progress.phase == Phase::Encoding);
            Tick { busy: own().count() as u16, fps: encoding.map(|progress| progress.fps).sum() }
        };
        if self.own.tick(did) {
            self.tell_devices();
        }
        if self.lines.is_empty()
            && !self.is_looking
            && let Some(device) = self.own.trials.next()
        {
            self.try_encoders(device, false);
        }
        if self.own.is_news(!self.lines.is_empty()) {
            self.tell_facts();
        }
    }

    pub(super) fn tell_facts(&mut self) {
        if self.outbox.is_some() {
            let facts = self.own.read();
            self.send(FromAgent::Facts(Box::new(facts)));
        }
    }

    /// Brings what is offered into line with what was proved and learned, and tells the console what it was told
    /// otherwise. What changes while nobody listens is in the next hello.
    pub(super) fn tell_devices(&mut self) {
        self.own.refresh();
        if self.outbox.is_some()
            && let Some(devices) = self.own.news()
        {
            self.send(FromAgent::Devices(devices));
        }
    }

    /// Its end comes back, with the verdict on the device.
    pub(super) fn try_encoders(&mut self, device: DeviceId, is_asked: bool) {
        let inputs = self.inputs.0.clone();
        let Some(stop) = self.own.trials.begin(device, is_asked) else { return };
        let (work, card) = (self.work.clone(), self.own.card(device).cloned());
        let is_ours = self.own.has(device);
        let tried = task::spawn("try encoders", async move {
            if !is_ours {
                return Some(verdict(&[], &[]));
            }
            let before = work.proved().facts(device);
            let after = timeout(TRIALS_MAX, work.clone().try_encoders(card, stop.clone())).await;
            if stop.reason().is_some() {
                // What was stopped proves nothing.
                return None;
            }
            match after {
                Ok(after) => {
                    let after = taken_in(&before, after);
                    let verdict = verdict(&before, &after);
                    // Nothing at all was tried where there was no place for its files.
                    if !after.is_empty() {
                        work.proved().tried(device, after);
                    }
                    Some(verdict)
                }
                // A box with too much to do says nothing against its processor.
                Err(_) if device == PROCESSOR => Some(Err(UNFINISHED.to_owned())),
                Err(_) => {
                    work.proved().tried(device, unfinished(&before));
                    Some(Err(UNFINISHED.to_owned()))
                }
            }
        });
        task::spawn("trial end", async move {
            let verdict = tried.await.unwrap_or_else(|error| {
                tracing::error!(%device, "internal error: {error}");
                Some(Err("internal error in the agent; its log has the details".to_owned()))
            });
            // As above: without a supervisor nobody waits for it.
            let _ = inputs.send(Input::Tried(device, verdict)).await;
        });
    }
}

/// What is known of encoders whose trials did not end.
fn unfinished(before: &[EncoderFacts]) -> Vec<EncoderFacts> {
    let facts = |facts: &EncoderFacts| EncoderFacts {
        name: facts.name.clone(),
        problem: UNFINISHED.to_owned(),
        ..EncoderFacts::default()
    };
    before.iter().map(facts).collect()
}
