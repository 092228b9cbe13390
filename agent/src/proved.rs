//! What the devices of this box have proved, and which encoders an attempt may therefore use.
//!
//! Shared by the attempts, the trials and what is told of the box. An encoder of the processor is offered until a trial
//! of it fails, since every output is verified anyway; one of a card only after a trial of it passed, at the depth and in
//! the way of asking for quality that the job wants. What fails at work though its trial passed is passed over after the
//! second time in a row, until its next trial.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vc_protocol::agent::PassedOver;
use vc_protocol::device::{EncoderFacts, RateMode};
use vc_protocol::id::DeviceId;
use vc_protocol::profile::VideoCodec;

use crate::device::Gpu;
use crate::encoder::{self, Candidate, Chroma, Encoder};
use crate::trial::NO_TURN;

/// Failures in a row at work after which an encoder is passed over: one may be the source's fault.
const FAILURES_MAX: u32 = 2;

/// What an attempt wants of an encoder.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// What it is to make.
    pub codec: VideoCodec,
    /// Bits of a sample.
    pub bits: u8,
    /// How it is told how good to be.
    pub rate: RateMode,
    /// The profile's own order: names of encoders or words of routes; every one if empty.
    pub order: &'a [String],
}

/// Which encoders an attempt may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The preferred first; empty if none can.
    pub candidates: Vec<Candidate>,
    /// Those that come before the first candidate and cannot, with the reason.
    pub passed_over: Vec<PassedOver>,
}

/// What is known of a device.
#[derive(Debug, Default)]
struct Known {
    gpu: Option<Gpu>,
    tried: Vec<EncoderFacts>,
    /// Failures at work in a row, with the cause of the last, by the encoder's name.
    failed: BTreeMap<&'static str, (u32, String)>,
}

/// The devices of this box and their trials.
#[derive(Debug)]
pub struct Proved {
    /// Names of the encoders that ffmpeg was built with.
    listed: BTreeSet<String>,
    devices: Mutex<BTreeMap<DeviceId, Known>>,
}

impl Proved {
    /// These devices, none of them tried. The processor has no card.
    pub fn new(listed: BTreeSet<String>, devices: impl IntoIterator<Item = (DeviceId, Option<Gpu>)>) -> Self {
        let known = |(id, gpu)| (id, Known { gpu, ..Known::default() });
        Proved { listed, devices: Mutex::new(devices.into_iter().map(known).collect()) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Known>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A card was found, none of whose encoders was tried.
    pub fn add(&self, device: DeviceId, gpu: Gpu) {
        self.lock().insert(device, Known { gpu: Some(gpu), ..Known::default() });
    }

    /// The encoders of a device were tried.
    pub fn tried(&self, device: DeviceId, encoders: Vec<EncoderFacts>) {
        if let Some(known) = self.lock().get_mut(&device) {
            known.tried = encoders;
            known.failed.clear();
        }
    }

    /// A candidate for this device could not do its work, though its trial passed, and another one could.
    pub fn failed(&self, device: DeviceId, with: &Candidate, cause: &str) {
        let mut devices = self.lock();
        // That the path on the card fails says nothing of the encoder, which follows without it.
        let known = owner(&mut devices, device, with).filter(|_| !with.is_on_device);
        if let Some(known) = known {
            let (times, last) = known.failed.entry(with.encoder.name).or_default();
            *times = times.saturating_add(1);
            cause.clone_into(last);
        }
    }

    /// A candidate for this device did its work.
    pub fn worked(&self, device: DeviceId, with: &Candidate) {
        if let Some(known) = owner(&mut self.lock(), device, with) {
            known.failed.remove(with.encoder.name);
        }
    }

    /// The encoders of a device, the preferred first, with their trials; behind them the paths on the card.
    pub fn facts(&self, device: DeviceId) -> Vec<EncoderFacts> {
        let devices = self.lock();
        let Some(known) = devices.get(&device) else { return Vec::new() };
        let rows = self.rows(known);
        let of_row = |encoder: &&'static Encoder| {
            let mut facts = known.facts(encoder.name).cloned().unwrap_or_default();
            encoder.name.clone_into(&mut facts.name);
            if let Some(cause) = known.failing(encoder) {
                facts.problem = cause;
            }
            facts
        };
        let is_path = |facts: &&EncoderFacts| rows.iter().all(|row| row.name != facts.name);
        let paths = known.tried.iter().filter(is_path);
        rows.iter().map(of_row).chain(paths.cloned()).collect()
    }

    /// What a device may be given: codecs that one of its encoders makes; the processor also copies and drops.
    pub fn codecs(&self, device: DeviceId) -> Vec<VideoCodec> {
        let devices = self.lock();
        let Some(known) = devices.get(&device) else { return Vec::new() };
        let makes = |codec: &VideoCodec| {
            if !codec.is_encoded() {
                return known.gpu.is_none();
            }
            self.rows(known).iter().any(|encoder| encoder.codec == *codec && known.can(encoder))
        };
        VideoCodec::ALL.into_iter().filter(makes).collect()
    }

    /// Which encoders an attempt on this device may use: the device's own, then the processor's.
    pub fn choose(&self, device: DeviceId, want: Want<'_>) -> Choice {
        let devices = self.lock();
        let cpu = devices.values().find(|known| known.gpu.is_none());
        let own = devices.get(&device).filter(|known| known.gpu.is_some());
        let known = own.into_iter().chain(cpu);
        let rows = known.flat_map(|known| self.rows(known).into_iter().map(move |encoder| (known, encoder)));
        let mut rows: Vec<_> = rows.filter(|(_, encoder)| encoder.codec == want.codec).collect();
        // An order is a preference: where nothing of it works, another encoder is better than a job that fails.
        rows.sort_by_key(|(_, encoder)| want.place(encoder).unwrap_or(usize::MAX));

        let mut choice = Choice { candidates: Vec::new(), passed_over: Vec::new() };
        for (known, encoder) in rows {
            let over = |cause| PassedOver { encoder: encoder.name.to_owned(), cause };
            match known.refusal(encoder, want) {
                Some(cause) if choice.candidates.is_empty() => choice.passed_over.push(over(cause)),
                Some(_) => {}
                None => {
                    let gpu = known.gpu.clone();
                    choice.candidates.push(Candidate { encoder, gpu, is_on_device: false });
                }
            }
        }
        choice
    }

    /// The same choice, with the pictures of a source in this codec kept on the card from decoding to encoding where that
    /// path passed its trial; each such candidate is followed by the same encoder without. Not for sources deeper than 8
    /// bit, pictures that are turned, and filters in memory: nothing of that is tried.
    #[must_use]
    pub fn on_device(&self, device: DeviceId, choice: Choice, source: &str) -> Choice {
        let devices = self.lock();
        let known = devices.get(&device);
        let is_proved = |candidate: &Candidate| {
            let name = candidate.gpu.as_ref().and_then(|_| candidate.encoder.route.onboard_name(source));
            let facts = name.and_then(|name| known.and_then(|known| known.facts(&name)));
            facts.is_some_and(|facts| facts.fps.is_some())
        };
        let both = |candidate: Candidate| {
            let onboard =
                is_proved(&candidate).then(|| Candidate { is_on_device: true, ..candidate.clone() });
            onboard.into_iter().chain([candidate])
        };
        let candidates = choice.candidates.into_iter().flat_map(both).collect();
        Choice { candidates, ..choice }
    }

    /// Rows of the table that this device could run with this ffmpeg.
    fn rows(&self, known: &Known) -> Vec<&'static Encoder> {
        encoder::rows(known.gpu.as_ref(), &self.listed)
    }
}

