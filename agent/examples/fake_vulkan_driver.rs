//! A Vulkan driver for tests: two equal cards with video queues, for the real loader to find. It can be asked what it
//! is and nothing else, and it answers a question about video only if the question is put as the specification says.

#![expect(unsafe_code, reason = "a Vulkan driver is C to its callers")]

use std::ffi::{CStr, c_char, c_void};

use ash::vk::{self, Handle};

/// What the loader wants to find at the start of a handle, and replaces by its own.
const LOADER_MAGIC: usize = 0x01CD_C0DE;
const CARDS: u32 = 2;
const H264_ENCODE: u32 = 0x0001_0000;
const HEVC_ENCODE: u32 = 0x0002_0000;
const AV1_ENCODE: u32 = 0x0004_0000;
const H264_DECODE: u32 = 1;
const HEVC_DECODE: u32 = 2;

/// A handle, as the loader sees one.
#[repr(C)]
struct Object {
    loader: usize,
    number: u32,
}

type AnyFn = unsafe extern "system" fn();

/// The functions that the loader asks for by name.
///
/// # Safety
/// `name` must be a C string.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn vk_icdGetInstanceProcAddr(
    _: vk::Instance,
    name: *const c_char,
) -> Option<AnyFn> {
    // SAFETY: promised by the caller.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
    let found = match name {
        "vkCreateInstance" => create_instance as *const (),
        "vkEnumerateInstanceVersion" => instance_version as *const (),
        "vkEnumerateInstanceExtensionProperties" => instance_extensions as *const (),
        "vkEnumeratePhysicalDevices" => cards as *const (),
        "vkEnumerateDeviceExtensionProperties" => extensions as *const (),
        "vkGetPhysicalDeviceProperties" => properties as *const (),
        "vkGetPhysicalDeviceProperties2" => properties2 as *const (),
        "vkGetPhysicalDeviceQueueFamilyProperties2" => queues2 as *const (),
        "vkGetPhysicalDeviceVideoCapabilitiesKHR" => video as *const (),
        // The loader refuses a driver without these, and calls none of them here.
        "vkDestroyInstance"
        | "vkCreateDevice"
        | "vkGetDeviceProcAddr"
        | "vkGetPhysicalDeviceFeatures"
        | "vkGetPhysicalDeviceFormatProperties"
        | "vkGetPhysicalDeviceImageFormatProperties"
        | "vkGetPhysicalDeviceMemoryProperties"
        | "vkGetPhysicalDeviceQueueFamilyProperties"
        | "vkGetPhysicalDeviceSparseImageFormatProperties" => nothing as *const (),
        _ => return None,
    };
    // SAFETY: the caller knows the type by the name, as Vulkan has it.
    Some(unsafe { std::mem::transmute::<*const (), AnyFn>(found) })
}

/// The loader's version of this interface that is spoken.
///
/// # Safety
/// `version` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn vk_icdNegotiateLoaderICDInterfaceVersion(version: *mut u32) -> vk::Result {
    // SAFETY: promised by the caller.
    unsafe { *version = (*version).min(5) };
    vk::Result::SUCCESS
}

extern "system" fn nothing() {}

/// Handles live as long as the process, which is short.
fn object(number: u32) -> u64 {
    Box::into_raw(Box::new(Object { loader: LOADER_MAGIC, number })) as u64
}

fn number(card: vk::PhysicalDevice) -> u32 {
    let card = card.as_raw() as *const Object;
    // SAFETY: every handle of a card was made by `object`.
    unsafe {
        assert_ne!((*card).loader, 0);
        (*card).number
    }
}

unsafe extern "system" fn create_instance(
    _: *const vk::InstanceCreateInfo<'_>,
    _: *const c_void,
    instance: *mut vk::Instance,
) -> vk::Result {
    // SAFETY: the loader's pointer.
    unsafe { *instance = vk::Instance::from_raw(object(0)) };
    vk::Result::SUCCESS
}

unsafe extern "system" fn instance_version(version: *mut u32) -> vk::Result {
    // SAFETY: the loader's pointer.
    unsafe { *version = vk::API_VERSION_1_3 };
    vk::Result::SUCCESS
}

