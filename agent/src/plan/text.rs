//! What becomes of a subtitle stream: kept where the container can, converted where it is text, else left out aloud.

use vc_protocol::media::Stream;
use vc_protocol::profile::{Container, OnLoss, SubtitleMode, SubtitleWish};

use super::{Refusal, extras};

/// Formats of text that ffmpeg can read.
const TEXTS: &[&str] = &[
    "subrip",
    "srt",
    "ass",
    "ssa",
    "webvtt",
    "mov_text",
    "text",
    "eia_608",
    "subviewer",
    "subviewer1",
    "microdvd",
    "jacosub",
    "sami",
    "realtext",
    "mpl2",
    "vplayer",
    "pjs",
    "stl",
];
/// Those with fonts, colours and places.
const STYLED: [&str; 2] = ["ass", "ssa"];
/// Formats that are pictures.
const PICTURES: [&str; 4] = ["hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"];
/// Formats that Matroska holds as they are.
const MKV: &[&str] = &[
    "subrip",
    "ass",
    "ssa",
    "webvtt",
    "hdmv_pgs_subtitle",
    "hdmv_text_subtitle",
    "dvd_subtitle",
    "dvb_subtitle",
    "arib_caption",
];

/// A text format that is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// ffmpeg's encoder.
    pub(super) encoder: &'static str,
    /// The codec, as ffprobe names it.
    pub(super) codec: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Copy,
    /// With what is lost on the way, if anything.
    Convert(Target, Option<String>),
    Leave,
    Drop(String),
}

/// Decides about one stream.
pub(super) fn plan(stream: &Stream, wish: SubtitleWish, container: Container) -> Result<Fate, Refusal> {
    if wish.mode == SubtitleMode::Drop {
        return Ok(Fate::Leave);
    }
    let (held, target): (&[&str], _) = match container {
        Container::Mkv | Container::Mka => (MKV, Target { encoder: "srt", codec: "subrip" }),
        Container::Mp4 | Container::Mov | Container::M4a => {
            (&["mov_text"], Target { encoder: "mov_text", codec: "mov_text" })
        }
        Container::Webm => (&["webvtt"], Target { encoder: "webvtt", codec: "webvtt" }),
    };
    let (codec, name) = (stream.codec.as_str(), container.extension());
    if held.contains(&codec) {
        return Ok(Fate::Copy);
    }
    if TEXTS.contains(&codec) {
        let lost = STYLED.contains(&codec).then(|| {
            format!(
                "stream {}: {name} keeps the words of {codec} subtitles and little of their looks",
                stream.index
            )
        });
        return Ok(Fate::Convert(target, lost));
    }
    let why = format!("{}: {name} cannot hold them", extras::dropped(stream, "subtitles"));
    match wish.pictures {
        OnLoss::Refuse if PICTURES.contains(&codec) => {
            Err(Refusal::source(format!("stream {}: {name} cannot hold {codec} subtitles", stream.index)))
        }
        OnLoss::Refuse | OnLoss::Warn => Ok(Fate::Drop(why)),
    }
}
