//! Measuring samples within an attempt: before the encode to find the quality that has the wanted score, after it to
//! hold the output against the source.
//!
//! What is measured against is a lossless clip of each place of the source, made once for all encoders of the attempt.
//! An encoder makes its samples by the very command that will make the output, for a part of the source.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use vc_protocol::agent::{CommandPhase, Metric, QUALITIES_MAX, QualityFound};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::{Media, Stream};
use vc_protocol::progress::{Phase, Progress};

use super::Halt;
use super::attempt::{Attempt, FREE_BYTES_MIN, Prepared};
use crate::commit::Scratch;
use crate::encoder::Rate;
use crate::plan::{self, Action, Files, Plan};
use crate::process::{Block, Ended, Invocation, Limits, Stdout};
use crate::quality::{self, Clip, Found, Looks, Next, Place, Reach, Scale, Search, Target};
use crate::{ffmpeg, probe};

/// Bytes that lossless clips take for each byte of their pictures: noise compresses to two thirds.
const LOSSLESS_SHARE: f64 = 0.67;
/// Container in which ffmpeg does not find the frame that it is told: MPEG program streams.
const SEEKS_WRONGLY: &str = "mpeg";
/// Frames a second of a source that does not say.
const FPS_ASSUMED: f64 = 30.0;

/// A lossless clip of a place of the source.
#[derive(Debug)]
struct Reference {
    place: Place,
    path: PathBuf,
    frames: u64,
}

/// What encoders are held against. Their files are gone when it is dropped.
#[derive(Debug)]
pub(super) struct References {
    clips: Vec<Reference>,
    /// When the first picture of the source is shown, from the start of the file.
    first_ms: u64,
    is_deep: bool,
    /// Their fields were joined.
    is_joined: bool,
    _scratch: Scratch,
}

/// How far the sampling of one encoder is, in commands.
struct Steps {
    done: u64,
    all: u64,
}

