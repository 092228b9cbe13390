//! Trials of encoders: a second of moving picture is encoded with the words that a job would use, decoded by the
//! processor and compared with what it was, for each encoder of a device, each depth and each way of asking for quality.
//!
//! An encoder that is listed, exits 0 and makes garbage fails here. [`golden`] is one such trial, [`onboard`] that of
//! decoding and scaling on a card, [`cache`] keeps what came of them. What follows from it for a job is
//! [`crate::proved`]'s. Knows nothing of jobs.

mod cache;
mod folder;
mod golden;
mod onboard;

use std::num::NonZero;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use vc_protocol::device::{EncoderFacts, RateMode, TrialFacts};

use crate::device::Gpu;
use crate::encoder::{Encoder, Route};
use crate::ffmpeg::{self, Tools};
use crate::process::{Invocation, Limits, Sinks, Spawner, Stdout, StopToken};
use crate::told;

pub(crate) use cache::{Cache, Subject};
pub(crate) use folder::Folder;

/// Longest that all trials of a device may take together: somebody waits for them, and a card does no work meanwhile.
const DEVICE_MAX: Duration = Duration::from_secs(60);
/// Longest that one command may take: the slowest encoder on one old core needs a few seconds, a card that compiles its
/// shaders for the first time about ten.
const COMMAND_MAX: Duration = Duration::from_secs(20);
/// The same where the processor stands in for a card: it compiles shaders for six seconds when nothing else runs.
const SOFTWARE_COMMAND_MAX: Duration = Duration::from_secs(50);
/// Trials of a card at once: consumer cards have a few encoder sessions, and jobs may hold some of them.
const CARD_AT_ONCE: usize = 2;
/// Trials of the processor at once: encoders have threads of their own.
const CPU_AT_ONCE_MAX: usize = 4;
/// Start of what is said of a command that took too long: a busy box does that too.
pub(crate) const TOO_LATE: &str = "it did not end within";
/// What is said of a trial for which there was no time. It says nothing of the encoder.
pub(crate) const NO_TURN: &str = "had no turn within a minute";

/// What trials are made with.
#[derive(Clone, Copy)]
pub(crate) struct Bench<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) spawner: &'a Spawner,
    /// Files go there, and are left to whoever made it.
    pub(crate) folder: &'a Folder,
    pub(crate) stop: &'a StopToken,
}

/// The clock of all trials of a device.
#[derive(Clone, Copy)]
struct Turn {
    ends: Instant,
    /// Longest for each command.
    each: Duration,
}

impl Turn {
    /// What is left for a command; none if there is nothing.
    fn left(self) -> Option<Duration> {
        let left = self.ends.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(self.each))
    }
}

/// One trial that is to be made.
#[derive(Clone, Copy)]
struct Task {
    /// Which of the rows.
    row: usize,
    encoder: &'static Encoder,
    bits: u8,
    rate: RateMode,
}

