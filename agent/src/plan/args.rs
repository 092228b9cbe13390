//! A plan, spelled for ffmpeg. Every command can be run again as it stands; the last word is what it writes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use vc_protocol::media::StreamKind;
use vc_protocol::profile::Container;

use super::{Action, Files, Picture, Plan, Planned, hold};
use crate::encoder::{Candidate, Options, TwoPass, joined};
use crate::probe::file_url;

/// What every command begins with.
pub(super) const BEGIN: &str =
    "-nostdin -hide_banner -y -v level+warning -nostats -progress pipe:1 -protocol_whitelist file,pipe";

/// Which run of ffmpeg this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Only,
    First,
    Second,
}

impl Plan {
    /// The arguments of each run of ffmpeg, in order.
    pub fn commands(&self, files: &Files) -> Vec<Vec<OsString>> {
        if !self.raw.is_empty() {
            self.raw_commands(files)
        } else if self.is_two_pass {
            vec![self.command(files, Pass::First), self.command(files, Pass::Second)]
        } else {
            vec![self.command(files, Pass::Only)]
        }
    }

    fn command(&self, files: &Files, pass: Pass) -> Vec<OsString> {
        let mut args = Args::default();
        args.words(BEGIN);
        if let Some(with) = &self.with {
            args.all(&with.encoder.device(with.gpu.as_ref()).args);
            if with.is_on_device {
                args.all(&with.encoder.route.decode_words());
            }
        }
        if self.streams.iter().any(|s| matches!(s.action, Action::Picture(_)) && s.rotation != 0) {
            args.words("-noautorotate");
        }
        if self.needs_time_stamps {
            args.words("-fflags +genpts");
        }
        args.words("-i").word(file_url(&files.source));
        let is_wanted = |action: &Action| pass != Pass::First || matches!(action, Action::Picture(_));
        let streams = || self.streams.iter().filter(|stream| is_wanted(&stream.action));
        for stream in streams() {
            args.pair("-map", format!("0:{}", stream.source));
        }
        for (n, stream) in streams().enumerate() {
            self.stream(&mut args, n, stream, files, pass);
        }
        if pass == Pass::First {
            args.words("-f null -");
        } else {
            self.output(&mut args, &files.part);
        }
        args.0
    }

    fn stream(&self, args: &mut Args, n: usize, stream: &Planned, files: &Files, pass: Pass) {
        match &stream.action {
            Action::Copy => {
                args.pair(&format!("-c:{n}"), "copy");
            }
            Action::Picture(picture) => self.encode(args, n, picture, files, pass),
            Action::Sound(sound) => {
                args.pair(&format!("-c:{n}"), sound.encoder);
                if sound.bits > 0 {
                    args.pair(&format!("-b:{n}"), sound.bits.to_string());
                }
                if let Some(channels) = sound.mixed_to {
                    args.pair(&format!("-ac:{n}"), channels.to_string());
                }
                if let Some(filter) = sound.filter {
                    args.pair(&format!("-filter:{n}"), filter);
                }
            }
            Action::Text(encoder) => {
                args.pair(&format!("-c:{n}"), encoder);
            }
        }
        if pass == Pass::First {
            return;
        }
        // Apple's players show HEVC only under this name, and nobody minds it.
        if hold::is_quicktime(self.container) && stream.codec == "hevc" && stream.kind == StreamKind::Video {
            args.pair(&format!("-tag:{n}"), "hvc1");
        }
        for (name, value) in &stream.tags {
            args.pair(&format!("-metadata:s:{n}"), format!("{name}={value}"));
        }
    }

    fn encode(&self, args: &mut Args, n: usize, picture: &Picture, files: &Files, pass: Pass) {
        let Some(Candidate { encoder, is_on_device, .. }) = &self.with else { return };
        args.pair(&format!("-c:{n}"), encoder.name);
        // All that speed means where nothing is lost is slices, and not every number of them suits an odd size.
        let is_odd = picture.size.is_some_and(|(width, height)| width % 2 + height % 2 > 0);
        let speed = if encoder.is_lossless() && is_odd { Options::new() } else { encoder.speed(self.effort) };
        let told = [speed, encoder.rate(self.rate), encoder.always(), picture.options.clone()];
        let told = joined(told.into_iter().flatten());
        encoder_options(args, n, told, encoder.two_pass, pass, &files.pass_log);
        if !is_on_device && encoder.upload_filter(picture.format).is_none() {
            args.pair(&format!("-pix_fmt:{n}"), picture.format);
        }
        if let Some(filter) = &picture.filter {
            args.pair(&format!("-filter:{n}"), filter);
        }
        if picture.is_vfr && self.has_exact_times {
            args.pair(&format!("-fps_mode:{n}"), "passthrough").pair(&format!("-enc_time_base:{n}"), "demux");
        } else {
            args.pair(&format!("-fps_mode:{n}"), "vfr");
        }
    }

