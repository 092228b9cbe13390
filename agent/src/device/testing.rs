//! Devices for tests.

use super::facts::{Kind, ProfileFacts, QueueFamily, Uuid, VideoFacts, VulkanDevice, operations};

/// What lavapipe 25.0.7 says on Debian 12.
pub(crate) const LAVAPIPE: &str = include_str!("golden/lavapipe.json");

/// A card that can do everything, at this address.
pub(crate) fn card(index: u32, pci: &str) -> VulkanDevice {
    let queues = vec![
        QueueFamily { count: 16, flags: 7, operations: 0 },
        QueueFamily { count: 1, flags: 0x20, operations: 3 },
        QueueFamily { count: 1, flags: 0x40, operations: 0x3_0000 },
    ];
    let facts = |(_, way, codec)| VideoFacts {
        way,
        codec,
        profiles: vec![ProfileFacts { name: "main".into(), bits: 8, width_max: 4096, height_max: 4096 }],
    };
    VulkanDevice {
        index,
        name: "NVIDIA L4".into(),
        kind: Kind::Discrete,
        vendor: 0x10de,
        device: 0x27b8,
        uuid: Some(Uuid([index as u8 + 1; 16])),
        driver: "NVIDIA".into(),
        driver_version: "570.86.10".into(),
        api: "1.4.303".into(),
        pci: pci.parse().ok(),
        video: operations(&queues).map(facts).collect(),
        queues,
        video_extensions: vec!["VK_KHR_video_queue".into()],
    }
}
