//! `vc-console convert`: one machine, one command, no set-up.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use vc_tests::media::{TINY, assert_whole, clip, files_below};
use vc_tests::{
    Fake, LONG, Output, Scratch, eventually, media_processes, need_ffmpeg, run, start, vc_console, wait_until,
};

use crate::{assert_no_parts, job_of, number};

/// `convert` of the folder `in` to the folder `out`, both of the test.
pub(crate) fn convert(scratch: &Scratch, more: &[&str]) -> Command {
    let mut command = vc_console(scratch);
    command.args([OsStr::new("convert"), scratch.join("in").as_os_str()]);
    command.args([OsStr::new("--out"), scratch.join("out").as_os_str()]).args(more);
    command
}

/// The same with a stand-in for ffmpeg.
pub(crate) fn convert_with(scratch: &Scratch, fake: &Fake, more: &[&str]) -> Command {
    let mut command = convert(scratch, more);
    command.env("VC_FFMPEG", fake.ffmpeg()).env("VC_FFPROBE", fake.ffprobe());
    command
}

fn words(argv: &Value) -> Vec<String> {
    let argv = argv.as_array().expect("argv is a list");
    argv.iter().map(|word| word.as_str().expect("a word of argv is text").to_owned()).collect()
}

#[test]
fn a_folder_is_converted_and_every_command_can_be_run_again() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/first.mov"), TINY);
    clip(&scratch.join("in/season 1/second.mkv"), TINY);
    fs::write(scratch.join("in/notes.txt"), "no video").unwrap();

    let output = run(&mut convert(&scratch, &["--slots", "2", "--json"])).expect_code(0);
    let document = output.json();
    assert_eq!(document["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(number(&document["totals"], "completed"), 2);
    let out = scratch.join("out");
    assert_eq!(files_below(&out), [PathBuf::from("first.mp4"), PathBuf::from("season 1/second.mp4")]);
    for name in ["first.mp4", "season 1/second.mp4"] {
        assert_whole(&out.join(name), TINY.seconds);
    }

    let job = job_of(&document["jobs"], "second.mkv");
    assert_eq!(job["state"], "completed");
    assert_eq!(job["encoder"], "libx264");
    assert!(job["output"].as_str().unwrap().ends_with("season 1/second.mp4"), "{job}");
    assert_eq!(number(job, "bytes_in"), fs::metadata(scratch.join("in/season 1/second.mkv")).unwrap().len());
    assert_eq!(number(job, "bytes_out"), fs::metadata(out.join("season 1/second.mp4")).unwrap().len());
    assert!(job["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(job["class"], Value::Null);
    assert!(job["warnings"].as_array().unwrap().is_empty(), "{job}");

    let commands = job["commands"].as_array().unwrap();
    let phases: Vec<_> = commands.iter().map(|command| command["phase"].as_str().unwrap()).collect();
    assert!(
        phases.starts_with(&["probe"]) && phases.contains(&"encode") && phases.ends_with(&["verify"]),
        "{phases:?}"
    );
    for command in commands {
        let argv = words(&command["argv"]);
        if command["phase"] == "encode" {
            let part = Path::new(argv.last().unwrap());
            assert!(
                part.to_str().unwrap().contains(".part"),
                "an encode's last word is its part file: {argv:?}"
            );
            fs::create_dir_all(part.parent().unwrap()).unwrap();
        }
        let again = run(Command::new(&argv[0]).args(&argv[1..]));
        assert_eq!(again.code, 0, "{argv:?}: {}", again.said());
    }
}

#[test]
fn nothing_is_left_of_the_throw_away_farm() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/a.mp4"), TINY);
    run(&mut convert(&scratch, &[])).expect_code(0);
    assert_eq!(files_below(&scratch.join("tmp")), Vec::<PathBuf>::new());
    assert_eq!(files_below(&scratch.join("xdg")), Vec::<PathBuf>::new());
    assert_no_parts(&scratch.join("out"));
    assert!(!scratch.join("out/.vc-tmp").exists(), "an empty folder for part files is left behind");
}

#[test]
fn off_a_terminal_it_speaks_plain_lines_and_ends_with_the_sums() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/a.mp4"), TINY);
    let output = run(&mut convert(&scratch, &[])).expect_code(0);
    assert!(!output.said().contains('\u{1b}'), "an escape code: {:?}", output.said());
    let last: Vec<_> = output.stdout.lines().rev().take(6).collect();
    let last = last.join("\n");
    for word in ["completed", "skipped", "failed"] {
        assert!(last.contains(word), "the last lines do not count what is {word}: {}", output.said());
    }
}

#[test]
fn one_broken_source_fails_with_its_cause_and_the_others_go_on() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/good.mp4"), TINY);
    fs::write(scratch.join("in/broken.mp4"), "this is no video, whatever it is called").unwrap();
    let output = run(&mut convert(&scratch, &["--json"])).expect_code(10);
    let document = output.json();
    assert_eq!(job_of(&document["jobs"], "good.mp4")["state"], "completed");
    let broken = job_of(&document["jobs"], "broken.mp4");
    assert_eq!(
        (broken["state"].as_str(), broken["class"].as_str()),
        (Some("failed"), Some("source")),
        "{broken}"
    );
    assert!(!broken["cause"].as_str().unwrap().is_empty());
    assert_eq!((number(&document["totals"], "completed"), number(&document["totals"], "failed")), (1, 1));
    assert_eq!(files_below(&scratch.join("out")), [PathBuf::from("good.mp4")]);

    // For people the cause stands in the last lines.
    let plain = run(&mut convert(&scratch, &[])).expect_code(10);
    assert!(plain.stdout.contains(broken["cause"].as_str().unwrap()), "{}", plain.said());
}

