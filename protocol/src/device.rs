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
        }
    }
}

/// Most devices accepted from one agent.
pub const DEVICES_MAX: usize = 64;
/// Most slots accepted for one device.
pub const SLOTS_MAX: u16 = 256;
