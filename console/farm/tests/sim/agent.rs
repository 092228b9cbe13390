//! A model agent: accepts offers, encodes, proves, asks, renames, reports, keeps a journal, dies and comes back.

use std::collections::{BTreeMap, BTreeSet};

use vc_protocol::agent::{Held, Outcome, Proven, Report};
use vc_protocol::device::{Device, DeviceKind};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AttemptId, DeviceId, SessionNo};
use vc_protocol::job::FileStamp;
use vc_protocol::path::FilePath;
use vc_protocol::profile::VideoCodec;
use vc_protocol::progress::{Phase, Progress};

use crate::disk::Hash;
use crate::rng::Rng;

/// The device that an agent may have beside its first.
const SECOND: DeviceId = DeviceId(1);

/// A connection, as both ends know it: sessions are numbered anew in each life of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub(crate) life: u64,
    pub(crate) session: SessionNo,
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    Waiting(FileStamp),
    Encoding(FileStamp),
    /// Asked for the right to commit, then.
    Proven(Proven, u64),
    /// Got it, then.
    Granted(Proven, u64),
    Stopping,
    /// Reported, then.
    Ended(Box<Report>, u64),
}

#[derive(Debug)]
pub(crate) struct Agent {
    /// What it offers while nothing is wrong with it.
    whole: Vec<Device>,
    /// What it offers now.
    pub(crate) devices: Vec<Device>,
    pub(crate) up: bool,
    pub(crate) frozen_until: u64,
    pub(crate) instance: u64,
    pub(crate) link: Option<Link>,
    /// When it dialled, until the welcome came.
    pub(crate) unwelcome_since: Option<u64>,
    pub(crate) draining: bool,
    /// Its key is refused for ever.
    pub(crate) revoked: bool,
    /// How often its encodes fail for want of something, in tenths; some devices are just broken for a while.
    pub(crate) ill: u64,
    pub(crate) work: BTreeMap<AttemptId, Work>,
    /// Offers that this process has seen: a repeated one is not run again.
    pub(crate) seen: BTreeSet<AttemptId>,
}

impl Agent {
    pub(crate) fn new(id: u32, slots: u16, codecs: Vec<VideoCodec>) -> Self {
        let device = |no, slots| {
            let (kind, name) = (DeviceKind::Cpu, "cpu".to_owned());
            Device { id: DeviceId(no), kind, name, slots, codecs: codecs.clone() }
        };
        let whole = vec![device(0, slots)];
        Agent {
            devices: whole.clone(),
            whole,
            up: true,
            frozen_until: 0,
            instance: u64::from(id) << 32,
            link: None,
            unwelcome_since: None,
            draining: false,
            revoked: false,
            ill: 0,
            work: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Encodes at once.
    pub(crate) fn slots(&self) -> usize {
        self.devices.iter().map(|device| usize::from(device.slots)).sum()
    }

    /// Slots are learned, encoders fail their trials or pass, a second device comes and goes. What its maker promised
    /// is offered again in the end.
    pub(crate) fn change_devices(&mut self, rng: &mut Rng) {
        self.devices = self.whole.clone();
        if rng.one_in(3) {
            let second = Device { id: SECOND, ..self.whole[0].clone() };
            self.devices.push(second);
        }
        if rng.one_in(6) {
            self.devices.remove(0);
        }
        for device in &mut self.devices {
            device.slots = u16::try_from(rng.range(0, 3)).unwrap_or(1);
            if rng.one_in(4) {
                let lost = usize::try_from(rng.range(0, device.codecs.len() as u64 - 1)).unwrap_or(0);
                device.codecs.remove(lost);
            }
        }
    }

    /// False if it offers that already.
    pub(crate) fn mend_devices(&mut self) -> bool {
        let is_whole = self.devices == self.whole;
        self.devices.clone_from(&self.whole);
        !is_whole
    }

    pub(crate) fn inventory(&self) -> Vec<Held> {
        let held = |(attempt, work): (&AttemptId, &Work)| match work {
            Work::Waiting(_) => Held::Running(*attempt, Progress::start(Phase::Waiting)),
            Work::Encoding(_) | Work::Stopping => Held::Running(*attempt, Progress::start(Phase::Encoding)),
            Work::Proven(proven, _) | Work::Granted(proven, _) => Held::Proven(*attempt, proven.clone()),
            Work::Ended(report, _) => Held::Ended(report.clone()),
        };
        self.work.iter().map(held).collect()
    }

    /// What a heartbeat names.
    pub(crate) fn holding(&self) -> Vec<AttemptId> {
        self.work.iter().filter(|(_, w)| !matches!(w, Work::Ended(..))).map(|(a, _)| *a).collect()
    }

    pub(crate) fn encoding(&self) -> usize {
        self.work.values().filter(|w| matches!(w, Work::Encoding(_))).count()
    }

    /// The process dies. What waited proven or reported is in its journal, if that is kept.
    pub(crate) fn die(&mut self, journal: bool) -> Vec<AttemptId> {
        let lost: Vec<AttemptId> = self
            .work
            .iter()
            .filter(|(_, w)| !journal || !matches!(w, Work::Proven(..) | Work::Granted(..) | Work::Ended(..)))
            .map(|(a, _)| *a)
            .collect();
        lost.iter().for_each(|a| {
            self.work.remove(a);
        });
        for work in self.work.values_mut() {
            if let Work::Granted(proven, _) = work {
                *work = Work::Proven(proven.clone(), 0);
            }
        }
        self.up = false;
        self.link = None;
        self.draining = false;
        self.frozen_until = 0;
        self.instance += 1;
        self.seen.clear();
        lost
    }
}

pub(crate) fn proven(attempt: AttemptId, hash: Hash) -> Proven {
    Proven { part: FilePath::from(format!("{attempt}.part").as_str()), hash, size: 50 }
}

pub(crate) fn report(attempt: AttemptId, outcome: Outcome) -> Box<Report> {
    Box::new(Report {
        wall_ms: 1,
        media_ms: 1,
        bytes_in: 100,
        bytes_out: 50,
        ..Report::blank(attempt, outcome)
    })
}

/// How an encode that does not succeed ends.
pub(crate) fn misfortune(rng: &mut Rng) -> Outcome {
    let class = match rng.range(0, 9) {
        0 => FailureClass::Source,
        1 | 2 => FailureClass::Encoder,
        3 => FailureClass::Capacity,
        4 | 5 => FailureClass::Infrastructure,
        _ => FailureClass::Job,
    };
    let by_signal = class == FailureClass::Job && rng.one_in(3);
    Outcome::Failed(Failure { by_signal, ..Failure::new(class, "it broke") })
}
