//! The rows. For each codec the preferred way first.

mod cpu;
mod makers;
mod vulkan;

use super::{Chroma, Encoder, Format, Frames, HdrWay, Named, Profiles, Quality, Route};
use vc_protocol::profile::VideoCodec;

/// Every encoder.
pub const ENCODERS: &[Encoder] = &[
    vulkan::H264,
    makers::H264_NVENC,
    makers::H264_QSV,
    makers::H264_VAAPI,
    makers::H264_AMF,
    makers::H264_VIDEOTOOLBOX,
    cpu::X264,
    vulkan::HEVC,
    makers::HEVC_NVENC,
    makers::HEVC_QSV,
    makers::HEVC_VAAPI,
    makers::HEVC_AMF,
    makers::HEVC_VIDEOTOOLBOX,
    cpu::X265,
    vulkan::AV1,
    makers::AV1_NVENC,
    makers::AV1_QSV,
    makers::AV1_VAAPI,
    makers::AV1_AMF,
    cpu::SVT_AV1,
    makers::VP9_QSV,
    makers::VP9_VAAPI,
    cpu::VPX_VP9,
    vulkan::FFV1,
    cpu::FFV1,
    vulkan::PRORES,
    makers::PRORES_VIDEOTOOLBOX,
    cpu::PRORES,
];

/// What rows begin with: an encoder of the processor that can be told nothing.
const PLAIN: Encoder = Encoder {
    name: "",
    codec: VideoCodec::H264,
    route: Route::Cpu,
    frames: Frames::Memory,
    formats: &[],
    keeps: &[],
    alpha: None,
    quality: None,
    bitrate: "",
    speeds: ["", "", ""],
    keyframes: "-g {g}",
    two_pass: None,
    profiles: Profiles { words: "", known: &[] },
    level: "",
    interlaced: "",
    hdr: HdrWay::Lost,
    options: "",
    env: &[],
};

const fn format(bits: u8, chroma: Chroma, name: &'static str) -> Format {
    Format { bits, chroma, name }
}

/// Formats of devices: light in one plane, colour in another.
const NV12: Format = format(8, Chroma::Quarter, "nv12");
const P010: Format = format(10, Chroma::Quarter, "p010le");
/// Formats of programs: a plane for each.
const YUV420: Format = format(8, Chroma::Quarter, "yuv420p");
const YUV420_10: Format = format(10, Chroma::Quarter, "yuv420p10le");
const YUV422_10: Format = format(10, Chroma::Half, "yuv422p10le");
const YUV444_10: Format = format(10, Chroma::Full, "yuv444p10le");

/// Quality as whole numbers on the codec's own scale.
const fn whole(words: &'static str, best: f64, worst: f64) -> Quality {
    Quality { words, zero: 0.0, scale: 1.0, range: (best, worst), has_fractions: false }
}

/// Quality of AV1 and VP9 where an encoder counts to 255 what others count to 63.
const fn to_255(words: &'static str) -> Quality {
    Quality { words, zero: 0.0, scale: 255.0 / 63.0, range: (1.0, 255.0), has_fractions: false }
}

/// A profile in 4:2:0.
const fn named(name: &'static str, bits: &'static [u8]) -> Named {
    Named { name, spelled: name, bits, chroma: Chroma::Quarter }
}

const fn profiles(known: &'static [Named]) -> Profiles {
    Profiles { words: "-profile {p}", known }
}

const MAIN_HIGH: &[Named] = &[named("main", &[8]), named("high", &[8])];
const MAIN_MAIN10: &[Named] = &[named("main", &[8]), named("main10", &[10])];
const AV1_MAIN: &[Named] = &[named("main", &[8, 10])];
/// VP9 numbers them.
const VP9: &[Named] = &[named("0", &[8]), named("2", &[10])];

const fn prores(name: &'static str, chroma: Chroma) -> Named {
    Named { name, spelled: name, bits: &[10], chroma }
}

const PRORES: &[Named] = &[
    prores("proxy", Chroma::Half),
    prores("lt", Chroma::Half),
    prores("standard", Chroma::Half),
    prores("hq", Chroma::Half),
    prores("4444", Chroma::Full),
    prores("4444xq", Chroma::Full),
];

#[cfg(test)]
mod tests;
