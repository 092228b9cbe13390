//! The farm, its agents and their devices.

use serde_json::{Map, Value, json};
use vc_protocol::device::{BoxFacts, TrialFacts};
use vc_protocol::job::JobState;
use vc_protocol::operator::{
    AgentDetail, AgentView, DeviceDetail, DeviceState, DeviceView, Need, RunView, Snapshot,
};

use super::{fraction, jobs, path, seconds, some};
use crate::cli::size::rfc3339;

/// The farm.
pub(in crate::cli) fn status(s: &Snapshot) -> Value {
    let t = &s.totals;
    let by_state: Map<_, _> = JobState::ALL
        .iter()
        .zip(t.by_state)
        .map(|(state, n)| (state.word().to_owned(), Value::from(n)))
        .collect();
    let paused = s.paused.as_ref().map(|paused| {
        json!({ "who": some(&paused.who), "why": some(&paused.why), "since": rfc3339(paused.since_ms) })
    });
    json!({
        "v": 1,
        "farm": s.farm,
        "listen": s.listen,
        "up_seconds": seconds(s.up_ms),
        "now": rfc3339(s.now_ms),
        "halted": s.halted,
        "paused": paused,
        "jobs": by_state,
        "to_retry": t.to_retry,
        "unsure": t.unsure,
        "fraction": fraction(t.permille),
        "eta_seconds": t.eta_s,
        "eta_seconds_min": t.eta_range_s.map(|(least, _)| least),
        "eta_seconds_max": t.eta_range_s.map(|(_, most)| most),
        "speed": t.speed,
        "fps": t.fps,
        "bytes_in": t.bytes_in,
        "bytes_out": t.bytes_out,
        "media_seconds": seconds(t.media_ms),
        "output_free_bytes": t.output_free,
        "output_full_seconds": t.output_full_s,
        "agents": s.agents.iter().map(agent).collect::<Vec<_>>(),
        "needs": s.needs.iter().map(need).collect::<Vec<_>>(),
    })
}

/// Something that a person should look at.
pub(in crate::cli) fn need(n: &Need) -> Value {
    json!({ "kind": n.kind, "what": n.what, "text": n.text, "agent": n.agent, "jobs": n.jobs })
}

/// An agent.
pub(in crate::cli) fn agent(a: &AgentView) -> Value {
    json!({
        "id": a.id,
        "name": a.name,
        "state": a.state,
        "drained": a.drained,
        "empty_seconds": a.empty_s,
        "gives_back_seconds": a.gives_back_s,
        "silent_seconds": a.silent_ms.map(seconds),
        "cert_ends": a.cert_ends_ms.map(rfc3339),
        "address": a.address,
        "rtt_ms": a.rtt_us.map(|us| us as f64 / 1000.0),
        "version": a.version,
        "ffmpeg": a.ffmpeg,
        "unproven": a.unproven,
        "completed": a.completed,
        "failed": a.failed,
        "devices": a.devices.iter().map(device).collect::<Vec<_>>(),
    })
}

fn device(d: &DeviceView) -> Value {
    let (state, why, until_ms) = match &d.state {
        DeviceState::Ok => ("ok", None, None),
        DeviceState::Draining => ("draining", None, None),
        DeviceState::Quarantined { testing: true, why, until_ms } => ("testing", some(why), *until_ms),
        DeviceState::Quarantined { testing: false, why, until_ms } => ("quarantined", some(why), *until_ms),
    };
    json!({
        "id": d.id,
        "name": d.name,
        "short": some(&d.short),
        "state": state,
        "why": why,
        "until": until_ms.map(rfc3339),
        "encode_fraction": d.load.encode.map(fraction),
        "decode_fraction": d.load.decode.map(fraction),
        "memory_bytes": d.load.memory,
        "memory_total_bytes": d.load.memory_total,
        "celsius": d.load.celsius,
        "watts": d.load.watts,
        "slots": d.slots,
        "runs": d.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(r: &RunView) -> Value {
    let mut value = jobs::progress(r.progress);
    value["job"] = json!(r.attempt.job);
    value["attempt"] = json!(r.attempt.no);
    value["source"] = path(&r.source);
    value["profile"] = json!(r.profile);
    value["unsure"] = json!(r.unsure);
    value
}

/// Everything about an agent.
pub(in crate::cli) fn agent_detail(detail: &AgentDetail) -> Value {
    let mut value = agent(&detail.view);
    value["host"] = detail.host.as_ref().map_or(Value::Null, host);
    value["clock_ms"] = json!(detail.clock_ms);
    value["lost_fraction"] = json!(detail.lost_permille.map(fraction));
    value["cert_serial"] = json!(some(&detail.cert_serial));
    value["details"] = detail.devices.iter().map(device_detail).collect();
    value["log"] = json!(some(&detail.log));
    value
}

fn host(host: &BoxFacts) -> Value {
    json!({
        "system": some(&host.system),
        "cores": (host.cores > 0).then_some(host.cores),
        "load": host.load.map(|load| f64::from(load) / 100.0),
        "memory_bytes": host.memory,
        "memory_total_bytes": host.memory_total,
        "up_seconds": host.up_s,
    })
}

fn device_detail(d: &DeviceDetail) -> Value {
    let facts: Map<_, _> = d.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let encoders = d.encoders.iter().map(|encoder| {
        json!({
            "name": encoder.name,
            "problem": some(&encoder.problem),
            "fps": encoder.fps,
            "trials": encoder.trials.iter().map(trial).collect::<Vec<_>>(),
        })
    });
    json!({
        "id": d.id,
        "facts": facts,
        "encoders": encoders.collect::<Vec<_>>(),
        "learned": some(&d.learned),
    })
}

fn trial(t: &TrialFacts) -> Value {
    json!({
        "bits": t.bits,
        "rate": t.rate.word(),
        "problem": some(&t.problem),
        "fps": t.fps,
        "psnr_db": t.psnr_db.filter(|db| db.is_finite()),
        "lossless": t.psnr_db.is_some_and(f32::is_infinite),
    })
}
