//! A real `vc-console serve` on a folder of its own, and the commands that are given to it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::child::{Output, Running, run, start};
use crate::programs::vc_console_path;
use crate::scratch::Scratch;
use crate::wait::{LONG, wait_for};

/// A `vc-console` that sees nothing of this machine's settings, temporary files in the test's own folder.
pub fn vc_console(scratch: &Scratch) -> Command {
    let mut command = Command::new(vc_console_path());
    plain(&mut command, scratch.path());
    command
}

/// Takes away what the tester's own environment would change, and keeps temporary files below `folder`.
pub(crate) fn plain(command: &mut Command, folder: &Path) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"VC_") {
            command.env_remove(name);
        }
    }
    let temp = folder.join("tmp");
    std::fs::create_dir_all(&temp).expect("a folder for temporary files can be made");
    command
        .env("TMPDIR", temp)
        .env("XDG_STATE_HOME", folder.join("xdg"))
        .env("XDG_CONFIG_HOME", folder.join("xdg"));
    command.env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8").env("HOME", folder);
    command.current_dir(folder);
}

/// A console that serves.
#[derive(Debug)]
pub struct Console {
    folder: PathBuf,
    state: PathBuf,
    listen: String,
    variables: Vec<(String, String)>,
    running: Option<Running>,
}

impl Console {
    /// Starts one on a port that the kernel picks, and waits until it listens.
    pub fn start(scratch: &Scratch) -> Self {
        Self::start_named(scratch, "console")
    }

    /// The same with more variables.
    pub fn start_with(scratch: &Scratch, variables: &[(&str, &str)]) -> Self {
        Self::start_as(scratch, "console", variables)
    }

    /// The same with its state in a folder of that name.
    pub fn start_named(scratch: &Scratch, name: &str) -> Self {
        Self::start_as(scratch, name, &[])
    }

    fn start_as(scratch: &Scratch, name: &str, variables: &[(&str, &str)]) -> Self {
        let state = scratch.join(name);
        let mut console = Console {
            folder: scratch.path().to_path_buf(),
            state,
            listen: "127.0.0.1:0".to_owned(),
            variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            running: None,
        };
        console.start_again();
        console
    }

    /// Starts it again on the address that it had.
    pub fn start_again(&mut self) {
        let mut command = self.command();
        command.args(["serve", "--listen", &self.listen]);
        let mut running = start(&mut command, &self.folder.join("logs"));
        self.listen = wait_for("the console says where it listens", LONG, || {
            assert!(running.runs(), "serve has ended: {}", running.stdout() + &running.stderr());
            let said = running.stdout();
            let (line, _) = said.split_once("listening on ")?.1.split_once('\n')?;
            line.split_whitespace().next().map(str::to_owned)
        });
        self.running = Some(running);
    }

    /// Its address.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// Its state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Its process.
    ///
    /// # Panics
    /// When it was ended.
    pub fn process(&mut self) -> &mut Running {
        self.running.as_mut().expect("the console runs")
    }

    /// A power cut for the program: SIGKILL.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Waits until it ends because somebody told it to, and what it said.
    ///
    /// # Panics
    /// When it was ended before.
    pub fn wait_end(&mut self) -> Output {
        self.running.take().expect("the console runs").wait(LONG)
    }

    /// Ends it as a supervisor would: SIGTERM, and what it said.
    pub fn stop(&mut self) -> Output {
        let running = self.running.take().expect("the console runs");
        running.signal(Signal::SIGTERM);
        running.wait(LONG)
    }

    /// A `vc-console` command on this console's state folder.
    pub fn command(&self) -> Command {
        let mut command = Command::new(vc_console_path());
        plain(&mut command, &self.folder);
        command.env("VC_STATE_DIR", &self.state).envs(self.variables.iter().cloned());
        command
    }

    /// Runs a command to its end.
    pub fn cli<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Output {
        run(self.command().args(words))
    }

    /// Runs a command that must succeed, with `--json`, and returns its document.
    #[track_caller]
    pub fn json<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Value {
        run(self.command().args(words).arg("--json")).expect_code(0).json()
    }

    /// Adds folders and files for an output folder; returns the counts.
    #[track_caller]
    pub fn add(&self, source: &Path, out: &Path) -> Value {
        self.json([OsStr::new("add"), source.as_os_str(), OsStr::new("--out"), out.as_os_str()])
    }

    /// Everything about one job.
    #[track_caller]
    pub fn job(&self, id: u64) -> Value {
        self.json(["jobs", "show", &id.to_string()])
    }

    /// Rows of the jobs table.
    #[track_caller]
    pub fn jobs(&self) -> Vec<Value> {
        let mut document = self.json(["jobs", "ls"]);
        let Value::Array(rows) = document["jobs"].take() else { panic!("a list of jobs: {document}") };
        rows
    }

    /// The number of the job whose source ends so.
    #[track_caller]
    pub fn job_of(&self, source: &str) -> u64 {
        let rows = self.jobs();
        let row = rows.iter().find(|row| row["source"].as_str().is_some_and(|path| path.ends_with(source)));
        let row = row.unwrap_or_else(|| panic!("no job of {source}: {rows:?}"));
        row["id"].as_u64().expect("a job's id is a number")
    }

    /// Waits until that job is in that state; everything about it then.
    #[track_caller]
    pub fn wait_state(&self, id: u64, state: &str) -> Value {
        self.wait_job(id, &format!("job {id} is {state}"), |job| job["state"] == state)
    }

    /// Waits until something holds of that job; everything about it then.
    #[track_caller]
    pub fn wait_job(&self, id: u64, what: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = crate::wait::eventually(LONG, || {
            last = self.job(id);
            holds(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("waited in vain until {what}: {last:#}"))
    }

    /// Waits until that many agents are connected and heard.
    #[track_caller]
    pub fn wait_agents(&self, count: usize) {
        wait_for(&format!("{count} agents are there"), LONG, || {
            let document = self.json(["agents", "ls"]);
            let agents = document["agents"].as_array()?;
            (agents.iter().filter(|agent| agent["state"] == "ok").count() == count).then_some(())
        });
    }

    /// A line to paste where a newcomer is, as it stands between the words of `token create`.
    #[track_caller]
    pub fn token(&self, more: &[&str]) -> String {
        let output = self.cli(["token", "create"].iter().chain(more)).expect_code(0);
        let is_line = |word: &&str| ["vcj1.", "vco1.", "vcv1."].iter().any(|begin| word.starts_with(begin));
        let line = output.stdout.split_whitespace().find(is_line);
        line.unwrap_or_else(|| panic!("no join line in {}", output.said())).to_owned()
    }
}
