//! The farm against `xargs -P2` on the same command lines: what scheduling, two TLS connections and a durable table
//! cost beside ffmpeg itself.
//!
//! `cargo build --release --bins && cargo bench -p vc-tests --bench against_xargs [-- many|long]`
//!
//! Two sets of clips: many short ones (60 of 3 s, 320x180) and few long ones (8 of 60 s, 720p). For each, three rounds
//! of: the farm with two slots; xargs over *all* commands that the farm has just reported, one shell line a job; xargs
//! over the encodes alone. The order turns from round to round, since the first runner meets a colder machine. Each
//! clip is read once before, so that no one pays for the disk.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use serde_json::Value;
use vc_tests::media::{Clip, clip};
use vc_tests::{Scratch, real_ffmpeg, vc_console, vc_console_path};

const ROUNDS: usize = 3;
const SLOTS: &str = "2";

/// A set of clips.
struct Set {
    name: &'static str,
    count: usize,
    clip: Clip,
}

const SETS: [Set; 2] = [
    Set { name: "many", count: 60, clip: Clip { seconds: 3.0, size: "320x180", sound: true } },
    Set { name: "long", count: 8, clip: Clip { seconds: 60.0, size: "1280x720", sound: true } },
];

/// One round: seconds of the farm, of xargs over all commands, of xargs over the encodes.
#[derive(Clone, Copy, Default)]
struct Round {
    farm: f64,
    all: f64,
    encodes: f64,
}

fn main() -> ExitCode {
    let Some(_) = real_ffmpeg() else {
        eprintln!("skipped: no ffmpeg");
        return ExitCode::SUCCESS;
    };
    if !vc_console_path().to_string_lossy().contains("release") {
        eprintln!("this measures {}: is that the build you want to know about?", vc_console_path().display());
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for set in SETS.iter().filter(|set| wanted.is_empty() || wanted.iter().any(|name| name == set.name)) {
        measure(set);
    }
    ExitCode::SUCCESS
}

fn measure(set: &Set) {
    let Set { name, count, clip: Clip { seconds, size, .. } } = set;
    println!("{name}: {count} clips of {seconds} s, {size}");
    let scratch = Scratch::new();
    for n in 0..*count {
        clip(&scratch.join(format!("in/{n:03}.mp4")), set.clip);
    }
    // The first run is not counted: it brings programs and clips into memory, and tells the commands.
    let (_, commands) = farm(&scratch);
    let mut rounds = [Round::default(); ROUNDS];
    for (n, round) in rounds.iter_mut().enumerate() {
        for turn in 0..3 {
            match (n + turn) % 3 {
                0 => round.farm = farm(&scratch).0,
                1 => round.all = xargs(&scratch, &commands, |_| true),
                _ => round.encodes = xargs(&scratch, &commands, |phase| phase == "encode"),
            }
        }
        let Round { farm, all, encodes } = *round;
        println!(
            "  round {}: farm {farm:.2} s, xargs over all commands {all:.2} s ({:.3}), over encodes {encodes:.2} s ({:.3})",
            n + 1,
            farm / all,
            farm / encodes
        );
    }
    let all = median(rounds.map(|round| round.farm / round.all));
    let encodes = median(rounds.map(|round| round.farm / round.encodes));
    println!(
        "  farm / xargs, median of {ROUNDS}: {all:.3} over all commands, {encodes:.3} over encodes alone"
    );
}

fn median(mut ratios: [f64; ROUNDS]) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

/// Converts the clips; its wall time, and the commands of each job as phases with shell words.
fn farm(scratch: &Scratch) -> (f64, Vec<Vec<(String, String)>>) {
    let out = fresh(scratch.join("out"));
    let mut command = vc_console(scratch);
    command.arg("convert").arg(scratch.join("in")).arg("--out").arg(&out).args(["--slots", SLOTS, "--json"]);
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("vc-console starts");
    let wall = start.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("convert prints JSON");
    let jobs = document["jobs"].as_array().expect("a list of jobs");
    (wall, jobs.iter().map(commands).collect())
}

fn commands(job: &Value) -> Vec<(String, String)> {
    assert_eq!(job["state"], "completed", "{job}");
    let commands = job["commands"].as_array().expect("a list of commands");
    commands
        .iter()
        .map(|command| {
            let words = command["argv"].as_array().expect("a list of words");
            let words: Vec<_> =
                words.iter().map(|word| quoted(word.as_str().expect("a word is text"))).collect();
            (command["phase"].as_str().expect("a phase is text").to_owned(), words.join(" "))
        })
        .collect()
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Runs the wanted commands with xargs, one shell a job; the wall time.
fn xargs(scratch: &Scratch, jobs: &[Vec<(String, String)>], wanted: impl Fn(&str) -> bool) -> f64 {
    // Where the farm has its part files; the encodes name them.
    let out = fresh(scratch.join("out"));
    fs::create_dir_all(out.join(vc_protocol::job::TEMP_FOLDER)).expect("a folder for part files can be made");
    let mut lines = String::new();
    for job in jobs {
        let line: Vec<_> =
            job.iter().filter(|(phase, _)| wanted(phase)).map(|(_, words)| words.as_str()).collect();
        write!(lines, "{{ {}; }} >/dev/null\0", line.join(" && ")).expect("a string can be written");
    }
    let start = Instant::now();
    let mut child = Command::new("xargs")
        .args(["-0", "-P", SLOTS, "-n", "1", "sh", "-c"])
        .current_dir(scratch.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("xargs starts");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin.write_all(lines.as_bytes()).expect("xargs reads");
    drop(stdin);
    let status = child.wait().expect("xargs can be waited for");
    let wall = start.elapsed().as_secs_f64();
    assert!(status.success(), "xargs: {status}");
    let made = fs::read_dir(out.join(vc_protocol::job::TEMP_FOLDER)).map(Iterator::count).unwrap_or_default();
    assert_eq!(made, jobs.len(), "the commands do not make what the farm made");
    wall
}

/// An empty folder in place of whatever is there.
fn fresh(folder: PathBuf) -> PathBuf {
    remove(&folder);
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

fn remove(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("a folder can be removed");
    }
}
