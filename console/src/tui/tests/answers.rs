//! What a server answers of agents, failures and events.

use vc_protocol::device::{BoxFacts, EncoderFacts, RateMode, TrialFacts};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::operator::{
    AgentDetail, AgentState, DeviceDetail, DeviceState, DeviceUse, DeviceView, EventKind, EventView,
    FailureGroup, Failures, Snapshot,
};
use vc_protocol::progress::Phase;

use super::fixture::{NOON, agent, broken, progress, run};

const DAY_MS: i64 = 86_400_000;

/// The broken farm, with GPUs in the agent `fox`, one of them in quarantine.
pub(crate) fn sick() -> Snapshot {
    let mut farm = broken();
    let runs = vec![
        run(41921, "ep_0421.mkv", progress(Phase::Encoding, 380, 390.0, 16.2, 115)),
        run(41922, "wedding_2019_raw_master.mov", progress(Phase::Verifying, 990, 410.0, 17.1, 2)),
    ];
    let mut fox = agent(4, "fox", AgentState::Ok, 12, vec![]);
    fox.cert_ends_ms = Some(NOON + 29 * DAY_MS + 5000);
    fox.devices = vec![
        DeviceView {
            id: DeviceId(0),
            name: "cpu 32 cores".into(),
            short: "cpu".into(),
            load: DeviceUse { encode: Some(184), ..DeviceUse::default() },
            slots: 2,
            ..DeviceView::default()
        },
        DeviceView {
            id: DeviceId(1),
            name: "L40S".into(),
            short: "gpu0".into(),
            load: DeviceUse {
                encode: Some(912),
                decode: Some(660),
                memory: Some(31_200_000_000),
                memory_total: Some(48_300_000_000),
                celsius: Some(58),
                watts: Some(291),
            },
            slots: 12,
            runs,
            ..DeviceView::default()
        },
        DeviceView {
            id: DeviceId(2),
            name: "A4000".into(),
            short: "gpu1".into(),
            load: DeviceUse {
                encode: Some(0),
                decode: None,
                memory: Some(300_000_000),
                memory_total: Some(16_000_000_000),
                celsius: Some(41),
                watts: None,
            },
            state: DeviceState::Quarantined {
                why: "capacity, 3 in a row: \"OpenEncodeSessionEx failed: out of memory\"".into(),
                until_ms: Some(NOON + 380_000),
                testing: false,
            },
            slots: 3,
            ..DeviceView::default()
        },
    ];
    farm.agents.retain(|agent| agent.name != "fox");
    farm.agents.insert(3, fox);
    farm.agents[0].cert_ends_ms = Some(NOON + DAY_MS / 2);
    farm.agents[2].gives_back_s = Some(108);
    farm.agents[4].drained = true;
    farm
}

/// The processor of that agent.
const PROCESSOR: DeviceId = DeviceId(0);
/// Its card in quarantine.
const ILL_CARD: DeviceId = DeviceId(2);

fn card() -> Vec<(String, String)> {
    let facts = [
        ("PCI", "0000:41:00.0"),
        ("driver", "NVIDIA 550.54.14"),
        ("Vulkan", "1.3.277"),
        ("UUID", "d8b7c5a2-5c1f-5d0e-9a53-0a3b7c1e2f44"),
        ("decodes", "h264, hevc, av1"),
    ];
    facts.map(|(name, value)| (name.into(), value.into())).into()
}

fn trial(bits: u8, rate: RateMode, fps: f32, psnr_db: f32) -> TrialFacts {
    TrialFacts { bits, rate, problem: String::new(), fps: Some(fps), psnr_db: Some(psnr_db) }
}

fn card_encoders() -> Vec<EncoderFacts> {
    let refused = TrialFacts {
        problem: "no 10 bit encode".into(),
        fps: None,
        psnr_db: None,
        ..trial(10, RateMode::Bitrate, 0.0, 0.0)
    };
    let trials = vec![
        trial(8, RateMode::Quality, 412.0, 46.12),
        trial(8, RateMode::Bitrate, 398.0, 44.0),
        trial(10, RateMode::Quality, 201.0, 45.31),
        refused,
    ];
    vec![
        EncoderFacts { name: "hevc_vulkan".into(), fps: Some(412.0), trials, ..EncoderFacts::default() },
        EncoderFacts { name: "h264_nvenc".into(), ..EncoderFacts::default() },
        EncoderFacts {
            name: "av1_nvenc".into(),
            problem: "No capable devices found".into(),
            ..EncoderFacts::default()
        },
    ]
}

