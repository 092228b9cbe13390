//! The phases of an attempt up to a verified part file.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use vc_protocol::agent::{CommandPhase, Outcome, PassedOver, Proven, QualityFound, Report};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::job::{FileStamp, Offer};
use vc_protocol::media::Media;
use vc_protocol::profile::VideoCodec;
use vc_protocol::progress::{Phase, Progress};

use super::guard::Guard;
use super::meter::Meter;
use super::sampling::References;
use super::walk;
use super::{AttemptLink, Halt, LiveView, Place, WorkContext};
use crate::check::{Check, Facts};
use crate::commit::{Scratch, failpoint};
use crate::encoder::Candidate;
use crate::plan::{self, Files, Plan};
use crate::process::{Block, Ended, Invocation, Limits, Sinks, Stdout, StopReason, StopToken};
use crate::storage::{Destination, Source};
use crate::{ffmpeg, probe};

/// Bytes that must be free before an encode begins; less than this is a full disk with a rest.
pub(super) const FREE_BYTES_MIN: u64 = 16 << 20;

/// One attempt on its way.
pub(super) struct Attempt<'a> {
    pub(super) context: &'a WorkContext,
    pub(super) offer: &'a Offer,
    pub(super) link: &'a dyn AttemptLink,
    pub(super) stop: StopToken,
    pub(super) view: &'a LiveView,
    began: Option<Instant>,
    pub(super) encoder: &'static str,
    warnings: Vec<String>,
    pub(super) passed_over: Vec<PassedOver>,
    pub(super) quality: Option<QualityFound>,
    pub(super) references: Option<Arc<References>>,
    /// Frames and milliseconds that the encoder which runs, or ran last, has made.
    pub(super) made: (u64, u64),
    media_ms: u64,
    bytes_in: u64,
}

