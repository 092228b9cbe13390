//! One stream of an output against its plan.

use vc_protocol::media::{Colour, Hdr, Mastering, Stream, StreamKind};
use vc_protocol::profile::Container;

use super::compare::{clock, is_shorter};
use crate::ffmpeg;
use crate::plan::{Action, Planned};

/// Whose fault a difference is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The output's.
    Output(String),
    /// The source's, by the lines in the log.
    Source(String),
}

/// Everything that the plan says of a stream; the texts are what is worth a look and no reason to refuse.
pub(super) fn stream(
    container: Container,
    planned: &Planned,
    found: &Stream,
    log: &str,
) -> Result<Vec<String>, Fault> {
    let index = found.index;
    let told = |what: String| format!("stream {index}{what}");
    let mut warnings = Vec::new();
    let faults = [
        kind(planned, found),
        codec(planned, found),
        size(planned, found),
        channels(planned, found),
        rotation(planned, found),
        // What is copied has them inside, where no header repeats them.
        if planned.action == Action::Copy { None } else { hdr(&planned.hdr, &found.hdr) },
    ];
    if let Some(what) = faults.into_iter().flatten().next() {
        return Err(Fault::Output(told(what)));
    }
    for difference in [language(planned, found), colour(&planned.colour, &found.colour)]
        .into_iter()
        .chain(planned.dispositions.iter().map(|name| disposition(container, name, planned, found)))
    {
        match difference {
            Difference::None => {}
            Difference::Worth(what) => warnings.push(told(what)),
            Difference::Wrong(what) => return Err(Fault::Output(told(what))),
        }
    }
    warnings.extend(length(planned, found, log)?.map(told));
    Ok(warnings)
}

/// How bad something is.
enum Difference {
    None,
    Worth(String),
    Wrong(String),
}

fn kind(planned: &Planned, found: &Stream) -> Option<String> {
    use StreamKind::{Cover, Video};
    let is_same =
        planned.kind == found.kind || matches!((planned.kind, found.kind), (Cover, Video) | (Video, Cover));
    (!is_same).then(|| format!(" is {:?} and not {:?}", found.kind, planned.kind))
}

fn codec(planned: &Planned, found: &Stream) -> Option<String> {
    // Attachments have no codec that both sides name alike.
    let is_same = planned.kind == StreamKind::Attachment || planned.codec == found.codec;
    (!is_same).then(|| format!(" is {} and not {}", found.codec, planned.codec))
}

fn size(planned: &Planned, found: &Stream) -> Option<String> {
    let (width, height) = planned.size?;
    ((found.width, found.height) != (width, height))
        .then(|| format!(" is {}x{} and not {width}x{height}", found.width, found.height))
}

fn channels(planned: &Planned, found: &Stream) -> Option<String> {
    let wanted = match &planned.action {
        Action::Sound(sound) => sound.mixed_to.unwrap_or(planned.channels),
        Action::Copy | Action::Picture(_) | Action::Text(_) => planned.channels,
    };
    (wanted != 0 && found.channels != wanted)
        .then(|| format!(" has {} channels and not {wanted}", found.channels))
}

fn rotation(planned: &Planned, found: &Stream) -> Option<String> {
    let turn = |degrees: i32| degrees.rem_euclid(360);
    (planned.kind == StreamKind::Video && turn(planned.rotation) != turn(found.rotation))
        .then(|| format!(" is turned by {}° and not by {}°", turn(found.rotation), turn(planned.rotation)))
}

fn language(planned: &Planned, found: &Stream) -> Difference {
    let Some(language) = &planned.language else { return Difference::None };
    if found.language.as_ref() == Some(language) {
        return Difference::None;
    }
    let what = format!(": language {} and not {language}", found.language.as_deref().unwrap_or("unknown"));
    // mp4 holds only codes of three letters; what is no such code cannot survive there.
    let is_code = language.len() == 3 && language.bytes().all(|b| b.is_ascii_lowercase());
    if is_code { Difference::Wrong(what) } else { Difference::Worth(what) }
}

/// Dispositions that each container is seen to hold, with ffmpeg 9. mp4 and mov enable one track of a kind, whatever
/// is asked for; m4a has no room for any mark.
const HELD: &[(&[Container], &[&str])] = &[
    (
        &[Container::Mkv, Container::Mka],
        &["default", "dub", "original", "comment", "forced", "hearing_impaired", "visual_impaired"],
    ),
    (
        &[Container::Mp4],
        &["dub", "comment", "hearing_impaired", "visual_impaired", "captions", "descriptions"],
    ),
    (&[Container::Webm], &["default", "forced"]),
];

