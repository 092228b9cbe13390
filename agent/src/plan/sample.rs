//! Samples of a conversion: a part of the source, as the conversion would make it, or with nothing lost.

use std::ffi::OsString;

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::{Media, Stream};
use vc_protocol::profile::{
    AudioCodec, AudioWish, Container, Effort, Interlaced, Loss, Profile, VideoCodec, VideoWish,
};

use super::{Action, Caps, Files, Plan, Planned, Refusal};
use crate::encoder::{Candidate, ENCODERS, Rate};

impl Plan {
    /// The first picture that is encoded.
    pub fn picture(&self) -> Option<&Planned> {
        self.streams.iter().find(|stream| matches!(stream.action, Action::Picture(_)))
    }

    /// The same for its first picture alone, at this quality, in one pass and in Matroska, which takes any codec.
    pub fn for_sample(&self, rate: Rate) -> Plan {
        Plan {
            container: Container::Mkv,
            rate,
            is_two_pass: false,
            streams: self.picture().cloned().into_iter().collect(),
            warnings: Vec::new(),
            ..self.clone()
        }
    }

    /// The arguments of its one run for a part of the source only: `part` are options in front of the input.
    pub fn part_command(&self, files: &Files, part: Vec<OsString>) -> Vec<OsString> {
        let mut args = self.commands(files).into_iter().next().unwrap_or_default();
        let input = args.iter().position(|word| word == "-i").unwrap_or(0);
        args.splice(input..input, part);
        args
    }
}

/// A plan for the same pictures without loss: as large as the profile asks, with fields joined as the encoder does it, in
/// the source's own depth. What encoders make is held against it.
pub fn reference(
    media: &Media,
    stream: &Stream,
    wish: &VideoWish,
    is_joined: bool,
    caps: Caps<'_>,
) -> Result<Plan, Refusal> {
    let encoder = ENCODERS.iter().find(|e| e.name == "ffv1" && caps.encoders.contains(e.name));
    let encoder =
        encoder.ok_or_else(|| Failure::new(FailureClass::Job, "this ffmpeg has no ffv1 for samples"))?;
    let video = VideoWish {
        effort: Effort::Fast,
        // Without any limit nothing would be touched: no odd row cut off, no picture turned, as they are elsewhere.
        max_width: wish.max_width.or_else(|| wish.max_height.is_none().then_some(u32::MAX)),
        max_height: wish.max_height,
        interlaced: if is_joined { Interlaced::Deinterlace } else { Interlaced::Keep },
        may_lose: vec![Loss::DolbyVision, Loss::Hdr10Plus],
        ..VideoWish::of(VideoCodec::Ffv1)
    };
    let sound = AudioWish { codec: AudioCodec::Copy, bitrate: None };
    let profile = Profile::of(Container::Mkv, video, sound);
    let alone = Media { streams: vec![stream.clone()], chapters: 0, ..media.clone() };
    let with = Candidate { encoder, gpu: None, is_on_device: false };
    let plan = super::plan(&alone, &profile, Some(&with), caps)?;
    Ok(plan.for_sample(Rate::Fixed))
}
