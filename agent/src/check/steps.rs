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
    // The loop filter changes what is seen, not what can be read: without it a fifth of the time is saved.
    let mut describe = words("-v level+error -skip_loop_filter all -show_format -show_streams");
    describe.extend(words(if can_decode {
        "-show_frames -show_entries frame=stream_index,pts_time"
    } else {
        // Then at least what is there to decode: a file that is cut off lacks the packets of its end without a word.
        "-show_packets -show_entries packet=stream_index,pts_time"
    }));
    if !is_whole {
        describe.extend(["-read_intervals".into(), intervals(length_ms).into()]);
    }
    describe.extend(words("-of json=c=1 -protocol_whitelist file,pipe -i"));
    describe.push(file_url(output));
    let decode = (!can_decode).then(|| Invocation::new(&tools.ffmpeg, decode(output, length_ms, is_whole)));
    Steps { describe: Invocation::new(&tools.ffprobe, describe), decode, is_whole }
}

/// Packets are read a little past each second, since frames are stored in another order than they are shown in.
const REORDER_MS: u64 = 500;

/// The first, the middle and the last second, the latter two with what it takes to get there from a keyframe. A relative
/// end (`+1`) would count from that keyframe.
fn intervals(length_ms: u64) -> String {
    let (middle, last) = (length_ms / 2, length_ms.saturating_sub(1000));
    let first_end = seconds(1000 + REORDER_MS);
    format!("%+{first_end},{}%{},{}%", seconds(middle), seconds(middle + 1000 + REORDER_MS), seconds(last))
}

/// The same three parts, as three inputs of one ffmpeg.
fn decode(output: &Path, length_ms: u64, is_whole: bool) -> Vec<OsString> {
    let mut args = words("-nostdin -hide_banner -v level+error -nostats -progress pipe:1");
    let (middle, last) = (seconds(length_ms / 2), seconds(length_ms.saturating_sub(1000)));
    let parts = if is_whole {
        vec![String::new()]
    } else {
        vec!["-t 1 ".into(), format!("-ss {middle} -t 1 "), format!("-ss {last} ")]
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