    fn output(&self, args: &mut Args, part: &Path) {
        // Streams that begin late must not end the run: a few thousand packets of the others may wait for them.
        args.words("-max_muxing_queue_size 4096");
        let is_quicktime = hold::is_quicktime(self.container);
        if self.container == Container::Mp4 && self.streams.iter().any(|s| s.codec == "flac") {
            // ffmpeg 5 calls FLAC in mp4 experimental.
            args.words("-strict -2");
        } else if is_quicktime && self.streams.iter().any(|s| s.hdr.dolby_vision.is_some()) {
            // Without it the frames are copied, and the record that tells players of them is not.
            args.words("-strict unofficial");
        }
        if self.container == Container::Mkv && self.streams.iter().any(|s| s.codec == "rawvideo") {
            // Matroska holds raw RGB only in the way of AVI.
            args.words("-allow_raw_vfw 1");
        }
        if is_quicktime {
            args.words("-movflags +faststart");
        }
        if self.container == Container::M4a {
            // ffmpeg's own way of writing such files forgets what tracks are for.
            args.pair("-brand", "M4A ");
        }
        if let Some(n) = self.needs_marks() {
            let own = self.streams.get(n).map(|stream| stream.dispositions.join("+")).unwrap_or_default();
            args.pair(&format!("-disposition:{n}"), if own.is_empty() { "0" } else { &own });
        }
        args.words("-f").word(format(self.container)).word(part.as_os_str());
    }
}

impl Plan {
    /// A stream that is to be told its marks, which it has anyway. Where of several streams of a kind none is the
    /// default, ffmpeg makes the first one so, and players show subtitles that nobody chose; told of any mark at all, it
    /// leaves all as they are.
    fn needs_marks(&self) -> Option<usize> {
        let has_none = |kind| {
            let of_kind = || self.streams.iter().filter(move |s| s.kind == kind);
            of_kind().count() > 1 && !of_kind().any(|s| s.dispositions.iter().any(|name| name == "default"))
        };
        let is_open = [StreamKind::Video, StreamKind::Audio, StreamKind::Subtitle].into_iter().any(has_none);
        self.streams.iter().position(|s| s.kind != StreamKind::Cover).filter(|_| is_open)
    }
}

/// ffmpeg's name of a container that is written.
pub(super) fn format(container: Container) -> &'static str {
    match container {
        Container::Mp4 | Container::M4a => "mp4",
        Container::Mov => "mov",
        Container::Mkv | Container::Mka => "matroska",
        Container::Webm => "webm",
    }
}

/// Everything that an encoder is told. Params of a pass are joined with the others of the same option: the last one would
/// win.
fn encoder_options(
    args: &mut Args,
    n: usize,
    told: Options,
    two_pass: Option<TwoPass>,
    pass: Pass,
    log: &Path,
) {
    let number = match pass {
        Pass::Only => None,
        Pass::First => Some("1"),
        Pass::Second => Some("2"),
    };
    let mut params = match (two_pass, number) {
        (Some(TwoPass::Params(option)), Some(number)) => {
            let mut value = OsString::from(format!("pass={number}:stats="));
            value.push(escaped(log.as_os_str()));
            Some((option, value))
        }
        (Some(TwoPass::Params(_) | TwoPass::Flags { .. }) | None, _) => None,
    };
    for (name, value) in told {
        let mut value = OsString::from(value);
        if let Some((_, more)) = params.take_if(|(option, _)| *option == name) {
            value.push(":");
            value.push(more);
        }
        args.pair(&format!("-{name}:{n}"), value);
    }
    if let Some((option, value)) = params {
        args.pair(&format!("-{option}:{n}"), value);
    }
    if let (Some(TwoPass::Flags { .. }), Some(number)) = (two_pass, number) {
        args.pair(&format!("-pass:{n}"), number).pair(&format!("-passlogfile:{n}"), log.as_os_str());
    }
}

/// A value inside `key=value:key=value`, where ffmpeg takes a backslash before anything special.
pub(super) fn escaped(value: &OsStr) -> OsString {
    let mut bytes = Vec::with_capacity(value.len());
    for byte in value.as_bytes() {
        if matches!(byte, b'\\' | b'\'' | b':' | b'=' | b' ' | b'\n' | b'\t' | b'\r') {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    OsString::from_vec(bytes)
}

/// A command line as it grows.
#[derive(Default)]
pub(super) struct Args(pub(super) Vec<OsString>);

impl Args {
    pub(super) fn word(&mut self, word: impl AsRef<OsStr>) -> &mut Self {
        self.0.push(word.as_ref().to_owned());
        self
    }

    /// Words without blanks inside, as they are typed.
    pub(super) fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split(' ').map(OsString::from));
        self
    }

    pub(super) fn all(&mut self, words: &[String]) -> &mut Self {
        self.0.extend(words.iter().map(OsString::from));
        self
    }

    pub(super) fn pair(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.word(name).word(value)
    }
}
