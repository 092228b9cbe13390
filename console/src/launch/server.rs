//! Starts the server of a state folder in the background, so that two who do it at once end up with one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use super::{Detached, private_folder};
use crate::operator::client::{Client, ClientError, Target};

/// Name of its log in the state folder.
const LOG: &str = "server.log";
/// Name of the lock of those who start it. It is not the server's own, which the job table has.
const LOCK: &str = "start.lock";
/// How long a server may take until it answers: opening a table after a crash takes seconds on a slow disk.
const START_MAX: Duration = Duration::from_secs(30);
/// A server that ended while another one answers within this lost a race against one that was not started from here, and
/// that is as good.
const OTHER_MAX: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The state folder or the log in it.
    #[error("start a server: use the state folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// This program cannot be started again.
    #[error("start a server: run this program once more")]
    Program(#[source] io::Error),
    /// It ended before it answered.
    #[error("start a server: it ended at once; the last lines of {}:\n{said}", log.display())]
    Ended {
        /// Its log.
        log: PathBuf,
        /// What it said last.
        said: String,
    },
    /// It does not answer.
    #[error(
        "start a server: process {pid} has not answered for {} s; it goes on starting, see {}",
        START_MAX.as_secs(), log.display()
    )]
    Silent {
        /// Its process.
        pid: u32,
        /// Its log.
        log: PathBuf,
    },
    /// Somebody else starts one, and does not get on.
    #[error("start a server: another vc-console has been starting one for {} s; try again", START_MAX.as_secs())]
    Busy,
}

/// Who runs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The one that was started.
    Ours {
        /// Its process.
        pid: u32,
        /// Its log.
        log: PathBuf,
    },
    /// Another one, that somebody else started meanwhile.
    Another,
}

/// Whether a server listens for operators there; one that does not want us runs too.
async fn is_up(state_dir: &Path) -> bool {
    let connected = Client::connect(&Target::Local(state_dir.to_owned())).await;
    !matches!(connected, Err(ClientError::NotRunning(_)))
}

/// Starts a server for that folder and returns once it answers. `settings` is the file that was named for this program.
pub async fn start_server(state_dir: &Path, settings: Option<&Path>) -> Result<Started, LaunchError> {
    let at = |source| LaunchError::Folder { path: state_dir.to_owned(), source };
    let absolute = |path: &Path| std::path::absolute(path).map_err(at);
    let state_dir = absolute(state_dir)?;
    private_folder(&state_dir).map_err(at)?;
    // Held until it answers: whoever waits here finds it running then.
    let _lock = take_turn(&state_dir.join(LOCK)).await.map_err(at)?.ok_or(LaunchError::Busy)?;
    if is_up(&state_dir).await {
        return Ok(Started::Another);
    }
    let program = std::env::current_exe().map_err(LaunchError::Program)?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--state-dir").arg(&state_dir);
    if let Some(settings) = settings {
        command.arg("--config").arg(absolute(settings)?);
    }
    let log = state_dir.join(LOG);
    let server = Detached::start(&mut command, &log).map_err(LaunchError::Program)?;
    wait(&state_dir, server).await
}

/// The lock of those who start a server; none if somebody keeps it.
async fn take_turn(path: &Path) -> io::Result<Option<File>> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let deadline = Instant::now() + START_MAX;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

async fn wait(state_dir: &Path, mut server: Detached) -> Result<Started, LaunchError> {
    let started = Instant::now();
    let mut ended_at = None;
    loop {
        if is_up(state_dir).await {
            let ours = Started::Ours { pid: server.pid(), log: server.log.clone() };
            return Ok(if ended_at.is_some() { Started::Another } else { ours });
        }
        if ended_at.is_none() && server.ended().is_some() {
            ended_at = Some(Instant::now());
        }
        if ended_at.is_some_and(|at| at.elapsed() > OTHER_MAX) {
            return Err(LaunchError::Ended { said: server.last_words(), log: server.log });
        }
        if started.elapsed() > START_MAX {
            return Err(LaunchError::Silent { pid: server.pid(), log: server.log });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
