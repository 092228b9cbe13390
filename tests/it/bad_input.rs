//! Bad input: each is met with a clear message and the documented exit code, loses nothing, and does not keep other
//! jobs from going on.

use std::ffi::OsString;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use redb::ReadableTable;
use serde_json::Value;
use vc_console::app::{Server, ServerConfig};
use vc_tests::media::{TINY, assert_whole, clip, files_below};
use vc_tests::{
    Agent, Console, Fake, Scratch, need_ffmpeg, run, skipped, vc_console, vc_console_path, wait_until,
};

use crate::convert::{convert, convert_with};
use crate::{assert_no_parts, job_of};

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// Checks that a text tells what happened.
#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.to_lowercase().contains(&word.to_lowercase()), "not a word of `{word}` in:\n{text}");
    }
}

/// Converts a good clip beside a bad one: the good one is completed, the bad one fails as a bad source with a cause
/// that holds one of the words, and nothing is at its output.
#[track_caller]
fn assert_bad_source(name: &str, make: impl FnOnce(&Path), causes: &[&str]) {
    let scratch = Scratch::new();
    clip(&scratch.join("in/good.mp4"), TINY);
    make(&scratch.join("in").join(name));
    let output = run(&mut convert(&scratch, &["--json"])).expect_code(10);
    let document = output.json();
    assert_eq!(job_of(&document["jobs"], "good.mp4")["state"], "completed");
    let bad = job_of(&document["jobs"], name);
    assert_eq!((bad["state"].as_str(), bad["class"].as_str()), (Some("failed"), Some("source")), "{bad}");
    let cause = bad["cause"].as_str().unwrap_or_default();
    assert!(
        causes.iter().any(|word| cause.contains(word)),
        "the cause of {name} is `{cause}`, not one of {causes:?}"
    );
    assert_eq!(files_below(&scratch.join("out")), [PathBuf::from("good.mp4")]);
    assert_whole(&scratch.join("out/good.mp4"), TINY.seconds);
}

#[test]
fn a_missing_folder_is_named() {
    let scratch = Scratch::new();
    let output = run(&mut convert(&scratch, &[])).expect_code(2);
    assert_says(&output.stderr, &[scratch.join("in").to_str().unwrap(), "No such file"]);
    assert!(!scratch.join("out").exists(), "an output folder was made for nothing");
}

#[test]
fn a_missing_folder_is_named_by_add_too() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let output = console.cli(["add", "/no/such/folder", "--out", scratch.join("out").to_str().unwrap()]);
    assert_says(&output.expect_code(2).stderr, &["/no/such/folder"]);
    assert!(console.jobs().is_empty());
}

#[test]
fn a_folder_without_videos_matches_nothing() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    fs::write(scratch.folder("in").join("readme.txt"), "nothing to see").unwrap();
    let output = run(&mut convert(&scratch, &[])).expect_code(4);
    assert_says(&output.stderr, &["no video"]);
}

#[test]
fn a_link_to_nowhere_and_a_folder_with_a_videos_name_stop_nobody() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/good.mp4"), TINY);
    clip(&scratch.join("in/folder.mp4/inside.mp4"), TINY);
    symlink("/no/such/video.mp4", scratch.join("in/dangling.mp4")).unwrap();
    let output = run(&mut convert(&scratch, &["--json"])).expect_code(10);
    let document = output.json();
    assert_eq!(job_of(&document["jobs"], "good.mp4")["state"], "completed");
    assert_eq!(job_of(&document["jobs"], "inside.mp4")["state"], "completed");
    assert_says(&output.said(), &["dangling.mp4"]);
    assert_eq!(
        files_below(&scratch.join("out")),
        [PathBuf::from("folder.mp4/inside.mp4"), PathBuf::from("good.mp4")]
    );
}

