//! The ways to an encoder: how a device is opened, and how pictures are decoded, scaled and fetched there. Pure words.

use crate::device::Gpu;

/// Which way leads to an encoder; in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// Vulkan Video, and Vulkan's compute queues.
    Vulkan,
    /// NVIDIA's encoder.
    Nvenc,
    /// Intel's Quick Sync.
    Qsv,
    /// VAAPI, through a render node.
    Vaapi,
    /// AMD's AMF.
    Amf,
    /// Apple's.
    VideoToolbox,
    /// The processor.
    Cpu,
}

/// How a device is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceWords {
    /// Options in front of the inputs.
    pub args: Vec<String>,
    /// Variables of the process.
    pub env: Vec<(String, String)>,
}

/// How pictures are decoded on a device, and worked on there.
struct Onboard {
    /// ffmpeg's name of the way to decode, which is also that of the frames.
    hwaccel: &'static str,
    /// The name that [`Route::open`] gives the device.
    device: &'static str,
    /// The filter that scales.
    scaler: &'static str,
}

impl Route {
    /// The word that profiles use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vulkan => "vulkan",
            Self::Nvenc => "nvenc",
            Self::Qsv => "qsv",
            Self::Vaapi => "vaapi",
            Self::Amf => "amf",
            Self::VideoToolbox => "videotoolbox",
            Self::Cpu => "cpu",
        }
    }

    /// Whether a word of a profile means it: its own, or `vendor` for any that a maker of cards has for its own.
    pub fn is_meant(self, word: &str) -> bool {
        let is_vendor = !matches!(self, Self::Vulkan | Self::Cpu);
        word.eq_ignore_ascii_case(self.word()) || (is_vendor && word.eq_ignore_ascii_case("vendor"))
    }

    /// Whether it can lead to this card at all.
    pub fn reaches(self, gpu: &Gpu) -> bool {
        let has_node = gpu.render_node.is_some() && gpu.nvidia.is_none();
        match self {
            Self::Vulkan => !gpu.vulkan.is_empty(),
            Self::Nvenc => gpu.nvidia.is_some(),
            Self::Qsv => has_node && is_by(gpu, &["intel", "i915", "xe"]),
            Self::Amf => has_node && is_by(gpu, &["amd", "radeon", "amdgpu"]),
            Self::Vaapi => has_node,
            // Only an ffmpeg for Apple's system has these encoders, and such a box has one card.
            Self::VideoToolbox => true,
            Self::Cpu => false,
        }
    }

    /// Opens the card; filters that upload use it.
    pub(crate) fn open(self, gpu: &Gpu) -> DeviceWords {
        let mut words = DeviceWords::default();
        let mut args = |text: String| words.args.extend(text.split(' ').map(str::to_owned));
        let node = gpu.render_node.as_ref().map(|path| path.display().to_string());
        match self {
            Self::Vulkan => {
                if let Some(index) = gpu.vulkan.first() {
                    args(format!("-init_hw_device vulkan=vk:{index} -filter_hw_device vk"));
                }
            }
            Self::Nvenc => {
                args("-init_hw_device cuda=cu -filter_hw_device cu".to_owned());
                // Its number changes with what else is in the box; with this it is the only one there is.
                let uuid = gpu.nvidia.iter().cloned();
                words.env.extend(uuid.map(|uuid| ("CUDA_VISIBLE_DEVICES".to_owned(), uuid)));
            }
            Self::Vaapi => {
                if let Some(node) = node {
                    args(format!("-init_hw_device vaapi=va:{node} -filter_hw_device va"));
                }
            }
            Self::Qsv => {
                if let Some(node) = node {
                    // By VAAPI, which is what Quick Sync stands on here, and which takes a node by name.
                    args(format!(
                        "-init_hw_device vaapi=va:{node} -init_hw_device qsv=qs@va -filter_hw_device qs"
                    ));
                }
            }
            // The encoders open these by themselves.
            Self::Amf | Self::VideoToolbox | Self::Cpu => {}
        }
        words
    }

    /// How it decodes and scales, where it can keep the frames on the card in between.
    fn onboard(self) -> Option<Onboard> {
        let row = |hwaccel, device, scaler| Some(Onboard { hwaccel, device, scaler });
        match self {
            Self::Vulkan => row("vulkan", "vk", "scale_vulkan"),
            Self::Nvenc => row("cuda", "cu", "scale_cuda"),
            Self::Qsv => row("qsv", "qs", "scale_qsv"),
            Self::Vaapi => row("vaapi", "va", "scale_vaapi"),
            Self::Amf | Self::VideoToolbox | Self::Cpu => None,
        }
    }

    /// Options in front of an input whose pictures are decoded on the card and stay there; empty if this way has none.
    /// They go with the words of [`super::Encoder::device`], and without an upload or a `-pix_fmt`. Filters in memory and
    /// turned pictures do not go with it.
    pub fn decode_words(self) -> Vec<String> {
        let Some(Onboard { hwaccel, device, .. }) = self.onboard() else { return Vec::new() };
        let words = format!("-hwaccel {hwaccel} -hwaccel_output_format {hwaccel} -hwaccel_device {device}");
        words.split(' ').map(str::to_owned).collect()
    }

    /// The filter that scales pictures on the card, if there is one.
    pub fn scale_filter(self, width: u32, height: u32) -> Option<String> {
        self.onboard().map(|onboard| format!("{}=w={width}:h={height}", onboard.scaler))
    }

    /// The name under which the path of decoding this codec and scaling on the card is tried and told.
    pub fn onboard_name(self, codec: &str) -> Option<String> {
        self.onboard().map(|onboard| format!("{}:{codec}", onboard.scaler))
    }
}

