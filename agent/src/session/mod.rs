//! The session with the console: dial, say hello, be welcomed, carry messages both ways, and dial again.
//!
//! Connected means welcomed: a certificate that is refused shows only with the first read. Knows nothing of attempts;
//! what is said goes to the [`crate::supervisor`], which outlives every session.

pub(crate) mod backoff;
pub(crate) mod fit;
pub(crate) mod state;

use std::time::Duration;

use quinn::Connection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use vc_certs::Identity;
use vc_certs::dial;
use vc_certs::ended::Ended;
use vc_certs::wire::{self, Channel, FrameReader, FrameWriter, WireError};
use vc_protocol::agent::{AgentHello, FromAgent, ToAgent};
use vc_protocol::close::Close;

use crate::commit::failpoint;
use crate::supervisor::{Call, Inventory};
use backoff::LastTry;

/// Messages to the console that wait for the network: some seconds of reports and progress of a full box. When it is
/// full the session is given up as too slow, and the next one begins with the inventory.
const OUTBOX_MAX: usize = 256;
/// Longest wait for the welcome: the console writes what it decides about the inventory to disk first.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// A session that lasted this long was a good one: the next wait is short again. Shorter ones count as failures, so
/// that two boxes with one identity do not take turns at full speed.
const GOOD_SESSION: Duration = Duration::from_secs(30);
/// How long the console gets to take the last messages and to close.
const GOODBYE_BOUND: Duration = Duration::from_millis(500);
/// How long the console gets to hear our close before the process ends.
const CLOSE_BOUND: Duration = Duration::from_secs(1);

/// What every hello of this process says, but for what it offers and holds.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) instance: u64,
    pub(crate) host: String,
    pub(crate) ffmpeg: String,
}

/// Keeps a session up until `closing`.
pub(crate) struct Session {
    /// The newest one is used from the next dial on.
    pub(crate) identity: watch::Receiver<Identity>,
    pub(crate) facts: Facts,
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) closing: CancellationToken,
}

