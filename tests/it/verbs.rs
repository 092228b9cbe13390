//! The commands as scripts use them: what they mean, what they print, and how they exit.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use vc_tests::media::{TINY, clip};
use vc_tests::terminal::{GLASS, Terminal};
use vc_tests::{Agent, Console, LONG, Output, Scratch, need_ffmpeg, start, wait_until};

use crate::number;

/// A console with that many jobs that nothing can run: there is no agent, and they are no videos.
fn idle(count: usize) -> (Console, Scratch) {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    for number in 1..=count {
        fs::write(scratch.folder("in").join(format!("ep_{number:04}.mkv")), "x").unwrap();
    }
    console.add(&scratch.join("in"), &scratch.join("out"));
    (console, scratch)
}

/// Runs a command with a text on its standard input.
fn fed(command: &mut Command, text: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn states(console: &Console) -> Vec<String> {
    let mut rows = console.jobs();
    rows.sort_by_key(|row| row["id"].as_u64());
    rows.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn held_jobs_wait_for_their_release_and_priorities_count() {
    let (console, _scratch) = idle(3);
    let held = console.json(words("jobs hold 1 2"));
    assert_eq!((number(&held, "count"), &held["done"]), (2, &serde_json::json!([1, 2])));
    assert_eq!(states(&console), ["held", "held", "pending"]);
    assert_eq!(console.cli(words("jobs hold 1")).expect_code(4).stderr, "1 left alone: it is held already\n");

    console.cli(words("jobs release --filter is:held")).expect_code(0);
    assert_eq!(states(&console), ["pending"; 3]);

    console.cli(words("jobs prio 9 3")).expect_code(0);
    console.cli(words("jobs prio +1 2")).expect_code(0);
    console.cli(words("jobs prio -1 1")).expect_code(0);
    let priority = |id| console.job(id)["priority"].as_u64().unwrap();
    assert_eq!([1, 2, 3].map(priority), [4, 6, 9]);
    let rows = console.cli(words("jobs ls --filter pri:>5")).expect_code(0).stdout;
    assert_eq!(rows.lines().map(|row| &row[..1]).collect::<Vec<_>>(), ["3", "2"], "{rows}");
}

#[test]
fn jobs_are_named_on_standard_input() {
    let (console, _scratch) = idle(4);
    // As numbers, as the rows of `jobs ls`, and with a word that says so.
    fed(console.command().args(words("jobs hold")), "1\n#2\n").expect_code(0);
    assert_eq!(states(&console), ["held", "held", "pending", "pending"]);
    let rows = console.cli(words("jobs ls --filter is:held")).stdout;
    fed(console.command().args(words("jobs release -")), &rows).expect_code(0);
    assert_eq!(states(&console), ["pending"; 4]);
    fed(console.command().args(words("jobs hold 4 -")), "3").expect_code(0);
    assert_eq!(states(&console), ["pending", "pending", "held", "held"]);

    let wrong = fed(console.command().args(words("jobs hold -")), "1 two 3").expect_code(2);
    assert!(wrong.stderr.contains("\"two\" is no job number"), "{}", wrong.said());
    fed(console.command().args(words("jobs hold -")), "").expect_code(2);
    assert_eq!(states(&console), ["pending", "pending", "held", "held"], "something of it was done");
}

#[test]
fn a_filter_that_makes_no_sense_shows_where() {
    let (console, _scratch) = idle(1);
    for verb in ["ls", "retry", "cancel", "hold", "release", "purge", "wait"] {
        let output = console.cli(["jobs", verb, "--filter", "ep_ state:fialed"]).expect_code(2);
        let said: Vec<_> = output.stderr.lines().collect();
        assert!(said[0].contains("no state \"fialed\""), "{verb}: {}", output.said());
        assert_eq!(said[1..], ["  ep_ state:fialed", "            ^"], "{verb}");
        assert_eq!(output.stdout, "", "{verb}");
    }
    let output = console.cli(["jobs", "ls", "--filter", "pri:12", "--json"]).expect_code(2);
    let error = &output.json()["error"];
    assert_eq!(error["code"], 2);
    assert!(error["message"].as_str().unwrap().contains("0 to 9"), "{error}");
    // An empty variable of a script must not mean everything.
    let output = console.cli(["jobs", "cancel", "--filter", ""]).expect_code(2);
    assert!(output.stderr.contains("every job"), "{}", output.said());
    assert_eq!(states(&console), ["pending"]);
}

#[test]
fn nothing_that_matches_exits_4() {
    let (console, _scratch) = idle(1);
    for line in [
        "jobs ls --filter is:failed",
        "jobs retry --filter is:failed",
        "jobs cancel 99",
        "jobs show 99",
        "jobs logs 99",
        "jobs wait 99",
        "jobs wait --filter is:failed",
        "why 99",
        "agents show nobody",
        "agents drain nobody",
    ] {
        let output = console.cli(words(line)).expect_code(4);
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{line}: {}", output.said());
    }
    // An empty table is no mistake.
    let scratch = Scratch::new();
    Console::start(&scratch).cli(words("jobs ls")).expect_code(0);
}

#[test]
fn many_retries_are_asked_about() {
    let (console, _scratch) = idle(101);
    console.cli(words("jobs cancel --filter is:pending")).expect_code(0);
    let asked = console.cli(words("jobs retry --filter is:cancelled")).expect_code(5);
    assert!(asked.stderr.contains("101 jobs would go back to pending"), "{}", asked.said());
    assert_eq!(console.json(words("jobs ls --filter is:cancelled"))["jobs"].as_array().unwrap().len(), 101);
    let asked = console.cli(words("jobs retry --filter is:cancelled --json")).expect_code(5).json();
    assert_eq!((&asked["error"]["code"], &asked["error"]["hint"]), (&5.into(), &"say --yes to do it".into()));
    // As many as need no question.
    console.cli(words("jobs retry 1 2 3")).expect_code(0);
    let retried = console.json(words("jobs retry --filter is:cancelled --yes"));
    assert_eq!(number(&retried, "count"), 98, "{retried}");
}

#[test]
fn rows_for_programs_are_whole_and_for_people_fit_the_terminal() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let long = format!("a_very_long_name_{}_the_end\u{1b}[2J.mkv", "of_an_episode_".repeat(8));
    fs::write(scratch.folder("in").join(&long), "x").unwrap();
    console.add(&scratch.join("in"), &scratch.join("out"));
    let row = console.cli(words("jobs ls")).expect_code(0).stdout;
    let fields: Vec<_> = row.trim_end_matches('\n').split('\t').collect();
    assert_eq!((fields.len(), fields[0], fields[1]), (13, "1", "pending"), "{row}");
    assert_eq!(fields[3], long.replace('\u{1b}', "\\u{1b}"));
    assert!(fields[7].ends_with('Z') && !row.contains('\u{1b}'), "{row}");

    let mut shell = console.command();
    shell.args(words("jobs ls"));
    let mut terminal = Terminal::start(&shell, GLASS);
    assert_eq!(terminal.wait_end(), 0);
    let picture = terminal.picture();
    let lines: Vec<_> = picture.lines().collect();
    assert!(lines[0].trim_start().starts_with("ID  STATE    PRI  FILE"), "{picture}");
    assert!(lines[1].contains("pending") && lines[1].contains(".mkv"), "{picture}");
    assert_eq!(lines.len(), 2, "a row is wrapped: {picture}");
}

#[test]
fn a_reader_that_has_enough_ends_a_command_quietly() {
    // More than a pipe holds.
    let (console, _scratch) = idle(2000);
    for line in ["jobs ls", "jobs ls --jsonl", "status --watch --jsonl"] {
        let mut command = console.command();
        command.args(words(line)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "{line}");
        // What nobody reads is only noticed when there is something to say.
        console.cli(words("jobs prio +1 1")).expect_code(0);
        wait_until(&format!("`{line}` has ended"), LONG, || child.try_wait().unwrap().is_some());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "{line}");
    }
    let rows = console.cli(words("jobs ls")).expect_code(0).stdout;
    assert_eq!(rows.lines().count(), 2000, "off a terminal nothing is cut");
    let limited = console.json(words("jobs ls --limit 250"));
    assert_eq!((limited["jobs"].as_array().unwrap().len(), &limited["more"]), (250, &Value::Bool(true)));
}

