//! Which devices are meant by a word of a person: a number, an address, a UUID, or a part of the name.

use super::facts::{Uuid, VulkanDevice};
use super::pci::PciAddress;

/// None is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// There are others.
    #[error("no Vulkan device is {wanted}; there {}", there(.found))]
    None {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: Vec<String>,
    },
}

fn there(found: &[String]) -> String {
    if found.is_empty() { "is none at all".to_owned() } else { format!("are {}", found.join(", ")) }
}

/// Every device that the word means. Equal cards have one name, and copies of a software driver one UUID as well: then
/// all of them are meant. A word that is a number is a number, whatever the names are.
pub fn choose<'d>(devices: &'d [VulkanDevice], word: &str) -> Result<Vec<&'d VulkanDevice>, ChooseError> {
    let matching: Vec<_> = devices.iter().filter(|device| is_meant(device, word)).collect();
    if !matching.is_empty() {
        return Ok(matching);
    }
    let shown = |device: &VulkanDevice| match device.pci {
        Some(pci) => format!("{} ({}, {pci})", device.index, device.name),
        None => format!("{} ({})", device.index, device.name),
    };
    Err(ChooseError::None { wanted: word.to_owned(), found: devices.iter().map(shown).collect() })
}

fn is_meant(device: &VulkanDevice, word: &str) -> bool {
    let VulkanDevice { index, name, uuid, pci, .. } = device;
    Marks { numbers: &[*index], pci: *pci, uuids: &[*uuid], name }.are_meant(word)
}

/// What a device is told from others by.
pub(super) struct Marks<'a> {
    /// Its numbers in the loader's order.
    pub(super) numbers: &'a [u32],
    pub(super) pci: Option<PciAddress>,
    pub(super) uuids: &'a [Option<Uuid>],
    pub(super) name: &'a str,
}

impl Marks<'_> {
    /// Whether the word means this device.
    pub(super) fn are_meant(&self, word: &str) -> bool {
        if let Ok(number) = word.parse::<u32>() {
            return self.numbers.contains(&number);
        }
        if let Ok(pci) = word.parse::<PciAddress>() {
            return self.pci == Some(pci);
        }
        if let Ok(uuid) = word.parse::<Uuid>() {
            return self.uuids.contains(&Some(uuid));
        }
        !word.is_empty() && self.name.to_lowercase().contains(&word.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::card;
    use super::*;

    #[test]
    fn a_word_means_a_number_an_address_a_uuid_or_a_part_of_the_name() {
        let mut devices = vec![card(0, "0000:01:00.0"), card(1, "0000:c1:00.0"), card(2, "")];
        devices[2].name = "llvmpipe (LLVM 15, 256 bits)".into();
        for (word, expected) in [
            ("1", &[1][..]),
            ("00000000:C1:00.0", &[1]),
            ("01:00.0", &[0]),
            ("01010101-0101-0101-0101-010101010101", &[0]),
            ("GPU-02020202-0202-0202-0202-020202020202", &[1]),
            ("nvidia", &[0, 1]),
            ("LLVM 15", &[2]),
            ("15", &[]),
            ("", &[]),
            ("amd", &[]),
        ] {
            let found = choose(&devices, word);
            let found: Vec<u32> = found.into_iter().flatten().map(|device| device.index).collect();
            assert_eq!(found, expected, "{word}");
        }
        let refused = choose(&devices, "amd").unwrap_err().to_string();
        assert!(refused.contains("1 (NVIDIA L4, 0000:c1:00.0)"), "{refused}");
        assert!(choose(&[], "0").unwrap_err().to_string().ends_with("there is none at all"));
    }

    #[test]
    fn two_copies_of_a_device_with_one_uuid_are_both_meant() {
        let mut twin = card(1, "");
        twin.uuid = card(0, "").uuid;
        let devices = [card(0, ""), twin];
        let uuid = devices[0].uuid.unwrap().to_string();
        assert_eq!(choose(&devices, &uuid).unwrap().len(), 2);
    }
}
