//! The `vc-console` program from outside, without a server: usage, profiles, exit statuses.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let state = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_vc-console"))
        .args(args)
        .env("VC_STATE_DIR", state.path())
        .env("XDG_CONFIG_HOME", state.path())
        .output()
        .unwrap()
}

#[track_caller]
fn check(args: &[&str], exit: i32, said: &str) {
    let output = run(args);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
    assert!(text.contains(said), "{args:?} should say {said:?}: {text}");
}

#[test]
fn usage_errors_exit_2_and_say_what_is_wrong() {
    check(&["jobs", "ls", "--bogus"], 2, "--bogus");
    check(&["why", "nine"], 2, "nine");
    check(&["convert"], 2, "--out");
    check(&["convert", "/no/such/folder", "--out", "/tmp/vc-never"], 2, "/no/such/folder");
    check(&["convert", "/", "--out", "/tmp/vc-never", "--profile", "nope"], 2, "h264-1080p");
}

#[test]
fn commands_without_a_server_exit_3_and_say_how_to_start_one() {
    for args in
        [&["status"][..], &["jobs", "ls"], &["agents", "ls"], &["why", "1"], &["token", "create"], &[]]
    {
        check(args, 3, "vc-console serve");
    }
    check(&["status", "--json"], 3, r#""error""#);
}

#[test]
fn profiles_are_listed_and_shown() {
    check(&["profiles", "ls"], 0, "h264-1080p");
    check(&["profiles", "show", "remux"], 0, "container = \"mkv\"");
    check(&["profiles", "show", "remux", "--json"], 0, r#""v":1"#);
    check(&["profiles", "show", "nope"], 4, "av1-archive");
    check(&["--version"], 0, "vc-console");
}
