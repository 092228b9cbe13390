//! `serve`, and the dashboard on a running server.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use vc_protocol::operator::{Request, Response, StopHow};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::signals::Signals;
use super::target::Target;
use super::{screen, status, text};
use crate::app::{Server, ServerConfig, StartError};
use crate::operator::client::ClientError;

/// Runs the server until it is told to end.
pub(super) async fn serve(state_dir: PathBuf, listen: SocketAddr) -> Result<Exit, Failed> {
    log_to_stderr();
    let mut signals = Signals::listen()?;
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
    server.stop().await;
    Ok(exit)
}

/// Shows the running server; off a terminal, its status.
pub(super) async fn attach(target: &Target) -> Result<Exit, Failed> {
    target.connect().await?;
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return status::status(target, false).await;
    }
    screen::attach(target.server()).await
}

/// Asks the server to end.
pub(super) async fn stop(target: &Target) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    answer!(client, &Request::Stop(StopHow::Leave), Response::Stopping => ());
    text::note("the server ends; agents go on with what they have");
    Ok(Exit::Done)
}

/// The exit status that fits why a server did not start.
pub(super) fn start_failed(error: StartError) -> Failed {
    let exit = if error.is_taken() { Exit::NoServer } else { Exit::Unexpected };
    Failed::new(exit, format!("{:#}", anyhow::Error::from(error)))
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("VC_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}
