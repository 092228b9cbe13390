//! One trial: the golden picture, encoded as a job would have it, decoded and compared.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::sync::Mutex;
use vc_protocol::device::{RateMode, TrialFacts};
use vc_protocol::media::{Media, Stream, StreamKind};
use vc_protocol::profile::{AudioCodec, AudioWish, Container, Effort, Profile, VideoCodec, VideoWish};

use super::{Bench, Turn, run, untried};
use crate::device::Gpu;
use crate::encoder::{Candidate, Encoder};
use crate::plan::{self, Caps, Files, Refusal};
use crate::process::Invocation;

/// A good encoder gives over 35 dB at its ordinary quality; garbage gives under 15.
const PSNR_MIN_DB: f64 = 28.0;
/// Quality and bitrate that leave any good encoder far above that.
const CRF: u8 = 20;
const BITRATE: &str = "4M";
/// Frames a second of the picture.
const RATE: u32 = 25;
/// How far a frame may be from its time: mkv counts in milliseconds.
const TIME_TOLERANCE_S: f64 = 0.002;

/// The picture: it moves everywhere, and is made by ffmpeg itself.
#[derive(Clone, Copy)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frames: usize,
}

impl Picture {
    /// A second that is large enough for every card. A device that is the processor itself gets as little as tells a
    /// good encoder from a bad one: it needs a quarter of a second for a frame even of this.
    pub(super) fn of(gpu: Option<&Gpu>) -> Picture {
        match gpu {
            Some(gpu) if gpu.is_software => Picture { width: 320, height: 192, frames: 5 },
            Some(_) | None => Picture { width: 640, height: 360, frames: 25 },
        }
    }
}

/// Clips of the picture that were made so far, by their words.
#[derive(Default)]
pub(super) struct Clips(Mutex<Vec<(String, PathBuf)>>);

impl Clips {
    /// The picture in this format, encoded with these words; made the first time that it is asked for.
    pub(super) async fn get(
        &self,
        bench: Bench<'_>,
        turn: Turn,
        picture: &Picture,
        format: &str,
        encoder: &str,
    ) -> Result<PathBuf, String> {
        let Picture { width, height, frames } = picture;
        let words = format!("-pix_fmt {format} {encoder}");
        let mut made = self.0.lock().await;
        if let Some((_, path)) = made.iter().find(|(known, _)| *known == words) {
            return Ok(path.clone());
        }
        let path = bench.folder.path().join(format!("clip-{}.nut", made.len()));
        let source = format!("testsrc2=size={width}x{height}:rate={RATE}");
        let args = format!(
            "-nostdin -hide_banner -y -v error -f lavfi -i {source} -frames:v {frames} {words} -f nut @"
        );
        run(bench, turn, &ffmpeg(bench, &args, &[&path])).await?;
        made.push((words, path.clone()));
        Ok(path)
    }
}

/// A call of ffmpeg with these words; each `@` stands for the next of the files, whose names may hold anything.
pub(super) fn ffmpeg(bench: Bench<'_>, words: &str, files: &[&Path]) -> Invocation {
    let mut files = files.iter();
    let word = |word: &str| match word {
        "@" => files.next().map(|file| file.as_os_str().to_owned()).unwrap_or_default(),
        word => OsString::from(word),
    };
    Invocation::new(&bench.tools.ffmpeg, words.split_whitespace().map(word).collect())
}

/// Tries one encoder at one depth and in one way of asking for quality.
pub(super) async fn one(
    bench: Bench<'_>,
    turn: Turn,
    picture: &Picture,
    clips: &Clips,
    gpu: Option<&Gpu>,
    encoder: &'static Encoder,
    (bits, rate): (u8, RateMode),
) -> TrialFacts {
    if turn.left().is_none() || bench.stop.reason().is_some() {
        return untried(bits, rate, super::NO_TURN);
    }
    let format = match bits {
        8 => "yuv420p".to_owned(),
        bits => format!("yuv420p{bits}le"),
    };
    let tried = async {
        let clip = clips.get(bench, turn, picture, &format, "-c:v rawvideo").await?;
        let part = bench.folder.path().join(format!("trial-{}-{bits}-{}.mkv", encoder.name, rate.word()));
        let pass_log = part.with_extension("log");
        let files = Files { source: clip.clone(), part: part.clone(), pass_log };
        let calls = calls(bench, picture, gpu, encoder, &format, rate, &files)?;
        let began = Instant::now();
        for call in &calls {
            run(bench, turn, call).await.map_err(said("does not encode"))?;
        }
        let seconds = began.elapsed().as_secs_f32().max(f32::EPSILON);
        let psnr = compare(bench, turn, (&part, &clip), &format, picture.frames).await?;
        times(bench, turn, &part, picture.frames).await?;
        let needed = if encoder.is_lossless() { f64::INFINITY } else { PSNR_MIN_DB };
        judge(psnr, needed)?;
        Ok::<_, String>((picture.frames as f32 / seconds, psnr as f32))
    };
    match tried.await {
        Ok((fps, psnr_db)) => {
            TrialFacts { fps: Some(fps), psnr_db: Some(psnr_db), ..untried(bits, rate, "") }
        }
        Err(problem) => untried(bits, rate, &problem),
    }
}

