//! A real `vc-agent` that joined a console.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::child::{Output, Running, run, start};
use crate::console::{Console, plain};
use crate::fake::Fake;
use crate::programs::vc_agent_path;
use crate::scratch::Scratch;
use crate::wait::LONG;

/// An agent's state folder, and its process while it runs.
#[derive(Debug)]
pub struct Agent {
    folder: PathBuf,
    state: PathBuf,
    slots: u32,
    fake: Option<Fake>,
    running: Option<Running>,
}

impl Agent {
    /// An agent that has not joined, with one slot. `name` tells it from others of the test.
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let state = scratch.join(name);
        Agent { folder: scratch.path().to_path_buf(), state, slots: 1, fake: None, running: None }
    }

    /// Joins a console with a new token.
    #[track_caller]
    pub fn joined(scratch: &Scratch, name: &str, console: &Console) -> Self {
        let agent = Self::new(scratch, name);
        agent.join(&console.token(&[])).expect_code(0);
        agent
    }

    /// With that many slots.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// With a stand-in for ffmpeg, which [`Agent::fake`] steers.
    #[must_use]
    pub fn with_fake(mut self) -> Self {
        self.fake = Some(Fake::install(self.state.with_extension("ffmpeg")));
        self
    }

    /// Its stand-in.
    ///
    /// # Panics
    /// When it has none.
    pub fn fake(&self) -> &Fake {
        self.fake.as_ref().expect("the agent has a stand-in for ffmpeg")
    }

    /// Its state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Says a join line to it.
    pub fn join(&self, line: &str) -> Output {
        run(self.command().args(["join", line]))
    }

    /// Starts it.
    pub fn run(&mut self) {
        self.run_with(&[], &[]);
    }

    /// Starts it with more words and with more variables.
    pub fn run_with(&mut self, words: &[&OsStr], variables: &[(&str, &str)]) {
        let mut command = self.command();
        command.arg("run").args(words).envs(variables.iter().copied());
        self.running = Some(start(&mut command, &self.folder.join("logs")));
    }

    /// Its process.
    ///
    /// # Panics
    /// When it was ended.
    pub fn process(&mut self) -> &mut Running {
        self.running.as_mut().expect("the agent runs")
    }

    /// A power cut for the program: SIGKILL.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Ends it as a supervisor would: SIGTERM, and what it said.
    pub fn stop(&mut self) -> Output {
        let running = self.running.take().expect("the agent runs");
        running.signal(Signal::SIGTERM);
        running.wait(LONG)
    }

    /// Its end by itself.
    pub fn wait_end(&mut self, bound: Duration) -> Output {
        self.running.take().expect("the agent runs").wait(bound)
    }

    /// A `vc-agent` command on this agent's state folder.
    pub fn command(&self) -> Command {
        let mut command = Command::new(vc_agent_path());
        plain(&mut command, &self.folder);
        command.env("VC_STATE_DIR", &self.state).env("VC_SLOTS", self.slots.to_string());
        // What tests measure is not to be disturbed by trials.
        command.env("VC_NO_CPU_TRIALS", "1");
        if let Some(fake) = &self.fake {
            command.env("VC_FFMPEG", fake.ffmpeg()).env("VC_FFPROBE", fake.ffprobe());
        }
        command
    }
}
