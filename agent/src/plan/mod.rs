//! From media and profile to command lines, by pure functions over plain values.
//!
//! `plan` decides stream by stream ([`picture`], [`sound`], [`text`], with [`hold`] for what containers can hold),
//! `args` spells the decisions for ffmpeg. Knows nothing of processes, clocks and the file system.

mod args;
mod hold;
mod picture;
mod sample;
mod sound;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::{Colour, Hdr, Media, Stream, StreamKind};
use vc_protocol::profile::{Container, Effort, Profile, Verify, VideoCodec, VideoWish};

use crate::encoder::{Candidate, Encoder, Rate};

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
    /// What it must be in the output: kind.
    pub kind: StreamKind,
    /// Codec, as ffprobe names it.
    pub codec: String,
    /// Language.
    pub language: Option<String>,
    /// Size of the picture, where it is known.
    pub size: Option<(u32, u32)>,
    /// Dispositions that it must have.
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
    /// Streams of the output in its order, pictures first.
    pub streams: Vec<Planned>,
    /// Two runs of ffmpeg instead of one.
    pub is_two_pass: bool,
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

/// Plans a conversion. `with` is what encodes; none copies the pictures.
pub fn plan(
    media: &Media,
    profile: &Profile,
    with: Option<&Candidate>,
    caps: Caps<'_>,
) -> Result<Plan, Failure> {
    let source = |cause: String| Failure::new(FailureClass::Source, cause);
    let is_copy = profile.video.codec == VideoCodec::Copy;
    let has_sound = media.streams.iter().any(|s| s.kind == StreamKind::Audio);
    if media.video().is_none() && !(is_copy && has_sound) {
        return Err(source(if has_sound {
            "no video stream, only sound".into()
        } else {
            "no video stream".into()
        }));
    }
    let encoder = with.map(|candidate| candidate.encoder);
    let mut planner = Planner { profile, encoder, caps, media, streams: Vec::new(), warnings: Vec::new() };
    // Pictures first: the log of a first pass is named by the stream's number, which must not change in the second.
    let (pictures, others): (Vec<_>, Vec<_>) =
        media.streams.iter().partition(|s| s.kind == StreamKind::Video);
    for stream in pictures.into_iter().chain(others) {
        planner.take(stream)?;
    }
    let Planner { streams, mut warnings, .. } = planner;
    let rate = rate(&profile.video, encoder)?;
    let wants_two_pass = matches!(rate, Rate::Bitrate(_));
    let is_two_pass = wants_two_pass && encoder.is_some_and(|e| e.has_two_pass(caps.major));
    if let (true, false, Some(encoder)) = (wants_two_pass, is_two_pass, encoder) {
        warnings.push(format!("{} of this ffmpeg has no two-pass mode: one pass was used", encoder.name));
    }
    Ok(Plan {
        container: profile.container,
        with: with.cloned(),
        rate,
        effort: profile.video.effort,
        is_two_pass,
        needs_time_stamps: media.container.split(',').any(|name| hold::LACKS_TIME_STAMPS.contains(&name)),
        has_exact_times: caps.major >= picture::EXACT_TIMES_SINCE_MAJOR,
        durations_ms: durations(media, &streams),
        chapters: media.chapters,
        verify: profile.verify,
        streams,
        warnings,
    })
}

fn rate(wish: &VideoWish, encoder: Option<&Encoder>) -> Result<Rate, Failure> {
    let Some(encoder) = encoder else { return Ok(Rate::Fixed) };
    let bitrate = wish.bitrate.as_deref().and_then(vc_protocol::profile::parse_bitrate);
    match (wish.crf, bitrate, encoder.quality) {
        (Some(crf), _, Some(quality)) => Ok(Rate::Quality(quality.on_scale(f64::from(crf)))),
        (None, Some(bits), _) => Ok(Rate::Bitrate(bits)),
        (_, None, None) => Ok(Rate::Fixed),
        (None, None, Some(_)) | (Some(_), Some(_), None) => {
            Err(Failure::new(FailureClass::Job, "the profile says neither crf nor bitrate"))
        }
    }
}

/// The source's own length, and that of the longest kept stream: what is dropped may have been longer.
fn durations(media: &Media, streams: &[Planned]) -> Vec<u64> {
    let is_kept = |s: &&Stream| {
        matches!(s.kind, StreamKind::Video | StreamKind::Audio) && streams.iter().any(|p| p.source == s.index)
    };
    let longest = media.streams.iter().filter(is_kept).filter_map(|s| s.duration_ms).max();
    let mut all: Vec<u64> = media.duration_ms.into_iter().chain(longest).collect();
    all.dedup();
    all
}

