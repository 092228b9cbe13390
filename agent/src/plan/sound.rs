//! What becomes of a sound stream: what is right already is copied, all else keeps its speakers.

use std::collections::BTreeSet;

use vc_protocol::media::{Stream, StreamKind};
use vc_protocol::profile::{AudioCodec, AudioWish, Container, parse_bitrate};

use super::{Action, Planned, Refusal, extras, hold};

/// Most channels that AAC, Opus and FLAC take.
const CHANNELS_MAX: u32 = 8;
/// Most channels that AC-3 takes.
const AC3_CHANNELS_MAX: u32 = 6;
/// Most bits a second that AC-3 knows.
const AC3_BITS_MAX: u64 = 640_000;

/// How a sound stream is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// ffmpeg's name of the encoder.
    pub encoder: &'static str,
    /// The codec, as ffprobe names it.
    pub codec: &'static str,
    /// Bits a second for all channels; 0 where nothing is lost.
    pub bits: u64,
    /// Mixed down to this many channels.
    pub mixed_to: Option<u32>,
    /// `-filter`, if any.
    pub filter: Option<&'static str>,
}

pub(super) enum Fate {
    Copy,
    /// With the number of channels that come out.
    Encode(Sound, u32),
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
) -> Result<Taken, Refusal> {
    let index = stream.index;
    if !hold::is_known(&stream.codec) {
        // Phones carry spatial sound of a kind that ffmpeg cannot name, beside a stereo track of the same.
        let warnings = vec![extras::dropped(stream, "sound")];
        return Ok(Taken { sound: Fate::Drop, warnings });
    }
    let mut warnings = Vec::new();
    let fits = hold::sound(container, &stream.codec);
    if fits && (wish.codec == AudioCodec::Copy || name(wish.codec) == stream.codec) {
        return Ok(Taken { sound: Fate::Copy, warnings });
    }
    let target = match wish.codec {
        AudioCodec::Copy => {
            let name = container.extension();
            warnings.push(format!(
                "stream {index}: {name} cannot hold {} sound, which was converted",
                stream.codec
            ));
            match container {
                Container::Webm => AudioCodec::Opus,
                // Nothing is lost by that.
                Container::Mkv | Container::Mka if stream.codec.starts_with("pcm_") => AudioCodec::Flac,
                Container::Mkv | Container::Mka | Container::Mp4 | Container::Mov | Container::M4a => {
                    AudioCodec::Aac
                }
            }
        }
        AudioCodec::Aac | AudioCodec::Opus | AudioCodec::Flac | AudioCodec::Ac3 => wish.codec,
    };
    let codec = name(target);
    if !hold::sound(container, codec) {
        return Err(Refusal::source(format!("{} cannot hold {codec} sound", container.extension())));
    }
    let encoder = if target == AudioCodec::Opus { "libopus" } else { codec };
    if !encoders.contains(encoder) {
        return Err(Refusal::encoder(format!("this ffmpeg has no {encoder} encoder")));
    }
    let has = if stream.channels == 0 { 2 } else { stream.channels };
    let (filter, channels) = speakers(target, &stream.channel_layout, has);
    let mixed_to = (has > CHANNELS_MAX).then_some(channels);
    if channels < has {
        warnings.push(format!("stream {index}: {has} channels were mixed to {channels}"));
    }
    let sound = Sound { encoder, codec, bits: bits(target, wish, channels), mixed_to, filter };
    let channels = if stream.channels == 0 { 0 } else { channels };
    Ok(Taken { sound: Fate::Encode(sound, channels), warnings })
}

fn name(codec: AudioCodec) -> &'static str {
    match codec {
        AudioCodec::Aac => "aac",
        AudioCodec::Opus => "opus",
        AudioCodec::Flac => "flac",
        AudioCodec::Ac3 => "ac3",
        AudioCodec::Copy => "",
    }
}

