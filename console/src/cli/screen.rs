//! Puts the dashboard on the terminal, and says how it was left.

use std::path::PathBuf;

use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;

use super::exit::{Exit, Failed};
use super::watch::is_over;
use crate::config::Config;
use crate::config::keys::Name;
use crate::launch;
use crate::operator::client::{Client, Target};
use crate::operator::link;
use crate::tui::{self, Leave, Look, Mode, Options, When};
use vc_protocol::operator::{Request, StopHow};

/// The dashboard of a conversion: closes by itself at the end, and leaving it ends everything.
pub(super) async fn convert(server: &Target, config: &Config) -> Result<Option<Exit>, Failed> {
    match show(Mode::Convert, link::open(server.clone(), Some(is_over), None), config).await? {
        Leave::Ended => Ok(None),
        Leave::Signal(signal) => Ok(Some(of_signal(signal))),
        Leave::Detached | Leave::Stop(_) | Leave::CancelAll | Leave::Hangup => Ok(Some(Exit::Interrupted)),
    }
}

/// The dashboard of a running server.
pub(super) async fn attach(server: &Target, config: &Config) -> Result<Exit, Failed> {
    match show(Mode::Attach, link::open(server.clone(), None, Some(start_agent)), config).await? {
        Leave::Detached | Leave::Ended => {
            super::text::note(match server {
                Target::Local(_) => {
                    "farm keeps running; `vc-console` to come back, `vc-console stop` to stop it"
                }
                Target::Remote(_) => "farm keeps running; the same command to come back",
            });
            Ok(Exit::Done)
        }
        Leave::Stop(how) => {
            Client::connect(server).await?.request(&Request::Stop(how)).await?;
            super::text::note(match how {
                StopHow::Drain => "the farm stops when what runs has ended",
                StopHow::Now => "the farm stops; what ran starts again when it is back",
                StopHow::Leave => "the server ends; agents go on with what they have",
            });
            Ok(Exit::Done)
        }
        Leave::Signal(signal) => Ok(of_signal(signal)),
        // Only a conversion is cancelled by leaving.
        Leave::CancelAll | Leave::Hangup => Ok(Exit::Unexpected),
    }
}

fn start_agent(state_dir: PathBuf) -> BoxFuture<'static, Result<String, String>> {
    let started = async move { launch::start_local_agent(&state_dir).await };
    Box::pin(started.map_err(|error| format!("{:#}", anyhow::Error::from(error))))
}

async fn show(mode: Mode, link: tui::Link, config: &Config) -> Result<Leave, Failed> {
    let options = options(mode, config);
    #[cfg(debug_assertions)]
    panic_if_asked();
    tui::run(options, link).await.map_err(|e| Failed::unexpected(&e.context("show the dashboard")))
}

/// Lets a test look at what a panic leaves of the terminal: with `VC_FAILPOINT=dashboard`, SIGUSR1 is one.
#[cfg(debug_assertions)]
fn panic_if_asked() {
    use tokio::signal::unix::{SignalKind, signal};
    if std::env::var_os("VC_FAILPOINT").is_none_or(|name| name != "dashboard") {
        return;
    }
    let Ok(mut asked) = signal(SignalKind::user_defined1()) else { return };
    vc_agent::task::spawn("failpoint", async move {
        asked.recv().await;
        panic!("failpoint reached");
    });
}

/// As the terminal is, and as it was set.
fn options(mode: Mode, config: &Config) -> Options {
    let when = |name| match config.text(name) {
        "always" | "on" => When::Always,
        "never" | "off" => When::Never,
        _ => When::Auto,
    };
    let look = Look::detect().wished(when(Name::Color), config.is_on(Name::Ascii));
    let look = Look { theme: config.theme().clone(), ..look };
    Options {
        mouse: look.takes_mouse(when(Name::Mouse)),
        keys: config.keys().clone(),
        read_only: config.is_on(Name::ReadOnly),
        accessible: config.is_on(Name::Accessible),
        ..Options::new(mode, look)
    }
}

fn of_signal(signal: i32) -> Exit {
    if signal == nix::libc::SIGTERM { Exit::Terminated } else { Exit::Interrupted }
}
