//! The dashboard for screen readers: plain lines from top to bottom, nothing drawn over, numbered choices.
//!
//! The same state as the drawn one: lines that are typed go through its commands, what it opens is read out. `talk` is
//! pure; this loop has the terminal.

mod talk;
mod tell;

use std::io::{BufRead, Write, stdin, stdout};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::talk::Talk;
use super::link::{Link, Reply};
use super::state::{Action, Millis, Msg};
use super::{Leave, Options};

/// Lines typed ahead; more wait in the terminal.
const LINES_MAX: usize = 16;

/// Talks until the operator leaves or it is ended.
pub(super) async fn run(options: Options, mut link: Link) -> anyhow::Result<Leave> {
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut hup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    let mut lines = typed().context("listen to what is typed")?;
    let started = Instant::now();
    let mut talk = Talk::new(options);
    let mut linked = true;
    loop {
        let now = Millis::try_from(started.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let due = talk.due(now).map(|at| started + std::time::Duration::from_millis(at));
        let time = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // Every arm is safe to cancel: queues and signals keep what was not taken.
        let actions = tokio::select! { biased;
            _ = hup.recv() => return Ok(Leave::Signal(SignalKind::hangup().as_raw_value())),
            _ = term.recv() => return Ok(Leave::Signal(SignalKind::terminate().as_raw_value())),
            line = lines.recv() => match line {
                Some(line) => talk.line(now, &line),
                None => return Ok(Leave::Hangup),
            },
            reply = link.replies.recv(), if linked => match reply {
                Some(reply) => talk.hear(now, Msg::Reply(reply)),
                None => {
                    linked = false;
                    talk.hear(now, Msg::Reply(Reply::Gone("the connection ended".into())))
                }
            },
            () = time => talk.hear(now, Msg::Tick),
        };
        for action in actions {
            match action {
                Action::Leave(leave) => return Ok(leave),
                Action::Send(tag, request) => {
                    // The other side always reads; if it does not, nobody must wait for it.
                    if link.requests.try_send((tag, request)).is_err() {
                        talk.hear(now, Msg::Reply(Reply::Gone("requests are not taken".into())));
                    }
                }
                Action::StartAgent => {
                    if link.start_agent.as_ref().is_none_or(|start| start.try_send(()).is_err()) {
                        talk.say("an agent cannot be started from here");
                    }
                }
                Action::Copy(item) => talk.say(item.text),
                Action::Print(text) => talk.say(text),
                Action::Repaint | Action::Mouse(_) | Action::Suspend => {}
            }
        }
        let said = talk.said();
        if !said.is_empty() {
            let mut out = stdout().lock();
            for line in said {
                writeln!(out, "{line}").context("write to the terminal")?;
            }
            out.flush().context("write to the terminal")?;
        }
    }
}

/// What is typed, line by line. A thread that waits for a line cannot be told to stop; it ends with the process.
fn typed() -> anyhow::Result<mpsc::Receiver<String>> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    std::thread::Builder::new().name("typed-lines".into()).spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