impl Session {
    /// Dials until it is told to end.
    pub(crate) async fn keep(mut self) {
        let mut failures = 0_u32;
        let mut told = String::new();
        let mut preferred = 0;
        while !self.closing.is_cancelled() {
            let began = Instant::now();
            let ended = self.once(&mut preferred).await;
            if self.closing.is_cancelled() {
                return;
            }
            failures = if began.elapsed() >= GOOD_SESSION { 0 } else { failures.saturating_add(1) };
            let last = match &ended {
                Ended::Refused(_) => LastTry::Refused,
                Ended::Lost(_) => LastTry::Failed(failures),
            };
            // The same news every half minute would bury everything else.
            if told != ended.words() {
                match &ended {
                    Ended::Refused(words) => {
                        tracing::error!("refused by the console: {words}; trying on, slowly")
                    }
                    Ended::Lost(words) => tracing::warn!("no connection to the console: {words}; trying on"),
                }
                ended.words().clone_into(&mut told);
            }
            if self.calls.send(Call::Down(ended.words().to_owned())).await.is_err() {
                return;
            }
            let wait = backoff::wait(last, crate::run::random());
            // All arms are cancel-safe.
            tokio::select! {
                () = self.closing.cancelled() => return,
                // What was refused may be taken under a new certificate, as after the old one had expired.
                Ok(()) = self.identity.changed(), if last == LastTry::Refused => failures = 0,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One session from dial to end.
    async fn once(&mut self, preferred: &mut usize) -> Ended {
        let identity = self.identity.borrow_and_update().clone();
        let dialled = tokio::select! {
            () = self.closing.cancelled() => return Ended::Lost("shutting down".into()),
            dialled = dial::member(&identity, &identity.consoles, preferred) => dialled,
        };
        let (endpoint, connection, address) = match dialled {
            Ok(dialled) => dialled,
            Err(ended) => return ended,
        };
        let ended = match self.talk(&connection, address).await {
            Ok(ended) => ended,
            Err(error) => {
                wire::close(&connection, error.close(), &error.told());
                match error {
                    WireError::Ended(ended) => ended,
                    WireError::Hello(hello) => Ended::Refused(hello.to_string()),
                    WireError::TooSlow | WireError::Frame(_) | WireError::TooLong(_) | WireError::Cut => {
                        Ended::Lost(error.to_string())
                    }
                }
            }
        };
        if self.closing.is_cancelled() {
            // The process may end after this. What is lost by leaving early is only the courtesy of a close frame.
            let _ = timeout(CLOSE_BOUND, endpoint.wait_idle()).await;
        }
        ended
    }

    async fn talk(&self, connection: &Connection, address: String) -> Result<Ended, WireError> {
        let channel: Channel<ToAgent> = wire::open(connection, env!("CARGO_PKG_VERSION")).await?;
        let Channel { mut reader, mut writer, .. } = channel;
        let (ask, answer) = oneshot::channel();
        let gone = || Ended::Lost("shutting down".into());
        if self.calls.send(Call::Inventory(ask)).await.is_err() {
            return Ok(gone());
        }
        let Ok(Inventory { devices, held }) = answer.await else { return Ok(gone()) };
        let hello = AgentHello {
            instance: self.facts.instance,
            host: self.facts.host.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            ffmpeg: self.facts.ffmpeg.clone(),
            devices,
            inventory: held,
        };
        writer.send(&FromAgent::Hello(Box::new(hello))).await?;
        let welcome = timeout(WELCOME_TIMEOUT, reader.next()).await.map_err(|_| WireError::TooSlow)??;
        let Some(welcome @ ToAgent::Welcome { .. }) = welcome else {
            wire::close(connection, Close::Protocol, "a welcome was expected");
            return Ok(Ended::Lost("the console said something else than welcome".into()));
        };
        if let ToAgent::Welcome { agent, .. } = &welcome {
            tracing::info!(%agent, %address, "connected");
        }
        let (outbox, messages) = mpsc::channel(OUTBOX_MAX);
        if self.calls.send(Call::Up { welcome, address, outbox }).await.is_err() {
            return Ok(gone());
        }
        self.pump(connection, reader, writer, messages).await
    }

    /// Until one side ends. The supervisor dropping the outbox means: all is said.
    async fn pump(
        &self,
        connection: &Connection,
        mut reader: FrameReader<ToAgent>,
        mut writer: FrameWriter,
        mut messages: mpsc::Receiver<FromAgent>,
    ) -> Result<Ended, WireError> {
        let read = async {
            while let Some(message) = reader.next().await? {
                if self.calls.send(Call::Said(message)).await.is_err() {
                    // The supervisor has ended; the writer says goodbye.
                    return std::future::pending().await;
                }
            }
            Ok::<_, WireError>(Ended::Lost("the console ended the session".into()))
        };
        let write = async {
            while let Some(message) = messages.recv().await {
                let sent = writer.send(&message).await;
                match &message {
                    FromAgent::AskCommit(..) => failpoint("grant-asked"),
                    FromAgent::Report(_) => failpoint("reported"),
                    FromAgent::Hello(_)
                    | FromAgent::Heartbeat(_)
                    | FromAgent::Progress(_)
                    | FromAgent::Proof(..)
                    | FromAgent::Log(..)
                    | FromAgent::SelfTested(..)
                    | FromAgent::Facts(_)
                    | FromAgent::OwnLog(_)
                    | FromAgent::Devices(_)
                    | FromAgent::Draining => {}
                }
                match sent {
                    // What cannot be put into a frame is no fault of the session.
                    Err(WireError::Frame(error)) => tracing::error!("a message was left out: {error}"),
                    sent => sent?,
                }
            }
            writer.finish();
            // A close overtakes what was sent. Who receives last closes: that is the console.
            let _ = timeout(GOODBYE_BOUND, connection.closed()).await;
            Ok::<_, WireError>(())
        };
        // The arm that loses is dropped for good, with everything that it held.
        tokio::select! {
            ended = read => ended,
            done = write => {
                done?;
                let (why, words) = if self.calls.is_closed() {
                    (Close::Shutdown, "the agent ends")
                } else {
                    (Close::TooSlow, "messages were not taken in time")
                };
                wire::close(connection, why, words);
                Ok(Ended::Lost(words.into()))
            }
        }
    }
}
