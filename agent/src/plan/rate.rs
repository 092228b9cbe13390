//! How good pictures are to be: quality, bits a second, or as many of those as a size leaves.

use vc_protocol::media::Media;
use vc_protocol::profile::{Profile, VideoCodec, VideoWish, parse_bitrate, parse_size};

use super::{Action, Planned, Refusal, sound};
use crate::encoder::{Encoder, Rate};

/// Bits a second below which no picture is worth its name; a size that leaves less is hopeless.
const PICTURE_BITS_MIN: u64 = 40_000;
/// What a container takes of a size for itself: one part in this many.
const CONTAINER_SHARE: u64 = 100;

pub(super) struct Chosen {
    pub(super) rate: Rate,
    pub(super) is_two_pass: bool,
    pub(super) warnings: Vec<String>,
}

/// Decides for all pictures of a source.
pub(super) fn choose(
    media: &Media,
    profile: &Profile,
    encoder: Option<&Encoder>,
    streams: &[Planned],
    major: u32,
) -> Result<Chosen, Refusal> {
    let wish = &profile.video;
    let Some(encoder) = encoder else {
        return Ok(Chosen { rate: Rate::Fixed, is_two_pass: false, warnings: Vec::new() });
    };
    let rate = rate(media, wish, encoder, streams)?;
    let wants_two = matches!(rate, Rate::Bitrate(_)) && wish.passes != Some(1);
    let is_two_pass = wants_two && encoder.has_two_pass(major);
    let mut warnings = Vec::new();
    if wants_two && !is_two_pass {
        warnings.push(format!("{} of this ffmpeg has no two-pass mode: one pass was used", encoder.name));
    }
    Ok(Chosen { rate, is_two_pass, warnings })
}

fn rate(media: &Media, wish: &VideoWish, encoder: &Encoder, streams: &[Planned]) -> Result<Rate, Refusal> {
    let aims = wish.target_vmaf.is_some() || wish.target_ssim.is_some();
    let quality = wish.crf.map(f64::from).or_else(|| aims.then(|| starting(wish.codec)));
    if let Some(quality_wanted) = quality {
        return match encoder.quality {
            Some(quality) => Ok(Rate::Quality(quality.on_scale(quality_wanted))),
            None if encoder.is_lossless() => Ok(Rate::Fixed),
            None => Err(Refusal::encoder(format!("{} has no constant quality", encoder.name))),
        };
    }
    let bits = match (&wish.bitrate, &wish.size) {
        (Some(text), _) => parse_bitrate(text),
        (None, Some(text)) => match parse_size(text) {
            Some(bytes) => Some(within(bytes, text, media, streams)?),
            None => None,
        },
        // Codecs for keeping and cutting say by themselves how good they are.
        (None, None) => return Ok(Rate::Fixed),
    };
    match bits {
        Some(_) if encoder.bitrate.is_empty() => {
            Err(Refusal::encoder(format!("{} cannot be held to a bitrate", encoder.name)))
        }
        Some(bits) => Ok(Rate::Bitrate(bits)),
        None => Ok(Rate::Fixed),
    }
}

/// Where a search for a measured quality begins: what looks like the source to most people, on the codec's scale.
fn starting(codec: VideoCodec) -> f64 {
    match codec {
        VideoCodec::H264 => 22.0,
        VideoCodec::Hevc => 24.0,
        VideoCodec::Av1 | VideoCodec::Vp9 => 31.0,
        VideoCodec::Copy | VideoCodec::Ffv1 | VideoCodec::Prores | VideoCodec::Drop => 0.0,
    }
}

/// Bits a second that a size leaves for each picture.
fn within(bytes: u64, text: &str, media: &Media, streams: &[Planned]) -> Result<u64, Refusal> {
    let Some(ms) = media.duration_ms.filter(|ms| *ms > 0) else {
        return Err(Refusal::source("its length is not known, which a profile with a size needs"));
    };
    let total = bytes.saturating_mul(8).saturating_mul(1000) / ms;
    let sounds: u64 = streams.iter().map(sound::bits_of).sum();
    let pictures = streams.iter().filter(|s| matches!(s.action, Action::Picture(_))).count().max(1) as u64;
    let left = (total - total / CONTAINER_SHARE).saturating_sub(sounds) / pictures;
    if left < PICTURE_BITS_MIN {
        let (minutes, sounds) = (ms / 60_000, sounds / 1000);
        return Err(Refusal::source(format!(
            "{text} cannot hold {minutes} minutes: its sound takes about {sounds} kbit/s of {} kbit/s",
            total / 1000
        )));
    }
    Ok(left)
}
