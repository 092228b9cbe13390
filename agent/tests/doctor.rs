//! `vc-agent doctor` with the real loader and drivers of this box.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A box on which ffmpeg is not found: nothing is tried, and the answer is quick.
const NO_PATH: &str = "/nonexistent";

struct Said {
    code: i32,
    out: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// Every finding of that check, as `verdict text`.
fn told(json: &Value, check: &str) -> Vec<String> {
    let rows = json["checks"].as_array().unwrap();
    let of = rows.iter().filter(|row| row["check"] == check);
    of.map(|row| format!("{} {}", row["verdict"].as_str().unwrap(), row["text"].as_str().unwrap())).collect()
}

fn doctor(program: &Path, state: &Path, env: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", NO_PATH).env("VC_STATE_DIR", state).envs(env.iter().copied());
    let output = command.arg("doctor").args(args).output().unwrap();
    Said { code: output.status.code().unwrap(), out: String::from_utf8(output.stdout).unwrap() }
}

fn own() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vc-agent"))
}

/// Lavapipe's library, if the box has it and a loader.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn lavapipe() -> Option<PathBuf> {
    let folder = Path::new("/usr/lib/x86_64-linux-gnu");
    let library = folder.join("libvulkan_lvp.so");
    let is_there = library.is_file() && folder.join("libvulkan.so.1").exists();
    if !is_there {
        println!("skipped: no lavapipe and Vulkan loader here; assets/setup.sh installs both");
    }
    is_there.then_some(library)
}

/// A driver file for the loader.
fn driver_file(dir: &Path, name: &str, library: &Path) -> String {
    let path = dir.join(name);
    let icd = serde_json::json!({"library_path": library, "api_version": "1.3.0"});
    fs::write(&path, serde_json::json!({"ICD": icd, "file_format_version": "1.0.0"}).to_string()).unwrap();
    path.display().to_string()
}

#[test]
fn whatever_vulkan_is_here_is_told_and_ffmpeg_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let said = doctor(own(), dir.path(), &[], &["--json"]);
    let json = said.json();
    assert_eq!((said.code, &json["v"], &json["worst"]), (12, &1.into(), &"bad".into()), "{json}");
    assert!(
        told(&json, "ffmpeg")[0].starts_with("bad find")
            || told(&json, "ffmpeg")[0].starts_with("bad ffmpeg")
    );
    let vulkan = [told(&json, "Vulkan loader"), told(&json, "Vulkan driver")].concat();
    assert!(!vulkan.is_empty() && !vulkan[0].contains("not asked"), "{json}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left in the state folder");
}

#[test]
fn a_loader_without_a_driver_is_a_plain_finding() {
    if lavapipe().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let env = [("VK_DRIVER_FILES", "/nonexistent")];
    let json = doctor(own(), dir.path(), &env, &["--json"]).json();
    assert!(told(&json, "Vulkan driver")[0].contains("ERROR_INCOMPATIBLE_DRIVER"), "{json}");
    assert_eq!(json["vulkan_devices"], Value::Array(Vec::new()));
}

#[test]
fn two_software_devices_with_one_uuid_are_two_and_each_can_be_asked_for() {
    let Some(library) = lavapipe() else { return };
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("libvulkan_copy.so");
    fs::copy(&library, &copy).unwrap();
    let files =
        [driver_file(dir.path(), "a.json", &library), driver_file(dir.path(), "b.json", &copy)].join(":");
    let state = dir.path().join("state");
    let env = [("VK_DRIVER_FILES", files.as_str())];
    let json = doctor(own(), &state, &env, &["--json"]).json();
    let devices = json["vulkan_devices"].as_array().unwrap();
    assert_eq!((devices.len(), &devices[0]["uuid"]), (2, &devices[1]["uuid"]), "{json}");
    let left_out = told(&json, "Vulkan device");
    assert!(left_out.len() == 2 && left_out[0].contains("--allow-cpu-vulkan"), "{left_out:?}");
    let one = doctor(own(), &state, &env, &["--json", "--allow-cpu-vulkan", "--device", "1"]).json();
    let shown = told(&one, "Vulkan device");
    assert!(
        shown.len() == 1
            && shown[0].starts_with("note 1: llvmpipe")
            && shown[0].ends_with("has no video queues")
    );
}

