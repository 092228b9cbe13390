//! NVIDIA's management library, opened at run time: a few questions to a card by its PCI address.
//!
//! A question may take long or never come back, as drivers that lost their card do: only a thread that nobody waits for
//! asks.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};

use libloading::Library;
use vc_protocol::device::DeviceUse;

use crate::device::PciAddress;

/// The library of the driver, as every distribution names it.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// `NVML_SUCCESS`.
const SUCCESS: c_int = 0;
/// `NVML_TEMPERATURE_GPU`.
const TEMPERATURE_GPU: c_uint = 0;

type Handle = *mut c_void;
type Start = unsafe extern "C" fn() -> c_int;
type ByAddress = unsafe extern "C" fn(*const c_char, *mut Handle) -> c_int;
type Use = unsafe extern "C" fn(Handle, *mut c_uint, *mut c_uint) -> c_int;
type MemoryOf = unsafe extern "C" fn(Handle, *mut Memory) -> c_int;
type Temperature = unsafe extern "C" fn(Handle, c_uint, *mut c_uint) -> c_int;
type Power = unsafe extern "C" fn(Handle, *mut c_uint) -> c_int;

/// `nvmlMemory_t`.
#[repr(C)]
#[derive(Default)]
struct Memory {
    total: u64,
    free: u64,
    used: u64,
}

/// The functions, and the library that they live in.
pub(super) struct Nvml {
    by_address: ByAddress,
    encoder: Use,
    decoder: Use,
    memory: MemoryOf,
    temperature: Temperature,
    power: Power,
    end: Start,
    handles: BTreeMap<PciAddress, Option<usize>>,
    _library: Library,
}

impl Nvml {
    /// None where there is no NVIDIA driver, or none that knows all of it.
    #[expect(unsafe_code, reason = "calls into the library of the NVIDIA driver, which is C")]
    pub(super) fn open() -> Option<Nvml> {
        // SAFETY: the library's initialisers are NVIDIA's and ask nothing of us. The types are those of `nvml.h`, and
        // each function is called with the library open, which the last field sees to.
        let opened = unsafe {
            (|| {
                let library = Library::new(LIBRARY)?;
                let start: Start = *library.get(b"nvmlInit_v2\0")?;
                let nvml = Nvml {
                    by_address: *library.get(b"nvmlDeviceGetHandleByPciBusId_v2\0")?,
                    encoder: *library.get(b"nvmlDeviceGetEncoderUtilization\0")?,
                    decoder: *library.get(b"nvmlDeviceGetDecoderUtilization\0")?,
                    memory: *library.get(b"nvmlDeviceGetMemoryInfo\0")?,
                    temperature: *library.get(b"nvmlDeviceGetTemperature\0")?,
                    power: *library.get(b"nvmlDeviceGetPowerUsage\0")?,
                    end: *library.get(b"nvmlShutdown\0")?,
                    handles: BTreeMap::new(),
                    _library: library,
                };
                Ok::<_, libloading::Error>((nvml, start()))
            })()
        };
        match opened {
            Ok((nvml, SUCCESS)) => Some(nvml),
            Ok((_, code)) => {
                tracing::info!(code, "the use of NVIDIA cards is not told: {LIBRARY} does not start");
                None
            }
            Err(error) => {
                tracing::info!("the use of NVIDIA cards is not told: {error}");
                None
            }
        }
    }

    /// The card at that address. What it does not tell is none.
    #[expect(unsafe_code, reason = "calls into the library of the NVIDIA driver, which is C")]
    pub(super) fn read(&mut self, pci: PciAddress) -> DeviceUse {
        let Some(handle) = self.handle(pci) else { return DeviceUse::default() };
        let (mut number, mut period, mut memory) = (0, 0, Memory::default());
        // SAFETY: the handle is this library's, and every pointer is to a live local of the type that `nvml.h` names.
        unsafe {
            let encode =
                ((self.encoder)(handle, &raw mut number, &raw mut period) == SUCCESS).then_some(number);
            let decode =
                ((self.decoder)(handle, &raw mut number, &raw mut period) == SUCCESS).then_some(number);
            let memory = ((self.memory)(handle, &raw mut memory) == SUCCESS).then_some(memory);
            let celsius = (self.temperature)(handle, TEMPERATURE_GPU, &raw mut number) == SUCCESS;
            let celsius = celsius.then_some(number);
            let milliwatts = ((self.power)(handle, &raw mut number) == SUCCESS).then_some(number);
            told(encode, decode, memory.as_ref(), celsius, milliwatts)
        }
    }

    #[expect(unsafe_code, reason = "calls into the library of the NVIDIA driver, which is C")]
    fn handle(&mut self, pci: PciAddress) -> Option<Handle> {
        let by_address = self.by_address;
        let ask = || {
            let address = CString::new(pci.to_string()).ok()?;
            let mut handle: Handle = std::ptr::null_mut();
            // SAFETY: a string that ends with zero and a live local.
            let said = unsafe { by_address(address.as_ptr(), &raw mut handle) };
            (said == SUCCESS).then_some(handle as usize)
        };
        let handle = *self.handles.entry(pci).or_insert_with(ask);
        handle.map(|handle| handle as Handle)
    }
}

impl Drop for Nvml {
    #[expect(unsafe_code, reason = "calls into the library of the NVIDIA driver, which is C")]
    fn drop(&mut self) {
        // SAFETY: the library is still open, and was started or did not start, which this function answers as well.
        unsafe { (self.end)() };
    }
}

fn told(
    encode: Option<c_uint>,
    decode: Option<c_uint>,
    memory: Option<&Memory>,
    celsius: Option<c_uint>,
    milliwatts: Option<c_uint>,
) -> DeviceUse {
    let thousandths = |percent: c_uint| (percent.min(100) * 10) as u16;
    DeviceUse {
        encode: encode.map(thousandths),
        decode: decode.map(thousandths),
        memory: memory.map(|memory| memory.used),
        memory_total: memory.map(|memory| memory.total),
        celsius: celsius.and_then(|celsius| u16::try_from(celsius).ok()),
        watts: milliwatts.and_then(|milliwatts| u16::try_from(milliwatts / 1000).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_tells_is_told_in_our_units_and_the_rest_is_left_out() {
        let memory = Memory { total: 24 << 30, free: 20 << 30, used: 4 << 30 };
        let all = told(Some(73), Some(250), Some(&memory), Some(66), Some(71_900));
        assert_eq!(
            (all.encode, all.decode, all.celsius, all.watts),
            (Some(730), Some(1000), Some(66), Some(71))
        );
        assert_eq!((all.memory, all.memory_total), (Some(4 << 30), Some(24 << 30)));
        assert_eq!(told(None, None, None, None, None), DeviceUse::default());
    }

    #[test]
    fn a_box_without_the_driver_tells_nothing() {
        if let Some(mut nvml) = Nvml::open() {
            let nowhere = PciAddress { domain: 0xffff, bus: 0xff, device: 0x1f, function: 7 };
            assert_eq!(nvml.read(nowhere), DeviceUse::default());
        } else {
            println!("skipped: there is no NVIDIA driver here");
        }
    }
}
