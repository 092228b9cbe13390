//! What the kernel's own drivers of cards (amdgpu, i915, xe) tell in files: use, memory, temperature, power.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use vc_protocol::device::DeviceUse;

use crate::device::PciAddress;

/// Sensors of a card are in one folder, or two.
const SENSORS_MAX: usize = 8;

/// The card at that address. `energy` holds what the meters of each card said the last time, `elapsed` ago.
pub(super) fn read(
    root: &Path,
    pci: PciAddress,
    energy: &mut BTreeMap<PciAddress, u64>,
    elapsed: Option<Duration>,
) -> DeviceUse {
    let folder = root.join(pci.to_string());
    let number = |name: &str| number(&folder.join(name));
    let busy = number("gpu_busy_percent").map(|percent| (percent.min(100) * 10) as u16);
    let mut found = DeviceUse {
        encode: busy,
        memory: number("mem_info_vram_used"),
        memory_total: number("mem_info_vram_total"),
        ..DeviceUse::default()
    };
    let sensors = fs::read_dir(folder.join("hwmon")).into_iter().flatten().flatten();
    for sensor in sensors.take(SENSORS_MAX) {
        sense(&sensor.path(), &mut found);
        if found.watts.is_none()
            && let Some(now) = self::number(&sensor.path().join("energy1_input"))
        {
            found.watts = energy.insert(pci, now).and_then(|before| power(before, now, elapsed?));
        }
    }
    found
}

/// Millidegrees and microwatts, as all sensors of the kernel tell them.
fn sense(folder: &Path, found: &mut DeviceUse) {
    let number = |name: &str| number(&folder.join(name));
    let small = |value: u64| u16::try_from(value).ok();
    found.celsius = found.celsius.or_else(|| number("temp1_input").and_then(|milli| small(milli / 1000)));
    let micro = || number("power1_average").or_else(|| number("power1_input"));
    found.watts = found.watts.or_else(|| micro().and_then(|micro| small(micro / 1_000_000)));
}

/// Watts between two readings of a meter that counts microjoules.
fn power(before: u64, now: u64, elapsed: Duration) -> Option<u16> {
    let micros = u64::try_from(elapsed.as_micros()).ok().filter(|micros| *micros > 0)?;
    u16::try_from(now.checked_sub(before)? / micros).ok()
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
    }

    fn at(root: &Path, pci: &str) -> DeviceUse {
        read(root, pci.parse().unwrap(), &mut BTreeMap::new(), None)
    }

    #[test]
    fn an_amd_card_tells_use_memory_temperature_and_power() {
        let dir = tempfile::tempdir().unwrap();
        write(
            &dir.path().join("0000:c1:00.0"),
            &[
                ("gpu_busy_percent", "37"),
                ("mem_info_vram_used", "1073741824"),
                ("mem_info_vram_total", "8589934592"),
                ("hwmon/hwmon3/temp1_input", "61000"),
                ("hwmon/hwmon3/power1_average", "128000000"),
            ],
        );
        let expected = DeviceUse {
            encode: Some(370),
            decode: None,
            memory: Some(1 << 30),
            memory_total: Some(8 << 30),
            celsius: Some(61),
            watts: Some(128),
        };
        assert_eq!(at(dir.path(), "0000:c1:00.0"), expected);
    }

    #[test]
    fn what_is_not_there_or_not_a_number_is_not_told() {
        let dir = tempfile::tempdir().unwrap();
        write(
            &dir.path().join("0000:01:00.0"),
            &[("gpu_busy_percent", "busy"), ("hwmon/hwmon0/temp1_input", "-5"), ("hwmon/hwmon0/name", "x")],
        );
        assert_eq!(at(dir.path(), "0000:01:00.0"), DeviceUse::default());
        assert_eq!(at(dir.path(), "0000:02:00.0"), DeviceUse::default());
    }

    #[test]
    fn an_intel_card_tells_power_by_its_meter_of_energy() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, pci) = (dir.path().join("0000:03:00.0"), "0000:03:00.0".parse().unwrap());
        let mut energy = BTreeMap::new();
        write(&folder, &[("hwmon/hwmon1/energy1_input", "5000000")]);
        assert_eq!(read(dir.path(), pci, &mut energy, None).watts, None);
        write(&folder, &[("hwmon/hwmon1/energy1_input", "65000000")]);
        assert_eq!(read(dir.path(), pci, &mut energy, Some(Duration::from_secs(2))).watts, Some(30));
        write(&folder, &[("hwmon/hwmon1/energy1_input", "7")]);
        assert_eq!(
            read(dir.path(), pci, &mut energy, Some(Duration::from_secs(1))).watts,
            None,
            "it went back"
        );
    }
}
