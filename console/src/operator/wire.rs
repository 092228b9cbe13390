//! Hello and frames over a byte stream, for both ends of an operator's connection.
//!
//! The stream begins, each way, with a hello: its length (2 bytes, little endian) and its bytes
//! ([`vc_protocol::hello`]), as on every stream of the farm. After it come frames. Knows nothing of what they mean, nor
//! whether a socket or QUIC carries them.

use std::io;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use vc_protocol::codec::{self, OPERATOR_FRAME_BYTES_MAX as MAX};
use vc_protocol::hello::{HELLO_BYTES_MAX, Hello, HelloError};

/// Version told in every hello.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// A hello, or a frame that has begun, must be complete after this.
const FRAME_TIMEOUT: Duration = Duration::from_secs(10);
/// What is sent must be taken within this: longer than a hand on ctrl-s, short enough that those who never read hold
/// nothing for long.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Both directions of a connection, whatever carries them.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Why the two ends did not get to talk.
#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    /// The stream.
    #[error("exchange hellos")]
    Io(#[from] io::Error),
    /// What the other end said.
    #[error("{0}")]
    Hello(#[from] HelloError),
}

/// Says our hello and hears the other's, of which [`Hello::agree`] has succeeded.
pub async fn greet(stream: &mut impl Duplex) -> Result<Hello, GreetError> {
    let exchange = async {
        let ours = Hello::ours(PROGRAM).to_bytes();
        let mut bytes = (ours.len() as u16).to_le_bytes().to_vec();
        bytes.extend_from_slice(&ours);
        stream.write_all(&bytes).await?;
        let len = usize::from(stream.read_u16_le().await?);
        if len > HELLO_BYTES_MAX {
            return Err(HelloError::Malformed.into());
        }
        let mut theirs = vec![0; len];
        stream.read_exact(&mut theirs).await?;
        let hello = Hello::from_bytes(&theirs)?;
        hello.agree()?;
        Ok(hello)
    };
    timeout(FRAME_TIMEOUT, exchange).await.unwrap_or_else(|_| Err(too_slow().into()))
}

/// Sends one value.
pub async fn send<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    let frame = codec::frame_within::<MAX, T>(value).map_err(invalid)?;
    timeout(SEND_TIMEOUT, stream.write_all(&frame)).await.unwrap_or_else(|_| Err(too_slow()))
}

/// Receives one value; none at the end of the stream. Not cancel-safe: give it its own task or let it finish.
pub async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    receive_within(stream, MAX).await
}

/// [`receive`] with a smaller limit than [`MAX`].
pub async fn receive_within<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<Option<T>> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let len = codec::frame_len_within::<MAX>(head).map_err(invalid)?;
    if len > bytes_max {
        return Err(invalid(codec::CodecError::TooLong(len)));
    }
    let mut body = vec![0; len];
    timeout(FRAME_TIMEOUT, stream.read_exact(&mut body)).await.unwrap_or_else(|_| Err(too_slow()))?;
    codec::decode_within::<MAX, T>(&body).map(Some).map_err(invalid)
}

/// Ends when the other end does, or breaks its silence: whoever reads a stream of answers says nothing more.
pub async fn gone(stream: &mut (impl AsyncRead + Unpin)) {
    // Whatever comes of it, nothing more is to be heard.
    let _ = stream.read(&mut [0]).await;
}

