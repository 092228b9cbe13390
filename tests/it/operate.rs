//! The server that plain `vc-console` starts, how the dashboard in front of it ends, and the commands around both.

use std::io::Read;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use vc_tests::terminal::{GLASS, Size, Terminal};
use vc_tests::{
    Agent, Console, LONG, Scratch, eventually, need_ffmpeg, run, vc_agent_path, vc_console, wait_for,
    wait_until,
};

/// What ended must be gone within this; the promise is a second, and tests share two cores.
const SOON: Duration = Duration::from_secs(4);

/// A state folder whose server runs in the background. It is ended with the test, however the test ends.
struct Background {
    scratch: Scratch,
    state: PathBuf,
}

impl Background {
    fn new() -> Self {
        let scratch = Scratch::new();
        let state = scratch.join("s");
        Background { scratch, state }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = vc_console(&self.scratch);
        command.env("VC_STATE_DIR", &self.state).env("VC_LISTEN", "127.0.0.1:0").args(words);
        command
    }

    fn pid(&self) -> Option<Pid> {
        pid_in(&self.state.join("farm.pid"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for program in [vc_tests::vc_console_path(), vc_agent_path()] {
            for pid in processes(&program, &self.state) {
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
    }
}

fn pid_in(file: &Path) -> Option<Pid> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok().map(Pid::from_raw)
}

/// Processes of a program that have a state folder among their words.
fn processes(program: &Path, state: &Path) -> Vec<Pid> {
    let all = std::fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).map(Pid::from_raw);
    pids.filter(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.starts_with(&*program.to_string_lossy()) && words.contains(&*state.to_string_lossy())
    })
    .collect()
}

#[test]
fn two_who_start_at_once_share_one_server_that_outlives_them() {
    let farm = Background::new();
    let mut terminals = [(); 2].map(|()| Terminal::start(&farm.command(&[]), GLASS));
    for terminal in &mut terminals {
        terminal.wait_picture("it is drawn", |picture| picture.contains("[1 Overview]"));
    }
    let server = farm.pid().expect("a server wrote down its process");
    assert_eq!(processes(&vc_tests::vc_console_path(), &farm.state), [server], "one server");
    assert_eq!(getsid(Some(server)), Ok(server), "it has a session of its own");
    for terminal in &mut terminals {
        terminal.press("q");
        assert_eq!(terminal.wait_end(), 0);
        terminal.assert_restored();
        let left = terminal.picture().replace('\n', "");
        assert!(left.contains("farm keeps running; `vc-console` to come back"), "{left}");
    }
    assert_eq!(run(&mut farm.command(&["status", "--json"])).expect_code(0).json()["v"], 1);
    run(&mut farm.command(&["stop"])).expect_code(0);
    // What has ended has no words any more, even if nobody has asked for its exit code.
    assert_eq!(
        processes(&vc_tests::vc_console_path(), &farm.state),
        [],
        "`stop` returns when the server is gone"
    );
    run(&mut farm.command(&["status"])).expect_code(3);
}

#[test]
fn a_server_that_does_not_start_shows_its_last_words() {
    let farm = Background::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut command = farm.command(&["attach"]);
    command.env("VC_LISTEN", taken.local_addr().unwrap().to_string());
    let mut terminal = Terminal::start(&command, GLASS);
    assert_eq!(terminal.wait_end(), 3);
    let picture = terminal.picture();
    assert!(picture.contains("server.log") && picture.contains("it is taken"), "{picture}");
    // Off a terminal nothing is started.
    assert_eq!(run(&mut command).code, 3);
    assert_eq!(processes(&vc_tests::vc_console_path(), &farm.state), []);
}

#[test]
fn the_terminal_is_restored_after_signals_and_panics() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 130), (Signal::SIGUSR1, 1)] {
        let mut command = console.command();
        command.env("VC_FAILPOINT", "dashboard");
        let mut terminal = Terminal::start(&command, GLASS);
        terminal.wait_picture("it is drawn", |picture| picture.contains("[1 Overview]"));
        kill(Pid::from_raw(i32::try_from(terminal.pid()).unwrap()), signal).unwrap();
        assert_eq!(terminal.wait_end(), code, "{signal}: {}", terminal.picture());
        terminal.assert_restored();
        if signal == Signal::SIGUSR1 {
            let said = terminal.picture();
            let files = std::fs::read_dir(console.state()).unwrap().filter_map(|entry| entry.ok());
            let file =
                files.map(|file| file.path()).find(|path| path.to_string_lossy().contains("vc-panic-"));
            let file = file.unwrap_or_else(|| panic!("no file of the panic: {said}"));
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(said.contains("failpoint reached") && said.replace('\n', "").contains(&name), "{said}");
            assert!(std::fs::read_to_string(file).unwrap().contains("screen.rs"));
        }
    }
}

