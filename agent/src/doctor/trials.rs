//! The trial of every encoder: of the processor, and of each GPU by every way that leads to it.

use std::path::Path;

use vc_protocol::device::EncoderFacts;

use super::{Finding, Verdict, Wish};
use crate::device::{Card, choose};
use crate::encoder::{self, ENCODERS, Encoder, Route};
use crate::ffmpeg::Tools;
use crate::process::{Spawner, StopToken};
use crate::trial::{self, Bench, Cache, Folder, NO_TURN, Subject};

/// What is tried, and with what.
pub(super) struct Trials<'a> {
    tools: &'a Tools,
    spawner: &'a Spawner,
    stop: &'a StopToken,
    folder: Folder,
    cache: Cache,
}

impl<'a> Trials<'a> {
    pub(super) fn new(
        tools: &'a Tools,
        wish: &Wish,
        spawner: &'a Spawner,
        stop: &'a StopToken,
    ) -> Result<Self, Finding> {
        let folder = scratch(wish.state_dir.as_deref()).map_err(|error| {
            let text = format!("nothing can be tried: there is no folder to write to: {error}");
            Finding::new("encoder", Verdict::Warning, text, "set TMPDIR to one")
        })?;
        Ok(Trials { tools, spawner, stop, folder, cache: Cache::open(tools) })
    }

    /// The processor's encoders, each as soon as it has been tried.
    pub(super) async fn of_processor(&self, tell: &mut (dyn FnMut(Finding) + Send)) {
        let of_cpu = ENCODERS.iter().filter(|encoder| encoder.route == Route::Cpu);
        for encoder in of_cpu.filter(|encoder| !self.tools.encoders.contains(encoder.name)) {
            tell(Finding::note("encoder", format!("{} is not in this ffmpeg", encoder.name)));
        }
        let facts = self.of(None, &mut |facts| tell(of_processor(facts))).await;
        if !facts.iter().any(|facts| facts.fps.is_some()) {
            let text = "none works: this box can copy streams and nothing else";
            let fix = "assets/setup.sh installs an ffmpeg that has them";
            tell(Finding::new("encoders", Verdict::Bad, text, fix));
        }
    }

    /// The encoders of a GPU.
    pub(super) async fn of_card(&self, card: &Card) -> Vec<Finding> {
        of_card(card, &self.of(Some(card), &mut |_| {}).await)
    }

    async fn of(
        &self,
        card: Option<&Card>,
        tell: &mut (dyn FnMut(&EncoderFacts) + Send),
    ) -> Vec<EncoderFacts> {
        let Trials { tools, spawner, stop, folder, cache } = self;
        let gpu = card.map(|card| &card.gpu);
        let rows = encoder::rows(gpu, &tools.encoders);
        let facts = trial::device(Bench { tools, spawner, folder, stop }, gpu, &rows, tell).await;
        if stop.reason().is_none() {
            cache.remember(&Subject::of(card), &rows, &facts);
        }
        facts
    }
}

/// In the state folder, which has a disk of its own where that matters, else where temporary files go.
fn scratch(state_dir: Option<&Path>) -> std::io::Result<Folder> {
    match state_dir.map(Folder::make) {
        Some(Ok(folder)) => Ok(folder),
        Some(Err(_)) | None => Folder::make(&std::env::temp_dir()),
    }
}

/// Cards that are meant: those of the Vulkan devices that were named, or all.
pub(super) fn meant<'c>(cards: &'c [Card], seen: &super::Seen, wish: &Wish) -> Vec<&'c Card> {
    let named = wish.devices.iter().filter_map(|word| choose(seen.vulkan_devices(), word).ok()).flatten();
    let named: Vec<u32> = named.map(|device| device.index).collect();
    let is_meant =
        |card: &&Card| wish.devices.is_empty() || card.gpu.vulkan.iter().any(|index| named.contains(index));
    cards.iter().filter(is_meant).collect()
}

fn of_processor(facts: &EncoderFacts) -> Finding {
    let fix = "jobs that need it fail here: assets/setup.sh installs an ffmpeg that has it";
    judged("encoder", &facts.name, facts, Verdict::Warning, fix)
}

