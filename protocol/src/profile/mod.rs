//! Profiles: named recipes that say what is wanted, never which command line.
//!
//! The TOML form is read by the console; agents get the same value inside an offer. `check` and `raw` say what makes no
//! sense, `words` tells a profile to people.

mod check;
mod raw;
mod words;

use serde::{Deserialize, Serialize};

pub use check::{ProfileError, parse_bitrate, parse_size};

/// Container of the output; also its file extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// MPEG-4, with its index in front (`+faststart`).
    Mp4,
    /// Matroska: holds everything.
    Mkv,
    /// QuickTime, with its index in front.
    Mov,
    /// WebM: VP8, VP9, AV1 with Vorbis or Opus only.
    Webm,
    /// MPEG-4 with sound only.
    M4a,
    /// Matroska with sound only.
    Mka,
}

impl Container {
    /// File extension without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mkv => "mkv",
            Self::Mov => "mov",
            Self::Webm => "webm",
            Self::M4a => "m4a",
            Self::Mka => "mka",
        }
    }
}

/// Video codec that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    Hevc,
    /// AV1.
    Av1,
    /// The source's own, untouched.
    Copy,
    /// VP9.
    Vp9,
    /// FFV1: nothing is lost.
    Ffv1,
    /// ProRes, for editing.
    Prores,
    /// No moving picture at all.
    Drop,
}

impl VideoCodec {
    /// Every one, in the order of their numbers.
    pub const ALL: [VideoCodec; 8] =
        [Self::H264, Self::Hevc, Self::Av1, Self::Copy, Self::Vp9, Self::Ffv1, Self::Prores, Self::Drop];

    /// Whether pictures are encoded at all.
    pub fn is_encoded(self) -> bool {
        !matches!(self, Self::Copy | Self::Drop)
    }

    /// ffmpeg's name of the codec; empty for copy and drop.
    pub fn ffmpeg_name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Vp9 => "vp9",
            Self::Ffv1 => "ffv1",
            Self::Prores => "prores",
            Self::Copy | Self::Drop => "",
        }
    }
}

/// How hard an encoder tries; each encoder's row says what that means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Quick, larger output.
    Fast,
    /// The balance.
    #[default]
    Medium,
    /// Slow, smaller output.
    Slow,
}

/// Bits of a sample that are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Depth {
    /// As the source has, up to what the encoder can.
    #[default]
    #[serde(rename = "keep")]
    Keep,
    /// Eight.
    #[serde(rename = "8")]
    Eight,
    /// Ten.
    #[serde(rename = "10")]
    Ten,
}

/// What becomes of interlaced pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interlaced {
    /// Stay interlaced, where the encoder can; else a warning.
    #[default]
    Keep,
    /// Each frame made whole.
    Deinterlace,
}

/// Something that a new encoding cannot carry. A source that has it is skipped, unless the profile allows the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Loss {
    /// The Dolby Vision layer.
    #[serde(rename = "dolby-vision")]
    DolbyVision,
    /// HDR10+ metadata, which differ from scene to scene.
    #[serde(rename = "hdr10+")]
    Hdr10Plus,
}

/// What is wanted of the picture. Of `crf`, `bitrate`, `size`, `target_vmaf` and `target_ssim` at most one is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoWish {
    /// Wanted codec.
    pub codec: VideoCodec,
    /// Constant quality on the codec's own scale; each encoder's row says what that is on its own.
    #[serde(default)]
    pub crf: Option<u8>,
    /// Average bits a second, as in `"6M"`.
    #[serde(default)]
    pub bitrate: Option<String>,
    /// Size of the whole output, as in `"700M"`, in bytes.
    #[serde(default)]
    pub size: Option<String>,
    /// Mean VMAF that samples must reach, 0 to 100.
    #[serde(default)]
    pub target_vmaf: Option<f64>,
    /// Mean SSIM that samples must reach, 0 to 1.
    #[serde(default)]
    pub target_ssim: Option<f64>,
    /// Runs of the encoder for `bitrate` and `size`: 1 or 2. Two unless said, where the encoder can.
    #[serde(default)]
    pub passes: Option<u8>,
    /// How hard to try.
    #[serde(default)]
    pub effort: Effort,
    /// Largest width in pixels; smaller sources stay as they are.
    #[serde(default)]
    pub max_width: Option<u32>,
    /// Largest height in pixels.
    #[serde(default)]
    pub max_height: Option<u32>,
    /// Bits of a sample.
    #[serde(default)]
    pub depth: Depth,
    /// Interlaced sources.
    #[serde(default)]
    pub interlaced: Interlaced,
    /// What may be lost.
    #[serde(default)]
    pub may_lose: Vec<Loss>,
    /// Longest time between two keyframes in seconds; the encoder's own unless said.
    #[serde(default)]
    pub keyframe_s: Option<f64>,
    /// The codec's profile, as the encoder names it: `high`, `main10`, `proxy`.
    #[serde(default)]
    pub profile: Option<String>,
    /// The codec's level: `4.1`.
    #[serde(default)]
    pub level: Option<String>,
    /// Which encoders come first: names (`hevc_nvenc`) or routes (`vulkan`, `vendor`, `cpu`). The others follow in that
    /// order of routes.
    #[serde(default)]
    pub encoders: Vec<String>,
}

