//! Asks the Vulkan drivers of this box, through `ash`, with the loader opened at run time. Runs in the child only: from
//! here on, code of the drivers runs in the process.
//!
//! The layers that the box has stay on: one of Mesa's sorts the devices, and ffmpeg counts them after the sorting too.

use std::collections::BTreeSet;
use std::ffi::CStr;

use ash::{Entry, Instance, khr, vk};
use vc_protocol::path::is_unprintable;

use super::facts::{
    Answer, Kind, ProfileFacts, QueueFamily, Uuid, VideoFacts, VulkanDevice, driver_version, operations,
    version,
};
use super::pci::PciAddress;
use super::video::{Asked, Codec, Way, asked};

/// More than any box has.
const DEVICES_MAX: usize = 64;
/// What ffmpeg asks the loader for.
const API: u32 = vk::API_VERSION_1_3;

/// Every device that the loader finds.
#[expect(unsafe_code, reason = "calls into Vulkan, which is C")]
pub(super) fn enumerate() -> Answer {
    // SAFETY: what the loader's initialisers do cannot be checked; that is why a child does this.
    let entry = match unsafe { Entry::load() } {
        Ok(entry) => entry,
        Err(error) => return Answer::NoLoader(error.to_string()),
    };
    // SAFETY: the entry is a loaded loader.
    let Ok(Some(loader)) = (unsafe { entry.try_enumerate_instance_version() }) else {
        return Answer::NoLoader("it speaks Vulkan 1.0 only".to_owned());
    };
    let program = vk::ApplicationInfo::default().application_name(c"vc-agent").api_version(API);
    let wish = vk::InstanceCreateInfo::default().application_info(&program);
    // SAFETY: the wish and what it points to live until the call returns.
    let instance = match unsafe { entry.create_instance(&wish, None) } {
        Ok(instance) => instance,
        Err(error) => return Answer::NoDriver(format!("{error:?}")),
    };
    let box_of = Asker { entry: &entry, instance: &instance };
    let answer = box_of.devices(loader);
    // SAFETY: nothing made of the instance is used from here on.
    unsafe { instance.destroy_instance(None) };
    answer
}

/// Asks devices of one instance. Handles never outlive it.
struct Asker<'i> {
    entry: &'i Entry,
    instance: &'i Instance,
}

