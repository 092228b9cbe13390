//! The real programs, as people and faults meet them. Each module is a kind of promise; the harness is the library of
//! this crate.

#![expect(clippy::unwrap_used, reason = "a helper of tests reports as a test does, by a panic")]

mod bad_input;
mod budgets;
mod convert;
mod devices;
mod encoders;
mod farm;
mod faults;
mod generated;
mod operate;
mod orders;
mod pty;
mod remote;
mod renewal;
mod tidy;
mod verbs;
mod vulkan;

use serde_json::Value;
use std::path::Path;

/// Numbers of a totals or counts object that must be there.
#[track_caller]
fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no number `{key}` in {value}"))
}

/// The job of that source in the document of `convert --json`, or in a list of rows.
#[track_caller]
fn job_of<'a>(jobs: &'a Value, name: &str) -> &'a Value {
    let jobs = jobs.as_array().unwrap_or_else(|| panic!("a list of jobs: {jobs}"));
    let fits = |job: &&Value| job["source"].as_str().is_some_and(|path| path.ends_with(name));
    jobs.iter().find(fits).unwrap_or_else(|| panic!("no job of {name} in {jobs:?}"))
}

/// Nothing of a part file is left below an output folder.
#[track_caller]
fn assert_no_parts(out: &Path) {
    let left: Vec<_> = vc_tests::media::files_below(out)
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(".part") || path.starts_with(".vc-tmp"))
        .collect();
    assert!(left.is_empty(), "left behind in {}: {left:?}", out.display());
}
