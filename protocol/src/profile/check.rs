//! What the types of a profile cannot say.

use super::{AudioCodec, Container, Profile, VideoCodec};

/// Why a profile makes no sense; the text follows the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// None or several ways of saying how good.
    #[error("video needs exactly one of `crf`, `bitrate`, `size`, `target_vmaf` and `target_ssim`")]
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

/// Bytes from `"700M"`, `"4G"` or plain digits.
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'M' => (&text[..text.len() - 1], 1_000_000.0),
        b'G' => (&text[..text.len() - 1], 1_000_000_000.0),
        _ => (text, 1.0),
    };
    let bytes = digits.parse::<f64>().ok()? * unit;
    (bytes.is_finite() && (100_000.0..=1e13).contains(&bytes)).then_some(bytes as u64)
}

impl Profile {
    /// Checks what the types cannot say.
    pub fn check(&self) -> Result<(), ProfileError> {
        let v = &self.video;
        let rates = [
            v.crf.is_some(),
            v.bitrate.is_some(),
            v.size.is_some(),
            v.target_vmaf.is_some(),
            v.target_ssim.is_some(),
        ];
        let rates = rates.iter().filter(|is_given| **is_given).count();
        match v.codec {
            VideoCodec::Copy | VideoCodec::Drop => {
                if rates > 0 || v.max_width.is_some() || v.max_height.is_some() {
                    return Err(ProfileError::CopyWithKnobs);
                }
            }
            VideoCodec::Ffv1 | VideoCodec::Prores if rates == 0 => {}
            VideoCodec::H264
            | VideoCodec::Hevc
            | VideoCodec::Av1
            | VideoCodec::Vp9
            | VideoCodec::Ffv1
            | VideoCodec::Prores => {
                if rates != 1 && self.passes.is_empty() {
                    return Err(ProfileError::RateMode);
                }
            }
        }
        let crf_max = if matches!(v.codec, VideoCodec::Av1 | VideoCodec::Vp9) { 63 } else { 51 };
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
