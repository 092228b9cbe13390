//! What the agent tells of its box, and the trials that run there.

use std::collections::{BTreeMap, BTreeSet};

use vc_protocol::device::{BoxFacts, Device, EncoderFacts};
use vc_protocol::id::DeviceId;

use crate::process::{StopReason, StopToken, Stopper};
use crate::sample::Sampler;

/// What is known of the box.
pub(super) struct BoxView {
    sampler: Sampler,
    /// Encoders of a device that was not tried since the start.
    untried: Vec<EncoderFacts>,
    tried: BTreeMap<DeviceId, Vec<EncoderFacts>>,
    trying: BTreeSet<DeviceId>,
    stopper: Stopper,
    was_busy: bool,
}

impl BoxView {
    pub(super) fn new(encoders: Vec<EncoderFacts>) -> Self {
        BoxView {
            sampler: Sampler::default(),
            untried: encoders,
            tried: BTreeMap::new(),
            trying: BTreeSet::new(),
            stopper: Stopper::new().0,
            was_busy: false,
        }
    }

    /// The box as it is.
    pub(super) fn read(&mut self, devices: &[Device]) -> BoxFacts {
        let (tried, untried) = (&self.tried, &self.untried);
        self.sampler.read(devices, |id| tried.get(&id).unwrap_or(untried))
    }

    /// While work is held, and once after it.
    pub(super) fn is_news(&mut self, busy: bool) -> bool {
        let was_busy = std::mem::replace(&mut self.was_busy, busy);
        busy || was_busy
    }

    /// The token of a new trial; none while one runs there, whose end answers both.
    pub(super) fn begin_trial(&mut self, device: DeviceId) -> Option<StopToken> {
        self.trying.insert(device).then(|| self.stopper.token())
    }

    pub(super) fn tried(&mut self, device: DeviceId, encoders: &[EncoderFacts]) {
        self.trying.remove(&device);
        if !encoders.is_empty() {
            self.tried.insert(device, encoders.to_vec());
        }
    }

    pub(super) fn stop_trials(&self) {
        self.stopper.stop(StopReason::Shutdown);
    }
}
