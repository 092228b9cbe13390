//! The thread that starts every child.
//!
//! The parent-death signal follows the *thread* that forked, and threads of a pool come and go: this one lives as long
//! as the last [`Spawner`] does.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::libc;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use vc_protocol::path::FilePath;

use super::group::Group;
use super::orphans::Record;

/// What children see of our environment. Media is hostile input: nothing secret of the farm is among these.
///
/// Whoever asks for devices and whoever encodes on them must see the same drivers; and shaders that were compiled once
/// are found again only where they were put.
const ENVIRONMENT: [&str; 33] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    // Which Vulkan drivers the loader takes, and where it looks for them.
    "VK_DRIVER_FILES",
    "VK_ADD_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "VK_LOADER_DRIVERS_SELECT",
    "VK_LOADER_DRIVERS_DISABLE",
    "VK_LOADER_LAYERS_DISABLE",
    "VK_LOADER_DEVICE_SELECT",
    "XDG_DATA_DIRS",
    "XDG_CONFIG_DIRS",
    "XDG_RUNTIME_DIR",
    // What Mesa does, and where it keeps its shaders.
    "XDG_CACHE_HOME",
    "MESA_SHADER_CACHE_DIR",
    "MESA_VK_DEVICE_SELECT",
    "RADV_PERFTEST",
    "ANV_DEBUG",
    "LP_NUM_THREADS",
    // VAAPI and Quick Sync.
    "LIBVA_DRIVER_NAME",
    "LIBVA_DRIVERS_PATH",
    "ONEVPL_SEARCH_PATH",
    "ONEVPL_PRIORITY_PATH",
    "LIBVA_MESSAGING_LEVEL",
    // NVIDIA, in containers too.
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_CACHE_PATH",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
];
/// Starts that may wait for the thread. Each takes about a millisecond; when full, the next waits its turn.
const QUEUE_LEN: usize = 16;

/// A program with its arguments: never a shell string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Program as an absolute path.
    pub program: PathBuf,
    /// Arguments without the program itself.
    pub args: Vec<OsString>,
    /// Variables beyond the few that every child gets.
    pub env: Vec<(String, String)>,
}

impl Invocation {
    /// A program with arguments and nothing special in its environment.
    pub fn new(program: &Path, args: Vec<OsString>) -> Invocation {
        Invocation { program: program.to_owned(), args, env: Vec::new() }
    }

    /// The whole command line as bytes, for reports.
    pub fn argv(&self) -> Vec<FilePath> {
        let program = std::iter::once(self.program.as_os_str());
        program
            .chain(self.args.iter().map(OsString::as_os_str))
            .map(|s| FilePath(s.as_bytes().to_vec()))
            .collect()
    }
}

/// Why a child could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It did not start.
    #[error("start {program}")]
    Start {
        /// Which program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its end could not be learned.
    #[error("wait for {program}")]
    Wait {
        /// Which program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The spawner thread is gone.
    #[error("start a process: the spawner has ended")]
    Gone,
}

struct Request {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Group>>,
}

/// Starts children. Clones share one thread.
#[derive(Debug, Clone)]
pub struct Spawner {
    queue: mpsc::Sender<Request>,
}

impl Spawner {
    /// Starts the thread. With `run_dir` each child leaves a record there while it runs, for [`super::sweep`].
    pub fn start(run_dir: Option<PathBuf>) -> io::Result<Spawner> {
        if let Some(dir) = &run_dir {
            std::fs::create_dir_all(dir)?;
        }
        let (queue, mut requests) = mpsc::channel::<Request>(QUEUE_LEN);
        std::thread::Builder::new().name("spawner".into()).spawn(move || {
            while let Some(request) = requests.blocking_recv() {
                let _inside = request.runtime.enter();
                let started = start(request.command, run_dir.as_deref());
                // A caller that is gone drops the group, which kills it.
                drop(request.reply.send(started));
            }
        })?;
        Ok(Spawner { queue })
    }

    /// Starts a child as the leader of its own group.
    pub(super) async fn spawn(&self, call: &Invocation) -> Result<Group, ProcessError> {
        let (reply, started) = oneshot::channel();
        let request = Request { command: command(call), runtime: Handle::current(), reply };
        self.queue.send(request).await.map_err(|_| ProcessError::Gone)?;
        let program = || call.program.display().to_string();
        let started = started.await.map_err(|_| ProcessError::Gone)?;
        started.map_err(|source| ProcessError::Start { program: program(), source })
    }
}

fn start(mut command: Command, run_dir: Option<&Path>) -> io::Result<Group> {
    let child = command.spawn()?;
    let record = match (run_dir, child.id()) {
        (Some(dir), Some(pid)) => Record::write(dir, pid)
            .inspect_err(
                |error| tracing::warn!(%error, "no record of a child: it is not swept if the agent dies"),
            )
            .ok(),
        _ => None,
    };
    Group::new(child, record)
}

fn command(call: &Invocation) -> Command {
    let mut command = Command::new(&call.program);
    command.args(&call.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true).current_dir("/").env_clear();
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(call.env.iter().map(|(name, value)| (name, value)));
    let parent = std::process::id();
    #[expect(
        unsafe_code,
        reason = "what runs between fork and exec makes system calls only: no allocation, no lock"
    )]
    // SAFETY: `harden` is async-signal-safe.
    unsafe {
        command.pre_exec(move || harden(parent));
    }
    command
}

/// In the child, before it becomes the program: dies with the agent, leaves no core dump.
fn harden(parent: u32) -> io::Result<()> {
    let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    #[expect(unsafe_code, reason = "plain system calls with valid arguments")]
    // SAFETY: the pointer is to a live local, the others are numbers.
    let results = unsafe {
        [
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong),
            libc::setrlimit(libc::RLIMIT_CORE, &no_core),
        ]
    };
    if results.iter().any(|r| *r != 0) {
        return Err(io::Error::last_os_error());
    }
    // The agent may have died before the signal was set: then there is nobody left to send it.
    if std::os::unix::process::parent_id() != parent {
        return Err(io::Error::from(io::ErrorKind::BrokenPipe));
    }
    Ok(())
}
