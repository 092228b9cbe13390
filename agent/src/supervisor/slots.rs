//! How much runs at once: the devices that this agent offers and the slots of each, first come, first served.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use vc_protocol::device::{Device, DeviceKind, SLOTS_MAX};
use vc_protocol::id::DeviceId;
use vc_protocol::profile::VideoCodec;

use crate::work::Place;

/// Cores that one software encode keeps busy at ordinary sizes: x264 and x265 gain little beyond.
const CORES_PER_SLOT: usize = 4;
/// Most slots taken without being told: more encodes at once cost memory and gain nothing.
const SLOTS_DEFAULT_MAX: usize = 8;

/// Slots of the processor when nothing is said: one for each four cores, one at least, eight at most.
pub(crate) fn default_slots(cores: usize) -> u16 {
    (cores / CORES_PER_SLOT).clamp(1, SLOTS_DEFAULT_MAX) as u16
}

/// The processor as a device.
pub(crate) fn cpu_device(slots: Option<u16>, codecs: Vec<VideoCodec>) -> Device {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let slots = slots.unwrap_or_else(|| default_slots(cores)).clamp(1, SLOTS_MAX);
    let unit = if cores == 1 { "core" } else { "cores" };
    Device { id: DeviceId(0), kind: DeviceKind::Cpu, name: format!("CPU, {cores} {unit}"), slots, codecs }
}

/// The slots of every device.
#[derive(Debug)]
pub(crate) struct Slots {
    devices: Vec<Device>,
    free: BTreeMap<DeviceId, Arc<Semaphore>>,
}

impl Slots {
    pub(crate) fn new(devices: Vec<Device>) -> Self {
        let free = devices.iter().map(|d| (d.id, Arc::new(Semaphore::new(usize::from(d.slots))))).collect();
        Slots { devices, free }
    }

    pub(crate) fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The last place in the queue for a slot of that device.
    pub(crate) fn place(&self, device: DeviceId) -> Option<Place> {
        self.free.get(&device).map(Place::take)
    }

    /// How many of a device's slots are taken.
    pub(crate) fn taken(&self, device: &Device) -> usize {
        let free = self.free.get(&device.id).map_or(0, |slots| slots.available_permits());
        usize::from(device.slots).saturating_sub(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_slots_follow_the_cores() {
        for (cores, slots) in [(0, 1), (1, 1), (2, 1), (4, 1), (8, 2), (16, 4), (32, 8), (256, 8)] {
            assert_eq!(default_slots(cores), slots, "{cores} cores");
        }
    }
}
