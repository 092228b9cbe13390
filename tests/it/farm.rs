//! A console and agents as separate programs: adding work, looking at it, acting on it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vc_tests::media::{TINY, assert_whole, clip, files_below, wait_files};
use vc_tests::{Agent, Console, LONG, Scratch, media_processes, need_ffmpeg, wait_until};

use crate::{assert_no_parts, job_of, number};

/// What is promised for a cancel: the last child is gone.
const CANCEL_PROMISE: Duration = Duration::from_secs(2);
/// What a loaded machine may add to it for looking, and for scheduling two cores among tests and encoders.
const CANCEL_SLACK: Duration = Duration::from_secs(3);

#[test]
fn two_agents_share_the_work() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut ada = Agent::joined(&scratch, "ada", &console).with_fake();
    let mut bolt = Agent::joined(&scratch, "bolt", &console).with_fake();
    for agent in [&mut ada, &mut bolt] {
        agent.fake().mode("gate");
        agent.run();
    }
    console.wait_agents(2);
    for name in ["a.mp4", "b.mp4", "c.mp4", "deep/d.mp4"] {
        clip(&scratch.join("in").join(name), TINY);
    }
    let counts = console.add(&scratch.join("in"), &scratch.join("out"));
    assert_eq!((number(&counts, "added"), number(&counts, "seen")), (4, 4), "{counts}");

    // Each has one slot, so both must have one job before either goes on.
    ada.fake().wait_encodes(1);
    bolt.fake().wait_encodes(1);
    let status = console.json(["status"]);
    // What waits at an agent for its slot counts as running too.
    assert!(number(&status["jobs"], "running") >= 2, "{status}");
    ada.fake().open_gate();
    bolt.fake().open_gate();
    wait_until("all four are completed", LONG, || {
        let status = console.json(["status"]);
        number(&status["jobs"], "completed") == 4
    });
    assert_eq!(ada.fake().encodes().len() + bolt.fake().encodes().len(), 4);
    // The tree is mirrored and nothing else is left.
    wait_files(&scratch.join("out"), &["a.mp4", "b.mp4", "c.mp4", "deep/d.mp4"]);
    for name in ["a.mp4", "b.mp4", "c.mp4", "deep/d.mp4"] {
        assert_whole(&scratch.join("out").join(name), TINY.seconds);
    }
}

#[test]
fn a_job_can_be_looked_at_from_every_side() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console);
    agent.run();
    clip(&scratch.join("in/a.mkv"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    let id = console.job_of("a.mkv");
    let job = console.wait_state(id, "completed");
    assert_eq!(job["source"].as_str(), scratch.join("in/a.mkv").to_str());
    assert_eq!(job["output"].as_str(), scratch.join("out/a.mp4").to_str());
    assert_eq!((job["encoder"].as_str(), job["profile"].as_str()), (Some("libx264"), Some("h264-1080p")));
    let attempt = &job["attempts"][0];
    assert_eq!(attempt["result"], "completed", "{attempt}");
    assert!(
        attempt["commands"].as_array().unwrap().iter().any(|command| command["phase"] == "encode"),
        "{attempt}"
    );

    let rows = console.json(["jobs", "ls", "--filter", "is:completed"]);
    assert_eq!(job_of(&rows["jobs"], "a.mkv")["id"], id);
    assert_eq!(console.cli(["jobs", "ls", "--filter", "is:failed"]).code, 4, "nothing matches");
    let agents = console.json(["agents", "ls"]);
    assert_eq!(number(&agents["agents"][0], "completed"), 1, "{agents}");
    assert!(agents["agents"][0]["ffmpeg"].as_str().unwrap().starts_with("ffmpeg version"), "{agents}");
    let logs = console.json(["jobs", "logs", &id.to_string()]);
    assert!(logs["log"].is_string(), "{logs}");
    let why = console.json(["why", &id.to_string()]);
    assert!(why["answer"].as_str().unwrap().contains("completed"), "{why}");

    // The same for people.
    for words in [
        vec!["status"],
        vec!["jobs", "ls"],
        vec!["agents", "ls"],
        vec!["jobs", "show", "1"],
        vec!["why", "1"],
    ] {
        let output = console.cli(&words).expect_code(0);
        assert!(!output.stdout.trim().is_empty(), "{words:?} says nothing");
    }
    assert!(agent.command().arg("status").output().unwrap().status.success());
}

#[test]
fn adding_twice_adds_nothing_twice() {
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    for name in ["a.mp4", "b.mkv", "sub/c.mov"] {
        let path = scratch.join("in").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let (source, out) = (scratch.join("in"), scratch.join("out"));
    let dry = console.json([
        OsStr::new("add"),
        source.as_os_str(),
        OsStr::new("--out"),
        out.as_os_str(),
        OsStr::new("--dry-run"),
    ]);
    assert_eq!(number(&dry, "added"), 3, "{dry}");
    assert!(console.jobs().is_empty() && !out.exists(), "a dry run did something");

    assert_eq!(number(&console.add(&source, &out), "added"), 3);
    let again = console.add(&source, &out);
    assert_eq!((number(&again, "added"), number(&again, "unchanged")), (0, 3), "{again}");
    console.kill();
    console.start_again();
    let again = console.add(&source, &out);
    assert_eq!((number(&again, "added"), number(&again, "unchanged")), (0, 3), "{again}");

    // A job that still waits will take the source as it is by then.
    fs::write(scratch.join("in/a.mp4"), "another film").unwrap();
    let changed = console.add(&source, &out);
    assert_eq!((number(&changed, "added"), number(&changed, "unchanged")), (0, 3), "{changed}");
    assert_eq!(console.jobs().len(), 3);
}

#[test]
fn two_sources_never_claim_one_output() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    clip(&scratch.join("in/film.mov"), TINY);
    clip(&scratch.join("in/film.mkv"), TINY);
    let output = console.cli([
        OsStr::new("add"),
        scratch.join("in").as_os_str(),
        OsStr::new("--out"),
        scratch.join("out").as_os_str(),
        OsStr::new("--json"),
    ]);
    let counts = output.expect_code(0).json();
    assert_eq!((number(&counts, "added"), number(&counts, "clashed")), (1, 1), "{counts}");
    let problems = counts["problems"].to_string();
    assert!(problems.contains("film.m") && problems.contains("belongs to job 1"), "{problems}");

    let mut agent = Agent::joined(&scratch, "ada", &console);
    agent.run();
    let rows = console.jobs();
    assert_eq!(rows.len(), 1, "{rows:?}");
    console.wait_state(rows[0]["id"].as_u64().unwrap(), "completed");
    wait_files(&scratch.join("out"), &["film.mp4"]);
}

#[test]
fn higher_priority_goes_first() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    // In one folder: folders are proved one by one, and a job of one that is proved need not wait for the others.
    for (name, priority) in [("low", "1"), ("high", "9"), ("middle", "5")] {
        let (source, out) = (scratch.join(format!("in/{name}.mp4")), scratch.join("out"));
        clip(&source, TINY);
        let words = [OsStr::new("add"), source.as_os_str(), OsStr::new("--out"), out.as_os_str()];
        console.json(words.into_iter().chain(["--priority", priority].map(OsStr::new)));
    }
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.run();
    agent.fake().wait_encodes(3);
    let order: Vec<_> = agent
        .fake()
        .encodes()
        .iter()
        .map(|words| {
            ["low", "middle", "high"]
                .into_iter()
                .find(|name| words.join(" ").contains(&format!("{name}.mp4")))
        })
        .collect();
    assert_eq!(order, [Some("high"), Some("middle"), Some("low")]);
}

