//! Shapes of the second release, as files on disk still hold them. Read, never written.

use serde::Deserialize;

use crate::agent::{Command, Outcome, Report};
use crate::id::{AttemptId, DeviceId, RootId};
use crate::job::{FileStamp, Offer};
use crate::media::{Media, Stream, StreamKind};
use crate::path::FilePath;
use crate::profile::{
    AudioWish, Container, Effort, NamedProfile, Profile, SubtitleMode, SubtitleWish, VideoCodec, VideoWish,
};
use crate::progress::Phase;

/// [`NamedProfile`] when a picture had a quality or a bitrate, and little else.
#[derive(Debug, Deserialize)]
pub struct NamedProfileV2 {
    name: String,
    profile: ProfileV2,
}

#[derive(Debug, Deserialize)]
struct ProfileV2 {
    description: String,
    container: Container,
    video: VideoWishV2,
    audio: AudioWish,
    subtitles: SubtitleMode,
}

#[derive(Debug, Deserialize)]
struct VideoWishV2 {
    codec: VideoCodec,
    crf: Option<u8>,
    bitrate: Option<String>,
    effort: Effort,
    max_width: Option<u32>,
    max_height: Option<u32>,
}

impl From<NamedProfileV2> for NamedProfile {
    fn from(old: NamedProfileV2) -> Self {
        let NamedProfileV2 { name, profile: ProfileV2 { description, container, video, audio, subtitles } } =
            old;
        let video = VideoWish {
            crf: video.crf,
            bitrate: video.bitrate,
            effort: video.effort,
            max_width: video.max_width,
            max_height: video.max_height,
            ..VideoWish::of(video.codec)
        };
        let subtitles = SubtitleWish { mode: subtitles, ..SubtitleWish::default() };
        let profile = Profile { description, subtitles, ..Profile::of(container, video, audio) };
        NamedProfile { name, profile }
    }
}

/// [`Offer`] with the recipe of then.
#[derive(Debug, Deserialize)]
pub struct OfferV2 {
    attempt: AttemptId,
    device: DeviceId,
    source_root: (RootId, FilePath),
    source: FilePath,
    stamp: FileStamp,
    output_root: (RootId, FilePath),
    output: FilePath,
    profile: NamedProfileV2,
}

impl From<OfferV2> for Offer {
    fn from(old: OfferV2) -> Self {
        Offer {
            attempt: old.attempt,
            device: old.device,
            source_root: old.source_root,
            source: old.source,
            stamp: old.stamp,
            output_root: old.output_root,
            output: old.output,
            profile: old.profile.into(),
        }
    }
}

/// [`Media`] before colour, HDR, dispositions and start times were looked at.
#[derive(Debug, Deserialize)]
struct MediaV2 {
    container: String,
    duration_ms: Option<u64>,
    size: u64,
    streams: Vec<StreamV2>,
    chapters: u32,
}

#[derive(Debug, Deserialize)]
struct StreamV2 {
    index: u32,
    kind: StreamKind,
    codec: String,
    language: Option<String>,
    width: u32,
    height: u32,
    pixel_format: String,
    fps: f64,
    is_vfr: bool,
    frames: Option<u64>,
    duration_ms: Option<u64>,
    rotation: i32,
    channels: u32,
    is_default: bool,
    is_forced: bool,
}

impl From<StreamV2> for Stream {
    fn from(old: StreamV2) -> Self {
        let flags = [(old.is_default, "default"), (old.is_forced, "forced")];
        Stream {
            index: old.index,
            kind: old.kind,
            codec: old.codec,
            language: old.language,
            width: old.width,
            height: old.height,
            pixel_format: old.pixel_format,
            fps: old.fps,
            is_vfr: old.is_vfr,
            frames: old.frames,
            duration_ms: old.duration_ms,
            rotation: old.rotation,
            channels: old.channels,
            dispositions: flags.iter().filter(|(set, _)| *set).map(|(_, name)| (*name).to_owned()).collect(),
            ..Stream::default()
        }
    }
}

impl From<MediaV2> for Media {
    fn from(old: MediaV2) -> Self {
        Media {
            container: old.container,
            duration_ms: old.duration_ms,
            size: old.size,
            streams: old.streams.into_iter().map(Stream::from).collect(),
            chapters: old.chapters,
            ..Media::default()
        }
    }
}

/// [`Report`] before it told of encoders that were passed over and of measured quality.
#[derive(Debug, Deserialize)]
pub struct ReportV2 {
    attempt: AttemptId,
    outcome: Outcome,
    encoder: String,
    commands: Vec<Command>,
    warnings: Vec<String>,
    log: String,
    wall_ms: u64,
    media_ms: u64,
    bytes_in: u64,
    bytes_out: u64,
    media: Option<Box<MediaV2>>,
    phases: Vec<(Phase, u64)>,
}

impl From<ReportV2> for Report {
    fn from(old: ReportV2) -> Self {
        Report {
            encoder: old.encoder,
            commands: old.commands,
            warnings: old.warnings,
            log: old.log,
            wall_ms: old.wall_ms,
            media_ms: old.media_ms,
            bytes_in: old.bytes_in,
            bytes_out: old.bytes_out,
            media: old.media.map(|media| Box::new(Media::from(*media))),
            phases: old.phases,
            ..Report::blank(old.attempt, old.outcome)
        }
    }
}
