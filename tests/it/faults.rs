//! Programs that die, hang and lie: what was promised holds all the same.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use vc_tests::media::{Clip, TINY, assert_whole, clip, files_below, wait_files};
use vc_tests::{Agent, Console, LONG, Scratch, eventually, media_processes, need_ffmpeg, wait_until};

use crate::{assert_no_parts, number};

/// How long an ffmpeg may outlive its agent.
const ORPHAN_BOUND: Duration = Duration::from_secs(5);
/// How long an agent may take to end in order.
const DRAIN_BOUND: Duration = Duration::from_secs(15);

/// A console and an agent with one slot and a stand-in for ffmpeg, which has started one encode in that mode.
struct Busy {
    agent: Agent,
    console: Console,
    job: u64,
    /// Last, since it is dropped last: programs that still run would put files back into it.
    scratch: Scratch,
}

impl Busy {
    fn new(mode: &str) -> Self {
        Self::with(mode, &[])
    }

    fn with(mode: &str, variables: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new();
        let console = Console::start(&scratch);
        let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
        agent.fake().mode(mode);
        agent.run_with(&[], variables);
        clip(&scratch.join("in/a.mp4"), TINY);
        console.add(&scratch.join("in"), &scratch.join("out"));
        let job = console.job_of("a.mp4");
        let busy = Busy { scratch, console, agent, job };
        busy.agent.fake().wait_encodes(1);
        busy
    }

    fn out(&self) -> PathBuf {
        self.scratch.join("out")
    }

    fn completed(&self) -> Value {
        let job = self.console.wait_state(self.job, "completed");
        wait_files(&self.out(), &["a.mp4"]);
        assert_whole(&self.out().join("a.mp4"), TINY.seconds);
        job
    }

    fn wait_no_ffmpeg(&self) {
        wait_until("no ffmpeg is left", LONG, || media_processes(self.scratch.path()).is_empty());
    }
}

#[test]
fn a_console_killed_during_an_encode_takes_its_result_afterwards() {
    need_ffmpeg!();
    let mut busy = Busy::new("gate");
    busy.console.kill();
    busy.agent.fake().open_gate();
    busy.wait_no_ffmpeg();
    assert!(!busy.out().join("a.mp4").exists(), "committed without a grant");
    busy.console.start_again();
    let job = busy.completed();
    assert_eq!(busy.agent.fake().encodes().len(), 1, "encoded twice");
    assert_eq!(job["attempts"].as_array().map(Vec::len), Some(1), "{job}");
}

#[test]
fn a_result_survives_the_death_of_both() {
    need_ffmpeg!();
    let mut busy = Busy::new("gate");
    busy.console.kill();
    busy.agent.fake().open_gate();
    // The agent asks for the grant once its result is proven and on disk, and cannot reach anyone.
    wait_until("the result is in the agent's journal", LONG, || {
        let spool = files_below(&busy.agent.state().join("spool"));
        media_processes(busy.scratch.path()).is_empty() && !spool.is_empty()
    });
    busy.agent.kill();
    busy.console.start_again();
    busy.agent.run();
    busy.completed();
}

#[test]
fn a_console_killed_again_and_again_loses_nothing() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake().slots(2);
    agent.run();
    for n in 0..6 {
        clip(&scratch.join(format!("in/{n}.mp4")), TINY);
    }
    console.add(&scratch.join("in"), &scratch.join("out"));
    for round in 1..=3 {
        // Each time at another place of the work.
        agent.fake().wait_encodes(round);
        console.kill();
        console.start_again();
    }
    wait_until("all six are completed", LONG, || number(&console.json(["status"])["jobs"], "completed") == 6);
    wait_files(&scratch.join("out"), &["0.mp4", "1.mp4", "2.mp4", "3.mp4", "4.mp4", "5.mp4"]);
    assert_eq!(agent.fake().encodes().len(), 6, "something was encoded twice");
}

#[test]
fn a_killed_agent_leaves_no_ffmpeg_and_its_job_goes_on_with_the_next() {
    need_ffmpeg!();
    let mut busy = Busy::new("ignore-term hang@0.4");
    let killed = Instant::now();
    busy.agent.kill();
    let gone = eventually(ORPHAN_BOUND, || media_processes(busy.scratch.path()).is_empty().then_some(()));
    assert!(gone.is_some(), "an ffmpeg outlives its agent by {ORPHAN_BOUND:?}");
    eprintln!("agent killed to the last child gone: {:?}", killed.elapsed());

    // The same box comes back: its job goes back at once, no lease is waited for.
    busy.agent.fake().mode("ok");
    busy.agent.run();
    let job = busy.completed();
    let attempts = job["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{job}");
    assert_eq!(attempts[1]["result"], "infrastructure", "{job}");
    assert_eq!(number(&job, "retries"), 0, "a lost agent uses up no retry: {job}");
}

