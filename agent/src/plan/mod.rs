//! From media and profile to command lines, by pure functions over plain values.
//!
//! [`plan`] decides stream by stream: [`picture`] with [`colour`], [`sound`], [`text`], [`extras`] (covers, attachments,
//! titles, languages), with [`hold`] for what containers can hold and [`rate`] for how good. [`raw`] takes options as they
//! are typed. `args` spells the decisions for ffmpeg. Knows nothing of processes, clocks and the file system.

mod args;
mod colour;
mod extras;
mod hold;
mod language;
mod picture;
mod rate;
mod raw;
mod sample;
mod sound;
mod streams;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::{Colour, Hdr, Media, Stream, StreamKind};
use vc_protocol::profile::{Container, Effort, Profile, Verify, VideoCodec};

use crate::encoder::{Candidate, Rate};

pub use picture::{Picture, depth};
pub use sample::reference;
pub use sound::Sound;

/// What the ffmpeg of this box can do, as far as a plan depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Caps<'a> {
    /// Names of its encoders.
    pub encoders: &'a BTreeSet<String>,
    /// Its major version.
    pub major: u32,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is wrong, but more would be lost than the profile allows.
    Skipped(String),
    /// It cannot be done; by another encoder maybe, if the class says that this one is at fault.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Failed(failure)
    }
}

impl Refusal {
    /// The source does not lend itself to this.
    fn source(cause: impl Into<String>) -> Self {
        Failure::new(FailureClass::Source, cause).into()
    }

    /// This encoder cannot; the next one may.
    fn encoder(cause: impl Into<String>) -> Self {
        Failure::new(FailureClass::Encoder, cause).into()
    }
}

/// What becomes of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Taken as it is.
    Copy,
    /// Encoded by the plan's encoder.
    Picture(Picture),
    /// Encoded as sound.
    Sound(Sound),
    /// Converted to this text format.
    Text(&'static str),
}

/// A stream of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its number in the source.
    pub source: u32,
    /// What becomes of it.
    pub action: Action,
    /// Tags that ffmpeg does not carry over by itself.
    pub tags: Vec<(&'static str, String)>,
    /// What it must be in the output: kind.
    pub kind: StreamKind,
    /// Codec, as ffprobe names it.
    pub codec: String,
    /// Language.
    pub language: Option<String>,
    /// Size of the picture, where it is known.
    pub size: Option<(u32, u32)>,
    /// Dispositions that it must have, where the container can hold them.
    pub dispositions: Vec<String>,
    /// Channels of sound, 0 if unknown or no sound.
    pub channels: u32,
    /// What the picture's numbers must mean; empty texts are not looked at.
    pub colour: Colour,
    /// HDR metadata that it must have.
    pub hdr: Hdr,
    /// Degrees by which players must turn it.
    pub rotation: i32,
    /// Length in the source, where it is known; longer ones of the stream than of the file are nonsense.
    pub duration_ms: Option<u64>,
    /// Codec of the source.
    pub source_codec: String,
    /// Pixel format of the source, empty if not a picture.
    pub source_format: String,
}

/// One run with options as they are typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRun {
    /// In front of the input.
    pub input: Vec<String>,
    /// Behind it.
    pub output: Vec<String>,
}

/// Everything that is decided about one conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Container of the output.
    pub container: Container,
    /// The encoder of the pictures; none if they are copied.
    pub with: Option<Candidate>,
    /// Quality of the pictures.
    pub rate: Rate,
    /// How hard the encoder tries.
    pub effort: Effort,
    /// Streams of the output in its order, pictures first. Of raw runs only the picture is known.
    pub streams: Vec<Planned>,
    /// Two runs of ffmpeg instead of one.
    pub is_two_pass: bool,
    /// Runs as they are typed, in place of everything that is said here of options; empty if there are none.
    pub raw: Vec<RawRun>,
    /// The source is of a kind that lacks time stamps.
    pub needs_time_stamps: bool,
    /// Frame times are kept exactly (`demux` time base) where this ffmpeg can.
    pub has_exact_times: bool,
    /// Lengths that the output may have, in milliseconds: the source's, and that of the streams that are kept.
    pub durations_ms: Vec<u64>,
    /// Chapters that it must have.
    pub chapters: u32,
    /// How much of the output is looked at.
    pub verify: Verify,
    /// What could not be kept.
    pub warnings: Vec<String>,
}

/// Files of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// What is read.
    pub source: PathBuf,
    /// What is written.
    pub part: PathBuf,
    /// Start of the names of what the first pass leaves to the second.
    pub pass_log: PathBuf,
}

/// Plans a conversion. `with` is what encodes; none copies the pictures, or leaves them out.
pub fn plan(
    media: &Media,
    profile: &Profile,
    with: Option<&Candidate>,
    caps: Caps<'_>,
) -> Result<Plan, Refusal> {
    has_what_it_takes(media, profile)?;
    if !profile.passes.is_empty() {
        return raw::plan(media, profile);
    }
    let streams::Chosen { streams, mut warnings } = streams::choose(media, profile, with, caps)?;
    let rate = rate::choose(media, profile, with.map(|candidate| candidate.encoder), &streams, caps.major)?;
    warnings.extend(rate.warnings);
    Ok(Plan {
        container: profile.container,
        with: with.cloned(),
        rate: rate.rate,
        effort: profile.video.effort,
        is_two_pass: rate.is_two_pass,
        raw: Vec::new(),
        needs_time_stamps: media.container.split(',').any(|name| hold::LACKS_TIME_STAMPS.contains(&name)),
        has_exact_times: caps.major >= picture::EXACT_TIMES_SINCE_MAJOR,
        durations_ms: durations(media, &streams),
        chapters: media.chapters,
        verify: profile.verify,
        streams,
        warnings,
    })
}

fn has_what_it_takes(media: &Media, profile: &Profile) -> Result<(), Refusal> {
    let has_video = media.video().is_some();
    let has_sound = media.streams.iter().any(|s| s.kind == StreamKind::Audio);
    let (is_enough, cause) = match profile.video.codec {
        VideoCodec::Drop => (has_sound, "no sound"),
        VideoCodec::Copy => (has_video || has_sound, "no video stream"),
        VideoCodec::H264
        | VideoCodec::Hevc
        | VideoCodec::Av1
        | VideoCodec::Vp9
        | VideoCodec::Ffv1
        | VideoCodec::Prores => {
            (has_video, if has_sound { "no video stream, only sound" } else { "no video stream" })
        }
    };
    if is_enough { Ok(()) } else { Err(Refusal::source(cause)) }
}

/// The source's own length, and that of the longest kept stream: what is dropped may have been longer. Sound that is
/// copied takes along what an edit list hides at its start; where that is said in another way, the file counts it.
fn durations(media: &Media, streams: &[Planned]) -> Vec<u64> {
    let planned = |stream: &Stream| streams.iter().find(|planned| planned.source == stream.index);
    let is_kept =
        |s: &&Stream| matches!(s.kind, StreamKind::Video | StreamKind::Audio) && planned(s).is_some();
    let is_copied = |s: &&Stream| planned(s).is_some_and(|planned| planned.action == Action::Copy);
    let longest = media.streams.iter().filter(is_kept).filter_map(|s| s.duration_ms).max();
    let with_hidden = media.streams.iter().filter(is_copied).filter_map(sound::whole_ms).max();
    let mut all: Vec<u64> = media.duration_ms.into_iter().chain(longest).chain(with_hidden).collect();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
