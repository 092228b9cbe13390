//! How an output is described and decoded.

use std::ffi::OsString;
use std::path::Path;

use vc_protocol::media::StreamKind;
use vc_protocol::profile::Verify;

use super::Facts;
use crate::ffmpeg::Tools;
use crate::plan::Plan;
use crate::probe::file_url;

/// Outputs up to this long are decoded whole: with parts of three seconds and a keyframe before each, less would be
/// saved than a second seek costs.
const WHOLE_BELOW_MS: u64 = 6_000;

/// How much is looked at, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    /// Length of the output as far as it is known before.
    pub(super) length_ms: u64,
    /// ffprobe lists all of it, not three seconds.
    pub(super) is_whole_listed: bool,
    /// All of it is decoded.
    pub(super) is_whole_decoded: bool,
    /// ffprobe decodes what it lists; else ffmpeg does it.
    pub(super) is_decoded_by_probe: bool,
    /// Frames are to tell of HDR metadata that the header may not repeat.
    pub(super) wants_hdr: bool,
}

impl Scope {
    pub(super) fn of(tools: &Tools, plan: &Plan, facts: &Facts) -> Scope {
        let length_ms = facts.out_ms.or_else(|| plan.durations_ms.first().copied()).unwrap_or(0);
        let is_short = length_ms < WHOLE_BELOW_MS;
        let is_all = plan.verify == Verify::Full;
        let mut pictures = plan.streams.iter().filter(|s| s.kind == StreamKind::Video);
        let can_decode = pictures.all(|s| tools.probe_decodes(&s.codec));
        Scope {
            length_ms,
            is_whole_listed: is_short,
            is_whole_decoded: is_short || is_all,
            // ffmpeg decodes with all cores, and a list of all frames of a long film is endless.
            is_decoded_by_probe: can_decode && (is_short || !is_all),
            wants_hdr: plan.streams.iter().any(|s| s.hdr.mastering.is_some() || s.hdr.light.is_some()),
        }
    }
}

/// Arguments of ffprobe.
pub(super) fn describe(scope: &Scope, output: &Path) -> Vec<OsString> {
    // The loop filter changes what is seen, not what can be read: without it a fifth of the time is saved.
    let mut args = words("-v level+error -skip_loop_filter all -show_format -show_streams -show_chapters");
    args.extend(words(if scope.is_decoded_by_probe && scope.wants_hdr {
        "-show_frames -show_entries frame=stream_index,pts_time:frame_side_data"
    } else if scope.is_decoded_by_probe {
        "-show_frames -show_entries frame=stream_index,pts_time"
    } else {
        // Then at least what is there to decode: a file that is cut off lacks the packets of its end without a word.
        "-show_packets -show_entries packet=stream_index,pts_time"
    }));
    if !scope.is_whole_listed {
        args.extend(["-read_intervals".into(), intervals(scope.length_ms).into()]);
    }
    args.extend(words("-of json=c=1 -protocol_whitelist file,pipe -i"));
    args.push(file_url(output));
    args
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

/// Arguments of ffmpeg: all of it, or the same three parts as three inputs.
pub(super) fn decode(scope: &Scope, output: &Path) -> Vec<OsString> {
    let mut args = words("-nostdin -hide_banner -v level+error -nostats -progress pipe:1");
    let (middle, last) = (seconds(scope.length_ms / 2), seconds(scope.length_ms.saturating_sub(1000)));
    let parts = if scope.is_whole_decoded {
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

pub(super) fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}
