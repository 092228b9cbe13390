//! The trial of an encoder: a second of moving picture is encoded, decoded again and compared with what it was.
//!
//! An encoder that is listed, exits 0 and makes garbage fails here. Knows nothing of jobs and profiles.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use vc_protocol::device::EncoderFacts;
use vc_protocol::profile::Effort;

use crate::encoder::{Chroma, Encoder, Rate};
use crate::ffmpeg::{self, Tools};
use crate::process::{Ended, Invocation, Limits, Sinks, Spawner, Stdout, StopToken};
use crate::told;

/// The picture: it moves everywhere, and is made by ffmpeg itself.
const PICTURE: &str = "testsrc2=size=640x360:rate=25:duration=1";
/// Frames in it.
const FRAMES: u32 = 25;
/// A good encoder gives over 35 dB at its ordinary quality; garbage gives under 15.
const PSNR_MIN_DB: f64 = 28.0;
/// Longest that one of the two commands may take: the slowest encoder on one old core needs a few seconds.
const COMMAND_MAX: Duration = Duration::from_secs(20);

/// What a good encoder showed in its trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Passed {
    /// Frames a second of the encode, the start of ffmpeg included.
    pub(crate) fps: f32,
    /// Likeness to the source in decibels; infinite if nothing was lost.
    pub(crate) psnr_db: f64,
}

/// Tries these encoders one after the other; files go below `folder`, and none is left.
pub(crate) async fn encoders(
    tools: &Tools,
    spawner: &Spawner,
    folder: &Path,
    rows: &[&'static Encoder],
    stop: &StopToken,
) -> Vec<EncoderFacts> {
    let mut facts = Vec::with_capacity(rows.len());
    for encoder in rows {
        let (problem, fps) = match one(tools, spawner, folder, encoder, stop).await {
            Ok(passed) => (String::new(), Some(passed.fps)),
            Err(problem) => (problem, None),
        };
        tracing::info!(encoder = encoder.name, problem, fps, "encoder tried");
        facts.push(EncoderFacts { name: encoder.name.to_owned(), problem, fps, trials: Vec::new() });
    }
    facts
}

/// Tries one encoder; its file goes below `folder`, and is deleted. The words of a failure fit after the encoder's name.
pub(crate) async fn one(
    tools: &Tools,
    spawner: &Spawner,
    folder: &Path,
    encoder: &Encoder,
    stop: &StopToken,
) -> Result<Passed, String> {
    let file = folder.join(format!("trial-{}.mkv", encoder.name));
    let tried = encode_and_compare(tools, spawner, encoder, &file, stop).await;
    if let Err(error) = std::fs::remove_file(&file)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("failed to delete {}: {error}", file.display());
    }
    tried
}

async fn encode_and_compare(
    tools: &Tools,
    spawner: &Spawner,
    encoder: &Encoder,
    file: &Path,
    stop: &StopToken,
) -> Result<Passed, String> {
    let mut encode = Invocation::new(&tools.ffmpeg, encode_args(encoder, file));
    encode.env = encoder.device(None).env;
    let began = Instant::now();
    run(spawner, &encode, stop).await.map_err(|cause| format!("does not encode: {cause}"))?;
    let seconds = began.elapsed().as_secs_f32().max(f32::EPSILON);
    let compare = Invocation::new(&tools.ffmpeg, compare_args(file));
    let log = run(spawner, &compare, stop).await.map_err(|cause| format!("cannot be decoded: {cause}"))?;
    match psnr(&log) {
        Some(db) if db >= PSNR_MIN_DB => Ok(Passed { fps: FRAMES as f32 / seconds, psnr_db: db }),
        Some(db) => Err(format!("makes garbage: {db:.1} dB like its source, {PSNR_MIN_DB:.0} are needed")),
        None => Err("makes nothing that can be compared with its source".to_owned()),
    }
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

fn encode_args(encoder: &Encoder, file: &Path) -> Vec<OsString> {
    let mut args = words("-nostdin -hide_banner -y -v error -f lavfi -i");
    args.push(PICTURE.into());
    let format = encoder.format(8, Chroma::Quarter).name;
    args.extend(words(&format!("-c:v {} -pix_fmt {format}", encoder.name)));
    let quality = encoder.quality.map_or(Rate::Fixed, |quality| Rate::Quality(quality.on_scale(20.0)));
    let options = [encoder.speed(Effort::Fast), encoder.always(), encoder.rate(quality)];
    for (name, value) in options.into_iter().flatten() {
        args.extend([format!("-{name}").into(), value.into()]);
    }
    args.extend(words("-f matroska"));
    args.push(file.into());
    args
}

fn compare_args(file: &Path) -> Vec<OsString> {
    let mut args = words("-nostdin -hide_banner -v info -nostats -i");
    args.push(file.into());
    args.extend(words("-f lavfi -i"));
    args.push(PICTURE.into());
    args.extend(words("-lavfi [0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]psnr -f null -"));
    args
}

/// The log, or the cause of its failure.
async fn run(spawner: &Spawner, call: &Invocation, stop: &StopToken) -> Result<String, String> {
    let limits = Limits { total: Some(COMMAND_MAX), ..Limits::default() };
    let sinks = Sinks { stdout: Stdout::Keep { bytes_max: 0 }, stderr: &mut |_| {} };
    let ended = spawner.run(call, limits, sinks, stop).await.map_err(|error| told::chain(&error))?;
    if ended.is_clean() { Ok(ended.stderr) } else { Err(cause(&ended)) }
}

fn cause(ended: &Ended) -> String {
    match ended.stopped {
        Some(_) => format!("it did not end within {} s", COMMAND_MAX.as_secs()),
        None => ffmpeg::classify(ended, &[]).cause,
    }
}

/// Of the line `… PSNR y:41.5 u:… average:42.1 min:…`, where identical pictures are `inf`.
fn psnr(log: &str) -> Option<f64> {
    let line = log.lines().rev().find(|line| line.contains("PSNR") && line.contains("average:"))?;
    let value = line.split_once("average:")?.1.split_whitespace().next()?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::process::Stopper;

    #[tokio::test]
    async fn encoders_of_this_box_pass_and_one_that_is_not_there_fails_by_name() {
        let Ok(mut tools) = Tools::find(None, None) else {
            return println!("skipped: there is no ffmpeg here");
        };
        let folder = tempfile::tempdir().unwrap();
        let spawner = Spawner::start(None).unwrap();
        let (_stopper, stop) = Stopper::new();
        let rows = tools.usable_encoders();
        let tried = encoders(&tools, &spawner, folder.path(), &rows, &stop).await;
        println!("{tried:?}");
        assert!(tried.iter().all(|encoder| encoder.problem.is_empty() && encoder.fps.is_some()));
        assert_eq!(tried.len(), rows.len());
        // `true` makes nothing, and is happy about it.
        tools.ffmpeg = which::which("true").unwrap();
        tools.encoders = BTreeSet::from(["libx264".to_owned()]);
        let tried = encoders(&tools, &spawner, folder.path(), &tools.usable_encoders(), &stop).await;
        assert_eq!(tried[0].problem, "makes nothing that can be compared with its source");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_likeness_is_read_from_the_last_line_that_tells_it() {
        let log = "[Parsed_psnr_2 @ 0x1] PSNR y:41.52 u:45.0 v:44.9 average:42.31 min:41.0 max:44.2\n";
        assert_eq!(psnr(log), Some(42.31));
        assert_eq!(psnr("x PSNR y:inf u:inf v:inf average:inf min:inf max:inf"), Some(f64::INFINITY));
        assert_eq!(psnr("nothing of it"), None);
    }
}
