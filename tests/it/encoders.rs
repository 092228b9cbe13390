//! What encoders and the cards behind them do to an attempt: each fault gets the class and the cause that it deserves,
//! and a picture of something else is found where anything can find it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use vc_tests::media::{TINY, clip};
use vc_tests::{Agent, Console, Scratch, need_ffmpeg};

use crate::{assert_no_parts, number};

/// A console and an agent with a stand-in for ffmpeg in that mode, and a profile of one's own.
struct Farm {
    _agent: Agent,
    console: Console,
    /// Last, since it is dropped last.
    scratch: Scratch,
}

impl Farm {
    fn new(mode: &str) -> Self {
        let scratch = Scratch::new();
        let console = Console::start(&scratch);
        let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
        agent.fake().mode(mode);
        agent.run();
        Farm { _agent: agent, console, scratch }
    }

    /// Adds a clip with a profile of this text, and gives the number of its job.
    fn add(&self, profile: &str) -> u64 {
        let folder = self.scratch.folder("xdg/vc/profiles");
        fs::write(folder.join("own.toml"), profile).unwrap();
        clip(&self.scratch.join("in/a.mp4"), TINY);
        let (source, out) = (self.scratch.join("in"), self.scratch.join("out"));
        let words = ["add", source.to_str().unwrap(), "--out", out.to_str().unwrap(), "--profile", "own"];
        self.console.json(words);
        self.console.job_of("a.mp4")
    }

    /// The job once its first attempt has failed.
    fn failed(&self, profile: &str) -> Value {
        let id = self.add(profile);
        let job = self.console.wait_job(id, "its first attempt has failed", |job| !job["cause"].is_null());
        assert_no_parts(&self.scratch.join("out"));
        job
    }
}

const H264: &str = "description = \"x\"\ncontainer = \"mkv\"\n[video]\ncodec = \"h264\"\ncrf = 30\neffort = \"fast\"\n\
                    [audio]\ncodec = \"copy\"\n";

/// A log of the agent's own fixtures.
fn log(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/src/ffmpeg/fixtures");
    format!("log={}", folder.join(name).with_extension("log").display())
}

fn told(job: &Value) -> (&str, &str) {
    (job["class"].as_str().unwrap(), job["cause"].as_str().unwrap())
}

#[test]
fn a_card_that_is_lost_in_the_middle_is_the_boxs_fault() {
    need_ffmpeg!();
    let farm = Farm::new(&format!("reach@0.5 {}", log("vulkan-device-lost")));
    let job = farm.failed(H264);
    assert_eq!(told(&job), ("infrastructure", "the GPU was lost"), "{job}");
    assert_eq!(number(&job, "retries"), 0, "{job}");
}

#[test]
fn sessions_that_are_used_up_are_the_places_fault_and_cost_no_retry() {
    need_ffmpeg!();
    for log_of in ["nvenc-sessions", "nvenc-client-key"] {
        let farm = Farm::new(&log(log_of));
        let job = farm.failed(H264);
        assert_eq!(told(&job), ("capacity", "no encoder session is free"), "{job}");
        assert_eq!(number(&job, "retries"), 0, "{job}");
    }
}

#[test]
fn an_encoder_that_refuses_is_told_with_its_own_words() {
    need_ffmpeg!();
    let farm = Farm::new(&log("vulkan-no-encode-queue"));
    let job = farm.failed(H264);
    let (class, cause) = told(&job);
    assert_eq!(class, "encoder", "{job}");
    assert!(cause.contains("this GPU encodes no video with Vulkan"), "{cause}");
}

/// Frames, streams and lengths are right, so only what looks at the pictures themselves can find it.
#[test]
fn another_picture_with_a_good_exit_code_is_found_by_hashes_and_by_a_floor_for_likeness() {
    need_ffmpeg!();
    let lossless = "description = \"x\"\ncontainer = \"mkv\"\nverify = \"lossless\"\n[video]\ncodec = \"ffv1\"\n\
                    [audio]\ncodec = \"copy\"\n";
    let farm = Farm::new("negate");
    let job = farm.failed(lossless);
    let (class, cause) = told(&job);
    assert_eq!(class, "encoder", "{job}");
    assert!(cause.contains("frame 1 of stream 0 is not that of the source"), "{cause}");

    let farm = Farm::new("negate");
    let job = farm.failed(&H264.replace("[video]", "min_ssim = 0.9\n[video]"));
    let (class, cause) = told(&job);
    assert_eq!(class, "encoder", "{job}");
    assert!(cause.contains("SSIM"), "{cause}");

    // The same work by an honest encoder passes both.
    let farm = Farm::new("ok");
    let id = farm.add(lossless);
    farm.console.wait_state(id, "completed");
}

#[test]
fn garbage_with_a_good_exit_code_fails_the_trial() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let agent = Agent::new(&scratch, "ada").with_fake();
    agent.fake().mode("negate for trial");
    let output = agent.command().args(["doctor", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("makes garbage"), "{said}");
    agent.fake().mode("ok");
    let output = agent.command().args(["doctor", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("makes garbage"), "{said}");
}
