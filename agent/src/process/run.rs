//! Runs one child from start to gone.
//!
//! ```text
//! running --stop asked, or no advance--> terminating --grace over, or asked harder--> killing --> gone
//!    `----------------- ends by itself -----------------------------------------------------------^
//! ```
//! In every state both pipes are read. After the leader's end the rest of its group is killed and the pipes are drained,
//! both with a bound: the three waits together stay under the two seconds that a cancel may take.

use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::group::Group;
use super::progress::{Block, ProgressParser};
use super::ring::Ring;
use super::spawner::{Invocation, ProcessError, Spawner};
use super::stop::{StopReason, StopToken};
use super::watch::Watchdog;

/// Time between SIGTERM and SIGKILL. Encoders that flush on SIGTERM need up to 10 s, and the file is thrown away.
const TERM_GRACE: Duration = Duration::from_millis(1500);
/// Longest wait for what is still in the pipes once the group is dead.
const DRAIN_MAX: Duration = Duration::from_millis(200);
/// Bytes of stderr kept of one process, for its failure and the report.
const STDERR_BYTES_MAX: usize = 48 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// What a child may take.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Longest time without advance in its progress blocks.
    pub stall: Option<Duration>,
    /// Longest time in all.
    pub total: Option<Duration>,
    /// A file whose growth counts as advance too.
    pub writes: Option<PathBuf>,
}

/// What becomes of standard output.
pub enum Stdout<'a> {
    /// Kept, up to this many bytes; more ends up as [`Ended::is_stdout_cut`].
    Keep {
        /// Most bytes kept.
        bytes_max: usize,
    },
    /// Read as ffmpeg's progress blocks. Whoever takes them may end the child: [`StopReason::Unwanted`].
    Progress(&'a mut (dyn FnMut(Block) -> ControlFlow<()> + Send)),
}

/// Where a child's output goes.
pub struct Sinks<'o, 'e> {
    /// Standard output.
    pub stdout: Stdout<'o>,
    /// Bytes of standard error as they come; they are also kept in [`Ended::stderr`].
    pub stderr: &'e mut (dyn FnMut(&[u8]) + Send),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// The end of a child; nothing of its group is left.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How it ended. Zero is no proof of anything.
    pub exit: Exit,
    /// Set if we ended it.
    pub stopped: Option<StopReason>,
    /// What it printed to standard error, first and last part.
    pub stderr: String,
    /// What it printed to standard output, if that was to be kept.
    pub stdout: Vec<u8>,
    /// There was more of it than was to be kept.
    pub is_stdout_cut: bool,
}