impl VideoWish {
    /// This codec, with everything else unsaid.
    pub fn of(codec: VideoCodec) -> Self {
        VideoWish {
            codec,
            crf: None,
            bitrate: None,
            size: None,
            target_vmaf: None,
            target_ssim: None,
            passes: None,
            effort: Effort::Medium,
            max_width: None,
            max_height: None,
            depth: Depth::Keep,
            interlaced: Interlaced::Keep,
            may_lose: Vec::new(),
            keyframe_s: None,
            profile: None,
            level: None,
            encoders: Vec::new(),
        }
    }
}

/// Audio codec that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioCodec {
    /// AAC-LC.
    Aac,
    /// Opus.
    Opus,
    /// The source's own, untouched.
    Copy,
    /// FLAC: nothing is lost.
    Flac,
    /// Dolby Digital.
    Ac3,
}

/// What is wanted of the sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioWish {
    /// Wanted codec.
    pub codec: AudioCodec,
    /// Bits a second for a stereo pair, as in `"160k"`.
    #[serde(default)]
    pub bitrate: Option<String>,
}

/// What happens to subtitles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubtitleMode {
    /// Keep, converting where the container needs it; what it cannot hold is a warning.
    #[default]
    Keep,
    /// Leave out.
    Drop,
}

/// What to do about something that the container cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLoss {
    /// Leave it out, with a warning on the job.
    #[default]
    Warn,
    /// Refuse the job.
    Refuse,
}

/// What is wanted of subtitles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubtitleWish {
    /// Keep or drop.
    #[serde(default)]
    pub mode: SubtitleMode,
    /// Subtitles that are pictures, in a container that holds only text.
    #[serde(default)]
    pub pictures: OnLoss,
}

/// How the reason of a job begins that was skipped because its output was not smaller by enough. Remembered for its
/// source and recipe, also when the job is purged.
pub const NOT_WORTH_IT: &str = "not worth it";

/// For profiles that are to save space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeGuard {
    /// The output must be smaller than the source by this many percent, or the job is skipped: not worth it.
    pub min_saving_percent: u8,
}

/// How much of an output is looked at before it may take its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// First, middle and last seconds decode.
    #[default]
    Samples,
    /// Every frame decodes.
    Full,
    /// Every frame is the same as in the source, by hash.
    Lossless,
}

/// One run of ffmpeg with options as they are typed; files are ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPass {
    /// In front of `-i SOURCE`.
    #[serde(default)]
    pub input: String,
    /// Behind it, in front of the output.
    pub output: String,
}

/// A recipe, without its name: the name is the file's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// One line for people.
    pub description: String,
    /// Container of the output.
    pub container: Container,
    /// How much of an output is looked at.
    #[serde(default)]
    pub verify: Verify,
    /// Mean SSIM against the source, on samples, below which an output with a changed picture is refused.
    #[serde(default)]
    pub min_ssim: Option<f64>,
    /// The picture.
    pub video: VideoWish,
    /// The sound.
    pub audio: AudioWish,
    /// Subtitles.
    #[serde(default)]
    pub subtitles: SubtitleWish,
    /// For saving space.
    #[serde(default)]
    pub guard: Option<SizeGuard>,
    /// Options as they are typed, a run each; then `video` and `audio` only say what must come out.
    #[serde(default, rename = "pass")]
    pub passes: Vec<RawPass>,
}

impl Profile {
    /// These, with everything else unsaid.
    pub fn of(container: Container, video: VideoWish, audio: AudioWish) -> Self {
        Profile {
            description: String::new(),
            container,
            verify: Verify::Samples,
            min_ssim: None,
            video,
            audio,
            subtitles: SubtitleWish::default(),
            guard: None,
            passes: Vec::new(),
        }
    }
}

/// A profile with its name, as jobs refer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedProfile {
    /// The name people use.
    pub name: String,
    /// The recipe.
    pub profile: Profile,
}