/// Lets a command run as the user that owns nothing; none where that cannot be tried.
fn as_nobody(scratch: &Scratch, command: &mut Command) -> Option<()> {
    if fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        let probe = Command::new(vc_console_path()).arg("--version").uid(NOBODY).gid(NOBODY).output();
        if !probe.is_ok_and(|output| output.status.success()) {
            skipped(&format!(
                "root may read everything, and nobody may not run {}",
                vc_console_path().display()
            ));
            return None;
        }
        command.uid(NOBODY).gid(NOBODY);
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["tmp", "out", "xdg"] {
            fs::set_permissions(scratch.folder(folder), fs::Permissions::from_mode(0o777)).unwrap();
        }
    }
    Some(())
}

#[test]
fn an_unreadable_file_fails_alone() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/good.mp4"), TINY);
    clip(&scratch.join("in/secret.mp4"), TINY);
    fs::set_permissions(scratch.join("in/secret.mp4"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = convert(&scratch, &["--json"]);
    if as_nobody(&scratch, &mut command).is_none() {
        return;
    }
    let document = run(&mut command).expect_code(10).json();
    assert_eq!(job_of(&document["jobs"], "good.mp4")["state"], "completed");
    let secret = job_of(&document["jobs"], "secret.mp4");
    assert_eq!(
        (secret["state"].as_str(), secret["class"].as_str()),
        (Some("failed"), Some("source")),
        "{secret}"
    );
    assert_says(secret["cause"].as_str().unwrap(), &["permission denied"]);
}

#[test]
fn a_truncated_mp4_is_never_passed_off_as_whole() {
    need_ffmpeg!();
    let cut = |path: &Path| {
        let whole = vc_tests::media::Clip { seconds: 2.0, ..TINY };
        clip(path, whole);
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    // The index of an mp4 is at its end unless asked otherwise, so it is gone.
    assert_bad_source("cut.mp4", cut, &["moov atom not found", "Invalid data"]);
}

#[test]
fn a_truncated_mp4_with_its_index_in_front_is_never_passed_off_as_whole() {
    need_ffmpeg!();
    let cut = |path: &Path| {
        let plain = path.with_file_name("plain.mp4.tmp");
        clip(&plain.with_extension("mp4"), vc_tests::media::Clip { seconds: 2.0, ..TINY });
        let status = vc_tests::media::ffmpeg_tool("ffmpeg")
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(plain.with_extension("mp4"))
            .args(["-c", "copy", "-movflags", "+faststart"])
            .arg(path)
            .status()
            .unwrap();
        assert!(status.success());
        fs::remove_file(plain.with_extension("mp4")).unwrap();
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() * 6 / 10]).unwrap();
    };
    assert_bad_source("cut-front.mp4", cut, &["partial file", "truncated", "ends early", "shorter", "cut"]);
}

#[test]
fn a_text_called_mp4_is_no_video() {
    need_ffmpeg!();
    let text = |path: &Path| fs::write(path, "dear diary\n".repeat(100)).unwrap();
    assert_bad_source("diary.mp4", text, &["moov atom not found", "Invalid data", "no video"]);
}

#[test]
fn zero_bytes_are_no_video() {
    need_ffmpeg!();
    let empty = |path: &Path| fs::write(path, "").unwrap();
    assert_bad_source("empty.mp4", empty, &["empty", "moov atom not found", "Invalid data", "zero"]);
}

#[test]
fn sound_alone_is_no_video() {
    need_ffmpeg!();
    let sound = |path: &Path| {
        let status = vc_tests::media::ffmpeg_tool("ffmpeg")
            .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac"])
            .arg(path)
            .status()
            .unwrap();
        assert!(status.success());
    };
    assert_bad_source("song.mp4", sound, &["no video"]);
}

