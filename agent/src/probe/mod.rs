//! What a file holds: one ffprobe process a file, and a second one where only frames tell; their JSON is read by pure
//! functions.
//!
//! Knows nothing of jobs, plans and devices.

mod frames;
mod parse;
mod side_data;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::media::Media;

use crate::ffmpeg::{self, Tools};
use crate::process::{Ended, Invocation, Limits};

pub use frames::{add_frames, frames_command};
pub use parse::{Described, parse};

/// Longest time for a look at a source; headers of large files on slow network disks take seconds.
const PROBE_MAX: Duration = Duration::from_secs(120);
/// Most bytes of JSON taken: thousands of chapters and streams fit, endless output does not.
pub const JSON_BYTES_MAX: usize = 32 << 20;
/// Containers that are lists of other files. Media is hostile input: it must not name files for us to open.
const PLAYLISTS: [&str; 6] = ["hls", "concat", "dash", "imf", "webm_dash_manifest", "sdp"];

/// `file:` and the path: no character of a name means anything to ffmpeg after that.
pub fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// The command that looks at a source.
pub fn command(tools: &Tools, path: &Path) -> Invocation {
    let words = "-v level+error -show_format -show_streams -show_chapters -of json=c=1 -protocol_whitelist file,pipe -i";
    let mut args: Vec<OsString> = words.split(' ').map(OsString::from).collect();
    args.push(file_url(path));
    Invocation::new(&tools.ffprobe, args)
}

/// Bounds of that command.
pub fn limits() -> Limits {
    Limits { total: Some(PROBE_MAX), ..Limits::default() }
}

/// What the command found out, or why the source is no use.
pub fn read(ended: &Ended, path: &Path) -> Result<Media, Failure> {
    if !ended.is_clean() {
        let mut failure = ffmpeg::classify(ended, &[&String::from_utf8_lossy(path.as_os_str().as_bytes())]);
        // A file on which ffprobe fails by itself is at fault, unless the line said that the box is.
        if failure.class == FailureClass::Job && ended.stopped.is_none() && !failure.by_signal {
            failure.class = FailureClass::Source;
        }
        return Err(failure);
    }
    let source = |cause: &str| Failure::new(FailureClass::Source, cause);
    if ended.is_stdout_cut {
        return Err(source("its description is endless"));
    }
    let media = parse(&ended.stdout).map_err(|error| source(&error.to_string()))?.media;
    if media.container.split(',').any(|name| PLAYLISTS.contains(&name)) {
        return Err(source("a list of other files, not a video"));
    }
    Ok(media)
}

#[cfg(test)]
mod tests {
    use crate::process::Exit;

    use super::*;

    fn ended(code: i32, stdout: &str, stderr: &str) -> Ended {
        Ended {
            exit: Exit::Code(code),
            stopped: None,
            stderr: stderr.into(),
            stdout: stdout.into(),
            is_stdout_cut: false,
        }
    }

    #[test]
    fn a_bad_source_is_a_source_failure_with_its_own_words() {
        let path = Path::new("/m/x.mp4");
        for (stderr, cause) in [
            (
                "[mov,mp4 @ 0x1] [error] moov atom not found\n[error] file:/m/x.mp4: Invalid data found when processing input\n",
                "moov atom not found",
            ),
            (
                "[error] file:/m/x.mp4: Invalid data found when processing input\n",
                "not a media file, or a damaged one (invalid data)",
            ),
            ("[error] file:/m/x.mp4: Something odd\n", "Something odd"),
        ] {
            let failure = read(&ended(1, "{}", stderr), path).unwrap_err();
            assert_eq!((failure.class, failure.cause.as_str()), (FailureClass::Source, cause));
        }
        let list = r#"{"streams":[],"format":{"format_name":"hls"}}"#;
        assert!(read(&ended(0, list, ""), path).unwrap_err().cause.contains("list of other files"));
        assert_eq!(read(&ended(0, "{", ""), path).unwrap_err().class, FailureClass::Source);
    }
}
