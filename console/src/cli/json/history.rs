//! What happened, what failed, and what the farm did.

use serde_json::{Value, json};
use vc_protocol::operator::{EventView, FailureGroup, Failures, Stats, Sums};

use super::{path, seconds, some};
use crate::cli::size::rfc3339;
use crate::cli::stats::day;

/// Something that happened.
pub(in crate::cli) fn event(e: &EventView) -> Value {
    json!({
        "no": e.no,
        "at": rfc3339(e.at_ms),
        "kind": e.kind,
        "text": e.text,
        "who": some(&e.who),
        "agent": some(&e.agent),
        "job": e.job,
        "file": (!e.file.0.is_empty()).then(|| path(&e.file)),
    })
}

/// Failures by cause.
pub(in crate::cli) fn failures(f: &Failures) -> Value {
    json!({
        "v": 1,
        "open": f.open,
        "to_retry": f.retry,
        "recovered": f.recovered,
        "groups": f.groups.iter().map(group).collect::<Vec<_>>(),
    })
}

fn group(g: &FailureGroup) -> Value {
    json!({
        "cause": g.cause,
        "class": g.class,
        "open": g.open,
        "to_retry": g.retry,
        "recovered": g.recovered,
        "where": some(&g.place),
        "last": rfc3339(g.last_ms),
        "example": some(&g.example),
        "job": g.job,
        "hint": some(&g.hint),
        "advice": some(&g.advice),
    })
}

/// What the farm did.
pub(in crate::cli) fn stats(s: &Stats) -> Value {
    let named = |key: &str, rows: &[(String, Sums)]| -> Value {
        rows.iter().map(|(name, sums)| with(key, json!(name), sums)).collect()
    };
    json!({
        "v": 1,
        "days": s.days.iter().map(|(number, sums)| with("day", json!(day(*number)), sums)).collect::<Vec<_>>(),
        "profiles": named("profile", &s.profiles),
        "agents": named("agent", &s.agents),
        "all": sums(&s.all),
    })
}

fn with(key: &str, value: Value, of: &Sums) -> Value {
    let mut object = sums(of);
    object[key] = value;
    object
}

fn sums(s: &Sums) -> Value {
    json!({
        "completed": s.completed,
        "failed": s.failed,
        "skipped": s.skipped,
        "media_seconds": seconds(s.media_ms),
        "wall_seconds": seconds(s.wall_ms),
        "bytes_in": s.bytes_in,
        "bytes_out": s.bytes_out,
    })
}
