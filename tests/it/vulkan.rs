//! The way of a card from its trial to an output, on Mesa's software driver: what it can do at all (FFV1, ProRes, scaling)
//! is done for real, and what it cannot is refused by name. Five frames a clip: a frame takes it a quarter of a second.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use vc_tests::media::{Clip, assert_whole, clip, ffmpeg_tool};
use vc_tests::{Agent, Console, LONG, Scratch, eventually, need_ffmpeg, skipped, wait_until};

use crate::devices::{ALLOWED, has_software_vulkan};
use crate::number;

const FIVE_FRAMES: Clip = Clip { seconds: 0.2, size: "320x192", sound: false };
/// Trials of a device take a minute at most, and somebody else may work here too.
const TRIALS_MAX: Duration = Duration::from_secs(90);

fn lists(encoder: &str) -> bool {
    let output = ffmpeg_tool("ffmpeg").args(["-hide_banner", "-encoders"]).output().unwrap();
    let is_listed = String::from_utf8_lossy(&output.stdout).contains(encoder);
    if !is_listed {
        skipped(&format!("this ffmpeg has no {encoder}"));
    }
    is_listed
}

/// An agent with the software device alone, its shaders kept where the tester's own are: compiling takes longer than
/// encoding.
fn start_card(agent: &mut Agent) {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let shaders = Path::new(&home).join(".cache").to_string_lossy().into_owned();
    agent.run_with(&["--slots", "0"].map(OsStr::new), &[ALLOWED, ("MESA_SHADER_CACHE_DIR", &shaders)]);
}

/// The encoders of the agent's card by name, once their trials are over.
fn trials(console: &Console, agent: &str) -> Option<Vec<Value>> {
    eventually(TRIALS_MAX, || {
        let shown = console.json(["agents", "show", agent]);
        let details = shown["details"].as_array()?;
        let encoders = details.iter().find_map(|device| {
            let encoders = device["encoders"].as_array()?;
            encoders.iter().any(|one| one["name"] == "ffv1_vulkan").then(|| encoders.clone())
        })?;
        encoders.iter().all(|one| !one["problem"].is_null() || !one["fps"].is_null()).then_some(encoders)
    })
}

fn problem<'a>(encoders: &'a [Value], name: &str) -> &'a Value {
    encoders.iter().find(|one| one["name"] == name).map_or(&Value::Null, |one| &one["problem"])
}

fn add(console: &Console, source: &Path, out: &Path, profile: &str) {
    let words = [OsStr::new("add"), source.as_os_str(), OsStr::new("--out"), out.as_os_str()];
    console.json(words.into_iter().chain(["--profile", profile].map(OsStr::new)));
}

#[test]
fn a_processor_and_a_card_share_a_queue_and_each_job_shows_which_encoder_ran() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut card = Agent::joined(&scratch, "card", &console);
    if !has_software_vulkan(&card) || !lists("ffv1_vulkan") {
        return;
    }
    start_card(&mut card);
    console.wait_agents(1);
    let Some(encoders) = trials(&console, "1") else { panic!("the trials of the card do not end") };
    if !problem(&encoders, "ffv1_vulkan").is_null() {
        return skipped(&format!("ffv1_vulkan: {}", problem(&encoders, "ffv1_vulkan")));
    }
    // The driver has no queue for video, which is known without a trial.
    let refusal = problem(&encoders, "h264_vulkan").as_str().unwrap_or_default().to_owned();
    assert_eq!(refusal, "this GPU encodes no h264 with Vulkan");

    let mut processor = Agent::joined(&scratch, "processor", &console).with_fake();
    processor.fake().mode("gate");
    processor.run();
    console.wait_agents(2);
    let (source, out) = (scratch.join("in"), scratch.join("out"));
    let names = ["a", "b", "c", "d"];
    for name in names {
        clip(&source.join(format!("{name}.mkv")), FIVE_FRAMES);
    }
    add(&console, &source, &out, "ffv1-archive");
    // Each has one before either goes on: the processor waits at its gate until the card is done with one.
    processor.fake().wait_encodes(1);
    wait_until("the card has made one", LONG, || number(&console.json(["status"])["jobs"], "completed") > 0);
    processor.fake().open_gate();
    wait_until("all are completed", LONG, || number(&console.json(["status"])["jobs"], "completed") == 4);
    let mut used: Vec<String> = console.jobs().iter().map(|row| encoder_of(&console, row)).collect();
    used.sort();
    used.dedup();
    assert_eq!(used, ["ffv1", "ffv1_vulkan"]);
    for name in names {
        assert_whole(&out.join(format!("{name}.mkv")), FIVE_FRAMES.seconds);
    }

    // What only the card is left to do.
    processor.stop();
    clip(&scratch.join("more/e.mov"), FIVE_FRAMES);
    if problem(&encoders, "prores_ks_vulkan").is_null() && lists("prores_ks_vulkan") {
        add(&console, &scratch.join("more"), &out, "prores-proxy");
        let job = console.wait_state(console.job_of("e.mov"), "completed");
        assert_eq!(job["encoder"], "prores_ks_vulkan", "{job}");
        assert_whole(&out.join("e.mov"), FIVE_FRAMES.seconds);
    } else {
        skipped(&format!("prores_ks_vulkan: {}", problem(&encoders, "prores_ks_vulkan")));
    }
}

fn encoder_of(console: &Console, row: &Value) -> String {
    let job = console.job(number(row, "id"));
    job["encoder"].as_str().unwrap_or_default().to_owned()
}

/// Mean likeness of two files in decibels.
fn psnr(one: &Path, other: &Path) -> f64 {
    let output = ffmpeg_tool("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "info", "-nostats", "-i"])
        .arg(one)
        .arg("-i")
        .arg(other)
        .args(["-lavfi", "[0:v][1:v]psnr", "-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, rest) = said.rsplit_once("average:").unwrap_or_else(|| panic!("{said}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_card_scales_as_the_processor_does() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    if !has_software_vulkan(&Agent::new(&scratch, "ada")) || !lists("ffv1_vulkan") {
        return;
    }
    let source = scratch.join("in.mkv");
    clip(&source, FIVE_FRAMES);
    let scaled = |name: &str, words: &[&str]| -> PathBuf {
        let file = scratch.join(name);
        let mut command = ffmpeg_tool("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y", "-init_hw_device", "vulkan=vk:0"]);
        command.args(["-filter_hw_device", "vk", "-i"]).arg(&source).args(words);
        let output = command.args(["-c:v", "ffv1"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        file
    };
    let processor = scaled("cpu.mkv", &["-vf", "scale=160:96,format=nv12"]);
    let card = scaled("gpu.mkv", &["-vf", "format=nv12,hwupload,scale_vulkan=160:96,hwdownload,format=nv12"]);
    let likeness = psnr(&card, &processor);
    println!("scale_vulkan against scale: {likeness:.1} dB");
    // Both are right; they weigh the neighbours of a pixel differently. A wrong picture has under 15 dB.
    assert!(likeness > 25.0, "{likeness} dB");
}
