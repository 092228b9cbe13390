//! A sample of each document against its file in `golden/`: whoever reads them may rely on every key.

use std::path::PathBuf;

use serde_json::Value;
use vc_protocol::agent::{Command, CommandPhase, Metric, PassedOver, QualityFound};
use vc_protocol::device::{BoxFacts, DeviceUse, EncoderFacts, RateMode, TrialFacts};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, AttemptId, AttemptNo, DeviceId, JobId, TaskNo};
use vc_protocol::job::{JobState, Priority};
use vc_protocol::media::{Colour, Hdr, Mastering, Media, Stream, StreamKind};
use vc_protocol::operator::*;
use vc_protocol::path::FilePath;
use vc_protocol::progress::{Phase, Progress};

use super::*;
use crate::cli::watch::Waiting;

/// When the samples were taken: 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000_000;

/// Set, the files are written anew; keys that went are refused even then.
const UPDATE: &str = "VC_UPDATE_GOLDEN";

#[track_caller]
fn check(name: &str, document: &Value) {
    assert_eq!(document["v"], 1, "{name} says its version");
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cli/json/golden").join(format!("{name}.json"));
    let now = serde_json::to_string_pretty(document).unwrap() + "\n";
    if let Ok(before) = std::fs::read_to_string(&file) {
        assert_only_added(name, &serde_json::from_str(&before).unwrap(), document);
        if before == now {
            return;
        }
    }
    assert!(
        std::env::var_os(UPDATE).is_some(),
        "{name} is not as {file:?} has it: set {UPDATE}=1 to write it\n{now}"
    );
    std::fs::write(&file, now).unwrap();
}

/// Every key is still there, and a value still of its kind.
#[track_caller]
fn assert_only_added(at: &str, before: &Value, now: &Value) {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    assert!(before.is_null() || kind(before) == kind(now), "{at} was {}, and is {}", kind(before), kind(now));
    if let (Value::Object(before), Value::Object(now)) = (before, now) {
        for (key, value) in before {
            let found = now.get(key).unwrap_or_else(|| panic!("{at}.{key} is gone"));
            assert_only_added(&format!("{at}.{key}"), value, found);
        }
    }
    if let (Value::Array(before), Value::Array(now)) = (before, now) {
        before.iter().zip(now).for_each(|(before, now)| assert_only_added(&format!("{at}[]"), before, now));
    }
}

#[test]
fn a_key_that_goes_or_changes_its_kind_is_found() {
    let before = serde_json::json!({ "a": [{ "b": 1 }], "c": null });
    assert_only_added("x", &before, &serde_json::json!({ "a": [{ "b": 2, "more": 1 }], "c": "set", "d": 1 }));
    for after in [serde_json::json!({ "a": [{}], "c": null }), serde_json::json!({ "a": "text", "c": null })]
    {
        assert!(std::panic::catch_unwind(|| assert_only_added("x", &before, &after)).is_err(), "{after}");
    }
}

fn at(phase: Phase) -> Progress {
    Progress {
        phase,
        permille: 640,
        frames: 46_211,
        fps: 512.0,
        speed: 21.25,
        out_bytes: 812_000_000,
        out_ms: 1_926_000,
        eta_s: Some(51),
    }
}

fn job_row(id: u64, state: JobState) -> JobRow {
    let running = state == JobState::Running;
    let failed = state == JobState::Failed;
    JobRow {
        id: JobId(id),
        state,
        unsure: false,
        priority: Priority(5),
        source: FilePath(b"tv/ep_\xff01.mkv".to_vec()),
        profile: "hevc-quality".into(),
        place: "ada/gpu0".into(),
        retries: 1,
        retries_max: 3,
        created_ms: NOW - 60_000,
        updated_ms: NOW,
        not_before_ms: Some(NOW + 15_000),
        progress: running.then(|| at(Phase::Encoding)),
        bytes_in: 3_100_000_000,
        bytes_out: 0,
        cause: if failed { "moov atom not found".into() } else { String::new() },
        class: failed.then_some(FailureClass::Source),
    }
}

