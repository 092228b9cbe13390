//! An output against its plan: container, number of streams, length, frames.

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::{Media, Stream, StreamKind};
use vc_protocol::profile::Container;

use super::stream::{Fault, stream};
use super::{Facts, refused};
use crate::ffmpeg;
use crate::plan::{Action, Plan, Planned};
use crate::probe::Described;

/// Lengths may differ by this much, whatever they are: the last frame and the priming of sound.
const TOLERANCE_MS: u64 = 500;
/// And by one part in this many.
const TOLERANCE_SHARE: u64 = 1000;

/// Container, streams and length.
pub(super) fn compare(plan: &Plan, facts: &Facts, output: &Media) -> Result<Vec<String>, Failure> {
    let format = match plan.container {
        Container::Mp4 => "mp4",
        Container::Mov => "mov",
        Container::Mkv | Container::Mka => "matroska",
        Container::M4a => "mp4",
        Container::Webm => "webm",
    };
    if !output.container.split(',').any(|name| name == format) {
        return Err(refused(format!("it is {} and not {format}", output.container)));
    }
    // mp4 writes chapters as a data stream of its own.
    let found: Vec<&Stream> = output.streams.iter().filter(|s| s.kind != StreamKind::Data).collect();
    if !plan.raw.is_empty() {
        return typed(plan, output, &found);
    }
    if found.len() != plan.streams.len() {
        return Err(refused(format!("it has {} streams and not {}", found.len(), plan.streams.len())));
    }
    let mut warnings = Vec::new();
    for (planned, found) in plan.streams.iter().zip(found) {
        let told = stream(plan.container, planned, found, &facts.log).map_err(|fault| match fault {
            Fault::Output(what) => refused(what),
            Fault::Source(what) => Failure::new(FailureClass::Source, what),
        })?;
        warnings.extend(told);
    }
    if output.chapters < plan.chapters {
        warnings.push(format!("{} of {} chapters were kept", output.chapters, plan.chapters));
    }
    warnings.extend(length(plan, facts, output)?);
    if let (Some(wrote), Some(holds)) = (frames_encoded(plan, facts), output.video().and_then(|v| v.frames))
        && wrote != holds
    {
        return Err(refused(format!("it holds {holds} frames and {wrote} were encoded")));
    }
    Ok(warnings)
}

/// Options that were typed may do anything to an output, as long as it has the picture that the profile speaks of.
fn typed(plan: &Plan, output: &Media, found: &[&Stream]) -> Result<Vec<String>, Failure> {
    if output.duration_ms.is_none() {
        return Err(refused("it has no length".to_owned()));
    }
    let is_lacking = |planned: &&Planned| {
        !found.iter().any(|stream| stream.kind == planned.kind && stream.codec == planned.codec)
    };
    match plan.streams.iter().find(is_lacking) {
        Some(planned) => Err(refused(format!("it has no {} picture", planned.codec))),
        None => Ok(Vec::new()),
    }
}

/// Whether a length is less than another by more than what the last frame and the priming of sound explain.
pub(super) fn is_shorter(is: u64, wanted: u64) -> bool {
    wanted.saturating_sub(is) > TOLERANCE_MS.max(wanted / TOLERANCE_SHARE)
}

/// Longest start that an edit list may hide: copied pictures begin at a keyframe, copied sound where the source does, and
/// a container without edit lists shows them from there.
const HIDDEN_MS_MAX: u64 = 15_000;

