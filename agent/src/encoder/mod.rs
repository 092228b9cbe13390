//! Encoders as data: a row says how the wishes of a profile are spelled for one encoder.
//!
//! [`table`] holds the rows, [`Encoder`] spells them, [`route`] says how frames get to a device and back. Knows nothing of
//! processes and files. A new encoder is a new row.

mod format;
mod route;
mod table;

use std::collections::BTreeSet;

use vc_protocol::device::RateMode;
use vc_protocol::profile::{Effort, VideoCodec};

use crate::device::Gpu;

pub use format::{Chroma, Format};
pub use route::{DeviceWords, Route};
pub use table::ENCODERS;

/// How frames get to an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// It takes them from memory.
    Memory,
    /// They are uploaded to the device first.
    Uploaded,
}

/// How constant quality is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Option words, with `{q}` where the value goes.
    pub words: &'static str,
    /// The encoder's value for 0 of the codec's own scale (0 to 51, for AV1 and VP9 0 to 63).
    pub zero: f64,
    /// What each step of the codec's own scale adds to it.
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

/// A profile of the codec that an encoder can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// As people say it: `main10`, `proxy`.
    pub name: &'static str,
    /// As this encoder says it.
    pub spelled: &'static str,
    /// Bits of a sample that it is made for.
    pub bits: &'static [u8],
    /// Resolution of colour that it is made for.
    pub chroma: Chroma,
}

/// How an encoder is told the codec's profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profiles {
    /// Words, with `{p}` where the name goes; empty where the pixel format says it all.
    pub words: &'static str,
    /// Those that it knows.
    pub known: &'static [Named],
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
    /// Formats of a source that it takes as they are, so that nothing at all is lost; only rows that lose nothing have any.
    pub keeps: &'static [&'static str],
    /// What it takes of a source with transparency; none where that is lost.
    pub alpha: Option<&'static str>,
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
    /// The codec's profiles.
    pub profiles: Profiles,
    /// Words for the codec's level, with `{l}` for `4.0`, `{s}` for `4` and `{d}` for `40`; empty if it cannot be told.
    pub level: &'static str,
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

/// Brings options together: of one that is said twice the last counts, and those that hold `key=value:…` are joined.
pub fn joined(all: impl IntoIterator<Item = (String, String)>) -> Options {
    let mut options = Options::new();
    for (name, value) in all {
        match options.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if name.ends_with("-params") => *known = format!("{known}:{value}"),
            Some((_, known)) => *known = value,
            None => options.push((name, value)),
        }
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

    /// What keeps the fields of an interlaced source; empty if it cannot.
    pub fn fields(&self) -> Options {
        options(self.interlaced, "", "")
    }

    /// The profile of the codec that people call so; none if this encoder cannot make it.
    pub fn named(&self, profile: &str) -> Option<&'static Named> {
        self.profiles.known.iter().find(|named| named.name.eq_ignore_ascii_case(profile))
    }

    /// The words for a profile of [`Encoder::named`].
    pub fn profile(&self, named: &Named) -> Options {
        options(self.profiles.words, "{p}", named.spelled)
    }

    /// The words for a level such as `4.1`; none if this encoder cannot be told, or it is no level.
    pub fn level(&self, level: &str) -> Option<Options> {
        let (whole, part) = level.split_once('.').unwrap_or((level, "0"));
        let is_digits =
            |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if self.level.is_empty() || !is_digits(whole) || !is_digits(part) {
            return None;
        }
        let short = if part == "0" { whole.to_owned() } else { format!("{whole}.{part}") };
        let words = self.level.replace("{s}", &short).replace("{d}", &format!("{whole}{part}"));
        Some(options(&words, "{l}", &format!("{whole}.{part}")))
    }

    /// Whether it needs queues for video on the card; Vulkan's other encoders compute.
    pub fn uses_video_queues(&self) -> bool {
        let is_of_a_queue = matches!(self.codec, VideoCodec::H264 | VideoCodec::Hevc | VideoCodec::Av1);
        self.route == Route::Vulkan && is_of_a_queue
    }

    /// Whether what comes out is what went in, to the last bit.
    pub fn is_lossless(&self) -> bool {
        !self.keeps.is_empty()
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
        let mut words = gpu.map(|gpu| self.route.open(gpu)).unwrap_or_default();
        words.env.extend(self.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        words
    }

    /// The end of the filters that brings frames in memory, in this format of [`Encoder::format`], to the encoder; none
    /// if it takes them from memory. Where there is one, no `-pix_fmt` is given: the encoder takes the device's own.
    pub fn upload_filter(&self, format: &str) -> Option<String> {
        match self.frames {
            Frames::Memory => None,
            Frames::Uploaded => Some(format!("format={format},hwupload")),
        }
    }
}