#[test]
fn an_agent_asked_to_end_hands_its_job_back() {
    need_ffmpeg!();
    let mut busy = Busy::new("ignore-term hang@0.4");
    let asked = Instant::now();
    let output = busy.agent.stop();
    let took = asked.elapsed();
    eprintln!("SIGTERM to the agent's end: {took:?}");
    assert!(took < DRAIN_BOUND, "{took:?}");
    assert_eq!(output.code, 143, "{}", output.said());
    busy.wait_no_ffmpeg();
    let job = busy.console.wait_state(busy.job, "pending");
    assert_eq!(number(&job, "retries"), 0, "{job}");
    assert_no_parts(&busy.out());
    busy.agent.fake().mode("ok");
    busy.agent.run();
    busy.completed();
}

#[test]
fn an_agent_that_dies_while_a_cancel_is_on_its_way_does_not_block_it() {
    need_ffmpeg!();
    let mut busy = Busy::new("hang@0.4");
    busy.agent.process().signal(Signal::SIGSTOP);
    busy.console.json(["jobs", "cancel", &busy.job.to_string(), "--yes"]);
    busy.agent.kill();
    busy.agent.fake().mode("ok");
    busy.agent.run();
    busy.console.wait_state(busy.job, "cancelled");
    busy.wait_no_ffmpeg();
    wait_until("nothing of it is left on disk", LONG, || files_below(&busy.out()).is_empty());
    assert_eq!(busy.agent.fake().encodes().len(), 1, "a cancelled job was run again");
}

/// Kills the agent at a step of the way of an output, and starts it again: whenever it died, there is either no output
/// or a whole one, and in the end exactly one.
fn killed_at(point: &str, is_named: bool, encodes_max: usize) {
    let mut busy = Busy::with("ok", &[("VC_FAILPOINT", point)]);
    let output = busy.agent.wait_end(LONG);
    assert_ne!(output.code, 0, "the agent did not die at {point}: {}", output.said());
    let name = busy.out().join("a.mp4");
    assert_eq!(name.exists(), is_named, "the output after dying at {point}");
    if is_named {
        assert_whole(&name, TINY.seconds);
    }
    busy.agent.run();
    busy.completed();
    let encodes = busy.agent.fake().encodes().len();
    assert!(encodes <= encodes_max, "encoded {encodes} times after dying at {point}");
}

#[test]
fn killed_as_the_encode_began() {
    need_ffmpeg!();
    killed_at("encode-began", false, 2);
}

#[test]
fn killed_as_the_part_file_was_flushed() {
    need_ffmpeg!();
    killed_at("part-synced", false, 2);
}

#[test]
fn killed_as_the_grant_was_asked_for() {
    need_ffmpeg!();
    // Its journal is written while the question is on its way, and either may be lost.
    killed_at("grant-asked", false, 2);
}

#[test]
fn killed_with_the_grant_in_hand() {
    need_ffmpeg!();
    killed_at("grant-held", false, 1);
}

#[test]
fn killed_after_the_rename() {
    need_ffmpeg!();
    killed_at("renamed", true, 1);
}

#[test]
fn killed_after_the_folder_was_flushed() {
    need_ffmpeg!();
    killed_at("dir-synced", true, 1);
}

#[test]
fn killed_after_the_report() {
    need_ffmpeg!();
    killed_at("reported", true, 1);
}

/// The job of a stand-in that fails in this mode, once its first attempt has ended.
fn after_failure(mode: &str) -> (Busy, Value) {
    let busy = Busy::new(mode);
    let job = busy.console.wait_job(busy.job, "its first attempt has failed", |job| !job["cause"].is_null());
    // Not to be committed, whatever it did.
    assert!(!busy.out().join("a.mp4").exists(), "a failed encode was committed: {job}");
    (busy, job)
}

#[test]
fn a_failing_command_costs_a_retry_and_waits() {
    need_ffmpeg!();
    let (busy, job) = after_failure("exit=1");
    assert_eq!((job["state"].as_str(), job["class"].as_str()), (Some("pending"), Some("job")), "{job}");
    assert!(
        job["cause"].as_str().unwrap().contains("told to end with 1"),
        "the first error line tells: {job}"
    );
    assert_eq!(number(&job, "retries"), 1, "{job}");
    assert!(job["not_before"].is_string(), "{job}");
    assert!(job["attempts"][0]["log"].as_str().unwrap().contains("told to end"), "the log is kept: {job}");
    let why = busy.console.json(["why", &busy.job.to_string()]);
    assert!(why["answer"].as_str().unwrap().contains("next attempt"), "{why}");
    assert_no_parts(&busy.out());

    // A person need not wait for it.
    busy.agent.fake().mode("ok");
    busy.console.json(["jobs", "retry", &busy.job.to_string()]);
    busy.completed();
}

