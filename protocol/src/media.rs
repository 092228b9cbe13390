//! What a media file holds, as far as plans and checks need it.

use serde::{Deserialize, Serialize};

/// What kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// Moving pictures.
    Video,
    /// An attached picture (cover art).
    Cover,
    /// Sound.
    Audio,
    /// Text or picture subtitles.
    Subtitle,
    /// A file carried along (fonts).
    Attachment,
    /// Anything else (timecode, telemetry).
    Data,
}

/// One stream of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Its number in the file, from 0.
    pub index: u32,
    /// What it is.
    pub kind: StreamKind,
    /// ffmpeg's name of the codec, empty if unknown.
    pub codec: String,
    /// Language tag, if any.
    pub language: Option<String>,
    /// Pixels across as coded, 0 if not a picture.
    pub width: u32,
    /// Pixels down as coded, 0 if not a picture.
    pub height: u32,
    /// ffmpeg's name of the pixel format, empty if not a picture.
    pub pixel_format: String,
    /// Average frames a second, 0 if unknown.
    pub fps: f64,
    /// Its frames come at uneven times (the container's base rate is not the average).
    pub is_vfr: bool,
    /// Frames as the header counts them, if it does.
    pub frames: Option<u64>,
    /// Length in milliseconds, if known.
    pub duration_ms: Option<u64>,
    /// Display rotation in degrees, 0 if none.
    pub rotation: i32,
    /// Audio channels, 0 if not sound.
    pub channels: u32,
    /// Shown or heard by default.
    pub is_default: bool,
    /// Shown even when subtitles are off.
    pub is_forced: bool,
}

/// A file as ffprobe describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// ffmpeg's names of the container, comma separated.
    pub container: String,
    /// Length in milliseconds, if the header says.
    pub duration_ms: Option<u64>,
    /// Size in bytes.
    pub size: u64,
    /// Every stream, in file order.
    pub streams: Vec<Stream>,
    /// Number of chapters.
    pub chapters: u32,
}

/// Streams told of one file: more than a frame should carry are left out.
pub const STREAMS_TOLD_MAX: usize = 64;

impl Media {
    /// The same, as it is told to others: with at most [`STREAMS_TOLD_MAX`] streams.
    pub fn told(&self) -> Media {
        let streams = self.streams.iter().take(STREAMS_TOLD_MAX).cloned().collect();
        Media { streams, container: self.container.clone(), ..*self }
    }

    /// The first moving picture.
    pub fn video(&self) -> Option<&Stream> {
        self.streams.iter().find(|s| s.kind == StreamKind::Video)
    }
}
