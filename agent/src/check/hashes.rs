//! Proof that nothing was lost: hashes of what decodes from the source and from the output.
//!
//! Pictures are compared in the source's own pixel format, so that any loss of depth or colour shows. Sound is compared
//! where both sides can hold every bit; what was copied needs no proof but for pictures, of which a container may hide
//! some. Times are not compared.

use std::ffi::OsString;
use std::path::Path;

use vc_protocol::media::StreamKind;

use super::steps::words;
use crate::plan::{Action, Plan, Planned};
use crate::probe::file_url;

/// A stream of the source and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    source: u32,
    output: usize,
    /// Pixel format that both are compared in; none for sound.
    format: Option<String>,
}

/// Codecs of sound that keep every bit, beside the raw ones.
const LOSSLESS_SOUNDS: &[&str] =
    &["flac", "alac", "wavpack", "tta", "truehd", "mlp", "ape", "tak", "shorten"];

fn is_lossless_sound(codec: &str) -> bool {
    LOSSLESS_SOUNDS.contains(&codec) || (codec.starts_with("pcm_") && !codec.contains("law"))
}

/// Why the pictures of this plan cannot be those of the source, if so.
pub(super) fn obstacle(plan: &Plan) -> Option<String> {
    plan.streams.iter().find_map(|stream| match &stream.action {
        Action::Picture(picture) if picture.is_altered => Some(format!(
            "stream {}: the profile wants every frame of the source, and its picture must be changed{}",
            stream.source,
            picture.filter.as_ref().map(|filter| format!(" ({filter})")).unwrap_or_default()
        )),
        Action::Picture(_) | Action::Copy | Action::Sound(_) | Action::Text(_) => None,
    })
}

/// What is compared.
pub(super) fn pairs(plan: &Plan) -> Vec<Pair> {
    let format = |stream: &Planned| match &stream.action {
        // A palette is chosen anew by every conversion; the other way nothing is lost.
        Action::Picture(picture) if stream.source_format == "pal8" => Some(picture.format.to_owned()),
        Action::Picture(picture) if stream.source_format.is_empty() => Some(picture.format.to_owned()),
        Action::Picture(_) | Action::Copy | Action::Sound(_) | Action::Text(_) => {
            Some(stream.source_format.clone())
        }
    };
    let pair = |(output, stream): (usize, &Planned)| {
        let is_picture = stream.kind == StreamKind::Video && !stream.source_format.is_empty();
        let is_sound = matches!(stream.action, Action::Sound(_))
            && is_lossless_sound(&stream.source_codec)
            && is_lossless_sound(&stream.codec);
        let format = if is_picture { format(stream) } else { None };
        (is_picture || is_sound).then_some(Pair { source: stream.source, output, format })
    };
    plan.streams.iter().enumerate().filter_map(pair).collect()
}

const BEGIN: &str = "-nostdin -hide_banner -v level+error -nostats";
const INPUT: &str = "-protocol_whitelist file,pipe -i";

/// Arguments of ffmpeg that hash both sides of every pair, one line each. Each has an output of its own: streams that
/// share one wait for each other with raw pictures in memory.
pub(super) fn all(pairs: &[Pair], source: &Path, output: &Path) -> Vec<OsString> {
    let mut args = words(BEGIN);
    for file in [source, output] {
        args.extend(words(INPUT));
        args.push(file_url(file));
    }
    for pair in pairs {
        for (input, stream) in [(0, pair.source.to_string()), (1, pair.output.to_string())] {
            args.extend(words(&format!("-map {input}:{stream} {} -f hash -hash md5 pipe:1", pair.raw())));
        }
    }
    args
}

/// The first pair whose hashes differ, in what [`all`] printed.
pub(super) fn first_difference(pairs: &[Pair], stdout: &[u8]) -> Result<Option<Pair>, String> {
    let text = String::from_utf8_lossy(stdout);
    let hashes: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("MD5=")).collect();
    if hashes.len() != 2 * pairs.len() {
        return Err(format!("{} of {} hashes could be made", hashes.len(), 2 * pairs.len()));
    }
    let differs = |(_, hashes): &(&Pair, &[&str])| hashes.first() != hashes.last();
    Ok(pairs.iter().zip(hashes.chunks(2)).find(differs).map(|(pair, _)| pair.clone()))
}

