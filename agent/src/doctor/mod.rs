//! `vc-agent doctor`: what works on this box, what does not, and what to do about it.
//!
//! Each check is a function that hands back findings; it changes nothing but short-lived files of its own. The look at
//! GPUs is [`crate::device`]'s, the trial of encoders [`crate::trial`]'s: what is made of both is decided here.

mod clock;
mod folder;
mod gpus;
mod network;
mod tools;
mod trials;

use std::path::PathBuf;

use serde::Serialize;

use self::trials::Trials;
use crate::device::{Gpu, Seen, VulkanDevice, cards, merge, see};
use crate::finding::{Finding, Verdict};
use crate::process::{Spawner, StopToken};
use crate::task;

/// Whether Vulkan devices that are the processor itself count as devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    /// As on a box at work: a slower way to the same processor.
    LeftOut,
    /// As in tests of the GPU's way on a box without one.
    Counted,
}

/// What is to be looked at.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Folder of the agent's key and records; none if there is no home to put it into.
    pub state_dir: Option<PathBuf>,
    /// ffmpeg, if not the one on the `PATH`.
    pub ffmpeg: Option<PathBuf>,
    /// ffprobe, if not the one on the `PATH`.
    pub ffprobe: Option<PathBuf>,
    /// Vulkan devices to show, by number, address, UUID or a part of the name; all of them if empty.
    pub devices: Vec<String>,
    /// Software devices.
    pub software: Software,
}

/// The devices behind the findings, for programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Devices {
    /// As Vulkan says.
    pub vulkan: Vec<VulkanDevice>,
    /// The same and others, each card once.
    pub gpus: Vec<Gpu>,
}

/// Every check, in the order in which they are read; a finding is told as soon as it is there, for trials take seconds.
pub async fn examine(wish: Wish, stop: &StopToken, tell: &mut (dyn FnMut(Finding) + Send)) -> Devices {
    let state_dir = wish.state_dir.clone();
    let here = task::spawn_blocking("look around", move || {
        let mut findings = folder::state(state_dir.as_deref());
        findings.push(clock::own());
        findings
    });
    here.await.into_iter().flatten().for_each(&mut *tell);
    if let Some(dir) = &wish.state_dir {
        network::console(dir).await.into_iter().for_each(&mut *tell);
    }
    let spawner = match Spawner::start(None) {
        Ok(spawner) => spawner,
        Err(error) => {
            let text = format!("the thread that starts programs does not start: {error}");
            tell(Finding::new("programs", Verdict::Bad, text, "close what else runs here"));
            return Devices::default();
        }
    };
    let tools = tools::look(&wish, tell).await;
    let trials = match tools.as_ref().map(|tools| Trials::new(tools, &wish, &spawner, stop)) {
        Some(Ok(trials)) => Some(trials),
        Some(Err(finding)) => {
            tell(finding);
            None
        }
        None => None,
    };
    if let Some(trials) = &trials {
        trials.of_processor(tell).await;
    }
    let seen = see(&spawner, stop).await;
    gpus::judge(&seen, tools.as_ref(), &wish).into_iter().for_each(&mut *tell);
    if let Some(trials) = &trials {
        let cards = cards(&seen, wish.software == Software::Counted);
        for card in trials::meant(&cards, &seen, &wish) {
            trials.of_card(card).await.into_iter().for_each(&mut *tell);
        }
    }
    let vulkan = seen.vulkan_devices();
    Devices { vulkan: vulkan.to_vec(), gpus: merge(vulkan, &seen.nodes, &seen.nvidia) }
}