#[test]
fn hostile_names_keep_every_byte() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let mut long = vec![b'l'; 251];
    long.extend_from_slice(b".mp4");
    let names: Vec<OsString> = [
        b"new\nline.mp4".to_vec(),
        b"quote\"and'quote.mp4".to_vec(),
        b"-i.mp4".to_vec(),
        b"not\xffutf8\xc3.mp4".to_vec(),
        b"$(touch gotcha)`touch gotcha`;.mp4".to_vec(),
        b"%03d [a:v] file:x\\.mp4".to_vec(),
        b"\x1b[2J.mp4".to_vec(),
        long,
    ]
    .into_iter()
    .map(OsString::from_vec)
    .collect();
    for name in &names {
        clip(&scratch.join("in").join(name), TINY);
    }
    let output = run(&mut convert(&scratch, &["--slots", "2", "--json"])).expect_code(0);
    let document = output.json();
    assert_eq!(document["jobs"].as_array().unwrap().len(), names.len());
    assert!(!output.said().contains('\u{1b}'), "a name steers the terminal");
    let mut wanted: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    wanted.sort();
    assert_eq!(files_below(&scratch.join("out")), wanted);
    for name in &names {
        assert_whole(&scratch.join("out").join(name), TINY.seconds);
    }
    assert!(
        !scratch.join("gotcha").exists() && !scratch.join("in/gotcha").exists(),
        "a name was run by a shell"
    );
}

#[test]
fn a_name_that_grows_too_long_fails_alone() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/good.mp4"), TINY);
    clip(&scratch.join("in").join(format!("{}.ts", "l".repeat(252))), TINY);
    let output = run(&mut convert(&scratch, &["--json"])).expect_code(10);
    assert_eq!(job_of(&output.json()["jobs"], "good.mp4")["state"], "completed");
    assert_says(&output.said(), &["too long"]);
    assert_eq!(files_below(&scratch.join("out")), [PathBuf::from("good.mp4")]);
}

#[test]
fn an_output_folder_below_a_file_is_refused_at_once() {
    let scratch = Scratch::new();
    need_ffmpeg!();
    clip(&scratch.join("in/a.mp4"), TINY);
    fs::write(scratch.join("file"), "").unwrap();
    let out = scratch.join("file/out");
    let mut command = vc_console(&scratch);
    command.arg("convert").arg(scratch.join("in")).arg("--out").arg(&out);
    let output = run(&mut command).expect_code(2);
    assert_says(&output.stderr, &[out.to_str().unwrap(), "Not a directory"]);
}

#[test]
fn an_output_folder_that_cannot_be_written_is_refused_at_once() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/a.mp4"), TINY);
    let mut command = convert(&scratch, &[]);
    if as_nobody(&scratch, &mut command).is_none() {
        return;
    }
    fs::set_permissions(scratch.join("out"), fs::Permissions::from_mode(0o555)).unwrap();
    let output = run(&mut command).expect_code(2);
    assert_says(&output.stderr, &[scratch.join("out").to_str().unwrap(), "permission denied"]);
}

#[test]
fn an_output_of_someone_else_is_kept() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    clip(&scratch.join("in/a.mkv"), TINY);
    clip(&scratch.join("in/b.mkv"), TINY);
    fs::write(scratch.folder("out").join("a.mp4"), "mine").unwrap();
    let document = run(&mut convert(&scratch, &["--json"])).expect_code(0).json();
    let kept = job_of(&document["jobs"], "a.mkv");
    assert_eq!(kept["state"], "skipped", "{kept}");
    assert_says(kept["cause"].as_str().unwrap_or_default(), &["already"]);
    assert_eq!(job_of(&document["jobs"], "b.mkv")["state"], "completed");
    assert_eq!(fs::read(scratch.join("out/a.mp4")).unwrap(), b"mine");
}

#[test]
fn an_output_that_appears_during_the_encode_is_kept() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("gate");
    clip(&scratch.join("in/a.mkv"), TINY);
    let running = vc_tests::start(&mut convert_with(&scratch, &fake, &["--json"]), &scratch.join("logs"));
    fake.wait_encodes(1);
    fs::write(scratch.join("out/a.mp4"), "mine").unwrap();
    fake.open_gate();
    let document = running.wait(vc_tests::LONG).json();
    let job = job_of(&document["jobs"], "a.mkv");
    assert!(["failed", "skipped"].contains(&job["state"].as_str().unwrap_or_default()), "{job}");
    assert_eq!(fs::read(scratch.join("out/a.mp4")).unwrap(), b"mine");
    assert_no_parts(&scratch.join("out"));
}