impl Asker<'_> {
    #[expect(unsafe_code, reason = "calls into Vulkan, which is C")]
    fn devices(&self, loader: u32) -> Answer {
        // SAFETY: the instance is alive.
        match unsafe { self.instance.enumerate_physical_devices() } {
            Ok(handles) => {
                let handles = handles.into_iter().take(DEVICES_MAX);
                let devices = handles.zip(0..).map(|(handle, index)| self.device(handle, index)).collect();
                Answer::Devices { loader: version(loader), devices }
            }
            Err(error) => Answer::NoDriver(format!("{error:?}")),
        }
    }

    fn device(&self, handle: vk::PhysicalDevice, index: u32) -> VulkanDevice {
        let extensions = self.extensions(handle);
        let has = |name: &CStr| extensions.contains(&words(name));
        let (mut id, mut driver, mut pci) = (
            vk::PhysicalDeviceIDProperties::default(),
            vk::PhysicalDeviceDriverProperties::default(),
            vk::PhysicalDevicePCIBusInfoPropertiesEXT::default(),
        );
        let api = self.properties(handle, vk::PhysicalDeviceProperties2::default()).api_version;
        // A structure that the device does not know must not be in the chain.
        let (has_id, has_pci) = (api >= vk::API_VERSION_1_1, has(ash::ext::pci_bus_info::NAME));
        let has_driver = api >= vk::API_VERSION_1_2 || has(khr::driver_properties::NAME);
        let mut chain = vk::PhysicalDeviceProperties2::default();
        if has_id {
            chain = chain.push_next(&mut id);
        }
        if has_driver {
            chain = chain.push_next(&mut driver);
        }
        if has_pci {
            chain = chain.push_next(&mut pci);
        }
        let facts = self.properties(handle, chain);
        let queues = self.queues(handle, has(khr::video_queue::NAME));
        let info = driver.driver_info_as_c_str().map(words).unwrap_or_default();
        VulkanDevice {
            index,
            name: facts.device_name_as_c_str().map(words).unwrap_or_default(),
            kind: kind(facts.device_type),
            vendor: facts.vendor_id,
            device: facts.device_id,
            uuid: has_id.then_some(Uuid(id.device_uuid)),
            driver: driver.driver_name_as_c_str().map(words).unwrap_or_default(),
            driver_version: if info.is_empty() {
                driver_version(facts.vendor_id, facts.driver_version)
            } else {
                info
            },
            api: version(api),
            pci: if has_pci { address(&pci) } else { None },
            video: self.video(handle, &queues),
            queues,
            video_extensions: extensions
                .into_iter()
                .filter(|name| name.starts_with("VK_KHR_video_"))
                .collect(),
        }
    }

    #[expect(unsafe_code, reason = "calls into Vulkan, which is C")]
    fn extensions(&self, handle: vk::PhysicalDevice) -> BTreeSet<String> {
        // SAFETY: the handle comes from this instance.
        let found = unsafe { self.instance.enumerate_device_extension_properties(handle) };
        let found = found.unwrap_or_default();
        found.iter().filter_map(|extension| extension.extension_name_as_c_str().ok().map(words)).collect()
    }

    /// Fills the chain and hands back its head.
    #[expect(unsafe_code, reason = "calls into Vulkan, which is C")]
    fn properties(
        &self,
        handle: vk::PhysicalDevice,
        mut chain: vk::PhysicalDeviceProperties2<'_>,
    ) -> vk::PhysicalDeviceProperties {
        // SAFETY: the handle comes from this instance, and each structure of the chain lives in the caller.
        unsafe { self.instance.get_physical_device_properties2(handle, &mut chain) };
        chain.properties
    }

    #[expect(unsafe_code, reason = "calls into Vulkan, which is C")]
    fn queues(&self, handle: vk::PhysicalDevice, has_video: bool) -> Vec<QueueFamily> {
        // SAFETY: the handle comes from this instance.
        let count = unsafe { self.instance.get_physical_device_queue_family_properties2_len(handle) };
        let mut video = vec![vk::QueueFamilyVideoPropertiesKHR::default(); count];
        let mut families: Vec<_> = video
            .iter_mut()
            .map(|video| {
                let family = vk::QueueFamilyProperties2::default();
                if has_video { family.push_next(video) } else { family }
            })
            .collect();
        // SAFETY: as many structures as the driver said that there are families, each with its chain alive in `video`.
        unsafe { self.instance.get_physical_device_queue_family_properties2(handle, &mut families) };
        let plain: Vec<_> = families.iter().map(|family| family.queue_family_properties).collect();
        let both = plain.into_iter().zip(video);
        both.map(|(family, video)| QueueFamily {
            count: family.queue_count,
            flags: family.queue_flags.as_raw(),
            operations: video.video_codec_operations.as_raw(),
        })
        .collect()
    }

    fn video(&self, handle: vk::PhysicalDevice, queues: &[QueueFamily]) -> Vec<VideoFacts> {
        operations(queues)
            .map(|(bit, way, codec)| {
                let profiles = asked(way, codec).iter().filter_map(|asked| {
                    let size = self.largest(handle, bit, way, codec, asked)?;
                    let name = asked.name.to_owned();
                    Some(ProfileFacts {
                        name,
                        bits: asked.bits,
                        width_max: size.width,
                        height_max: size.height,
                    })
                });
                VideoFacts { way, codec, profiles: profiles.collect() }
            })
            .collect()
    }

    /// The largest picture that is coded with this profile; none if the driver does not have it.
    fn largest(
        &self,
        handle: vk::PhysicalDevice,
        bit: u32,
        way: Way,
        codec: Codec,
        asked: &Asked,
    ) -> Option<vk::Extent2D> {
        let depth = match asked.bits {
            8 => vk::VideoComponentBitDepthFlagsKHR::TYPE_8,
            _ => vk::VideoComponentBitDepthFlagsKHR::TYPE_10,
        };
        let profile = vk::VideoProfileInfoKHR::default()
            .video_codec_operation(vk::VideoCodecOperationFlagsKHR::from_raw(bit))
            .chroma_subsampling(vk::VideoChromaSubsamplingFlagsKHR::TYPE_420)
            .luma_bit_depth(depth)
            .chroma_bit_depth(depth);
        let number = asked.number;
        let (encode, decode) =
            (vk::VideoEncodeCapabilitiesKHR::default(), vk::VideoDecodeCapabilitiesKHR::default());
        match (way, codec) {
            (Way::Encode, Codec::H264) => {
                let own = vk::VideoEncodeH264ProfileInfoKHR::default().std_profile_idc(number);
                self.capable(handle, profile, own, encode, vk::VideoEncodeH264CapabilitiesKHR::default())
            }
            (Way::Encode, Codec::Hevc) => {
                let own = vk::VideoEncodeH265ProfileInfoKHR::default().std_profile_idc(number);
                self.capable(handle, profile, own, encode, vk::VideoEncodeH265CapabilitiesKHR::default())
            }
            (Way::Decode, Codec::H264) => {
                let own = vk::VideoDecodeH264ProfileInfoKHR::default().std_profile_idc(number);
                self.capable(handle, profile, own, decode, vk::VideoDecodeH264CapabilitiesKHR::default())
            }
            (Way::Decode, Codec::Hevc) => {
                let own = vk::VideoDecodeH265ProfileInfoKHR::default().std_profile_idc(number);
                self.capable(handle, profile, own, decode, vk::VideoDecodeH265CapabilitiesKHR::default())
            }
            (Way::Decode, Codec::Av1) => {
                let own = vk::VideoDecodeAV1ProfileInfoKHR::default().std_profile(number);
                self.capable(handle, profile, own, decode, vk::VideoDecodeAV1CapabilitiesKHR::default())
            }
            (Way::Encode, Codec::Av1) | (_, Codec::Vp9) => None,
        }
    }

    /// One question, with the two structures that the way and the codec want in the answer.
    #[expect(unsafe_code, reason = "calls into Vulkan, which is C")]
    fn capable(
        &self,
        handle: vk::PhysicalDevice,
        profile: vk::VideoProfileInfoKHR<'_>,
        mut own: impl vk::ExtendsVideoProfileInfoKHR,
        mut way: impl vk::ExtendsVideoCapabilitiesKHR,
        mut codec: impl vk::ExtendsVideoCapabilitiesKHR,
    ) -> Option<vk::Extent2D> {
        let profile = profile.push_next(&mut own);
        let mut answer = vk::VideoCapabilitiesKHR::default().push_next(&mut way).push_next(&mut codec);
        let ask = khr::video_queue::Instance::new(self.entry, self.instance);
        let ask = ask.fp().get_physical_device_video_capabilities_khr;
        // SAFETY: the handle comes from this instance, the device has the extension (it named an operation), and both
        // chains live until the call returns.
        let said = unsafe { ask(handle, &profile, &mut answer) };
        (said == vk::Result::SUCCESS).then_some(answer.max_coded_extent)
    }
}

fn kind(kind: vk::PhysicalDeviceType) -> Kind {
    match kind {
        vk::PhysicalDeviceType::DISCRETE_GPU => Kind::Discrete,
        vk::PhysicalDeviceType::INTEGRATED_GPU => Kind::Integrated,
        vk::PhysicalDeviceType::VIRTUAL_GPU => Kind::Virtual,
        vk::PhysicalDeviceType::CPU => Kind::Cpu,
        _ => Kind::Other,
    }
}

fn address(pci: &vk::PhysicalDevicePCIBusInfoPropertiesEXT<'_>) -> Option<PciAddress> {
    let byte = |number: u32| u8::try_from(number).ok();
    Some(PciAddress {
        domain: pci.pci_domain,
        bus: byte(pci.pci_bus)?,
        device: byte(pci.pci_device)?,
        function: byte(pci.pci_function)?,
    })
}

/// Text of a driver, without what could steer a terminal.
fn words(text: &CStr) -> String {
    text.to_string_lossy().chars().filter(|c| !is_unprintable(*c)).collect()
}
