//! Whole trials, with the ffmpeg of this box and with stand-ins for it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::device::Codec;
use crate::encoder::ENCODERS;
use crate::process::Stopper;

fn row(name: &str) -> &'static Encoder {
    ENCODERS.iter().find(|encoder| encoder.name == name).unwrap()
}

fn tools() -> Option<Tools> {
    let tools = Tools::find(None, None).ok();
    if tools.is_none() {
        println!("skipped: there is no ffmpeg here");
    }
    tools
}

/// A program in place of ffmpeg.
fn stand_in(dir: &tempfile::TempDir, body: &str) -> PathBuf {
    let path = dir.path().join("ffmpeg");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Tries them, and hands back what was told on the way as well.
async fn tried(tools: &Tools, limit: Duration, rows: &[&'static Encoder]) -> (Vec<EncoderFacts>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let spawner = Spawner::start(None).unwrap();
    let (_stopper, stop) = Stopper::new();
    let mut told = 0;
    let facts = {
        let folder = Folder::make(dir.path()).unwrap();
        let bench = Bench { tools, spawner: &spawner, folder: &folder, stop: &stop };
        within(bench, limit, None, rows, &mut |_| told += 1).await
    };
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    (facts, told)
}

#[tokio::test]
async fn good_encoders_pass_each_at_its_depths_and_a_lossless_one_loses_nothing() {
    let Some(tools) = tools() else { return };
    let rows: Vec<_> =
        ["libx264", "ffv1"].into_iter().filter(|n| tools.encoders.contains(*n)).map(row).collect();
    let (facts, told) = tried(&tools, DEVICE_MAX, &rows).await;
    println!("{facts:#?}");
    assert_eq!(told, rows.len());
    for facts in &facts {
        assert_eq!(facts.problem, "", "{facts:?}");
        let failed = facts.trials.iter().find(|t| !t.problem.is_empty() && t.problem != NO_TURN);
        assert_eq!(failed, None);
        let passed = facts.trials.iter().filter(|trial| trial.problem.is_empty());
        for trial in passed {
            assert_eq!(trial.psnr_db == Some(f32::INFINITY), facts.name == "ffv1", "{trial:?}");
        }
    }
}

#[tokio::test]
async fn a_maker_of_garbage_that_exits_with_0_is_found_out() {
    let Some(mut tools) = tools() else { return };
    let dir = tempfile::tempdir().unwrap();
    // The picture comes out as its own negative; whatever else it is asked, it does right.
    let body = format!(
        "for word do shift; set -- \"$@\" \"$word\"\n\
         case $word in libx264) set -- \"$@\" -filter:v:0 negate;; esac; done\nexec {} \"$@\"",
        tools.ffmpeg.display()
    );
    tools.ffmpeg = stand_in(&dir, &body);
    let (facts, _) = tried(&tools, DEVICE_MAX, &[row("libx264")]).await;
    assert!(facts[0].problem.starts_with("makes garbage: "), "{facts:?}");
    assert_eq!(facts[0].fps, None);
}

#[tokio::test]
async fn one_that_drops_frames_or_shifts_them_is_found_out() {
    let Some(tools) = tools() else { return };
    for (filter, expected) in
        [("trim=end_frame=20", "makes 20 frames of 25"), ("setpts=2*PTS", "a wrong time")]
    {
        let dir = tempfile::tempdir().unwrap();
        let body = format!(
            "for word do shift; set -- \"$@\" \"$word\"\n\
             case $word in libx264) set -- \"$@\" -filter:v:0 {filter};; esac; done\nexec {} \"$@\"",
            tools.ffmpeg.display()
        );
        let tools = Tools { ffmpeg: stand_in(&dir, &body), ..tools.clone() };
        let (facts, _) = tried(&tools, DEVICE_MAX, &[row("libx264")]).await;
        assert!(facts[0].problem.contains(expected), "{filter}: {facts:?}");
    }
}

fn tools_at(ffmpeg: PathBuf) -> Tools {
    Tools {
        ffprobe: ffmpeg.clone(),
        ffmpeg,
        version_line: "ffmpeg version 9".into(),
        probe_version_line: String::new(),
        major: 9,
        encoders: BTreeSet::from(["libx264".to_owned()]),
        filters: BTreeSet::new(),
        probe_decoders: BTreeSet::new(),
    }
}

#[tokio::test]
async fn one_that_makes_nothing_or_fails_says_how() {
    let dir = tempfile::tempdir().unwrap();
    for (body, expected) in [
        ("exit 0", "makes 0 frames of 25"),
        ("echo \"[h264_x @ 0x1] [error] Cannot load libcuda.so.1\" >&2; exit 255", "no NVIDIA driver"),
    ] {
        let (facts, _) = tried(&tools_at(stand_in(&dir, body)), DEVICE_MAX, &[row("libx264")]).await;
        assert!(facts[0].problem.ends_with(expected), "{facts:?}");
        assert_eq!(facts[0].trials.len(), 2, "by quality and by bitrate: {facts:?}");
    }
}

#[tokio::test]
async fn what_gets_no_turn_says_so_and_is_no_failure_of_the_encoder() {
    let dir = tempfile::tempdir().unwrap();
    let hangs = tools_at(stand_in(&dir, "exec sleep 60"));
    let rows = [row("libx264"), row("libx265")];
    let (facts, told) = tried(&hangs, Duration::ZERO, &rows).await;
    assert_eq!(told, 2);
    for facts in facts {
        assert_eq!((facts.problem.as_str(), facts.fps), ("", None));
        assert!(facts.trials.iter().all(|trial| trial.problem == NO_TURN), "{facts:?}");
    }
    let began = Instant::now();
    let (facts, _) = tried(&hangs, Duration::from_millis(300), &rows).await;
    assert!(began.elapsed() < COMMAND_MAX, "the device's time bounds its commands");
    assert!(facts[0].trials.iter().all(|trial| !trial.problem.is_empty()), "{facts:?}");
}

#[test]
fn every_encoder_has_its_first_trial_before_any_has_its_second() {
    let rows = [row("libx264"), row("libx265"), row("prores_ks")];
    let told: Vec<_> = tasks(None, &rows)
        .into_iter()
        .map(|task| format!("{} {} {}", task.encoder.name, task.bits, task.rate.word()))
        .collect();
    assert_eq!(
        told,
        [
            "libx264 8 quality",
            "libx265 8 quality",
            "prores_ks 10 quality",
            "libx264 8 bitrate",
            "libx265 10 quality",
            "libx265 8 bitrate",
            "libx265 10 bitrate",
        ]
    );
}

#[test]
fn what_the_queues_of_a_card_do_not_encode_is_not_tried() {
    let gpu = Gpu {
        pci: None,
        name: "Card".into(),
        vulkan: vec![0],
        render_node: None,
        nvidia: None,
        encodes: vec![Codec::Hevc],
        is_software: false,
    };
    let rows = [row("h264_vulkan"), row("hevc_vulkan"), row("ffv1_vulkan")];
    assert_eq!(unable(Some(&gpu), rows[0]).problem, "this GPU encodes no h264 with Vulkan");
    let tried: BTreeSet<_> = tasks(Some(&gpu), &rows).iter().map(|task| task.encoder.name).collect();
    assert_eq!(tried, BTreeSet::from(["ffv1_vulkan", "hevc_vulkan"]));
}
