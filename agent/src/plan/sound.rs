//! What becomes of a sound stream: what is right already is copied.

use std::collections::BTreeSet;

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::Stream;
use vc_protocol::profile::{AudioCodec, AudioWish, Container, parse_bitrate};

use super::hold;

/// Most channels that AAC and Opus take.
const CHANNELS_MAX: u32 = 8;

/// How a sound stream is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// ffmpeg's name of the encoder.
    pub encoder: &'static str,
    /// The codec, as ffprobe names it.
    pub codec: &'static str,
    /// Bits a second for all channels.
    pub bits: u64,
    /// Mixed down to this many channels.
    pub mixed_to: Option<u32>,
    /// `-filter`, if any.
    pub filter: Option<&'static str>,
}

pub(super) enum Fate {
    Copy,
    Encode(Sound),
    Drop,
}

pub(super) struct Taken {
    pub(super) sound: Fate,
    pub(super) warnings: Vec<String>,
}

/// Decides about one stream.
pub(super) fn plan(
    stream: &Stream,
    wish: &AudioWish,
    container: Container,
    encoders: &BTreeSet<String>,
) -> Result<Taken, Failure> {
    if !hold::is_known(&stream.codec) {
        // Phones carry spatial sound of a kind that ffmpeg cannot name, beside a stereo track of the same.
        let warnings = vec![super::dropped(stream, "sound")];
        return Ok(Taken { sound: Fate::Drop, warnings });
    }
    let mut warnings = Vec::new();
    let fits = hold::sound(container, &stream.codec);
    let target = match wish.codec {
        AudioCodec::Copy if fits => return Ok(Taken { sound: Fate::Copy, warnings }),
        AudioCodec::Aac if fits && stream.codec == "aac" => return Ok(Taken { sound: Fate::Copy, warnings }),
        AudioCodec::Opus if fits && stream.codec == "opus" => {
            return Ok(Taken { sound: Fate::Copy, warnings });
        }
        AudioCodec::Copy => {
            let target = if container == Container::Webm { AudioCodec::Opus } else { AudioCodec::Aac };
            warnings.push(format!(
                "stream {}: {} cannot hold {} sound, which was converted",
                stream.index,
                container.extension(),
                stream.codec
            ));
            target
        }
        AudioCodec::Flac if fits && stream.codec == "flac" => {
            return Ok(Taken { sound: Fate::Copy, warnings });
        }
        AudioCodec::Ac3 if fits && stream.codec == "ac3" => return Ok(Taken { sound: Fate::Copy, warnings }),
        AudioCodec::Aac | AudioCodec::Opus | AudioCodec::Flac | AudioCodec::Ac3 => wish.codec,
    };
    let mut sound = match target {
        AudioCodec::Opus => {
            Sound { encoder: "libopus", codec: "opus", bits: 128_000, mixed_to: None, filter: None }
        }
        AudioCodec::Flac => Sound { encoder: "flac", codec: "flac", bits: 0, mixed_to: None, filter: None },
        AudioCodec::Ac3 => {
            Sound { encoder: "ac3", codec: "ac3", bits: 192_000, mixed_to: None, filter: None }
        }
        AudioCodec::Aac | AudioCodec::Copy => {
            Sound { encoder: "aac", codec: "aac", bits: 160_000, mixed_to: None, filter: None }
        }
    };
    if !encoders.contains(sound.encoder) {
        return Err(Failure::new(
            FailureClass::Encoder,
            format!("this ffmpeg has no {} encoder", sound.encoder),
        ));
    }
    let channels = if stream.channels == 0 { 2 } else { stream.channels };
    if channels > CHANNELS_MAX {
        warnings.push(format!("stream {}: {channels} channels were mixed to {CHANNELS_MAX}", stream.index));
        sound.mixed_to = Some(CHANNELS_MAX);
    }
    let pair = wish.bitrate.as_deref().and_then(parse_bitrate).unwrap_or(sound.bits);
    sound.bits = pair * u64::from(channels.min(CHANNELS_MAX)) / 2;
    // libopus refuses 5.1 with side speakers, which most films have.
    if target == AudioCodec::Opus && channels > 2 {
        sound.filter = Some("aformat=channel_layouts=7.1|6.1|5.1|5.0|quad|3.0|stereo|mono");
    }
    Ok(Taken { sound: Fate::Encode(sound), warnings })
}