#[test]
fn a_dashboard_whose_terminal_is_gone_ends_even_under_nohup() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    for ignore in ["", "trap '' HUP; "] {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut builder = CommandBuilder::new("sh");
        builder.args(["-c", &format!("{ignore}exec \"$0\""), &vc_tests::vc_console_path().to_string_lossy()]);
        for (name, value) in console.command().get_envs() {
            match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            }
        }
        builder.env("TERM", "xterm");
        let mut child = pair.slave.spawn_command(builder).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let mut drawn = Vec::new();
        while !String::from_utf8_lossy(&drawn).contains("Overview") {
            let mut bytes = [0; 4096];
            let count = output.read(&mut bytes).unwrap();
            drawn.extend_from_slice(&bytes[..count]);
        }
        let gone = Instant::now();
        drop((output, pair.master));
        let ended = eventually(SOON, || child.try_wait().unwrap());
        let _ = child.kill();
        assert!(ended.is_some(), "{ignore}: it runs {:?} after its terminal went away", gone.elapsed());
        println!("{ignore:?}: ended after {:?}", gone.elapsed());
    }
    assert_eq!(console.json(["status"])["v"], 1, "the server does not care");
}

/// Bytes that a process has written so far, as far as a write has returned.
fn written_by(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or_default()
}

/// Has it draw everything again and again until the terminal takes no more of it.
fn fill(terminal: &mut Terminal) {
    const LOOKS: u32 = 25;
    let (mut before, mut same) = (0, 0);
    wait_until("nothing more is written", LONG, || {
        terminal.press("\x0c");
        let now = written_by(terminal.pid());
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same == LOOKS
    });
}

#[test]
fn a_dashboard_that_nobody_reads_loses_frames_only_and_ends_when_it_is_told_to() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 130)] {
        let mut terminal = Terminal::start(&console.command(), Size(200, 60));
        terminal.wait_picture("it is drawn", |picture| picture.contains("[1 Overview]"));
        terminal.stop_reading();
        fill(&mut terminal);
        terminal.press("2");
        terminal.read_on();
        terminal.wait_picture("the newest frame is drawn", |picture| {
            picture.contains("[2 Jobs") && !picture.contains("[1 Overview]")
        });
        terminal.stop_reading();
        fill(&mut terminal);
        let told = Instant::now();
        kill(Pid::from_raw(i32::try_from(terminal.pid()).unwrap()), signal).unwrap();
        assert_eq!(terminal.wait_end(), code, "{signal}");
        assert!(told.elapsed() < SOON, "{signal}: it ended after {:?}", told.elapsed());
        println!("{signal}: ended after {:?}", told.elapsed());
    }
}

#[test]
fn an_agent_of_this_box_is_started_once_and_works() {
    need_ffmpeg!();
    let farm = Background::new();
    let mut terminal = Terminal::start(&farm.command(&[]), GLASS);
    terminal.wait_picture("it is drawn", |picture| picture.contains("[1 Overview]"));
    terminal.press("a");
    terminal.wait_picture("the agent is there", |picture| picture.contains("agents 1/1"));
    let again = run(&mut farm.command(&["agents", "start"])).expect_code(0);
    assert!(again.stdout.contains("runs here already"), "{}", again.said());
    let agents = processes(&vc_agent_path(), &farm.state);
    assert_eq!(agents.len(), 1);
    assert_eq!(getsid(Some(agents[0])), Ok(agents[0]), "it has a session of its own");
    let listed = run(&mut farm.command(&["agents", "ls", "--json"])).expect_code(0).json();
    assert_eq!(listed["agents"][0]["state"], "ok", "{listed}");
    // It joined once: ended and started again, it is the same agent.
    kill(agents[0], Signal::SIGTERM).unwrap();
    wait_until("it is gone", LONG, || processes(&vc_agent_path(), &farm.state).is_empty());
    let started = run(&mut farm.command(&["agents", "start"])).expect_code(0);
    assert!(started.stdout.contains("runs here: process"), "{}", started.said());
    let listed = run(&mut farm.command(&["agents", "ls", "--json"])).expect_code(0).json();
    assert_eq!(listed["agents"].as_array().map(Vec::len), Some(1), "{listed}");
    terminal.press("q");
    terminal.wait_end();
}

#[test]
fn stop_drains_or_gives_back_and_says_when_it_takes_too_long() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let mut agent = Agent::joined(&scratch, "ada", &console).with_fake();
    agent.fake().mode("gate");
    vc_tests::media::clip(&scratch.join("in/a.mp4"), vc_tests::media::TINY);
    console.add(&scratch.join("in"), &scratch.join("out"));
    agent.run();
    agent.fake().wait_encodes(1);
    let job = console.job_of("a.mp4");
    // A drain takes back what has told no progress yet.
    console.wait_job(job, "it encodes", |job| job["progress"]["phase"] == "encoding");

    let asked = console.cli(["stop", "--now"]).expect_code(5);
    assert!(asked.stderr.contains("1 running job") && asked.stderr.contains("--yes"), "{}", asked.said());
    console.cli(["stop", "--drain", "--timeout", "1s"]).expect_code(7);
    assert!(console.process().runs(), "it waits for the job");
    console.cli(["stop", "--now", "--yes"]).expect_code(0);
    wait_for("the server has ended", LONG, || (!console.process().runs()).then_some(()));

    console.start_again();
    let row = console.job(job);
    assert!(["pending", "running"].iter().any(|state| row["state"] == *state), "{row}");
    agent.fake().open_gate();
    console.wait_state(job, "completed");
    console.cli(["stop", "--drain"]).expect_code(0);
    wait_for("the server has ended", LONG, || (!console.process().runs()).then_some(()));
}

