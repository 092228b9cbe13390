//! Bounds of what an agent may say, and the taming of its figures: pure.

use vc_protocol::agent::{
    ATTEMPTS_MAX, AgentHello, COMMANDS_MAX, FromAgent, Held, LOG_TAIL_BYTES_MAX, LiveLog, Outcome,
    PASSED_OVER_MAX, PassedOver, Proven, QUALITIES_MAX, QualityFound, Report,
};
use vc_protocol::device::{BoxFacts, DEVICES_MAX, Device, ENCODERS_MAX, SLOTS_MAX, TRIALS_MAX};
use vc_protocol::failure::CAUSE_BYTES_MAX;
use vc_protocol::media::{Colour, Media, STREAMS_TOLD_MAX};
use vc_protocol::path::is_unprintable;
use vc_protocol::progress::PHASES_MAX;

/// Longest host name, version and device name kept.
const NAME_BYTES_MAX: usize = 256;
/// Longest sentence kept: a cause, a warning. As long as an honest agent makes them.
const SENTENCE_BYTES_MAX: usize = CAUSE_BYTES_MAX;
/// Most warnings of one report.
const WARNINGS_MAX: usize = 64;

/// More of something than any honest agent has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it names {count} {what}, more than {max}")]
pub(super) struct OverLimit {
    what: &'static str,
    count: usize,
    max: usize,
}

fn at_most(what: &'static str, count: usize, max: usize) -> Result<(), OverLimit> {
    if count <= max { Ok(()) } else { Err(OverLimit { what, count, max }) }
}

/// Checks an agent's first message.
pub(super) fn check_hello(hello: &mut AgentHello) -> Result<(), OverLimit> {
    check_devices(&mut hello.devices)?;
    at_most("attempts", hello.inventory.len(), ATTEMPTS_MAX)?;
    for text in [&mut hello.host, &mut hello.version, &mut hello.ffmpeg] {
        tame(text);
    }
    hello.inventory.iter_mut().try_for_each(|held| match held {
        Held::Running(_, progress) => {
            *progress = progress.clamped();
            Ok(())
        }
        Held::Proven(_, proven) => check_part(proven),
        Held::Ended(report) => check_report(report),
    })
}

fn check_devices(devices: &mut [Device]) -> Result<(), OverLimit> {
    at_most("devices", devices.len(), DEVICES_MAX)?;
    for device in devices {
        at_most("slots", usize::from(device.slots), usize::from(SLOTS_MAX))?;
        at_most("codecs", device.codecs.len(), NAME_BYTES_MAX)?;
        tame(&mut device.name);
    }
    Ok(())
}

/// Checks any later message.
pub(super) fn check(message: &mut FromAgent) -> Result<(), OverLimit> {
    match message {
        FromAgent::Hello(hello) => check_hello(hello),
        FromAgent::Heartbeat(attempts) => at_most("attempts", attempts.len(), ATTEMPTS_MAX),
        FromAgent::Progress(progress) => {
            progress.iter_mut().for_each(|(_, progress)| *progress = progress.clamped());
            at_most("attempts", progress.len(), ATTEMPTS_MAX)
        }
        FromAgent::Report(report) => check_report(report),
        FromAgent::Log(_, live) => {
            let LiveLog { commands, log, encoder, next_encoders, media, phases, passed_over, quality } = live;
            check_choice(passed_over, quality)?;
            at_most("commands", commands.len(), COMMANDS_MAX)?;
            at_most("encoders", next_encoders.len(), ENCODERS_MAX)?;
            at_most("phases", phases.len(), PHASES_MAX)?;
            [encoder].into_iter().chain(next_encoders).for_each(tame);
            media.as_deref_mut().map_or(Ok(()), check_media)?;
            at_most("bytes of log", log.len(), LOG_TAIL_BYTES_MAX)
        }
        FromAgent::Proof(_, Err(why)) => {
            tame(why);
            Ok(())
        }
        FromAgent::AskCommit(_, proven) => check_part(proven),
        FromAgent::SelfTested(_, Err(why)) => {
            tame_to(why, SENTENCE_BYTES_MAX);
            Ok(())
        }
        FromAgent::Facts(facts) => check_facts(facts),
        FromAgent::Devices(devices) => check_devices(devices),
        FromAgent::OwnLog(log) => at_most("bytes of log", log.len(), LOG_TAIL_BYTES_MAX),
        FromAgent::Proof(_, Ok(_)) | FromAgent::SelfTested(_, Ok(())) | FromAgent::Draining => Ok(()),
    }
}

