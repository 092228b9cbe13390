//! What a Vulkan device says of itself, as the child hands it over: one JSON document.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pci::PciAddress;
use super::video::{Codec, OPERATIONS, Way};

/// What came of asking Vulkan for its devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// `libvulkan.so.1` is not here, or not usable; the loader's words.
    NoLoader(String),
    /// The loader found no driver that it could use; its words.
    NoDriver(String),
    /// These, in the loader's order.
    Devices {
        /// Version of the loader.
        loader: String,
        /// Often one, sometimes none.
        devices: Vec<VulkanDevice>,
    },
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A card.
    Discrete,
    /// Part of the processor's chip.
    Integrated,
    /// A share of another box's.
    Virtual,
    /// The processor itself, by a driver such as lavapipe.
    Cpu,
    /// None of these.
    Other,
}

impl Kind {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Cpu => "software",
            Self::Other => "of no known kind",
        }
    }
}

/// A device of Vulkan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VulkanDevice {
    /// Its place in the loader's order: ffmpeg's `vulkan=vk:INDEX`.
    pub index: u32,
    /// Its name; equal cards have equal ones.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// PCI number of who made it.
    pub vendor: u32,
    /// That one's number of it.
    pub device: u32,
    /// Of the device, the same in every process. Two copies of lavapipe have the same one.
    pub uuid: Option<Uuid>,
    /// Name of the driver.
    pub driver: String,
    /// Version of the driver, as the driver writes it where it does.
    pub driver_version: String,
    /// Version of Vulkan that it speaks.
    pub api: String,
    /// Where it sits, if on a PCI bus.
    pub pci: Option<PciAddress>,
    /// Its queue families, in order.
    pub queues: Vec<QueueFamily>,
    /// Its extensions for video, sorted.
    pub video_extensions: Vec<String>,
    /// What its video queues do.
    pub video: Vec<VideoFacts>,
}

/// Queues that can do the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFamily {
    /// How many.
    pub count: u32,
    /// `VkQueueFlags`.
    pub flags: u32,
    /// `VkVideoCodecOperationFlagsKHR`.
    pub operations: u32,
}

/// One codec, one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoFacts {
    /// Encode or decode.
    pub way: Way,
    /// Of what.
    pub codec: Codec,
    /// Profiles of it that the driver says it can, of those that were asked for.
    pub profiles: Vec<ProfileFacts>,
}

/// A profile in 4:2:0 that the driver says it can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileFacts {
    /// Its name.
    pub name: String,
    /// Bits of a sample.
    pub bits: u8,
    /// Largest coded width.
    pub width_max: u32,
    /// Largest coded height.
    pub height_max: u32,
}

impl VulkanDevice {
    /// Codecs that its queues take this way.
    pub fn can(&self, way: Way) -> impl Iterator<Item = &VideoFacts> {
        self.video.iter().filter(move |facts| facts.way == way)
    }
}

/// What the queue families do together, encoding first.
pub(super) fn operations(queues: &[QueueFamily]) -> impl Iterator<Item = (u32, Way, Codec)> {
    let all = queues.iter().fold(0, |all, family| all | family.operations);
    OPERATIONS.into_iter().filter(move |(bit, ..)| all & bit != 0)
}

/// The version of a driver that says it only as a number: three fields as Vulkan has them, four as NVIDIA has them.
pub(super) fn driver_version(vendor: u32, number: u32) -> String {
    const NVIDIA: u32 = 0x10de;
    if vendor == NVIDIA {
        let [a, b] = [number >> 22, (number >> 14) & 0xff];
        format!("{a}.{b:02}.{:02}", (number >> 6) & 0xff)
    } else {
        version(number)
    }
}

/// `major.minor.patch` of a number that Vulkan packed.
pub(super) fn version(number: u32) -> String {
    format!("{}.{}.{}", (number >> 22) & 0x7f, (number >> 12) & 0x3ff, number & 0xfff)
}

/// Sixteen bytes, shown as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// It is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct NotUuid;

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Uuid {
    type Err = NotUuid;

    /// With dashes or without, and with NVIDIA's `GPU-` in front or without: the bytes are the same.
    fn from_str(text: &str) -> Result<Self, NotUuid> {
        let digits: Vec<u8> =
            text.strip_prefix("GPU-").unwrap_or(text).bytes().filter(|b| *b != b'-').collect();
        let mut uuid = [0; 16];
        if digits.len() != 2 * uuid.len() {
            return Err(NotUuid);
        }
        for (byte, pair) in uuid.iter_mut().zip(digits.chunks(2)) {
            let digit = |d: u8| char::from(d).to_digit(16).ok_or(NotUuid);
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Uuid(uuid))
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::LAVAPIPE;
    use super::*;

    #[test]
    fn what_lavapipe_says_is_read_and_written_as_it_was() {
        let answer: Answer = serde_json::from_str(LAVAPIPE).unwrap();
        let Answer::Devices { devices, .. } = &answer else { panic!("{answer:?}") };
        let [device] = &devices[..] else { panic!("{devices:?}") };
        assert_eq!((device.kind, device.pci, device.can(Way::Encode).count()), (Kind::Cpu, None, 0));
        assert!(device.name.starts_with("llvmpipe") && device.uuid.is_some(), "{device:?}");
        let again: serde_json::Value = serde_json::from_str(LAVAPIPE).unwrap();
        assert_eq!(serde_json::to_value(&answer).unwrap(), again);
    }

    #[test]
    fn operations_are_told_by_their_bits_and_unknown_bits_are_left_out() {
        let family = |operations| QueueFamily { count: 1, flags: 0x60, operations };
        let found: Vec<_> = operations(&[family(0), family(0x4_0008), family(0x4000_0001)]).collect();
        let found: Vec<_> = found.into_iter().map(|(_, way, codec)| (way, codec)).collect();
        let (encode, decode) = (Way::Encode, Way::Decode);
        assert_eq!(found, [(encode, Codec::Av1), (decode, Codec::H264), (decode, Codec::Vp9)]);
    }

    #[test]
    fn versions_are_told_as_each_vendor_counts() {
        assert_eq!(version((1 << 22) | (3 << 12) | 239), "1.3.239");
        assert_eq!(driver_version(0x10005, (25 << 22) | 7), "25.0.7");
        assert_eq!(driver_version(0x10de, (570 << 22) | (86 << 14) | (10 << 6)), "570.86.10");
        assert_eq!(driver_version(0x10de, (550 << 22) | (54 << 14) | (5 << 6)), "550.54.05");
    }

    #[test]
    fn uuids_are_read_as_vulkan_and_nvidia_write_them() {
        let text = "1a2b3c4d-0001-0203-0405-060708090a0b";
        let uuid: Uuid = text.parse().unwrap();
        assert_eq!(uuid.to_string(), text);
        assert_eq!(format!("GPU-{text}").parse(), Ok(uuid));
        assert_eq!(text.replace('-', "").parse(), Ok(uuid));
        for wrong in ["", "1a2b", &text.replace('a', "g"), "ä2b3c4d-0001-0203-0405-060708090a0b"] {
            assert_eq!(wrong.parse::<Uuid>(), Err(NotUuid), "{wrong}");
        }
    }
}