#[test]
fn settings_are_read_checked_and_told() {
    let scratch = Scratch::new();
    let file = scratch.join("xdg/vc/console.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:4455\"\n[add]\nout = \"/srv/out\"\n").unwrap();
    let cli = |words: &[&str]| run(vc_console(&scratch).args(words));
    let shown = cli(&["config", "show", "--json"]).expect_code(0).json();
    let listen =
        shown["settings"].as_array().unwrap().iter().find(|row| row["key"] == "server.listen").unwrap();
    assert_eq!((&listen["value"], &listen["origin"]), (&"127.0.0.1:4455".into(), &"file".into()));
    assert!(listen["where"].as_str().unwrap().ends_with("console.toml:2"), "{listen}");
    let shown =
        run(vc_console(&scratch).env("VC_LISTEN", "127.0.0.1:1").args(["config", "show"])).expect_code(0);
    assert!(shown.stdout.contains("# VC_LISTEN"), "{}", shown.stdout);

    // What it shows and what it documents are files that it reads.
    for words in [&["config", "show"][..], &["config", "show", "--default"]] {
        let text = cli(words).expect_code(0).stdout;
        std::fs::write(scratch.join("again.toml"), &text).unwrap();
        cli(&["config", "check", "again.toml"]).expect_code(0);
    }

    std::fs::write(&file, "[server]\nlisen = \"127.0.0.1:4455\"\n").unwrap();
    let checked = cli(&["config", "check"]).expect_code(2);
    let expected = "console.toml:2: server.lisen is not known: did you mean server.listen?";
    assert!(checked.stdout.contains(expected), "{}", checked.said());
    for words in [&["status"][..], &["serve"], &["doctor"], &["add", "/x", "--out", "/y"], &[]] {
        let refused = cli(words).expect_code(2);
        assert!(refused.stderr.contains(expected), "{words:?}: {}", refused.said());
    }
    // The ways out of it work.
    cli(&["config", "path"]).expect_code(0);
    cli(&["config", "show", "--default"]).expect_code(0);
    cli(&["completion", "bash"]).expect_code(0);
}

#[test]
fn doctor_says_what_is_wrong_and_what_to_do() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let out = scratch.folder("out");
    let told = console.cli(["doctor", "--json", "--out", &out.to_string_lossy()]);
    assert!([0, 12].contains(&told.code), "{}", told.said());
    let document = told.json();
    let check = |name: &str| {
        let checks = document["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["check"] == name)
            .unwrap_or_else(|| panic!("{name}: {document}"))
            .clone()
    };
    assert_eq!(check("job table")["verdict"], "ok");
    assert!(check("UDP port")["text"].as_str().unwrap().contains(console.listen()));
    assert_eq!(check("output folder")["verdict"], "ok");
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0, "nothing is left there");

    let state = scratch.folder("open");
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let told = run(vc_console(&scratch).env("VC_STATE_DIR", &state).arg("doctor")).expect_code(12);
    assert!(told.stdout.contains("chmod 700"), "{}", told.stdout);
}

#[test]
fn words_are_completed_with_ids_of_the_moment_and_without_a_server_in_silence() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    std::fs::create_dir_all(scratch.join("in")).unwrap();
    std::fs::write(scratch.join("in/a.mp4"), "x").unwrap();
    console.add(&scratch.join("in"), &scratch.join("out"));
    let job = console.job_of("a.mp4").to_string();
    let complete = |mut command: Command, words: &[&str]| {
        command.env("VC_COMPLETE", "fish").arg("--").arg("vc-console").args(words).arg("");
        run(&mut command).expect_code(0)
    };
    let words = complete(console.command(), &["jobs", "show"]);
    assert!(words.stdout.lines().any(|line| line.starts_with(&job)), "{}", words.said());
    assert!(complete(console.command(), &["profiles", "show"]).stdout.contains("av1-archive"));
    assert!(complete(console.command(), &[]).stdout.contains("doctor"));
    let words = complete(vc_console(&scratch), &["jobs", "show"]);
    assert!(!words.stdout.contains(&job) && words.stderr.is_empty(), "{}", words.said());
    for shell in ["bash", "zsh", "fish"] {
        let script = console.cli(["completion", shell]).expect_code(0).stdout;
        assert!(script.contains("VC_COMPLETE") && script.contains("vc-console"), "{script}");
    }
    let pages = scratch.folder("man");
    console.cli(["man", "--out", &pages.to_string_lossy()]).expect_code(0);
    let page = std::fs::read_to_string(pages.join("vc-console.1")).unwrap();
    assert!(page.contains("Exit status") && pages.join("vc-console-jobs-retry.1").exists(), "{page}");
}
