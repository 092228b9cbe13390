//! What is run to check an output.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use vc_protocol::media::StreamKind;

use super::Facts;
use crate::ffmpeg::Tools;
use crate::plan::Plan;
use crate::probe::file_url;
use crate::process::{Invocation, Limits};

/// Outputs up to this long are decoded whole: with parts of three seconds and a keyframe before each, less would be
/// saved than a second seek costs.
const WHOLE_BELOW_MS: u64 = 6_000;
/// Longest time for one step: seconds of 8K on a busy box take a minute, a network disk may add more.
const STEP_MAX: Duration = Duration::from_secs(600);

/// The processes of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    /// Describes the output, and decodes it if `decode` is none.
    pub describe: Invocation,
    /// Decodes it, where ffprobe cannot.
    pub decode: Option<Invocation>,
    /// All of it is decoded, not three seconds.
    pub is_whole: bool,
}

/// Bounds of each step.
pub fn limits() -> Limits {
    Limits { total: Some(STEP_MAX), ..Limits::default() }
}

/// What to run for this output.
pub fn steps(tools: &Tools, plan: &Plan, facts: &Facts, output: &Path) -> Steps {
    let length_ms = facts.out_ms.or_else(|| plan.durations_ms.first().copied()).unwrap_or(0);
    let is_whole = length_ms < WHOLE_BELOW_MS;
    let mut pictures = plan.streams.iter().filter(|s| s.kind == StreamKind::Video);
    let can_decode = pictures.all(|s| tools.probe_decodes(&s.codec));
    let mut describe = words("-v level+error -show_format -show_streams");
    if can_decode {
        describe.extend(words("-show_frames -show_entries frame=stream_index"));
        if !is_whole {
            describe.extend(["-read_intervals".into(), intervals(length_ms).into()]);
        }
    }
    describe.extend(words("-of json=c=1 -protocol_whitelist file,pipe -i"));
    describe.push(file_url(output));
    let decode = (!can_decode).then(|| Invocation::new(&tools.ffmpeg, decode(output, length_ms, is_whole)));
    Steps { describe: Invocation::new(&tools.ffprobe, describe), decode, is_whole }
}

/// The first second, a second from the last keyframe before the middle on, and the last second with what it takes to get
/// there from its keyframe.
fn intervals(length_ms: u64) -> String {
    format!("%+1,{}%+1,{}%", seconds(length_ms / 2), seconds(length_ms.saturating_sub(1000)))
}

/// The same three parts, as three inputs of one ffmpeg.
fn decode(output: &Path, length_ms: u64, is_whole: bool) -> Vec<OsString> {
    let mut args = words("-nostdin -hide_banner -v level+error -nostats");
    let (middle, last) = (seconds(length_ms / 2), seconds(length_ms.saturating_sub(1000)));
    let parts = if is_whole {
        vec![String::new()]
    } else {
        vec!["-t 1 ".into(), format!("-noaccurate_seek -ss {middle} -t 1 "), format!("-ss {last} ")]
    };
    for part in &parts {
        args.extend(words(&format!("{part}-protocol_whitelist file,pipe -i")));
        args.push(file_url(output));
    }
    for n in 0..parts.len() {
        args.extend(words(&format!("-map {n}:V? -map {n}:a?")));
    }
    args.extend(words("-f null -"));
    args
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}