fn bits(codec: AudioCodec, wish: &AudioWish, channels: u32) -> u64 {
    let usual = match codec {
        AudioCodec::Flac => return 0,
        AudioCodec::Opus => 128_000,
        AudioCodec::Ac3 => 192_000,
        AudioCodec::Aac | AudioCodec::Copy => 160_000,
    };
    let pair = wish.bitrate.as_deref().and_then(parse_bitrate).unwrap_or(usual);
    let bits = pair * u64::from(channels) / 2;
    if codec == AudioCodec::Ac3 { bits.min(AC3_BITS_MAX) } else { bits }
}

/// The filter that gives speakers which the codec knows, and how many there are then. Each codec has its own list; what
/// is not on it goes to one with as many speakers or more, but for AC-3, which ends at 5.1.
fn speakers(codec: AudioCodec, layout: &str, channels: u32) -> (Option<&'static str>, u32) {
    match codec {
        AudioCodec::Opus => opus_speakers(layout, channels),
        AudioCodec::Ac3 if channels >= AC3_CHANNELS_MAX => {
            let is_known = channels == AC3_CHANNELS_MAX && layout.starts_with("5.1");
            let filter = (!is_known).then_some("aformat=channel_layouts=5.1(side)");
            (filter, AC3_CHANNELS_MAX)
        }
        AudioCodec::Aac | AudioCodec::Flac | AudioCodec::Ac3 | AudioCodec::Copy => {
            (None, channels.min(CHANNELS_MAX))
        }
    }
}

fn opus_speakers(layout: &str, channels: u32) -> (Option<&'static str>, u32) {
    match (layout, channels) {
        ("mono" | "stereo" | "3.0" | "quad" | "5.0" | "5.1" | "6.1" | "7.1", _) | (_, 0..=2) => {
            (None, channels)
        }
        ("quad(side)", _) => (Some("aformat=channel_layouts=quad"), 4),
        ("5.0(side)", _) => (Some("aformat=channel_layouts=5.0"), 5),
        // A centre behind, and nothing for the deepest tones.
        ("3.0(back)" | "4.0", _) => (Some("aformat=channel_layouts=5.0"), 5),
        // A speaker for the deepest tones, which films have most often, with side speakers.
        ("2.1" | "3.1" | "4.1" | "5.1(side)", _) | (_, 3..=6) if !is_hexagonal(layout) => {
            (Some("aformat=channel_layouts=5.1"), 6)
        }
        _ => (Some("aformat=channel_layouts=7.1"), 8),
    }
}

/// Six speakers of which 5.1 lacks one.
fn is_hexagonal(layout: &str) -> bool {
    layout.starts_with("6.0") || layout.starts_with("hexagonal")
}

/// Length of a sound with what its container hides of it, as far as its packets are counted and of one size.
pub(super) fn whole_ms(stream: &Stream) -> Option<u64> {
    let samples = match stream.codec.as_str() {
        "aac" => 1024,
        "mp3" => 1152,
        "ac3" | "eac3" => 1536,
        _ => return None,
    };
    let all = stream.frames?.checked_mul(samples * 1000)?;
    all.checked_div(u64::from(stream.sample_rate))
        .filter(|whole| stream.duration_ms.is_some_and(|ms| ms < *whole))
}

/// Bits a second of a sound of the output, guessed where it is copied or nothing is lost: no header says it.
pub(super) fn bits_of(stream: &Planned) -> u64 {
    if stream.kind != StreamKind::Audio {
        return 0;
    }
    match &stream.action {
        Action::Sound(sound) if sound.bits > 0 => return sound.bits,
        Action::Sound(_) | Action::Copy | Action::Picture(_) | Action::Text(_) => {}
    }
    let each = match stream.codec.as_str() {
        "aac" | "opus" | "vorbis" | "mp3" | "mp2" | "wmav2" => 80_000,
        "ac3" | "eac3" => 107_000,
        "dts" => 256_000,
        codec if codec.starts_with("pcm_") => 768_000,
        _ => 500_000,
    };
    each * u64::from(if stream.channels == 0 { 2 } else { stream.channels })
}
