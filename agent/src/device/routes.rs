//! What the kernel and the NVIDIA driver tell of GPUs besides Vulkan: render nodes, which VAAPI and QSV go by, and the
//! cards that NVENC goes by. Only files are read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, Gid, Group, access};

use super::pci::PciAddress;

/// More than any box has.
const NODES_MAX: usize = 64;

/// Where the files are; elsewhere in tests.
#[derive(Debug, Clone)]
pub struct Roots {
    /// `/dev/dri`.
    pub dev: PathBuf,
    /// `/sys/class/drm`.
    pub sys: PathBuf,
    /// `/proc/driver/nvidia/gpus`.
    pub nvidia: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Roots {
            dev: "/dev/dri".into(),
            sys: "/sys/class/drm".into(),
            nvidia: "/proc/driver/nvidia/gpus".into(),
        }
    }
}

/// A render node of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderNode {
    /// `/dev/dri/renderD128`.
    pub path: PathBuf,
    /// Where its device sits.
    pub pci: Option<PciAddress>,
    /// The kernel's driver of it.
    pub driver: String,
    /// Whether this process may use it.
    pub access: Access,
}

/// Whether a file of `/dev` may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Granted,
    /// Only by this group, if it has a name.
    Denied {
        /// The group.
        group: Option<String>,
    },
    /// The kernel has the device, and this box, or container, not the file.
    Missing,
}

/// A card that the NVIDIA driver has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NvidiaGpu {
    /// Where it sits.
    pub pci: PciAddress,
    /// What it is.
    pub model: String,
    /// Its name for NVENC.
    pub uuid: String,
}

/// The render nodes, in the kernel's order.
pub fn render_nodes(roots: &Roots) -> Vec<RenderNode> {
    let mut nodes: Vec<_> = names(&roots.sys)
        .into_iter()
        .filter(|name| name.strip_prefix("renderD").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())))
        .map(|name| {
            let device = roots.sys.join(&name).join("device");
            let path = roots.dev.join(&name);
            RenderNode {
                pci: last_part(&device).and_then(|part| part.parse().ok()),
                driver: last_part(&device.join("driver")).unwrap_or_default(),
                access: access_of(&path),
                path,
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes
}

/// The cards of the NVIDIA driver.
pub fn nvidia_gpus(roots: &Roots) -> Vec<NvidiaGpu> {
    let card = |name: String| {
        let text = fs::read_to_string(roots.nvidia.join(&name).join("information")).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        Some(NvidiaGpu { pci: name.parse().ok()?, model: value("Model"), uuid: value("GPU UUID") })
    };
    let mut cards: Vec<_> = names(&roots.nvidia).into_iter().filter_map(card).collect();
    cards.sort_by_key(|card| card.pci);
    cards
}

/// Whether the kernel has any GPU that work could be given to: a render node, NVIDIA's driver, or that of Windows under
/// Linux. Takes microseconds, where asking Vulkan may load a compiler.
pub(super) fn has_gpu(roots: &Roots) -> bool {
    let is_render = |name: &String| name.starts_with("renderD");
    let windows = roots.dev.parent().is_some_and(|dev| dev.join("dxg").exists());
    names(&roots.sys).iter().any(is_render) || !names(&roots.nvidia).is_empty() || windows
}

/// Version of the NVIDIA driver, where it is loaded.
pub fn nvidia_driver(roots: &Roots) -> Option<String> {
    let text = fs::read_to_string(roots.nvidia.parent()?.join("version")).ok()?;
    // `NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.10  Thu …`, and `… Open Kernel Module for x86_64  570…`.
    let is_version =
        |word: &&str| word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).take(NODES_MAX).collect()
}

/// The last part of what a link leads to.
fn last_part(link: &Path) -> Option<String> {
    fs::canonicalize(link).ok()?.file_name()?.to_str().map(str::to_owned)
}

fn access_of(path: &Path) -> Access {
    let Ok(meta) = fs::metadata(path) else { return Access::Missing };
    match access(path, AccessFlags::R_OK | AccessFlags::W_OK) {
        Ok(()) => Access::Granted,
        Err(_) => {
            let group = Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten();
            Access::Denied { group: group.map(|group| group.name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn roots(dir: &Path) -> Roots {
        Roots { dev: dir.join("dev"), sys: dir.join("sys"), nvidia: dir.join("nvidia") }
    }

    #[test]
    fn nodes_are_read_with_their_address_and_their_driver() {
        let dir = tempfile::tempdir().unwrap();
        let roots = roots(dir.path());
        let device = dir.path().join("devices/0000:c1:00.0");
        let driver = dir.path().join("drivers/amdgpu");
        for folder in [&device, &driver, &roots.dev, &roots.sys.join("renderD129"), &roots.sys.join("card0")]
        {
            fs::create_dir_all(folder).unwrap();
        }
        fs::create_dir_all(roots.sys.join("renderD128")).unwrap();
        symlink(&driver, device.join("driver")).unwrap();
        symlink(&device, roots.sys.join("renderD129/device")).unwrap();
        fs::write(roots.dev.join("renderD129"), "").unwrap();
        let nodes = render_nodes(&roots);
        assert!(has_gpu(&roots));
        assert_eq!(nodes.len(), 2, "{nodes:?}");
        assert_eq!((nodes[0].pci, &nodes[0].access), (None, &Access::Missing));
        assert_eq!(nodes[1].path, roots.dev.join("renderD129"));
        assert_eq!(nodes[1].pci, "0000:c1:00.0".parse().ok());
        assert_eq!((nodes[1].driver.as_str(), &nodes[1].access), ("amdgpu", &Access::Granted));
    }

    #[test]
    fn cards_of_the_nvidia_driver_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let roots = roots(dir.path());
        let card = roots.nvidia.join("0000:01:00.0");
        fs::create_dir_all(&card).unwrap();
        let text =
            "Model: \t\t NVIDIA L4\nIRQ:   \t\t 64\nGPU UUID: \t GPU-1a2b\nBus Location: \t 0000:01:00.0\n";
        fs::write(card.join("information"), text).unwrap();
        let expected = NvidiaGpu {
            pci: "0000:01:00.0".parse().unwrap(),
            model: "NVIDIA L4".into(),
            uuid: "GPU-1a2b".into(),
        };
        assert_eq!(nvidia_gpus(&roots), [expected]);
    }

    #[test]
    fn the_version_of_the_nvidia_driver_is_read_as_both_of_its_kinds_write_it() {
        let dir = tempfile::tempdir().unwrap();
        let roots = roots(&dir.path().join("driver"));
        fs::create_dir_all(dir.path().join("driver")).unwrap();
        assert_eq!(nvidia_driver(&roots), None);
        for line in [
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.10  Thu Jan 23 07:04:03 UTC 2025",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build",
        ] {
            fs::write(dir.path().join("driver/version"), format!("{line}\nGCC version:  gcc 12.2.0\n"))
                .unwrap();
            assert_eq!(nvidia_driver(&roots).as_deref(), Some("570.86.10"), "{line}");
        }
    }

    #[test]
    fn a_box_without_any_has_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("sys/card0")).unwrap();
        assert!(!has_gpu(&roots(dir.path())), "what only shows a picture is none");
        assert!(render_nodes(&roots(dir.path())).is_empty());
        assert!(nvidia_gpus(&roots(dir.path())).is_empty());
    }
}