fn length(plan: &Plan, facts: &Facts, output: &Media) -> Result<Option<String>, Failure> {
    let Some(is) = output.duration_ms else { return Err(refused("it has no length".to_owned())) };
    // A source whose header says nothing is held against what the encoder says that it wrote.
    let wanted: Vec<u64> = if plan.durations_ms.is_empty() {
        facts.out_ms.into_iter().collect()
    } else {
        plan.durations_ms.clone()
    };
    let is_near = |wanted: &u64| is.abs_diff(*wanted) <= TOLERANCE_MS.max(wanted / TOLERANCE_SHARE);
    let Some(first) = wanted.first().copied() else { return Ok(None) };
    if wanted.iter().any(is_near) {
        return Ok(None);
    }
    let is_played = |kind| matches!(kind, StreamKind::Video | StreamKind::Audio);
    let is_copied = plan.streams.iter().any(|s| s.action == Action::Copy && is_played(s.kind));
    if is_copied && !plan.durations_ms.is_empty() && is > first && is - first <= HIDDEN_MS_MAX {
        return Ok(Some(format!("{} that the source hides at its start is shown", clock(is - first))));
    }
    let source = |cause| Err(Failure::new(FailureClass::Source, cause));
    let (shown, first_shown) = (clock(is), clock(first));
    match ffmpeg::damage(&facts.log) {
        _ if is > first => source(format!("broken time stamps: {shown} came out of {first_shown}")),
        Some(_) => source(format!("source ends at {shown} of {first_shown} (truncated?)")),
        None => Err(refused(format!("it is {shown} long and the source {first_shown}"))),
    }
}

/// What ffprobe listed of the pictures: something of each stream, up to its end, and all of an output that was read
/// whole. A file that is cut off behind its index lacks the end without any error.
pub(super) fn frames(plan: &Plan, facts: &Facts, output: &Described, is_whole: bool) -> Result<(), Failure> {
    let none = Vec::new();
    for found in output.media.streams.iter().filter(|s| s.kind == StreamKind::Video) {
        let times = output.times_ms.get(&found.index).unwrap_or(&none);
        if times.is_empty() {
            return Err(refused(format!("no frame of stream {} decodes", found.index)));
        }
        if ends_early(found, times, output.media.container.starts_with("matroska")) {
            return Err(refused(format!("frames are missing at the end of stream {}", found.index)));
        }
    }
    let listed = output.media.video().and_then(|v| output.times_ms.get(&v.index));
    decoded(plan, facts, listed.map_or(0, |times| times.len() as u64), is_whole)
}

/// Every frame that was encoded must decode, where all were tried.
pub(super) fn decoded(plan: &Plan, facts: &Facts, decoded: u64, is_whole: bool) -> Result<(), Failure> {
    match frames_encoded(plan, facts) {
        Some(wrote) if is_whole && wrote != decoded => {
            Err(refused(format!("{decoded} of {wrote} frames decode")))
        }
        Some(_) if decoded == 0 => Err(refused("no frame decodes".to_owned())),
        Some(_) | None => Ok(()),
    }
}

/// Longest time between the last frame and the end of its stream, beside two frames of an even rate.
const LAST_FRAME_MS: i64 = 500;
/// The same where frame times are uneven: a still picture at the end may stand for long.
const LAST_FRAME_UNEVEN_MS: i64 = 2000;

/// Whether the last listed frame is far from the end that the header gives, which Matroska counts from zero and not from
/// the first frame.
fn ends_early(stream: &Stream, times_ms: &[i64], counts_from_zero: bool) -> bool {
    let (Some(first), Some(last)) = (times_ms.iter().min(), times_ms.iter().max()) else { return true };
    let Some(length) = stream.duration_ms.and_then(|ms| i64::try_from(ms).ok()) else { return false };
    let allowed = match stream.fps {
        // A cover kept as a track has one frame and a rate of nonsense.
        fps if !(1.0..=1000.0).contains(&fps) => return false,
        _ if stream.is_vfr => LAST_FRAME_UNEVEN_MS,
        fps => LAST_FRAME_MS + (2000.0 / fps) as i64,
    };
    let end = if counts_from_zero { length } else { first.saturating_add(length) };
    end - last > allowed
}

/// Frames of the first picture stream, if it was encoded: in a copied one some may be hidden by an edit list.
fn frames_encoded(plan: &Plan, facts: &Facts) -> Option<u64> {
    let first = plan.streams.first()?;
    matches!(first.action, Action::Picture(_)).then_some(facts.frames).flatten()
}

/// `0:16.4`, `1:02:03`: tenths below a minute, where whole seconds could look equal.
pub(super) fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    match (hours, minutes) {
        (0, 0) => format!("0:{seconds:02}.{}", ms / 100 % 10),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests;
