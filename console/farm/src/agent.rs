//! An agent as the farm sees it: its session, its devices, what it holds and which folders it has proved.
//!
//! Knows nothing of jobs beyond the numbers of their attempts.

use std::collections::{BTreeMap, BTreeSet};

use vc_protocol::device::{DEVICES_MAX, Device, SLOTS_MAX};
use vc_protocol::id::{AttemptId, DeviceId, RootId, SessionNo};
use vc_protocol::profile::VideoCodec;

use crate::event::Millis;
use crate::ready::LaneKey;
use crate::record::{AgentRecord, DeviceRecord, Lease};
use crate::ward::{Health, Ward};

/// Jobs on a device beyond its slots, for each slot: the next one's source is read while the present one encodes. One
/// is enough to hide that, and each more would sit there while another device might be free for it.
const PREFETCH_PER_SLOT: usize = 1;

/// How long it has been silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quiet {
    Heard,
    /// No new work.
    Suspect,
    /// And what it runs may not be true any more.
    Unsure,
}

/// Whether it has proved that it sees a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootState {
    /// Asked; asked again then.
    Asked {
        again: Millis,
    },
    Proven,
    /// It does not; asked again then.
    Failed {
        reason: String,
        again: Millis,
    },
}

/// What room a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Room {
    /// A free slot: work would start at once.
    Slot,
    /// All slots busy, but the next job may wait there already.
    Spare,
    /// None.
    Full,
}

/// A device and the attempts that fill it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seats {
    /// None if the agent no longer offers it, or has not said so since the console started.
    pub(crate) device: Option<Device>,
    pub(crate) held: BTreeSet<AttemptId>,
    /// How it is listed among the devices with room.
    pub(crate) listed: Option<(Room, usize)>,
    /// A person wants nothing new there.
    pub(crate) drained: bool,
    /// How it does.
    pub(crate) ward: Ward,
    /// When its slots were last lowered, on the wall clock.
    lowered_ms: Option<i64>,
}

impl Seats {
    pub(crate) fn room(&self) -> Room {
        let slots = self.slots();
        if *self.ward.health() == Health::Trial {
            return if self.held.is_empty() && slots > 0 { Room::Slot } else { Room::Full };
        }
        match self.held.len() {
            n if n < slots => Room::Slot,
            n if n < self.places() => Room::Spare,
            _ => Room::Full,
        }
    }

    /// Encodes at once.
    pub(crate) fn slots(&self) -> usize {
        self.device.as_ref().map_or(0, |device| usize::from(device.slots))
    }

    /// Attempts that it may hold, those that wait included.
    pub(crate) fn places(&self) -> usize {
        self.slots() * (1 + PREFETCH_PER_SLOT)
    }

    /// It has fewer slots than it had.
    fn lower(&mut self, wall_ms: i64) {
        self.lowered_ms = Some(wall_ms);
        self.ward.relieve();
    }

    /// Whether this was handed out when it had more slots: that it had not enough for it is known, and mended.
    pub(crate) fn was_lowered_since(&self, lease: Lease) -> bool {
        self.lowered_ms.is_some_and(|lowered_ms| lease.since_ms <= lowered_ms)
    }

    /// Whether it may get new work, if its agent may.
    pub(crate) fn is_open(&self) -> bool {
        !self.drained && self.ward.is_open()
    }

    /// Whether it could make that, open or not.
    pub(crate) fn makes(&self, codec: VideoCodec) -> bool {
        self.device.as_ref().is_some_and(|d| d.slots > 0 && d.codecs.contains(&codec))
    }

    /// Whether it may get work of that codec.
    pub(crate) fn offers(&self, codec: VideoCodec) -> bool {
        self.is_open() && self.makes(codec)
    }

    fn record(&self, id: DeviceId) -> Option<DeviceRecord> {
        let mut record = DeviceRecord { id, drained: self.drained, ..DeviceRecord::default() };
        self.ward.fill(&mut record);
        (record != DeviceRecord { id, ..DeviceRecord::default() }).then_some(record)
    }
}

/// An agent.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) session: Option<SessionNo>,
    /// Highest session ever seen; older ones are not heard.
    pub(crate) newest: Option<SessionNo>,
    /// None until it connected since the console started.
    pub(crate) instance: Option<u64>,
    /// Its last word, on the clock of listening.
    pub(crate) heard: Millis,
    pub(crate) quiet: Quiet,
    /// When the timer of its silence rings, on the monotonic clock.
    pub(crate) armed: Option<Millis>,
    /// It goes down.
    pub(crate) draining: bool,
    /// A person wants nothing new there.
    pub(crate) drained: bool,
    pub(crate) devices: BTreeMap<DeviceId, Seats>,
    /// Of this session.
    pub(crate) roots: BTreeMap<RootId, RootState>,
    /// Lanes that it could serve now.
    pub(crate) able: BTreeSet<LaneKey>,
}

impl Agent {
    pub(crate) fn unheard(listened: Millis) -> Self {
        Agent {
            session: None,
            newest: None,
            instance: None,
            heard: listened,
            quiet: Quiet::Heard,
            armed: None,
            draining: false,
            drained: false,
            devices: BTreeMap::new(),
            roots: BTreeMap::new(),
            able: BTreeSet::new(),
        }
    }

    /// Whether it may get new work at all.
    pub(crate) fn takes_work(&self) -> bool {
        self.session.is_some() && self.quiet == Quiet::Heard && !self.draining && !self.drained
    }

    /// Whether one of its devices could make that, open or not.
    pub(crate) fn makes(&self, codec: VideoCodec) -> bool {
        self.devices.values().any(|seats| seats.makes(codec))
    }

    fn offers(&self, codec: VideoCodec) -> bool {
        self.devices.values().any(|seats| seats.offers(codec))
    }

    fn proved(&self, root: RootId) -> bool {
        self.roots.get(&root) == Some(&RootState::Proven)
    }

    pub(crate) fn can_serve(&self, lane: LaneKey) -> bool {
        self.takes_work()
            && self.offers(lane.codec)
            && self.proved(lane.source_root)
            && self.proved(lane.output_root)
    }

    /// Takes over what it offers now; attempts stay on the device that they are on, offered or not.
    pub(crate) fn offer(&mut self, devices: Vec<Device>, wall_ms: i64) {
        let before = self.offered();
        for seats in self.devices.values_mut() {
            seats.device = None;
        }
        for mut device in devices.into_iter().take(DEVICES_MAX) {
            device.slots = device.slots.min(SLOTS_MAX);
            let seats = self.devices.entry(device.id).or_default();
            if seats.device.is_none() {
                if before.get(&device.id).is_some_and(|known| known.slots > device.slots) {
                    seats.lower(wall_ms);
                }
                seats.device = Some(device);
            }
        }
        self.forget_empty_devices();
    }

    /// What it offers.
    pub(crate) fn offered(&self) -> BTreeMap<DeviceId, Device> {
        self.devices.iter().filter_map(|(id, seats)| Some((*id, seats.device.clone()?))).collect()
    }

    /// Drops devices that are neither offered nor filled, and of which nothing is remembered.
    pub(crate) fn forget_empty_devices(&mut self) {
        self.devices.retain(|id, seats| {
            let is_used = seats.device.is_some() || !seats.held.is_empty() || seats.listed.is_some();
            is_used || seats.ward.alarm.is_some() || seats.record(*id).is_some()
        });
    }

    /// What outlives a restart of the console.
    pub(crate) fn record(&self) -> AgentRecord {
        let devices = self.devices.iter().filter_map(|(id, seats)| seats.record(*id)).collect();
        AgentRecord { drained: self.drained, devices }
    }
}