/// Cancels a running job; how long until its last child was gone.
fn cancel(mode: &str) -> Duration {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.fake().mode(mode);
    agent.run();
    clip(&scratch.join("in/a.mp4"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    agent.fake().wait_encodes(1);
    let id = console.job_of("a.mp4").to_string();

    let asked = console.cli(["jobs", "cancel", &id]).expect_code(5);
    assert!(asked.stderr.contains("--yes"), "{}", asked.said());
    let start = Instant::now();
    let acted = console.json(["jobs", "cancel", &id, "--yes"]);
    assert_eq!(acted["done"].as_array().map(Vec::len), Some(1), "{acted}");
    wait_until("the last child is gone", LONG, || media_processes(scratch.path()).is_empty());
    let gone = start.elapsed();
    console.wait_state(id.parse().unwrap(), "cancelled");
    wait_until("nothing of it is left on disk", LONG, || files_below(&scratch.join("out")).is_empty());

    // Its slot is free again, and `retry` puts it back.
    agent.fake().mode("ok");
    console.json(["jobs", "retry", &id]);
    console.wait_state(id.parse().unwrap(), "completed");
    assert_whole(&scratch.join("out/a.mp4"), TINY.seconds);
    gone
}

#[test]
fn a_cancelled_jobs_ffmpeg_is_gone_within_two_seconds() {
    need_ffmpeg!();
    let polite = cancel("hang@0.4");
    let stubborn = cancel("ignore-term hang@0.4");
    eprintln!("cancel to the last child gone: {polite:?}, with a child that ignores SIGTERM {stubborn:?}");
    assert!(polite < CANCEL_PROMISE + CANCEL_SLACK && stubborn < CANCEL_PROMISE + CANCEL_SLACK);
}

#[test]
fn a_pending_job_is_cancelled_without_a_question() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    clip(&scratch.join("in/a.mp4"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    let id = console.job_of("a.mp4");
    console.json(["jobs", "cancel", &id.to_string()]);
    console.wait_state(id, "cancelled");
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.run();
    console.wait_agents(1);
    clip(&scratch.join("more/b.mp4"), TINY);
    console.add(&scratch.join("more"), &scratch.join("out"));
    console.wait_state(console.job_of("b.mp4"), "completed");
    assert_eq!(agent.fake().encodes().len(), 1, "a cancelled job was run");
}

#[test]
fn a_failed_job_is_retried_by_a_person() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console);
    agent.run();
    clip(&scratch.join("good/a.mp4"), TINY);
    let source = scratch.folder("in").join("a.mp4");
    fs::write(&source, "not yet a video").unwrap();
    console.add(&scratch.join("in"), &scratch.join("out"));
    let id = console.job_of("a.mp4");
    let failed = console.wait_state(id, "failed");
    assert_eq!(failed["class"], "source", "{failed}");
    let output = console.cli(["why", &id.to_string()]).expect_code(0);
    assert!(output.stdout.contains(failed["cause"].as_str().unwrap()), "{}", output.stdout);

    // The same bytes fail alike; mended ones are a new job, and take the output that nobody has.
    console.json(["jobs", "retry", "--filter", "is:failed"]);
    console.wait_job(id, "it has failed again", |job| {
        job["state"] == "failed" && job["attempts"].as_array().is_some_and(|attempts| attempts.len() >= 2)
    });
    fs::copy(scratch.join("good/a.mp4"), &source).unwrap();
    assert_eq!(number(&console.add(&scratch.join("in"), &scratch.join("out")), "added"), 1);
    wait_until("the mended source is completed", LONG, || scratch.join("out/a.mp4").exists());
    assert_whole(&scratch.join("out/a.mp4"), TINY.seconds);
}

#[test]
fn a_folder_that_is_mounted_elsewhere_is_found_by_its_map() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let farm = scratch.folder("farm");
    clip(&farm.join("in/a.mp4"), TINY);
    fs::create_dir(farm.join("out")).unwrap();
    symlink(&farm, scratch.join("mount")).unwrap();
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    let map = map(&farm, &scratch.join("mount"));
    agent.run_with(&[OsStr::new("--map"), OsStr::new(&map)], &[]);
    console.add(&farm.join("in"), &farm.join("out"));
    console.wait_state(console.job_of("a.mp4"), "completed");
    assert_whole(&farm.join("out/a.mp4"), TINY.seconds);
    let words = agent.fake().encodes().remove(0);
    let (mount, farm) = (scratch.join("mount"), farm.to_str().unwrap());
    assert!(words.iter().any(|word| word.contains(mount.to_str().unwrap())), "{words:?}");
    assert!(!words.iter().any(|word| word.contains(farm)), "the console's own path was used: {words:?}");
}

