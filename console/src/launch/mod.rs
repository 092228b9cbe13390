//! Starts programs of ours that outlive this one: the server of a state folder, and an agent on this box.
//!
//! Each gets a session of its own, so that nothing that happens to this terminal reaches it, and a log file in the state
//! folder. Knows nothing of what they do.

mod agent;
mod server;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

pub use agent::{LocalAgentError, start_local_agent};
pub use server::{LaunchError, Started, start_server};

/// A log that has grown past this is put aside at the next start, in place of the one that was put aside before: what a
/// person wants of it is the last days.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Last lines of a log that tell why a program did not start.
const LAST_LINES: usize = 12;
/// Bytes of the log's end in which they are looked for.
const LAST_BYTES: u64 = 16 * 1024;

/// A program in a session of its own.
struct Detached {
    child: Child,
    log: PathBuf,
    /// Where the log ended before it: what it says begins here.
    log_from: u64,
}

impl Detached {
    /// Starts it with its words going to the end of a log file.
    fn start(command: &mut Command, log: &Path) -> io::Result<Detached> {
        if std::fs::metadata(log).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
            std::fs::rename(log, log.with_extension("log.1"))?;
        }
        // Paths of videos are in it: for nobody else's eyes.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
        let log_from = file.metadata()?.len();
        // The working folder would keep its file system from being unmounted.
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).current_dir("/");
        #[expect(unsafe_code, reason = "a session can only be made between fork and exec")]
        // Safety: setsid is one system call; it allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
        }
        Ok(Detached { child: command.spawn()?, log: log.to_owned(), log_from })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The last lines that it said.
    fn last_words(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.log)?;
            let from = self.log_from.max(file.metadata()?.len().saturating_sub(LAST_BYTES));
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(LAST_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        last_lines(&String::from_utf8_lossy(&read().unwrap_or_default()))
    }
}

/// The last lines of a text, without what could steer a terminal.
fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    last.join("\n").chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// Makes a folder that nobody else may look into.
fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detached_program_has_a_session_of_its_own_and_its_words_go_to_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        std::fs::write(&log, "old words\n").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "ps -o sid= -p $$; echo to stderr >&2"]);
        let mut detached = Detached::start(&mut command, &log).unwrap();
        let status = detached.child.wait().unwrap();
        let words = detached.last_words();
        assert!(status.success() && detached.ended().is_some(), "{words}");
        let (session, rest) = words.split_once('\n').unwrap();
        assert_eq!((session.trim(), rest), (detached.pid().to_string().as_str(), "to stderr"));
    }

    #[test]
    fn a_log_that_has_grown_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        File::create(&log).unwrap().set_len(LOG_BYTES_MAX + 1).unwrap();
        Detached::start(&mut Command::new("true"), &log).unwrap().child.wait().unwrap();
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
        assert_eq!(std::fs::metadata(dir.path().join("x.log.1")).unwrap().len(), LOG_BYTES_MAX + 1);
    }

    #[test]
    fn the_last_lines_are_shown_without_escapes() {
        let text: String = (0..20).map(|n| format!("\u{1b}[31mline {n}\n")).collect();
        let last = last_lines(&text);
        assert_eq!(last.lines().count(), LAST_LINES);
        assert!(last.starts_with("[31mline 8\n") && last.ends_with("line 19"), "{last}");
    }
}
