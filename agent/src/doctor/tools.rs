//! ffmpeg and ffprobe against what is needed.

use super::{Finding, Verdict, Wish};
use crate::encoder::{ENCODERS, Route};
use crate::ffmpeg::Tools;
use crate::{task, told};

/// The first release whose Vulkan encoders are known to work.
const VULKAN_MAJOR: u32 = 8;
/// The programs, if they can be used.
pub(super) async fn look(wish: &Wish, tell: &mut (dyn FnMut(Finding) + Send)) -> Option<Tools> {
    let (ffmpeg, ffprobe) = (wish.ffmpeg.clone(), wish.ffprobe.clone());
    let found =
        task::spawn_blocking("find ffmpeg", move || Tools::find(ffmpeg.as_deref(), ffprobe.as_deref()));
    let bad = |text: String| {
        // The words of these errors name the way out after a semicolon.
        let (text, fix) = text.split_once("; ").unwrap_or((&text, ""));
        Finding::new("ffmpeg", Verdict::Bad, text, fix)
    };
    let tools = match found.await {
        Ok(Ok(tools)) => tools,
        Ok(Err(error)) => {
            tell(bad(told::chain(&error)));
            return None;
        }
        Err(error) => {
            tell(bad(told::chain(&error)));
            return None;
        }
    };
    tell(version(&tools));
    tell(Finding::fine(
        "ffprobe",
        format!("{}: {}", tools.ffprobe.display(), first_words(&tools.probe_version_line)),
    ));
    tell(measures(&tools));
    tell(gpu_encoders(&tools));
    Some(tools)
}

fn version(tools: &Tools) -> Finding {
    let text = format!("{}: {}", tools.ffmpeg.display(), first_words(&tools.version_line));
    if tools.major >= VULKAN_MAJOR {
        return Finding::fine("ffmpeg", text);
    }
    Finding::note("ffmpeg", format!("{text}: enough for the processor, Vulkan wants {VULKAN_MAJOR} or newer"))
}

/// A version line without the names of its makers.
fn first_words(line: &str) -> &str {
    line.split(" Copyright ").next().unwrap_or(line)
}

/// They are listed on every box that has such a build: that one works is another question.
fn gpu_encoders(tools: &Tools) -> Finding {
    let mut ways: Vec<(Route, Vec<&str>)> = Vec::new();
    let of_gpus = ENCODERS.iter().filter(|encoder| encoder.route != Route::Cpu);
    for encoder in of_gpus.filter(|encoder| tools.encoders.contains(encoder.name)) {
        let codec = encoder.codec.ffmpeg_name();
        match ways.iter_mut().find(|(route, _)| *route == encoder.route) {
            Some((_, codecs)) => codecs.push(codec),
            None => ways.push((encoder.route, vec![codec])),
        }
    }
    ways.sort_by_key(|(route, _)| *route);
    let told: Vec<_> =
        ways.iter().map(|(route, codecs)| format!("{} ({})", route.word(), codecs.join(" "))).collect();
    if told.is_empty() {
        Finding::note("GPU encoders", "this ffmpeg was built with none")
    } else {
        Finding::note("GPU encoders", format!("in this ffmpeg: {}", told.join(", ")))
    }
}

/// What a profile's target for quality is measured with.
fn measures(tools: &Tools) -> Finding {
    const CHECK: &str = "quality measures";
    if tools.filters.contains("libvmaf") {
        Finding::fine(CHECK, "VMAF and SSIM")
    } else {
        let text =
            "SSIM only: this ffmpeg has no libvmaf, so that it stands for VMAF where a profile asks for that";
        Finding::note(CHECK, text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn tools(version: &str, major: u32, encoders: &[&str]) -> Tools {
        Tools {
            ffmpeg: "/usr/bin/ffmpeg".into(),
            ffprobe: "/usr/bin/ffprobe".into(),
            version_line: format!("ffmpeg version {version} Copyright (c) 2000-2026 the FFmpeg developers"),
            probe_version_line: String::new(),
            major,
            encoders: encoders.iter().map(|name| (*name).to_owned()).collect(),
            filters: BTreeSet::new(),
            probe_decoders: BTreeSet::new(),
        }
    }

    #[test]
    fn an_ffmpeg_without_vulkan_is_good_enough_and_says_so() {
        let new = version(&tools("n9.0.2", 9, &[]));
        assert_eq!(
            (new.verdict, new.text.as_str()),
            (Verdict::Fine, "/usr/bin/ffmpeg: ffmpeg version n9.0.2")
        );
        let old = version(&tools("5.1.9-0+deb12u1", 5, &[]));
        assert_eq!((old.verdict, old.text.contains("8 or newer")), (Verdict::Note, true));
    }

    #[test]
    fn encoders_for_gpus_are_told_by_their_names() {
        let some =
            gpu_encoders(&tools("n9", 9, &["libx264", "hevc_vulkan", "h264_vulkan", "av1_nvenc", "vp9_qsv"]));
        assert_eq!(some.text, "in this ffmpeg: vulkan (h264 hevc), nvenc (av1), qsv (vp9)");
        assert!(gpu_encoders(&tools("5", 5, &["libx264"])).text.contains("none"));
    }
}
