//! What is printed to stdout.

use std::io::{self, Write};

use crate::status::{DeviceStatus, Status};

/// One line. A reader that has gone away is no error: it has seen what it wanted.
pub(super) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

pub(super) fn status(status: &Status, json: bool) {
    if json {
        line(&serde_json::to_string(status).unwrap_or_default());
    } else {
        for text in words(status) {
            line(&text);
        }
    }
}

fn words(status: &Status) -> Vec<String> {
    let who = format!("{} (agent {})", status.name, status.agent);
    let mut lines = vec![format!("vc-agent {}, process {}: {who}", status.version, status.pid)];
    let console = &status.console;
    let address = console.address.as_deref().unwrap_or("unknown");
    lines.push(match (console.connected, &console.problem) {
        (true, _) => format!("console: connected to {address}"),
        (false, Some(problem)) => format!("console: not connected: {problem}"),
        (false, None) => "console: connecting".into(),
    });
    for device in &status.devices {
        let DeviceStatus { id, name, slots, taken, codecs, note } = device;
        lines.push(format!("device {id}: {name}: {taken} of {slots} slots busy"));
        let makes: Vec<_> =
            codecs.iter().filter(|codec| codec.is_encoded()).map(|c| c.ffmpeg_name()).collect();
        let words = [makes.join(", "), note.clone()];
        let words: Vec<_> = words.into_iter().filter(|words| !words.is_empty()).collect();
        if !words.is_empty() {
            lines.push(format!("  {}", words.join("; ")));
        }
    }
    for a in &status.attempts {
        let (percent, fps, speed) = (a.fraction * 100.0, a.fps, a.speed);
        let attempt = &a.attempt;
        lines.push(format!("{attempt}  {}  {percent:.0}%  {fps:.0} fps  {speed:.1}x  {}", a.phase, a.source));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{AttemptStatus, ConsoleStatus};
    use vc_protocol::id::{AgentId, DeviceId};
    use vc_protocol::profile::VideoCodec;

    #[test]
    fn a_status_reads_as_sentences_and_survives_json() {
        let status = Status {
            v: 1,
            pid: 7,
            version: "0.1.0".into(),
            agent: AgentId(3),
            name: "ada".into(),
            console: ConsoleStatus { connected: false, address: None, problem: Some("no answer".into()) },
            devices: vec![
                DeviceStatus {
                    id: DeviceId(0),
                    name: "CPU, 2 cores".into(),
                    slots: 1,
                    taken: 1,
                    codecs: vec![VideoCodec::Copy, VideoCodec::H264, VideoCodec::Hevc],
                    note: String::new(),
                },
                DeviceStatus {
                    id: DeviceId(1),
                    name: "NVIDIA L4".into(),
                    slots: 0,
                    taken: 0,
                    codecs: Vec::new(),
                    note: "its encoders are being tried".into(),
                },
            ],
            attempts: vec![AttemptStatus {
                attempt: "12.0/1".into(),
                source: "a.mkv".into(),
                phase: "encoding".into(),
                fraction: 0.5,
                fps: 25.0,
                speed: 1.04,
            }],
        };
        assert_eq!(
            words(&status),
            [
                "vc-agent 0.1.0, process 7: ada (agent 3)",
                "console: not connected: no answer",
                "device 0: CPU, 2 cores: 1 of 1 slots busy",
                "  h264, hevc",
                "device 1: NVIDIA L4: 0 of 0 slots busy",
                "  its encoders are being tried",
                "12.0/1  encoding  50%  25 fps  1.0x  a.mkv",
            ]
        );
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    }
}