fn invalid(error: codec::CodecError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the other end took too long")
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::{
        COMMANDS_MAX, Command, CommandPhase, LOG_TAIL_BYTES_MAX, PASSED_OVER_MAX, PassedOver,
    };
    use vc_protocol::id::{AgentId, AttemptId, AttemptNo, DeviceId, JobId, TaskNo};
    use vc_protocol::operator::{
        AddRequest, AgentState, AgentView, AttemptView, DeviceView, JobDetail, JobRow, Request, Response,
        RunView, Snapshot,
    };
    use vc_protocol::path::FilePath;
    use vc_protocol::progress::{Phase, Progress};

    use super::*;

    async fn survives<T: Serialize + DeserializeOwned + PartialEq>(value: T) {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        let (sent, received) = tokio::join!(send(&mut near, &value), receive::<T>(&mut far));
        assert!(sent.is_ok(), "{sent:?}");
        assert!(received.is_ok_and(|got| got.as_ref() == Some(&value)));
    }

    fn agent(id: u32) -> AgentView {
        let run = |no: u64| RunView {
            attempt: AttemptId { job: JobId(no), task: TaskNo(0), no: AttemptNo(1) },
            source: FilePath(vec![b's'; 120]),
            profile: "h264-mp4".into(),
            progress: Progress::start(Phase::Encoding),
            unsure: false,
        };
        let device = DeviceView {
            id: DeviceId(0),
            name: "CPU, 32 cores".into(),
            slots: 8,
            runs: (0..16).map(run).collect(),
            ..DeviceView::default()
        };
        AgentView {
            id: AgentId(id),
            name: format!("box-{id}"),
            state: AgentState::Ok,
            silent_ms: Some(1),
            address: "192.168.100.100:50000".into(),
            rtt_us: Some(300),
            version: "0.1.0".into(),
            ffmpeg: "ffmpeg version 8.0 Copyright (c) the FFmpeg developers".into(),
            devices: vec![device],
            unproven: Vec::new(),
            completed: 1,
            failed: 1,
            ..AgentView::default()
        }
    }

    #[tokio::test]
    async fn a_frame_over_the_limit_takes_no_memory() {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        let long = "x".repeat(2_000);
        let (sent, received) =
            tokio::join!(send(&mut near, &long), receive_within::<String>(&mut far, 1_000));
        assert!(sent.is_ok());
        assert_eq!(received.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn the_two_ends_know_each_others_version_before_the_first_frame() {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        let (one, other) = tokio::join!(greet(&mut near), greet(&mut far));
        assert_eq!((one.unwrap().program, other.unwrap().program), (PROGRAM.to_owned(), PROGRAM.to_owned()));
        let newer = Hello { min: 9, max: 9, program: "9.0".into(), features: Vec::new() }.to_bytes();
        let mut bytes = (newer.len() as u16).to_le_bytes().to_vec();
        bytes.extend_from_slice(&newer);
        near.write_all(&bytes).await.unwrap();
        assert!(matches!(greet(&mut far).await, Err(GreetError::Hello(HelloError::PeerTooNew { .. }))));
        near.write_all(b"\xff\xff").await.unwrap();
        assert!(matches!(greet(&mut far).await, Err(GreetError::Hello(HelloError::Malformed))));
    }

    #[tokio::test]
    async fn a_thousand_busy_agents_fit_a_frame() {
        let agents = (0..1_000).map(agent).collect();
        survives(Response::Snapshot(Box::new(Snapshot { agents, ..Snapshot::default() }))).await;
    }

    #[tokio::test]
    async fn as_many_paths_as_a_command_line_holds_fit_a_frame() {
        let path = FilePath(vec![b'p'; 200]);
        survives(Request::Add(AddRequest {
            paths: vec![path.clone(); 10_000],
            out: path,
            profile: "h264-mp4".into(),
            priority: vc_protocol::job::Priority::DEFAULT,
            depth: None,
            dry_run: false,
        }))
        .await;
    }

    #[tokio::test]
    async fn ten_chatty_attempts_fit_a_frame() {
        let argv = vec![FilePath(vec![b'a'; 4096]); 2];
        let passed = PassedOver { encoder: "e".repeat(64), cause: "c".repeat(400) };
        let attempt = |no| AttemptView {
            task: TaskNo(0),
            no,
            place: "ada/cpu".into(),
            encoder: "libx264".into(),
            passed_over: vec![passed.clone(); PASSED_OVER_MAX],
            quality: None,
            started_ms: 0,
            ended_ms: Some(1),
            ended: "job".into(),
            cause: "c".repeat(400),
            commands: vec![Command { phase: CommandPhase::Encode, argv: argv.clone() }; COMMANDS_MAX],
            log: "l".repeat(LOG_TAIL_BYTES_MAX),
        };
        let row = JobRow {
            id: JobId(1),
            state: vc_protocol::job::JobState::Failed,
            unsure: false,
            priority: vc_protocol::job::Priority::DEFAULT,
            source: "a.mp4".into(),
            profile: "h264-mp4".into(),
            place: String::new(),
            retries: 3,
            retries_max: 3,
            created_ms: 0,
            updated_ms: 0,
            not_before_ms: None,
            progress: None,
            bytes_in: 0,
            bytes_out: 0,
            cause: String::new(),
            class: None,
        };
        let detail = JobDetail {
            row,
            source: "/a.mp4".into(),
            output: "/o/a.mp4".into(),
            created_ms: 0,
            encoder: String::new(),
            seconds: 0.0,
            media_ms: 0,
            warnings: Vec::new(),
            media: None,
            wanted: String::new(),
            next_encoders: Vec::new(),
            phases: Vec::new(),
            lease_ms: None,
            attempts: (0..10).map(attempt).collect(),
        };
        survives(Response::Detail(Box::new(detail))).await;
    }
}