impl Ended {
    /// Ended by itself with status 0.
    pub fn is_clean(&self) -> bool {
        self.stopped.is_none() && self.exit == Exit::Code(0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Terminating(Instant),
    Killing,
}

impl Spawner {
    /// Runs a child until nothing of it is left. Dropping the future kills its group.
    pub async fn run(
        &self,
        call: &Invocation,
        limits: Limits,
        sinks: Sinks<'_, '_>,
        stop: &StopToken,
    ) -> Result<Ended, ProcessError> {
        let mut group = self.spawn(call).await?;
        let (mut stdout, mut stderr) = group.take_pipes();
        let mut reader = Reader::new(&limits, sinks);
        let mut ending = Ending { stage: Stage::Running, reason: None };
        let mut stop = stop.clone();
        let (mut out_buf, mut err_buf) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
        let waited = loop {
            if reader.is_unwanted && ending.reason.is_none() {
                ending.begin(StopReason::Unwanted, &group);
            }
            let deadline = ending.deadline(&reader);
            // Each arm is cancel-safe: a read takes nothing unless it completes, the rest only waits. Reading comes
            // last, so that a child that floods its pipes is still stopped in time.
            tokio::select! {
                biased;
                status = group.wait() => break status,
                reason = stop.beyond(ending.reason) => ending.begin(reason, &group),
                () = until(deadline) => ending.lapse(&mut reader, &group),
                n = read(&mut stdout, &mut out_buf) => reader.take_stdout(&out_buf[..n]),
                n = read(&mut stderr, &mut err_buf) => reader.take_stderr(&err_buf[..n]),
            }
        };
        let program = || call.program.display().to_string();
        let status = waited.map_err(|source| ProcessError::Wait { program: program(), source })?;
        group.clear().await;
        let drained = Instant::now() + DRAIN_MAX;
        while stdout.is_some() || stderr.is_some() {
            let step = async {
                tokio::select! {
                    n = read(&mut stdout, &mut out_buf) => reader.take_stdout(&out_buf[..n]),
                    n = read(&mut stderr, &mut err_buf) => reader.take_stderr(&err_buf[..n]),
                }
            };
            if timeout_at(drained, step).await.is_err() {
                break;
            }
        }
        Ok(reader.ended(exit(status), ending.reason))
    }
}

/// Reads once; at the end of the pipe it is closed. Waits for ever if it is closed already.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    let Some(open) = pipe else { return std::future::pending().await };
    match open.read(buffer).await {
        Ok(0) | Err(_) => {
            *pipe = None;
            0
        }
        Ok(n) => n,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

/// The way to the end, once it is asked for.
struct Ending {
    stage: Stage,
    reason: Option<StopReason>,
}

impl Ending {
    fn deadline(&self, reader: &Reader<'_, '_>) -> Option<Instant> {
        match self.stage {
            Stage::Running => reader.deadline(),
            Stage::Terminating(kill_at) => Some(kill_at),
            Stage::Killing => None,
        }
    }

    /// A stop was asked for, or asked for harder.
    fn begin(&mut self, reason: StopReason, group: &Group) {
        self.reason = self.reason.max(Some(reason));
        if reason == StopReason::Now {
            group.signal(Signal::SIGKILL);
            self.stage = Stage::Killing;
        } else if self.stage == Stage::Running {
            group.signal(Signal::SIGTERM);
            self.stage = Stage::Terminating(Instant::now() + TERM_GRACE);
        }
    }

    /// The deadline of this stage has come.
    fn lapse(&mut self, reader: &mut Reader<'_, '_>, group: &Group) {
        match self.stage {
            Stage::Running => {
                if let Some(reason) = reader.overdue() {
                    self.begin(reason, group);
                }
            }
            Stage::Terminating(_) => {
                group.signal(Signal::SIGKILL);
                self.stage = Stage::Killing;
            }
            Stage::Killing => {}
        }
    }
}

/// Takes in what the child prints, and watches whether it advances.
struct Reader<'o, 'e> {
    sinks: Sinks<'o, 'e>,
    parser: ProgressParser,
    watchdog: Option<Watchdog>,
    end_at: Option<Instant>,
    writes: Option<PathBuf>,
    log: Ring,
    kept: Vec<u8>,
    is_cut: bool,
    is_unwanted: bool,
}

impl<'o, 'e> Reader<'o, 'e> {
    fn new(limits: &Limits, sinks: Sinks<'o, 'e>) -> Reader<'o, 'e> {
        let now = Instant::now();
        Reader {
            sinks,
            parser: ProgressParser::default(),
            watchdog: limits.stall.map(|limit| Watchdog::new(limit, now)),
            end_at: limits.total.map(|limit| now + limit),
            writes: limits.writes.clone(),
            log: Ring::new(STDERR_BYTES_MAX),
            kept: Vec::new(),
            is_cut: false,
            is_unwanted: false,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.watchdog.as_ref().map(Watchdog::deadline).into_iter().chain(self.end_at).min()
    }

    /// At the deadline: why it must end, if it must.
    fn overdue(&mut self) -> Option<StopReason> {
        let now = Instant::now();
        if self.end_at.is_some_and(|end| now >= end) {
            return Some(StopReason::Overtime);
        }
        let dog = self.watchdog.as_mut()?;
        let stands = now >= dog.deadline() && !dog.file_moved(self.writes.as_deref(), now);
        stands.then_some(StopReason::Stalled)
    }

    fn take_stdout(&mut self, bytes: &[u8]) {
        match &mut self.sinks.stdout {
            Stdout::Keep { bytes_max } => {
                let room = bytes_max.saturating_sub(self.kept.len());
                self.is_cut |= bytes.len() > room;
                self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Stdout::Progress(tell) => {
                let now = Instant::now();
                let (watchdog, is_unwanted) = (&mut self.watchdog, &mut self.is_unwanted);
                self.parser.push(bytes, |block| {
                    if let Some(dog) = watchdog {
                        dog.saw(&block, now);
                    }
                    *is_unwanted |= tell(block).is_break();
                });
            }
        }
    }

    fn take_stderr(&mut self, bytes: &[u8]) {
        self.log.push(bytes);
        (self.sinks.stderr)(bytes);
    }

    fn ended(self, exit: Exit, stopped: Option<StopReason>) -> Ended {
        let stderr = self.log.text(2 * STDERR_BYTES_MAX);
        Ended { exit, stopped, stderr, stdout: self.kept, is_stdout_cut: self.is_cut }
    }
}
