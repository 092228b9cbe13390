//! Starts an agent on the console's own box: the third step of a first run, and `agents start`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use vc_agent::state_dir::StateDir;
use vc_agent::status::{self, Status};
use vc_certs::Identity;
use vc_protocol::operator::{Request, Response, Role, TokenWish};

use super::{Detached, last_lines, private_folder};
use crate::operator::client::{Client, ClientError, Target};
use crate::wall::wall_ms;

/// Its state folder in the console's.
const FOLDER: &str = "local-agent";
/// Its log there.
const LOG: &str = "agent.log";
/// The program.
const PROGRAM: &str = "vc-agent";
/// How long the token lives: it is used at once.
const TOKEN_TTL_S: u64 = 60;
/// How long joining may take; the console is on this box.
const JOIN_MAX: Duration = Duration::from_secs(20);
/// How long the agent may take to be heard: it asks ffmpeg for its encoders first.
const START_MAX: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A certificate that ends sooner is not worth starting with: the agent joins anew.
const CERTIFICATE_LEFT_MIN_S: i64 = 24 * 3600;

/// Why there is no agent on this box.
#[derive(Debug, thiserror::Error)]
pub enum LocalAgentError {
    /// The program is not installed.
    #[error("{PROGRAM} is neither beside vc-console nor on the PATH; install it there")]
    NoProgram,
    /// Its folder cannot be used.
    #[error("use the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The program does not start.
    #[error("run {}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The server gave no token.
    #[error("ask the server for a token")]
    Token(#[from] ClientError),
    /// It was not let in.
    #[error("it could not join: {0}")]
    Join(String),
    /// It ended before it could be asked.
    #[error("it ended at once; the last lines of {}:\n{said}", log.display())]
    Ended {
        /// Its log.
        log: PathBuf,
        /// What it said last.
        said: String,
    },
    /// It runs, and does not reach the console.
    #[error("process {pid} runs, and has not reached the console: {why}; see {}", log.display())]
    Apart {
        /// Its process.
        pid: u32,
        /// What it says of it.
        why: String,
        /// Its log.
        log: PathBuf,
    },
}

/// Starts an agent in the background for the server of that folder: it joins with a token of its own if it has not yet,
/// and works until it is stopped. The sentence says what runs; one that runs already is left as it is.
pub async fn start_local_agent(state_dir: &Path) -> Result<String, LocalAgentError> {
    let at = |source| LocalAgentError::Folder { path: state_dir.join(FOLDER), source };
    let folder = std::path::absolute(state_dir.join(FOLDER)).map_err(at)?;
    if let Some(status) = ask(&folder) {
        return Ok(format!("agent {} runs here already: process {}", status.name, status.pid));
    }
    let program = program().ok_or(LocalAgentError::NoProgram)?;
    private_folder(&folder).map_err(at)?;
    if !has_joined(&folder) {
        join(&program, &folder, &token(state_dir).await?).await?;
    }
    let log = folder.join(LOG);
    let mut command = Command::new(&program);
    command.arg("run").arg("--state-dir").arg(&folder);
    let agent = Detached::start(&mut command, &log);
    wait(&folder, agent.map_err(|source| LocalAgentError::Program { program, source })?).await
}

/// Beside this program, as both are installed and built; else on the PATH.
fn program() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM));
    beside.filter(|path| path.is_file()).or_else(|| which::which(PROGRAM).ok())
}

/// What a running one says; its answer takes no time worth a thread.
fn ask(folder: &Path) -> Option<Status> {
    status::ask(&StateDir::socket(folder)).ok()
}

fn has_joined(folder: &Path) -> bool {
    let needed = wall_ms() / 1000 + CERTIFICATE_LEFT_MIN_S;
    matches!(Identity::load(folder), Ok(Some(identity)) if identity.expires_s > needed)
}

async fn token(state_dir: &Path) -> Result<String, LocalAgentError> {
    let mut client = Client::connect(&Target::Local(state_dir.to_owned())).await?;
    let wish = TokenWish { uses: 1, ttl_s: TOKEN_TTL_S, role: Role::Agent };
    let Response::Token { line, .. } = client.request(&Request::TokenCreate(wish)).await? else {
        return Err(ClientError::Unexpected.into());
    };
    Ok(line)
}

/// The line goes by a pipe: the words of a command are there for everybody to read.
async fn join(program: &Path, folder: &Path, line: &str) -> Result<(), LocalAgentError> {
    let failed = |source| LocalAgentError::Program { program: program.to_owned(), source };
    let mut child = tokio::process::Command::new(program)
        .args(["join", "-", "--force", "--state-dir"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ended before it read has said why.
        let _ = stdin.write_all(line.as_bytes()).await;
    }
    match tokio::time::timeout(JOIN_MAX, child.wait_with_output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => Err(LocalAgentError::Join(last_lines(&String::from_utf8_lossy(&output.stderr)))),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(LocalAgentError::Join(format!("no answer within {} s", JOIN_MAX.as_secs()))),
    }
}

async fn wait(folder: &Path, mut agent: Detached) -> Result<String, LocalAgentError> {
    let deadline = Instant::now() + START_MAX;
    loop {
        let status = ask(folder);
        if let Some(status) = status.as_ref().filter(|status| status.console.connected) {
            let (name, pid) = (&status.name, status.pid);
            return Ok(format!("agent {name} runs here: process {pid}, log {}", agent.log.display()));
        }
        if agent.ended().is_some() {
            return Err(LocalAgentError::Ended { said: agent.last_words(), log: agent.log });
        }
        if Instant::now() > deadline {
            let problem = status.and_then(|status| status.console.problem);
            let why = problem.unwrap_or_else(|| "it has not said why".to_owned());
            return Err(LocalAgentError::Apart { pid: agent.pid(), why, log: agent.log });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
