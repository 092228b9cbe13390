//! The rows. For each codec the preferred route first.

use vc_protocol::profile::VideoCodec;

use super::{Chroma, Encoder, Format, Frames, HdrWay, Quality, Route, TwoPass};

const fn yuv420(bits: u8, name: &'static str) -> Format {
    Format { bits, chroma: Chroma::Quarter, name }
}

const CRF_51: Quality = Quality { words: "-crf {q}", scale: 1.0, range: (0.0, 51.0), has_fractions: true };

/// Every encoder.
///
/// x264 has no format of 10 bit on purpose: it can make 10-bit H.264, which next to no player shows. SVT-AV1 prints a
/// banner whatever ffmpeg's level is; 1 leaves its errors.
pub const ENCODERS: &[Encoder] = &[
    Encoder {
        name: "libx264",
        codec: VideoCodec::H264,
        route: Route::Cpu,
        frames: Frames::Memory,
        formats: &[yuv420(8, "yuv420p")],
        quality: Some(CRF_51),
        bitrate: "-b {b}",
        speeds: ["-preset fast", "-preset medium", "-preset slow"],
        keyframes: "-g {g}",
        two_pass: Some(TwoPass::Flags { since_major: 0 }),
        interlaced: "-flags +ilme+ildct",
        hdr: HdrWay::Lost,
        options: "",
        env: &[],
    },
    Encoder {
        name: "libx265",
        codec: VideoCodec::Hevc,
        route: Route::Cpu,
        frames: Frames::Memory,
        formats: &[yuv420(8, "yuv420p"), yuv420(10, "yuv420p10le")],
        quality: Some(CRF_51),
        bitrate: "-b {b}",
        speeds: ["-preset fast", "-preset medium", "-preset slow"],
        keyframes: "-g {g}",
        two_pass: Some(TwoPass::Params("x265-params")),
        interlaced: "",
        hdr: HdrWay::Params("x265-params"),
        options: "-x265-params log-level=error",
        env: &[],
    },
    Encoder {
        name: "libsvtav1",
        codec: VideoCodec::Av1,
        route: Route::Cpu,
        frames: Frames::Memory,
        formats: &[yuv420(8, "yuv420p"), yuv420(10, "yuv420p10le")],
        quality: Some(Quality { words: "-crf {q}", scale: 1.0, range: (0.0, 63.0), has_fractions: false }),
        bitrate: "-b {b}",
        speeds: ["-preset 9", "-preset 7", "-preset 5"],
        keyframes: "-g {g}",
        two_pass: Some(TwoPass::Flags { since_major: 9 }),
        interlaced: "",
        hdr: HdrWay::Frames,
        options: "",
        env: &[("SVT_LOG", "1")],
    },
    Encoder {
        name: "libvpx-vp9",
        codec: VideoCodec::Vp9,
        route: Route::Cpu,
        frames: Frames::Memory,
        formats: &[yuv420(8, "yuv420p"), yuv420(10, "yuv420p10le")],
        quality: Some(Quality {
            words: "-crf {q} -b 0",
            scale: 1.0,
            range: (0.0, 63.0),
            has_fractions: false,
        }),
        bitrate: "-b {b}",
        speeds: ["-cpu-used 5 -row-mt 1", "-cpu-used 3 -row-mt 1", "-cpu-used 1 -row-mt 1"],
        keyframes: "-g {g}",
        two_pass: Some(TwoPass::Flags { since_major: 0 }),
        interlaced: "",
        hdr: HdrWay::Frames,
        options: "",
        env: &[],
    },
    Encoder {
        name: "ffv1",
        codec: VideoCodec::Ffv1,
        route: Route::Cpu,
        frames: Frames::Memory,
        formats: &[yuv420(8, "yuv420p"), yuv420(10, "yuv420p10le")],
        quality: None,
        bitrate: "",
        speeds: ["-slices 4", "-slices 12", "-slices 24"],
        keyframes: "-g {g}",
        two_pass: None,
        interlaced: "-flags +ilme",
        hdr: HdrWay::Frames,
        options: "-level 3 -slicecrc 1",
        env: &[],
    },
    Encoder {
        name: "prores_ks",
        codec: VideoCodec::Prores,
        route: Route::Cpu,
        frames: Frames::Memory,
        formats: &[Format { bits: 10, chroma: Chroma::Half, name: "yuv422p10le" }],
        quality: Some(Quality { words: "-q {q}", scale: 0.5, range: (1.0, 32.0), has_fractions: false }),
        bitrate: "",
        speeds: ["", "", ""],
        keyframes: "",
        two_pass: None,
        interlaced: "-flags +ildct",
        hdr: HdrWay::Frames,
        options: "-vendor apl0",
        env: &[],
    },
];