/// Tries these encoders of a card, or of the processor; each is told as soon as its last trial is over. In the order of
/// the rows, with the paths on the card behind them.
pub(crate) async fn device(
    bench: Bench<'_>,
    gpu: Option<&Gpu>,
    rows: &[&'static Encoder],
    tell: &mut (dyn FnMut(&EncoderFacts) + Send),
) -> Vec<EncoderFacts> {
    within(bench, DEVICE_MAX, gpu, rows, tell).await
}

async fn within(
    bench: Bench<'_>,
    limit: Duration,
    gpu: Option<&Gpu>,
    rows: &[&'static Encoder],
    tell: &mut (dyn FnMut(&EncoderFacts) + Send),
) -> Vec<EncoderFacts> {
    let is_software = gpu.is_some_and(|gpu| gpu.is_software);
    let each = if is_software { SOFTWARE_COMMAND_MAX } else { COMMAND_MAX };
    let began = Instant::now();
    let turn = Turn { ends: began + limit, each };
    let picture = golden::Picture::of(gpu);
    let tasks = tasks(gpu, rows);
    let mut facts: Vec<_> = rows.iter().map(|row| unable(gpu, row)).collect();
    let mut left = vec![0_usize; rows.len()];
    tasks.iter().for_each(|task| left[task.row] += 1);
    facts.iter().zip(&left).filter(|(_, left)| **left == 0).for_each(|(facts, _)| tell(facts));

    let clips = golden::Clips::default();
    let clips = &clips;
    let trials = stream::iter(tasks).map(|task| async move {
        let tried =
            golden::one(bench, turn, &picture, clips, gpu, task.encoder, (task.bits, task.rate)).await;
        (task, tried)
    });
    let mut trials = trials.buffer_unordered(at_once(gpu));
    while let Some((task, tried)) = trials.next().await {
        let facts = &mut facts[task.row];
        tracing::debug!(
            encoder = facts.name,
            bits = tried.bits,
            rate = tried.rate.word(),
            problem = tried.problem,
            fps = tried.fps,
            psnr_db = tried.psnr_db,
            "tried"
        );
        facts.trials.push(tried);
        left[task.row] -= 1;
        if left[task.row] == 0 {
            conclude(facts);
            tell(facts);
        }
    }
    drop(trials);
    if let Some(gpu) = gpu {
        for route in routes(&facts, rows) {
            let paths = onboard::paths(bench, turn, &picture, clips, gpu, route).await;
            paths.iter().for_each(&mut *tell);
            facts.extend(paths);
        }
    }
    for EncoderFacts { name, problem, fps, .. } in &facts {
        tracing::info!(encoder = name, problem, fps, "encoder tried");
    }
    let device = gpu.map_or("processor", |gpu| gpu.name.as_str());
    tracing::info!(device, seconds = began.elapsed().as_secs_f32(), "trials of a device ended");
    facts
}

/// How many trials run side by side.
fn at_once(gpu: Option<&Gpu>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    match gpu {
        // Each of its frames keeps every core busy.
        Some(gpu) if gpu.is_software => 1,
        Some(_) => CARD_AT_ONCE,
        None => (cores / 2).clamp(1, CPU_AT_ONCE_MAX),
    }
}

/// First one of each encoder, so that all are known a little before any is known well.
fn tasks(gpu: Option<&Gpu>, rows: &[&'static Encoder]) -> Vec<Task> {
    let mut tasks: Vec<(usize, Task)> = Vec::new();
    for (row, encoder) in rows.iter().enumerate().filter(|(_, row)| unable(gpu, row).problem.is_empty()) {
        let mut depths: Vec<u8> = encoder.formats.iter().map(|format| format.bits).collect();
        depths.dedup();
        let rates = [RateMode::Quality, RateMode::Bitrate].into_iter();
        let rates = rates.filter(|rate| *rate == RateMode::Quality || !encoder.bitrate.is_empty());
        let kinds = rates.flat_map(|rate| depths.iter().map(move |bits| (*bits, rate)));
        tasks.extend(kinds.enumerate().map(|(n, (bits, rate))| (n, Task { row, encoder, bits, rate })));
    }
    tasks.sort_by_key(|(n, task)| (*n, task.row));
    tasks.into_iter().map(|(_, task)| task).collect()
}

/// What is known without a trial: a card whose video queues do not have the codec needs none.
fn unable(gpu: Option<&Gpu>, row: &Encoder) -> EncoderFacts {
    let codec = row.codec.ffmpeg_name();
    let lacks =
        |gpu: &Gpu| row.uses_video_queues() && !gpu.encodes.iter().any(|encoded| encoded.word() == codec);
    let problem = match gpu {
        Some(gpu) if lacks(gpu) => format!("this GPU encodes no {codec} with Vulkan"),
        Some(_) | None => String::new(),
    };
    EncoderFacts { name: row.name.to_owned(), problem, ..EncoderFacts::default() }
}

/// Brings the trials of an encoder together. One that passed makes it usable, for what passed.
fn conclude(facts: &mut EncoderFacts) {
    facts.trials.sort_by_key(|trial| (trial.bits, trial.rate));
    let passed = facts.trials.iter().filter(|trial| trial.problem.is_empty());
    facts.fps = passed.filter_map(|trial| trial.fps).max_by(f32::total_cmp);
    let failed = facts.trials.iter().find(|trial| !trial.problem.is_empty() && trial.problem != NO_TURN);
    facts.problem = match failed {
        Some(trial) if facts.fps.is_none() => trial.problem.clone(),
        Some(_) | None => String::new(),
    };
}

/// Ways of which an encoder passed.
fn routes(facts: &[EncoderFacts], rows: &[&'static Encoder]) -> Vec<Route> {
    let passed = facts.iter().zip(rows).filter(|(facts, _)| facts.fps.is_some());
    let mut routes: Vec<_> = passed.map(|(_, row)| row.route).collect();
    routes.sort_unstable();
    routes.dedup();
    routes
}

fn untried(bits: u8, rate: RateMode, problem: &str) -> TrialFacts {
    TrialFacts { bits, rate, problem: problem.to_owned(), fps: None, psnr_db: None }
}

/// What a command printed to standard output and to standard error, or the cause of its failure.
async fn run(bench: Bench<'_>, turn: Turn, call: &Invocation) -> Result<(String, String), String> {
    const STDOUT_BYTES_MAX: usize = 64 * 1024;
    let Some(limit) = turn.left().filter(|_| bench.stop.reason().is_none()) else {
        return Err(NO_TURN.to_owned());
    };
    let limits = Limits { total: Some(limit), ..Limits::default() };
    let sinks = Sinks { stdout: Stdout::Keep { bytes_max: STDOUT_BYTES_MAX }, stderr: &mut |_| {} };
    let ended = bench.spawner.run(call, limits, sinks, bench.stop).await;
    let ended = ended.map_err(|error| told::chain(&error))?;
    if bench.stop.reason().is_some() {
        return Err(NO_TURN.to_owned());
    }
    if ended.stopped.is_some() {
        return Err(format!("{TOO_LATE} {} s", limit.as_secs().max(1)));
    }
    if ended.is_clean() {
        Ok((String::from_utf8_lossy(&ended.stdout).into_owned(), ended.stderr))
    } else {
        Err(ffmpeg::classify(&ended, &[]).cause)
    }
}

#[cfg(test)]
mod tests;