/// Puts words in front of a cause, unless it says that there was no time at all.
fn said(what: &'static str) -> impl Fn(String) -> String {
    move |cause| if cause == super::NO_TURN { cause } else { format!("{what}: {cause}") }
}

/// Whether this likeness is enough.
pub(super) fn judge(psnr: f64, needed: f64) -> Result<(), String> {
    match needed {
        _ if psnr >= needed => Ok(()),
        f64::INFINITY => Err(format!("loses something: {psnr:.1} dB like its source")),
        _ => Err(format!("makes garbage: {psnr:.1} dB like its source, {needed:.0} are needed")),
    }
}

/// What a job would run, in one pass.
fn calls(
    bench: Bench<'_>,
    picture: &Picture,
    gpu: Option<&Gpu>,
    encoder: &'static Encoder,
    format: &str,
    rate: RateMode,
    files: &Files,
) -> Result<Vec<Invocation>, String> {
    let is_quality = rate == RateMode::Quality;
    let video = VideoWish {
        // ProRes says by its own profile how good it is; jobs seldom ask for anything else.
        crf: (is_quality && encoder.quality.is_some() && encoder.codec != VideoCodec::Prores).then_some(CRF),
        bitrate: (!is_quality).then(|| BITRATE.to_owned()),
        passes: (!is_quality).then_some(1),
        effort: Effort::Fast,
        ..VideoWish::of(encoder.codec)
    };
    let profile = Profile::of(Container::Mkv, video, AudioWish { codec: AudioCodec::Copy, bitrate: None });
    let with = Candidate { encoder, gpu: gpu.cloned(), is_on_device: false };
    let caps = Caps { encoders: &bench.tools.encoders, major: bench.tools.major };
    let plan = plan::plan(&media(picture, format), &profile, Some(&with), caps);
    let plan = plan.map_err(|refusal| match refusal {
        Refusal::Skipped(why) => why,
        Refusal::Failed(failure) => failure.cause,
    })?;
    let env = encoder.device(gpu).env;
    let call = |args| Invocation { env: env.clone(), ..Invocation::new(&bench.tools.ffmpeg, args) };
    Ok(plan.commands(files).into_iter().map(call).collect())
}

/// The clip, as a probe would describe it.
fn media(picture: &Picture, format: &str) -> Media {
    let Picture { width, height, frames } = *picture;
    let duration_ms = Some(frames as u64 * 1000 / u64::from(RATE));
    let stream = Stream {
        kind: StreamKind::Video,
        codec: "rawvideo".to_owned(),
        width,
        height,
        pixel_format: format.to_owned(),
        fps: f64::from(RATE),
        frames: Some(frames as u64),
        duration_ms,
        ..Stream::default()
    };
    Media { container: "nut".to_owned(), duration_ms, streams: vec![stream], ..Media::default() }
}

/// Likeness in decibels, infinite if nothing differs; decoded by the processor, every frame of both.
async fn compare(
    bench: Bench<'_>,
    turn: Turn,
    (made, clip): (&Path, &Path),
    format: &str,
    frames: usize,
) -> Result<f64, String> {
    let sides = (format!("format={format}"), format!("format={format}"));
    psnr(bench, turn, (made, clip), sides, frames).await.map_err(said("cannot be decoded"))?
}