#[test]
fn data_that_cannot_be_written_is_an_error() {
    let (console, _scratch) = idle(1);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = console.command();
    let output = command.args(words("jobs ls --json")).stdin(Stdio::null()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("write to stdout"));
}

/// Adds one clip, and waits for it by the command.
#[track_caller]
fn add(console: &Console, source: &Path, out: &Path, more: &str) -> Output {
    let mut command = console.command();
    command.arg("add").arg(source).arg("--out").arg(out).args(words(more));
    vc_tests::run(&mut command)
}

#[test]
fn waiting_tells_what_became_of_the_jobs() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    clip(&scratch.join("good/a.mp4"), TINY);
    clip(&scratch.join("good/deep/b.mp4"), TINY);
    fs::write(scratch.folder("bad").join("c.mkv"), "not a video").unwrap();
    let out = scratch.join("out");

    // Nobody works yet.
    let late = add(&console, &scratch.join("good"), &out, "--depth 0 --wait --timeout 1s").expect_code(7);
    assert!(late.stderr.contains("1 of 1 jobs have not ended"), "{}", late.said());
    assert_eq!(console.jobs().len(), 1, "the depth was not kept");
    console.cli(words("jobs wait 1 --timeout 1")).expect_code(7);

    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.run();
    let done = console.cli(words("jobs wait 1")).expect_code(0);
    assert!(done.stdout.starts_with("completed a.mp4"), "{}", done.said());
    assert!(done.stderr.ends_with("1 completed\n"), "{}", done.said());
    // It has ended before: said at once.
    console.cli(words("jobs wait 1")).expect_code(0);
    let document = console.json(words("jobs wait --filter is:completed"));
    assert_eq!((number(&document["counts"], "completed"), number(&document, "open")), (1, 0), "{document}");

    let added = add(&console, &scratch.join("good"), &out, "--wait --json").expect_code(0).json();
    assert_eq!(
        (number(&added, "added"), &added["jobs"]),
        (1, &serde_json::json!([{ "first": 2, "last": 2 }]))
    );
    assert_eq!(added["waited"]["jobs"], serde_json::json!([{ "id": 2, "state": "completed" }]));

    add(&console, &scratch.join("bad"), &out, "--wait").expect_code(10);
    let failed = console.cli(words("jobs wait 1 2 3 --json")).expect_code(10).json();
    assert_eq!(number(&failed["counts"], "failed"), 1, "{failed}");

    // None failed, but one is not as it was wished.
    console.cli(words("pause")).expect_code(0);
    clip(&scratch.join("more/d.mp4"), TINY);
    console.add(&scratch.join("more"), &out);
    console.cli(words("jobs hold 4")).expect_code(0);
    console.cli(words("jobs wait 1 4")).expect_code(11);
    // Nothing is left that moves by itself.
    console.cli(words("jobs wait")).expect_code(0);
}

