//! The encoders of an attempt: which may do it, and the walk from one to the next.
//!
//! Their order, and why some are left out, is what the devices of this box have proved; what they do here is told back.

use vc_protocol::agent::{PASSED_OVER_MAX, PassedOver};
use vc_protocol::device::RateMode;
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::Media;
use vc_protocol::profile::{Depth, Profile};

use super::Halt;
use super::attempt::{Attempt, Prepared};
use super::walk::{self, Refused};
use crate::commit::Scratch;
use crate::plan::{self, Plan, Refusal};
use crate::proved::Want;

impl Attempt<'_> {
    /// A plan for each encoder that may do it, the preferred first. At least one.
    pub(super) fn plans(&mut self, media: &Media) -> Result<Vec<Plan>, Halt> {
        let profile = &self.offer.profile.profile;
        let codec = profile.video.codec;
        // Typed options name their encoder themselves.
        if !codec.is_encoded() || !profile.passes.is_empty() {
            return Ok(vec![plan::plan(media, profile, None, self.caps())?]);
        }
        let rate = match (&profile.video.bitrate, &profile.video.size) {
            (None, None) => RateMode::Quality,
            (Some(_), _) | (_, Some(_)) => RateMode::Bitrate,
        };
        let want = Want { codec, bits: bits(profile, media), rate, order: &profile.video.encoders };
        let mut choice = self.context.proved.choose(self.offer.device, want);
        if let Some(stream) = media.video().filter(|s| plan::depth(&s.pixel_format) == 8 && s.rotation == 0) {
            choice = self.context.proved.on_device(self.offer.device, choice, &stream.codec);
        }
        for passed in choice.passed_over {
            self.passes_over(passed);
        }
        let mut plans = Vec::with_capacity(choice.candidates.len());
        for with in &choice.candidates {
            match plan::plan(media, profile, Some(with), self.caps()) {
                Ok(plan) => plans.push(plan),
                // The same encoder follows, with its pictures from memory.
                Err(Refusal::Failed(failure))
                    if failure.class == FailureClass::Encoder && with.is_on_device => {}
                Err(Refusal::Failed(failure)) if failure.class == FailureClass::Encoder => {
                    self.passes_over(PassedOver { encoder: walk::label(Some(with)), cause: failure.cause });
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        if plans.is_empty() {
            let name = codec.ffmpeg_name();
            let cause = match self.passed_over.first() {
                Some(PassedOver { encoder, cause }) => {
                    format!("no encoder for {name} can be used here: {encoder}: {cause}")
                }
                None => format!("this ffmpeg has no encoder for {name}"),
            };
            return Err(Failure::new(FailureClass::Encoder, cause).into());
        }
        Ok(plans)
    }

    /// Encodes and verifies, with the next encoder where one cannot.
    pub(super) async fn make(&mut self, prepared: &Prepared, plans: Vec<Plan>) -> Result<Scratch, Halt> {
        let labels: Vec<String> = plans.iter().map(|plan| walk::label(plan.with.as_ref())).collect();
        let names: Vec<&'static str> =
            plans.iter().map(|plan| plan.with.as_ref().map_or("copy", |with| with.encoder.name)).collect();
        let mut refused: Vec<Refused> = Vec::new();
        for (place, plan) in plans.iter().enumerate() {
            if let Some(Refused { label, cause, .. }) = refused.last() {
                self.warn(format!("{label} could not ({cause}): {} was used", labels[place]));
                self.passes_over(PassedOver { encoder: label.clone(), cause: cause.clone() });
            }
            self.encoder = names[place];
            self.view.uses(self.encoder, names[place + 1..].to_vec());
            (self.made, self.quality) = ((0, 0), None);
            let made = self.make_with(prepared, plan).await;
            if let Err(Halt::Failed(failure)) = &made
                && failure.class == FailureClass::Encoder
            {
                let (frames, out_ms) = self.made;
                let (label, cause) = (labels[place].clone(), failure.cause.clone());
                refused.push(Refused { encoder: names[place], label, cause, frames, out_ms });
                if let [.., first, second] = refused.as_slice()
                    && let Some(failure) = walk::blames_source(first, second)
                {
                    return Err(failure.into());
                }
                if place + 1 < plans.len() {
                    continue;
                }
            }
            let (scratch, warnings) = made?;
            self.prove(&plans[..=place], &refused);
            plan.warnings.iter().cloned().chain(warnings).for_each(|warning| self.warn(warning));
            return Ok(scratch);
        }
        Err(Failure::new(FailureClass::Job, "there was nothing to run").into())
    }

    /// Tells what encoders showed at work. That the last one could says that the source was not to blame for the others.
    fn prove(&self, ran: &[Plan], refused: &[Refused]) {
        let (proved, device) = (&self.context.proved, self.offer.device);
        for (place, plan) in ran.iter().enumerate() {
            let Some(with) = &plan.with else { continue };
            match refused.get(place) {
                Some(Refused { cause, .. }) => proved.failed(device, with, cause),
                None => proved.worked(device, with),
            }
        }
    }

    fn passes_over(&mut self, passed: PassedOver) {
        if self.passed_over.len() < PASSED_OVER_MAX {
            self.passed_over.push(passed);
            self.view.passes_over(&self.passed_over);
        }
    }
}

/// Bits of a sample that an encoder should take.
fn bits(profile: &Profile, media: &Media) -> u8 {
    match profile.video.depth {
        Depth::Eight => 8,
        Depth::Ten => 10,
        Depth::Keep => media.video().map_or(8, |stream| plan::depth(&stream.pixel_format)),
    }
}