/// Compares a file with the clip, each behind its filters. The outer failure is that of the command, the inner one
/// what it shows.
pub(super) async fn psnr(
    bench: Bench<'_>,
    turn: Turn,
    (made, clip): (&Path, &Path),
    (left, right): (String, String),
    frames: usize,
) -> Result<Result<f64, String>, String> {
    // Frame by frame, whatever their times are.
    let each = format!("setpts=N/{RATE}/TB");
    let graph = format!("[0:v]{each},{left}[a];[1:v]{each},{right}[b];[a][b]psnr=shortest=1:stats_file=-");
    let words = format!("-nostdin -hide_banner -v info -nostats -i @ -i @ -lavfi {graph} -f null -");
    let (each, log) = run(bench, turn, &ffmpeg(bench, &words, &[made, clip])).await?;
    let found = each.lines().filter(|line| line.starts_with("n:")).count();
    if found != frames {
        return Ok(Err(format!("makes {found} frames of {frames}")));
    }
    Ok(likeness(&log).ok_or_else(|| "makes nothing that can be compared with its source".to_owned()))
}

/// Of the line `… PSNR y:41.5 u:… average:42.1 min:…`, where identical pictures are `inf`.
fn likeness(log: &str) -> Option<f64> {
    let line = log.lines().rev().find(|line| line.contains("PSNR") && line.contains("average:"))?;
    let value = line.split_once("average:")?.1.split_whitespace().next()?;
    value.parse().ok()
}

/// Frames must come at their times.
async fn times(bench: Bench<'_>, turn: Turn, made: &Path, frames: usize) -> Result<(), String> {
    let words = "-v error -select_streams v:0 -show_entries packet=pts_time -of csv=p=0 @";
    let mut call = ffmpeg(bench, words, &[made]);
    call.program.clone_from(&bench.tools.ffprobe);
    let (listed, _) = run(bench, turn, &call).await.map_err(said("cannot be read"))?;
    in_time(&listed, frames)
}

fn in_time(listed: &str, frames: usize) -> Result<(), String> {
    let number = |line: &str| line.trim().trim_end_matches(',').parse::<f64>().ok();
    let mut times: Vec<f64> = listed.lines().filter_map(number).collect();
    times.sort_by(f64::total_cmp);
    if times.len() != frames {
        return Err(format!("makes {} time stamps for {frames} frames", times.len()));
    }
    let first = times.first().copied().unwrap_or_default();
    let is_off =
        |(n, time): (usize, &f64)| (time - first - n as f64 / f64::from(RATE)).abs() > TIME_TOLERANCE_S;
    match times.iter().enumerate().position(is_off) {
        Some(frame) => Err(format!("gives frame {frame} a wrong time")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeness_is_read_from_the_last_line_that_tells_it() {
        let log = "[Parsed_psnr_2 @ 0x1] PSNR y:41.52 u:45.0 v:44.9 average:42.31 min:41.0 max:44.2\n";
        assert_eq!(likeness(log), Some(42.31));
        assert_eq!(likeness("x PSNR y:inf u:inf v:inf average:inf min:inf max:inf"), Some(f64::INFINITY));
        assert_eq!(likeness("nothing of it"), None);
    }

    #[test]
    fn frames_must_be_there_and_come_at_their_times() {
        for (listed, expected) in [
            ("0.000000\n0.080000\n0.040000\n", Ok(())),
            ("0.007000\n0.047000\n0.087000\n", Ok(())),
            ("0.000000,\n0.040000,\n0.081000,\n", Ok(())),
            ("0.000000\n0.040000\n", Err("makes 2 time stamps for 3 frames")),
            ("N/A\n0.040000\n0.080000\n", Err("makes 2 time stamps for 3 frames")),
            ("0.000000\n0.033000\n0.066000\n", Err("gives frame 1 a wrong time")),
        ] {
            assert_eq!(in_time(listed, 3), expected.map_err(str::to_owned), "{listed}");
        }
    }

    #[test]
    fn lossless_means_every_bit_and_lossy_a_likeness() {
        assert_eq!(judge(41.0, PSNR_MIN_DB), Ok(()));
        assert_eq!(judge(f64::INFINITY, f64::INFINITY), Ok(()));
        assert!(judge(6.3, PSNR_MIN_DB).unwrap_err().contains("garbage: 6.3 dB"));
        assert!(judge(90.0, f64::INFINITY).unwrap_err().starts_with("loses something"));
    }
}