fn processor_encoders() -> Vec<EncoderFacts> {
    let exact = vec![trial(8, RateMode::Quality, 240.0, f32::INFINITY)];
    vec![EncoderFacts { name: "ffv1".into(), fps: Some(240.0), trials: exact, ..EncoderFacts::default() }]
}

/// All about one agent of that farm; nothing of its box where it is not connected.
pub(crate) fn agent_detail(farm: &Snapshot, id: AgentId) -> Option<AgentDetail> {
    let view = farm.agents.iter().find(|agent| agent.id == id)?.clone();
    let known = view.state != AgentState::Offline;
    let host = BoxFacts {
        system: "Linux 6.12".into(),
        cores: 32,
        load: Some(612),
        memory: Some(41_000_000_000),
        memory_total: Some(256_000_000_000),
        up_s: Some(12 * 86_400),
        ..BoxFacts::default()
    };
    let busy: Vec<u16> = (0..60).map(|at| 100 + at * 15).collect();
    let devices = view.devices.iter().map(|device| DeviceDetail {
        id: device.id,
        facts: if device.id == PROCESSOR { vec![] } else { card() },
        encoders: if device.id == PROCESSOR { processor_encoders() } else { card_encoders() },
        encode_history: if device.id == ILL_CARD { vec![800, 700, 0, 0, 0] } else { busy.clone() },
        decode_history: if device.id == DeviceId(1) { vec![660; 60] } else { vec![] },
        learned: if device.id == ILL_CARD {
            "3 of 5 offered: the driver refused a fourth".into()
        } else {
            String::new()
        },
    });
    Some(AgentDetail {
        host: known.then_some(host),
        clock_ms: known.then_some(12),
        lost_permille: known.then_some(3),
        cert_serial: "5f:21:9c".into(),
        devices: if known { devices.collect() } else { vec![] },
        log: if known {
            "12:03:58 gpu1 quarantined\n12:04:00 heartbeat \x1b[31mred\n".into()
        } else {
            String::new()
        },
        view,
    })
}

fn group(cause: &str, class: FailureClass, counts: (u64, u64, u64), place: &str, hint: &str) -> FailureGroup {
    FailureGroup {
        cause: cause.into(),
        class: Some(class),
        open: counts.0,
        retry: counts.1,
        recovered: counts.2,
        place: place.into(),
        last_ms: NOON - 1_200_000,
        example: String::new(),
        job: None,
        hint: hint.into(),
        advice: String::new(),
    }
}

pub(crate) fn failures() -> Failures {
    let mut short = group("output shorter than source", FailureClass::Source, (2, 0, 0), "2 devices", "v1");
    short.example = "source 50:11, output 47:58; hevc_vulkan, libx265 both end at 47:58, exit 0".into();
    short.job = Some(JobId(41877));
    short.advice = "Likely a damaged source near 47:58. Mend it: a changed file is a new job.".into();
    let mut moov = group("moov atom not found", FailureClass::Source, (1, 0, 0), "2 agents", "s3");
    moov.last_ms = NOON - 2 * DAY_MS;
    Failures {
        groups: vec![
            short,
            moov,
            group("NVENC open failed", FailureClass::Capacity, (0, 4, 198), "fox/gpu1", "c2"),
            group("agent lost", FailureClass::Infrastructure, (0, 0, 14), "dec", ""),
        ],
        open: 3,
        retry: 4,
        recovered: 212,
    }
}

/// So many events, newest first, the newest numbered `newest`.
pub(crate) fn events(newest: u64, count: u64) -> Vec<EventView> {
    let event = |no: u64| {
        let age = i64::try_from(newest - no).unwrap_or(0);
        let (kind, text, job) = match no % 4 {
            0 => (EventKind::Job, "completed on ada/gpu0, 20.9x", Some(JobId(41_000 + no))),
            1 => (EventKind::Agent, "connected", None),
            2 => (EventKind::Operator, "drain: nothing new goes there", None),
            _ => (EventKind::Farm, "job table compacted", None),
        };
        EventView {
            no,
            at_ms: NOON - 2000 - age * 45 * 60_000,
            kind,
            text: text.into(),
            who: if kind == EventKind::Operator { "ana".into() } else { String::new() },
            agent: if kind == EventKind::Farm { String::new() } else { "ada".into() },
            job,
            file: job.map(|id| format!("ep_{id}.mkv").as_str().into()).unwrap_or_default(),
        }
    };
    (0..count).filter_map(|age| newest.checked_sub(age)).filter(|no| *no > 0).map(event).collect()
}
