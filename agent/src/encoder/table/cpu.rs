//! Encoders of the processor.

use vc_protocol::profile::VideoCodec;

use super::super::{Chroma, Encoder, HdrWay, Profiles, Quality, TwoPass};
use super::{
    AV1_MAIN, MAIN_HIGH, MAIN_MAIN10, PLAIN, PRORES as PROFILES, VP9, YUV420, YUV420_10, YUV422_10,
    YUV444_10, format, profiles, whole,
};

const CRF_51: Quality =
    Quality { words: "-crf {q}", zero: 0.0, scale: 1.0, range: (0.0, 51.0), has_fractions: true };

/// It has no format of 10 bit on purpose: it can make 10-bit H.264, which next to no player shows.
pub(super) const X264: Encoder = Encoder {
    name: "libx264",
    formats: &[YUV420],
    quality: Some(CRF_51),
    bitrate: "-b {b}",
    speeds: ["-preset fast", "-preset medium", "-preset slow"],
    two_pass: Some(TwoPass::Flags { since_major: 0 }),
    profiles: profiles(MAIN_HIGH),
    level: "-level {s}",
    interlaced: "-flags +ilme+ildct",
    hdr: HdrWay::Frames,
    ..PLAIN
};

pub(super) const X265: Encoder = Encoder {
    name: "libx265",
    codec: VideoCodec::Hevc,
    formats: &[YUV420, YUV420_10],
    quality: Some(CRF_51),
    bitrate: "-b {b}",
    speeds: ["-preset fast", "-preset medium", "-preset slow"],
    two_pass: Some(TwoPass::Params("x265-params")),
    profiles: profiles(MAIN_MAIN10),
    level: "-x265-params level-idc={l}",
    hdr: HdrWay::Params("x265-params"),
    options: "-x265-params log-level=error",
    ..PLAIN
};

/// It prints a banner whatever ffmpeg's level is; 1 leaves its errors.
pub(super) const SVT_AV1: Encoder = Encoder {
    name: "libsvtav1",
    codec: VideoCodec::Av1,
    formats: &[YUV420, YUV420_10],
    quality: Some(whole("-crf {q}", 0.0, 63.0)),
    bitrate: "-b {b}",
    speeds: ["-preset 9", "-preset 7", "-preset 5"],
    two_pass: Some(TwoPass::Flags { since_major: 9 }),
    profiles: Profiles { words: "", known: AV1_MAIN },
    level: "-level {d}",
    hdr: HdrWay::Frames,
    env: &[("SVT_LOG", "1")],
    ..PLAIN
};

pub(super) const VPX_VP9: Encoder = Encoder {
    name: "libvpx-vp9",
    codec: VideoCodec::Vp9,
    formats: &[YUV420, YUV420_10],
    quality: Some(whole("-crf {q} -b 0", 0.0, 63.0)),
    bitrate: "-b {b}",
    speeds: ["-cpu-used 5 -row-mt 1", "-cpu-used 3 -row-mt 1", "-cpu-used 1 -row-mt 1"],
    two_pass: Some(TwoPass::Flags { since_major: 0 }),
    profiles: profiles(VP9),
    level: "-level {l}",
    hdr: HdrWay::Frames,
    ..PLAIN
};

/// Every frame by itself, each slice with a sum: what archives ask for. The number of slices is left to ffmpeg, which
/// knows what a size allows: some odd ones refuse 4, others 1.
pub(super) const FFV1: Encoder = Encoder {
    name: "ffv1",
    codec: VideoCodec::Ffv1,
    formats: &[
        YUV420,
        format(8, Chroma::Half, "yuv422p"),
        format(8, Chroma::Full, "yuv444p"),
        YUV420_10,
        YUV422_10,
        YUV444_10,
        format(12, Chroma::Quarter, "yuv420p12le"),
        format(12, Chroma::Half, "yuv422p12le"),
        format(12, Chroma::Full, "yuv444p12le"),
        format(16, Chroma::Quarter, "yuv420p16le"),
        format(16, Chroma::Half, "yuv422p16le"),
        format(16, Chroma::Full, "yuv444p16le"),
    ],
    keeps: &[
        "yuv420p",
        "yuv422p",
        "yuv444p",
        "yuv440p",
        "yuv411p",
        "yuv410p",
        "yuv420p9le",
        "yuv422p9le",
        "yuv444p9le",
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p10le",
        "yuv440p10le",
        "yuv420p12le",
        "yuv422p12le",
        "yuv444p12le",
        "yuv440p12le",
        "yuv420p14le",
        "yuv422p14le",
        "yuv444p14le",
        "yuv420p16le",
        "yuv422p16le",
        "yuv444p16le",
        "yuva420p",
        "yuva422p",
        "yuva444p",
        "yuva420p9le",
        "yuva422p9le",
        "yuva444p9le",
        "yuva420p10le",
        "yuva422p10le",
        "yuva444p10le",
        "yuva422p12le",
        "yuva444p12le",
        "yuva420p16le",
        "yuva422p16le",
        "yuva444p16le",
        "gray",
        "ya8",
        "gray9le",
        "gray10le",
        "gray12le",
        "gray14le",
        "gray16le",
        "bgr0",
        "bgra",
        "gbrp9le",
        "gbrp10le",
        "gbrp12le",
        "gbrp14le",
        "gbrp16le",
        "gbrap10le",
        "gbrap12le",
        "gbrap14le",
        "gbrap16le",
        "rgb48le",
        "rgba64le",
    ],
    speeds: ["", "", ""],
    keyframes: "",
    interlaced: "-flags +ilme",
    hdr: HdrWay::Frames,
    options: "-level 3 -slicecrc 1 -g 1",
    ..PLAIN
};

pub(super) const PRORES: Encoder = Encoder {
    name: "prores_ks",
    codec: VideoCodec::Prores,
    formats: &[YUV422_10, YUV444_10],
    alpha: Some("yuva444p10le"),
    quality: Some(Quality { scale: 0.5, ..whole("-q {q}", 1.0, 32.0) }),
    keyframes: "",
    profiles: profiles(PROFILES),
    interlaced: "-flags +ildct",
    hdr: HdrWay::Frames,
    options: "-vendor apl0",
    ..PLAIN
};
