//! Video codec operations of Vulkan, as numbers and as words.

use serde::{Deserialize, Serialize};

/// Which way pictures go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Pictures to a stream.
    Encode,
    /// A stream to pictures.
    Decode,
}

/// What the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// H.264.
    H264,
    /// H.265.
    Hevc,
    /// AV1.
    Av1,
    /// VP9.
    Vp9,
}

impl Codec {
    /// As ffmpeg calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Vp9 => "vp9",
        }
    }
}

/// Bits of `VkVideoCodecOperationFlagBitsKHR`. Two of them are younger than the headers that `ash` was made from.
pub(super) const OPERATIONS: [(u32, Way, Codec); 7] = [
    (0x0001_0000, Way::Encode, Codec::H264),
    (0x0002_0000, Way::Encode, Codec::Hevc),
    (0x0004_0000, Way::Encode, Codec::Av1),
    (0x0000_0001, Way::Decode, Codec::H264),
    (0x0000_0002, Way::Decode, Codec::Hevc),
    (0x0000_0004, Way::Decode, Codec::Av1),
    (0x0000_0008, Way::Decode, Codec::Vp9),
];

/// A profile that is asked for by name: what a farm makes and meets, in 4:2:0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: &'static str,
    /// The codec's own number of it.
    pub(super) number: u32,
    /// Of luma and chroma alike.
    pub(super) bits: u8,
}

/// Profiles worth asking for, the simplest first. VP9 has no structures in the headers that `ash` was made from, and
/// neither has encoding AV1: of those only the operation is known.
pub(super) fn asked(way: Way, codec: Codec) -> &'static [Asked] {
    const H264: [Asked; 1] = [Asked { name: "high", number: 100, bits: 8 }];
    const HEVC: [Asked; 2] =
        [Asked { name: "main", number: 1, bits: 8 }, Asked { name: "main 10", number: 2, bits: 10 }];
    const AV1: [Asked; 2] =
        [Asked { name: "main", number: 0, bits: 8 }, Asked { name: "main", number: 0, bits: 10 }];
    match (way, codec) {
        (_, Codec::H264) => &H264,
        (_, Codec::Hevc) => &HEVC,
        (Way::Decode, Codec::Av1) => &AV1,
        (Way::Encode, Codec::Av1) | (_, Codec::Vp9) => &[],
    }
}
