//! `vc-agent status`: what a running agent says of itself, over a socket in its state folder that only its user can
//! reach. One connection, one JSON document.

use std::io::{self, Read};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vc_protocol::id::{AgentId, AttemptId, DeviceId};
use vc_protocol::profile::VideoCodec;

use crate::session::state::{Entry, Stage};
use crate::supervisor::Call;

/// How long one asker may take; it is answered in one piece.
const ANSWER_BOUND: Duration = Duration::from_secs(2);
/// Largest answer read: 512 attempts with full paths are under 4 MiB.
const STATUS_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of this document.
    pub v: u32,
    /// Its process.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// Its number in the farm.
    pub agent: AgentId,
    /// Its name in the farm.
    pub name: String,
    /// The connection.
    pub console: ConsoleStatus,
    /// Its devices.
    pub devices: Vec<DeviceStatus>,
    /// What it holds.
    pub attempts: Vec<AttemptStatus>,
}

/// How the connection stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConsoleStatus {
    /// Welcomed, and not lost since.
    pub connected: bool,
    /// Where the console was met last.
    pub address: Option<String>,
    /// Why there is no connection.
    pub problem: Option<String>,
}

/// A device and its slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// Its number.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Encodes at once.
    pub slots: u16,
    /// Encodes now.
    pub taken: usize,
    /// What it makes.
    #[serde(default)]
    pub codecs: Vec<VideoCodec>,
    /// Why it has as many slots as it has; empty if there is nothing to say.
    #[serde(default)]
    pub note: String,
}

/// An attempt that is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptStatus {
    /// `job.task/attempt`.
    pub attempt: String,
    /// Its source, with what could steer a terminal shown as escapes; empty if unknown.
    pub source: String,
    /// What it does, in one word.
    pub phase: String,
    /// Share of the phase done, 0 to 1.
    pub fraction: f32,
    /// Frames a second.
    pub fps: f32,
    /// Multiple of real time.
    pub speed: f32,
}

impl AttemptStatus {
    pub(crate) fn of(id: AttemptId, entry: &Entry) -> Self {
        let source = entry.offer.as_ref().map(|o| o.source.shown()).unwrap_or_default();
        let (phase, progress) = match &entry.stage {
            Stage::Running(progress) => (progress.phase.word(), Some(*progress)),
            Stage::Proven(_) | Stage::Parked(..) | Stage::Left(_) => ("waiting for the grant", None),
            Stage::Granted(_) => ("committing", None),
            Stage::Ended(_) => ("ended, not acknowledged", None),
            Stage::Leaving => ("stopping", None),
        };
        AttemptStatus {
            attempt: id.to_string(),
            source,
            phase: phase.into(),
            fraction: progress.map_or(0.0, |p| f32::from(p.permille) / 1000.0),
            fps: progress.map_or(0.0, |p| p.fps),
            speed: progress.map_or(0.0, |p| p.speed),
        }
    }
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Nobody answers there.
    #[error("reach a running vc-agent: none runs with the state folder {0}; start one with `vc-agent run`")]
    NotRunning(String),
    /// Somebody does, and not with a status.
    #[error("understand the answer of the running vc-agent: {0}")]
    Garbled(String),
}

/// Asks the agent of that socket; blocks for two seconds at most.
pub fn ask(socket: &Path) -> Result<Status, StatusError> {
    let folder = || socket.parent().unwrap_or(socket).display().to_string();
    let stream = StdUnixStream::connect(socket).map_err(|_| StatusError::NotRunning(folder()))?;
    let garbled = |e: io::Error| StatusError::Garbled(e.to_string());
    stream.set_read_timeout(Some(ANSWER_BOUND)).map_err(garbled)?;
    let mut text = String::new();
    stream.take(STATUS_BYTES_MAX).read_to_string(&mut text).map_err(garbled)?;
    serde_json::from_str(&text).map_err(|e| StatusError::Garbled(e.to_string()))
}

/// Answers until `stop`. A socket that cannot be made costs the status, never the work.
pub(crate) async fn serve(socket: PathBuf, calls: mpsc::Sender<Call>, stop: CancellationToken) {
    let socket = socket.as_path();
    // Left by a process that was killed; the lock of the folder says that nobody else answers there.
    let _ = std::fs::remove_file(socket);
    let listener = match UnixListener::bind(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(
                "`vc-agent status` will not work: failed to listen on {}: {error}",
                socket.display()
            );
            return;
        }
    };
    // Both arms are cancel-safe. Askers are answered one after another: there is one person at the keyboard.
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Ok((stream, _)) = listener.accept() => {
                if tokio::time::timeout(ANSWER_BOUND, answer(stream, &calls)).await.is_err() {
                    tracing::debug!("status: the asker was too slow");
                }
            }
        }
    }
    let _ = std::fs::remove_file(socket);
}

async fn answer(mut stream: tokio::net::UnixStream, calls: &mpsc::Sender<Call>) {
    let (asked, status) = oneshot::channel();
    if calls.send(Call::Status(asked)).await.is_err() {
        return;
    }
    let Ok(status) = status.await else { return };
    if let Ok(bytes) = serde_json::to_vec(&status) {
        // The asker may be gone already, and nobody else wants to know.
        let _ = stream.write_all(&bytes).await;
    }
}
