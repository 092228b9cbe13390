//! A stand-in for ffmpeg that hangs, lies, floods, forks and ignores signals on request, and passes everything else on
//! to the real one.
//!
//! It takes part in *encodes* only, told by the part file that they write, and in trials of encoders where an order is
//! `for trial`; any other command (`-version`, `-encoders`, checks of an output) goes to the real ffmpeg as it is. Its
//! orders lie beside its program, since agents clean the
//! environment: `ffmpeg.real` holds the path of the real one, `ffmpeg.mode` lines `MODE… [for TEXT]`, of which the
//! first counts whose text is in the command line. Each encode adds its command line to `ffmpeg.log` as JSON.
//!
//! | mode | what it does |
//! | --- | --- |
//! | `ok` | nothing of its own |
//! | `exit=N` | ends with code N and an error line |
//! | `short=F` | encodes only that share of the source, and ends well |
//! | `hang@F` | encodes nothing, says it has got that far, and stands still |
//! | `slow=F` | takes 1/F of the source's length before it does the work |
//! | `gate` | goes on saying that it advances until `ffmpeg.open` is there, then does the work |
//! | `crash=SEGV` | dies of that signal |
//! | `stderr=FILE` | prints that file first |
//! | `ignore-term` | no SIGTERM or SIGINT reaches it |
//! | `fork` | leaves a child behind that holds its outputs open |
//! | `enospc` | ends as on a full disk |
//! | `garbage` | writes rubbish and ends well |
//! | `negate` | encodes the negative of the picture, and ends well |
//! | `reach@F` | says that it has got that far, and goes on with the next order |
//! | `log=FILE` | prints that log and ends with the status in its first line, as in `agent/src/ffmpeg/fixtures` |
//! | `version=TEXT` | says that it is that version |
//!
//! Knows nothing of the farm but the ending of a part file's name.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that plays another one speaks as that one does"
)]

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, raise};

/// How often it says how far it is; the real one does so every half second unless told otherwise.
const STEP: Duration = Duration::from_millis(100);
/// Seconds of output that it pretends to have made with each step while it only passes the time: a tenth of real time,
/// so that a clip of two seconds is not over before a test has looked.
const STEP_SECONDS: f64 = 0.01;

/// First argument of the child that `fork` leaves behind.
const HOLD: &str = "--hold";

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == HOLD) {
        stand_still();
    }
    let folder = own_folder();
    let real = real_program(&folder);
    let orders = orders(&folder, &words);
    if let Some(version) = value(&orders, "version")
        && words.iter().any(|word| word == "-version")
    {
        println!("ffmpeg version {version} Copyright (c) 2000-2019 the FFmpeg developers");
        return ExitCode::SUCCESS;
    }
    if !is_encode(&words) && !is_wanted_trial(&folder, &words) {
        return become_real(&real, &words);
    }
    log(&folder, &words);
    play(&orders, &folder, &real, words)
}

/// Does what the orders say, one after the other; those that do not end it lead to the real encode.
fn play(orders: &[String], folder: &Path, real: &Path, mut words: Vec<OsString>) -> ExitCode {
    for order in orders {
        let (name, argument) = order.split_once(['=', '@']).unwrap_or((order, ""));
        match name {
            "exit" => {
                eprintln!("[fake @ 0x1] told to end with {argument}");
                return ExitCode::from(argument.parse::<u8>().unwrap_or(1));
            }
            "enospc" => {
                eprintln!("[out#0/mp4 @ 0x1] Error writing trailer: No space left on device");
                return ExitCode::from(228);
            }
            "garbage" => {
                if let Some(output) = words.last() {
                    drop(fs::write(output, [0x5a; 4096]));
                }
                say_progress(10, 1.0, "end");
                return ExitCode::SUCCESS;
            }
            "crash" => {
                let signal = Signal::from_str(&format!("SIG{argument}")).unwrap_or(Signal::SIGSEGV);
                // Rust's own handler takes the first SIGSEGV, to look for a full stack, and gives way to the second.
                let _ = raise(signal).and_then(|()| raise(signal));
            }
            "hang" => {
                let reached = fraction(argument) * source_seconds(real, &words);
                say_progress(1, reached, "continue");
                stand_still();
            }
            "reach" => say_progress(1, fraction(argument) * source_seconds(real, &words), "continue"),
            "log" => return play_log(Path::new(argument)),
            "negate" => negate(&mut words),
            "slow" => pass_time_for(source_seconds(real, &words) / fraction(argument)),
            "gate" => pass_time_until(|| folder.join("ffmpeg.open").exists()),
            "short" => {
                let seconds = fraction(argument) * source_seconds(real, &words);
                shorten(&mut words, seconds);
            }
            "stderr" => {
                let text = fs::read(argument).unwrap_or_default();
                drop(std::io::stderr().write_all(&text));
            }
            "ignore-term" => {
                // Blocked rather than ignored: the same to the sender, and the mask stays through `exec`.
                let mut set = SigSet::empty();
                set.add(Signal::SIGTERM);
                set.add(Signal::SIGINT);
                let _ = set.thread_block();
            }
            "fork" => leave_child(),
            _ => {}
        }
    }
    become_real(real, &words)
}

