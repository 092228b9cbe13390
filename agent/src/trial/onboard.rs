//! The trial of a path that keeps pictures on the card from decoding to encoding: a clip is decoded and made half as
//! large there, and compared with what the processor makes of it.

use std::time::Instant;

use vc_protocol::device::{EncoderFacts, RateMode, TrialFacts};

use super::golden::{self, Clips, Picture};
use super::{Bench, Turn, run, untried};
use crate::device::Gpu;
use crate::encoder::{DeviceWords, Route};

/// Scalers differ at sharp edges: a good one gives over 30 dB, garbage under 15.
const PSNR_MIN_DB: f64 = 25.0;
/// Codecs that cards decode, and who makes the clip: quick encoders of the processor.
const CLIPS: [(&str, &str, &str); 5] = [
    ("h264", "libx264", "-c:v libx264 -preset ultrafast -crf 18"),
    ("hevc", "libx265", "-c:v libx265 -preset ultrafast -crf 18 -x265-params log-level=error"),
    ("av1", "libsvtav1", "-c:v libsvtav1 -preset 12 -crf 20"),
    ("vp9", "libvpx-vp9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 20 -b:v 0"),
    ("ffv1", "ffv1", "-c:v ffv1"),
];

/// The paths of this way that work, by the codec of the source; the first failure if none does.
pub(super) async fn paths(
    bench: Bench<'_>,
    turn: Turn,
    picture: &Picture,
    clips: &Clips,
    gpu: &Gpu,
    route: Route,
) -> Vec<EncoderFacts> {
    let mut paths = Vec::new();
    let mut failed = None;
    let listed = CLIPS.iter().filter(|(_, encoder, _)| bench.tools.encoders.contains(*encoder));
    for (codec, _, words) in listed {
        let Some(name) = route.onboard_name(codec) else { return paths };
        let trial = match one(bench, turn, picture, clips, gpu, route, words).await {
            Ok((fps, psnr)) => {
                TrialFacts { fps: Some(fps), psnr_db: Some(psnr), ..untried(8, RateMode::Quality, "") }
            }
            Err(problem) => untried(8, RateMode::Quality, &problem),
        };
        tracing::debug!(name, problem = trial.problem, fps = trial.fps, psnr_db = trial.psnr_db, "tried");
        let mut facts = EncoderFacts { name, trials: vec![trial], ..EncoderFacts::default() };
        super::conclude(&mut facts);
        if facts.fps.is_some() {
            paths.push(facts);
        } else {
            failed = failed.or(Some(facts));
        }
    }
    if paths.is_empty() {
        paths.extend(failed);
    }
    paths
}

async fn one(
    bench: Bench<'_>,
    turn: Turn,
    picture: &Picture,
    clips: &Clips,
    gpu: &Gpu,
    route: Route,
    words: &str,
) -> Result<(f32, f32), String> {
    let clip = clips.get(bench, turn, picture, "yuv420p", words).await?;
    let (width, height) = (picture.width / 2, picture.height / 2);
    let Some(scaler) = route.scale_filter(width, height) else { return Err("there is none".to_owned()) };
    let DeviceWords { args, env } = route.open(gpu);
    let (device, decode) = (args.join(" "), route.decode_words().join(" "));
    let made = bench.folder.path().join(format!("scaled-{}.nut", route.word()));
    let words = format!(
        "-nostdin -hide_banner -y -v error {device} {decode} -i @ -vf {scaler},hwdownload,format=nv12|yuv420p \
         -c:v rawvideo -f nut @"
    );
    let mut call = golden::ffmpeg(bench, &words, &[&clip, &made]);
    call.env = env;
    let began = Instant::now();
    run(bench, turn, &call).await?;
    let seconds = began.elapsed().as_secs_f32().max(f32::EPSILON);
    // As means of the pixels, which is what cards take as well.
    let scaled = format!("scale={width}:{height}:flags=area,format=yuv420p");
    let sides = ("format=yuv420p".to_owned(), scaled);
    let psnr = golden::psnr(bench, turn, (&made, &clip), sides, picture.frames).await??;
    golden::judge(psnr, PSNR_MIN_DB)?;
    Ok((picture.frames as f32 / seconds, psnr as f32))
}