fn disposition(container: Container, name: &str, planned: &Planned, found: &Stream) -> Difference {
    // A cover is told by its kind, and is never the default.
    if found.has(name) || matches!(planned.kind, StreamKind::Cover | StreamKind::Attachment) {
        return Difference::None;
    }
    let what = format!(": the mark `{name}` is lost");
    let is_held =
        HELD.iter().any(|(containers, names)| containers.contains(&container) && names.contains(&name));
    match (is_held, name) {
        (true, _) => Difference::Wrong(what),
        (false, "default") => Difference::None,
        (false, _) => Difference::Worth(what),
    }
}

/// Another meaning of the numbers is wrong. None at all is wrong where a screen needs it for high dynamic range, and
/// worth a look elsewhere, but for what players take if nothing is said.
fn colour(planned: &Colour, found: &Colour) -> Difference {
    let is_hdr = matches!(planned.transfer.as_str(), "smpte2084" | "arib-std-b67");
    let mut lost = Vec::new();
    for (name, planned, found, taken) in [
        ("primaries", &planned.primaries, &found.primaries, ""),
        ("transfer", &planned.transfer, &found.transfer, ""),
        ("matrix", &planned.matrix, &found.matrix, ""),
        ("range", &planned.range, &found.range, "tv"),
        ("chroma", &planned.chroma, &found.chroma, "left"),
    ] {
        if planned.is_empty() || planned == found || (found.is_empty() && planned == taken) {
            continue;
        }
        // The scaler moves the samples when it must.
        if !found.is_empty() && name != "chroma" {
            return Difference::Wrong(format!(": {name} is {found} and not {planned}"));
        }
        if is_hdr && name != "chroma" {
            return Difference::Wrong(format!(": {name} is unknown and not {planned}"));
        }
        lost.push(format!("{name} {planned}"));
    }
    if lost.is_empty() {
        Difference::None
    } else {
        Difference::Worth(format!(": not kept: {}", lost.join(", ")))
    }
}

/// Chromaticities travel as 1/50000 or 1/65536: this much is rounding.
const POINT_ROUNDING: u16 = 3;
/// Luminances travel as 1/10000, 1/16384 or 1/256.
const LIGHT_ROUNDING: u32 = 40;

fn hdr(planned: &Hdr, found: &Hdr) -> Option<String> {
    match (planned.mastering, found.mastering) {
        (Some(_), None) => return Some(" has lost the mastering screen of HDR10".to_owned()),
        (Some(a), Some(b)) if !is_near(a, b) => {
            return Some(" has another mastering screen of HDR10 than planned".to_owned());
        }
        (Some(_) | None, _) => {}
    }
    match (planned.light, found.light) {
        (Some(_), None) => return Some(" has lost the light levels of HDR10".to_owned()),
        (Some((max, average)), Some(found)) if found != (max, average) => {
            return Some(format!(" says light levels {},{} and not {max},{average}", found.0, found.1));
        }
        (Some(_) | None, _) => {}
    }
    if planned.dolby_vision.is_some() && found.dolby_vision != planned.dolby_vision {
        return Some(" has lost Dolby Vision".to_owned());
    }
    None
}

fn is_near(a: Mastering, b: Mastering) -> bool {
    let near = |(a, b): (&(u16, u16), &(u16, u16))| {
        a.0.abs_diff(b.0) <= POINT_ROUNDING && a.1.abs_diff(b.1) <= POINT_ROUNDING
    };
    a.points.iter().zip(&b.points).all(near)
        && a.min.abs_diff(b.min) <= POINT_ROUNDING.into()
        && a.max.abs_diff(b.max) <= LIGHT_ROUNDING
}

/// Sound and pictures must last as long as those of the source. Of a copied picture some may be hidden, and where frames
/// come at uneven times nothing says how long the last one stands.
fn length(planned: &Planned, found: &Stream, log: &str) -> Result<Option<String>, Fault> {
    let (Some(wanted), Some(is)) = (planned.duration_ms, found.duration_ms) else { return Ok(None) };
    if !matches!(planned.kind, StreamKind::Video | StreamKind::Audio) || !is_shorter(is, wanted) {
        return Ok(None);
    }
    let what = format!(" is {} long and {} in the source", clock(is), clock(wanted));
    if ffmpeg::damage(log).is_some() {
        let (is, wanted) = (clock(is), clock(wanted));
        return Err(Fault::Source(format!(
            "stream {} of the source ends at {is} of {wanted} (truncated?)",
            planned.source
        )));
    }
    let is_exact = match &planned.action {
        Action::Picture(picture) => !picture.is_vfr,
        Action::Sound(_) => true,
        Action::Copy | Action::Text(_) => false,
    };
    if is_exact { Err(Fault::Output(format!("stream {}{what}", found.index))) } else { Ok(Some(what)) }
}