impl Pair {
    pub(super) fn is_picture(&self) -> bool {
        self.format.is_some()
    }

    /// What turns it into numbers without a loss.
    fn raw(&self) -> String {
        match &self.format {
            Some(format) => format!(
                "-fps_mode passthrough -c:v rawvideo -pix_fmt {format} -sws_flags accurate_rnd+full_chroma_int+bitexact"
            ),
            None => "-c:a pcm_s32le".to_owned(),
        }
    }

    pub(super) fn differs(&self) -> String {
        format!("the samples of stream {} are not those of the source", self.output)
    }

    /// Arguments of ffmpeg that hash each frame of the source.
    pub(super) fn frames_of_source(&self, source: &Path) -> Vec<OsString> {
        self.frames(source, self.source.to_string())
    }

    /// The same for the output.
    pub(super) fn frames_of_output(&self, output: &Path) -> Vec<OsString> {
        self.frames(output, self.output.to_string())
    }

    fn frames(&self, file: &Path, stream: String) -> Vec<OsString> {
        let mut args = words(BEGIN);
        args.extend(words(INPUT));
        args.push(file_url(file));
        args.extend(words(&format!("-map 0:{stream} {} -f framemd5 pipe:1", self.raw())));
        args
    }

    /// Which frame differs first, in words.
    pub(super) fn first_frame_that_differs(&self, source: &[u8], output: &[u8]) -> String {
        let stream = self.output;
        let (source, output) = (String::from_utf8_lossy(source), String::from_utf8_lossy(output));
        let (mut theirs, mut ours) = (hashes_of(&source), hashes_of(&output));
        let mut frame = 0_u64;
        loop {
            frame += 1;
            match (theirs.next(), ours.next()) {
                (Some(a), Some(b)) if a == b => {}
                (Some(_), Some(_)) => {
                    return format!("frame {frame} of stream {stream} is not that of the source");
                }
                (Some(_), None) => {
                    return format!("stream {stream} ends before frame {frame}, and the source goes on");
                }
                (None, Some(_)) => {
                    return format!("stream {stream} goes on with frame {frame}, and the source has ended");
                }
                // More frames than were kept of the lists.
                (None, None) => {
                    return format!(
                        "a frame of stream {stream} behind number {frame} is not that of the source"
                    );
                }
            }
        }
    }
}

/// The last column of a list of frames.
fn hashes_of(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.rsplit_once(',')?.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(output: usize) -> Pair {
        Pair { source: 3, output, format: Some("yuv420p".into()) }
    }

    #[test]
    fn the_first_pair_that_differs_is_found_and_missing_hashes_are_told() {
        let pairs = [pair(0), pair(1)];
        let same = b"MD5=aa\nMD5=aa\nMD5=bb\nMD5=bb\n";
        assert_eq!(first_difference(&pairs, same), Ok(None));
        let other = b"MD5=aa\nMD5=aa\nMD5=bb\nMD5=bc\n";
        assert_eq!(first_difference(&pairs, other), Ok(Some(pair(1))));
        assert_eq!(first_difference(&pairs, b"MD5=aa\n"), Err("1 of 4 hashes could be made".into()));
    }

    #[test]
    fn the_first_frame_that_differs_is_named() {
        let list = |hashes: &[&str]| {
            let lines = hashes.iter().enumerate().map(|(n, hash)| format!("0, {n}, {n}, 1, 21600, {hash}\n"));
            format!("#format: frame checksums\n{}", lines.collect::<String>()).into_bytes()
        };
        for (source, output, said) in [
            (&["a", "b", "c"][..], &["a", "x", "c"][..], "frame 2 of stream 1 is not that of the source"),
            (&["a", "b"], &["a"], "stream 1 ends before frame 2, and the source goes on"),
            (&["a"], &["a", "b"], "stream 1 goes on with frame 2, and the source has ended"),
            (&["a"], &["a"], "a frame of stream 1 behind number 2 is not that of the source"),
        ] {
            assert_eq!(pair(1).first_frame_that_differs(&list(source), &list(output)), said);
        }
    }
}