fn check_facts(facts: &mut BoxFacts) -> Result<(), OverLimit> {
    at_most("devices", facts.devices.len(), DEVICES_MAX)?;
    tame(&mut facts.system);
    for device in &mut facts.devices {
        at_most("encoders", device.encoders.len(), ENCODERS_MAX)?;
        for encoder in &mut device.encoders {
            tame(&mut encoder.name);
            tame_to(&mut encoder.problem, SENTENCE_BYTES_MAX);
            encoder.fps = encoder.fps.filter(|fps| fps.is_finite());
            at_most("trials", encoder.trials.len(), TRIALS_MAX)?;
            for trial in &mut encoder.trials {
                tame_to(&mut trial.problem, SENTENCE_BYTES_MAX);
                trial.fps = trial.fps.filter(|fps| fps.is_finite());
                // Nothing lost is infinite, and is shown so.
                trial.psnr_db = trial.psnr_db.filter(|db| !db.is_nan());
            }
        }
        tame_to(&mut device.slots_note, SENTENCE_BYTES_MAX);
        if let Some(gpu) = &mut device.gpu {
            at_most("codecs", gpu.decodes.len(), NAME_BYTES_MAX)?;
            let texts = [&mut gpu.pci, &mut gpu.uuid, &mut gpu.driver, &mut gpu.vulkan];
            texts.into_iter().chain(&mut gpu.decodes).for_each(tame);
        }
    }
    Ok(())
}

/// Encoders that were passed over, and the quality that was found.
fn check_choice(passed: &mut [PassedOver], quality: &mut Option<QualityFound>) -> Result<(), OverLimit> {
    at_most("encoders passed over", passed.len(), PASSED_OVER_MAX)?;
    for encoder in passed {
        tame(&mut encoder.encoder);
        tame_to(&mut encoder.cause, SENTENCE_BYTES_MAX);
    }
    if let Some(found) = quality {
        at_most("qualities", found.tried.len(), QUALITIES_MAX)?;
        let values = [found.target, found.quality, found.predicted].into_iter();
        if !values.chain(found.tried.iter().flat_map(|(q, score)| [*q, *score])).all(f64::is_finite) {
            *quality = None;
        }
    }
    Ok(())
}

/// Most dispositions of one stream; ffmpeg knows 19.
const DISPOSITIONS_MAX: usize = 64;

fn check_media(media: &mut Media) -> Result<(), OverLimit> {
    at_most("streams", media.streams.len(), STREAMS_TOLD_MAX)?;
    tame(&mut media.container);
    media.title.iter_mut().for_each(tame);
    for stream in &mut media.streams {
        tame(&mut stream.codec);
        at_most("dispositions", stream.dispositions.len(), DISPOSITIONS_MAX)?;
        let Colour { primaries, transfer, matrix, range, chroma } = &mut stream.colour;
        let texts = [primaries, transfer, matrix, range, chroma].into_iter().chain(&mut stream.dispositions);
        texts.for_each(tame);
        for text in [&mut stream.pixel_format, &mut stream.channel_layout, &mut stream.field_order] {
            tame(text);
        }
        let texts = [&mut stream.language, &mut stream.title, &mut stream.timecode];
        texts.into_iter().flatten().for_each(tame);
        stream.fps = if stream.fps.is_finite() { stream.fps } else { 0.0 };
    }
    Ok(())
}

