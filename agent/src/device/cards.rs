//! The cards that an agent offers: what was seen of the GPUs, narrowed to what was asked for.

use std::collections::BTreeMap;

use vc_protocol::device::GpuFacts;

use super::choose::Marks;
use super::facts::{Answer, Kind, VulkanDevice};
use super::look::Trouble;
use super::merge::{Gpu, merge, software};
use super::routes::{Roots, has_gpu};
use super::see::{Seen, see};
use super::video::Way;
use crate::config::CardWish;
use crate::process::{Spawner, Stopper};

/// A card of this box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What it is known by between starts: where it sits, else what it is and the how many-th of those.
    pub key: String,
    /// The ways to it.
    pub gpu: Gpu,
    /// As its drivers describe it.
    pub facts: GpuFacts,
}

impl Card {
    /// Whether its encoder is NVIDIA's, whose sessions are counted for the whole box.
    pub fn is_nvidia(&self) -> bool {
        self.gpu.nvidia.is_some()
    }
}

/// Looks for cards, and tells the log what stands in the way. Never fails: a box without any has its processor.
pub async fn find(wish: CardWish) -> Vec<Card> {
    if wish.is_none() {
        return Vec::new();
    }
    if !wish.counts_software && !has_gpu(&Roots::default()) {
        tracing::info!("this box has no GPU; `vc-agent doctor` looks closer");
        return Vec::new();
    }
    let spawner = match Spawner::start(None) {
        Ok(spawner) => spawner,
        Err(error) => {
            tracing::warn!("no GPU is looked for: the thread that starts programs does not start: {error}");
            return Vec::new();
        }
    };
    let (_stopper, stop) = Stopper::new();
    let seen = see(&spawner, &stop).await;
    match &seen.vulkan {
        Ok(Answer::Devices { .. }) => {}
        Ok(Answer::NoLoader(why)) => tracing::info!("no Vulkan loader: {why}"),
        Ok(Answer::NoDriver(why)) => tracing::info!("no Vulkan driver: {why}"),
        Err(Trouble::NoProgram) => tracing::info!("Vulkan is not asked: {}", Trouble::NoProgram),
        Err(trouble) => tracing::warn!("Vulkan is left alone: {trouble}; `vc-agent doctor` says more"),
    }
    let found = cards(&seen, wish.counts_software);
    for word in wish.words.iter().filter(|word| !found.iter().any(|card| is_meant(card, &seen, word))) {
        let there: Vec<_> = found.iter().map(shown).collect();
        let there = if there.is_empty() { "there is none at all".to_owned() } else { there.join(", ") };
        tracing::error!("no GPU is {word}: {there}");
    }
    let is_wanted =
        |card: &Card| wish.words.is_empty() || wish.words.iter().any(|word| is_meant(card, &seen, word));
    found.into_iter().filter(is_wanted).collect()
}

fn shown(card: &Card) -> String {
    let numbers: Vec<_> = card.gpu.vulkan.iter().map(u32::to_string).collect();
    let marks = [numbers.join(", "), card.facts.pci.clone()];
    let marks: Vec<_> = marks.into_iter().filter(|mark| !mark.is_empty()).collect();
    format!("{} ({})", card.gpu.name, marks.join(", "))
}

fn of<'s>(gpu: &Gpu, seen: &'s Seen) -> impl Iterator<Item = &'s VulkanDevice> {
    seen.vulkan_devices().iter().filter(|device| gpu.vulkan.contains(&device.index))
}

fn is_meant(card: &Card, seen: &Seen, word: &str) -> bool {
    let Gpu { pci, name, vulkan, nvidia, .. } = &card.gpu;
    let mut uuids: Vec<_> = of(&card.gpu, seen).map(|device| device.uuid).collect();
    uuids.push(nvidia.as_ref().and_then(|uuid| uuid.parse().ok()));
    Marks { numbers: vulkan, pci: *pci, uuids: &uuids, name }.are_meant(word)
}

/// Every card that was seen; with `counts_software` also the Vulkan devices that are the processor itself.
pub fn cards(seen: &Seen, counts_software: bool) -> Vec<Card> {
    let vulkan = seen.vulkan_devices();
    let gpus = merge(vulkan, &seen.nodes, &seen.nvidia).into_iter();
    let software = software(vulkan).filter(|_| counts_software);
    let mut seen_before: BTreeMap<String, u32> = BTreeMap::new();
    let card = |gpu: Gpu| {
        let first = of(&gpu, seen).next();
        let key = match (gpu.pci, first) {
            (Some(pci), _) => pci.to_string(),
            (None, known) => {
                // The UUID of a software driver changes with its version.
                let what = match known {
                    Some(device) if device.kind == Kind::Cpu => "software".to_owned(),
                    Some(VulkanDevice { uuid: Some(uuid), .. }) => uuid.to_string(),
                    Some(_) | None => gpu.name.clone(),
                };
                let ordinal = seen_before.entry(what.clone()).or_default();
                *ordinal += 1;
                format!("{what}#{ordinal}")
            }
        };
        Card { key, facts: facts(&gpu, first, seen), gpu }
    };
    gpus.chain(software).map(card).collect()
}

