//! Real children: stopping, stalling, flooding, forking.

#![allow(clippy::unwrap_used, reason = "tests fail by panics, and say aloud what they skip")]

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use vc_agent::process::{
    Block, Ended, Exit, Invocation, Limits, Sinks, Spawner, Stdout, StopReason, Stopper,
};

/// What a cancel may take, as promised.
const STOP_MAX: Duration = Duration::from_secs(2);

fn shell(script: &str) -> Invocation {
    Invocation::new(Path::new("/bin/sh"), vec![OsString::from("-c"), OsString::from(script)])
}

/// Runs a script; stops it for this reason once it has printed `ready`.
async fn run(script: &str, limits: Limits, stop_when_ready: &[StopReason]) -> (Ended, Duration) {
    let spawner = Spawner::start(None).unwrap();
    let (stopper, stop) = Stopper::new();
    let mut stopped_at = None;
    let mut stderr = |bytes: &[u8]| {
        if stopped_at.is_none() && bytes.windows(5).any(|w| w == b"ready") {
            stopped_at = Some(Instant::now());
            stop_when_ready.iter().for_each(|reason| stopper.stop(*reason));
        }
    };
    let sinks = Sinks { stdout: Stdout::Keep { bytes_max: 1000 }, stderr: &mut stderr };
    let call = shell(script);
    let running = spawner.run(&call, limits, sinks, &stop);
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await.expect("it ends").unwrap();
    (ended, stopped_at.map_or(Duration::ZERO, |at| at.elapsed()))
}

#[tokio::test]
async fn output_status_and_environment_are_as_they_should() {
    let script = "echo out; echo err >&2; pwd; echo \"[$CARGO_PKG_NAME]\"; ulimit -c; exit 3";
    let (ended, _) = run(script, Limits::default(), &[]).await;
    assert_eq!((ended.exit, ended.stopped, ended.is_clean()), (Exit::Code(3), None, false));
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "out\n/\n[]\n0\n");
    assert_eq!(ended.stderr, "err\n");
}

