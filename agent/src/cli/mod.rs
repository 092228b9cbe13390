//! The command line of `vc-agent`: words in, one of the documented exit codes out. The only place that prints.

mod doctor;
mod exit;
mod pages;
mod show;

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};
use vc_certs::JoinLine;
use vc_certs::line::LineError;
use vc_protocol::device::SLOTS_MAX;

use crate::config::{AgentConfig, CardWish};
use crate::own_log::OwnLog;
use crate::pages::Shell;
use crate::state_dir::StateDir;
use crate::storage::{MapError, PathMaps};
use crate::{device, status, task};
use doctor::DoctorArgs;
use exit::{Code, Failed};

/// Longest join line read from stdin: eight full addresses and the rest are under 3 KiB.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// Converts videos for a farm on this box's devices.
#[derive(Debug, Parser)]
#[command(name = "vc-agent", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// Folder of the agent's key and unacknowledged results [default: $XDG_STATE_HOME/vc-agent]
    #[arg(long, global = true, value_name = "DIR", env = "VC_STATE_DIR", value_parser = maybe_empty())]
    state_dir: Option<PathBuf>,
    /// What is logged to stderr: error, warn, info, debug, trace, or a filter such as info,vc_agent=debug
    #[arg(long, global = true, value_name = "FILTER", env = "VC_LOG", default_value = "info")]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make this box a member of a farm, with a line from `vc-console token create`
    Join {
        /// The line, or - to read it from stdin
        #[arg(value_name = "LINE|-")]
        line: String,
        /// Replace the identity that this box has
        #[arg(long)]
        force: bool,
    },
    /// Work for the farm until told to stop
    Run(Run),
    /// Show what the running agent does
    Status {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Look for what would make this box convert badly or not at all, each with what to do about it
    Doctor(DoctorArgs),
    /// Print what a shell reads to complete the commands
    ///
    /// bash: source <(vc-agent completion bash). zsh: the same with zsh. fish: vc-agent completion fish | source.
    Completion {
        /// Which shell
        shell: Shell,
    },
    /// Print the man page, or write one for each command
    Man {
        /// Folder to write them into
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Show the version
    Version,
    /// Print what the Vulkan drivers say, for the agent itself: a driver may end the program that asks
    #[command(name = device::CHILD_WORD, hide = true)]
    Vulkan,
}

#[derive(Debug, Args)]
struct Run {
    /// Encodes at once on the processor; 0 leaves all work to the GPUs [default: one for each four cores, 1 to 8]
    #[arg(long, value_name = "N", env = "VC_SLOTS", value_parser = clap::value_parser!(u16).range(0..=i64::from(SLOTS_MAX)))]
    slots: Option<u16>,
    /// Encodes at once on each GPU [default: one, and more as long as that gives more frames a second]
    #[arg(long, value_name = "N", env = "VC_GPU_SLOTS", value_parser = clap::value_parser!(u16).range(1..=i64::from(SLOTS_MAX)))]
    gpu_slots: Option<u16>,
    /// Use this GPU only: its number, PCI address, UUID or a part of its name, or none; may be given several times
    #[arg(long, value_name = "WHICH", env = "VC_DEVICE", value_delimiter = ',')]
    device: Vec<String>,
    /// Count Vulkan devices that are the processor itself, such as lavapipe, as GPUs: for tests
    #[arg(long, env = "VC_ALLOW_CPU_VULKAN", value_parser = clap::builder::FalseyValueParser::new())]
    allow_cpu_vulkan: bool,
    /// Do not try the processor's encoders while there is nothing else to do; they are used all the same
    #[arg(long, env = "VC_NO_CPU_TRIALS", value_parser = clap::builder::FalseyValueParser::new())]
    no_cpu_trials: bool,
    /// Where a folder of the console is found on this box; may be given several times [env: VC_MAP=FROM=TO[:FROM=TO]]
    #[arg(long, value_name = "FROM=TO", value_parser = OsStringValueParser::new().try_map(checked_map))]
    map: Vec<OsString>,
    /// ffmpeg, if not the one on the PATH
    #[arg(long, value_name = "PATH", env = "VC_FFMPEG", value_parser = maybe_empty())]
    ffmpeg: Option<PathBuf>,
    /// ffprobe, if not the one on the PATH
    #[arg(long, value_name = "PATH", env = "VC_FFPROBE", value_parser = maybe_empty())]
    ffprobe: Option<PathBuf>,
}

/// Does what the process's command line says. Never returns to a runtime that has work left: the caller exits.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the edge to the person at the keyboard")]
pub fn main() -> ExitCode {
    // A shell that asks for words gets them, and nothing else is done.
    pages::complete();
    // A usage error ends here with exit code 2, help and version with 0.
    let cli = Cli::parse();
    let json = match &cli.command {
        Command::Status { json } => *json,
        Command::Doctor(args) => args.json,
        Command::Join { .. }
        | Command::Run(_)
        | Command::Completion { .. }
        | Command::Man { .. }
        | Command::Version
        | Command::Vulkan => false,
    };
    match dispatch(cli) {
        Ok(code) => code.into(),
        Err(failed) => {
            if json {
                println!("{}", failed.json());
            }
            eprintln!("vc-agent: {failed}");
            failed.code.into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Code, Failed> {
    let Common { state_dir, log } = cli.common;
    let state_dir = || match state_dir.filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => Ok(dir),
        None => StateDir::default_path(),
    };
    match cli.command {
        Command::Version => {
            show::line(&format!("vc-agent {}", env!("CARGO_PKG_VERSION")));
            Ok(Code::Done)
        }
        Command::Doctor(args) => runtime()?.block_on(doctor::run(args, state_dir().ok())),
        Command::Vulkan => {
            show::line(&device::told());
            Ok(Code::Done)
        }
        Command::Completion { shell } => pages::completion(shell),
        Command::Man { out } => pages::man(out),
        Command::Status { json } => {
            let status = status::ask(&StateDir::socket(&state_dir()?))?;
            show::status(&status, json);
            Ok(Code::Done)
        }
        Command::Join { line, force } => {
            log_to_stderr(&log)?;
            join(&line, &state_dir()?, force)
        }
        Command::Run(run) => {
            log_to_stderr(&log)?;
            work(run.into_config(state_dir()?)?)
        }
    }
}

impl Run {
    fn into_config(self, state_dir: PathBuf) -> Result<AgentConfig, Failed> {
        let maps = match std::env::var_os("VC_MAP") {
            Some(text) if self.map.is_empty() => split_maps(&text),
            Some(_) | None => self.map,
        };
        let maps = PathMaps::parse(&maps).map_err(|e| Failed::usage(format!("understand VC_MAP: {e}")))?;
        let given = |path: Option<PathBuf>| path.filter(|p| !p.as_os_str().is_empty());
        Ok(AgentConfig {
            slots: self.slots,
            cards: CardWish {
                words: self.device.into_iter().filter(|word| !word.is_empty()).collect(),
                counts_software: self.allow_cpu_vulkan,
                slots: self.gpu_slots,
            },
            tries_processor: !self.no_cpu_trials,
            maps,
            ffmpeg: given(self.ffmpeg),
            ffprobe: given(self.ffprobe),
            ..AgentConfig::new(state_dir)
        })
    }
}

/// A path; a variable that is set to nothing is as good as one that is not set.
fn maybe_empty() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

fn checked_map(text: OsString) -> Result<OsString, MapError> {
    PathMaps::parse(std::slice::from_ref(&text)).map(|_| text)
}

/// Several mappings as one variable holds them: with `:` between, as in `PATH`.
fn split_maps(text: &OsStr) -> Vec<OsString> {
    let parts = text.as_bytes().split(|b| *b == b':').filter(|part| !part.is_empty());
    parts.map(|part| OsStr::from_bytes(part).to_owned()).collect()
}

fn join(line: &str, state_dir: &Path, force: bool) -> Result<Code, Failed> {
    let mut text = String::new();
    if line == "-" {
        let read = io::stdin().lock().take(LINE_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|e| Failed::usage(format!("read the join line from stdin: {e}")))?;
    } else {
        line.clone_into(&mut text);
    }
    let line: JoinLine =
        text.parse().map_err(|e: LineError| Failed::usage(format!("read the join line: {e}")))?;
    let identity = runtime()?.block_on(async {
        let (identity, goodbye) = crate::join(&line, state_dir, force).await?;
        let _ = goodbye.await;
        Ok::<_, crate::JoinError>(identity)
    })?;
    show::line(&format!(
        "joined farm {} as {} (agent {}); next: vc-agent run",
        identity.farm, identity.name, identity.agent
    ));
    Ok(Code::Done)
}

fn work(config: AgentConfig) -> Result<Code, Failed> {
    let runtime = runtime()?;
    let asked = Arc::new(OnceLock::new());
    let ended = runtime.block_on(async {
        let stop = CancellationToken::new();
        task::spawn("signals", watch_signals(stop.clone(), asked.clone())?);
        crate::run(config, stop).await?;
        Ok(asked.get().copied().unwrap_or(Code::Done))
    });
    // What still runs now did not end in time, and is not waited for.
    runtime.shutdown_background();
    ended
}

/// The first signal asks, the second one ends the process where it stands. Children die with it.
fn watch_signals(
    stop: CancellationToken,
    asked: Arc<OnceLock<Code>>,
) -> Result<impl Future<Output = ()> + Send, Failed> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| Failed::unexpected(format!("listen for signals: {e}")));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            // Both arms are cancel-safe.
            let code = tokio::select! {
                _ = terminate.recv() => Code::Terminated,
                _ = interrupt.recv() => Code::Interrupted,
            };
            if asked.set(code).is_err() {
                std::process::exit(i32::from(code as u8));
            }
            tracing::info!("asked to stop: handing everything back; a second signal ends this at once");
            stop.cancel();
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|e| Failed::unexpected(format!("start the runtime: {e}")))
}

fn log_to_stderr(filter: &str) -> Result<(), Failed> {
    let filter = if filter.is_empty() { "info" } else { filter };
    let filter =
        EnvFilter::try_new(filter).map_err(|e| Failed::usage(format!("understand the log filter: {e}")))?;
    let terminal = io::IsTerminal::is_terminal(&io::stderr());
    let seen = fmt::layer().with_target(false).with_writer(io::stderr).with_ansi(terminal);
    let kept = fmt::layer().with_target(false).with_writer(OwnLog::default).with_ansi(false);
    let log = tracing_subscriber::registry().with(filter).with(seen).with(kept);
    // Fails only where a log is set up already, and then that one is right.
    let _ = log.try_init();
    Ok(())
}
