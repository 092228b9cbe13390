//! Encoders as data: a row says how the wishes of a profile are spelled for one encoder.
//!
//! [`table`] holds the rows, [`Encoder`] spells them. Knows nothing of processes and files. A new encoder is a new row.

mod table;

use std::collections::BTreeSet;

use vc_protocol::device::RateMode;
use vc_protocol::profile::{Effort, VideoCodec};

use crate::device::Gpu;

pub use table::ENCODERS;

/// Which way leads to an encoder; in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// Vulkan Video, and Vulkan's compute queues.
    Vulkan,
    /// NVIDIA's encoder.
    Nvenc,
    /// Intel's Quick Sync.
    Qsv,
    /// VAAPI, through a render node.
    Vaapi,
    /// AMD's AMF.
    Amf,
    /// Apple's.
    VideoToolbox,
    /// The processor.
    Cpu,
}

impl Route {
    /// The word that profiles use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vulkan => "vulkan",
            Self::Nvenc => "nvenc",
            Self::Qsv => "qsv",
            Self::Vaapi => "vaapi",
            Self::Amf => "amf",
            Self::VideoToolbox => "videotoolbox",
            Self::Cpu => "cpu",
        }
    }
}

/// How frames get to an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// It takes them from memory.
    Memory,
    /// They are uploaded to the device first.
    Uploaded,
}

/// Resolution of colour against that of light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chroma {
    /// A quarter: 4:2:0.
    Quarter,
    /// Half: 4:2:2.
    Half,
    /// The same: 4:4:4.
    Full,
}

/// A pixel format that an encoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Bits of a sample.
    pub bits: u8,
    /// Resolution of colour.
    pub chroma: Chroma,
    /// ffmpeg's name; in memory, before any upload.
    pub name: &'static str,
}

/// How constant quality is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Option words, with `{q}` where the value goes.
    pub words: &'static str,
    /// The encoder's value for one step of the codec's own scale (0 to 51, for AV1 and VP9 0 to 63).
    pub scale: f64,
    /// Best and worst value on the encoder's scale.
    pub range: (f64, f64),
    /// It takes fractions.
    pub has_fractions: bool,
}

/// How an encoder is told of two passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwoPass {
    /// By ffmpeg's own `-pass` and `-passlogfile`, from this major version of ffmpeg on.
    Flags {
        /// Oldest ffmpeg that passes it on.
        since_major: u32,
    },
    /// Inside the value of this option, as `pass=1:stats=FILE`.
    Params(&'static str),
}

/// How static metadata of HDR10 get into the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HdrWay {
    /// It passes on what comes with the frames.
    Frames,
    /// It must be told, in this option that takes `key=value:…`.
    Params(&'static str),
    /// Not at all.
    Lost,
}

/// One encoder of ffmpeg. Texts called words are options as they are typed, each `-name value`; the number of the
/// stream is put behind every name.
#[derive(Debug, PartialEq)]
pub struct Encoder {
    /// ffmpeg's name of it.
    pub name: &'static str,
    /// What it makes.
    pub codec: VideoCodec,
    /// The way to it.
    pub route: Route,
    /// How frames get there.
    pub frames: Frames,
    /// What it takes; for each depth and resolution of colour at most one.
    pub formats: &'static [Format],
    /// Constant quality; none where there is nothing to choose.
    pub quality: Option<Quality>,
    /// Words for an average bitrate, with `{b}` for bits a second; empty if it knows none.
    pub bitrate: &'static str,
    /// Words for fast, medium and slow.
    pub speeds: [&'static str; 3],
    /// Words for the longest distance of keyframes, with `{g}` for frames; empty if every frame is one.
    pub keyframes: &'static str,
    /// How two passes are asked for; none if there is one only.
    pub two_pass: Option<TwoPass>,
    /// Words that keep an interlaced source so; empty if it cannot.
    pub interlaced: &'static str,
    /// HDR10.
    pub hdr: HdrWay,
    /// Words that are always given. Those of the option that [`TwoPass::Params`] or [`HdrWay::Params`] names are joined
    /// with what these add.
    pub options: &'static str,
    /// Variables that keep its own chatter out of the log.
    pub env: &'static [(&'static str, &'static str)],
}

/// How quality is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Constant quality, on the encoder's own scale.
    Quality(f64),
    /// Average bits a second.
    Bitrate(u64),
    /// Nothing to ask: lossless, or fixed by the codec's profile.
    Fixed,
}

impl Rate {
    /// Which trial proves it.
    pub fn mode(self) -> RateMode {
        match self {
            Self::Bitrate(_) => RateMode::Bitrate,
            Self::Quality(_) | Self::Fixed => RateMode::Quality,
        }
    }
}

/// Options of one encoder: names without their dash, and values.
pub type Options = Vec<(String, String)>;

