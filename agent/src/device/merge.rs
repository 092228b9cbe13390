//! One GPU seen on several ways is one GPU: the ways are brought together by the PCI address.

use std::path::PathBuf;

use serde::Serialize;

use super::facts::{Kind, VulkanDevice};
use super::pci::PciAddress;
use super::routes::{NvidiaGpu, RenderNode};
use super::video::{Codec, Way};

/// A GPU of this box, with every way that leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Where it sits; none where nobody says, as with virtual ones.
    pub pci: Option<PciAddress>,
    /// The best name that is known.
    pub name: String,
    /// Its places in the loader's order: two drivers for one card are two.
    pub vulkan: Vec<u32>,
    /// For VAAPI and QSV.
    pub render_node: Option<PathBuf>,
    /// For NVENC: its UUID there.
    pub nvidia: Option<String>,
    /// What the video queues of its first place in Vulkan encode.
    pub encodes: Vec<Codec>,
    /// It is the processor itself, by a driver such as lavapipe.
    pub is_software: bool,
}

/// The GPUs of this box, by address; those without one come last, each by itself. Software devices are no GPUs.
pub fn merge(vulkan: &[VulkanDevice], nodes: &[RenderNode], nvidia: &[NvidiaGpu]) -> Vec<Gpu> {
    let mut gpus: Vec<Gpu> = Vec::new();
    for device in vulkan.iter().filter(|device| device.kind != Kind::Cpu) {
        let gpu = at(&mut gpus, device.pci, &device.name);
        if gpu.vulkan.is_empty() {
            gpu.encodes = device.can(Way::Encode).map(|facts| facts.codec).collect();
        }
        gpu.vulkan.push(device.index);
    }
    for card in nvidia {
        at(&mut gpus, Some(card.pci), &card.model).nvidia = Some(card.uuid.clone());
    }
    for node in nodes {
        at(&mut gpus, node.pci, &node.driver).render_node = Some(node.path.clone());
    }
    gpus.sort_by_key(|gpu| (gpu.pci.is_none(), gpu.pci));
    gpus
}

/// The devices of Vulkan that are the processor itself, each as if it were a card: two copies of lavapipe are two.
pub fn software(vulkan: &[VulkanDevice]) -> impl Iterator<Item = Gpu> {
    vulkan.iter().filter(|device| device.kind == Kind::Cpu).map(|device| Gpu {
        pci: None,
        name: device.name.clone(),
        vulkan: vec![device.index],
        render_node: None,
        nvidia: None,
        encodes: device.can(Way::Encode).map(|facts| facts.codec).collect(),
        is_software: true,
    })
}

/// The GPU at that address, made if nothing is known of it yet.
fn at<'g>(gpus: &'g mut Vec<Gpu>, pci: Option<PciAddress>, name: &str) -> &'g mut Gpu {
    let known = pci.and_then(|pci| gpus.iter().position(|gpu| gpu.pci == Some(pci)));
    let index = known.unwrap_or_else(|| {
        gpus.push(Gpu {
            pci,
            name: name.to_owned(),
            vulkan: Vec::new(),
            render_node: None,
            nvidia: None,
            encodes: Vec::new(),
            is_software: false,
        });
        gpus.len() - 1
    });
    &mut gpus[index]
}

#[cfg(test)]
mod tests {
    use super::super::routes::Access;
    use super::super::testing::card;
    use super::*;

    fn node(path: &str, pci: &str) -> RenderNode {
        RenderNode {
            path: path.into(),
            pci: pci.parse().ok(),
            driver: "i915".into(),
            access: Access::Granted,
        }
    }

    fn nvidia(pci: &str) -> NvidiaGpu {
        NvidiaGpu { pci: pci.parse().unwrap(), model: "NVIDIA L4".into(), uuid: "GPU-1".into() }
    }

    #[test]
    fn equal_cards_are_told_apart_and_each_way_finds_its_card() {
        let vulkan = [card(0, "0000:c1:00.0"), card(1, "0000:01:00.0")];
        let nodes =
            [node("/dev/dri/renderD129", "0000:c1:00.0"), node("/dev/dri/renderD128", "0000:00:02.0")];
        let gpus = merge(&vulkan, &nodes, &[nvidia("0000:01:00.0"), nvidia("0000:c1:00.0")]);
        let told: Vec<_> = gpus
            .iter()
            .map(|gpu| {
                (
                    gpu.pci.unwrap().to_string(),
                    gpu.vulkan.clone(),
                    gpu.render_node.is_some(),
                    gpu.nvidia.is_some(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("0000:00:02.0".to_owned(), vec![], true, false),
                ("0000:01:00.0".to_owned(), vec![1], false, true),
                ("0000:c1:00.0".to_owned(), vec![0], true, true),
            ]
        );
        assert_eq!(gpus[0].name, "i915");
        assert_eq!((gpus[0].encodes.len(), &gpus[1].encodes[..]), (0, &[Codec::H264, Codec::Hevc][..]));
    }

    #[test]
    fn two_drivers_for_one_card_are_one_card_and_software_is_none() {
        let mut software = card(2, "");
        software.kind = Kind::Cpu;
        let gpus = merge(&[card(0, "0000:01:00.0"), card(1, "0000:01:00.0"), software], &[], &[]);
        assert_eq!(gpus.len(), 1);
        assert_eq!(gpus[0].vulkan, [0, 1]);
    }

    #[test]
    fn devices_that_do_not_say_where_they_sit_stay_apart() {
        let gpus = merge(&[card(0, ""), card(1, "")], &[node("/dev/dri/renderD128", "")], &[]);
        assert_eq!(gpus.len(), 3);
    }
}
