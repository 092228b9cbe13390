//! Encoders of Vulkan: its video queues, and its compute shaders.

use vc_protocol::profile::VideoCodec;

use super::super::{Encoder, Frames, HdrWay, Quality, Route};
use super::{
    AV1_MAIN, MAIN_HIGH, MAIN_MAIN10, NV12, P010, PLAIN, PRORES as PROFILES, YUV420, YUV420_10, YUV422_10,
    YUV444_10, format, profiles, to_255, whole,
};
use crate::encoder::Chroma;

/// Quality is a constant quantizer, the only mode of it that Vulkan has.
const VULKAN: Encoder = Encoder {
    route: Route::Vulkan,
    frames: Frames::Uploaded,
    quality: Some(whole("-rc_mode cqp -qp {q}", 1.0, 51.0)),
    bitrate: "-rc_mode vbr -b {b}",
    // A driver takes the best that it has where it has no such level.
    speeds: ["-quality 0", "-quality 1", "-quality 2"],
    options: "-tune hq -usage transcode",
    ..PLAIN
};

pub(super) const H264: Encoder = Encoder {
    name: "h264_vulkan",
    formats: &[NV12],
    profiles: profiles(MAIN_HIGH),
    level: "-level {s}",
    ..VULKAN
};

pub(super) const HEVC: Encoder = Encoder {
    name: "hevc_vulkan",
    codec: VideoCodec::Hevc,
    formats: &[NV12, P010],
    profiles: profiles(MAIN_MAIN10),
    level: "-level {s}",
    hdr: HdrWay::Frames,
    ..VULKAN
};

pub(super) const AV1: Encoder = Encoder {
    name: "av1_vulkan",
    codec: VideoCodec::Av1,
    formats: &[NV12, P010],
    quality: Some(Quality { range: (1.0, 255.0), ..to_255("-rc_mode cqp -qp {q}") }),
    profiles: profiles(AV1_MAIN),
    level: "-level {d}",
    hdr: HdrWay::Frames,
    ..VULKAN
};

/// Level 4, which ffmpeg calls experimental, is the only one in which it takes 4:2:0; and it takes planes only.
pub(super) const FFV1: Encoder = Encoder {
    name: "ffv1_vulkan",
    codec: VideoCodec::Ffv1,
    route: Route::Vulkan,
    frames: Frames::Uploaded,
    formats: &[
        YUV420,
        format(8, Chroma::Half, "yuv422p"),
        format(8, Chroma::Full, "yuv444p"),
        YUV420_10,
        YUV422_10,
        YUV444_10,
    ],
    keeps: &["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"],
    keyframes: "",
    hdr: HdrWay::Frames,
    options: "-level 4 -strict -2 -slicecrc 1 -g 1",
    ..PLAIN
};

/// Of formats with 8 bit it makes garbage, and with two planes ffmpeg crashes.
pub(super) const PRORES: Encoder = Encoder {
    name: "prores_ks_vulkan",
    codec: VideoCodec::Prores,
    route: Route::Vulkan,
    frames: Frames::Uploaded,
    formats: &[YUV422_10, YUV444_10],
    keyframes: "",
    profiles: profiles(PROFILES),
    hdr: HdrWay::Frames,
    options: "-vendor apl0",
    ..PLAIN
};