#[test]
fn a_missing_ffmpeg_is_said_with_what_to_do() {
    let scratch = Scratch::new();
    fs::write(scratch.folder("in").join("a.mp4"), "anything").unwrap();
    let output = run(convert(&scratch, &[]).env("PATH", scratch.folder("empty"))).expect_code(2);
    assert_says(&output.stderr, &["ffmpeg", "not found", "install"]);
}

#[test]
fn an_ffmpeg_that_is_too_old_is_said_with_its_version() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("version=4.1");
    clip(&scratch.join("in/a.mp4"), TINY);
    let output = run(&mut convert_with(&scratch, &fake, &[])).expect_code(2);
    assert_says(&output.stderr, &["4.1", "ffmpeg", "too old"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let scratch = Scratch::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(vc_console(&scratch).args(["serve", "--listen", &address, "--state-dir", "state"]));
    let port = taken.local_addr().unwrap().port().to_string();
    assert_says(&output.expect_code(3).stderr, &[&port, "taken"]);
}

#[test]
fn a_second_console_on_one_state_folder_names_the_first() {
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let output = console.cli(["serve", "--listen", "127.0.0.1:0"]).expect_code(3);
    assert_says(&output.stderr, &[&console.process().pid().to_string(), "another console"]);
    assert!(console.process().runs(), "the first one was disturbed");

    // A lock left behind by a power cut keeps nobody out.
    console.kill();
    console.start_again();
    assert!(console.jobs().is_empty());
}

#[test]
fn a_table_of_a_newer_version_is_left_alone() {
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    console.stop();
    let file = console.state().join(vc_console::store::FILE_NAME);
    let newer = raise_schema(&file);
    let output = console.cli(["serve", "--listen", "127.0.0.1:0"]).expect_code(1);
    assert_says(&output.stderr, &["schema", "upgrade", vc_console::store::FILE_NAME]);
    assert_eq!(raise_schema(&file), newer + 1, "a table that is not understood was changed");
}

/// Raises the version in the table of a stopped console, as an update would; the version that it has then.
fn raise_schema(file: &Path) -> u32 {
    let database = redb::Database::open(file).expect("a stopped console's table opens");
    let write = database.begin_write().unwrap();
    let schema = {
        let definition = redb::TableDefinition::<&str, &[u8]>::new("meta");
        let mut meta = write.open_table(definition).expect("the file says what it is");
        let schema = meta.get("schema").unwrap().expect("it says its version").value().to_vec();
        let schema = u32::from_le_bytes(schema.try_into().expect("four bytes")) + 1;
        meta.insert("schema", schema.to_le_bytes().as_slice()).unwrap();
        schema
    };
    write.commit().unwrap();
    schema
}

#[test]
fn a_bad_join_line_is_refused() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let agent = Agent::new(&scratch, "ada");
    for line in ["", "hello", "vcj1.", "vcj2.127.0.0.1:1.aa.bb.cc"] {
        let output = agent.join(line).expect_code(2);
        assert_says(&output.stderr, &["line"]);
    }

    // One wrong digit of the secret.
    let line = console.token(&[]);
    let (rest, secret) = line.rsplit_once('.').unwrap();
    let digit = if secret.starts_with('A') { 'B' } else { 'A' };
    let output = agent.join(&format!("{rest}.{digit}{}", &secret[1..])).expect_code(6);
    assert_says(&output.stderr, &["secret"]);
    let run = run(agent.command().arg("run")).expect_code(2);
    assert_says(&run.stderr, &["has not joined"]);
}