#[test]
fn what_is_there_already_is_kept_and_said() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/a.mkv"), TINY);
    run(&mut convert(&scratch, &[])).expect_code(0);
    let before = fs::read(scratch.join("out/a.mp4")).unwrap();
    let document = run(&mut convert(&scratch, &["--json"])).expect_code(0).json();
    let job = job_of(&document["jobs"], "a.mkv");
    assert_eq!(job["state"], "skipped", "{job}");
    assert!(job["cause"].as_str().is_some_and(|cause| cause.contains("already")), "{job}");
    assert_eq!(number(&document["totals"], "skipped"), 1);
    assert_eq!(fs::read(scratch.join("out/a.mp4")).unwrap(), before);
}

#[test]
fn wrong_usage_ends_with_2() {
    let scratch = Scratch::new();
    scratch.folder("in");
    let wrong = [
        vec!["convert"],
        vec!["convert", "in"],
        vec!["convert", "in", "--out", "out", "--slots", "0"],
        vec!["convert", "in", "--out", "out", "--profile", "no-such-profile"],
        vec!["convert", "in", "--out", "out", "--no-such-flag"],
        vec!["no-such-command"],
    ];
    for words in wrong {
        let output = run(vc_console(&scratch).args(&words));
        assert_eq!(output.code, 2, "{words:?}: {}", output.said());
        assert!(!output.stderr.is_empty(), "{words:?} is refused without a word");
    }
}

/// Interrupts a conversion whose ffmpeg is busy; how long until the program and every child were gone.
fn interrupt(mode: &str) -> Duration {
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode(mode);
    clip(&scratch.join("in/a.mp4"), TINY);
    clip(&scratch.join("in/b.mp4"), TINY);
    let running = start(&mut convert_with(&scratch, &fake, &["--slots", "2"]), &scratch.join("logs"));
    fake.wait_encodes(2);

    let asked = Instant::now();
    running.signal(Signal::SIGINT);
    let output = running.wait(LONG);
    wait_until("every ffmpeg is gone", LONG, || media_processes(scratch.path()).is_empty());
    let gone = asked.elapsed();
    assert_eq!(output.code, 130, "{}", output.said());
    assert_eq!(files_below(&scratch.join("out")), Vec::<PathBuf>::new());
    gone
}

