//! Puts the dashboard on the terminal, and says how it was left.

use super::exit::{Exit, Failed};
use super::watch::is_over;
use crate::operator::client::{Client, Target};
use crate::operator::link;
use crate::tui::{self, Leave, Look, Mode, Options};
use vc_protocol::operator::{Request, StopHow};

/// The dashboard of a conversion: closes by itself at the end, and leaving it ends everything.
pub(super) async fn convert(server: &Target) -> Result<Option<Exit>, Failed> {
    match show(Mode::Convert, link::open(server.clone(), Some(is_over))).await? {
        Leave::Ended => Ok(None),
        Leave::Signal(signal) => Ok(Some(of_signal(signal))),
        Leave::Detached | Leave::StopFarm | Leave::CancelAll | Leave::Hangup => Ok(Some(Exit::Interrupted)),
    }
}

/// The dashboard of a running server.
pub(super) async fn attach(server: &Target) -> Result<Exit, Failed> {
    match show(Mode::Attach, link::open(server.clone(), None)).await? {
        Leave::Detached | Leave::Ended => {
            super::text::note(
                "the farm keeps running: `vc-console` to come back, `vc-console stop` to stop it",
            );
            Ok(Exit::Done)
        }
        Leave::StopFarm | Leave::CancelAll => {
            Client::connect(server).await?.request(&Request::Stop(StopHow::Leave)).await?;
            super::text::note("the server ends; agents go on with what they have");
            Ok(Exit::Done)
        }
        Leave::Signal(signal) => Ok(of_signal(signal)),
        Leave::Hangup => Ok(Exit::Unexpected),
    }
}

async fn show(mode: Mode, link: tui::Link) -> Result<Leave, Failed> {
    let options = Options { mode, look: Look::detect() };
    tui::run(options, link).await.map_err(|e| Failed::unexpected(&e.context("show the dashboard")))
}

fn of_signal(signal: i32) -> Exit {
    if signal == nix::libc::SIGTERM { Exit::Terminated } else { Exit::Interrupted }
}
