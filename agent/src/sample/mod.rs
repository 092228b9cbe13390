//! How busy this box is: processor, memory and load, read from `/proc`; its cards are [`Gauges`]'.
//!
//! Reading `/proc` takes microseconds. Elsewhere than on Linux there is nothing to read, and what cannot be read is
//! none.

mod engines;
mod gauges;
mod nvml;
mod sysfs;

use std::fs;
use std::time::UNIX_EPOCH;

use vc_protocol::device::{BoxFacts, DeviceUse};

pub(crate) use gauges::{Gauges, Roots};

/// Reads the box, and the use of its processor since the last time.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    ticks: Option<Ticks>,
}

/// Processor time since the box started, in ticks of all cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Sampler {
    /// The box as it is but for its devices, and the use of its processor.
    pub(crate) fn read(&mut self) -> (BoxFacts, DeviceUse) {
        let stat = fs::read_to_string("/proc/stat").ok();
        let share = stat.as_deref().and_then(ticks).and_then(|now| {
            let before = self.ticks.replace(now);
            before.and_then(|before| share(before, now))
        });
        let memory = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(memory);
        let first_word = |path| {
            let text = fs::read_to_string(path).ok()?;
            text.split_whitespace().next()?.parse::<f64>().ok()
        };
        let facts = BoxFacts {
            now_ms: UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as i64),
            system: system(),
            cores: std::thread::available_parallelism().map_or(0, |n| n.get() as u32),
            load: first_word("/proc/loadavg").map(|load| (load * 100.0) as u32),
            memory: memory.map(|(used, _)| used),
            memory_total: memory.map(|(_, total)| total),
            up_s: first_word("/proc/uptime").map(|up| up as u64),
            devices: Vec::new(),
        };
        (facts, DeviceUse { encode: share, ..DeviceUse::default() })
    }
}

/// Name and release of the operating system.
fn system() -> String {
    nix::sys::utsname::uname()
        .map(|name| {
            let words = [name.sysname(), name.release()];
            words.map(|word| word.to_string_lossy().into_owned()).join(" ")
        })
        .unwrap_or_default()
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn ticks(stat: &str) -> Option<Ticks> {
    let mut words = stat.lines().next()?.split_whitespace();
    if words.next() != Some("cpu") {
        return None;
    }
    let times: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
    let all = times.iter().sum::<u64>();
    let waiting = times.get(3)? + times.get(4)?;
    Some(Ticks { busy: all.saturating_sub(waiting), all })
}

/// Thousandths of the processor in use between two readings.
fn share(before: Ticks, now: Ticks) -> Option<u16> {
    let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
    let busy = now.busy.saturating_sub(before.busy).min(all);
    u16::try_from(busy * 1000 / all).ok()
}

/// Bytes of memory that cannot be had, and in all, from `/proc/meminfo`.
fn memory(text: &str) -> Option<(u64, u64)> {
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let total = kib("MemTotal:")?;
    let free = kib("MemAvailable:")?;
    Some((total.saturating_sub(free).saturating_mul(1024), total.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_what_was_busy_in_between() {
        let before = ticks("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1\n").unwrap();
        assert_eq!(before, Ticks { busy: 200, all: 1000 });
        let now = ticks("cpu  150 0 125 800 125 0 0 0 0 0\n").unwrap();
        assert_eq!(share(before, now), Some(375));
        assert_eq!(share(now, before), None, "a counter that went back says nothing");
        assert_eq!(ticks("cpu  1 2"), None);
        assert_eq!(ticks("intr 5"), None);
    }

    #[test]
    fn memory_in_use_is_what_cannot_be_had() {
        let text = "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:   400 kB\n";
        assert_eq!(memory(text), Some((600 * 1024, 1000 * 1024)));
        assert_eq!(memory("MemTotal: 5 kB\n"), None);
    }
}