#[test]
fn ctrl_c_ends_it_with_130_and_leaves_no_ffmpeg_and_no_part_file() {
    need_ffmpeg!();
    let polite = interrupt("hang@0.4");
    let stubborn = interrupt("ignore-term hang@0.4");
    eprintln!("ctrl-c to the last child gone: {polite:?}, with children that ignore SIGTERM {stubborn:?}");
    // Two seconds are promised for the children; a busy machine may need longer for the rest of the end.
    assert!(
        polite < Duration::from_secs(10) && stubborn < Duration::from_secs(15),
        "{polite:?} {stubborn:?}"
    );
}

#[test]
fn ctrl_c_while_it_starts_leaves_nothing_in_the_temporary_folder() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("hang@0.4");
    clip(&scratch.join("in/a.mp4"), TINY);
    let temporary = scratch.join("tmp");
    std::fs::create_dir(&temporary).expect("a folder can be made");
    let mut command = convert_with(&scratch, &fake, &[]);
    let running = start(command.env("TMPDIR", &temporary), &scratch.join("logs"));
    let entries = || std::fs::read_dir(&temporary).expect("it can be listed").count();
    wait_until("its folder is there", LONG, || entries() > 0);
    running.signal(Signal::SIGINT);
    let output = running.wait(LONG);
    assert_eq!(output.code, 130, "{}", output.said());
    assert_eq!(entries(), 0);
    assert_eq!(files_below(&scratch.join("out")), Vec::<PathBuf>::new());
}

#[test]
fn ctrl_c_leaves_what_was_completed() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("hang@0.4 for stuck\nok");
    clip(&scratch.join("in/done.mp4"), TINY);
    clip(&scratch.join("in/stuck.mp4"), TINY);
    let running = start(&mut convert_with(&scratch, &fake, &["--slots", "2"]), &scratch.join("logs"));
    fake.wait_encodes(2);
    wait_until("one of the two is completed", LONG, || scratch.join("out/done.mp4").exists());
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait(LONG).code, 130);
    assert_eq!(files_below(&scratch.join("out")), [PathBuf::from("done.mp4")]);
    assert_whole(&scratch.join("out/done.mp4"), TINY.seconds);
}

#[test]
fn killed_outright_it_leaves_no_ffmpeg() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("ignore-term hang@0.4");
    clip(&scratch.join("in/a.mp4"), TINY);
    let running = start(&mut convert_with(&scratch, &fake, &[]), &scratch.join("logs"));
    fake.wait_encodes(1);
    let _: Output = running.kill();
    let bound = Duration::from_secs(5);
    let gone = eventually(bound, || media_processes(scratch.path()).is_empty().then_some(()));
    assert!(gone.is_some(), "an ffmpeg outlives its agent: {:?}", media_processes(scratch.path()));
}

#[test]
fn a_state_folder_that_is_given_stays() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/a.mp4"), TINY);
    let state = scratch.join("state");
    let mut command = convert(&scratch, &["--state-dir"]);
    run(command.arg(&state).stdin(Stdio::null())).expect_code(0);
    assert!(!files_below(&state).is_empty(), "the table was asked for, and is gone");
}

#[test]
fn each_built_in_profile_works() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/a.mp4"), TINY);
    for (profile, codec) in [("hevc-quality", "hevc"), ("av1-archive", "av1"), ("remux", "h264")] {
        let out = scratch.join(profile);
        let mut command = vc_console(&scratch);
        command.arg("convert").arg(scratch.join("in")).arg("--out").arg(&out).args([
            "--profile",
            profile,
            "--json",
        ]);
        let document = run(&mut command).expect_code(0).json();
        assert_eq!(document["jobs"][0]["state"], "completed", "{document}");
        let found = vc_tests::media::probe(&out.join("a.mkv")).expect("the output is a media file");
        assert_eq!(found["streams"][0]["codec_name"], codec);
    }
}
