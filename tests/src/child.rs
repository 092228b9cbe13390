//! Starting a program, feeding it signals, reading what it says, and making sure that it is gone afterwards.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::wait::{LONG, eventually};

/// How much of a program's words is shown when a test fails.
const LAST_WORDS: usize = 6 * 1024;

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; 128 and the signal if one killed it, as a shell has it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Both outputs, for what may be said on either.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Its standard output as one JSON document of version 1.
    ///
    /// # Panics
    /// When it is anything else.
    pub fn json(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not one JSON document ({e}): {}\n{}", self.stdout, self.stderr));
        assert_eq!(document["v"], 1, "a document says its version: {document}");
        document
    }

    /// The same, checked to have ended with this code.
    ///
    /// # Panics
    /// When it ended otherwise, with all that it said.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A running program in a process group of its own. Dropped, the whole group is killed.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// Starts a program whose words go to files in `logs`. Its standard input is empty.
pub fn start(command: &mut Command, logs: &Path) -> Running {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{} {}", program_name(command), arguments(command));
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    fs::create_dir_all(logs).expect("the folder for logs can be made");
    let stdout = logs.join(format!("{number}.out"));
    let stderr = logs.join(format!("{number}.err"));
    let file = |path: &Path| File::create(path).expect("a log file can be made");
    let child = command
        .stdin(Stdio::null())
        .stdout(file(&stdout))
        .stderr(file(&stderr))
        .process_group(0)
        .spawn()
        .unwrap_or_else(|e| panic!("{name} does not start: {e}"));
    Running { name, child, ended: None, stdout, stderr }
}

/// Runs a program to its end.
///
/// # Panics
/// When it has not ended after [`LONG`].
pub fn run(command: &mut Command) -> Output {
    let logs = tempfile::tempdir().expect("a temporary folder can be made");
    start(command, logs.path()).wait(LONG)
}

impl Running {
    /// Its process id, which is its group's too.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids are positive")
    }

    /// Its standard output up to now.
    pub fn stdout(&self) -> String {
        read_lossy(&self.stdout)
    }

    /// Its standard error up to now.
    pub fn stderr(&self) -> String {
        read_lossy(&self.stderr)
    }

    /// Sends a signal to the program alone, as a person or a supervisor would.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            kill(Pid::from_raw(self.pid()), signal)
                .unwrap_or_else(|e| panic!("{signal} to {}: {e}", self.name));
        }
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.poll().is_none()
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child can be waited for");
        }
        self.ended
    }

    /// Its end within `bound`.
    ///
    /// # Panics
    /// When it goes on.
    #[track_caller]
    pub fn wait(mut self, bound: Duration) -> Output {
        let Some(status) = eventually(bound, || self.poll()) else {
            panic!("{} has not ended after {bound:?}", self.name);
        };
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Output { code, stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Kills it at once, alone, and waits until it is gone.
    pub fn kill(self) -> Output {
        self.signal(Signal::SIGKILL);
        self.wait(LONG)
    }
}

impl Drop for Running {
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads a failed test needs the last words of its programs"
    )]
    fn drop(&mut self) {
        // Whether it ended by itself is worth knowing, so it is looked at before it is ended.
        self.poll();
        // The group may outlive its leader: what the leader started must not outlive the test.
        let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
        if self.ended.is_none() {
            drop(self.child.wait());
        }
        if std::thread::panicking() {
            eprintln!(
                "---- {} ({:?})\n{}{}",
                self.name,
                self.ended,
                tail(&self.stdout()),
                tail(&self.stderr())
            );
        }
    }
}

fn program_name(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn arguments(command: &Command) -> String {
    let words: Vec<OsString> = command.get_args().map(OsStr::to_os_string).collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(LAST_WORDS))..]
}