#[test]
fn a_wait_sees_every_end_as_an_object() {
    let (console, _scratch) = idle(3);
    let mut command = console.command();
    command.args(words("jobs wait --jsonl"));
    let mut waiting = start(&mut command, &_scratch.join("logs"));
    wait_until("it tells what it waits for", LONG, || waiting.stderr().contains("waiting for 3 jobs"));
    console.cli(words("jobs cancel 2")).expect_code(0);
    wait_until("the first end is told", LONG, || waiting.stdout().lines().count() == 1);
    assert!(waiting.runs());
    console.cli(words("jobs cancel 1 3")).expect_code(0);
    let output = waiting.wait(LONG).expect_code(11);
    let mut ids: Vec<u64> = output
        .stdout
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&row["v"], &row["state"]), (&1.into(), &"cancelled".into()), "{row}");
            row["id"].as_u64().unwrap()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn a_wait_ends_with_its_server() {
    let (mut console, scratch) = idle(1);
    let waiting = start(console.command().args(words("jobs wait 1")), &scratch.join("logs"));
    let watching = start(console.command().args(words("status --watch --jsonl")), &scratch.join("logs"));
    wait_until("both listen", LONG, || !watching.stdout().is_empty());
    console.stop();
    waiting.wait(LONG).expect_code(3);
    watching.wait(LONG).expect_code(3);
}

