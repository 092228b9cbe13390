//! An output against its plan, stream by stream.

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::{Media, Stream, StreamKind};
use vc_protocol::profile::Container;

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
        Container::Mkv => "matroska",
        Container::Webm => "webm",
    };
    if !output.container.split(',').any(|name| name == format) {
        return Err(refused(format!("it is {} and not {format}", output.container)));
    }
    // mp4 writes chapters as a data stream of its own.
    let found: Vec<&Stream> = output.streams.iter().filter(|s| s.kind != StreamKind::Data).collect();
    if found.len() != plan.streams.len() {
        return Err(refused(format!("it has {} streams and not {}", found.len(), plan.streams.len())));
    }
    let mut warnings = Vec::new();
    for (planned, found) in plan.streams.iter().zip(found) {
        warnings.extend(stream(planned, found).map_err(refused)?);
    }
    length(plan, facts, output)?;
    if let (Some(wrote), Some(holds)) = (frames_encoded(plan, facts), output.video().and_then(|v| v.frames))
        && wrote != holds
    {
        return Err(refused(format!("it holds {holds} frames and {wrote} were encoded")));
    }
    Ok(warnings)
}

fn stream(planned: &Planned, found: &Stream) -> Result<Option<String>, String> {
    let index = found.index;
    if !is_same_kind(planned.kind, found.kind) {
        return Err(format!("stream {index} is {:?} and not {:?}", found.kind, planned.kind));
    }
    // Attachments have no codec that both sides name alike.
    if planned.kind != StreamKind::Attachment && planned.codec != found.codec {
        return Err(format!("stream {index} is {} and not {}", found.codec, planned.codec));
    }
    if let Some((width, height)) = planned.size
        && (found.width, found.height) != (width, height)
    {
        return Err(format!("stream {index} is {}x{} and not {width}x{height}", found.width, found.height));
    }
    match &planned.language {
        Some(language) if found.language.as_ref() != Some(language) => {
            let what = format!(
                "stream {index}: language {} and not {language}",
                found.language.as_deref().unwrap_or("unknown")
            );
            // mp4 holds only codes of three letters; what is no such code cannot survive there.
            let is_code = language.len() == 3 && language.bytes().all(|b| b.is_ascii_lowercase());
            if is_code { Err(what) } else { Ok(Some(what)) }
        }
        Some(_) | None => Ok(None),
    }
}

fn is_same_kind(planned: StreamKind, found: StreamKind) -> bool {
    use StreamKind::{Cover, Video};
    planned == found || matches!((planned, found), (Cover, Video) | (Video, Cover))
}

fn length(plan: &Plan, facts: &Facts, output: &Media) -> Result<(), Failure> {
    let Some(is) = output.duration_ms else { return Err(refused("it has no length".to_owned())) };
    // A source whose header says nothing is held against what the encoder says that it wrote.
    let wanted: Vec<u64> = if plan.durations_ms.is_empty() {
        facts.out_ms.into_iter().collect()
    } else {
        plan.durations_ms.clone()
    };
    let is_near = |wanted: &u64| is.abs_diff(*wanted) <= TOLERANCE_MS.max(wanted / TOLERANCE_SHARE);
    let Some(first) = wanted.first() else { return Ok(()) };
    if wanted.iter().any(is_near) {
        return Ok(());
    }
    let (is, wanted) = (clock(is), clock(*first));
    let damage = ffmpeg::damage(&facts.log);
    Err(match damage {
        Some(_) if is < wanted => {
            Failure::new(FailureClass::Source, format!("source ends at {is} of {wanted} (truncated?)"))
        }
        Some((line, _)) => Failure::new(FailureClass::Source, format!("source is damaged: {line}")),
        None => refused(format!("it is {is} long and the source {wanted}")),
    })
}

/// Frames that decoded, where ffprobe listed them.
pub(super) fn frames(plan: &Plan, facts: &Facts, output: &Described, is_whole: bool) -> Result<(), Failure> {
    for found in output.media.streams.iter().filter(|s| s.kind == StreamKind::Video) {
        if output.frames.get(&found.index).is_none_or(|n| *n == 0) {
            return Err(refused(format!("no frame of stream {} decodes", found.index)));
        }
    }
    let decoded = output.media.video().and_then(|v| output.frames.get(&v.index));
    match (frames_encoded(plan, facts), decoded) {
        (Some(wrote), Some(decoded)) if is_whole && wrote != *decoded => {
            Err(refused(format!("{decoded} of {wrote} frames decode")))
        }
        _ => Ok(()),
    }
}

/// Frames of the first picture stream, if it was encoded: in a copied one some may be hidden by an edit list.
fn frames_encoded(plan: &Plan, facts: &Facts) -> Option<u64> {
    let first = plan.streams.first()?;
    matches!(first.action, Action::Picture(_)).then_some(facts.frames).flatten()
}

/// `0:16`, `1:02:03`; with tenths where seconds alone could look equal.
fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests;
