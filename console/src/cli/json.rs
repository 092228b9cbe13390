//! The JSON documents, version 1: keys are only ever added. Times are RFC 3339 UTC, lengths seconds, sizes bytes.
//!
//! A name that is not UTF-8 is shown with `\xNN` for each odd byte; all others are exact.

use serde_json::{Value, json};
use vc_protocol::agent::Command;
use vc_protocol::job::JobState;
use vc_protocol::operator::{Acted, AgentView, AttemptView, JobDetail, JobRow, ScanCounts, Snapshot, Why};
use vc_protocol::path::FilePath;

use super::size::rfc3339;

/// A path as a JSON string.
pub(crate) fn path(path: &FilePath) -> Value {
    match std::str::from_utf8(&path.0) {
        Ok(text) => Value::from(text),
        Err(_) => Value::from(path.shown()),
    }
}

/// Commands as `[{"phase","argv"}]`.
pub(crate) fn commands(commands: &[Command]) -> Value {
    let one = |c: &Command| json!({ "phase": c.phase, "argv": c.argv.iter().map(path).collect::<Vec<_>>() });
    commands.iter().map(one).collect()
}

/// A row of the job table.
pub(crate) fn row(row: &JobRow) -> Value {
    json!({
        "id": row.id,
        "state": row.state,
        "unsure": row.unsure,
        "priority": row.priority,
        "source": path(&row.source),
        "profile": row.profile,
        "where": row.place,
        "retries": row.retries,
        "retries_max": row.retries_max,
        "updated": rfc3339(row.updated_ms),
        "not_before": row.not_before_ms.map(rfc3339),
        "progress": row.progress.map(|p| json!({
            "phase": p.phase,
            "fraction": f64::from(p.permille) / 1000.0,
            "frames": p.frames,
            "fps": p.fps,
            "speed": p.speed,
            "bytes_out": p.out_bytes,
            "eta_seconds": p.eta_s,
        })),
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
        "class": row.class,
        "cause": (!row.cause.is_empty()).then_some(&row.cause),
    })
}

fn attempt(attempt: &AttemptView) -> Value {
    json!({
        "task": attempt.task,
        "attempt": attempt.no,
        "where": attempt.place,
        "encoder": attempt.encoder,
        "started": rfc3339(attempt.started_ms),
        "ended": attempt.ended_ms.map(rfc3339),
        "result": attempt.ended,
        "cause": attempt.cause,
        "commands": commands(&attempt.commands),
        "log": attempt.log,
    })
}

/// Everything about a job.
pub(crate) fn detail(detail: &JobDetail) -> Value {
    let mut value = row(&detail.row);
    value["source"] = path(&detail.source);
    value["output"] = path(&detail.output);
    value["created"] = Value::from(rfc3339(detail.created_ms));
    value["encoder"] = Value::from(detail.encoder.as_str());
    value["seconds"] = Value::from(detail.seconds);
    value["media_seconds"] = Value::from(detail.media_ms as f64 / 1000.0);
    value["warnings"] = Value::from(detail.warnings.clone());
    value["attempts"] = detail.attempts.iter().map(attempt).collect();
    value
}

/// A job of `convert --json`.
pub(crate) fn converted(detail: &JobDetail) -> Value {
    json!({
        "id": detail.row.id,
        "source": path(&detail.source),
        "output": path(&detail.output),
        "state": detail.row.state,
        "class": detail.row.class,
        "cause": (!detail.row.cause.is_empty()).then_some(&detail.row.cause),
        "encoder": detail.encoder,
        "commands": detail.attempts.first().map_or_else(|| json!([]), |a| commands(&a.commands)),
        "seconds": detail.seconds,
        "bytes_in": detail.row.bytes_in,
        "bytes_out": detail.row.bytes_out,
        "warnings": detail.warnings,
    })
}

/// The farm.
pub(crate) fn status(s: &Snapshot) -> Value {
    let t = &s.totals;
    let by_state: serde_json::Map<_, _> = JobState::ALL
        .iter()
        .zip(t.by_state)
        .map(|(state, n)| (state.word().to_owned(), Value::from(n)))
        .collect();
    json!({
        "v": 1,
        "farm": s.farm,
        "listen": s.listen,
        "up_seconds": s.up_ms as f64 / 1000.0,
        "now": rfc3339(s.now_ms),
        "halted": s.halted,
        "jobs": by_state,
        "to_retry": t.to_retry,
        "unsure": t.unsure,
        "fraction": f64::from(t.permille) / 1000.0,
        "eta_seconds": t.eta_s,
        "speed": t.speed,
        "fps": t.fps,
        "bytes_in": t.bytes_in,
        "bytes_out": t.bytes_out,
        "media_seconds": t.media_ms as f64 / 1000.0,
        "output_free_bytes": t.output_free,
        "agents": s.agents.iter().map(agent).collect::<Vec<_>>(),
        "needs": s.needs.iter().map(|n| json!({ "kind": n.kind, "what": n.what, "text": n.text, "jobs": n.jobs })).collect::<Vec<_>>(),
    })
}

/// An agent.
pub(crate) fn agent(a: &AgentView) -> Value {
    let devices = a.devices.iter().map(|d| {
        let runs = d.runs.iter().map(|r| {
            json!({
                "job": r.attempt.job,
                "attempt": r.attempt.no,
                "source": path(&r.source),
                "profile": r.profile,
                "phase": r.progress.phase,
                "fraction": f64::from(r.progress.permille) / 1000.0,
                "fps": r.progress.fps,
                "speed": r.progress.speed,
                "unsure": r.unsure,
            })
        });
        json!({ "id": d.id, "name": d.name, "slots": d.slots, "runs": runs.collect::<Vec<_>>() })
    });
    json!({
        "id": a.id,
        "name": a.name,
        "state": a.state,
        "silent_seconds": a.silent_ms.map(|ms| ms as f64 / 1000.0),
        "address": a.address,
        "rtt_ms": a.rtt_us.map(|us| us as f64 / 1000.0),
        "version": a.version,
        "ffmpeg": a.ffmpeg,
        "unproven": a.unproven,
        "completed": a.completed,
        "failed": a.failed,
        "devices": devices.collect::<Vec<_>>(),
    })
}

/// Result of retry and cancel.
pub(crate) fn acted(acted: &Acted) -> Value {
    let left = acted.left.iter().map(|(id, why)| json!({ "id": id, "reason": why }));
    json!({ "v": 1, "done": acted.done, "left": left.collect::<Vec<_>>() })
}

/// Why a job does not run.
pub(crate) fn why(why: &Why) -> Value {
    let devices = why.devices.iter().map(|(device, reason)| json!({ "device": device, "reason": reason }));
    json!({ "v": 1, "answer": why.answer, "devices": devices.collect::<Vec<_>>() })
}

/// Result of add.
pub(crate) fn added(counts: ScanCounts, problems: &[String]) -> Value {
    json!({
        "v": 1,
        "seen": counts.seen,
        "added": counts.added,
        "unchanged": counts.unchanged,
        "ignored": counts.ignored,
        "clashed": counts.clashed,
        "unreadable": counts.unreadable,
        "problems": problems,
    })
}
