//! Jobs: rows, details, and what became of commands on them.

use serde_json::{Map, Value, json};
use vc_protocol::agent::{Command, PassedOver, QualityFound};
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::media::{Colour, Hdr, Media, Stream};
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
        "passed_over": passed_over(&attempt.passed_over),
        "quality": attempt.quality.as_ref().map(quality),
        "started": rfc3339(attempt.started_ms),
        "ended": attempt.ended_ms.map(rfc3339),
        "result": attempt.ended,
        "cause": attempt.cause,
        "commands": commands(&attempt.commands),
        "log": attempt.log,
    })
}

/// Encoders that were not used, as `[{"encoder","cause"}]`.
fn passed_over(encoders: &[PassedOver]) -> Value {
    encoders.iter().map(|passed| json!({ "encoder": passed.encoder, "cause": passed.cause })).collect()
}

/// A quality that was measured for.
fn quality(found: &QualityFound) -> Value {
    let tried = found.tried.iter().map(|(quality, score)| json!({ "quality": quality, "score": score }));
    json!({
        "metric": found.metric,
        "target": found.target,
        "quality": found.quality,
        "predicted": found.predicted,
        "tried": tried.collect::<Vec<_>>(),
    })
}

/// Everything about a job.
pub(in crate::cli) fn detail(detail: &JobDetail) -> Value {
    let mut value = row(&detail.row);
    value["source"] = path(&detail.source);
    value["output"] = path(&detail.output);
    value["created"] = Value::from(rfc3339(detail.created_ms));
    value["encoder"] = Value::from(detail.encoder.as_str());
    let encoded = detail.encoded();
    value["passed_over"] = passed_over(encoded.map_or(&[], |attempt| attempt.passed_over.as_slice()));
    value["quality"] = encoded.and_then(|attempt| attempt.quality.as_ref()).map_or(Value::Null, quality);
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
    json!({
        "container": media.container,
        "title": media.title,
        "seconds": media.duration_ms.map(seconds),
        "start_seconds": media.start_ms.map(signed_seconds),
        "bytes": media.size,
        "chapters": media.chapters,
        "streams": media.streams.iter().map(stream).collect::<Vec<_>>(),
    })
}

/// Milliseconds before or after zero, as seconds.
fn signed_seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn stream(s: &Stream) -> Value {
    json!({
        "index": s.index,
        "kind": s.kind,
        "codec": some(&s.codec),
        "language": s.language,
        "title": s.title,
        "dispositions": s.dispositions,
        "width": (s.width > 0).then_some(s.width),
        "height": (s.height > 0).then_some(s.height),
        "pixel_format": some(&s.pixel_format),
        "pixel_aspect": s.pixel_aspect,
        "field_order": some(&s.field_order),
        "colour": colour(&s.colour),
        "hdr": hdr(s),
        "rotation": s.rotation,
        "fps": (s.fps > 0.0).then_some(s.fps),
        "variable_rate": s.is_vfr,
        "frames": s.frames,
        "seconds": s.duration_ms.map(seconds),
        "start_seconds": s.start_ms.map(signed_seconds),
        "timecode": s.timecode,
        "channels": (s.channels > 0).then_some(s.channels),
        "channel_layout": some(&s.channel_layout),
        "sample_rate": (s.sample_rate > 0).then_some(s.sample_rate),
    })
}

/// What a picture's numbers mean; null if nothing is known.
fn colour(colour: &Colour) -> Value {
    if *colour == Colour::default() {
        return Value::Null;
    }
    json!({
        "primaries": some(&colour.primaries),
        "transfer": some(&colour.transfer),
        "matrix": some(&colour.matrix),
        "range": some(&colour.range),
        "chroma": some(&colour.chroma),
    })
}

/// High dynamic range in the units of people; null if there is none.
fn hdr(stream: &Stream) -> Value {
    let Some(name) = stream.hdr_name() else { return Value::Null };
    let Hdr { mastering, light, dolby_vision, has_hdr10_plus } = &stream.hdr;
    let point = |(x, y): (u16, u16)| [f64::from(x) / 50_000.0, f64::from(y) / 50_000.0];
    json!({
        "name": name,
        "mastering": mastering.map(|screen| json!({
            "red": point(screen.points[0]),
            "green": point(screen.points[1]),
            "blue": point(screen.points[2]),
            "white": point(screen.points[3]),
            "min_nits": f64::from(screen.min) / 10_000.0,
            "max_nits": f64::from(screen.max) / 10_000.0,
        })),
        "max_cll": light.map(|(brightest, _)| brightest),
        "max_fall": light.map(|(_, average)| average),
        "dolby_vision": dolby_vision,
        "hdr10_plus": has_hdr10_plus,
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