#[test]
fn two_equal_cards_with_video_queues_are_told_apart_with_what_each_can_do() {
    // Whoever has lavapipe has the loader.
    if lavapipe().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let library = own().with_file_name("examples").join("libfake_vulkan_driver.so");
    if !library.is_file() {
        // Cargo builds it with all tests, and not with `--test doctor` alone.
        return println!("skipped: no {}; `cargo build -p vc-agent --examples` makes it", library.display());
    }
    let file = driver_file(dir.path(), "fake.json", &library);
    let json = doctor(own(), &dir.path().join("state"), &[("VK_DRIVER_FILES", &file)], &["--json"]).json();
    let can = "encodes h264 (8 bit, up to 4096x4096), hevc (8 bit, up to 8192x8192), av1; \
               decodes h264 (8 bit, up to 8192x8192), hevc (8 and 10 bit, up to 8192x8192)";
    let who = |index, pci| {
        format!("ok {index}: Fake card [2J, discrete, {pci}, driver fake 570.86.10, Vulkan 1.3.0")
    };
    assert_eq!(
        told(&json, "Vulkan device"),
        [format!("{}; {can}", who(0, "0000:c0:00.0")), format!("{}; {can}", who(1, "0000:c1:00.0"))]
    );
    let uuids: Vec<_> = json["vulkan_devices"].as_array().unwrap().iter().map(|d| &d["uuid"]).collect();
    assert_eq!(uuids, ["01010101-0101-0101-0101-010101010101", "02020202-0202-0202-0202-020202020202"]);
    let gpus = told(&json, "GPU");
    assert!(gpus.contains(&"ok 0000:c1:00.0 Fake card [2J: Vulkan device 1".to_owned()), "{gpus:?}");
}

#[test]
fn another_program_asks_through_the_agent_beside_it_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (other, agent) = (dir.path().join("other"), dir.path().join("vc-agent"));
    fs::copy(own(), &other).unwrap();
    fs::copy(own(), &agent).unwrap();
    let asked = |json: &Value| !told(json, "Vulkan driver").iter().any(|text| text.contains("not asked"));
    assert!(asked(&doctor(&other, dir.path(), &[], &["--json"]).json()));
    fs::remove_file(&agent).unwrap();
    let json = doctor(&other, dir.path(), &[], &["--json"]).json();
    assert_eq!(
        told(&json, "Vulkan driver"),
        ["note not asked, and left alone: vc-agent is not beside this program"]
    );
}

#[test]
fn encoders_of_the_processor_and_of_a_device_are_tried_with_their_figures() {
    let Ok(path) = std::env::var("PATH") else { return };
    if !path.split(':').any(|folder| Path::new(folder).join("ffmpeg").is_file()) {
        return println!("skipped: there is no ffmpeg here");
    }
    let dir = tempfile::tempdir().unwrap();
    let (state, cache) = (dir.path().join("state"), dir.path().join("cache"));
    fs::create_dir(&state).unwrap();
    let drivers = match lavapipe() {
        Some(library) => driver_file(dir.path(), "lavapipe.json", &library),
        None => "/nonexistent".to_owned(),
    };
    let env =
        [("PATH", path.as_str()), ("XDG_CACHE_HOME", cache.to_str().unwrap()), ("VK_DRIVER_FILES", &drivers)];
    let said = doctor(own(), &state, &env, &["--json", "--allow-cpu-vulkan"]);
    println!("{}", said.out);
    let json = said.json();
    let tried = told(&json, "encoder");
    assert!(tried.iter().any(|line| line.contains(" dB like its source, ")), "{json}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing is left in the state folder");
    assert!(cache.join("vc-agent/trials.json").is_file(), "{json}");
    let on_device = told(&json, "GPU encoder");
    let Some(line) = on_device.iter().find(|line| line.contains(" ffv1_vulkan: ")) else {
        return println!("skipped: no Vulkan device, or this ffmpeg has no encoder for it: {on_device:?}");
    };
    if line.contains("had no turn") || line.contains("did not end within") {
        return println!("skipped: this box is too busy to try a device within a minute: {line}");
    }
    assert!(line.contains("the same as its source"), "{on_device:?}");
    let h264 = "note h264_vulkan: this GPU encodes no h264 with Vulkan";
    assert!(on_device.iter().any(|line| line == h264), "{on_device:?}");
}
