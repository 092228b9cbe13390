//! What the devices of this box have proved, and which encoders an attempt may therefore use.
//!
//! Shared by the attempts, the trials and what is told of the box. An encoder of the processor is offered until a trial
//! of it fails, since every output is verified anyway; one of a card only after a trial of it passed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vc_protocol::agent::PassedOver;
use vc_protocol::device::{EncoderFacts, RateMode};
use vc_protocol::id::DeviceId;
use vc_protocol::profile::VideoCodec;

use crate::device::Gpu;
use crate::encoder::{Candidate, ENCODERS, Encoder, Route};

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
        let known = |(id, gpu)| (id, Known { gpu, tried: Vec::new() });
        Proved { listed, devices: Mutex::new(devices.into_iter().map(known).collect()) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Known>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A card was found, none of whose encoders was tried.
    pub fn add(&self, device: DeviceId, gpu: Gpu) {
        self.lock().insert(device, Known { gpu: Some(gpu), tried: Vec::new() });
    }

    /// The encoders of a device were tried.
    pub fn tried(&self, device: DeviceId, encoders: Vec<EncoderFacts>) {
        if let Some(known) = self.lock().get_mut(&device) {
            known.tried = encoders;
        }
    }

    /// The encoders of a device, the preferred first, with their trials.
    pub fn facts(&self, device: DeviceId) -> Vec<EncoderFacts> {
        let devices = self.lock();
        let Some(known) = devices.get(&device) else { return Vec::new() };
        let facts = |encoder: &Encoder| {
            let tried = known.tried.iter().find(|facts| facts.name == encoder.name);
            let untried = || EncoderFacts { name: encoder.name.to_owned(), ..EncoderFacts::default() };
            tried.cloned().unwrap_or_else(untried)
        };
        self.rows(known).map(facts).collect()
    }

    /// What a device may be given: codecs that one of its encoders makes; the processor also copies and drops.
    pub fn codecs(&self, device: DeviceId) -> Vec<VideoCodec> {
        let devices = self.lock();
        let Some(known) = devices.get(&device) else { return Vec::new() };
        let makes = |codec: &VideoCodec| {
            if !codec.is_encoded() {
                return known.gpu.is_none();
            }
            self.rows(known).any(|encoder| encoder.codec == *codec && refusal(known, encoder).is_none())
        };
        VideoCodec::ALL.into_iter().filter(makes).collect()
    }

    /// Which encoders an attempt on this device may use: the device's own, then the processor's.
    pub fn choose(&self, device: DeviceId, want: Want<'_>) -> Choice {
        let devices = self.lock();
        let mut choice = Choice { candidates: Vec::new(), passed_over: Vec::new() };
        let cpu = devices.values().find(|known| known.gpu.is_none());
        let own = devices.get(&device).filter(|known| known.gpu.is_some());
        for known in own.into_iter().chain(cpu) {
            for encoder in self.rows(known).filter(|encoder| encoder.codec == want.codec) {
                match refusal(known, encoder) {
                    Some(cause) if choice.candidates.is_empty() => {
                        choice.passed_over.push(PassedOver { encoder: encoder.name.to_owned(), cause });
                    }
                    Some(_) => {}
                    None => choice.candidates.push(Candidate {
                        encoder,
                        gpu: known.gpu.clone(),
                        is_on_device: false,
                    }),
                }
            }
        }
        choice
    }

    /// Rows of the table that this device could run with this ffmpeg.
    fn rows(&self, known: &Known) -> impl Iterator<Item = &'static Encoder> {
        let is_cpu = known.gpu.is_none();
        ENCODERS.iter().filter(move |e| (e.route == Route::Cpu) == is_cpu && self.listed.contains(e.name))
    }
}

/// Why this encoder is not used on that device.
fn refusal(known: &Known, encoder: &Encoder) -> Option<String> {
    match known.tried.iter().find(|facts| facts.name == encoder.name) {
        Some(facts) if !facts.problem.is_empty() => Some(format!("failed its trial: {}", facts.problem)),
        None if known.gpu.is_some() => Some("not tried yet".to_owned()),
        Some(_) | None => None,
    }
}