#[test]
fn a_paused_farm_hands_nothing_out() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.run();
    console.wait_agents(1);
    let paused = console.json(words("pause"));
    assert_eq!(paused["done"].as_array().map(Vec::len), Some(1), "{paused}");
    clip(&scratch.join("in/a.mp4"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    console.cli(words("jobs wait --timeout 2")).expect_code(7);
    assert!(agent.fake().encodes().is_empty(), "a job was handed out");
    let status = console.json(words("status"));
    assert!(status["paused"]["who"].is_string(), "{status}");
    assert!(console.cli(words("status")).stdout.contains("PAUSED"));
    console.cli(words("resume")).expect_code(0);
    console.cli(words("jobs wait")).expect_code(0);
    assert_eq!(console.json(words("status"))["paused"], Value::Null);
}

#[test]
fn running_work_is_lost_only_after_a_question_and_a_check_sees_a_lost_agent() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.fake().mode("gate");
    agent.run();
    console.wait_agents(1);
    let name = console.json(words("agents ls"))["agents"][0]["name"].as_str().unwrap().to_owned();
    clip(&scratch.join("in/a.mp4"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    // A drain takes back what has not told yet that it encodes.
    console.wait_job(1, "it encodes", |job| job["progress"]["phase"] == "encoding");
    assert_eq!(console.cli(words("status --check")).expect_code(0).stdout, "ok\n");

    // By number and by filter alike; a job that waits is cancelled without a question.
    for which in [&["1"][..], &["--filter", "is:running"]] {
        let asked = console.cli(["jobs", "cancel"].iter().chain(which)).expect_code(5);
        assert!(asked.stderr.contains("1 running job would be cancelled (#1 a.mp4"), "{}", asked.said());
    }
    let asked = console.cli(["agents", "drain", &name, "--kill"]).expect_code(5);
    assert!(asked.stderr.contains("1 running job would be stopped"), "{}", asked.said());
    assert_eq!(console.job(1)["state"], "running");
    assert_eq!(console.json(words("agents ls"))["agents"][0]["drained"], false, "it was done all the same");

    console.cli(["agents", "drain", &name]).expect_code(0);
    assert_eq!(console.json(words("agents ls"))["agents"][0]["drained"], true);
    assert!(console.cli(["agents", "show", &name]).expect_code(0).stdout.contains("draining"));
    console.cli(["agents", "undrain", &name]).expect_code(0);
    assert_eq!(console.json(["agents", "show", &name])["drained"], false);
    // Nothing is in quarantine there.
    console.cli(["agents", "release", &name]).expect_code(4);
    assert_eq!(console.job(1)["state"], "running");

    agent.kill();
    wait_until("the lost agent is seen", LONG, || {
        let check = console.cli(words("status --check --json"));
        check.code == 12 && check.json()["reasons"].to_string().contains("offline")
    });
}

#[test]
fn a_log_is_followed_to_the_end_of_the_job() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    let said = scratch.join("said");
    fs::write(&said, "a line of the encoder\n").unwrap();
    agent.fake().mode(&format!("stderr={} gate", said.display()));
    agent.run();
    clip(&scratch.join("in/a.mp4"), TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    agent.fake().wait_encodes(1);
    let following = start(console.command().args(words("jobs logs 1 --follow")), &scratch.join("logs"));
    wait_until("its first line is there", LONG, || following.stdout().contains("a line of the encoder"));
    agent.fake().open_gate();
    let output = following.wait(LONG).expect_code(0);
    assert_eq!(output.stdout.matches("a line of the encoder").count(), 1, "{}", output.said());
    assert!(output.stderr.ends_with("job 1 is completed\n"), "{}", output.said());
}

#[test]
fn records_are_forgotten_only_when_their_count_is_typed() {
    let (console, scratch) = idle(4);
    console.cli(words("jobs cancel 1 2")).expect_code(0);
    let asked = console.cli(["jobs", "purge", "--filter", "ep_"]).expect_code(5);
    assert!(
        asked.stderr.contains("2 jobs would be forgotten"),
        "what is open is not counted: {}",
        asked.said()
    );

    let answered = |answer: &str| {
        let mut command = console.command();
        command.args(["jobs", "purge", "--filter", "ep_"]);
        let mut terminal = Terminal::start(&command, GLASS);
        terminal.wait_picture("it asks", |picture| picture.contains("type 2 to do it"));
        terminal.press(&format!("{answer}\r"));
        terminal.wait_end()
    };
    assert_eq!(answered("y"), 1);
    assert_eq!(answered(""), 1);
    assert_eq!(states(&console).len(), 4, "it was done all the same");
    assert_eq!(answered("2"), 0);
    assert_eq!(states(&console), ["pending"; 2]);
    assert!(scratch.join("in/ep_0001.mkv").exists(), "a source is gone");
    // What is forgotten may be added again.
    assert_eq!(number(&console.add(&scratch.join("in"), &scratch.join("out")), "added"), 2);
    // By number, what is open is left alone.
    let left = console.cli(words("jobs purge 3 --yes --json")).expect_code(4).json();
    assert_eq!((number(&left, "count"), left["left"].as_array().map(Vec::len)), (0, Some(1)), "{left}");
}

#[test]
fn events_are_followed_as_they_happen() {
    let (console, scratch) = idle(3);
    console.cli(words("jobs hold 1")).expect_code(0);
    let following = start(console.command().args(words("events --follow --jsonl")), &scratch.join("logs"));
    let of_job =
        start(console.command().args(words("events --follow --job 2 --limit 0")), &scratch.join("logs"));
    wait_until("what was before is there", LONG, || following.stdout().contains("held"));
    console.cli(words("jobs hold 2")).expect_code(0);
    console.cli(words("jobs cancel 3")).expect_code(0);
    wait_until("it is told", LONG, || following.stdout().contains("cancelled"));
    let events: Vec<Value> =
        following.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = events.iter().map(|event| event["no"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let last = events.last().unwrap();
    assert_eq!((&last["v"], &last["job"]), (&1.into(), &3.into()), "{last}");
    assert!(last["who"].is_string() && last["at"].as_str().unwrap().ends_with('Z'), "{last}");
    wait_until("the one job's is told", LONG, || !of_job.stdout().is_empty());
    assert!(of_job.stdout().lines().all(|line| line.split('\t').nth(5) == Some("2")), "{}", of_job.stdout());

    let all = console.json(words("events --since 1h"));
    let all = all["events"].as_array().unwrap();
    assert!(all.len() >= 3, "{all:?}");
    let one = console.json(words("events --limit 1"));
    assert_eq!(one["events"].as_array().unwrap(), &all[all.len() - 1..]);
    let none = console.json(words("events --since 2100-01-01T00:00:00Z"));
    assert_eq!(none["events"], serde_json::json!([]));
}

#[test]
fn the_past_is_counted_by_cause_and_by_day() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console);
    agent.run();
    clip(&scratch.join("in/a.mp4"), TINY);
    fs::write(scratch.join("in/b.mkv"), "not a video").unwrap();
    fs::write(scratch.join("in/c.mkv"), "nor this").unwrap();
    add(&console, &scratch.join("in"), &scratch.join("out"), "--wait").expect_code(10);

    let failures = console.json(words("failures"));
    assert_eq!(number(&failures, "open"), 2, "{failures}");
    let group = &failures["groups"][0];
    assert_eq!((number(group, "open"), &group["class"]), (2, &"source".into()), "{group}");
    // The group's name finds its jobs.
    let filter = format!("cause:\"{}\"", group["cause"].as_str().unwrap());
    let found = console.json(["jobs", "ls", "--filter", &filter]);
    assert_eq!(found["jobs"].as_array().map(Vec::len), Some(2), "{filter}: {found}");
    let row = console.cli(words("failures")).expect_code(0).stdout;
    assert_eq!(row.lines().next().unwrap().split('\t').nth(2), Some("2"), "{row}");

    let stats = console.json(words("stats --days 1"));
    assert_eq!((number(&stats["all"], "completed"), number(&stats["all"], "failed")), (1, 2), "{stats}");
    assert_eq!(stats["days"].as_array().map(Vec::len), Some(1), "{stats}");
    assert!(
        stats["profiles"][0]["profile"].is_string() && stats["agents"][0]["agent"].is_string(),
        "{stats}"
    );
    let kinds = console.cli(words("stats")).expect_code(0).stdout;
    let kinds: Vec<_> = kinds.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(kinds, ["day", "profile", "agent", "all"]);
}

#[test]
fn a_version_is_told_with_the_servers() {
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let told = console.json(words("version"));
    assert_eq!(told["server"], told["version"], "{told}");
    console.stop();
    assert_eq!(console.json(words("version"))["server"], Value::Null);
}