/// What was found out about the work before it takes a slot.
pub(super) struct Prepared {
    pub(super) source: Source,
    pub(super) to: Destination,
    pub(super) media: Media,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        context: &'a WorkContext,
        offer: &'a Offer,
        link: &'a dyn AttemptLink,
        view: &'a LiveView,
        stop: StopToken,
    ) -> Attempt<'a> {
        Attempt {
            context,
            offer,
            link,
            stop,
            view,
            began: None,
            encoder: "",
            warnings: Vec::new(),
            passed_over: Vec::new(),
            quality: None,
            references: None,
            made: (0, 0),
            media_ms: 0,
            bytes_in: offer.stamp.size,
        }
    }

    /// All phases in order.
    pub(super) async fn run(&mut self, place: Place) -> Result<Proven, Halt> {
        self.enter(Phase::Fetching);
        let prepared = self.prepare().await?;
        let plans = self.plans(&prepared.media)?;
        let slot = self.slot(place).await?;
        let made = self.make(&prepared, plans).await;
        self.references = None;
        let scratch = made?;
        // The processor is done with this attempt: the rest is the disk's and the console's.
        drop(slot);
        self.deliver(&prepared.to, scratch).await
    }

    /// A phase begins: here, and for whoever looks.
    pub(super) fn enter(&self, phase: Phase) {
        self.view.enters(phase);
        self.link.progress(Progress::start(phase));
    }

    /// The report of its end.
    pub(super) fn report(&self, outcome: Outcome) -> Report {
        let seen = self.view.snapshot();
        let bytes_out = match &outcome {
            Outcome::Committed(proven) => proven.size,
            Outcome::Skipped(_) | Outcome::SourceChanged(_) | Outcome::Failed(_) | Outcome::Stopped => 0,
        };
        let wall = self.began.map_or(0, |began| began.elapsed().as_millis());
        Report {
            attempt: self.offer.attempt,
            outcome,
            encoder: self.encoder.to_owned(),
            commands: seen.commands,
            warnings: self.warnings.clone(),
            log: seen.log,
            wall_ms: u64::try_from(wall).unwrap_or(u64::MAX),
            media_ms: self.media_ms,
            bytes_in: self.bytes_in,
            bytes_out,
            media: seen.media,
            phases: seen.phases,
            passed_over: self.passed_over.clone(),
            quality: self.quality.clone(),
        }
    }

    /// The source as it is now, if it is another than the offer says. One that cannot be looked at says nothing.
    pub(super) async fn changed_source(&self) -> Option<FileStamp> {
        let source = self.context.storage.fetch(self.offer).await.ok()?;
        (source.stamp != self.offer.stamp).then_some(source.stamp)
    }

    /// Fetches and describes the source. Needs no slot.
    async fn prepare(&mut self) -> Result<Prepared, Halt> {
        let storage = Arc::clone(&self.context.storage);
        let source = self.unless_stopped(storage.fetch(self.offer)).await?.map_err(|e| e.failure())?;
        self.bytes_in = source.stamp.size;
        if source.stamp != self.offer.stamp {
            return Err(Halt::SourceChanged(source.stamp));
        }
        let to = self.unless_stopped(storage.destination(self.offer)).await?.map_err(|e| e.failure())?;
        match to.output.symlink_metadata() {
            Ok(_) => return Err(Halt::Skipped("output is already there: kept".to_owned())),
            Err(error) if error.kind() == ErrorKind::InvalidFilename => {
                // No agent can make it: the name of the source leaves no room for the output's extension.
                return Err(Failure::new(FailureClass::Source, "the name of the output is too long").into());
            }
            Err(_) => {}
        }
        let is_copy = self.offer.profile.profile.video.codec == VideoCodec::Copy;
        let needed = if is_copy { source.stamp.size.saturating_add(FREE_BYTES_MIN) } else { FREE_BYTES_MIN };
        if to.free < needed {
            let cause = format!("no space for the output: {} MiB free", to.free >> 20);
            return Err(Failure::new(FailureClass::Capacity, cause).into());
        }
        let call = probe::command(&self.context.tools, &source.path);
        let stdout = Stdout::Keep { bytes_max: probe::JSON_BYTES_MAX };
        let ended = self.child(CommandPhase::Probe, &call, probe::limits(), stdout).await?;
        let mut media = probe::read(&ended, &source.path)?;
        let is_encoded = self.offer.profile.profile.video.codec.is_encoded();
        let call = probe::frames_command(&self.context.tools, &source.path, &media).filter(|_| is_encoded);
        if let Some(call) = call {
            let stdout = Stdout::Keep { bytes_max: probe::JSON_BYTES_MAX };
            let ended = self.child(CommandPhase::Probe, &call, probe::limits(), stdout).await?;
            probe::add_frames(&mut media, &ended);
        }
        self.media_ms = media.duration_ms.unwrap_or(0);
        self.view.describes(&media);
        Ok(Prepared { source, to, media })
    }

    /// What the ffmpeg of this box can do.
    pub(super) fn caps(&self) -> plan::Caps<'a> {
        plan::Caps { encoders: &self.context.tools.encoders, major: self.context.tools.major }
    }

    /// Something worth a look.
    pub(super) fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    async fn slot(&mut self, place: Place) -> Result<OwnedSemaphorePermit, Halt> {
        if !place.has_come() {
            self.enter(Phase::Waiting);
        }
        self.unless_stopped(place.slot()).await?.ok_or(Halt::Stopped)
    }

    /// Encodes and verifies with one encoder.
    pub(super) async fn make_with(
        &mut self,
        prepared: &Prepared,
        plan: &Plan,
    ) -> Result<(Scratch, Vec<String>), Halt> {
        let scratch =
            Scratch::new(&prepared.to, self.offer.attempt, plan.container.extension()).map_err(|error| {
                Failure::new(FailureClass::Infrastructure, format!("name the part file: {error}"))
            })?;
        self.link.making(&scratch.stem());
        let plan = &self.with_quality(prepared, plan, &scratch).await?;
        let files = Files {
            source: prepared.source.path.clone(),
            part: scratch.part(),
            pass_log: scratch.pass_log(),
        };
        let guard = Guard::of(&self.offer.profile.profile, prepared.source.stamp.size);
        let facts = self.encode(plan, &files, prepared.media.duration_ms, guard).await?;
        let size = files.part.metadata().map_or(0, |meta| meta.len());
        if let Some(why) = guard.and_then(|guard| guard.refuses(size)) {
            return Err(Halt::Skipped(why));
        }
        let warnings = self.verify(plan, &files, &facts).await?;
        self.hold_floor(prepared, plan, &files).await?;
        Ok((scratch, warnings))
    }

    async fn encode(
        &mut self,
        plan: &Plan,
        files: &Files,
        total_ms: Option<u64>,
        guard: Option<Guard>,
    ) -> Result<Facts, Halt> {
        let commands = plan.commands(files);
        let mut meter = Meter::new(total_ms, commands.len());
        self.enter(Phase::Encoding);
        let limits =
            Limits { stall: Some(self.context.stall), total: None, writes: Some(files.part.clone()) };
        let mut log = String::new();
        for (pass, args) in commands.into_iter().enumerate() {
            let mut call = Invocation::new(&self.context.tools.ffmpeg, args);
            if let Some(with) = &plan.with {
                call.env = with.encoder.device(with.gpu.as_ref()).env;
            }
            let began = tokio::time::Instant::now();
            meter.begin_pass(pass, began);
            let link = self.link;
            let mut hopeless = None;
            let mut tell = |block: Block| {
                failpoint("encode-began");
                let now = tokio::time::Instant::now();
                if let Some(progress) = meter.take(&block, now) {
                    link.progress(progress);
                }
                let share = guard.zip(meter.share());
                hopeless = share
                    .and_then(|(guard, share)| guard.gives_up(meter.last().out_bytes, share, now - began));
                if hopeless.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let stdout = Stdout::Progress(&mut tell);
            let ended = self.child(CommandPhase::Encode, &call, limits.clone(), stdout).await?;
            self.made = (meter.last().frames, meter.last().out_ms);
            if let (Some(StopReason::Unwanted), Some(why)) = (ended.stopped, hopeless) {
                return Err(Halt::Skipped(why));
            }
            if !ended.is_clean() {
                return Err(self.encode_failure(&ended, plan.with.as_ref(), files, self.made.0).into());
            }
            log = ended.stderr;
        }
        let known = |n: u64| (n > 0).then_some(n);
        Ok(Facts { log, frames: known(self.made.0), out_ms: known(self.made.1) })
    }

    pub(super) fn encode_failure(
        &self,
        ended: &Ended,
        with: Option<&Candidate>,
        files: &Files,
        frames: u64,
    ) -> Failure {
        if ended.stopped == Some(StopReason::Stalled) {
            let cause = format!("no progress for {} s", self.context.stall.as_secs());
            return Failure::new(FailureClass::Job, cause);
        }
        let paths = [&files.source.to_string_lossy(), &files.part.to_string_lossy()];
        let failure = ffmpeg::classify(ended, &paths.map(|path| path.as_ref()));
        let is_on_card = with.is_some_and(|with| with.gpu.is_some());
        walk::judged(failure, ended.exit, is_on_card, frames)
    }

    async fn verify(&mut self, plan: &Plan, files: &Files, facts: &Facts) -> Result<Vec<String>, Halt> {
        self.enter(Phase::Verifying);
        let mut check = Check::new(&self.context.tools, plan, facts, files);
        let limits = check.limits();
        while let Some(call) = check.next() {
            let stdout = Stdout::Keep { bytes_max: probe::JSON_BYTES_MAX };
            let ended = self.child(CommandPhase::Verify, &call, limits.clone(), stdout).await?;
            check.take(&ended)?;
        }
        Ok(check.warnings())
    }

    /// Runs a child for this attempt. A stop that came from outside ends the attempt. What is printed about samples is
    /// told only if it tells of a failure: they are many.
    pub(super) async fn child(
        &mut self,
        phase: CommandPhase,
        call: &Invocation,
        limits: Limits,
        stdout: Stdout<'_>,
    ) -> Result<Ended, Halt> {
        if self.stop.reason().is_some() {
            return Err(Halt::Stopped);
        }
        self.began.get_or_insert_with(Instant::now);
        self.view.begin(phase, call);
        let view = self.view;
        let is_sample = phase == CommandPhase::Sample;
        let mut printed = |bytes: &[u8]| {
            if !is_sample {
                view.printed(bytes);
            }
        };
        let sinks = Sinks { stdout, stderr: &mut printed };
        let ended = self.context.spawner.run(call, limits, sinks, &self.stop).await;
        let ended =
            ended.map_err(|error| Failure::new(FailureClass::Infrastructure, crate::told::chain(&error)))?;
        match ended.stopped {
            Some(StopReason::Stale | StopReason::Cancelled | StopReason::Shutdown | StopReason::Now) => {
                Err(Halt::Stopped)
            }
            Some(StopReason::Stalled | StopReason::Overtime | StopReason::Unwanted) | None => {
                if is_sample && !ended.is_clean() {
                    view.printed(ended.stderr.as_bytes());
                }
                Ok(ended)
            }
        }
    }

    /// Waits for something that may take long, or for a stop.
    async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            biased;
            _ = self.stop.stopped() => Err(Halt::Stopped),
            done = work => Ok(done),
        }
    }
}
