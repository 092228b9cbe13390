//! What becomes of a subtitle stream: kept where the container can, converted where it is text, else left out aloud.

use vc_protocol::media::Stream;
use vc_protocol::profile::{Container, SubtitleMode};

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
    Convert(Target),
    Leave,
    Drop(String),
}

/// Decides about one stream.
pub(super) fn plan(stream: &Stream, mode: SubtitleMode, container: Container) -> Fate {
    if mode == SubtitleMode::Drop {
        return Fate::Leave;
    }
    let (held, target): (&[&str], _) = match container {
        Container::Mkv | Container::Mka => (MKV, Target { encoder: "srt", codec: "subrip" }),
        Container::Mp4 | Container::Mov | Container::M4a => {
            (&["mov_text"], Target { encoder: "mov_text", codec: "mov_text" })
        }
        Container::Webm => (&["webvtt"], Target { encoder: "webvtt", codec: "webvtt" }),
    };
    let codec = stream.codec.as_str();
    if held.contains(&codec) {
        Fate::Copy
    } else if TEXTS.contains(&codec) {
        Fate::Convert(target)
    } else {
        let what = super::dropped(stream, "subtitles");
        Fate::Drop(format!("{what}: {} cannot hold them", container.extension()))
    }
}