/// Goes through the streams of a source.
struct Planner<'a> {
    profile: &'a Profile,
    encoder: Option<&'static Encoder>,
    caps: Caps<'a>,
    media: &'a Media,
    streams: Vec<Planned>,
    warnings: Vec<String>,
}

impl Planner<'_> {
    fn take(&mut self, stream: &Stream) -> Result<(), Failure> {
        let container = self.profile.container;
        match stream.kind {
            StreamKind::Video => self.take_picture(stream)?,
            StreamKind::Audio => {
                let taken = sound::plan(stream, &self.profile.audio, container, self.caps.encoders)?;
                self.warnings.extend(taken.warnings);
                match taken.sound {
                    sound::Fate::Copy => self.keep(stream, Action::Copy, stream.codec.clone()),
                    sound::Fate::Encode(sound) => {
                        self.keep(stream, Action::Sound(sound), sound.codec.to_owned())
                    }
                    sound::Fate::Drop => {}
                }
            }
            StreamKind::Subtitle => match text::plan(stream, self.profile.subtitles.mode, container) {
                text::Fate::Copy => self.keep(stream, Action::Copy, stream.codec.clone()),
                text::Fate::Convert(target) => {
                    self.keep(stream, Action::Text(target.encoder), target.codec.to_owned())
                }
                text::Fate::Leave => {}
                text::Fate::Drop(why) => self.warnings.push(why),
            },
            StreamKind::Cover => self.take_cover(stream),
            StreamKind::Attachment => {
                if container == Container::Mkv {
                    self.keep(stream, Action::Copy, stream.codec.clone());
                } else {
                    let what = dropped(stream, "attachment");
                    self.warnings.push(format!("{what}: {} holds no attachments", container.extension()));
                }
            }
            // mp4 writes chapters as such a stream; they are kept as chapters.
            StreamKind::Data if self.media.chapters > 0 && stream.codec == "bin_data" => {}
            StreamKind::Data => self.warnings.push(dropped(stream, "data")),
        }
        Ok(())
    }

    fn take_picture(&mut self, stream: &Stream) -> Result<(), Failure> {
        let Some(encoder) = self.encoder else {
            let container = self.profile.container;
            if !hold::picture(container, &stream.codec) {
                let cause =
                    format!("{} cannot hold this video ({}) unchanged", container.extension(), stream.codec);
                return Err(Failure::new(FailureClass::Source, cause));
            }
            self.keep(stream, Action::Copy, stream.codec.clone());
            return Ok(());
        };
        let (picture, warnings) = picture::plan(stream, &self.profile.video, encoder);
        self.warnings.extend(warnings);
        let size = picture.size;
        self.keep(stream, Action::Picture(picture), encoder.codec.ffmpeg_name().to_owned());
        if let Some(last) = self.streams.last_mut() {
            last.size = size;
        }
        Ok(())
    }

    fn take_cover(&mut self, stream: &Stream) {
        let container = self.profile.container;
        if !hold::cover(container, &stream.codec) {
            let what = dropped(stream, "cover picture");
            self.warnings.push(format!("{what}: {} holds none of this kind", container.extension()));
            return;
        }
        self.keep(stream, Action::Copy, stream.codec.clone());
        if container == Container::Mkv
            && let Some(last) = self.streams.last_mut()
        {
            last.kind = StreamKind::Video;
            last.duration_ms = None;
            self.warnings
                .push(format!("stream {}: the cover picture is kept as a video track", stream.index));
        }
    }

    fn keep(&mut self, stream: &Stream, action: Action, codec: String) {
        let is_picture = matches!(stream.kind, StreamKind::Video) && stream.width > 0;
        self.streams.push(Planned {
            source: stream.index,
            kind: stream.kind,
            codec,
            language: stream.language.clone(),
            dispositions: stream.dispositions.clone(),
            channels: stream.channels,
            colour: stream.colour.clone(),
            hdr: stream.hdr.clone(),
            rotation: if action == Action::Copy { stream.rotation } else { 0 },
            duration_ms: stream.duration_ms.map(|ms| ms.min(self.media.duration_ms.unwrap_or(u64::MAX))),
            source_codec: stream.codec.clone(),
            source_format: stream.pixel_format.clone(),
            size: (is_picture && action == Action::Copy).then_some((stream.width, stream.height)),
            action,
        });
    }
}

fn dropped(stream: &Stream, what: &str) -> String {
    let codec = if hold::is_known(&stream.codec) { format!(", {}", stream.codec) } else { String::new() };
    format!("stream {} ({what}{codec}) is left out", stream.index)
}

#[cfg(test)]
mod tests;
