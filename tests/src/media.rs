//! Small clips made while the tests run, and a look at what came out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use crate::programs::real_ffmpeg;
use crate::wait::{LONG, eventually};

/// What a clip is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clip {
    /// Length in seconds.
    pub seconds: f32,
    /// Size as ffmpeg has it.
    pub size: &'static str,
    /// With a tone beside the picture.
    pub sound: bool,
}

/// Half a second of a moving picture with a tone: the least that a conversion has something to do with.
pub const TINY: Clip = Clip { seconds: 0.5, size: "160x90", sound: true };

/// Makes a clip at `path`, whose extension decides the container. Each kind is encoded once a test run and copied.
///
/// # Panics
/// When ffmpeg is not there or cannot do it: ask [`crate::need_ffmpeg`] first.
pub fn clip(path: &Path, kind: Clip) {
    static MADE: Mutex<Vec<(Clip, String, Vec<u8>)>> = Mutex::new(Vec::new());
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("mp4").to_owned();
    let mut made = MADE.lock().expect("no other test broke the clips");
    let known = made.iter().find(|(clip, ext, _)| *clip == kind && *ext == extension);
    let bytes = match known {
        Some((_, _, bytes)) => bytes.clone(),
        None => {
            let bytes = encode(kind, &extension);
            made.push((kind, extension, bytes.clone()));
            bytes
        }
    };
    drop(made);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("the clip's folder can be made");
    }
    fs::write(path, bytes).expect("the clip can be written");
}

fn encode(kind: Clip, extension: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join(format!("clip.{extension}"));
    let Clip { seconds, size, sound } = kind;
    let mut command = ffmpeg_tool("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"]);
    command.arg(format!("testsrc2=size={size}:rate=25:duration={seconds}"));
    if sound {
        command.args(["-f", "lavfi", "-i", &format!("sine=frequency=440:duration={seconds}"), "-c:a", "aac"]);
    }
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]).arg(&file);
    let status = command.stdin(Stdio::null()).status().expect("ffmpeg starts");
    assert!(status.success(), "ffmpeg makes a clip: {status}");
    fs::read(&file).expect("ffmpeg wrote a clip")
}

/// `ffmpeg` or `ffprobe` itself.
///
/// # Panics
/// When it is not there.
pub fn ffmpeg_tool(name: &str) -> Command {
    Command::new(real_ffmpeg().expect("ffmpeg is on the PATH").join(name))
}

/// What ffprobe says of a file: `format` and `streams`. None if it is not a media file.
pub fn probe(path: &Path) -> Option<Value> {
    let output = ffmpeg_tool("ffprobe")
        .args(["-v", "error", "-show_format", "-show_streams", "-of", "json"])
        .arg(path)
        .output()
        .expect("ffprobe starts");
    output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("ffprobe prints JSON"))
}

/// Checks that a file is a whole video of about that length: every frame decodes without a complaint.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_whole(path: &Path, seconds: f32) {
    let Some(found) = probe(path) else { panic!("{} is no media file", path.display()) };
    let duration: f32 = found["format"]["duration"].as_str().and_then(|d| d.parse().ok()).unwrap_or_default();
    assert!((duration - seconds).abs() < 0.5, "{}: {duration} s long, {seconds} s wanted", path.display());
    let output = ffmpeg_tool("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(path)
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", path.display());
}

/// Waits until these files, as paths below the folder, are all that it holds: a running console may have its probe file
/// in an output folder for a moment.
///
/// # Panics
/// When others are there, or some are not.
#[track_caller]
pub fn wait_files(folder: &Path, wanted: &[&str]) {
    let found = || files_below(folder);
    let is_so = eventually(LONG, || {
        (found().iter().map(|path| path.as_os_str()).eq(wanted.iter().copied())).then_some(())
    });
    assert!(is_so.is_some(), "{} holds {:?}, not {wanted:?}", folder.display(), found());
}

/// Every file below a folder, as paths below it, sorted. A folder that is not there has none.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("it was found below").to_path_buf());
            }
        }
    }
    found.sort();
    found
}
