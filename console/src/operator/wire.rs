//! Frames over a byte stream, for both ends of the operator socket.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use vc_protocol::codec::{self, OPERATOR_FRAME_BYTES_MAX as MAX};

fn invalid(error: codec::CodecError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Sends one value.
pub async fn send<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    let frame = codec::frame_within::<MAX, T>(value).map_err(invalid)?;
    stream.write_all(&frame).await
}

/// Receives one value; none at the end of the stream. Not cancel-safe: give it its own task or let it finish.
pub async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut body = vec![0; codec::frame_len_within::<MAX>(head).map_err(invalid)?];
    stream.read_exact(&mut body).await?;
    codec::decode_within::<MAX, T>(&body).map(Some).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::{COMMANDS_MAX, Command, CommandPhase, LOG_TAIL_BYTES_MAX};
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
        let attempt = |no| AttemptView {
            task: TaskNo(0),
            no,
            place: "ada/cpu".into(),
            encoder: "libx264".into(),
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
