//! Encoders of the makers of cards.

use vc_protocol::profile::VideoCodec;

use super::super::{Chroma, Encoder, Frames, HdrWay, Quality, Route};
use super::{AV1_MAIN, MAIN_HIGH, MAIN_MAIN10, NV12, P010, PLAIN, PRORES, format, profiles, to_255, whole};
use crate::encoder::Profiles;

/// Quality is its constant quality within a variable bitrate that has no bound. 0 would mean "as you like".
const fn nvenc(worst: f64) -> Option<Quality> {
    let words = "-rc vbr -cq {q} -b 0";
    Some(Quality { words, zero: 0.0, scale: 1.0, range: (1.0, worst), has_fractions: true })
}

/// It uploads by itself.
const NVENC: Encoder = Encoder {
    route: Route::Nvenc,
    quality: nvenc(51.0),
    bitrate: "-rc vbr -multipass qres -b {b}",
    speeds: ["-preset p2", "-preset p4", "-preset p6"],
    level: "-level {l}",
    options: "-tune hq",
    ..PLAIN
};

pub(super) const H264_NVENC: Encoder =
    Encoder { name: "h264_nvenc", formats: &[NV12], profiles: profiles(MAIN_HIGH), ..NVENC };

pub(super) const HEVC_NVENC: Encoder = Encoder {
    name: "hevc_nvenc",
    codec: VideoCodec::Hevc,
    formats: &[NV12, P010],
    profiles: profiles(MAIN_MAIN10),
    level: "-level {s}",
    hdr: HdrWay::Frames,
    ..NVENC
};

pub(super) const AV1_NVENC: Encoder = Encoder {
    name: "av1_nvenc",
    codec: VideoCodec::Av1,
    formats: &[NV12, P010],
    quality: nvenc(63.0),
    // It has one profile, and no option for it.
    profiles: Profiles { words: "", known: AV1_MAIN },
    hdr: HdrWay::Frames,
    ..NVENC
};

/// Which rate control it uses follows from what it is told: a quality alone is its "intelligent constant quality", a
/// bitrate alone its variable bitrate.
const QSV: Encoder = Encoder {
    route: Route::Qsv,
    formats: &[NV12, P010],
    quality: Some(whole("-global_quality {q}", 1.0, 51.0)),
    bitrate: "-b {b}",
    speeds: ["-preset veryfast", "-preset medium", "-preset slower"],
    ..PLAIN
};

pub(super) const H264_QSV: Encoder =
    Encoder { name: "h264_qsv", formats: &[NV12], profiles: profiles(MAIN_HIGH), level: "-level {d}", ..QSV };

pub(super) const HEVC_QSV: Encoder = Encoder {
    name: "hevc_qsv",
    codec: VideoCodec::Hevc,
    profiles: profiles(MAIN_MAIN10),
    level: "-level {d}",
    hdr: HdrWay::Frames,
    // Unless told, it claims the tier for studios, which players may refuse.
    options: "-tier main",
    ..QSV
};

pub(super) const AV1_QSV: Encoder = Encoder {
    name: "av1_qsv",
    codec: VideoCodec::Av1,
    quality: Some(Quality { scale: 51.0 / 63.0, ..whole("-global_quality {q}", 1.0, 51.0) }),
    profiles: profiles(AV1_MAIN),
    ..QSV
};

pub(super) const VP9_QSV: Encoder = Encoder {
    name: "vp9_qsv",
    codec: VideoCodec::Vp9,
    quality: Some(Quality { scale: 51.0 / 63.0, ..whole("-global_quality {q}", 1.0, 51.0) }),
    ..QSV
};

/// The drivers of Intel and AMD count their levels of speed in opposite directions, so that it is left to them.
const VAAPI: Encoder = Encoder {
    route: Route::Vaapi,
    frames: Frames::Uploaded,
    formats: &[NV12, P010],
    quality: Some(whole("-rc_mode CQP -qp {q}", 1.0, 51.0)),
    bitrate: "-rc_mode VBR -b {b}",
    ..PLAIN
};

