//! Profiles: named recipes that say what is wanted, never which command line.
//!
//! The TOML form is read by the console; agents get the same value inside an offer.

use serde::{Deserialize, Serialize};

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
}

impl Container {
    /// File extension without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mkv => "mkv",
            Self::Mov => "mov",
            Self::Webm => "webm",
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
}

impl VideoCodec {
    /// ffmpeg's name of the codec; empty for copy.
    pub fn ffmpeg_name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Copy => "",
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

/// What is wanted of the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoWish {
    /// Wanted codec.
    pub codec: VideoCodec,
    /// Constant quality on the codec's own scale.
    #[serde(default)]
    pub crf: Option<u8>,
    /// Average bits a second, as in `"6M"`; encoded in two passes.
    #[serde(default)]
    pub bitrate: Option<String>,
    /// How hard to try.
    #[serde(default)]
    pub effort: Effort,
    /// Largest width in pixels; smaller sources stay as they are.
    #[serde(default)]
    pub max_width: Option<u32>,
    /// Largest height in pixels.
    #[serde(default)]
    pub max_height: Option<u32>,
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

/// What is wanted of subtitles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubtitleWish {
    /// Keep or drop.
    #[serde(default)]
    pub mode: SubtitleMode,
}

/// A recipe, without its name: the name is the file's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// One line for people.
    pub description: String,
    /// Container of the output.
    pub container: Container,
    /// The picture.
    pub video: VideoWish,
    /// The sound.
    pub audio: AudioWish,
    /// Subtitles.
    #[serde(default)]
    pub subtitles: SubtitleWish,
}

/// A profile with its name, as jobs refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedProfile {
    /// The name people use.
    pub name: String,
    /// The recipe.
    pub profile: Profile,
}

/// Why a profile makes no sense; the text follows the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Neither or both of crf and bitrate.
    #[error("video needs exactly one of `crf` and `bitrate`")]
    RateMode,
    /// A copied picture cannot have quality or size.
    #[error("video codec \"copy\" takes no crf, bitrate, max_width or max_height")]
    CopyWithKnobs,
    /// Not on the codec's scale.
    #[error("crf {0} is off the codec's scale (0 to {1})")]
    CrfRange(u8, u8),
    /// Not a number of bits a second.
    #[error("bitrate \"{0}\" is not a number of bits a second such as \"6M\" or \"800k\"")]
    Bitrate(String),
    /// The container cannot hold the codec.
    #[error("container {0} cannot hold {1}")]
    Container(&'static str, &'static str),
}

/// Bits a second from `"6M"`, `"800k"` or plain digits.
pub fn parse_bitrate(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1_000.0),
        b'm' | b'M' => (&text[..text.len() - 1], 1_000_000.0),
        _ => (text, 1.0),
    };
    let value: f64 = digits.parse().ok()?;
    let bits = value * unit;
    (bits.is_finite() && (1_000.0..=10_000_000_000.0).contains(&bits)).then_some(bits as u64)
}

impl Profile {
    /// What is wanted, in words: codec, quality, audio, subtitles, container.
    pub fn words(&self) -> String {
        let v = &self.video;
        let mut words = vec![match v.codec {
            VideoCodec::H264 => "H.264".to_owned(),
            VideoCodec::Hevc => "HEVC".to_owned(),
            VideoCodec::Av1 => "AV1".to_owned(),
            VideoCodec::Copy => "video copy".to_owned(),
        }];
        words.extend(v.crf.map(|crf| format!("quality {crf}")));
        words.extend(v.bitrate.as_ref().map(|bits| format!("{bits}bit/s")));
        words.extend(match (v.max_width, v.max_height) {
            (Some(width), Some(height)) => Some(format!("at most {width}x{height}")),
            (Some(width), None) => Some(format!("at most {width} wide")),
            (None, Some(height)) => Some(format!("at most {height} high")),
            (None, None) => None,
        });
        let audio = match self.audio.codec {
            AudioCodec::Aac => "AAC",
            AudioCodec::Opus => "Opus",
            AudioCodec::Copy => "copy",
        };
        let bits = self.audio.bitrate.as_ref().map(|bits| format!(" {bits}bit/s")).unwrap_or_default();
        words.push(format!("audio {audio}{bits}"));
        words.push(match self.subtitles.mode {
            SubtitleMode::Keep => "subtitles kept".to_owned(),
            SubtitleMode::Drop => "no subtitles".to_owned(),
        });
        words.push(self.container.extension().to_owned());
        words.join(", ")
    }

    /// Checks what the types cannot say.
    pub fn check(&self) -> Result<(), ProfileError> {
        let v = &self.video;
        if v.codec == VideoCodec::Copy {
            if v.crf.is_some() || v.bitrate.is_some() || v.max_width.is_some() || v.max_height.is_some() {
                return Err(ProfileError::CopyWithKnobs);
            }
        } else if v.crf.is_some() == v.bitrate.is_some() {
            return Err(ProfileError::RateMode);
        }
        let crf_max = if v.codec == VideoCodec::Av1 { 63 } else { 51 };
        if let Some(crf) = v.crf
            && crf > crf_max
        {
            return Err(ProfileError::CrfRange(crf, crf_max));
        }
        for text in [&v.bitrate, &self.audio.bitrate].into_iter().flatten() {
            if parse_bitrate(text).is_none() {
                return Err(ProfileError::Bitrate(text.clone()));
            }
        }
        if self.container == Container::Webm {
            if matches!(v.codec, VideoCodec::H264 | VideoCodec::Hevc) {
                return Err(ProfileError::Container("webm", v.codec.ffmpeg_name()));
            }
            if self.audio.codec == AudioCodec::Aac {
                return Err(ProfileError::Container("webm", "aac"));
            }
        }
        Ok(())
    }
}
