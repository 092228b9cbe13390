//! Operators and viewers on other boxes: who gets in, what they may do, and how they are thrown out.

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;

use serde_json::Value;
use vc_protocol::hello::Hello;
use vc_tests::media::{TINY, clip};
use vc_tests::terminal::{Terminal, WIDE};
use vc_tests::{Agent, Console, LONG, Person, Scratch, need_ffmpeg, run, skipped, vc_console, wait_until};

use crate::number;

/// The id that `operators ls` or `agents ls` gives somebody.
#[track_caller]
fn id_of(list: &Value, name: &str) -> u64 {
    let found = list.as_array().unwrap().iter().find(|row| row["name"] == name);
    number(found.unwrap_or_else(|| panic!("no {name} in {list}")), "id")
}

#[test]
fn a_viewer_looks_from_another_box_and_changes_nothing() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let ana = Person::joined(&scratch, "ana", &console, "viewer");
    for words in [vec!["status"], vec!["jobs", "ls"], vec!["agents", "ls"]] {
        ana.json(words);
    }
    for words in [
        vec!["token", "create"],
        vec!["token", "ls"],
        vec!["operators", "ls"],
        vec!["jobs", "retry", "1"],
        vec!["stop"],
    ] {
        let said = ana.at(console.listen(), &words).expect_code(6);
        assert!(said.stderr.contains("only looks here"), "{words:?}: {}", said.said());
    }
    console.json(["status"]);
}

#[test]
fn an_operator_acts_from_another_box_as_on_the_console_itself() {
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let ben = Person::joined(&scratch, "ben", &console, "operator");
    let token = ben.json(["token", "create"]);
    let ada = Agent::new(&scratch, "ada");
    ada.join(token["line"].as_str().unwrap()).expect_code(0);
    // The second who joined, after this operator. It has never worked, so nothing but the registry knows it.
    ben.at(console.listen(), ["agents", "rename", "2", "gpu.box"]).expect_code(0);
    assert_eq!(console.json(["agents", "ls"])["agents"][0]["name"], "gpu.box");
    let nobody = ben.at(console.listen(), ["agents", "rename", "nobody", "x"]).expect_code(4);
    assert!(nobody.stderr.contains("operators ls"), "{}", nobody.said());
    // The last answer arrives although the server ends with it.
    ben.at(console.listen(), ["stop"]).expect_code(0);
    wait_until("the server has ended by itself", LONG, || !console.process().runs());
    ben.at(console.listen(), ["status"]).expect_code(3);
}

#[test]
fn a_revoked_operator_is_cut_off_in_the_middle_of_looking() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let ben = Person::joined(&scratch, "ben", &console, "operator");
    let mut command = ben.command();
    command.args(["--connect", console.listen()]);
    let mut terminal = Terminal::start(&command, WIDE);
    terminal.wait_picture("the farm is shown", |picture| picture.contains("slots"));
    let people = console.json(["operators", "ls"]);
    let name = people["operators"][0]["name"].as_str().unwrap().to_owned();
    // Asks first, and nobody can answer here.
    console.cli(["operators", "revoke", &name]).expect_code(5);
    console.cli(["operators", "revoke", &name, "--yes"]).expect_code(0);
    terminal.wait_picture("it says why", |picture| picture.contains("revoked"));
    let said = ben.at(console.listen(), ["status"]).expect_code(6);
    assert!(said.stderr.contains("was revoked: join again"), "{}", said.said());
    assert_eq!(console.json(["operators", "ls"])["operators"], Value::Array(vec![]));
    assert!(console.json(["operators", "ls", "--all"])["operators"][0]["revoked"].is_string());
    // With a new token, under a new name, it is somebody else.
    ben.join(&console.token(&["--role", "viewer"])).expect_code(2);
    let line = console.token(&["--role", "viewer"]);
    run(ben.command().args(["join", &line, "--force"])).expect_code(0);
    ben.json(["status"]);
    terminal.wait_picture("the dashboard is let in anew", |picture| !picture.contains("no word from"));
    terminal.press("qd");
    terminal.wait_end();
}

#[test]
fn a_remote_dashboard_shows_what_happens() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let ana = Person::joined(&scratch, "ana", &console, "viewer");
    let mut command = ana.command();
    command.args(["--connect", "-"]);
    let mut terminal = Terminal::start(&command, WIDE);
    terminal.wait_picture("the farm is shown", |picture| picture.contains("slots"));
    for name in ["a.mp4", "b.mp4", "c.mp4"] {
        clip(&scratch.join("in").join(name), TINY);
    }
    console.add(&scratch.join("in"), &scratch.join("out"));
    terminal.wait_picture("the new jobs are counted", |picture| picture.contains("pending 3"));
    terminal.press("2");
    terminal.wait_picture("they are listed", |picture| picture.contains("b.mp4"));
    terminal.press("qd");
    terminal.wait_end();
    console.json(["status"]);
}