#[test]
fn a_used_token_is_refused() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let line = console.token(&[]);
    Agent::new(&scratch, "ada").join(&line).expect_code(0);
    let output = Agent::new(&scratch, "bolt").join(&line).expect_code(6);
    assert_says(&output.stderr, &["used"]);
}

#[test]
fn an_expired_token_is_refused() {
    let scratch = Scratch::new();
    // In this process, since the command line lets no token live for less than a minute.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let life = Duration::from_secs(1);
    let config = ServerConfig { state_dir: scratch.join("console"), listen: "127.0.0.1:0".parse().unwrap() };
    let server = runtime.block_on(Server::start(config)).unwrap();
    let line = server.join_line(1, life).unwrap();
    let made = Instant::now();
    wait_until("the token has expired", vc_tests::LONG, || made.elapsed() > life);
    let output = Agent::new(&scratch, "ada").join(&line.to_string()).expect_code(6);
    assert_says(&output.stderr, &["expired"]);
    runtime.block_on(server.stop());
}

#[test]
fn a_second_join_of_one_box_says_so() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let agent = Agent::joined(&scratch, "ada", &console);
    let output = agent.join(&console.token(&[])).expect_code(2);
    assert_says(&output.stderr, &["already", "--force"]);
}

#[test]
fn a_join_line_of_another_farm_is_refused_with_both_pins() {
    let scratch = Scratch::new();
    let ours = Console::start_named(&scratch, "ours");
    let theirs = Console::start_named(&scratch, "theirs");
    // The line of one farm, led to the other: what a relay in the middle would do.
    let line = ours.token(&[]).replace(ours.listen(), theirs.listen());
    let output = Agent::new(&scratch, "ada").join(&line).expect_code(6);
    assert_says(&output.stderr, &["farm"]);
    let pin = line.split('.').rev().nth(2).unwrap();
    assert_says(&output.stderr, &[pin]);
}

#[test]
fn an_agent_of_another_farm_is_refused_and_says_why() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let mut first = Console::start_named(&scratch, "first");
    let mut agent = Agent::joined(&scratch, "ada", &first);
    let address = first.listen().to_owned();
    first.stop();
    let mut other = vc_console(&scratch);
    other.args(["serve", "--listen", &address, "--state-dir", "other"]);
    let mut other = vc_tests::start(&mut other, &scratch.join("logs"));
    wait_until("the other farm listens", vc_tests::LONG, || other.stdout().contains("listening"));

    agent.run();
    wait_until("the agent says why it does not get in", vc_tests::LONG, || {
        agent.process().stderr().contains("not of this farm")
    });
    assert!(agent.process().runs(), "its own console may come back at that address");
    assert!(other.runs(), "a stranger ended the console");
}

#[test]
fn commands_without_a_server_end_with_3() {
    let scratch = Scratch::new();
    for words in [vec!["status"], vec!["jobs", "ls"], vec!["why", "1"], vec!["add", ".", "--out", "out"]] {
        let output = run(vc_console(&scratch).args(&words).args(["--state-dir", "nowhere"]));
        assert_eq!(output.code, 3, "{words:?}: {}", output.said());
        assert_says(&output.stderr, &["serve"]);
    }
}

#[test]
fn errors_are_documents_too_when_asked() {
    let scratch = Scratch::new();
    let output =
        run(vc_console(&scratch).args(["status", "--json", "--state-dir", "nowhere"])).expect_code(3);
    let document: Value = output.json();
    assert_eq!(document["error"]["code"], 3, "{document}");
    assert!(document["error"]["message"].is_string() && document["error"]["hint"].is_string(), "{document}");
}

#[test]
fn a_job_that_is_not_there_ends_with_4() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    for words in [["jobs", "show", "999"], ["jobs", "logs", "999"], ["jobs", "retry", "999"]] {
        let output = console.cli(words);
        assert_eq!(output.code, 4, "{words:?}: {}", output.said());
        assert_says(&output.stderr, &["999"]);
    }
    let output = console.cli(["why", "999"]).expect_code(4);
    assert_says(&output.stderr, &["999"]);
}
