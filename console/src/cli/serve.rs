//! `serve`: the server in this process, until it is told to end.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failed};
use super::signals::Signals;
use super::text;
use crate::app::{Server, ServerConfig, StartError};
use crate::config::keys::Name;
use crate::config::{Config, Given};

/// How long the server may take for its own business once it is told to end: what agents have in hand stays theirs.
const STOP_MAX: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Address and UDP port that agents dial [env: VC_LISTEN] [default: 0.0.0.0:4433]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// What is logged: error, warn, info, debug, trace, or a filter [env: VC_LOG] [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

impl ServeArgs {
    pub(super) fn given(&self, given: &mut Given) {
        given.flag(Name::Listen, self.listen.clone());
        given.flag(Name::Log, self.log.clone());
    }
}

/// Runs the server until it is told to end.
pub(super) async fn serve(state_dir: PathBuf, config: &Config) -> Result<Exit, Failed> {
    log_to_stderr(config.text(Name::Log))?;
    let mut signals = Signals::listen()?;
    let listen =
        config.address(Name::Listen).ok_or_else(|| Failed::usage("say where to listen: --listen"))?;
    let server = Server::start(ServerConfig { state_dir, listen }).await.map_err(start_failed)?;
    text::out(&format!("listening on {}", server.listen()));
    let exit = tokio::select! {
        // SIGTERM asks for the end in the ordinary way, as `stop` does.
        exit = signals.next() => if exit == Exit::Terminated { Exit::Done } else { exit },
        _ = server.stop_asked() => Exit::Done,
        () = server.died() => {
            server.stop().await;
            return Err(Failed::new(Exit::Unexpected, "the scheduler ended; its last words are in the log above"));
        }
    };
    tokio::select! {
        stopped = tokio::time::timeout(STOP_MAX, server.stop()) => if stopped.is_err() {
            // What is promised is in the table already; the next start takes it up from there.
            tracing::warn!("not everything ended within {} s; what is left is dropped", STOP_MAX.as_secs());
        },
        // Whoever asks twice does not want to wait.
        exit = signals.next() => return Ok(exit),
    }
    Ok(exit)
}

/// The exit status that fits why a server did not start.
pub(super) fn start_failed(error: StartError) -> Failed {
    let exit = if error.is_taken() { Exit::NoServer } else { Exit::Unexpected };
    Failed::new(exit, format!("{:#}", anyhow::Error::from(error)))
}

fn log_to_stderr(filter: &str) -> Result<(), Failed> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| Failed::usage(format!("server.log: \"{}\": {error}", filter.escape_debug())))?;
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}