pub(super) const H264_VAAPI: Encoder = Encoder {
    name: "h264_vaapi",
    formats: &[NV12],
    profiles: profiles(MAIN_HIGH),
    level: "-level {s}",
    ..VAAPI
};

pub(super) const HEVC_VAAPI: Encoder = Encoder {
    name: "hevc_vaapi",
    codec: VideoCodec::Hevc,
    profiles: profiles(MAIN_MAIN10),
    level: "-level {s}",
    hdr: HdrWay::Frames,
    ..VAAPI
};

pub(super) const AV1_VAAPI: Encoder = Encoder {
    name: "av1_vaapi",
    codec: VideoCodec::Av1,
    quality: Some(to_255("-rc_mode CQP -global_quality {q}")),
    profiles: profiles(AV1_MAIN),
    level: "-level {l}",
    hdr: HdrWay::Frames,
    ..VAAPI
};

pub(super) const VP9_VAAPI: Encoder = Encoder {
    name: "vp9_vaapi",
    codec: VideoCodec::Vp9,
    quality: Some(to_255("-rc_mode CQP -global_quality {q}")),
    ..VAAPI
};

/// It uploads by itself.
const AMF: Encoder = Encoder {
    route: Route::Amf,
    formats: &[NV12, P010],
    quality: Some(whole("-rc cqp -qp_i {q} -qp_p {q}", 1.0, 51.0)),
    bitrate: "-rc vbr_peak -b {b}",
    speeds: ["-quality speed", "-quality balanced", "-quality quality"],
    level: "-level {l}",
    options: "-usage transcoding",
    ..PLAIN
};

pub(super) const H264_AMF: Encoder = Encoder {
    name: "h264_amf",
    formats: &[NV12],
    quality: Some(whole("-rc cqp -qp_i {q} -qp_p {q} -qp_b {q}", 1.0, 51.0)),
    profiles: profiles(MAIN_HIGH),
    ..AMF
};

pub(super) const HEVC_AMF: Encoder = Encoder {
    name: "hevc_amf",
    codec: VideoCodec::Hevc,
    profiles: profiles(MAIN_MAIN10),
    hdr: HdrWay::Frames,
    ..AMF
};

pub(super) const AV1_AMF: Encoder = Encoder {
    name: "av1_amf",
    codec: VideoCodec::Av1,
    quality: Some(to_255("-rc cqp -qp_i {q} -qp_p {q}")),
    profiles: profiles(AV1_MAIN),
    hdr: HdrWay::Frames,
    // Without it pictures of 1080 lines come out with 1082, as older cards have them.
    options: "-usage transcoding -align none",
    ..AMF
};

/// Its quality goes the other way round, from 1 to 100, and only Apple's own chips have it. What 18 means elsewhere is
/// about 70 here.
const VIDEOTOOLBOX: Encoder = Encoder {
    route: Route::VideoToolbox,
    formats: &[NV12, P010],
    quality: Some(Quality {
        words: "-q {q}",
        zero: 100.0,
        scale: -1.7,
        range: (100.0, 1.0),
        has_fractions: false,
    }),
    bitrate: "-b {b}",
    ..PLAIN
};

pub(super) const H264_VIDEOTOOLBOX: Encoder = Encoder {
    name: "h264_videotoolbox",
    formats: &[NV12],
    profiles: profiles(MAIN_HIGH),
    level: "-level {l}",
    ..VIDEOTOOLBOX
};

pub(super) const HEVC_VIDEOTOOLBOX: Encoder = Encoder {
    name: "hevc_videotoolbox",
    codec: VideoCodec::Hevc,
    profiles: profiles(MAIN_MAIN10),
    ..VIDEOTOOLBOX
};

pub(super) const PRORES_VIDEOTOOLBOX: Encoder = Encoder {
    name: "prores_videotoolbox",
    codec: VideoCodec::Prores,
    route: Route::VideoToolbox,
    frames: Frames::Memory,
    formats: &[format(10, Chroma::Half, "p210le"), format(10, Chroma::Full, "p410le")],
    keyframes: "",
    profiles: profiles(PRORES),
    ..PLAIN
};
