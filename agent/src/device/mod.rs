//! The GPUs of this box: what its Vulkan drivers, its render nodes and the NVIDIA driver say of them.
//!
//! A driver may crash, hang or lie when it is asked, so that the asking is done by a child of ours ([`look`]), and what
//! went wrong there is a plain answer ([`Trouble`]). Everything after that is a pure function of [`VulkanDevice`],
//! [`RenderNode`] and [`NvidiaGpu`]. Knows nothing of ffmpeg, jobs and slots.

mod cards;
mod choose;
mod facts;
mod look;
mod merge;
mod pci;
mod routes;
mod see;
#[cfg(test)]
pub(crate) mod testing;
mod video;
mod vulkan;

pub use cards::{Card, cards, find};
pub use choose::{ChooseError, choose};
pub use facts::{Answer, Kind, ProfileFacts, QueueFamily, Uuid, VideoFacts, VulkanDevice};
pub(crate) use look::told;
pub use look::{CHILD_WORD, LOOK_MAX, Program, Trouble, look};
pub use merge::{Gpu, merge, software};
pub use pci::PciAddress;
pub use routes::{Access, NvidiaGpu, RenderNode, Roots, nvidia_driver, nvidia_gpus, render_nodes};
pub use see::{Seen, see};
pub use video::{Codec, Way};