fn facts(gpu: &Gpu, vulkan: Option<&VulkanDevice>, seen: &Seen) -> GpuFacts {
    let node = seen.nodes.iter().find(|node| Some(&node.path) == gpu.render_node.as_ref());
    let nvidia = gpu.nvidia.as_ref().and(seen.nvidia_driver.as_ref());
    let driver = match (vulkan, nvidia, node) {
        (Some(device), ..) => format!("{} {}", device.driver, device.driver_version),
        (None, Some(version), _) => format!("NVIDIA {version}"),
        (None, None, Some(node)) => node.driver.clone(),
        (None, None, None) => String::new(),
    };
    let uuid = vulkan.and_then(|device| device.uuid).map(|uuid| uuid.to_string());
    let mut decodes = Vec::new();
    for video in vulkan.into_iter().flat_map(|device| device.can(Way::Decode)) {
        let mut bits: Vec<u8> = video.profiles.iter().map(|profile| profile.bits).collect();
        bits.sort_unstable();
        bits.dedup();
        let word = video.codec.word();
        let shown = |bits: &u8| if *bits == 8 { word.to_owned() } else { format!("{word} {bits} bit") };
        decodes.extend(bits.iter().map(shown));
        if bits.is_empty() {
            decodes.push(word.to_owned());
        }
    }
    GpuFacts {
        pci: gpu.pci.map(|pci| pci.to_string()).unwrap_or_default(),
        uuid: gpu.nvidia.clone().or(uuid).unwrap_or_default(),
        driver,
        vulkan: vulkan.map(|device| device.api.clone()).unwrap_or_default(),
        decodes,
    }
}

#[cfg(test)]
mod tests {
    use super::super::routes::{Access, NvidiaGpu, RenderNode};
    use super::super::testing::{LAVAPIPE, card};
    use super::*;

    fn seen(devices: Vec<VulkanDevice>) -> Seen {
        let vulkan = Ok(Answer::Devices { loader: "1.4.0".into(), devices });
        Seen { vulkan, nodes: Vec::new(), nvidia: Vec::new(), nvidia_driver: None }
    }

    fn lavapipe() -> VulkanDevice {
        let Ok(Answer::Devices { mut devices, .. }) = serde_json::from_str(LAVAPIPE) else { panic!() };
        devices.remove(0)
    }

    #[test]
    fn two_copies_of_a_software_driver_are_two_cards_and_only_if_asked_for() {
        let seen = seen(vec![lavapipe(), VulkanDevice { index: 1, ..lavapipe() }]);
        assert_eq!(cards(&seen, false), []);
        let both = cards(&seen, true);
        let keys: Vec<_> = both.iter().map(|card| (card.key.as_str(), card.gpu.vulkan.clone())).collect();
        assert_eq!(keys, [("software#1", vec![0]), ("software#2", vec![1])]);
        assert!(both[0].facts.driver.starts_with("llvmpipe Mesa 25.0.7"), "{:?}", both[0].facts);
        assert_eq!((both[0].facts.vulkan.as_str(), both[0].facts.decodes.len()), ("1.4.305", 0));
    }

    #[test]
    fn a_card_is_described_by_whichever_driver_knows_it() {
        let mut seen = seen(vec![card(0, "0000:01:00.0")]);
        seen.nvidia = vec![
            NvidiaGpu {
                pci: "0000:01:00.0".parse().unwrap(),
                model: "NVIDIA L4".into(),
                uuid: "GPU-1a".into(),
            },
            NvidiaGpu {
                pci: "0000:02:00.0".parse().unwrap(),
                model: "NVIDIA H200".into(),
                uuid: "GPU-2b".into(),
            },
        ];
        seen.nvidia_driver = Some("570.86.10".into());
        seen.nodes = vec![RenderNode {
            path: "/dev/dri/renderD128".into(),
            pci: "0000:00:02.0".parse().ok(),
            driver: "i915".into(),
            access: Access::Granted,
        }];
        let told: Vec<_> = cards(&seen, false)
            .into_iter()
            .map(|card| (card.key, card.facts.driver, card.facts.uuid))
            .collect();
        let row = |key: &str, driver: &str, uuid: &str| (key.to_owned(), driver.to_owned(), uuid.to_owned());
        assert_eq!(
            told,
            [
                row("0000:00:02.0", "i915", ""),
                row("0000:01:00.0", "NVIDIA 570.86.10", "GPU-1a"),
                row("0000:02:00.0", "NVIDIA 570.86.10", "GPU-2b"),
            ]
        );
        assert_eq!(cards(&seen, false)[1].facts.decodes, ["h264", "hevc"]);
    }

    #[test]
    fn a_word_means_a_card_by_any_of_its_marks() {
        let mut seen = seen(vec![card(3, "0000:01:00.0")]);
        let uuid = "GPU-0a0b0c0d-0001-0203-0405-060708090a0b";
        let pci = "0000:01:00.0".parse().unwrap();
        seen.nvidia = vec![NvidiaGpu { pci, model: "NVIDIA L4".into(), uuid: uuid.into() }];
        let one = &cards(&seen, false)[0];
        for (word, expected) in [
            ("3", true),
            ("0", false),
            ("01:00.0", true),
            ("02:00.0", false),
            (uuid, true),
            ("04040404-0404-0404-0404-040404040404", true),
            ("l4", true),
            ("amd", false),
        ] {
            assert_eq!(is_meant(one, &seen, word), expected, "{word}");
        }
        assert_eq!(shown(one), "NVIDIA L4 (3, 0000:01:00.0)");
    }
}