/// Whose encoder a candidate is: the processor's for every device.
fn owner<'d>(
    devices: &'d mut BTreeMap<DeviceId, Known>,
    device: DeviceId,
    with: &Candidate,
) -> Option<&'d mut Known> {
    match with.gpu {
        Some(_) => devices.get_mut(&device),
        None => devices.values_mut().find(|known| known.gpu.is_none()),
    }
}

impl Want<'_> {
    /// Which of the profile's words means an encoder, counted from 1; 0 for any if it has none, none if it is left out.
    /// Those without a place come first.
    fn place(&self, encoder: &Encoder) -> Option<usize> {
        let is_meant =
            |word: &String| encoder.name.eq_ignore_ascii_case(word) || encoder.route.is_meant(word);
        match self.order {
            [] => Some(0),
            order => order.iter().position(is_meant).map(|place| place + 1),
        }
    }
}

impl Known {
    fn facts(&self, name: &str) -> Option<&EncoderFacts> {
        self.tried.iter().find(|facts| facts.name == name)
    }

    /// That it fails at work.
    fn failing(&self, encoder: &Encoder) -> Option<String> {
        let (times, cause) = self.failed.get(encoder.name)?;
        (*times >= FAILURES_MAX).then(|| format!("failed its last {times} jobs: {cause}"))
    }

    /// Whether there is anything that it can be used for.
    fn can(&self, encoder: &Encoder) -> bool {
        let facts = self.facts(encoder.name);
        let has_failed =
            facts.is_some_and(|facts| !facts.problem.is_empty()) || self.failing(encoder).is_some();
        let has_passed = facts.is_some_and(|facts| facts.fps.is_some());
        !has_failed && (has_passed || self.gpu.is_none())
    }

    /// Why this encoder is not used for that.
    fn refusal(&self, encoder: &Encoder, want: Want<'_>) -> Option<String> {
        let takes = encoder.format(want.bits, Chroma::Quarter).bits;
        if want.rate == RateMode::Bitrate && encoder.bitrate.is_empty() {
            return Some("cannot be given a bitrate".to_owned());
        }
        if encoder.is_lossless() && takes < want.bits {
            return Some(format!("would lose something: it takes {takes} bit at most"));
        }
        if let Some(cause) = self.failing(encoder) {
            return Some(cause);
        }
        let is_card = self.gpu.is_some();
        let Some(facts) = self.facts(encoder.name) else {
            return is_card.then(|| "not tried yet".to_owned());
        };
        if !facts.problem.is_empty() {
            return Some(format!("failed its trial: {}", facts.problem));
        }
        let what = format!("at {takes} bit by {}", want.rate.word());
        match facts.trials.iter().find(|trial| (trial.bits, trial.rate) == (takes, want.rate)) {
            Some(trial) if trial.problem.is_empty() => None,
            Some(trial) if trial.problem == NO_TURN => is_card.then(|| format!("its trial {what} {NO_TURN}")),
            Some(trial) => Some(format!("failed its trial {what}: {}", trial.problem)),
            None => is_card.then(|| format!("not proved {what}")),
        }
    }
}

#[cfg(test)]
mod tests;
