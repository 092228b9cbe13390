//! Where a device sits on the PCI bus: the one name that every driver has for it.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Shown and read as `0000:01:00.0`, in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// Most boxes have one, 0.
    pub domain: u32,
    /// The bus.
    pub bus: u8,
    /// The slot of the bus.
    pub device: u8,
    /// The function of the device; GPUs are function 0, their sound is another.
    pub function: u8,
}

/// It is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a PCI address")]
pub struct NotPci;

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

impl FromStr for PciAddress {
    type Err = NotPci;

    /// As the kernel and the NVIDIA driver write it, with four or eight digits in front, or as people do, with none.
    fn from_str(text: &str) -> Result<Self, NotPci> {
        let (rest, function) = text.rsplit_once('.').ok_or(NotPci)?;
        let mut parts = rest.rsplit(':');
        let device = hex(parts.next())?;
        let bus = hex(parts.next())?;
        let domain = match parts.next() {
            Some(domain) => hex(Some(domain))?,
            None => 0,
        };
        if parts.next().is_some() {
            return Err(NotPci);
        }
        let byte = |number: u32| u8::try_from(number).map_err(|_| NotPci);
        Ok(PciAddress {
            domain,
            bus: byte(bus)?,
            device: byte(device)?,
            function: byte(hex(Some(function))?)?,
        })
    }
}

/// A number of hexadecimal digits and nothing else: the standard reader takes a sign as well.
fn hex(text: Option<&str>) -> Result<u32, NotPci> {
    let text = text.filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit())).ok_or(NotPci)?;
    u32::from_str_radix(text, 16).map_err(|_| NotPci)
}

impl Serialize for PciAddress {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PciAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kernel_driver_and_people_write_them() {
        let at = |domain, bus, device, function| Ok(PciAddress { domain, bus, device, function });
        for (text, expected) in [
            ("0000:01:00.0", at(0, 1, 0, 0)),
            ("00000000:C1:00.0", at(0, 0xc1, 0, 0)),
            ("10000:3b:1f.7", at(0x10000, 0x3b, 0x1f, 7)),
            ("01:00.0", at(0, 1, 0, 0)),
            ("0", Err(NotPci)),
            ("1.5", Err(NotPci)),
            ("0000:01:00", Err(NotPci)),
            ("0000:100:00.0", Err(NotPci)),
            ("0000:+1:00.0", Err(NotPci)),
            ("a:0000:01:00.0", Err(NotPci)),
            (":01:00.0", Err(NotPci)),
            ("", Err(NotPci)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        let address: PciAddress = "00000000:C1:00.0".parse().unwrap();
        assert_eq!(address.to_string(), "0000:c1:00.0");
        assert_eq!(serde_json::to_string(&address).unwrap(), "\"0000:c1:00.0\"");
    }
}