fn job_detail() -> JobDetail {
    let stream = Stream {
        index: 0,
        kind: StreamKind::Video,
        codec: "h264".into(),
        language: Some("eng".into()),
        width: 1920,
        height: 1080,
        pixel_format: "yuv420p".into(),
        fps: 23.976,
        is_vfr: false,
        frames: Some(72_192),
        duration_ms: Some(3_011_000),
        rotation: 0,
        dispositions: vec!["default".to_owned()],
        colour: Colour { transfer: "smpte2084".into(), range: "tv".into(), ..Colour::default() },
        hdr: Hdr {
            mastering: Some(Mastering { points: [(34_000, 16_000); 4], min: 50, max: 10_000_000 }),
            light: Some((980, 400)),
            ..Hdr::default()
        },
        pixel_aspect: Some((4, 3)),
        field_order: "progressive".into(),
        start_ms: Some(-21),
        ..Stream::default()
    };
    JobDetail {
        row: job_row(41_902, JobState::Running),
        source: "/srv/in/tv/ep_01.mkv".into(),
        output: "/srv/out/tv/ep_01.mkv".into(),
        created_ms: NOW - 60_000,
        encoder: "libx265".into(),
        seconds: 90.5,
        media_ms: 3_011_000,
        warnings: vec!["a subtitle track cannot be kept in mp4".into()],
        media: Some(Media {
            container: "matroska,webm".into(),
            duration_ms: Some(3_011_000),
            size: 3_100_000_000,
            streams: vec![stream],
            chapters: 12,
            ..Media::default()
        }),
        wanted: "HEVC 10 bit quality 24, audio copy".into(),
        next_encoders: vec!["libx264".into()],
        phases: vec![(Phase::Fetching, 3000), (Phase::Encoding, 90_000)],
        lease_ms: Some(2000),
        attempts: vec![AttemptView {
            task: TaskNo(0),
            no: 1,
            place: "ada/gpu0".into(),
            encoder: "libx265".into(),
            passed_over: vec![PassedOver {
                encoder: "hevc_vulkan".into(),
                cause: "failed its trial: no such queue".into(),
            }],
            quality: Some(QualityFound {
                metric: Metric::Vmaf,
                target: 95.0,
                quality: 23.5,
                predicted: 95.25,
                tried: vec![(20.0, 97.0), (28.0, 92.5)],
            }),
            started_ms: NOW - 30_000,
            ended_ms: Some(NOW),
            ended: "completed".into(),
            cause: String::new(),
            commands: vec![Command { phase: CommandPhase::Encode, argv: vec!["ffmpeg".into(), "-i".into()] }],
            log: "frame=46211\n".into(),
        }],
    }
}

fn agent_view() -> AgentView {
    let run = RunView {
        attempt: AttemptId { job: JobId(41_902), task: TaskNo(0), no: AttemptNo(1) },
        source: "tv/ep_01.mkv".into(),
        profile: "hevc-quality".into(),
        progress: at(Phase::Encoding),
        unsure: false,
    };
    let load = DeviceUse {
        encode: Some(970),
        decode: Some(410),
        memory: Some(6_100_000_000),
        memory_total: Some(24_000_000_000),
        celsius: Some(64),
        watts: Some(180),
    };
    let quarantined = DeviceState::Quarantined {
        why: "NVENC open failed".into(),
        until_ms: Some(NOW + 380_000),
        testing: false,
    };
    let device = |id, short: &str, state, runs| DeviceView {
        id: DeviceId(id),
        name: "RTX 4090".into(),
        short: short.into(),
        state,
        load,
        slots: 3,
        runs,
    };
    AgentView {
        id: AgentId(3),
        name: "ada".into(),
        state: AgentState::Ok,
        drained: true,
        empty_s: Some(390),
        gives_back_s: Some(108),
        cert_ends_ms: Some(NOW + 86_400_000),
        silent_ms: Some(1200),
        address: "10.0.0.21:4433".into(),
        rtt_us: Some(400),
        version: "0.1.0".into(),
        ffmpeg: "ffmpeg version 9.0".into(),
        devices: vec![
            device(0, "gpu0", DeviceState::Ok, vec![run]),
            device(1, "gpu1", quarantined, Vec::new()),
        ],
        unproven: vec!["/media: no such folder".into()],
        completed: 41_877,
        failed: 3,
    }
}

fn farm() -> Snapshot {
    Snapshot {
        farm: "studio-a".into(),
        listen: "10.0.0.5:4433".into(),
        up_ms: 273_600_000,
        now_ms: NOW,
        totals: FarmTotals {
            by_state: [18_208, 23, 41_877, 3, 1, 2, 4],
            to_retry: 4,
            unsure: 3,
            bytes_in: 19_800_000_000_000,
            bytes_out: 8_600_000_000_000,
            media_ms: 14_270_400_000,
            speed: 412.0,
            fps: 9871.0,
            permille: 697,
            eta_s: Some(34_800),
            eta_range_s: Some((29_400, 43_500)),
            output_free: Some(2_100_000_000_000),
            output_full_s: Some(345_600),
            ..FarmTotals::default()
        },
        agents: vec![agent_view()],
        needs: vec![Need {
            kind: "offline".into(),
            what: "dec".into(),
            text: "3 jobs go back to pending in 1:48 unless it returns".into(),
            agent: Some(AgentId(4)),
            jobs: vec![JobId(41_899)],
        }],
        halted: Some("no space left".into()),
        paused: Some(Paused { who: "ana".into(), why: "all devices fail alike".into(), since_ms: NOW }),
        ..Snapshot::default()
    }
}