/// What is wrong with an encoder of a card costs nothing as long as another one of the card makes the same.
fn of_card(card: &Card, all: &[EncoderFacts]) -> Vec<Finding> {
    const CHECK: &str = "GPU encoder";
    let row = |name: &str| ENCODERS.iter().find(|row| row.name == name);
    let place = card.gpu.pci.map(|pci| format!(" ({pci})")).unwrap_or_default();
    let each = all.iter().map(|facts| {
        let name = format!("{}{place}", facts.name);
        let Some(encoder) = row(&facts.name) else {
            return judged(CHECK, &name, facts, Verdict::Note, "");
        };
        let same = |other: &&EncoderFacts| row(&other.name).is_some_and(|row| row.codec == encoder.codec);
        let is_covered = all.iter().filter(same).any(|other| other.fps.is_some());
        // Nothing was tried where the card says itself that it has no engine for it.
        let is_plain = is_covered || facts.trials.is_empty() || card.gpu.is_software;
        match is_plain {
            true => judged(CHECK, &name, facts, Verdict::Note, ""),
            false => judged(CHECK, &name, facts, Verdict::Warning, remedy(encoder)),
        }
    });
    let mut findings: Vec<_> = each.collect();
    if findings.is_empty() {
        findings.push(Finding::note(CHECK, format!("this ffmpeg has none for {}{place}", card.gpu.name)));
    }
    findings
}

fn remedy(encoder: &Encoder) -> &'static str {
    match encoder.route {
        Route::Vulkan => "update the GPU's driver; until then jobs go on with the next encoder",
        Route::Nvenc => "update the NVIDIA driver; data-centre GPUs have no encode engine, which is fine",
        Route::Qsv => "install Intel's runtime: apt-get install libmfx-gen1.2 intel-media-va-driver-non-free",
        Route::Vaapi => {
            "install a VAAPI driver: mesa-va-drivers, or intel-media-va-driver; `vainfo` shows what it can"
        }
        Route::Amf => "install AMD's AMF runtime, or leave it: Vulkan and VAAPI reach the same engine",
        Route::VideoToolbox | Route::Cpu => "install an ffmpeg that has it",
    }
}

