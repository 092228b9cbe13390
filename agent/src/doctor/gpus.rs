//! What is told of the GPUs: pure functions of what was seen.

use super::{Finding, Seen, Software, Verdict, Wish};
use crate::device::{
    Access, Answer, Gpu, Kind, RenderNode, Trouble, VideoFacts, VulkanDevice, Way, choose, merge,
};
use crate::ffmpeg::Tools;

/// What gives a box with a GPU its loader.
const LOADER: &str = "install the loader: apt-get install libvulkan1, or dnf install vulkan-loader";
/// What gives a box with a GPU its driver.
const DRIVER: &str = "install the GPU's driver: mesa-vulkan-drivers for AMD and Intel, NVIDIA's own for NVIDIA; \
                      in a container, pass /dev/dri and set NVIDIA_DRIVER_CAPABILITIES=all";

/// One line for Vulkan itself, one for each of its devices, one for each GPU and what is wrong with it.
pub(super) fn judge(seen: &Seen, tools: Option<&Tools>, wish: &Wish) -> Vec<Finding> {
    let has_gpu = !seen.nodes.is_empty() || !seen.nvidia.is_empty();
    let mut findings = match &seen.vulkan {
        Err(trouble) => vec![asked_in_vain(trouble)],
        Ok(Answer::NoLoader(why)) => {
            vec![absent("Vulkan loader", &format!("not usable here: {why}"), has_gpu, LOADER)]
        }
        Ok(Answer::NoDriver(why)) => {
            vec![absent("Vulkan driver", &format!("the loader finds none: {why}"), has_gpu, DRIVER)]
        }
        Ok(Answer::Devices { loader, devices }) => {
            let mut findings = vec![Finding::fine("Vulkan loader", loader)];
            if devices.is_empty() {
                findings.push(absent("Vulkan driver", "none has a device", has_gpu, DRIVER));
            }
            findings.extend(chosen(devices, tools, wish));
            findings
        }
    };
    findings.extend(seen.nodes.iter().filter_map(node));
    findings.extend(gpus(seen));
    findings
}

fn asked_in_vain(trouble: &Trouble) -> Finding {
    let text = format!("not asked, and left alone: {trouble}");
    match trouble {
        Trouble::NoProgram => Finding::note("Vulkan driver", text),
        Trouble::Start(_) => {
            Finding::new("Vulkan driver", Verdict::Warning, text, "look at the limits of this user")
        }
        Trouble::Crashed(_) | Trouble::Hung(_) | Trouble::Quit(_) | Trouble::Garbled(_) => Finding::new(
            "Vulkan driver",
            Verdict::Warning,
            text,
            "update the drivers; `vulkaninfo` shows which one it is, VK_LOADER_DRIVERS_DISABLE leaves one out",
        ),
    }
}

/// Worth a remedy only where there is a GPU to use.
fn absent(check: &'static str, text: &str, has_gpu: bool, fix: &str) -> Finding {
    if has_gpu { Finding::new(check, Verdict::Warning, text, fix) } else { Finding::note(check, text) }
}

fn chosen(devices: &[VulkanDevice], tools: Option<&Tools>, wish: &Wish) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wanted: Vec<&VulkanDevice> = Vec::new();
    if wish.devices.is_empty() {
        wanted.extend(devices);
    }
    for word in &wish.devices {
        match choose(devices, word) {
            Ok(found) => wanted.extend(found),
            Err(error) => {
                let fix = "name one by its number, PCI address, UUID or a part of its name";
                findings.push(Finding::new("Vulkan device", Verdict::Bad, error.to_string(), fix));
            }
        }
    }
    wanted.sort_by_key(|device| device.index);
    wanted.dedup_by_key(|device| device.index);
    for device in wanted {
        findings.push(of_device(device, wish.software));
        findings.extend(tools.and_then(|tools| unlisted(device, tools)));
    }
    findings
}

