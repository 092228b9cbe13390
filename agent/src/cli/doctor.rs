//! `doctor`: a line for each check, and what to do where something is wrong.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::{Code, Failed};
use super::{maybe_empty, show};
use crate::doctor::{self, Software, Wish};
use crate::finding::{self, Finding, Verdict};
use crate::process::Stopper;

/// Width that lines are broken at on a terminal: longer ones are hard to read on a wider one too.
const WIDTH: usize = 80;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Show this Vulkan device only: its number, PCI address, UUID or a part of its name; may be given several times
    #[arg(long, value_name = "WHICH")]
    device: Vec<String>,
    /// Count Vulkan devices that are the processor itself, such as lavapipe: for tests
    #[arg(long)]
    allow_cpu_vulkan: bool,
    /// ffmpeg, if not the one on the PATH
    #[arg(long, value_name = "PATH", env = "VC_FFMPEG", value_parser = maybe_empty())]
    ffmpeg: Option<PathBuf>,
    /// ffprobe, if not the one on the PATH
    #[arg(long, value_name = "PATH", env = "VC_FFPROBE", value_parser = maybe_empty())]
    ffprobe: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Until all is looked at, or ctrl-c: then what was begun is ended and cleared away.
pub(super) async fn run(args: DoctorArgs, state_dir: Option<PathBuf>) -> Result<Code, Failed> {
    let given = |path: Option<PathBuf>| path.filter(|p| !p.as_os_str().is_empty());
    let wish = Wish {
        state_dir,
        ffmpeg: given(args.ffmpeg),
        ffprobe: given(args.ffprobe),
        devices: args.device,
        software: if args.allow_cpu_vulkan { Software::Counted } else { Software::LeftOut },
    };
    let (_stopper, stop) = Stopper::new();
    let is_terminal = std::io::stdout().is_terminal();
    let mut findings = Vec::new();
    let mut tell = |finding: Finding| {
        if !args.json {
            let lines = if is_terminal { finding.wrapped(WIDTH) } else { finding.lines() };
            lines.iter().for_each(|line| show::line(line));
        }
        findings.push(finding);
    };
    // The arm that loses is dropped, and its children and files with it.
    let devices = tokio::select! {
        devices = doctor::examine(wish, &stop, &mut tell) => devices,
        _ = tokio::signal::ctrl_c() => return Ok(Code::Interrupted),
    };
    if args.json {
        let mut document = finding::document(&findings);
        document["vulkan_devices"] = json!(devices.vulkan);
        document["gpus"] = json!(devices.gpus);
        show::line(&document.to_string());
    }
    let is_worse = finding::worst(&findings) >= Verdict::Warning;
    Ok(if is_worse { Code::Degraded } else { Code::Done })
}
