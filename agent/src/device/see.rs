//! Everything that is asked of the GPUs of this box, at once. What is made of it is decided elsewhere.

use super::facts::{Answer, VulkanDevice};
use super::look::{LOOK_MAX, Program, Trouble, look};
use super::routes::{NvidiaGpu, RenderNode, Roots, nvidia_driver, nvidia_gpus, render_nodes};
use crate::process::{Spawner, StopToken};
use crate::{task, told};

/// What was seen of the GPUs.
#[derive(Debug)]
pub struct Seen {
    /// What Vulkan says.
    pub vulkan: Result<Answer, Trouble>,
    /// What the kernel says.
    pub nodes: Vec<RenderNode>,
    /// What the NVIDIA driver says.
    pub nvidia: Vec<NvidiaGpu>,
    /// Version of the NVIDIA driver.
    pub nvidia_driver: Option<String>,
}

impl Seen {
    /// The devices of Vulkan, if it has any.
    pub fn vulkan_devices(&self) -> &[VulkanDevice] {
        match &self.vulkan {
            Ok(Answer::Devices { devices, .. }) => devices,
            Ok(Answer::NoLoader(_) | Answer::NoDriver(_)) | Err(_) => &[],
        }
    }
}

/// Looks, for [`LOOK_MAX`] at most.
pub async fn see(spawner: &Spawner, stop: &StopToken) -> Seen {
    let files = task::spawn_blocking("gpu files", || {
        let roots = Roots::default();
        (render_nodes(&roots), nvidia_gpus(&roots), nvidia_driver(&roots))
    });
    let vulkan = match Program::find() {
        Ok(program) => look(spawner, &program, LOOK_MAX, stop).await,
        Err(trouble) => Err(trouble),
    };
    let (nodes, nvidia, nvidia_driver) = files.await.unwrap_or_else(|error| {
        tracing::warn!("failed to look for render nodes: {}", told::chain(&error));
        Default::default()
    });
    Seen { vulkan, nodes, nvidia, nvidia_driver }
}
