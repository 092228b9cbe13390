//! Measured quality, the size guard and the floor under an output's likeness, with the real ffmpeg of this box.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    reason = "tests fail by panics, and say aloud what they skip"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use support::{Box, Console, committed, profile, report};
use vc_agent::ffmpeg::Tools;
use vc_agent::process::{StopReason, Stopper};
use vc_protocol::agent::{CommandPhase, Metric, Outcome, Report};
use vc_protocol::failure::FailureClass;
use vc_protocol::profile::{Container, Profile, SizeGuard, VideoCodec};
use vc_protocol::progress::Phase;

/// Moves everywhere, and has grain: quality makes a difference.
const PICTURE: &str = "testsrc2=s=320x180:r=25:d={d},noise=alls=12:allf=t";

fn clip(on: &Box, name: &str, seconds: u32) {
    let picture = PICTURE.replace("{d}", &seconds.to_string());
    on.make(name, &format!("-f lavfi -i {picture} -c:v libx264 -preset ultrafast -crf 12 -f mp4"));
}

fn wish(vmaf: Option<f64>, ssim: Option<f64>) -> Profile {
    let mut wish = profile(Container::Mkv, VideoCodec::H264);
    (wish.video.crf, wish.video.target_vmaf, wish.video.target_ssim) = (None, vmaf, ssim);
    wish
}

fn has_vmaf(on: &Box) -> bool {
    let has = on.context.tools.filters.contains("libvmaf");
    if !has {
        eprintln!("SKIPPED: this ffmpeg has no libvmaf");
    }
    has
}

/// What the last encode was told after `-crf`.
fn crf(report: &Report) -> f64 {
    let encode = report.commands.iter().rfind(|command| command.phase == CommandPhase::Encode).unwrap();
    let at = encode.argv.iter().position(|word| word.0 == b"-crf:0").unwrap();
    std::str::from_utf8(&encode.argv[at + 1].0).unwrap().parse().unwrap()
}