/// An encode writes a part file; nothing else that agents run does.
fn is_encode(words: &[OsString]) -> bool {
    let Some(output) = words.last() else { return false };
    output.as_bytes().windows(5).any(|part| part == b".part") && words.iter().any(|word| word == "-i")
}

/// A trial writes what it encodes below a folder of that name.
fn is_wanted_trial(folder: &Path, words: &[OsString]) -> bool {
    let is_trial = |word: &OsString| {
        let word = word.as_bytes();
        word.ends_with(b".mkv") && word.windows(10).any(|part| part == b".vc-trial-")
    };
    words.last().is_some_and(is_trial)
        && fs::read_to_string(folder.join("ffmpeg.mode")).unwrap_or_default().contains(" for trial")
}

fn own_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().map(Path::to_path_buf).unwrap_or_default()
}

fn real_program(folder: &Path) -> PathBuf {
    let bytes = fs::read(folder.join("ffmpeg.real")).unwrap_or_else(|_| b"/usr/local/bin/ffmpeg".to_vec());
    PathBuf::from(OsString::from_vec(bytes))
}

/// The words of the first line whose text is in the command line.
fn orders(folder: &Path, words: &[OsString]) -> Vec<String> {
    let text = fs::read_to_string(folder.join("ffmpeg.mode")).unwrap_or_default();
    let line = words.join(OsStr::new(" ")).to_string_lossy().into_owned();
    let fits = |order: &&str| order.split_once(" for ").is_none_or(|(_, text)| line.contains(text.trim()));
    let order = text.lines().find(fits).unwrap_or_default();
    let modes = order.split_once(" for ").map_or(order, |(modes, _)| modes);
    modes.split_whitespace().map(str::to_owned).collect()
}

fn value<'a>(orders: &'a [String], name: &str) -> Option<&'a str> {
    orders.iter().find_map(|order| order.strip_prefix(name)?.strip_prefix('='))
}

fn fraction(text: &str) -> f64 {
    text.parse().unwrap_or(0.5)
}

/// One line of JSON in one write, so that lines of encodes side by side do not mix.
fn log(folder: &Path, words: &[OsString]) {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let line = format!("{}\n", serde_json::json!(words));
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(folder.join("ffmpeg.log")) {
        drop(file.write_all(line.as_bytes()));
    }
}

/// Turns into the real ffmpeg: same process, same group, same parent.
fn become_real(real: &Path, words: &[OsString]) -> ExitCode {
    let error = Command::new(real).args(words).exec();
    eprintln!("{}: {error}", real.display());
    ExitCode::FAILURE
}

/// One block of `-progress`, as far as that was asked for.
fn say_progress(frame: u64, seconds: f64, word: &str) {
    let micros = (seconds * 1e6) as u64;
    let mut out = std::io::stdout();
    drop(writeln!(
        out,
        "frame={frame}\nfps=10.0\nbitrate=N/A\ntotal_size={}\nout_time_us={micros}\nout_time_ms={micros}\n\
         out_time=00:00:00.000000\ndup_frames=0\ndrop_frames=0\nspeed=0.4x\nprogress={word}",
        frame * 100
    ));
    drop(out.flush());
}

fn pass_time_for(seconds: f64) {
    let length = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let start = Instant::now();
    pass_time_until(|| start.elapsed() >= length);
}

/// Advances by a frame each step, without an end that would look like being done.
fn pass_time_until(mut over: impl FnMut() -> bool) {
    let mut frame = 0;
    while !over() {
        frame += 1;
        say_progress(frame, frame as f64 * STEP_SECONDS, "continue");
        sleep(STEP);
    }
}

fn stand_still() -> ! {
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// Length of the first input in seconds, 1 where it cannot be told.
fn source_seconds(real: &Path, words: &[OsString]) -> f64 {
    let input = words.iter().skip_while(|word| *word != "-i").nth(1).cloned().unwrap_or_default();
    let output = Command::new(real.with_file_name("ffprobe"))
        .args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"])
        .arg(input)
        .stdin(Stdio::null())
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.trim().parse().unwrap_or(1.0)
}

/// Ends the output after that many seconds.
fn shorten(words: &mut Vec<OsString>, seconds: f64) {
    let end = words.len().saturating_sub(1);
    words.insert(end, format!("{seconds:.3}").into());
    words.insert(end, "-t".into());
}

/// The last filter of a stream counts.
fn negate(words: &mut Vec<OsString>) {
    let end = words.len().saturating_sub(1);
    words.insert(end, "negate".into());
    words.insert(end, "-filter:0".into());
}

/// Prints a log but for its first line, `# exit STATUS: …`, and ends with that status.
fn play_log(path: &Path) -> ExitCode {
    let text = fs::read_to_string(path).unwrap_or_default();
    let (first, log) = text.split_once('\n').unwrap_or_default();
    eprint!("{log}");
    let status =
        first.strip_prefix("# exit ").and_then(|rest| rest.split_once(':')).map(|(status, _)| status);
    ExitCode::from(status.and_then(|status| status.parse::<u8>().ok()).unwrap_or(1))
}

/// A child in the same group that keeps standard output and standard error open.
fn leave_child() {
    let program = std::env::current_exe().unwrap_or_default();
    if let Err(error) = Command::new(program).arg(HOLD).arg(own_folder()).stdin(Stdio::null()).spawn() {
        eprintln!("fork: {error}");
    }
}
