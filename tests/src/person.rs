//! A person at another box, who joined a console's farm as an operator or viewer.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::child::{Output, run};
use crate::console::{Console, plain};
use crate::programs::vc_console_path;
use crate::scratch::Scratch;

/// What a person has on that box: a folder with identities.
#[derive(Debug)]
pub struct Person {
    folder: PathBuf,
    state: PathBuf,
}

impl Person {
    /// One who has joined nothing. `name` tells them from others of the test.
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        Person { folder: scratch.path().to_path_buf(), state: scratch.join(name) }
    }

    /// One who joined that console's farm, as `operator` or `viewer`.
    #[track_caller]
    pub fn joined(scratch: &Scratch, name: &str, console: &Console, role: &str) -> Self {
        let person = Self::new(scratch, name);
        person.join(&console.token(&["--role", role])).expect_code(0);
        person
    }

    /// Says a join line.
    pub fn join(&self, line: &str) -> Output {
        run(self.command().args(["join", line]))
    }

    /// Runs a command for the console at that address to its end.
    pub fn at<W: AsRef<OsStr>>(&self, address: &str, words: impl IntoIterator<Item = W>) -> Output {
        run(self.command().args(["--connect", address]).args(words))
    }

    /// Runs a command that must succeed, with `--json`, for the one farm that was joined, and returns its document.
    #[track_caller]
    pub fn json<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Value {
        run(self.command().args(["--connect", "-"]).args(words).arg("--json")).expect_code(0).json()
    }

    /// A `vc-console` command of this person.
    pub fn command(&self) -> Command {
        let mut command = Command::new(vc_console_path());
        plain(&mut command, &self.folder);
        command.env("VC_STATE_DIR", &self.state);
        command
    }

    /// The folder of their identities.
    pub fn identities(&self) -> PathBuf {
        self.state.join("operators")
    }
}
