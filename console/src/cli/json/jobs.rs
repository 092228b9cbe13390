//! Jobs: rows, details, and what became of commands on them.

use serde_json::{Map, Value, json};
use vc_protocol::agent::Command;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::media::Media;
use vc_protocol::operator::{Acted, AttemptView, JobDetail, JobRow, ScanCounts, Why};
use vc_protocol::progress::Progress;

use super::{fraction, path, seconds, some};
use crate::cli::size::rfc3339;
use crate::cli::watch::Waiting;

/// Commands as `[{"phase","argv"}]`.
fn commands(commands: &[Command]) -> Value {
    let one = |c: &Command| json!({ "phase": c.phase, "argv": c.argv.iter().map(path).collect::<Vec<_>>() });
    commands.iter().map(one).collect()
}

/// Where an attempt stands.
pub(super) fn progress(p: Progress) -> Value {
    json!({
        "phase": p.phase,
        "fraction": fraction(p.permille),
        "frames": p.frames,
        "fps": p.fps,
        "speed": p.speed,
        "bytes_out": p.out_bytes,
        "media_seconds_out": seconds(p.out_ms),
        "eta_seconds": p.eta_s,
    })
}

/// A row of the job table.
pub(in crate::cli) fn row(row: &JobRow) -> Value {
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
        "progress": row.progress.map(progress),
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
        "class": row.class,
        "cause": some(&row.cause),
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
pub(in crate::cli) fn detail(detail: &JobDetail) -> Value {
    let mut value = row(&detail.row);
    value["source"] = path(&detail.source);
    value["output"] = path(&detail.output);
    value["created"] = Value::from(rfc3339(detail.created_ms));
    value["encoder"] = Value::from(detail.encoder.as_str());
    value["seconds"] = Value::from(detail.seconds);
    value["media_seconds"] = Value::from(seconds(detail.media_ms));
    value["media"] = detail.media.as_ref().map_or(Value::Null, media);
    value["wanted"] = json!(some(&detail.wanted));
    value["next_encoders"] = json!(detail.next_encoders);
    let phases = detail.phases.iter().map(|(phase, ms)| json!({ "phase": phase, "seconds": seconds(*ms) }));
    value["phases"] = phases.collect();
    value["lease_seconds_ago"] = json!(detail.lease_ms.map(seconds));
    value["warnings"] = Value::from(detail.warnings.clone());
    value["attempts"] = detail.attempts.iter().map(attempt).collect();
    value
}

fn media(media: &Media) -> Value {
    let streams = media.streams.iter().map(|s| {
        json!({
            "index": s.index,
            "kind": s.kind,
            "codec": some(&s.codec),
            "language": s.language,
            "width": (s.width > 0).then_some(s.width),
            "height": (s.height > 0).then_some(s.height),
            "pixel_format": some(&s.pixel_format),
            "fps": (s.fps > 0.0).then_some(s.fps),
            "frames": s.frames,
            "seconds": s.duration_ms.map(seconds),
            "channels": (s.channels > 0).then_some(s.channels),
        })
    });
    json!({
        "container": media.container,
        "seconds": media.duration_ms.map(seconds),
        "bytes": media.size,
        "chapters": media.chapters,
        "streams": streams.collect::<Vec<_>>(),
    })
}

/// A job of `convert --json`.
pub(in crate::cli) fn converted(detail: &JobDetail) -> Value {
    json!({
        "id": detail.row.id,
        "source": path(&detail.source),
        "output": path(&detail.output),
        "state": detail.row.state,
        "class": detail.row.class,
        "cause": some(&detail.row.cause),
        "encoder": detail.encoder,
        "commands": detail.attempts.first().map_or_else(|| json!([]), |a| commands(&a.commands)),
        "seconds": detail.seconds,
        "bytes_in": detail.row.bytes_in,
        "bytes_out": detail.row.bytes_out,
        "warnings": detail.warnings,
    })
}

/// What something was done to.
pub(in crate::cli) fn acted(acted: &Acted) -> Value {
    let left = acted.left.iter().map(|(id, why)| json!({ "id": id, "reason": why }));
    json!({ "v": 1, "count": acted.count, "done": acted.done, "left": left.collect::<Vec<_>>() })
}

/// Why a job does not run.
pub(in crate::cli) fn why(why: &Why) -> Value {
    let devices = why.devices.iter().map(|(device, reason)| json!({ "device": device, "reason": reason }));
    json!({ "v": 1, "answer": why.answer, "devices": devices.collect::<Vec<_>>() })
}

/// What became of jobs that were waited for.
pub(in crate::cli) fn waited(waiting: &Waiting) -> Value {
    let count = |state: &JobState| (state.word().to_owned(), Value::from(waiting.count(*state)));
    let counts: Map<_, _> = JobState::ALL.iter().filter(|state| !is_open(**state)).map(count).collect();
    let jobs = waiting.ended().iter().map(|(id, state)| json!({ "id": id, "state": state }));
    json!({ "v": 1, "open": waiting.open(), "counts": counts, "jobs": jobs.collect::<Vec<_>>() })
}

fn is_open(state: JobState) -> bool {
    matches!(state, JobState::Pending | JobState::Running)
}

/// Result of add, and of the wait after it.
pub(in crate::cli) fn added(
    counts: ScanCounts,
    problems: &[String],
    jobs: &[(JobId, JobId)],
    ended: Option<&Waiting>,
) -> Value {
    json!({
        "v": 1,
        "seen": counts.seen,
        "added": counts.added,
        "unchanged": counts.unchanged,
        "ignored": counts.ignored,
        "clashed": counts.clashed,
        "unreadable": counts.unreadable,
        "problems": problems,
        "jobs": jobs.iter().map(|(first, last)| json!({ "first": first, "last": last })).collect::<Vec<_>>(),
        "waited": ended.map(waited),
    })
}