unsafe extern "system" fn instance_extensions(
    _: *const c_char,
    count: *mut u32,
    _: *mut vk::ExtensionProperties,
) -> vk::Result {
    // SAFETY: the loader's pointer.
    unsafe { *count = 0 };
    vk::Result::SUCCESS
}

unsafe extern "system" fn cards(
    _: vk::Instance,
    count: *mut u32,
    out: *mut vk::PhysicalDevice,
) -> vk::Result {
    // SAFETY: the loader's pointers; `out` is null, or has room for `count`.
    unsafe {
        if !out.is_null() {
            for index in 0..CARDS.min(*count) {
                *out.add(index as usize) = vk::PhysicalDevice::from_raw(object(index));
            }
        }
        *count = CARDS;
    }
    vk::Result::SUCCESS
}

unsafe extern "system" fn extensions(
    _: vk::PhysicalDevice,
    _: *const c_char,
    count: *mut u32,
    out: *mut vk::ExtensionProperties,
) -> vk::Result {
    let names = [
        ash::ext::pci_bus_info::NAME,
        ash::khr::video_queue::NAME,
        ash::khr::video_decode_queue::NAME,
        ash::khr::video_encode_queue::NAME,
    ];
    // SAFETY: the caller's pointers; `out` is null, or has room for `count`.
    unsafe {
        if !out.is_null() {
            for (index, name) in names.iter().enumerate().take(*count as usize) {
                let mut one = vk::ExtensionProperties::default();
                copy(&mut one.extension_name, name);
                *out.add(index) = one;
            }
        }
        *count = names.len() as u32;
    }
    vk::Result::SUCCESS
}

fn copy(to: &mut [c_char], text: &CStr) {
    for (to, from) in to.iter_mut().zip(text.to_bytes()) {
        *to = *from as c_char;
    }
}

unsafe extern "system" fn properties(_: vk::PhysicalDevice, out: *mut vk::PhysicalDeviceProperties) {
    let mut facts = vk::PhysicalDeviceProperties {
        api_version: vk::API_VERSION_1_3,
        driver_version: (570 << 22) | (86 << 14) | (10 << 6),
        vendor_id: 0x10de,
        device_id: 0x27b8,
        device_type: vk::PhysicalDeviceType::DISCRETE_GPU,
        ..Default::default()
    };
    copy(&mut facts.device_name, c"Fake card \x1b[2J");
    // SAFETY: the caller's pointer.
    unsafe { *out = facts };
}

unsafe extern "system" fn properties2(card: vk::PhysicalDevice, out: *mut vk::PhysicalDeviceProperties2<'_>) {
    // SAFETY: the caller's chain, in which each structure says what it is.
    unsafe {
        properties(card, &raw mut (*out).properties);
        let mut next = (*out).p_next.cast::<vk::BaseOutStructure<'_>>();
        while !next.is_null() {
            match (*next).s_type {
                vk::StructureType::PHYSICAL_DEVICE_ID_PROPERTIES => {
                    let id = next.cast::<vk::PhysicalDeviceIDProperties<'_>>();
                    (*id).device_uuid = [number(card) as u8 + 1; 16];
                }
                vk::StructureType::PHYSICAL_DEVICE_DRIVER_PROPERTIES => {
                    let driver = next.cast::<vk::PhysicalDeviceDriverProperties<'_>>();
                    copy(&mut (*driver).driver_name, c"fake");
                }
                vk::StructureType::PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT => {
                    let pci = next.cast::<vk::PhysicalDevicePCIBusInfoPropertiesEXT<'_>>();
                    // Rising: loaders since 1.3 sort by it, older ones do not.
                    (*pci).pci_bus = 0xc0 + number(card);
                }
                _ => {}
            }
            next = (*next).p_next;
        }
    }
}