impl Quality {
    /// The encoder's value for one on the codec's scale.
    pub fn on_scale(&self, crf: f64) -> f64 {
        let (best, worst) = self.range;
        let value = (self.zero + crf * self.scale).max(best.min(worst)).min(best.max(worst));
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

/// The rows that lead to this card, or to the processor, and that this ffmpeg lists.
pub fn rows(gpu: Option<&Gpu>, listed: &BTreeSet<String>) -> Vec<&'static Encoder> {
    let is_here = |encoder: &&Encoder| match gpu {
        Some(gpu) => encoder.route.reaches(gpu),
        None => encoder.route == Route::Cpu,
    };
    ENCODERS.iter().filter(is_here).filter(|encoder| listed.contains(encoder.name)).collect()
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
        let listed = |codec| rows(None, &listed).into_iter().filter(|encoder| encoder.codec == codec).count();
        assert_eq!(listed(VideoCodec::Hevc), 1);
        assert_eq!(listed(VideoCodec::H264), 0);
    }

    fn row(name: &str) -> &'static Encoder {
        ENCODERS.iter().find(|encoder| encoder.name == name).unwrap()
    }

    #[test]
    fn quality_keeps_within_the_encoders_own_scale_whichever_end_is_the_best() {
        for (name, crf, expected) in [
            ("libx264", 20.0, "20"),
            ("libx264", 22.25, "22.25"),
            ("libx265", 60.0, "51"),
            ("libsvtav1", 30.4, "30"),
            ("av1_vulkan", 30.0, "121"),
            ("av1_vaapi", 63.0, "255"),
            ("h264_nvenc", 0.0, "1"),
            ("h264_videotoolbox", 20.0, "66"),
            ("h264_videotoolbox", 51.0, "13"),
        ] {
            let quality = row(name).quality.unwrap();
            assert_eq!(quality.spelled(quality.on_scale(crf)), expected, "{name} {crf}");
        }
    }

    #[test]
    fn options_that_hold_others_are_joined_and_of_the_rest_the_last_counts() {
        let all = [("x265-params", "a=1"), ("g", "50"), ("x265-params", "b=2"), ("g", "25")];
        let all = all.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let told: Vec<_> = joined(all).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(told, ["x265-params a=1:b=2", "g 25"]);
    }

    #[test]
    fn profiles_and_levels_are_spelled_as_each_encoder_wants_them() {
        let told = |options: Options| {
            options.iter().map(|(name, value)| format!("-{name} {value}")).collect::<Vec<_>>().join(" ")
        };
        for (name, profile, level, expected) in [
            ("libx264", "high", "4.1", "-profile high -level 4.1"),
            ("h264_vulkan", "High", "4", "-profile high -level 4"),
            ("h264_vulkan", "high", "4.0", "-profile high -level 4"),
            ("h264_nvenc", "high", "4", "-profile high -level 4.0"),
            ("hevc_qsv", "main10", "5.1", "-profile main10 -level 51"),
            ("av1_vulkan", "main", "4.0", "-profile main -level 40"),
            ("libsvtav1", "main", "5.1", "-level 51"),
        ] {
            let row = row(name);
            let words = [row.profile(row.named(profile).unwrap()), row.level(level).unwrap()].concat();
            assert_eq!(told(words), expected, "{name}");
        }
        assert_eq!(row("libx264").named("main10"), None);
        for level in ["", "4.1.1", "high", "4,1", "-1", "123"] {
            assert_eq!(row("libx264").level(level), None, "{level}");
        }
        assert_eq!(row("ffv1").level("3"), None);
    }
}