impl Attempt<'_> {
    /// The plan with the quality that reaches the score which the profile asks for; the plan as it is, if it asks none.
    pub(super) async fn with_quality(
        &mut self,
        prepared: &Prepared,
        plan: &Plan,
        scratch: &Scratch,
    ) -> Result<Plan, Halt> {
        let profile = &self.offer.profile.profile;
        let (Some(asked), Some(with), true) =
            (Target::of(&profile.video), plan.with.clone(), profile.passes.is_empty())
        else {
            return Ok(plan.clone());
        };
        let (Some(knob), Rate::Quality(_)) = (with.encoder.quality, plan.rate) else {
            self.warn(format!("{} has no quality to choose for {}", with.encoder.name, asked.words()));
            return Ok(plan.clone());
        };
        self.enter(Phase::Sampling);
        let target = self.measurable(asked);
        let scale = Scale::of(with.encoder.codec, &knob);
        let mut search = Search::new(target.metric, target.score, scale);
        let references = self.references(prepared, plan).await?;
        let places = references.clips.len() as u64;
        let mut steps = Steps { done: 0, all: (places + 1) * quality::TRIES_MAX as u64 };
        let found = loop {
            match search.next() {
                Next::Take(found) => break found,
                Next::Try(value) => {
                    let sample = plan.for_sample(Rate::Quality(value));
                    let made =
                        self.encode_places(prepared, &sample, scratch, &references, &mut steps).await?;
                    let score = self.measure(&sample, target.metric, &references, &made).await?;
                    self.advance(&mut steps);
                    tracing::debug!(encoder = with.encoder.name, quality = value, score, "quality tried");
                    search.saw(value, score);
                }
            }
        };
        self.tell_found(asked, target, &found, search.tried().take(QUALITIES_MAX).collect(), prepared);
        Ok(Plan { rate: Rate::Quality(found.quality), ..plan.clone() })
    }

    /// Holds the output against the source at a few places, if the profile wants a floor under its SSIM.
    pub(super) async fn hold_floor(
        &mut self,
        prepared: &Prepared,
        plan: &Plan,
        files: &Files,
    ) -> Result<(), Halt> {
        // What typed options make of the picture is not known: nothing stands for it.
        let (Some(floor), true) =
            (self.offer.profile.profile.min_ssim, self.offer.profile.profile.passes.is_empty())
        else {
            return Ok(());
        };
        let Some(planned) = plan.picture() else { return Ok(()) };
        let position = plan.streams.iter().position(|stream| stream.source == planned.source).unwrap_or(0);
        let call = probe::command(&self.context.tools, &files.part);
        let stdout = Stdout::Keep { bytes_max: probe::JSON_BYTES_MAX };
        let ended = self.child(CommandPhase::Verify, &call, probe::limits(), stdout).await?;
        let output = probe::read(&ended, &files.part)?;
        let Some(stream) = output.streams.get(position) else { return Ok(()) };
        let references = self.references(prepared, plan).await?;
        let (first, frame) = (first_ms(&output, stream), frame_ms(stream));
        // Containers tell the start of a stream in their own ways: a frame off is no fault of the picture.
        let mut firsts = vec![first, first + frame, first.saturating_sub(frame)];
        if references.clips.iter().all(|clip| clip.place.start_ms == 0) {
            firsts.truncate(1);
        }
        let mut best = 0.0_f64;
        for first in firsts {
            let part = |clip: &Reference| Clip {
                path: files.part.clone(),
                stream: stream.index,
                part: Some((clip.place, first)),
                frames: None,
            };
            let made: Vec<Clip> = references.clips.iter().map(part).collect();
            best = best.max(self.measure(plan, Metric::Ssim, &references, &made).await?);
            if best >= floor {
                return Ok(());
            }
        }
        let cause =
            format!("the output is not right: SSIM {best:.3} against the source, {floor} is the least");
        Err(Failure::new(FailureClass::Encoder, cause).into())
    }

    /// What can be measured here of what is asked.
    fn measurable(&mut self, asked: Target) -> Target {
        if asked.metric == Metric::Ssim || self.context.tools.filters.contains("libvmaf") {
            return asked;
        }
        let target = asked.in_ssim();
        self.warn(format!("this ffmpeg has no libvmaf: {} stands for {}", target.words(), asked.words()));
        target
    }

    fn tell_found(
        &mut self,
        asked: Target,
        target: Target,
        found: &Found,
        tried: Vec<(f64, f64)>,
        prepared: &Prepared,
    ) {
        let score = quality::words(target.metric, found.predicted);
        match found.reach {
            Reach::Met => {}
            Reach::TooHigh => self.warn(format!(
                "{} cannot be reached: the best quality that is tried ({}) has {score}",
                asked.words(),
                found.quality
            )),
            Reach::TooLow => self.warn(format!(
                "the worst quality that is tried ({}) has {score} already, {} was asked for",
                found.quality,
                asked.words()
            )),
        }
        let transfer = prepared.media.video().map_or("", |stream| stream.colour.transfer.as_str());
        if target.metric == Metric::Vmaf && matches!(transfer, "smpte2084" | "arib-std-b67") {
            self.warn("VMAF knows no HDR: its scores of this source are rough".to_owned());
        }
        let found = QualityFound {
            metric: target.metric,
            target: target.score,
            quality: found.quality,
            predicted: found.predicted,
            tried,
        };
        self.view.finds(&found);
        self.quality = Some(found);
    }

    /// Lossless clips of the places of the source for this plan; made, if they are not there yet.
    async fn references(&mut self, prepared: &Prepared, plan: &Plan) -> Result<Arc<References>, Halt> {
        let is_joined = plan
            .picture()
            .is_some_and(|planned| matches!(&planned.action, Action::Picture(picture) if picture.is_joined));
        if let Some(references) = self.references.as_ref().filter(|made| made.is_joined == is_joined) {
            return Ok(Arc::clone(references));
        }
        let Some(stream) = prepared.media.video() else {
            return Err(Failure::new(FailureClass::Source, "no video stream").into());
        };
        let wish = &self.offer.profile.profile.video;
        let plan = plan::reference(&prepared.media, stream, wish, is_joined, self.caps())?;
        let size = plan.picture().and_then(|planned| planned.size).unwrap_or((stream.width, stream.height));
        let pixels = u64::from(size.0) * u64::from(size.1);
        let is_deep = plan::depth(&stream.pixel_format) > 8;
        let can_seek = !prepared.media.container.split(',').any(|name| name == SEEKS_WRONGLY);
        let length = prepared.media.duration_ms.filter(|_| can_seek);
        let places = quality::places(length, stream.fps, pixels);
        room_for(&places, prepared, stream, pixels, is_deep)?;
        let scratch = Scratch::new(&prepared.to, self.offer.attempt, "mkv").map_err(|error| {
            Failure::new(FailureClass::Infrastructure, format!("name the samples: {error}"))
        })?;
        self.link.making(&scratch.stem());
        let first_ms = first_ms(&prepared.media, stream);
        let mut clips = Vec::with_capacity(places.len());
        // A header may promise more than there is; what is there stands for it, or at least its beginning.
        for (n, place) in places.into_iter().chain([Place::BEGINNING]).enumerate() {
            if place == Place::BEGINNING && !clips.is_empty() {
                break;
            }
            let files = Files {
                source: prepared.source.path.clone(),
                part: scratch.sample(&format!("source{n}")),
                pass_log: scratch.pass_log(),
            };
            let made = self.make_sample(&plan, &files, place.options(first_ms, 0)).await?;
            if made > 0 {
                clips.push(Reference { place, path: files.part, frames: made });
            }
        }
        if clips.is_empty() {
            return Err(Failure::new(FailureClass::Source, "none of its pictures can be read").into());
        }
        let made = Arc::new(References { clips, first_ms, is_deep, is_joined, _scratch: scratch });
        self.references = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Encodes every place as this plan says.
    async fn encode_places(
        &mut self,
        prepared: &Prepared,
        sample: &Plan,
        scratch: &Scratch,
        references: &References,
        steps: &mut Steps,
    ) -> Result<Vec<Clip>, Halt> {
        let mut made = Vec::with_capacity(references.clips.len());
        for (n, reference) in references.clips.iter().enumerate() {
            let files = Files {
                source: prepared.source.path.clone(),
                part: scratch.sample(&format!("made{n}")),
                pass_log: scratch.pass_log(),
            };
            let part = reference.place.options(references.first_ms, quality::TAIL_MS);
            let frames = self.make_sample(sample, &files, part).await?;
            if frames < reference.frames {
                let cause = format!("{frames} of {} frames of a sample were made", reference.frames);
                return Err(Failure::new(FailureClass::Encoder, cause).into());
            }
            made.push(Clip {
                path: files.part,
                stream: 0,
                part: None,
                frames: Some((reference.place.lead(reference.frames), reference.frames)),
            });
            self.advance(steps);
        }
        Ok(made)
    }

    /// Runs a plan for a part of the source. Gives the number of frames that it made.
    async fn make_sample(&mut self, plan: &Plan, files: &Files, part: Vec<OsString>) -> Result<u64, Halt> {
        let mut call = Invocation::new(&self.context.tools.ffmpeg, plan.part_command(files, part));
        if let Some(with) = &plan.with {
            call.env = with.encoder.device(with.gpu.as_ref()).env;
        }
        let (ended, frames) = self.sampled(&call, Some(files.part.clone())).await?;
        if !ended.is_clean() {
            return Err(self.encode_failure(&ended, plan.with.as_ref(), files, frames).into());
        }
        Ok(frames)
    }

    /// Mean score of clips against the references, a clip for each.
    async fn measure(
        &mut self,
        plan: &Plan,
        metric: Metric,
        references: &References,
        made: &[Clip],
    ) -> Result<f64, Halt> {
        let planned = plan.picture();
        let size = planned.and_then(|planned| planned.size).unwrap_or((0, 0));
        let makes_deep = planned.is_some_and(|planned| match &planned.action {
            Action::Picture(picture) => plan::depth(picture.format) > 8,
            Action::Copy | Action::Sound(_) | Action::Text(_) => false,
        });
        let looks = Looks { is_deep: references.is_deep || makes_deep, rows: size.0.min(size.1) };
        let pair = |(made, reference): (&Clip, &Reference)| {
            let from = Clip { path: reference.path.clone(), stream: 0, part: None, frames: made.frames };
            (made.clone(), from)
        };
        let pairs: Vec<_> = made.iter().zip(&references.clips).map(pair).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let call = quality::command(&self.context.tools, metric, &pairs, looks, threads);
        let (ended, _) = self.sampled(&call, None).await?;
        let score = ended.is_clean().then(|| quality::score(metric, &ended.stderr)).flatten();
        score.ok_or_else(|| {
            let said = ffmpeg::classify(&ended, &[]).cause;
            let cause = format!("{} of samples was not measured: {said}", metric.word());
            Failure::new(FailureClass::Job, cause).into()
        })
    }

    async fn sampled(&mut self, call: &Invocation, writes: Option<PathBuf>) -> Result<(Ended, u64), Halt> {
        let mut frames = 0;
        let mut tell = |block: Block| {
            frames = block.frames.unwrap_or(frames);
            ControlFlow::Continue(())
        };
        let limits = Limits { stall: Some(self.context.stall), total: None, writes };
        let ended = self.child(CommandPhase::Sample, call, limits, Stdout::Progress(&mut tell)).await?;
        Ok((ended, frames))
    }

    fn advance(&self, steps: &mut Steps) {
        steps.done += 1;
        let permille = u16::try_from(steps.done * 1000 / steps.all.max(1)).unwrap_or(1000).min(1000);
        self.link.progress(Progress { permille, ..Progress::start(Phase::Sampling) });
    }
}