unsafe extern "system" fn queues2(
    _: vk::PhysicalDevice,
    count: *mut u32,
    out: *mut vk::QueueFamilyProperties2<'_>,
) {
    let families = [
        (vk::QueueFlags::GRAPHICS | vk::QueueFlags::COMPUTE, 0),
        (vk::QueueFlags::VIDEO_DECODE_KHR, H264_DECODE | HEVC_DECODE),
        (vk::QueueFlags::VIDEO_ENCODE_KHR, H264_ENCODE | HEVC_ENCODE | AV1_ENCODE),
    ];
    // SAFETY: the caller's pointers; `out` is null, or has room for `count`, each with a chain that says what it is.
    unsafe {
        if !out.is_null() {
            for (index, (flags, operations)) in families.iter().enumerate().take(*count as usize) {
                let family = out.add(index);
                (*family).queue_family_properties.queue_flags = *flags;
                (*family).queue_family_properties.queue_count = 1;
                let next = (*family).p_next.cast::<vk::QueueFamilyVideoPropertiesKHR<'_>>();
                if !next.is_null() && (*next).s_type == vk::StructureType::QUEUE_FAMILY_VIDEO_PROPERTIES_KHR {
                    (*next).video_codec_operations = vk::VideoCodecOperationFlagsKHR::from_raw(*operations);
                }
            }
        }
        *count = families.len() as u32;
    }
}

/// Encodes H.264 to 4096 and HEVC to 8192, decodes both to 8192; HEVC with 10 bits it decodes only.
unsafe extern "system" fn video(
    _: vk::PhysicalDevice,
    profile: *const vk::VideoProfileInfoKHR<'_>,
    out: *mut vk::VideoCapabilitiesKHR<'_>,
) -> vk::Result {
    use vk::StructureType as Type;
    // SAFETY: the caller's chains, in which each structure says what it is.
    let (operation, is_deep, own, answers) = unsafe {
        let deep = (*profile).luma_bit_depth == vk::VideoComponentBitDepthFlagsKHR::TYPE_10;
        let own = types((*profile).p_next);
        ((*profile).video_codec_operation.as_raw(), deep, own, types((*out).p_next))
    };
    let (wanted, way, codec, size) = match operation {
        H264_ENCODE => (
            Type::VIDEO_ENCODE_H264_PROFILE_INFO_KHR,
            Type::VIDEO_ENCODE_CAPABILITIES_KHR,
            Type::VIDEO_ENCODE_H264_CAPABILITIES_KHR,
            4096,
        ),
        HEVC_ENCODE => (
            Type::VIDEO_ENCODE_H265_PROFILE_INFO_KHR,
            Type::VIDEO_ENCODE_CAPABILITIES_KHR,
            Type::VIDEO_ENCODE_H265_CAPABILITIES_KHR,
            8192,
        ),
        H264_DECODE => (
            Type::VIDEO_DECODE_H264_PROFILE_INFO_KHR,
            Type::VIDEO_DECODE_CAPABILITIES_KHR,
            Type::VIDEO_DECODE_H264_CAPABILITIES_KHR,
            8192,
        ),
        HEVC_DECODE => (
            Type::VIDEO_DECODE_H265_PROFILE_INFO_KHR,
            Type::VIDEO_DECODE_CAPABILITIES_KHR,
            Type::VIDEO_DECODE_H265_CAPABILITIES_KHR,
            8192,
        ),
        _ => return vk::Result::ERROR_VIDEO_PROFILE_OPERATION_NOT_SUPPORTED_KHR,
    };
    if own != [wanted] || answers.len() != 2 || !answers.contains(&way) || !answers.contains(&codec) {
        return vk::Result::ERROR_UNKNOWN;
    }
    if is_deep && operation == HEVC_ENCODE {
        return vk::Result::ERROR_VIDEO_PROFILE_FORMAT_NOT_SUPPORTED_KHR;
    }
    // SAFETY: the caller's pointer.
    unsafe { (*out).max_coded_extent = vk::Extent2D { width: size, height: size } };
    vk::Result::SUCCESS
}

/// What the structures of a chain are.
unsafe fn types(chain: *const c_void) -> Vec<vk::StructureType> {
    let mut next = chain.cast::<vk::BaseInStructure<'_>>();
    let mut found = Vec::new();
    // SAFETY: promised by the caller.
    unsafe {
        while !next.is_null() {
            found.push((*next).s_type);
            next = (*next).p_next;
        }
    }
    found
}
