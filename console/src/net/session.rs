//! One session with an agent: hellos, its first message, then messages both ways until the connection ends.
//!
//! Who speaks is what the TLS session proved; nothing in a message can say otherwise.

use quinn::Connection;
use tokio::sync::mpsc;
use vc_certs::wire::{self, FRAME_TIMEOUT, FrameReader, FrameWriter, WireError};
use vc_protocol::agent::{AgentHello, FromAgent, ToAgent};
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, SessionNo};

use super::limits::{self, OverLimit};
use super::{Context, PROGRAM};
use crate::engine::input::{EngineSender, Input, Opened, SessionLink};

/// Messages that wait for a slow agent: offers for all its slots and the answers to a full inventory. One that lets
/// more pile up loses its session and gets them again, as dispositions, with the next.
const QUEUE_LEN: usize = 4096;

/// Why a session ended before its connection did.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("its first message is not a hello")]
    NoHello,
    #[error("a second hello")]
    SecondHello,
    #[error("{0}")]
    OverLimit(#[from] OverLimit),
    #[error("it is not registered or was revoked")]
    Revoked,
    #[error("the console is going down")]
    EngineGone,
}

impl SessionError {
    fn close(&self) -> Close {
        match self {
            Self::Wire(e) => e.close(),
            Self::NoHello | Self::SecondHello | Self::OverLimit(_) => Close::Protocol,
            Self::Revoked => Close::Revoked,
            Self::EngineGone => Close::Shutdown,
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Wire(e) => e.told(),
            Self::NoHello | Self::SecondHello | Self::OverLimit(_) => self.to_string(),
            Self::Revoked | Self::EngineGone => self.close().words().to_owned(),
        }
    }
}

/// Runs the session to its end.
pub(super) async fn run(connection: Connection, agent: AgentId, context: &Context) {
    let from = connection.remote_address();
    match talk(&connection, agent, context).await {
        Ok(()) => tracing::info!(%agent, %from, "disconnected"),
        Err(SessionError::Wire(WireError::Ended(ended))) => {
            tracing::info!(%agent, %from, "disconnected: {}", ended.words());
        }
        Err(e) => {
            context.complaints.note(from, &format!("agent {agent}: {e}"));
            wire::close(&connection, e.close(), &e.told());
        }
    }
}

async fn talk(connection: &Connection, agent: AgentId, context: &Context) -> Result<(), SessionError> {
    let channel = wire::accept::<FromAgent>(connection, PROGRAM).await?;
    let mut reader = channel.reader;
    let hello = first_message(&mut reader).await?;
    let (queue, messages) = mpsc::channel(QUEUE_LEN);
    let link = SessionLink::new(queue, connection.clone());
    let session = open(connection, agent, hello, link, context).await?;
    let ended = pump(agent, session, reader, channel.writer, messages, &context.engine).await;
    // Closed before the engine hears of it: what it is told is so. After a goodbye we are the side that received last.
    match &ended {
        Ok(()) => wire::close(connection, Close::Done, ""),
        Err(e) => wire::close(connection, e.close(), &e.told()),
    }
    context.sessions.ended(agent, session);
    // An engine that is gone needs no news.
    let _ = context.engine.send(Input::Closed(agent, session)).await;
    ended
}

async fn first_message(reader: &mut FrameReader<FromAgent>) -> Result<AgentHello, SessionError> {
    let first =
        tokio::time::timeout(FRAME_TIMEOUT, reader.next()).await.map_err(|_| WireError::TooSlow)??;
    let Some(FromAgent::Hello(mut hello)) = first else { return Err(SessionError::NoHello) };
    limits::check_hello(&mut hello)?;
    Ok(*hello)
}

/// Makes this the agent's session and tells the engine.
async fn open(
    connection: &Connection,
    agent: AgentId,
    hello: AgentHello,
    link: SessionLink,
    context: &Context,
) -> Result<SessionNo, SessionError> {
    let _in_order = context.sessions.opening.lock().await;
    let session = context.sessions.open(agent, connection);
    // Asked after the session can be found and closed: a revocation since the handshake finds it, or is found here.
    let Some(name) = context.registry.active(agent).map(|member| member.name) else {
        context.sessions.ended(agent, session);
        return Err(SessionError::Revoked);
    };
    tracing::info!(%agent, name, from = %connection.remote_address(), version = hello.version, "connected");
    let address = connection.remote_address();
    let opened = Opened { agent, session, name, address, hello, link };
    if context.engine.send(Input::Opened(opened)).await.is_err() {
        context.sessions.ended(agent, session);
        return Err(SessionError::EngineGone);
    }
    Ok(session)
}

/// Carries messages both ways; ends with the first direction that does.
async fn pump(
    agent: AgentId,
    session: SessionNo,
    reader: FrameReader<FromAgent>,
    writer: FrameWriter,
    messages: mpsc::Receiver<ToAgent>,
    engine: &EngineSender,
) -> Result<(), SessionError> {
    // Neither is polled again once the other has ended, so neither needs to be cancel-safe.
    tokio::select! {
        heard = hear(agent, session, reader, engine) => heard,
        said = say(writer, messages) => said,
    }
}

async fn hear(
    agent: AgentId,
    session: SessionNo,
    mut reader: FrameReader<FromAgent>,
    engine: &EngineSender,
) -> Result<(), SessionError> {
    let mut unknown = 0;
    while let Some(mut message) = reader.next().await? {
        if matches!(message, FromAgent::Hello(_)) {
            return Err(SessionError::SecondHello);
        }
        limits::check(&mut message)?;
        // A full engine makes this agent wait: its stream fills up, and with it its own queue.
        let input = Input::FromAgent(agent, session, message);
        engine.send(input).await.map_err(|_| SessionError::EngineGone)?;
        if unknown != reader.unknown() {
            unknown = reader.unknown();
            tracing::debug!(%agent, unknown, "messages of unknown kinds were skipped");
        }
    }
    Ok(())
}

async fn say(mut writer: FrameWriter, mut messages: mpsc::Receiver<ToAgent>) -> Result<(), SessionError> {
    while let Some(message) = messages.recv().await {
        writer.send(&message).await?;
    }
    // The engine let go of its end: nothing more will be said.
    Ok(())
}