#[test]
fn documents_about_jobs_keep_their_keys() {
    check("job_row", &line(row(&job_row(41_902, JobState::Running))));
    check("job_row_failed", &line(row(&job_row(41_877, JobState::Failed))));
    check("job", &line(detail(&job_detail())));
    check("convert_job", &line(converted(&job_detail())));
    let left = vec![(JobId(7), "it is completed already".into())];
    check("acted", &acted(&Acted { done: vec![JobId(5)], count: 1, left }));
    let devices = vec![("ada/gpu0".into(), "draining".into())];
    check("why", &why(&Why { answer: "no device takes it".into(), devices }));
    let mut waiting = Waiting::default();
    for (id, state) in [(1, JobState::Completed), (2, JobState::Failed), (3, JobState::Running)] {
        waiting.know(JobId(id), state);
    }
    check("wait", &waited(&waiting));
    let counts = ScanCounts { seen: 9, added: 3, unchanged: 2, ignored: 1, clashed: 1, unreadable: 2 };
    let jobs = [(JobId(4), JobId(6))];
    check("add", &added(counts, &["a.mkv: clashes".to_owned()], &jobs, Some(&waiting)));
}

#[test]
fn documents_about_the_farm_keep_their_keys() {
    check("status", &status(&farm()));
    check("agent", &line(agent(&agent_view())));
    let host = BoxFacts {
        system: "Linux 6.12".into(),
        cores: 32,
        load: Some(610),
        memory: Some(41_000_000_000),
        memory_total: Some(256_000_000_000),
        up_s: Some(1_036_800),
        ..BoxFacts::default()
    };
    let device = DeviceDetail {
        id: DeviceId(0),
        facts: vec![("driver".into(), "570.1".into())],
        encoders: vec![EncoderFacts {
            name: "hevc_nvenc".into(),
            problem: "no session".into(),
            fps: Some(512.0),
            trials: vec![TrialFacts {
                bits: 10,
                rate: RateMode::Quality,
                problem: "no session".into(),
                fps: Some(512.0),
                psnr_db: Some(46.5),
            }],
        }],
        encode_history: vec![970],
        decode_history: vec![410],
        learned: "2 of 3: the driver refuses a third".into(),
    };
    let detail = AgentDetail {
        view: agent_view(),
        host: Some(host),
        clock_ms: Some(12),
        lost_permille: Some(1),
        cert_serial: "0a1b".into(),
        devices: vec![device],
        log: "joined\n".into(),
    };
    check("agent_detail", &line(agent_detail(&detail)));
}

#[test]
fn documents_about_the_past_keep_their_keys() {
    let happened = EventView {
        no: 9,
        at_ms: NOW,
        kind: EventKind::Operator,
        text: "cancelled".into(),
        who: "ana".into(),
        agent: "ada".into(),
        job: Some(JobId(41)),
        file: "ep_01.mkv".into(),
    };
    check("event", &line(event(&happened)));
    let group = FailureGroup {
        cause: "moov atom not found".into(),
        class: Some(FailureClass::Source),
        open: 1,
        retry: 2,
        recovered: 3,
        place: "2 agents".into(),
        last_ms: NOW,
        example: "moov atom not found".into(),
        job: Some(JobId(41)),
        hint: "s3".into(),
        advice: "mend the source".into(),
    };
    check("failures", &failures(&Failures { groups: vec![group], open: 1, retry: 2, recovered: 3 }));
    let sums = Sums {
        completed: 41,
        failed: 1,
        skipped: 2,
        media_ms: 3_600_000,
        wall_ms: 1_800_000,
        bytes_in: 2_000,
        bytes_out: 1_000,
    };
    let named = |name: &str| vec![(name.to_owned(), sums)];
    let stats_now = Stats {
        days: vec![(20_779, sums)],
        profiles: named("hevc-quality"),
        agents: named("ada"),
        all: sums,
    };
    check("stats", &stats(&stats_now));
}
