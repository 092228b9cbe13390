//! The use of a card's video engines by our own children, as the kernel counts it for each open card (`fdinfo`).
//!
//! What others do on the card is not in it; of a child that ended, what it did since the last reading is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::device::PciAddress;

/// Children read: more run on no box.
const CHILDREN_MAX: usize = 256;
/// Files of a child read: ffmpeg opens a few dozen.
const FILES_MAX: usize = 512;

/// Shares of the engines in use, in thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) encode: Option<u16>,
    pub(super) decode: Option<u16>,
}

/// What an engine did for one client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counter {
    /// Nanoseconds, or cycles.
    busy: u64,
    /// Cycles that went by, where cycles are counted; else time is.
    of: Option<u64>,
    /// Engines of this kind.
    engines: u64,
}

/// A client of a card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    encode: Option<Counter>,
    decode: Option<Counter>,
}

/// The counters at one moment, by card and number of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen(BTreeMap<(PciAddress, u64), Counters>);

impl Seen {
    /// Of every child that has a record there.
    pub(super) fn read(proc: &Path, children: &Path) -> Seen {
        let mut seen = Seen::default();
        for child in fs::read_dir(children).into_iter().flatten().flatten().take(CHILDREN_MAX) {
            let files = fs::read_dir(proc.join(child.file_name()).join("fdinfo"));
            for file in files.into_iter().flatten().flatten().take(FILES_MAX) {
                let text = fs::read_to_string(file.path()).unwrap_or_default();
                // One client may be open under several numbers, which all tell the same.
                seen.0.extend(client(&text));
            }
        }
        seen
    }
}

/// The client that a file of `fdinfo` tells of; most files are no card.
fn client(text: &str) -> Option<((PciAddress, u64), Counters)> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.map(str::trim)
    };
    let number = |key: &str| value(key)?.split_whitespace().next()?.parse::<u64>().ok();
    let pci = value("drm-pdev")?.parse().ok()?;
    let id = number("drm-client-id")?;
    let counter = |engine: &str| {
        let engines = number(&format!("drm-engine-capacity-{engine}")).filter(|n| *n > 0).unwrap_or(1);
        let cycles = || {
            let busy = number(&format!("drm-cycles-{engine}"))?;
            Some(Counter { busy, of: number(&format!("drm-total-cycles-{engine}")), engines })
        };
        let nanos = number(&format!("drm-engine-{engine}")).map(|busy| Counter { busy, of: None, engines });
        nanos.or_else(cycles)
    };
    // amdgpu has `enc` and `dec`, i915 `video`, xe `vcs`; Intel's two encode and decode on the same engine.
    let encode = ["enc", "video", "vcs"].into_iter().find_map(counter);
    Some(((pci, id), Counters { encode, decode: counter("dec") }))
}

/// The counters of the last reading.
#[derive(Debug, Default)]
pub(super) struct Engines {
    last: Seen,
}

impl Engines {
    /// What was in use since the last reading, for each card that a child of ours has open.
    pub(super) fn shares(&mut self, now: Seen, elapsed: Option<Duration>) -> BTreeMap<PciAddress, Shares> {
        let mut shares: BTreeMap<PciAddress, Shares> = BTreeMap::new();
        let nanos = elapsed.and_then(|elapsed| u64::try_from(elapsed.as_nanos()).ok());
        for (key, counters) in &now.0 {
            let Some(before) = self.last.0.get(key) else { continue };
            let card = shares.entry(key.0).or_default();
            add(&mut card.encode, share(before.encode, counters.encode, nanos));
            add(&mut card.decode, share(before.decode, counters.decode, nanos));
        }
        self.last = now;
        shares
    }
}

fn add(sum: &mut Option<u16>, share: Option<u16>) {
    if let Some(share) = share {
        *sum = Some(sum.unwrap_or_default().saturating_add(share).min(1000));
    }
}

