//! What a media file holds, as far as plans and checks need it.

mod words;

use serde::{Deserialize, Serialize};

/// What kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
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
    #[default]
    Data,
}

/// What the numbers of a picture mean, by ffmpeg's names; empty where the file does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Colour {
    /// `bt709`, `bt2020`.
    pub primaries: String,
    /// `bt709`, `smpte2084` (PQ), `arib-std-b67` (HLG).
    pub transfer: String,
    /// `bt709`, `bt2020nc`.
    pub matrix: String,
    /// `tv` or `pc`.
    pub range: String,
    /// `left`, `topleft`, `center`.
    pub chroma: String,
}

/// Light of the screen that a picture was made on (SMPTE ST 2086), in the units of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mastering {
    /// Red, green and blue primary and the white point, x and y each, in 1/50000.
    pub points: [(u16, u16); 4],
    /// Darkest, in 1/10000 cd/m².
    pub min: u32,
    /// Brightest, in 1/10000 cd/m².
    pub max: u32,
}

/// Metadata of high dynamic range.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hdr {
    /// HDR10: the mastering screen.
    pub mastering: Option<Mastering>,
    /// HDR10: brightest pixel and brightest average of a frame in cd/m².
    pub light: Option<(u16, u16)>,
    /// Profile of Dolby Vision, if it has that.
    pub dolby_vision: Option<u8>,
    /// It has HDR10+.
    pub has_hdr10_plus: bool,
}

/// One stream of a file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// ffmpeg's name of what the channels are (`5.1(side)`), empty if unknown.
    pub channel_layout: String,
    /// Samples of sound a second, 0 if not sound.
    pub sample_rate: u32,
    /// ffmpeg's names of the dispositions that are set (`default`, `forced`, `comment`), but `attached_pic`; sorted.
    pub dispositions: Vec<String>,
    /// Its title, if any.
    pub title: Option<String>,
    /// What the picture's numbers mean.
    pub colour: Colour,
    /// Metadata of high dynamic range.
    pub hdr: Hdr,
    /// Shape of one pixel, across to down; none if square or unknown.
    pub pixel_aspect: Option<(u32, u32)>,
    /// ffmpeg's name of the order of fields (`tt`, `bb`, `tb`, `bt`), `progressive`, or empty if unknown.
    pub field_order: String,
    /// When its first frame is shown, in milliseconds from the file's zero.
    pub start_ms: Option<i64>,
    /// Timecode of its first frame, if any.
    pub timecode: Option<String>,
}

impl Stream {
    /// Whether this disposition is set.
    pub fn has(&self, disposition: &str) -> bool {
        self.dispositions.iter().any(|name| name == disposition)
    }

    /// Its frames are made of two fields.
    pub fn is_interlaced(&self) -> bool {
        matches!(self.field_order.as_str(), "tt" | "bb" | "tb" | "bt")
    }
}

/// A file as ffprobe describes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// When its first frame is shown, in milliseconds from its zero.
    pub start_ms: Option<i64>,
    /// Its title, if any.
    pub title: Option<String>,
}

/// Streams told of one file: more than a frame should carry are left out.
pub const STREAMS_TOLD_MAX: usize = 64;

impl Media {
    /// The same, as it is told to others: with at most [`STREAMS_TOLD_MAX`] streams.
    pub fn told(&self) -> Media {
        let streams = self.streams.iter().take(STREAMS_TOLD_MAX).cloned().collect();
        Media { streams, container: self.container.clone(), title: self.title.clone(), ..*self }
    }

    /// The first moving picture.
    pub fn video(&self) -> Option<&Stream> {
        self.streams.iter().find(|s| s.kind == StreamKind::Video)
    }
}