/// Whether a card is by one of these makers, as its names tell.
fn is_by(gpu: &Gpu, names: &[&str]) -> bool {
    let name = gpu.name.to_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| names.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::super::ENCODERS;
    use super::*;

    fn gpu(name: &str, node: Option<&str>, nvidia: Option<&str>) -> Gpu {
        Gpu {
            pci: None,
            name: name.into(),
            vulkan: vec![1, 2],
            render_node: node.map(Into::into),
            nvidia: nvidia.map(Into::into),
            encodes: Vec::new(),
            is_software: false,
        }
    }

    #[test]
    fn each_way_opens_the_card_that_is_meant() {
        let intel = gpu("Intel(R) Arc(tm) A770", Some("/dev/dri/renderD129"), None);
        let nvidia = gpu("NVIDIA L4", Some("/dev/dri/renderD128"), Some("GPU-1a"));
        for (name, gpu, args, env) in [
            ("h264_vulkan", &intel, "-init_hw_device vulkan=vk:1 -filter_hw_device vk", ""),
            (
                "av1_nvenc",
                &nvidia,
                "-init_hw_device cuda=cu -filter_hw_device cu",
                "CUDA_VISIBLE_DEVICES=GPU-1a",
            ),
            ("hevc_vaapi", &intel, "-init_hw_device vaapi=va:/dev/dri/renderD129 -filter_hw_device va", ""),
            (
                "hevc_qsv",
                &intel,
                "-init_hw_device vaapi=va:/dev/dri/renderD129 -init_hw_device qsv=qs@va -filter_hw_device qs",
                "",
            ),
            ("hevc_amf", &intel, "", ""),
            ("libsvtav1", &intel, "", "SVT_LOG=1"),
        ] {
            let row = ENCODERS.iter().find(|row| row.name == name).unwrap();
            let words = row.device(Some(gpu));
            let told: Vec<_> = words.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!((words.args.join(" ").as_str(), told.join(" ").as_str()), (args, env), "{name}");
        }
    }

    #[test]
    fn a_way_leads_only_to_cards_of_its_maker() {
        use Route::{Amf, Nvenc, Qsv, Vaapi, Vulkan};
        let node = Some("/dev/dri/renderD128");
        for (gpu, expected) in [
            (gpu("Intel(R) UHD Graphics 770", node, None), vec![Vulkan, Qsv, Vaapi]),
            (gpu("i915", node, None), vec![Vulkan, Qsv, Vaapi]),
            (gpu("AMD Radeon RX 7600 (RADV NAVI33)", node, None), vec![Vulkan, Vaapi, Amf]),
            (gpu("NVIDIA L4", node, Some("GPU-1")), vec![Vulkan, Nvenc]),
            (gpu("llvmpipe (LLVM 19.1.7, 256 bits)", None, None), vec![Vulkan]),
            (Gpu { vulkan: vec![], ..gpu("virtio_gpu", node, None) }, vec![Vaapi]),
        ] {
            let all = [Vulkan, Nvenc, Qsv, Vaapi, Amf, Route::Cpu];
            let found: Vec<_> = all.into_iter().filter(|route| route.reaches(&gpu)).collect();
            assert_eq!(found, expected, "{}", gpu.name);
        }
    }

    #[test]
    fn frames_stay_on_the_card_where_the_way_can_keep_them() {
        assert_eq!(
            Route::Vulkan.decode_words().join(" "),
            "-hwaccel vulkan -hwaccel_output_format vulkan -hwaccel_device vk"
        );
        assert_eq!(Route::Nvenc.scale_filter(1280, 720).as_deref(), Some("scale_cuda=w=1280:h=720"));
        assert!(Route::Cpu.decode_words().is_empty() && Route::Amf.scale_filter(2, 2).is_none());
        assert_eq!(Route::Vaapi.onboard_name("hevc").as_deref(), Some("scale_vaapi:hevc"));
    }

    #[test]
    fn words_of_profiles_mean_one_way_or_all_of_the_makers() {
        assert!(Route::Nvenc.is_meant("vendor") && Route::Vaapi.is_meant("Vendor"));
        assert!(!Route::Vulkan.is_meant("vendor") && !Route::Cpu.is_meant("vendor"));
        assert!(Route::Cpu.is_meant("cpu") && !Route::Qsv.is_meant("vaapi"));
    }
}