fn check_report(report: &mut Report) -> Result<(), OverLimit> {
    at_most("commands", report.commands.len(), COMMANDS_MAX)?;
    at_most("warnings", report.warnings.len(), WARNINGS_MAX)?;
    at_most("bytes of log", report.log.len(), LOG_TAIL_BYTES_MAX)?;
    check_choice(&mut report.passed_over, &mut report.quality)?;
    report.warnings.iter_mut().for_each(|text| tame_to(text, SENTENCE_BYTES_MAX));
    tame(&mut report.encoder);
    match &mut report.outcome {
        Outcome::Skipped(text) => tame_to(text, SENTENCE_BYTES_MAX),
        Outcome::Failed(failure) => tame_to(&mut failure.cause, SENTENCE_BYTES_MAX),
        Outcome::Committed(proven) => check_part(proven)?,
        Outcome::SourceChanged(_) | Outcome::Stopped => {}
    }
    Ok(())
}

/// It is stored with the job and looked for on the disk.
fn check_part(proven: &Proven) -> Result<(), OverLimit> {
    at_most("bytes in the name of a part file", proven.part.0.len(), NAME_BYTES_MAX)
}

/// A text for one line of a screen: short, and without what steers a terminal.
fn tame(text: &mut String) {
    tame_to(text, NAME_BYTES_MAX);
}

fn tame_to(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
    text.retain(|c| !is_unprintable(c));
}

#[cfg(test)]
mod tests {
    use vc_protocol::device::{Device, DeviceKind};
    use vc_protocol::id::{AttemptId, AttemptNo, DeviceId, JobId, TaskNo};
    use vc_protocol::progress::{Phase, Progress};

    use super::*;

    fn hello() -> AgentHello {
        let device = Device {
            id: DeviceId(0),
            kind: DeviceKind::Cpu,
            name: "cpu\u{1b}[2J".into(),
            slots: 2,
            codecs: vec![],
        };
        AgentHello {
            instance: 1,
            host: "a".repeat(1000),
            version: "1".into(),
            ffmpeg: "ffmpeg\nversion".into(),
            devices: vec![device],
            inventory: vec![],
        }
    }

    #[test]
    fn names_are_tamed_and_counts_refused() {
        let mut good = hello();
        assert_eq!(check_hello(&mut good), Ok(()));
        assert_eq!((good.host.len(), good.ffmpeg.as_str()), (NAME_BYTES_MAX, "ffmpegversion"));
        assert_eq!(good.devices[0].name, "cpu[2J");
        let mut devices = AgentHello { devices: vec![good.devices[0].clone(); DEVICES_MAX + 1], ..hello() };
        assert!(check_hello(&mut devices).is_err());
        let mut slots = hello();
        slots.devices[0].slots = SLOTS_MAX + 1;
        assert!(check_hello(&mut slots).is_err());
        let attempt = AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(1) };
        assert!(check(&mut FromAgent::Heartbeat(vec![attempt; ATTEMPTS_MAX])).is_ok());
        assert!(check(&mut FromAgent::Heartbeat(vec![attempt; ATTEMPTS_MAX + 1])).is_err());
        let proven = Proven { part: "p".repeat(NAME_BYTES_MAX + 1).as_str().into(), hash: [0; 32], size: 1 };
        assert!(check(&mut FromAgent::AskCommit(attempt, proven)).is_err());
        let log = LiveLog { log: "x".repeat(LOG_TAIL_BYTES_MAX + 1), ..LiveLog::default() };
        assert!(check(&mut FromAgent::Log(attempt, log)).is_err());
    }

    #[test]
    fn impossible_figures_are_clamped() {
        let attempt = AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(1) };
        let wild = Progress { permille: 60_000, fps: f32::NAN, ..Progress::start(Phase::Encoding) };
        let mut message = FromAgent::Progress(vec![(attempt, wild)]);
        check(&mut message).unwrap();
        let FromAgent::Progress(progress) = message else { panic!() };
        assert_eq!((progress[0].1.permille, progress[0].1.fps), (1000, 0.0));
    }
}
