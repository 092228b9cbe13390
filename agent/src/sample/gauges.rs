//! The use of the cards, read by a thread of its own: a driver that hangs holds that thread, and nobody else.
//!
//! It reads when it is asked to, at most once a second; what it read last is at hand at any time, until it is too old to
//! be true.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vc_protocol::device::DeviceUse;
use vc_protocol::id::DeviceId;

use super::engines::{Engines, Seen};
use super::nvml::Nvml;
use super::sysfs;
use crate::device::{Card, PciAddress};

/// Least time between two readings.
const READ_EVERY: Duration = Duration::from_millis(950);
/// What is older than this says nothing of now: the driver hangs, or nobody asked for long.
const STALE: Duration = Duration::from_secs(12);

/// Where the files are; elsewhere in tests.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    /// `/sys/bus/pci/devices`.
    pub(crate) pci: PathBuf,
    /// `/proc`.
    pub(crate) proc: PathBuf,
    /// Folder with a file for each running child, named by its number.
    pub(crate) children: PathBuf,
}

impl Roots {
    /// As on any Linux, with the children recorded there.
    pub(crate) fn new(children: PathBuf) -> Roots {
        Roots { pci: "/sys/bus/pci/devices".into(), proc: "/proc".into(), children }
    }
}

/// A card to be read.
#[derive(Debug, Clone)]
struct Watched {
    id: DeviceId,
    pci: PciAddress,
    is_nvidia: bool,
}

#[derive(Debug, Default)]
struct Read {
    at: Option<Instant>,
    uses: BTreeMap<DeviceId, DeviceUse>,
}

/// The thread, seen from outside. It ends when this is dropped, or when the driver lets go of it.
#[derive(Debug)]
pub(crate) struct Gauges {
    roots: Roots,
    ask: Option<SyncSender<()>>,
    read: Arc<Mutex<Read>>,
}

fn lock(read: &Mutex<Read>) -> MutexGuard<'_, Read> {
    read.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gauges {
    /// Of no card yet.
    pub(crate) fn new(roots: Roots) -> Gauges {
        Gauges { roots, ask: None, read: Arc::default() }
    }

    /// Reads these cards from now on. One that is on no PCI bus has nothing to read.
    pub(crate) fn watch<'c>(&mut self, cards: impl Iterator<Item = (DeviceId, &'c Card)>) {
        let watched = |(id, card): (DeviceId, &Card)| {
            Some(Watched { id, pci: card.gpu.pci?, is_nvidia: card.is_nvidia() })
        };
        let watched: Vec<_> = cards.filter_map(watched).collect();
        if watched.is_empty() {
            return;
        }
        // One question waits at most: a second one would be answered by the same reading.
        let (ask, asked) = sync_channel(1);
        let (roots, read) = (self.roots.clone(), self.read.clone());
        let thread = std::thread::Builder::new().name("gauges".into());
        match thread.spawn(move || keep_reading(&roots, &watched, &asked, &read)) {
            Ok(_) => self.ask = Some(ask),
            Err(error) => tracing::warn!("the use of the GPUs is not read: no thread: {error}"),
        }
    }

    /// Has them read soon.
    pub(crate) fn ask(&self) {
        if let Some(ask) = &self.ask {
            // Full: it is about to read anyway, or a driver holds it.
            let _ = ask.try_send(());
        }
    }

    /// As it was read last.
    pub(crate) fn latest(&self, id: DeviceId) -> DeviceUse {
        let read = lock(&self.read);
        let is_fresh = read.at.is_some_and(|at| at.elapsed() < STALE);
        read.uses.get(&id).filter(|_| is_fresh).copied().unwrap_or_default()
    }
}

fn keep_reading(roots: &Roots, watched: &[Watched], asked: &Receiver<()>, read: &Mutex<Read>) {
    let mut nvml = watched.iter().any(|card| card.is_nvidia).then(Nvml::open).flatten();
    let mut engines = Engines::default();
    let mut energy = BTreeMap::new();
    let mut last: Option<Instant> = None;
    while asked.recv().is_ok() {
        if last.is_some_and(|last| last.elapsed() < READ_EVERY) {
            continue;
        }
        let elapsed = last.map(|last| last.elapsed());
        last = Some(Instant::now());
        let shares = engines.shares(Seen::read(&roots.proc, &roots.children), elapsed);
        let mut uses = BTreeMap::new();
        for card in watched {
            let told = match &mut nvml {
                Some(nvml) if card.is_nvidia => nvml.read(card.pci),
                Some(_) | None => sysfs::read(&roots.pci, card.pci, &mut energy, elapsed),
            };
            let share = shares.get(&card.pci).copied().unwrap_or_default();
            // The engines' own counters say more than the card's, which counts everything that it does.
            uses.insert(
                card.id,
                DeviceUse {
                    encode: share.encode.or(told.encode),
                    decode: share.decode.or(told.decode),
                    ..told
                },
            );
        }
        *lock(read) = Read { at: last, uses };
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::device::GpuFacts;

    use super::*;
    use crate::device::Gpu;

    #[test]
    fn a_card_is_read_when_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("0000:c1:00.0");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("gpu_busy_percent"), "42\n").unwrap();
        let roots = Roots {
            pci: dir.path().into(),
            proc: dir.path().join("proc"),
            children: dir.path().join("none"),
        };
        let gpu = Gpu {
            pci: "0000:c1:00.0".parse().ok(),
            name: "Radeon".into(),
            vulkan: vec![],
            render_node: None,
            nvidia: None,
            encodes: Vec::new(),
            is_software: false,
        };
        let card = Card { key: "0000:c1:00.0".into(), gpu, facts: GpuFacts::default() };
        let id = DeviceId(1);
        let mut gauges = Gauges::new(roots);
        gauges.ask();
        assert_eq!(gauges.latest(id), DeviceUse::default(), "nothing is watched");
        gauges.watch([(id, &card)].into_iter());
        gauges.ask();
        let bound = Instant::now() + Duration::from_secs(20);
        while gauges.latest(id).encode != Some(420) {
            assert!(Instant::now() < bound, "it was never read");
            std::thread::yield_now();
        }
    }
}