fn share(before: Option<Counter>, now: Option<Counter>, nanos: Option<u64>) -> Option<u16> {
    let (before, now) = (before?, now?);
    let busy = now.busy.checked_sub(before.busy)?;
    let whole = match (before.of, now.of) {
        (Some(before), Some(now)) => now.checked_sub(before)?,
        _ => nanos?,
    };
    let whole = whole.saturating_mul(now.engines).max(1);
    u16::try_from(u128::from(busy) * 1000 / u128::from(whole)).ok().map(|share| share.min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMD: &str = "pos:\t0\nflags:\t02100002\nmnt_id:\t26\ndrm-driver:\tamdgpu\ndrm-client-id:\t42\n\
        drm-pdev:\t0000:c1:00.0\ndrm-memory-vram:\t1024 KiB\ndrm-engine-gfx:\t77 ns\ndrm-engine-dec:\t500000000 ns\n\
        drm-engine-enc:\t1000000000 ns\n";
    const I915: &str = "drm-driver:\ti915\ndrm-client-id:\t7\ndrm-pdev:\t0000:00:02.0\ndrm-engine-video:\t5 ns\n\
        drm-engine-capacity-video:\t2\ndrm-engine-video-enhance:\t9 ns\n";
    const XE: &str = "drm-driver:\txe\ndrm-client-id:\t9\ndrm-pdev:\t0000:03:00.0\ndrm-cycles-vcs:\t100\n\
        drm-total-cycles-vcs:\t1000\n";

    fn seen(texts: &[&str]) -> Seen {
        Seen(texts.iter().filter_map(|text| client(text)).collect())
    }

    fn of(shares: &BTreeMap<PciAddress, Shares>, pci: &str) -> Option<(Option<u16>, Option<u16>)> {
        shares.get(&pci.parse().unwrap()).map(|shares| (shares.encode, shares.decode))
    }

    #[test]
    fn engines_are_counted_between_two_readings_as_each_driver_counts() {
        let mut engines = Engines::default();
        let second = Some(Duration::from_secs(1));
        assert!(engines.shares(seen(&[AMD, I915, XE, "pos:\t0\n"]), None).is_empty());
        let amd = AMD.replace("1000000000 ns", "1250000000 ns").replace("\t500000000", "\t600000000");
        let i915 = I915.replace("\t5 ns", "\t1000000005 ns");
        let xe = XE.replace("\t100\n", "\t700\n").replace("\t1000\n", "\t2000\n");
        let now = engines.shares(seen(&[&amd, &i915, &xe]), second);
        assert_eq!(of(&now, "0000:c1:00.0"), Some((Some(250), Some(100))));
        assert_eq!(of(&now, "0000:00:02.0"), Some((Some(500), None)), "one of two engines");
        assert_eq!(of(&now, "0000:03:00.0"), Some((Some(600), None)));
        assert!(engines.shares(seen(&[]), second).is_empty());
    }

    #[test]
    fn clients_of_one_card_add_up_and_a_counter_that_went_back_says_nothing() {
        let mut engines = Engines::default();
        let second = Some(Duration::from_secs(1));
        let other = AMD.replace("client-id:\t42", "client-id:\t43");
        engines.shares(seen(&[AMD, &other]), None);
        let more = |text: &str| text.replace("1000000000 ns", "1400000000 ns");
        let now = engines.shares(seen(&[&more(AMD), &more(&other)]), second);
        assert_eq!(of(&now, "0000:c1:00.0"), Some((Some(800), Some(0))));
        let back = engines.shares(seen(&[AMD]), second);
        assert_eq!(of(&back, "0000:c1:00.0"), Some((None, Some(0))));
    }

    #[test]
    fn the_files_of_children_are_read_and_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let (proc, children) = (dir.path().join("proc"), dir.path().join("children"));
        fs::create_dir_all(&children).unwrap();
        fs::write(children.join("100"), "1").unwrap();
        for (process, text) in [("100", AMD), ("200", I915)] {
            let folder = proc.join(process).join("fdinfo");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("3"), text).unwrap();
            fs::write(folder.join("4"), text).unwrap();
            fs::write(folder.join("0"), "pos:\t0\n").unwrap();
        }
        assert_eq!(Seen::read(&proc, &children), seen(&[AMD]));
        assert_eq!(Seen::read(&proc, &dir.path().join("none")), Seen::default());
    }
}