fn map(from: &Path, to: &Path) -> String {
    format!("{}={}", from.display(), to.display())
}

#[test]
fn an_agent_that_does_not_see_the_folder_gets_nothing_and_why_says_so() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    clip(&scratch.join("in/a.mp4"), TINY);
    // The same names with other content: only a proof by content can tell.
    clip(&scratch.join("elsewhere/a.mp4"), vc_tests::media::Clip { sound: false, ..TINY });
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    let map = map(&scratch.join("in"), &scratch.join("elsewhere"));
    agent.run_with(&[OsStr::new("--map"), OsStr::new(&map)], &[]);
    console.wait_agents(1);
    console.add(&scratch.join("in"), &scratch.join("out"));
    let id = console.job_of("a.mp4").to_string();
    wait_until("the agent is known not to see the folder", LONG, || {
        let agents = console.json(["agents", "ls"]);
        agents["agents"][0]["unproven"].as_array().is_some_and(|folders| !folders.is_empty())
    });
    let why = console.json(["why", &id]);
    let reason = why["devices"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(scratch.join("in").to_str().unwrap()), "{why}");
    assert_eq!(console.job(id.parse().unwrap())["state"], "pending");
    assert!(agent.fake().encodes().is_empty());

    // Another one that sees it takes the job.
    let mut other = Agent::joined(&scratch, "bolt", &console).with_fake();
    other.run();
    console.wait_state(id.parse().unwrap(), "completed");
    assert_eq!((agent.fake().encodes().len(), other.fake().encodes().len()), (0, 1));
}

#[test]
fn without_an_agent_why_says_so() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    clip(&scratch.join("in/a.mp4"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    let why = console.json(["why", &console.job_of("a.mp4").to_string()]);
    assert!(why["answer"].as_str().unwrap().contains("agent"), "{why}");
}

#[test]
fn nothing_is_written_into_a_source_tree() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    clip(&scratch.join("in/deep/a.mp4"), TINY);
    let look = || {
        let file = fs::metadata(scratch.join("in/deep/a.mp4")).unwrap();
        let folder = fs::metadata(scratch.join("in/deep")).unwrap();
        let root = fs::metadata(scratch.join("in")).unwrap();
        [file, folder, root].map(|meta| meta.modified().unwrap())
    };
    let before = look();
    let mut agent = Agent::joined(&scratch, "ada", &console);
    agent.run();
    console.add(&scratch.join("in"), &scratch.join("out"));
    console.wait_state(console.job_of("a.mp4"), "completed");
    assert_eq!(look(), before);
    assert_eq!(files_below(&scratch.join("in")), [PathBuf::from("deep/a.mp4")]);
    assert_no_parts(&scratch.join("out"));
}

#[test]
fn stop_ends_the_server_and_agents_stay() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console);
    agent.run();
    console.wait_agents(1);
    console.cli(["stop"]).expect_code(0);
    wait_until("the server has ended", LONG, || !console.process().runs());
    assert!(agent.process().runs(), "the agent went with it");
    console.start_again();
    console.wait_agents(1);
}