fn options(words: &str, mark: &str, value: &str) -> Options {
    let mut words = words.split_ascii_whitespace();
    let mut options = Options::new();
    while let (Some(name), Some(text)) = (words.next(), words.next()) {
        options.push((name.trim_start_matches('-').to_owned(), text.replace(mark, value)));
    }
    options
}

impl Encoder {
    /// What is always given.
    pub fn always(&self) -> Options {
        options(self.options, "", "")
    }

    /// How hard it tries.
    pub fn speed(&self, effort: Effort) -> Options {
        let [fast, medium, slow] = self.speeds;
        let words = match effort {
            Effort::Fast => fast,
            Effort::Medium => medium,
            Effort::Slow => slow,
        };
        options(words, "", "")
    }

    /// How good it is to be.
    pub fn rate(&self, rate: Rate) -> Options {
        match (rate, self.quality) {
            (Rate::Quality(value), Some(quality)) => options(quality.words, "{q}", &quality.spelled(value)),
            (Rate::Bitrate(bits), _) => options(self.bitrate, "{b}", &bits.to_string()),
            (Rate::Quality(_), None) | (Rate::Fixed, _) => Options::new(),
        }
    }

    /// A keyframe at least every so many frames.
    pub fn keyframes(&self, frames: u32) -> Options {
        options(self.keyframes, "{g}", &frames.to_string())
    }

    /// The best format for a source: its depth if there is such a format, else the next deeper one, else the deepest; of
    /// those the same for colour.
    pub fn format(&self, bits: u8, chroma: Chroma) -> Format {
        let by = |format: &&Format| {
            let depth =
                if format.bits >= bits { i32::from(format.bits) } else { 1000 - i32::from(format.bits) };
            let colour =
                if format.chroma >= chroma { format.chroma as i32 } else { 10 - format.chroma as i32 };
            (depth, colour)
        };
        let best = self.formats.iter().min_by_key(by);
        best.copied().unwrap_or(Format { bits: 8, chroma: Chroma::Quarter, name: "yuv420p" })
    }

    /// Whether this ffmpeg can run it in two passes.
    pub fn has_two_pass(&self, ffmpeg_major: u32) -> bool {
        match self.two_pass {
            Some(TwoPass::Flags { since_major }) => ffmpeg_major >= since_major,
            Some(TwoPass::Params(_)) => true,
            None => false,
        }
    }

    /// Options in front of the inputs that open the device, and variables for the process.
    pub fn device(&self, gpu: Option<&Gpu>) -> DeviceWords {
        let _ = gpu;
        DeviceWords {
            args: Vec::new(),
            env: self.env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }
    }
}

/// How a device is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceWords {
    /// Options in front of the inputs.
    pub args: Vec<String>,
    /// Variables of the process.
    pub env: Vec<(String, String)>,
}

impl Quality {
    /// The encoder's value for one on the codec's scale.
    pub fn on_scale(&self, crf: f64) -> f64 {
        let value = (crf * self.scale).clamp(self.range.0, self.range.1);
        if self.has_fractions { value } else { value.round() }
    }

    fn spelled(&self, value: f64) -> String {
        if self.has_fractions && value.fract() != 0.0 { format!("{value:.2}") } else { format!("{value:.0}") }
    }
}

/// An encoder on a device, as a plan uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The encoder.
    pub encoder: &'static Encoder,
    /// The card; none for the processor.
    pub gpu: Option<Gpu>,
    /// Pictures are decoded and scaled on the card too. Where that fails, the same encoder follows without it.
    pub is_on_device: bool,
}

/// The encoders for a codec that this ffmpeg lists, the preferred first.
pub fn candidates(codec: VideoCodec, listed: &BTreeSet<String>) -> impl Iterator<Item = &'static Encoder> {
    ENCODERS.iter().filter(move |encoder| encoder.codec == codec && listed.contains(encoder.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_but_copy_has_a_row_and_only_listed_ones_are_offered() {
        for codec in VideoCodec::ALL.into_iter().filter(|codec| codec.is_encoded()) {
            assert!(ENCODERS.iter().any(|e| e.codec == codec), "{codec:?}");
        }
        let listed = BTreeSet::from(["libx265".to_owned()]);
        assert_eq!(candidates(VideoCodec::Hevc, &listed).count(), 1);
        assert_eq!(candidates(VideoCodec::H264, &listed).count(), 0);
    }

    #[test]
    fn a_format_keeps_what_the_source_has_where_it_can() {
        let row = |name| ENCODERS.iter().find(|e| e.name == name).unwrap();
        for (name, bits, chroma, format) in [
            ("libx264", 8, Chroma::Quarter, "yuv420p"),
            ("libx264", 10, Chroma::Half, "yuv420p"),
            ("libx265", 8, Chroma::Quarter, "yuv420p"),
            ("libx265", 10, Chroma::Quarter, "yuv420p10le"),
            ("libx265", 12, Chroma::Full, "yuv420p10le"),
        ] {
            assert_eq!(row(name).format(bits, chroma).name, format, "{name} {bits}");
        }
    }
}
