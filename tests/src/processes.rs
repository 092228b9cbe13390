//! Looking for ffmpeg processes of one test among all processes of the machine.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Process ids of every ffmpeg, ffprobe or stand-in that works on something below `folder`. A zombie has no command
/// line and is not counted: it runs nothing.
pub fn media_processes(folder: &Path) -> Vec<i32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let folder = folder.as_os_str().as_bytes();
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
            let program = line.split(|b| *b == 0).next().unwrap_or_default();
            let name = program.rsplit(|b| *b == b'/').next().unwrap_or_default();
            name.starts_with(b"ff") && line.windows(folder.len()).any(|part| part == folder)
        })
        .collect()
}
