//! The JSON documents, version 1: keys are only ever added. Times are RFC 3339 UTC, lengths seconds, sizes bytes.
//!
//! What is not known is null, never a figure. A name that is not UTF-8 is shown with `\xNN` for each odd byte; all others
//! are exact. `golden/` holds a sample of each document.

mod farm;
mod history;
mod jobs;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Value, json};
use vc_protocol::path::FilePath;

pub(super) use farm::{agent, agent_detail, need, status};
pub(super) use history::{event, failures, stats};
pub(super) use jobs::{acted, added, converted, detail, row, waited, why};

/// A path as a JSON string.
fn path(path: &FilePath) -> Value {
    match std::str::from_utf8(&path.0) {
        Ok(text) => Value::from(text),
        Err(_) => Value::from(path.shown()),
    }
}

/// A text that may be absent.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Thousandths as a share of one.
fn fraction(permille: u16) -> f64 {
    f64::from(permille) / 1000.0
}

/// The word of a value that has one.
pub(super) fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// An object that stands alone: a document, or a line of a stream.
pub(super) fn line(mut object: Value) -> Value {
    object["v"] = json!(1);
    object
}
