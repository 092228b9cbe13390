//! Logs of real runs, each with the class and the cause that it must lead to.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use vc_protocol::failure::FailureClass::{Capacity, Encoder, Infrastructure, Job, Source};

use super::*;

fn ended(exit: Exit, stderr: &str) -> Ended {
    Ended { exit, stopped: None, stderr: stderr.into(), stdout: Vec::new(), is_stdout_cut: false }
}

/// Real logs, from ffmpeg 9 unless noted, with the level tags that we ask for.
#[test]
fn real_logs_get_their_class_and_a_cause_without_paths() {
    for (log, class, cause) in [
        (
            "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55e9] [error] moov atom not found\n[in#0 @ 0x55e8] [fatal] Error opening \
             input: Invalid data found when processing input\n[fatal] Error opening input file file:/m/a b.mp4.\n",
            Source,
            "moov atom not found",
        ),
        (
            "[error] file:/m/a b.mp4: Invalid data found when processing input\n",
            Source,
            "not a media file, or a damaged one (invalid data)",
        ),
        ("file:/m/a b.mp4: No such file or directory\n", Infrastructure, "No such file or directory"),
        (
            "[out#0/mp4 @ 0x5] [error] Error writing trailer: No space left on device\n[fatal] Conversion failed!\n",
            Capacity,
            "no space left on the disk",
        ),
        (
            "[h264 @ 0x1] [error] error while decoding MB 20 3, bytestream -7\n[aost#0:1/aac @ 0x2] [error] Error \
             submitting a packet to the muxer: No space left on device\n",
            Capacity,
            "no space left on the disk",
        ),
        (
            "[libx264 @ 0x1] [error] width not divisible by 2 (321x181)\n[vost#0:0/libx264 @ 0x2] [error] Error \
             while opening encoder - maybe incorrect parameters\n",
            Encoder,
            "width not divisible by 2 (321x181)",
        ),
        ("[vost#0:0 @ 0x1] [fatal] Unknown encoder 'libx266'\n", Encoder, "Unknown encoder 'libx266'"),
        (
            "[AVHWDeviceContext @ 0x1] [error] Instance creation failure: VK_ERROR_INCOMPATIBLE_DRIVER\n",
            Encoder,
            "no Vulkan driver",
        ),
        ("[h264_nvenc @ 0x1] [error] Cannot load libcuda.so.1\n", Encoder, "no NVIDIA driver"),
        (
            "[mp4 @ 0x1] [error] Could not find tag for codec theora in stream #0, codec not currently supported \
             in container\n",
            Job,
            "Could not find tag for codec theora in stream #0, codec not currently supported in container",
        ),
        ("[matroska,webm @ 0x1] [error] File ended prematurely\n", Source, "File ended prematurely"),
        ("[error] Something new about file:/m/a b.mp4 failed\n", Job, "Something new about the file failed"),
        ("[warning] deprecated pixel format\n", Job, "exit status 1 without a word"),
    ] {
        let failure = classify(&ended(Exit::Code(1), log), &["/m/a b.mp4"]);
        assert_eq!(
            (failure.class, failure.cause.as_str(), failure.by_signal),
            (class, cause, false),
            "{log}"
        );
    }
}

#[test]
fn a_signal_that_nobody_of_ours_sent_is_told_apart() {
    let killed = classify(&ended(Exit::Signal(9), "[error] moov atom not found"), &[]);
    assert_eq!((killed.class, killed.by_signal), (Job, true));
    assert_eq!(killed.cause, "killed by SIGKILL (memory?)");
    let stalled = Ended { stopped: Some(StopReason::Stalled), ..ended(Exit::Code(0), "") };
    assert!(!classify(&stalled, &[]).by_signal);
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffmpeg/fixtures")
}

/// The exit status that a log names in its first line, and the log behind it. Shells tell of a signal as 128 and more,
/// and of those only SIGABRT is no exit status of ffmpeg.
fn taken_apart(text: &str) -> (Exit, &str) {
    let (first, log) = text.split_once('\n').unwrap();
    let status = first.strip_prefix("# exit ").and_then(|rest| rest.split_once(':')).unwrap().0;
    let exit = match status.parse().unwrap() {
        134 => Exit::Signal(nix::sys::signal::Signal::SIGABRT as i32),
        code => Exit::Code(code),
    };
    (exit, log)
}

/// `UPDATE=1` writes the table anew; look at what changed.
#[test]
fn every_log_leads_to_the_class_and_cause_of_the_table() {
    let mut names: Vec<String> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".log"))
        .collect();
    names.sort();
    let mut table = String::new();
    for name in names {
        let text = fs::read_to_string(fixtures().join(&name)).unwrap();
        let (exit, log) = taken_apart(&text);
        let name = name.trim_end_matches(".log");
        let (class, cause) = match exit {
            // ffmpeg is content; what it read, or the disk, was not whole.
            Exit::Code(0) => match super::super::damage(log) {
                Some((line, _)) => ("damage", line.to_owned()),
                None => first_error(log, &["small/out.part"]).map(|f| (f.class.word(), f.cause)).unwrap(),
            },
            Exit::Code(_) | Exit::Signal(_) => {
                let failure =
                    classify(&ended(exit, log), &["absent.mp4", "good.mp4", "absent/out.part", "out.part"]);
                assert!(!failure.by_signal, "{name}");
                (failure.class.word(), failure.cause)
            }
        };
        writeln!(table, "{name:24} {class:14} {cause}").unwrap();
    }
    let path = fixtures().join("expected.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, table).unwrap();
        return;
    }
    pretty_compare(&fs::read_to_string(path).unwrap(), &table);
}

fn pretty_compare(expected: &str, found: &str) {
    for (expected, found) in expected.lines().zip(found.lines()) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected.lines().count(), found.lines().count());
}
