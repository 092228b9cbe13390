//! Options as they are typed: what is run is the profile's, the files are ours.

use std::ffi::{OsStr, OsString};

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::{Colour, Hdr, Media, StreamKind};
use vc_protocol::profile::{Profile, RawPass, VideoCodec};

use super::args::{self, Args};
use super::{Action, Files, Picture, Plan, Planned, RawRun, Refusal};
use crate::encoder::{Candidate, ENCODERS, Options, Rate};
use crate::probe::file_url;

/// A plan that says nothing of the output but which codec its picture has.
pub(super) fn plan(media: &Media, profile: &Profile) -> Result<Plan, Refusal> {
    let raw = profile.passes.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    let typed = |name: &&crate::encoder::Encoder| {
        raw.iter().any(|run| run.output.iter().any(|word| word == name.name))
    };
    let encoder = ENCODERS.iter().find(typed);
    let codec = profile.video.codec;
    let picture = Picture {
        filter: None,
        is_altered: false,
        is_joined: false,
        format: "",
        is_vfr: true,
        size: None,
        options: Options::new(),
    };
    let source = media.video().filter(|_| codec != VideoCodec::Drop);
    let streams = source.map(|source| Planned {
        source: source.index,
        action: if codec.is_encoded() { Action::Picture(picture) } else { Action::Copy },
        tags: Vec::new(),
        kind: StreamKind::Video,
        codec: if codec.is_encoded() { codec.ffmpeg_name().to_owned() } else { source.codec.clone() },
        language: None,
        size: None,
        dispositions: Vec::new(),
        channels: 0,
        colour: Colour::default(),
        hdr: Hdr::default(),
        rotation: 0,
        duration_ms: None,
        source_codec: source.codec.clone(),
        source_format: source.pixel_format.clone(),
    });
    Ok(Plan {
        container: profile.container,
        with: encoder.map(|encoder| Candidate { encoder, gpu: None, is_on_device: false }),
        rate: Rate::Fixed,
        effort: profile.video.effort,
        streams: streams.into_iter().collect(),
        is_two_pass: false,
        raw,
        needs_time_stamps: false,
        has_exact_times: false,
        durations_ms: media.duration_ms.into_iter().collect(),
        chapters: 0,
        verify: profile.verify,
        warnings: Vec::new(),
    })
}

fn run(pass: &RawPass) -> Result<RawRun, Refusal> {
    let (input, output) = pass.words().map_err(|error| Failure::new(FailureClass::Job, error.to_string()))?;
    Ok(RawRun { input, output })
}

impl Plan {
    /// The arguments of each typed run. All but the last write nothing that is kept.
    pub(super) fn raw_commands(&self, files: &Files) -> Vec<Vec<OsString>> {
        let last = self.raw.len().saturating_sub(1);
        let command = |(n, run): (usize, &RawRun)| {
            let mut args = Args::default();
            args.words(args::BEGIN).all(&run.input).words("-i").word(file_url(&files.source));
            passes(run, files, &mut args);
            if n == last {
                args.words("-f").word(args::format(self.container)).word(&files.part);
            } else {
                args.words("-f null -");
            }
            args.0
        };
        self.raw.iter().enumerate().map(command).collect()
    }
}

/// The output words, with the name of our own log wherever a pass would choose one.
fn passes(run: &RawRun, files: &Files, args: &mut Args) {
    let log = files.pass_log.as_os_str();
    let mut words = run.output.iter();
    while let Some(word) = words.next() {
        args.word(word);
        let is_params = word.starts_with("-x265-params");
        if !is_params && word != "-pass" && !word.starts_with("-pass:") {
            continue;
        }
        let Some(value) = words.next() else { return };
        let mut value = OsString::from(value);
        if is_params && value.to_string_lossy().split(':').any(|param| param.starts_with("pass=")) {
            value.push(":stats=");
            value.push(args::escaped(log));
        }
        args.word(&value);
        if let Some(stream) = word.strip_prefix("-pass") {
            args.pair(&format!("-passlogfile{stream}"), log as &OsStr);
        }
    }
}