fn of_device(device: &VulkanDevice, software: Software) -> Finding {
    const CHECK: &str = "Vulkan device";
    let who = who(device);
    if device.kind == Kind::Cpu && software == Software::LeftOut {
        return Finding::note(CHECK, format!("{who}; left out, counted only with --allow-cpu-vulkan"));
    }
    let (encodes, decodes) = (codecs(device, Way::Encode), codecs(device, Way::Decode));
    match (encodes.is_empty(), decodes.is_empty()) {
        (false, false) => Finding::fine(CHECK, format!("{who}; encodes {encodes}; decodes {decodes}")),
        (false, true) => Finding::fine(CHECK, format!("{who}; encodes {encodes}; decodes nothing")),
        // Cards for data centres are made so, and no driver changes it.
        (true, false) => Finding::note(CHECK, format!("{who}; has no encode engine; decodes {decodes}")),
        (true, true) if device.kind == Kind::Cpu => {
            Finding::note(CHECK, format!("{who}; has no video queues"))
        }
        (true, true) => Finding::new(
            CHECK,
            Verdict::Note,
            format!("{who}; its driver has no video queues"),
            "a newer driver may have them, if the GPU has the engines",
        ),
    }
}

fn who(device: &VulkanDevice) -> String {
    let VulkanDevice { index, name, driver, driver_version, api, .. } = device;
    let pci = device.pci.map(|pci| format!(", {pci}")).unwrap_or_default();
    format!("{index}: {name}, {}{pci}, driver {driver} {driver_version}, Vulkan {api}", device.kind.word())
}

/// `h264 (8 bit, up to 4096x4096), av1`.
fn codecs(device: &VulkanDevice, way: Way) -> String {
    device.can(way).map(codec).collect::<Vec<_>>().join(", ")
}

fn codec(facts: &VideoFacts) -> String {
    let word = facts.codec.word();
    let largest = facts.profiles.iter().map(|profile| (profile.width_max, profile.height_max)).max();
    let Some((width, height)) = largest else { return word.to_owned() };
    let mut bits: Vec<_> = facts.profiles.iter().map(|profile| profile.bits).collect();
    bits.sort_unstable();
    bits.dedup();
    let bits: Vec<_> = bits.iter().map(u8::to_string).collect();
    format!("{word} ({} bit, up to {width}x{height})", bits.join(" and "))
}

/// What the device encodes and this ffmpeg has no encoder for.
fn unlisted(device: &VulkanDevice, tools: &Tools) -> Option<Finding> {
    let names = device.can(Way::Encode).map(|facts| format!("{}_vulkan", facts.codec.word()));
    let missing: Vec<_> = names.filter(|name| !tools.encoders.contains(name)).collect();
    if missing.is_empty() {
        return None;
    }
    let text = format!("ffmpeg has no {}, which device {} could run", missing.join(", "), device.index);
    let fix = "assets/setup.sh installs an ffmpeg that has them";
    Some(Finding::new("GPU encoders", Verdict::Warning, text, fix))
}

/// A render node that cannot be used.
fn node(node: &RenderNode) -> Option<Finding> {
    let path = node.path.display();
    let warning = |text: String, fix: String| Finding::new("render node", Verdict::Warning, text, fix);
    match &node.access {
        Access::Granted => None,
        Access::Denied { group } => {
            let group = group.as_deref().unwrap_or("render");
            Some(warning(
                format!("{path} is for group {group} only, and this user is not in it"),
                format!("usermod -aG {group} USER as root, then log in again"),
            ))
        }
        Access::Missing => Some(warning(
            format!("the kernel has a GPU at {path}, and here is no such file"),
            "in a container, pass it on: docker run --device /dev/dri".to_owned(),
        )),
    }
}

fn gpus(seen: &Seen) -> Vec<Finding> {
    let vulkan = seen.vulkan_devices();
    let gpus = merge(vulkan, &seen.nodes, &seen.nvidia);
    if gpus.is_empty() {
        return vec![Finding::note("GPU", "none is seen: this box converts on its processor")];
    }
    gpus.iter().map(|gpu| of_gpu(gpu, !vulkan.is_empty())).collect()
}

fn of_gpu(gpu: &Gpu, vulkan_works: bool) -> Finding {
    let mut ways: Vec<String> = gpu.vulkan.iter().map(|index| format!("Vulkan device {index}")).collect();
    ways.extend(gpu.render_node.as_ref().map(|node| format!("render node {}", node.display())));
    ways.extend(gpu.nvidia.as_ref().map(|uuid| format!("NVIDIA {uuid}")));
    let place = gpu.pci.map(|pci| format!("{pci} ")).unwrap_or_default();
    let text = format!("{place}{}: {}", gpu.name, ways.join(", "));
    // Where Vulkan is missing altogether, that has been said.
    if gpu.vulkan.is_empty() && vulkan_works {
        return Finding::new("GPU", Verdict::Warning, format!("{text}; no Vulkan driver has it"), DRIVER);
    }
    Finding::fine("GPU", text)
}

#[cfg(test)]
mod tests;