#[test]
fn a_revoked_agent_is_thrown_out_and_stays_out() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut ada = Agent::joined(&scratch, "ada", &console).with_fake();
    ada.run();
    console.wait_agents(1);
    let agents = console.json(["agents", "ls"]);
    let name = agents["agents"][0]["name"].as_str().unwrap().to_owned();
    let id = id_of(&agents["agents"], &name).to_string();
    console.cli(["agents", "revoke", &id, "--yes"]).expect_code(0);
    wait_until("it is told", LONG, || ada.process().stderr().contains("was revoked"));
    wait_until("it is gone from the list", LONG, || {
        console.json(["agents", "ls"])["agents"].as_array().unwrap().is_empty()
    });
    console.cli(["agents", "revoke", &id, "--yes"]).expect_code(4);
    ada.stop();
}

#[test]
fn a_line_is_refused_by_the_program_that_it_is_not_for_and_keeps_its_use() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let (agents, people) = (console.token(&[]), console.token(&["--role", "operator"]));
    let (ada, ana) = (Agent::new(&scratch, "ada"), Person::new(&scratch, "ana"));
    let said = ada.join(&people).expect_code(6);
    assert!(said.stderr.contains("role of this token is operator"), "{}", said.said());
    let said = ana.join(&agents).expect_code(6);
    assert!(said.stderr.contains("role of this token is agent"), "{}", said.said());
    let left = console.json(["token", "ls"]);
    assert_eq!(left["tokens"].as_array().unwrap().len(), 2, "{left}");
    ada.join(&agents).expect_code(0);
    ana.join(&people).expect_code(0);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(ana.identities()), 0o700);
    let farm = fs::read_dir(ana.identities()).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(farm.clone()), mode(farm.join("identity.pem"))), (0o700, 0o600));
    let said = ana.join(&people).expect_code(2);
    assert!(said.stderr.contains("already (operator); `--force`"), "{}", said.said());
}

#[test]
fn a_token_is_listed_and_taken_back() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let line = console.token(&["--role", "viewer", "--uses", "3"]);
    let tokens = console.json(["token", "ls"]);
    let token = &tokens["tokens"][0];
    assert_eq!((token["role"].as_str(), number(token, "uses_left")), (Some("viewer"), 3), "{token}");
    let id = token["id"].as_str().unwrap();
    assert!(line.contains(id), "{line}");
    console.cli(["token", "revoke", id]).expect_code(0);
    console.cli(["token", "revoke", id]).expect_code(4);
    let said = Person::new(&scratch, "ana").join(&line).expect_code(6);
    assert!(said.stderr.contains("knows no such token"), "{}", said.said());
}

#[test]
fn an_address_is_of_the_farm_that_was_joined_there_or_of_none() {
    let scratch = Scratch::new();
    let (one, two) = (Console::start_named(&scratch, "one"), Console::start_named(&scratch, "two"));
    let ana = Person::joined(&scratch, "ana", &one, "viewer");
    let said = ana.at(two.listen(), ["status"]).expect_code(6);
    assert!(said.stderr.contains("is not of this farm"), "{}", said.said());
    ana.join(&two.token(&["--role", "operator"])).expect_code(0);
    ana.at(one.listen(), ["token", "create"]).expect_code(6);
    ana.at(two.listen(), ["token", "create"]).expect_code(0);
    let said = ana.at("-", ["status"]).expect_code(2);
    assert!(said.stderr.contains(one.listen()) && said.stderr.contains(two.listen()), "{}", said.said());
    let said = Person::new(&scratch, "ben").at(one.listen(), ["status"]).expect_code(6);
    assert!(said.stderr.contains("joined no farm"), "{}", said.said());
    // A port where nobody answers.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let said = ana.at(&silent.local_addr().unwrap().to_string(), ["status"]).expect_code(3);
    assert!(said.stderr.contains("no answer within"), "{}", said.said());
}

#[test]
fn a_server_of_a_newer_version_is_told_by_a_sentence() {
    let scratch = Scratch::new();
    let state = scratch.join("newer");
    fs::create_dir_all(&state).unwrap();
    let listener = UnixListener::bind(state.join("operator.sock")).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let hello = Hello { min: 999, max: 999, program: "99.0".into(), features: Vec::new() }.to_bytes();
        stream.write_all(&(hello.len() as u16).to_le_bytes()).unwrap();
        stream.write_all(&hello).unwrap();
        let _ = stream.read(&mut [0; 600]);
    });
    let said = run(vc_console(&scratch).arg("status").env("VC_STATE_DIR", &state)).expect_code(1);
    assert!(said.stderr.contains("vc-console 99.0, which is too new"), "{}", said.said());
    assert!(said.stderr.contains("upgrade this program"), "{}", said.said());
    server.join().unwrap();
}

#[test]
fn another_users_client_is_refused_at_the_socket() {
    if !nix::unistd::geteuid().is_root() {
        return skipped("only root can be two users");
    }
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    // Everything that files can guard is opened: what is left is the look at who speaks.
    let open = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    open(scratch.path());
    open(console.state());
    open(&console.state().join("operator.sock"));
    let mut command = console.command();
    command.arg("status").uid(65_534).gid(65_534);
    let Ok(said) = command.output() else {
        return skipped("the programs lie where another user cannot run them");
    };
    let words = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(6), "{words}");
    assert!(words.contains("belongs to another user"), "{words}");
}