#[test]
fn a_full_disk_is_the_places_fault() {
    need_ffmpeg!();
    let (busy, job) = after_failure("enospc");
    assert_eq!((job["state"].as_str(), job["class"].as_str()), (Some("pending"), Some("capacity")), "{job}");
    assert!(job["cause"].as_str().unwrap().contains("no space left"), "{job}");
    assert_eq!(number(&job, "retries"), 0, "{job}");
    assert_no_parts(&busy.out());
}

#[test]
fn a_crash_names_its_signal() {
    need_ffmpeg!();
    let (busy, job) = after_failure("crash=SEGV");
    assert!(job["cause"].as_str().unwrap().contains("SIGSEGV"), "{job}");
    assert_no_parts(&busy.out());
}

#[test]
fn a_kill_from_outside_is_no_success_and_no_cancel() {
    need_ffmpeg!();
    let (_busy, job) = after_failure("crash=KILL");
    assert!(job["cause"].as_str().unwrap().contains("SIGKILL"), "{job}");
    assert_ne!(job["state"], "cancelled");
}

#[test]
fn rubbish_with_a_good_exit_code_is_never_committed() {
    need_ffmpeg!();
    let (busy, job) = after_failure("garbage");
    let class = job["class"].as_str().unwrap();
    assert!(["encoder", "source"].contains(&class), "{job}");
    assert_no_parts(&busy.out());
}

#[test]
fn a_short_output_with_a_good_exit_code_is_never_committed() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.fake().mode("short=0.5");
    agent.run();
    clip(&scratch.join("in/a.mp4"), Clip { seconds: 4.0, ..TINY });
    console.add(&scratch.join("in"), &scratch.join("out"));
    let job =
        console.wait_job(console.job_of("a.mp4"), "its attempt has failed", |job| !job["cause"].is_null());
    assert!(["encoder", "source"].contains(&job["class"].as_str().unwrap()), "{job}");
    let cause = job["cause"].as_str().unwrap();
    assert!(cause.contains('2') && cause.contains('4'), "both lengths are told: {cause}");
    wait_files(&scratch.join("out"), &[]);
}

#[test]
fn a_child_that_holds_the_pipes_neither_blocks_the_slot_nor_stays() {
    need_ffmpeg!();
    let busy = Busy::new("fork");
    busy.completed();
    busy.wait_no_ffmpeg();
    clip(&busy.scratch.join("more/b.mp4"), TINY);
    busy.console.add(&busy.scratch.join("more"), &busy.out());
    busy.console.wait_state(busy.console.job_of("b.mp4"), "completed");
}

#[test]
fn a_flood_on_standard_error_is_bounded() {
    need_ffmpeg!();
    /// Far more than is kept of a log, and than a pipe holds.
    const FLOOD_LINES: usize = 200_000;
    let scratch = Scratch::new();
    let flood = scratch.join("flood");
    fs::write(&flood, "[libx264 @ 0x1] this line is of no interest to anyone\n".repeat(FLOOD_LINES)).unwrap();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.fake().mode(&format!("stderr={}", flood.display()));
    agent.run();
    clip(&scratch.join("in/a.mp4"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    let id = console.job_of("a.mp4");
    console.wait_state(id, "completed");
    let log = console.json(["jobs", "logs", &id.to_string()])["log"].as_str().unwrap().len();
    assert!(log <= vc_protocol::agent::LOG_TAIL_BYTES_MAX, "{log} bytes of log kept");
    assert_whole(&scratch.join("out/a.mp4"), TINY.seconds);
}

#[test]
fn a_source_that_changes_during_the_encode_is_converted_anew() {
    need_ffmpeg!();
    let busy = Busy::new("gate");
    clip(&busy.scratch.join("in/a.mp4"), Clip { seconds: 2.0, ..TINY });
    busy.agent.fake().open_gate();
    wait_until("an output is there", LONG, || busy.out().join("a.mp4").exists());
    assert_whole(&busy.out().join("a.mp4"), 2.0);
    assert_eq!(busy.agent.fake().encodes().len(), 2);
}

#[test]
fn one_bad_job_does_not_keep_the_others() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.fake().mode("exit=1 for bad\nok");
    agent.run();
    for name in ["bad.mp4", "good-1.mp4", "good-2.mp4"] {
        clip(&scratch.join("in").join(name), TINY);
    }
    console.add(&scratch.join("in"), &scratch.join("out"));
    for name in ["good-1.mp4", "good-2.mp4"] {
        console.wait_state(console.job_of(name), "completed");
    }
    let bad =
        console.wait_job(console.job_of("bad.mp4"), "the bad one has failed", |job| !job["cause"].is_null());
    assert_eq!(bad["class"], "job", "{bad}");
}
