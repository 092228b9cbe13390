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
    let slots = slots.unwrap_or_else(|| default_slots(cores)).min(SLOTS_MAX);
    let unit = if cores == 1 { "core" } else { "cores" };
    Device { id: DeviceId(0), kind: DeviceKind::Cpu, name: format!("CPU, {cores} {unit}"), slots, codecs }
}

/// The slots of every device.
#[derive(Debug)]
pub(crate) struct Slots {
    devices: Vec<Device>,
    queues: BTreeMap<DeviceId, Queue>,
}

/// The queue for the slots of one device.
#[derive(Debug)]
struct Queue {
    slots: Arc<Semaphore>,
    /// Slots that were made, those taken away included.
    made: u16,
    /// Slots that were taken away: places in the queue that nobody gives up, so that what runs ends in its own time, and
    /// what waits before them still runs.
    away: Vec<Place>,
}

impl Queue {
    fn new(slots: u16) -> Queue {
        Queue { slots: Arc::new(Semaphore::new(usize::from(slots))), made: slots, away: Vec::new() }
    }

    fn open(&self) -> u16 {
        self.made.saturating_sub(self.away.len() as u16)
    }

    fn set(&mut self, slots: u16) {
        while self.open() > slots {
            self.away.push(Place::take(&self.slots));
        }
        while self.open() < slots && self.away.pop().is_some() {}
        let more = slots.saturating_sub(self.open());
        self.slots.add_permits(usize::from(more));
        self.made += more;
    }
}

impl Slots {
    pub(crate) fn new(devices: Vec<Device>) -> Self {
        let queues = devices.iter().map(|d| (d.id, Queue::new(d.slots))).collect();
        Slots { devices, queues }
    }

    pub(crate) fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// One device more.
    pub(crate) fn add(&mut self, device: Device) {
        self.queues.insert(device.id, Queue::new(device.slots));
        self.devices.push(device);
    }

    /// A device makes these codecs, so many at once.
    pub(crate) fn set(&mut self, id: DeviceId, slots: u16, codecs: Vec<VideoCodec>) {
        let slots = slots.min(SLOTS_MAX);
        let Some(device) = self.devices.iter_mut().find(|device| device.id == id) else { return };
        device.codecs = codecs;
        device.slots = slots;
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.set(slots);
        }
    }

    /// The last place in the queue for a slot of that device.
    pub(crate) fn place(&self, device: DeviceId) -> Option<Place> {
        self.queues.get(&device).map(|queue| Place::take(&queue.slots))
    }

    /// How many of a device's slots are taken.
    pub(crate) fn taken(&self, device: &Device) -> usize {
        let free = self.queues.get(&device.id).map_or(0, |queue| queue.slots.available_permits());
        usize::from(device.slots).saturating_sub(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slot_is_taken_away_when_what_runs_there_ends_and_comes_back_at_once() {
        let mut slots = Slots::new(vec![cpu_device(Some(2), vec![])]);
        let device = DeviceId(0);
        let [first, second, third] = [(); 3].map(|()| slots.place(device).unwrap());
        let (first, second) = (first.slot().await.unwrap(), second.slot().await.unwrap());
        slots.set(device, 1, vec![VideoCodec::Copy]);
        assert_eq!((slots.devices()[0].slots, slots.taken(&slots.devices()[0])), (1, 1));
        drop(first);
        // It waited before the slot was taken away.
        let third = third.slot().await.unwrap();
        drop(second);
        drop(third);
        let held = slots.place(device).unwrap().slot().await.unwrap();
        assert!(!slots.place(device).unwrap().has_come(), "one is left");
        slots.set(device, 3, vec![]);
        let both = [(); 3].map(|()| slots.place(device).unwrap());
        assert_eq!(both.each_ref().map(Place::has_come), [true, true, false]);
        drop(both);
        drop(held);
        slots.set(device, 0, vec![]);
        assert!(!slots.place(device).unwrap().has_come());
    }

    #[test]
    fn default_slots_follow_the_cores() {
        for (cores, slots) in [(0, 1), (1, 1), (2, 1), (4, 1), (8, 2), (16, 4), (32, 8), (256, 8)] {
            assert_eq!(default_slots(cores), slots, "{cores} cores");
        }
    }
}