/// `libx265: 48 fps, 41.2 dB like its source, 8 and 10 bit`.
fn judged(check: &'static str, name: &str, facts: &EncoderFacts, bad: Verdict, fix: &str) -> Finding {
    let Some(fps) = facts.fps else {
        return match facts.problem.as_str() {
            "" => Finding::note(check, format!("{name}: {NO_TURN}, the box is busy")),
            problem => Finding::new(check, bad, format!("{name}: {problem}"), fix),
        };
    };
    let passed = || facts.trials.iter().filter(|trial| trial.problem.is_empty());
    let psnr = passed().filter_map(|trial| trial.psnr_db).fold(f32::INFINITY, f32::min);
    let likeness = match psnr.is_finite() {
        true => format!("{psnr:.1} dB like its source"),
        false => "the same as its source".to_owned(),
    };
    let mut bits: Vec<_> = passed().map(|trial| trial.bits.to_string()).collect();
    bits.dedup();
    // Of what is slow the fraction is what counts.
    let decimals = usize::from(fps < 9.95);
    let text = format!("{name}: {fps:.decimals$} fps, {likeness}, {} bit", bits.join("+"));
    // What failed says more than what had no turn.
    let failed = facts.trials.iter().filter(|trial| !trial.problem.is_empty());
    let failed = failed.min_by_key(|trial| trial.problem == NO_TURN);
    match failed {
        None => Finding::fine(check, text),
        Some(trial) => {
            let text = format!("{text}; {} bit by {}: {}", trial.bits, trial.rate.word(), trial.problem);
            if trial.problem == NO_TURN {
                Finding::note(check, text)
            } else {
                Finding::new(check, bad, text, fix)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::device::{GpuFacts, RateMode, TrialFacts};

    use super::*;
    use crate::device::Gpu;

    fn facts(name: &str, trials: &[(u8, &str, f32)]) -> EncoderFacts {
        let trial = |&(bits, problem, psnr): &(u8, &str, f32)| TrialFacts {
            bits,
            rate: RateMode::Quality,
            problem: problem.into(),
            fps: problem.is_empty().then_some(151.4),
            psnr_db: problem.is_empty().then_some(psnr),
        };
        let trials: Vec<_> = trials.iter().map(trial).collect();
        let fps = trials.iter().find_map(|trial| trial.fps);
        let problem = match (fps, trials.first()) {
            (None, Some(first)) if first.problem != NO_TURN => first.problem.clone(),
            _ => String::new(),
        };
        EncoderFacts { name: name.into(), problem, fps, trials }
    }

    #[test]
    fn a_trial_is_told_with_its_figures_or_its_failure() {
        let exact = f32::INFINITY;
        for (facts, verdict, text) in [
            (
                facts("libx265", &[(8, "", 42.31), (10, "", 41.0)]),
                Verdict::Fine,
                "libx265: 151 fps, 41.0 dB like its source, 8+10 bit",
            ),
            (facts("ffv1", &[(8, "", exact)]), Verdict::Fine, "ffv1: 151 fps, the same as its source, 8 bit"),
            (facts("libx264", &[(8, "makes garbage", 0.0)]), Verdict::Warning, "libx264: makes garbage"),
            (
                facts("libx264", &[(8, NO_TURN, 0.0)]),
                Verdict::Note,
                "libx264: had no turn within a minute, the box is busy",
            ),
            (
                facts("libx265", &[(8, "", 42.31), (10, "makes garbage", 0.0)]),
                Verdict::Warning,
                "libx265: 151 fps, 42.3 dB like its source, 8 bit; 10 bit by quality: makes garbage",
            ),
        ] {
            let finding = of_processor(&facts);
            assert_eq!((finding.verdict, finding.text.as_str()), (verdict, text));
        }
    }

    #[test]
    fn a_failure_on_a_card_is_a_warning_only_where_nothing_of_the_card_does_the_same() {
        let gpu = Gpu {
            pci: "0000:01:00.0".parse().ok(),
            name: "Card".into(),
            vulkan: vec![0],
            render_node: None,
            nvidia: None,
            encodes: Vec::new(),
            is_software: false,
        };
        let card = Card { key: "card".into(), gpu, facts: GpuFacts::default() };
        let none = EncoderFacts {
            problem: "this GPU encodes no av1 with Vulkan".into(),
            ..facts("av1_vulkan", &[])
        };
        let all = [
            facts("hevc_vulkan", &[(8, "makes garbage", 0.0)]),
            facts("hevc_nvenc", &[(8, "", 40.0)]),
            facts("h264_vulkan", &[(8, "makes garbage", 0.0)]),
            none,
            facts("scale_vulkan:h264", &[(8, "", 60.0)]),
        ];
        let told: Vec<_> =
            of_card(&card, &all).into_iter().map(|f| (f.verdict, f.text, !f.fix.is_empty())).collect();
        let row = |verdict, text: &str, has_fix| (verdict, text.to_owned(), has_fix);
        assert_eq!(
            told,
            [
                row(Verdict::Note, "hevc_vulkan (0000:01:00.0): makes garbage", false),
                row(
                    Verdict::Fine,
                    "hevc_nvenc (0000:01:00.0): 151 fps, 40.0 dB like its source, 8 bit",
                    false
                ),
                row(Verdict::Warning, "h264_vulkan (0000:01:00.0): makes garbage", true),
                row(Verdict::Note, "av1_vulkan (0000:01:00.0): this GPU encodes no av1 with Vulkan", false),
                row(
                    Verdict::Fine,
                    "scale_vulkan:h264 (0000:01:00.0): 151 fps, 60.0 dB like its source, 8 bit",
                    false
                ),
            ]
        );
        assert!(of_card(&card, &[])[0].text.contains("has none for Card"));
    }
}
