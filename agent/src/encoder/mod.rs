//! Encoders as data: a row says how the wishes of a profile are spelled for one encoder.
//!
//! Knows nothing of processes and files. A new encoder is a new row here.

use std::collections::BTreeSet;

use vc_protocol::profile::{Effort, VideoCodec};

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

/// One encoder of ffmpeg.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoder {
    /// ffmpeg's name of it.
    pub name: &'static str,
    /// What it makes.
    pub codec: VideoCodec,
    /// Pixel format for 8-bit pictures.
    pub format_8bit: &'static str,
    /// Pixel format for deeper ones; none if players of this codec cannot show them.
    pub format_10bit: Option<&'static str>,
    /// `-preset` for fast, medium and slow.
    presets: [&'static str; 3],
    /// How two passes are asked for.
    pub two_pass: TwoPass,
    /// Options that are always given: name and value. Values of the option that [`TwoPass::Params`] names are joined.
    pub options: &'static [(&'static str, &'static str)],
    /// Variables that keep its own chatter out of the log.
    pub env: &'static [(&'static str, &'static str)],
}

impl Encoder {
    /// Its `-preset` for an effort.
    pub fn preset(&self, effort: Effort) -> &'static str {
        let [fast, medium, slow] = self.presets;
        match effort {
            Effort::Fast => fast,
            Effort::Medium => medium,
            Effort::Slow => slow,
        }
    }

    /// Whether this ffmpeg can run it in two passes.
    pub fn has_two_pass(&self, ffmpeg_major: u32) -> bool {
        match self.two_pass {
            TwoPass::Flags { since_major } => ffmpeg_major >= since_major,
            TwoPass::Params(_) => true,
        }
    }
}

/// Every encoder, for each codec the preferred first.
///
/// `format_10bit` of x264 is none on purpose: it can make 10-bit H.264, which next to no player shows.
/// SVT-AV1 prints a banner whatever ffmpeg's level is; 1 leaves its errors.
pub const ENCODERS: &[Encoder] = &[
    Encoder {
        name: "libx264",
        codec: VideoCodec::H264,
        format_8bit: "yuv420p",
        format_10bit: None,
        presets: ["fast", "medium", "slow"],
        two_pass: TwoPass::Flags { since_major: 0 },
        options: &[],
        env: &[],
    },
    Encoder {
        name: "libx265",
        codec: VideoCodec::Hevc,
        format_8bit: "yuv420p",
        format_10bit: Some("yuv420p10le"),
        presets: ["fast", "medium", "slow"],
        two_pass: TwoPass::Params("x265-params"),
        options: &[("x265-params", "log-level=error")],
        env: &[],
    },
    Encoder {
        name: "libsvtav1",
        codec: VideoCodec::Av1,
        format_8bit: "yuv420p",
        format_10bit: Some("yuv420p10le"),
        presets: ["9", "7", "5"],
        two_pass: TwoPass::Flags { since_major: 9 },
        options: &[],
        env: &[("SVT_LOG", "1")],
    },
];

/// The encoders for a codec that this ffmpeg lists, the preferred first.
pub fn candidates(codec: VideoCodec, listed: &BTreeSet<String>) -> impl Iterator<Item = &'static Encoder> {
    ENCODERS.iter().filter(move |encoder| encoder.codec == codec && listed.contains(encoder.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_but_copy_has_a_row_and_only_listed_ones_are_offered() {
        for codec in [VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Av1] {
            assert!(ENCODERS.iter().any(|e| e.codec == codec), "{codec:?}");
        }
        let listed = BTreeSet::from(["libx265".to_owned()]);
        assert_eq!(candidates(VideoCodec::Hevc, &listed).count(), 1);
        assert_eq!(candidates(VideoCodec::H264, &listed).count(), 0);
    }
}