/// A box whose ffmpeg is a script that may call the real one as `$real`.
fn with_script(mut on: Box, script: &str) -> Box {
    use std::os::unix::fs::PermissionsExt;
    let path = on.dir.path().join("ffmpeg");
    let real = on.context.tools.ffmpeg.display();
    std::fs::write(&path, format!("#!/bin/sh\nreal='{real}'\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    on.context.tools = Arc::new(Tools { ffmpeg: path, ..(*on.context.tools).clone() });
    on
}

fn nothing_is_left(on: &Box, output: impl AsRef<Path>) {
    assert!(!on.output(output).exists());
    assert_eq!(on.leftovers(), [""; 0]);
}

#[tokio::test]
async fn a_score_is_met_by_the_quality_that_samples_have_shown() {
    let Some(on) = Box::new() else { return };
    if !has_vmaf(&on) {
        return;
    }
    clip(&on, "a.mp4", 21);
    let console = Console::default();
    let (_stopper, stop) = Stopper::new();
    let offer = on.offer("a.mp4", "a.mkv", wish(Some(85.0), None));
    let report = report(on.run(&offer, &console, stop).await);
    committed(&report);
    let found = report.quality.clone().unwrap();
    assert_eq!((found.metric, found.target), (Metric::Vmaf, 85.0));
    assert!((found.predicted - 85.0).abs() < 2.0 && found.tried.len() <= 5, "{found:?}");
    assert!((crf(&report) - found.quality).abs() < 0.01, "{found:?}");
    assert_eq!(report.warnings, [""; 0]);
    let samples = report.commands.iter().filter(|command| command.phase == CommandPhase::Sample).count();
    assert!(samples >= 13, "six places, encoded and compared: {samples}");
    let seen = console.seen.lock().unwrap();
    let shares: Vec<u16> = seen.iter().filter(|p| p.phase == Phase::Sampling).map(|p| p.permille).collect();
    assert!(shares.len() > 6 && shares.is_sorted(), "{shares:?}");
    assert!(report.phases.iter().any(|(phase, ms)| *phase == Phase::Sampling && *ms > 0));
    assert_eq!(on.leftovers(), [""; 0]);
}

#[tokio::test]
async fn without_libvmaf_an_ssim_stands_for_it_and_the_job_says_so() {
    let Some(mut on) = Box::new() else { return };
    clip(&on, "a.mp4", 1);
    let mut tools = (*on.context.tools).clone();
    tools.filters.remove("libvmaf");
    on.context.tools = Arc::new(tools);
    let report = on.convert(&on.offer("a.mp4", "a.mkv", wish(Some(90.0), None))).await;
    committed(&report);
    let found = report.quality.unwrap();
    assert_eq!((found.metric, found.target), (Metric::Ssim, 0.988));
    assert!((found.predicted - 0.988).abs() < 0.005, "{found:?}");
    assert_eq!(report.warnings, ["this ffmpeg has no libvmaf: SSIM 0.988 stands for VMAF 90"]);
}

#[tokio::test]
async fn a_score_out_of_reach_takes_the_end_of_the_scale_with_a_warning() {
    let Some(on) = Box::new() else { return };
    clip(&on, "a.mp4", 1);
    let best = on.convert(&on.offer("a.mp4", "best.mkv", wish(None, Some(0.99999)))).await;
    committed(&best);
    assert_eq!((crf(&best), best.warnings.len()), (6.0, 1), "{:?}", best.warnings);
    assert!(
        best.warnings[0].starts_with("SSIM 1.000 cannot be reached: the best quality"),
        "{:?}",
        best.warnings
    );
    let worst = on.convert(&on.offer("a.mp4", "worst.mkv", wish(None, Some(0.1)))).await;
    committed(&worst);
    assert_eq!((crf(&worst), worst.warnings.len()), (46.0, 1), "{:?}", worst.warnings);
}

#[tokio::test]
async fn a_stop_while_samples_are_measured_leaves_nothing() {
    let Some(on) = Box::new() else { return };
    clip(&on, "a.mp4", 14);
    let console = Console::default();
    let (stopper, stop) = Stopper::new();
    let offer = on.offer("a.mp4", "a.mkv", wish(None, Some(0.98)));
    let stopping = async {
        console
            .until(|console| {
                let seen = console.seen.lock().unwrap();
                seen.iter().any(|p| p.phase == Phase::Sampling && p.permille > 0)
            })
            .await;
        stopper.stop(StopReason::Cancelled);
    };
    let (end, ()) = tokio::join!(on.run(&offer, &console, stop), stopping);
    assert_eq!(report(end).outcome, Outcome::Stopped);
    nothing_is_left(&on, "a.mkv");
}

#[tokio::test]
async fn an_output_that_saves_too_little_is_not_worth_it() {
    let Some(on) = Box::new() else { return };
    clip(&on, "a.mp4", 1);
    let mut wish = profile(Container::Mkv, VideoCodec::H264);
    (wish.video.crf, wish.guard) = (Some(1), Some(SizeGuard { min_saving_percent: 5 }));
    let report = on.convert(&on.offer("a.mp4", "a.mkv", wish.clone())).await;
    match &report.outcome {
        Outcome::Skipped(why) => {
            assert!(why.starts_with("not worth it: ") && why.contains(" instead of "), "{why}")
        }
        other => panic!("{other:?}"),
    }
    nothing_is_left(&on, "a.mkv");
    wish.video.crf = Some(40);
    committed(&on.convert(&on.offer("a.mp4", "a.mkv", wish)).await);
}

#[tokio::test]
async fn a_hopeless_encode_is_stopped_before_its_end() {
    let Some(on) = Box::new() else { return };
    clip(&on, "a.mp4", 10);
    // Half of the way with five times the bytes of the source, for as long as it is let.
    let on = with_script(
        on,
        "while :; do printf 'frame=125\\ntotal_size=50000000\\nout_time_us=5000000\\nprogress=continue\\n'; sleep 0.3; done",
    );
    let mut wish = profile(Container::Mkv, VideoCodec::H264);
    wish.guard = Some(SizeGuard { min_saving_percent: 5 });
    let report = on.convert(&on.offer("a.mp4", "a.mkv", wish)).await;
    match &report.outcome {
        Outcome::Skipped(why) => {
            assert!(why.starts_with("not worth it: about 100 MB instead of "), "{why}");
            assert!(why.ends_with("stopped at 50 %"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    nothing_is_left(&on, "a.mkv");
}

#[tokio::test]
async fn an_output_unlike_its_source_is_refused_and_a_likely_one_is_not() {
    let Some(on) = Box::new() else { return };
    on.make(
        "late.mp4",
        "-f lavfi -i sine=d=21 -itsoffset 0.5 -f lavfi -i testsrc2=s=320x180:r=25:d=20.5 -map 1 -map 0 -c:v mpeg4 -q:v 3 -c:a aac -f mp4",
    );
    let mut wish = profile(Container::Mp4, VideoCodec::H264);
    wish.min_ssim = Some(0.9);
    committed(&on.convert(&on.offer("late.mp4", "a.mp4", wish.clone())).await);
    wish.min_ssim = Some(0.99999);
    let report = on.convert(&on.offer("late.mp4", "b.mp4", wish)).await;
    match &report.outcome {
        Outcome::Failed(failure) => {
            assert_eq!(failure.class, FailureClass::Encoder);
            assert!(failure.cause.contains("against the source, 0.99999 is the least"), "{}", failure.cause);
        }
        other => panic!("{other:?}"),
    }
    nothing_is_left(&on, "b.mp4");
}

/// VMAF of a whole output against its source, of the same size.
fn vmaf_of_all(on: &Box, output: &Path, source: &Path) -> f64 {
    let graph = "[0:v:0]format=yuv420p10le,settb=1/25,setpts=N[a];[1:v:0]format=yuv420p10le,settb=1/25,setpts=N[b];\
                 [a][b]libvmaf=n_threads=2";
    let said = std::process::Command::new(&on.context.tools.ffmpeg)
        .args(["-nostdin", "-hide_banner", "-nostats", "-v", "info", "-i"])
        .arg(output)
        .arg("-i")
        .arg(source)
        .args(["-fps_mode", "passthrough", "-lavfi", graph, "-f", "null", "-"])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&said.stderr).into_owned();
    vc_agent::quality::score(Metric::Vmaf, &log).unwrap_or_else(|| panic!("{log}"))
}

/// Prints how far the score of whole outputs is from the predicted one, for every clip in the folder that `VC_CLIPS`
/// names: `VC_CLIPS=… cargo test -p vc-agent --test quality -- --ignored --nocapture`
#[tokio::test]
#[ignore = "takes minutes, and clips that are no part of the project"]
async fn the_score_of_a_whole_output_is_near_the_predicted_one() {
    let Some(folder) = std::env::var_os("VC_CLIPS") else {
        return eprintln!("SKIPPED: VC_CLIPS names no folder");
    };
    let Some(on) = Box::new() else { return };
    if !has_vmaf(&on) {
        return;
    }
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut errors = Vec::new();
    for name in names.iter().filter(|name| Path::new(name).extension().is_some_and(|ext| ext != "md")) {
        std::fs::copy(Path::new(&folder).join(name), on.source(name)).unwrap();
        for (codec, target) in [(VideoCodec::H264, 90.0), (VideoCodec::Hevc, 90.0), (VideoCodec::Av1, 85.0)] {
            let mut wish = profile(Container::Mkv, codec);
            (wish.video.crf, wish.video.target_vmaf) = (None, Some(target));
            let output = format!("{codec:?}-{}.mkv", name.display());
            let (_stopper, stop) = Stopper::new();
            let (offer, console) = (on.offer(name, &output, wish), Console::default());
            let report = report(on.run_within(Duration::from_secs(600), &offer, &console, stop).await);
            let (Outcome::Committed(_), Some(found)) = (&report.outcome, &report.quality) else {
                eprintln!("{output}: {:?}", report.outcome);
                continue;
            };
            let is = vmaf_of_all(&on, &on.output(&output), &on.source(name));
            let spent =
                |phase| report.phases.iter().filter(|(p, _)| *p == phase).map(|(_, ms)| ms).sum::<u64>();
            let (sampling, encoding) = (spent(Phase::Sampling), spent(Phase::Encoding));
            eprintln!(
                "{output}: {} {} predicted {:.2} is {is:.2} error {:+.2}, {} tries, sampled {sampling} ms, encoded {encoding} ms",
                report.encoder,
                found.quality,
                found.predicted,
                is - found.predicted,
                found.tried.len()
            );
            errors.push((is - found.predicted).abs());
        }
    }
    let worst = errors.iter().fold(0.0_f64, |a, b| a.max(*b));
    eprintln!(
        "{} outputs: mean error {:.2}, worst {worst:.2}",
        errors.len(),
        errors.iter().sum::<f64>() / errors.len() as f64
    );
    assert!(worst <= 2.0);
}
