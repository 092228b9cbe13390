//! The program as people meet it: words in, sentences and exit codes out.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

fn agent(state: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vc-agent"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("VC_STATE_DIR", state).args(args);
    command.output().unwrap()
}

/// Exit code, stdout, stderr.
fn said(state: &Path, args: &[&str]) -> (i32, String, String) {
    let output = agent(state, args);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn version_is_one_line_on_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = said(dir.path(), &["version"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, format!("vc-agent {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn words_are_completed_and_pages_made_from_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = said(dir.path(), &["completion", shell]);
        assert!(code == 0 && out.contains("VC_COMPLETE"), "{out}");
    }
    let (code, page, _) = said(dir.path(), &["man"]);
    assert!(code == 0 && page.contains("vc\\-agent"), "{page}");
}

#[test]
fn status_of_no_agent_says_so_and_exits_3() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, err) = said(dir.path(), &["status"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("vc-agent run"), "{err}");
    let (code, out, _) = said(dir.path(), &["status", "--json"]);
    assert_eq!(code, 3);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["v"], &json["error"]["code"]), (&1.into(), &3.into()));
}

#[test]
fn a_garbled_join_line_is_a_usage_error_that_says_what_to_paste() {
    let dir = tempfile::tempdir().unwrap();
    for line in ["garbage", "vcj1.10.0.0.1:4433.short.1f.secret"] {
        let (code, out, err) = said(dir.path(), &["join", line]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("paste the whole line"), "{err}");
    }
}

#[test]
fn joining_a_console_that_is_not_there_exits_3_and_names_the_address() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing listens on the discard port of this box.
    let pin = "A".repeat(43);
    let line = format!("vcj1.127.0.0.1:9.{pin}.000000000000001f.{}", "A".repeat(22));
    let (code, _, err) = said(dir.path(), &["join", &line]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("127.0.0.1:9"), "{err}");
    assert!(!err.contains(&"A".repeat(22)), "the secret is not told: {err}");
}

#[test]
fn an_agent_that_has_not_joined_says_how() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = said(dir.path(), &["run"]);
    assert_eq!(code, 2);
    assert!(err.contains("vc-agent join"), "{err}");
}

#[test]
fn wrong_words_are_usage_errors() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["fly"][..],
        &["run", "--slots", "257"],
        &["run", "--gpu-slots", "0"],
        &["run", "--map", "here"],
        &["join"],
        &[],
    ] {
        let (code, _, err) = said(dir.path(), args);
        assert_eq!(code, 2, "{args:?}: {err}");
    }
}