/// When the first picture of a stream is shown, from the start of its file.
fn first_ms(media: &Media, stream: &Stream) -> u64 {
    let from = media.start_ms.unwrap_or(0);
    u64::try_from(stream.start_ms.unwrap_or(from).saturating_sub(from)).unwrap_or(0)
}

fn frame_ms(stream: &Stream) -> u64 {
    let fps = if (1.0..=1000.0).contains(&stream.fps) { stream.fps } else { FPS_ASSUMED };
    (1000.0 / fps).round() as u64
}

/// Whether the lossless clips find room beside the output.
fn room_for(
    places: &[Place],
    prepared: &Prepared,
    stream: &Stream,
    pixels: u64,
    is_deep: bool,
) -> Result<(), Failure> {
    let all_ms = prepared.media.duration_ms.unwrap_or(0);
    let ms: u64 = places.iter().map(|place| place.length_ms.unwrap_or(all_ms)).sum();
    let frames = ms as f64 / frame_ms(stream) as f64;
    let frame = pixels as f64 * if is_deep { 3.0 } else { 1.5 };
    let needed = (frames * frame * LOSSLESS_SHARE) as u64;
    if prepared.to.free < needed.saturating_add(FREE_BYTES_MIN) {
        let cause =
            format!("no space for samples: {} MiB free, {} are needed", prepared.to.free >> 20, needed >> 20);
        return Err(Failure::new(FailureClass::Capacity, cause));
    }
    Ok(())
}
