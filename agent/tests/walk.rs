//! The walk from one encoder to the next within an attempt, with a real ffmpeg and what Vulkan devices this box has.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    reason = "tests fail by panics, and say aloud what they skip"
)]

mod support;

use std::process::Command;
use std::sync::Arc;

use support::{Box, committed, profile};
use vc_agent::device::Gpu;
use vc_agent::proved::Proved;
use vc_protocol::agent::{CommandPhase, PassedOver};
use vc_protocol::device::{EncoderFacts, RateMode, TrialFacts};
use vc_protocol::id::DeviceId;
use vc_protocol::profile::{Container, VideoCodec};

const CARD: DeviceId = DeviceId(1);

/// lavapipe's place among the Vulkan devices, as ffmpeg lists them.
fn lavapipe(on: &Box) -> Option<u32> {
    let said = Command::new(&on.context.tools.ffmpeg)
        .args(["-nostdin", "-hide_banner", "-v", "verbose", "-init_hw_device", "vulkan=vk"])
        .args(["-f", "lavfi", "-i", "nullsrc=s=16x16:d=0.04", "-f", "null", "-"])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&said.stderr).into_owned();
    let line = log.lines().find_map(|line| line.split_once(": llvmpipe"))?.0;
    line.rsplit(' ').next().and_then(|digits| digits.parse().ok())
}

/// The box with a card whose `h264_vulkan` is said to have passed its trial.
fn with_card(mut on: Box, vulkan: u32) -> Box {
    let card = Gpu {
        pci: None,
        name: "a card that was misjudged".into(),
        vulkan: vec![vulkan],
        render_node: None,
        nvidia: None,
        encodes: Vec::new(),
        is_software: true,
    };
    let proved = Proved::new(on.context.tools.encoders.clone(), [(DeviceId(0), None), (CARD, Some(card))]);
    let trial = TrialFacts {
        bits: 8,
        rate: RateMode::Quality,
        problem: String::new(),
        fps: Some(100.0),
        psnr_db: Some(40.0),
    };
    let passed = EncoderFacts {
        name: "h264_vulkan".into(),
        problem: String::new(),
        fps: Some(100.0),
        trials: vec![trial],
    };
    proved.tried(CARD, vec![passed]);
    on.context.proved = Arc::new(proved);
    on
}

#[tokio::test]
async fn a_card_that_cannot_is_passed_over_in_its_own_words_within_one_attempt() {
    let Some(on) = Box::new() else { return };
    if !on.context.tools.encoders.contains("h264_vulkan") {
        return eprintln!("SKIPPED: this ffmpeg has no h264_vulkan");
    }
    let Some(vulkan) = lavapipe(&on) else { return eprintln!("SKIPPED: Vulkan has no lavapipe here") };
    let on = with_card(on, vulkan);
    on.make("a.mkv", "-f lavfi -i testsrc2=s=320x192:r=5:d=1 -c:v mpeg4 -q:v 3");
    for target in [None, Some(0.9)] {
        let mut wish = profile(Container::Mkv, VideoCodec::H264);
        if target.is_some() {
            (wish.video.crf, wish.video.target_ssim) = (None, target);
        }
        let name = if target.is_some() { "measured.mkv" } else { "plain.mkv" };
        let mut offer = on.offer("a.mkv", name, wish);
        offer.device = CARD;
        let report = on.convert(&offer).await;
        committed(&report);
        assert_eq!(report.encoder, "libx264");
        let cause = "this GPU encodes no video with Vulkan".to_owned();
        assert_eq!(
            report.passed_over,
            [PassedOver { encoder: "h264_vulkan".into(), cause }],
            "{}",
            report.log
        );
        let warning = "h264_vulkan could not (this GPU encodes no video with Vulkan): libx264 was used";
        assert_eq!(report.warnings, [warning]);
        assert_eq!(report.quality.is_some(), target.is_some());
        let encodes = report.commands.iter().filter(|command| command.phase == CommandPhase::Encode).count();
        assert_eq!(
            encodes,
            if target.is_some() { 1 } else { 2 },
            "samples show it before anything is encoded"
        );
        assert_eq!(on.leftovers(), [""; 0]);
    }
}
