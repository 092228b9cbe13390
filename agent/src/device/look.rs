//! The child that asks Vulkan, from both of its ends: `vc-agent __vulkan` tells, [`look`] listens.
//!
//! A driver that crashes, hangs or floods takes that child along, and nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::facts::Answer;
use super::vulkan;
use crate::process::{Ended, Exit, Invocation, Limits, Sinks, Spawner, Stdout, StopToken};

/// The hidden command of our program.
pub const CHILD_WORD: &str = "__vulkan";
/// Longest that the drivers may take. Lavapipe needs 0.1 s; eight cards that nobody keeps awake are powered up one
/// after another, about a second each.
pub const LOOK_MAX: Duration = Duration::from_secs(10);
/// Longest answer: a device takes about 2 KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Layout of the answer.
const VERSION: u32 = 1;
/// Our program, which knows the hidden command.
const PROGRAM: &str = "vc-agent";

/// Why Vulkan could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// This process is another program, and there is none beside it.
    #[error("{PROGRAM} is not beside this program")]
    NoProgram,
    /// The child did not start.
    #[error("the program that asks did not start: {0}")]
    Start(String),
    /// By this signal.
    #[error("a driver crashed (signal {0})")]
    Crashed(i32),
    /// It did not end.
    #[error("a driver did not answer within {0} s")]
    Hung(u64),
    /// It ended with this status and no answer.
    #[error("a driver ended the program that asked (status {0})")]
    Quit(i32),
    /// The answer is none.
    #[error("what came back cannot be read: {0}")]
    Garbled(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Document {
    v: u32,
    answer: Answer,
}

/// In the child: the line that [`look`] reads.
pub(crate) fn told() -> String {
    let document = Document { v: VERSION, answer: vulkan::enumerate() };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The program that knows the hidden command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(PathBuf);

impl Program {
    /// This very program, if it is `vc-agent`; else the one beside it: `vc-console convert` is an agent too.
    pub fn find() -> Result<Program, Trouble> {
        let own = std::env::current_exe().map_err(|error| Trouble::Start(error.to_string()))?;
        if is_ours(&own) {
            // A program that was replaced by a newer one is still to be had here.
            return Ok(Program("/proc/self/exe".into()));
        }
        let beside = own.with_file_name(PROGRAM);
        if beside.is_file() { Ok(Program(beside)) } else { Err(Trouble::NoProgram) }
    }

    /// That one.
    pub fn at(path: &Path) -> Program {
        Program(path.to_owned())
    }
}

fn is_ours(exe: &Path) -> bool {
    let name = exe.file_name().unwrap_or_default().to_string_lossy();
    // What the kernel calls a program whose file was replaced or deleted.
    name.strip_suffix(" (deleted)").unwrap_or(&name) == PROGRAM
}

/// Asks Vulkan for its devices, in a child that is gone when this returns.
pub async fn look(
    spawner: &Spawner,
    program: &Program,
    limit: Duration,
    stop: &StopToken,
) -> Result<Answer, Trouble> {
    let call = Invocation::new(&program.0, vec![CHILD_WORD.into()]);
    let limits = Limits { total: Some(limit), ..Limits::default() };
    let sinks = Sinks { stdout: Stdout::Keep { bytes_max: ANSWER_BYTES_MAX }, stderr: &mut |_| {} };
    let ended = spawner.run(&call, limits, sinks, stop).await;
    let ended = ended.map_err(|error| Trouble::Start(crate::told::chain(&error)))?;
    answer(&ended, limit)
}

fn answer(ended: &Ended, limit: Duration) -> Result<Answer, Trouble> {
    if ended.stopped.is_some() {
        return Err(Trouble::Hung(limit.as_secs()));
    }
    match ended.exit {
        Exit::Signal(signal) => return Err(Trouble::Crashed(signal)),
        Exit::Code(0) => {}
        Exit::Code(code) => return Err(Trouble::Quit(code)),
    }
    if ended.is_stdout_cut {
        return Err(Trouble::Garbled("it is too long"));
    }
    // Some drivers print to standard output: what we say is its last line.
    let last = ended.stdout.trim_ascii_end().rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let version: Version = serde_json::from_slice(last).map_err(|_| Trouble::Garbled("it is not ours"))?;
    if version.v != VERSION {
        return Err(Trouble::Garbled("it is of another version of vc-agent"));
    }
    let document: Document = serde_json::from_slice(last).map_err(|_| Trouble::Garbled("it is not whole"))?;
    Ok(document.answer)
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::process::{StopReason, Stopper};

    fn ended(exit: Exit, stdout: &str) -> Ended {
        let stdout = stdout.as_bytes().to_vec();
        Ended { exit, stopped: None, stderr: String::new(), stdout, is_stdout_cut: false }
    }

    #[test]
    fn every_end_of_the_child_is_a_plain_answer() {
        let limit = Duration::from_secs(3);
        let said = r#"{"v":1,"answer":{"no_driver":"ERROR_INCOMPATIBLE_DRIVER"}}"#;
        let fine = Ok(Answer::NoDriver("ERROR_INCOMPATIBLE_DRIVER".into()));
        let garbled = |why| Err(Trouble::Garbled(why));
        for (exit, stdout, expected) in [
            (Exit::Code(0), said.to_owned(), fine.clone()),
            (Exit::Code(0), format!("WARNING: lavapipe is not conformant\n{said}\n"), fine),
            (Exit::Signal(11), said.to_owned(), Err(Trouble::Crashed(11))),
            (Exit::Code(101), String::new(), Err(Trouble::Quit(101))),
            (Exit::Code(0), String::new(), garbled("it is not ours")),
            (Exit::Code(0), "\u{1b}[2J{}".to_owned(), garbled("it is not ours")),
            (
                Exit::Code(0),
                r#"{"v":2,"answer":{"dreams":[]}}"#.to_owned(),
                garbled("it is of another version of vc-agent"),
            ),
            (Exit::Code(0), r#"{"v":1,"answer":{"dreams":[]}}"#.to_owned(), garbled("it is not whole")),
        ] {
            assert_eq!(answer(&ended(exit, &stdout), limit), expected, "{exit:?} {stdout}");
        }
        let mut hung = ended(Exit::Signal(9), "");
        hung.stopped = Some(StopReason::Overtime);
        assert_eq!(answer(&hung, limit), Err(Trouble::Hung(3)));
        let mut flood = ended(Exit::Code(0), said);
        flood.is_stdout_cut = true;
        assert_eq!(answer(&flood, limit), garbled("it is too long"));
    }

    #[test]
    fn the_program_is_this_one_only_if_it_is_the_agent() {
        for (path, expected) in [
            ("/usr/bin/vc-agent", true),
            ("/usr/bin/vc-agent (deleted)", true),
            ("/usr/bin/vc-console", false),
            ("/target/debug/deps/vc_agent-0123", false),
        ] {
            assert_eq!(is_ours(Path::new(path)), expected, "{path}");
        }
        assert_eq!(Program::find(), Err(Trouble::NoProgram), "the tests are no vc-agent");
    }

    #[tokio::test]
    async fn a_child_that_crashes_hangs_lies_or_floods_is_outlived() {
        let dir = tempfile::tempdir().unwrap();
        let spawner = Spawner::start(None).unwrap();
        let (_stopper, stop) = Stopper::new();
        // Long enough for a shell to start on a busy box.
        let (short, long) = (Duration::from_millis(300), Duration::from_secs(30));
        let garbled = |why| Err(Trouble::Garbled(why));
        for (body, limit, expected) in [
            ("kill -SEGV $$", long, Err(Trouble::Crashed(11))),
            ("exit 3", long, Err(Trouble::Quit(3))),
            ("echo hello", long, garbled("it is not ours")),
            ("head -c 2000000 /dev/zero", long, garbled("it is too long")),
            ("trap '' TERM; sleep 60", short, Err(Trouble::Hung(0))),
        ] {
            let path = dir.path().join("child");
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(look(&spawner, &Program::at(&path), limit, &stop).await, expected, "{body}");
        }
        let absent = look(&spawner, &Program::at(Path::new("/nonexistent")), long, &stop).await;
        assert!(matches!(absent, Err(Trouble::Start(_))), "{absent:?}");
    }
}