#[tokio::test]
async fn a_child_that_ignores_the_signal_is_gone_in_two_seconds_with_all_it_forked() {
    let script = "trap '' TERM; sh -c \"trap '' TERM; sleep 600\" & echo $! >&2; echo ready >&2; while :; do sleep 600; done";
    let (ended, took) = run(script, Limits::default(), &[StopReason::Cancelled]).await;
    assert_eq!((ended.exit, ended.stopped), (Exit::Signal(9), Some(StopReason::Cancelled)));
    assert!(took < STOP_MAX, "{took:?}");
    let forked = ended.stderr.lines().next().unwrap();
    let state = std::fs::read_to_string(format!("/proc/{forked}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[tokio::test]
async fn a_stop_that_was_asked_for_is_no_success_even_with_status_0() {
    let (ended, took) = run(
        "trap 'exit 0' TERM; echo ready >&2; while :; do sleep 0.01; done",
        Limits::default(),
        &[StopReason::Cancelled],
    )
    .await;
    assert_eq!((ended.exit, ended.stopped), (Exit::Code(0), Some(StopReason::Cancelled)));
    assert!(!ended.is_clean() && took < STOP_MAX);
}

#[tokio::test]
async fn asked_twice_there_is_no_grace() {
    let script = "trap '' TERM; echo ready >&2; while :; do sleep 600; done";
    let (ended, took) = run(script, Limits::default(), &[StopReason::Shutdown, StopReason::Now]).await;
    assert_eq!((ended.exit, ended.stopped), (Exit::Signal(9), Some(StopReason::Now)));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_child_that_floods_both_pipes_is_bounded_and_still_stopped() {
    let script = "trap '' TERM; echo ready >&2; yes >&2 & yes";
    let (ended, took) = run(script, Limits::default(), &[StopReason::Cancelled]).await;
    assert_eq!(ended.stopped, Some(StopReason::Cancelled));
    assert!(took < STOP_MAX, "{took:?}");
    assert!(ended.stdout.len() == 1000 && ended.is_stdout_cut && ended.stderr.len() < 100_000);
    assert!(ended.stderr.starts_with("ready\n") && ended.stderr.contains("bytes left out]"));
}

#[tokio::test]
async fn a_child_that_leaves_one_behind_in_another_group_does_not_keep_us() {
    let began = Instant::now();
    let (ended, _) = run("setsid sleep 3 & echo done", Limits::default(), &[]).await;
    assert_eq!((ended.exit, ended.stdout), (Exit::Code(0), b"done\n".to_vec()));
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn standing_still_ends_a_child_and_advance_does_not() {
    let spawner = Spawner::start(None).unwrap();
    let (_stopper, stop) = Stopper::new();
    let limits = Limits { stall: Some(Duration::from_millis(600)), ..Limits::default() };
    // Ten steps of advance over a second, then the same block again and again.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo frame=$i; echo progress=continue; sleep 0.1; done; \
                  while :; do echo frame=10; echo progress=continue; sleep 0.1; done";
    let mut blocks: Vec<Block> = Vec::new();
    let mut tell = |block| {
        blocks.push(block);
        ControlFlow::Continue(())
    };
    let sinks = Sinks { stdout: Stdout::Progress(&mut tell), stderr: &mut |_| {} };
    let ended = spawner.run(&shell(script), limits, sinks, &stop).await.unwrap();
    assert_eq!(ended.stopped, Some(StopReason::Stalled));
    assert_eq!(blocks.iter().filter_map(|b| b.frames).max(), Some(10));
}

#[tokio::test]
async fn whoever_takes_its_progress_may_end_a_child() {
    let spawner = Spawner::start(None).unwrap();
    let (_stopper, stop) = Stopper::new();
    let script = "n=0; while :; do n=$((n+1)); echo frame=$n; echo progress=continue; sleep 0.05; done";
    let mut tell = |block: Block| match block.frames {
        Some(frames) if frames >= 3 => ControlFlow::Break(()),
        Some(_) | None => ControlFlow::Continue(()),
    };
    let sinks = Sinks { stdout: Stdout::Progress(&mut tell), stderr: &mut |_| {} };
    let ended = spawner.run(&shell(script), Limits::default(), sinks, &stop).await.unwrap();
    assert_eq!(ended.stopped, Some(StopReason::Unwanted));
}

#[tokio::test]
async fn a_child_that_takes_too_long_is_ended() {
    let limits = Limits { total: Some(Duration::from_millis(200)), ..Limits::default() };
    let (ended, _) = run("sleep 600", limits, &[]).await;
    assert_eq!(ended.stopped, Some(StopReason::Overtime));
}

#[tokio::test]
async fn dropping_the_run_kills_the_group() {
    let dir = tempfile::tempdir().unwrap();
    let spawner = Spawner::start(Some(dir.path().to_owned())).unwrap();
    let (_stopper, stop) = Stopper::new();
    let call = shell("sleep 600 & sleep 600");
    let sinks = Sinks { stdout: Stdout::Keep { bytes_max: 0 }, stderr: &mut |_| {} };
    let running = spawner.run(&call, Limits::default(), sinks, &stop);
    assert!(tokio::time::timeout(Duration::from_millis(300), running).await.is_err());
    // The record of the child is gone with the guard, and so is its group.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error_with_its_name() {
    let spawner = Spawner::start(None).unwrap();
    let (_stopper, stop) = Stopper::new();
    let sinks = Sinks { stdout: Stdout::Keep { bytes_max: 0 }, stderr: &mut |_| {} };
    let call = Invocation::new(Path::new("/nonexistent/ffmpeg"), Vec::new());
    let error = spawner.run(&call, Limits::default(), sinks, &stop).await.unwrap_err();
    assert_eq!(error.to_string(), "start /nonexistent/ffmpeg");
}
