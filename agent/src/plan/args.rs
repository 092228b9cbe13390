//! A plan, spelled for ffmpeg. Every command can be run again as it stands; the last word is what it writes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use vc_protocol::profile::Container;

use super::{Action, Files, Plan};
use crate::encoder::{Candidate, Encoder, TwoPass};
use crate::probe::file_url;

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
        if self.is_two_pass {
            vec![self.command(files, Pass::First), self.command(files, Pass::Second)]
        } else {
            vec![self.command(files, Pass::Only)]
        }
    }

    fn command(&self, files: &Files, pass: Pass) -> Vec<OsString> {
        let mut args = Args::default();
        args.words("-nostdin -hide_banner -y -v level+warning -nostats -progress pipe:1 -protocol_whitelist file,pipe");
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

    fn stream(&self, args: &mut Args, n: usize, stream: &super::Planned, files: &Files, pass: Pass) {
        match &stream.action {
            Action::Copy => {
                args.pair(&format!("-c:{n}"), "copy");
            }
            Action::Picture(picture) => {
                let Some(Candidate { encoder, .. }) = self.with else { return };
                args.pair(&format!("-c:{n}"), encoder.name);
                for (name, value) in encoder.speed(self.effort).into_iter().chain(encoder.rate(self.rate)) {
                    args.pair(&format!("-{name}:{n}"), value);
                }
                args.pair(&format!("-pix_fmt:{n}"), picture.format);
                if let Some(filter) = &picture.filter {
                    args.pair(&format!("-filter:{n}"), filter);
                }
                if picture.is_vfr && self.has_exact_times {
                    args.pair(&format!("-fps_mode:{n}"), "passthrough")
                        .pair(&format!("-enc_time_base:{n}"), "demux");
                } else {
                    args.pair(&format!("-fps_mode:{n}"), "vfr");
                }
                encoder_options(args, n, encoder, pass, &files.pass_log);
            }
            Action::Sound(sound) => {
                args.pair(&format!("-c:{n}"), sound.encoder).pair(&format!("-b:{n}"), sound.bits.to_string());
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
        let is_quicktime = matches!(self.container, Container::Mp4 | Container::Mov);
        // Apple's players show HEVC only under this name, and nobody minds it.
        if is_quicktime && stream.codec == "hevc" && pass != Pass::First {
            args.pair(&format!("-tag:{n}"), "hvc1");
        }
    }

    fn output(&self, args: &mut Args, part: &Path) {
        // Streams that begin late must not end the run: a few thousand packets of the others may wait for them.
        args.words("-max_muxing_queue_size 4096");
        if self.container == Container::Mp4 && self.streams.iter().any(|s| s.codec == "flac") {
            // ffmpeg 5 calls FLAC in mp4 experimental.
            args.words("-strict -2");
        }
        if self.container == Container::Mkv && self.streams.iter().any(|s| s.codec == "rawvideo") {
            // Matroska holds raw RGB only in the way of AVI.
            args.words("-allow_raw_vfw 1");
        }
        match self.container {
            Container::Mp4 => args.words("-movflags +faststart -f mp4"),
            Container::Mov => args.words("-movflags +faststart -f mov"),
            Container::M4a => args.words("-movflags +faststart -f ipod"),
            Container::Mkv | Container::Mka => args.words("-f matroska"),
            Container::Webm => args.words("-f webm"),
        };
        args.word(part.as_os_str());
    }
}

fn encoder_options(args: &mut Args, n: usize, encoder: &Encoder, pass: Pass, log: &Path) {
    let number = match pass {
        Pass::Only => None,
        Pass::First => Some("1"),
        Pass::Second => Some("2"),
    };
    let in_params = match (encoder.two_pass, number) {
        (Some(TwoPass::Params(option)), Some(number)) => Some((option, number)),
        (Some(TwoPass::Params(_) | TwoPass::Flags { .. }) | None, _) => None,
    };
    for (name, value) in encoder.always() {
        let mut value = OsString::from(value);
        if let Some((option, number)) = in_params
            && option == name
        {
            value.push(format!(":pass={number}:stats="));
            value.push(escaped(log.as_os_str()));
        }
        args.pair(&format!("-{name}:{n}"), value);
    }
    if let (Some(TwoPass::Flags { .. }), Some(number)) = (encoder.two_pass, number) {
        args.pair(&format!("-pass:{n}"), number).pair(&format!("-passlogfile:{n}"), log.as_os_str());
    }
}

/// A value inside `key=value:key=value`, where ffmpeg takes a backslash before anything special.
fn escaped(value: &OsStr) -> OsString {
    let mut bytes = Vec::with_capacity(value.len());
    for byte in value.as_bytes() {
        if matches!(byte, b'\\' | b'\'' | b':' | b'=' | b' ' | b'\n' | b'\t' | b'\r') {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    OsString::from_vec(bytes)
}

#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn word(&mut self, word: impl AsRef<OsStr>) -> &mut Self {
        self.0.push(word.as_ref().to_owned());
        self
    }

    /// Words without blanks inside, as they are typed.
    fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split(' ').map(OsString::from));
        self
    }

    fn pair(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.word(name).word(value)
    }
}
