//! Devices of an agent and what they can do.

use serde::{Deserialize, Serialize};

use crate::id::DeviceId;
use crate::profile::VideoCodec;

/// What kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A graphics card, or the graphics part of a chip.
    Gpu,
}

/// A device that an agent offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its number on that agent.
    pub id: DeviceId,
    /// What it is.
    pub kind: DeviceKind,
    /// Its name for people.
    pub name: String,
    /// Encodes at once.
    pub slots: u16,
    /// Codecs that one of its encoders makes, `Copy` included.
    pub codecs: Vec<VideoCodec>,
}

impl Device {
    /// What a row has room for, as the end of `ada/cpu`.
    pub fn short_name(&self) -> String {
        match self.kind {
            DeviceKind::Cpu => "cpu".to_owned(),
            // The processor is device 0 of every agent.
            DeviceKind::Gpu => format!("gpu{}", self.id.0.saturating_sub(1)),
        }
    }
}

/// How busy a device is; what cannot be read is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceUse {
    /// Use of the encode engine, or of the processor, in thousandths.
    pub encode: Option<u16>,
    /// Use of the decode engine in thousandths.
    pub decode: Option<u16>,
    /// Bytes of its memory in use.
    pub memory: Option<u64>,
    /// Bytes of its memory.
    pub memory_total: Option<u64>,
    /// Degrees Celsius.
    pub celsius: Option<u16>,
    /// Watts.
    pub watts: Option<u16>,
}

/// The box that an agent runs on, as it is. What cannot be read is none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BoxFacts {
    /// Its clock, milliseconds since 1970.
    pub now_ms: i64,
    /// Operating system and release.
    pub system: String,
    /// Processor cores.
    pub cores: u32,
    /// Load average of the last minute, in hundredths.
    pub load: Option<u32>,
    /// Bytes of memory in use.
    pub memory: Option<u64>,
    /// Bytes of memory.
    pub memory_total: Option<u64>,
    /// Seconds since the box started.
    pub up_s: Option<u64>,
    /// Its devices.
    pub devices: Vec<DeviceFacts>,
}

/// A device as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Which.
    pub id: DeviceId,
    /// How busy it is.
    pub load: DeviceUse,
    /// Its encoders, best first, with their last trial.
    pub encoders: Vec<EncoderFacts>,
    /// What is known of the card; none for the processor.
    pub gpu: Option<GpuFacts>,
    /// Why it has as many slots as it has; empty if nothing was learned.
    pub slots_note: String,
}

/// A card, as its drivers describe it. What nobody says is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GpuFacts {
    /// Where it sits: `0000:01:00.0`.
    pub pci: String,
    /// As Vulkan or its maker's driver tells.
    pub uuid: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Version of Vulkan that it speaks.
    pub vulkan: String,
    /// What it decodes, as the driver says.
    pub decodes: Vec<String>,
}

/// How an encoder is told how good its output is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateMode {
    /// The same quality throughout.
    Quality,
    /// So many bits a second.
    Bitrate,
}

impl RateMode {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::Bitrate => "bitrate",
        }
    }
}

/// An encoder of a device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EncoderFacts {
    /// ffmpeg's name of it.
    pub name: String,
    /// Why it cannot be used; empty if a trial passed or there was none.
    pub problem: String,
    /// Frames a second in its quickest trial that passed, if there was one.
    pub fps: Option<f32>,
    /// Each trial; none if it was not tried.
    pub trials: Vec<TrialFacts>,
}

/// One trial of an encoder: a second of moving picture, encoded, decoded and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialFacts {
    /// Bits of a sample.
    pub bits: u8,
    /// How it was told how good to be.
    pub rate: RateMode,
    /// How it failed; empty if it passed.
    pub problem: String,
    /// Frames a second, the start of ffmpeg included.
    pub fps: Option<f32>,
    /// Likeness to the source in decibels; infinite if nothing was lost.
    pub psnr_db: Option<f32>,
}

/// Most trials told of one encoder: three depths and two rate modes.
pub const TRIALS_MAX: usize = 6;
/// Most encoders told of one device.
pub const ENCODERS_MAX: usize = 64;
/// Most devices accepted from one agent.
pub const DEVICES_MAX: usize = 64;
/// Most slots accepted for one device.
pub const SLOTS_MAX: u16 = 256;
