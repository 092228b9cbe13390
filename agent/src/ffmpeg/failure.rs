//! From what ffmpeg printed to why it failed: a table of known lines, each seen on a real run.

use vc_protocol::failure::{Failure, FailureClass};

use super::log::{LogLine, errors};
use crate::process::{Ended, Exit, StopReason};

/// A known line.
struct Row {
    /// Part of the message.
    pattern: &'static str,
    /// Whose fault it is.
    class: FailureClass,
    /// What people read instead of the line, empty to keep the line.
    cause: &'static str,
}

const fn row(pattern: &'static str, class: FailureClass, cause: &'static str) -> Row {
    Row { pattern, class, cause }
}

/// Specific before general: the first row that fits a line decides.
const ROWS: &[Row] = {
    use FailureClass::{Capacity, Encoder, Infrastructure, Job, Source};
    &[
        // Space and sessions.
        row("No space left on device", Capacity, "no space left on the disk"),
        row("Disk quota exceeded", Capacity, "disk quota exceeded"),
        row("OpenEncodeSessionEx failed: out of memory", Capacity, "no encoder session is free"),
        row("Too many open files", Capacity, ""),
        row("Cannot allocate memory", Capacity, "out of memory"),
        // The box, its disks and its network.
        row("Input/output error", Infrastructure, "input/output error"),
        row("Stale file handle", Infrastructure, "stale file handle"),
        row("Transport endpoint is not connected", Infrastructure, ""),
        row("Read-only file system", Infrastructure, "read-only file system"),
        row("Error opening output", Infrastructure, ""),
        // The source.
        row("moov atom not found", Source, ""),
        row("EBML header parsing failed", Source, ""),
        row("Could not find codec parameters", Source, ""),
        row("Error opening input: No such file", Infrastructure, "the source is gone"),
        row("Error opening input: Permission denied", Source, "permission denied"),
        row("Error opening input: Is a directory", Source, "is a folder"),
        row("Error opening input", Source, ""),
        row("does not contain any stream", Source, "no stream in the file"),
        // Encoders that cannot.
        row("Unknown encoder", Encoder, ""),
        row(
            "Device does not support the VK_KHR_video_encode_queue",
            Encoder,
            "this GPU encodes no video with Vulkan",
        ),
        row("Instance creation failure: VK_ERROR", Encoder, "no Vulkan driver"),
        row("Unable to find device", Encoder, ""),
        row("Cannot load libcuda", Encoder, "no NVIDIA driver"),
        row("Cannot load nvcuda", Encoder, "no NVIDIA driver"),
        row("Error creating a MFX session", Encoder, "no Quick Sync driver"),
        row("No VA display found", Encoder, "no VAAPI device"),
        row("libamfrt64.so.1 failed to open", Encoder, "no AMF runtime"),
        row("Error while opening encoder", Encoder, ""),
        row("Error setting preset/tune", Encoder, ""),
        row("not divisible by 2", Encoder, ""),
        row("Impossible to convert between the formats", Encoder, ""),
        row("ratecontrol_init: can't open stats file", Job, "the log of the first pass is missing"),
        // What the plan should have prevented.
        row("Could not find tag for codec", Job, ""),
        row("is not supported", Job, ""),
        row("matches no streams", Job, ""),
        row("Unrecognized option", Job, ""),
        row("No such filter", Job, ""),
        // General ends of the line.
        row("Permission denied", Infrastructure, "permission denied"),
        row("No such file or directory", Infrastructure, ""),
        row(
            "Invalid data found when processing input",
            Source,
            "not a media file, or a damaged one (invalid data)",
        ),
    ]
};

/// Why a process that was not stopped by us failed. `paths` are left out of the cause.
pub fn classify(ended: &Ended, paths: &[&str]) -> Failure {
    if let Some(reason) = ended.stopped {
        let cause = match reason {
            StopReason::Stalled => "no progress for too long",
            StopReason::Overtime => "took too long",
            StopReason::Stale | StopReason::Cancelled | StopReason::Shutdown | StopReason::Now => "stopped",
        };
        return Failure::new(FailureClass::Job, cause);
    }
    if let Exit::Signal(signal) = ended.exit {
        let mut failure = Failure::new(FailureClass::Job, signal_cause(signal));
        failure.by_signal = true;
        return failure;
    }
    if let Some(failure) = first_error(&ended.stderr, paths) {
        return failure;
    }
    let code = match ended.exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => signal,
    };
    Failure::new(FailureClass::Job, format!("exit status {code} without a word"))
}

/// The failure that the first telling line of a log stands for: a known line before damage in the source, that before
/// anything else.
pub fn first_error(log: &str, paths: &[&str]) -> Option<Failure> {
    let known = errors(log).filter(|line| !line.is_damage()).find_map(|line| {
        let row = ROWS.iter().find(|row| line.text.contains(row.pattern))?;
        let cause = if row.cause.is_empty() { without_paths(line.text, paths) } else { row.cause.to_owned() };
        Some(Failure::new(row.class, cause))
    });
    let of = |class, line: LogLine<'_>| Failure::new(class, without_paths(line.text, paths));
    known
        .or_else(|| errors(log).find(LogLine::is_damage).map(|line| of(FailureClass::Source, line)))
        .or_else(|| errors(log).next().map(|line| of(FailureClass::Job, line)))
}

/// Takes the names of files out of a message, with what tied them to it.
fn without_paths(text: &str, paths: &[&str]) -> String {
    let mut text = text.to_owned();
    for path in paths.iter().filter(|path| !path.is_empty()) {
        for (mark, instead) in [
            (format!("file:{path}: "), ""),
            (format!("{path}: "), ""),
            (format!("'file:{path}'"), "the file"),
            (format!("'{path}'"), "the file"),
            (format!("file:{path}"), "the file"),
            ((*path).to_owned(), "the file"),
        ] {
            text = text.replace(&mark, instead);
        }
    }
    text
}

fn signal_cause(signal: i32) -> String {
    match nix::sys::signal::Signal::try_from(signal) {
        Ok(nix::sys::signal::Signal::SIGKILL) => "killed by SIGKILL (memory?)".to_owned(),
        Ok(name) => format!("killed by {name}"),
        Err(_) => format!("killed by signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::failure::FailureClass::{Capacity, Encoder, Infrastructure, Job, Source};

    use super::*;

    fn ended(exit: Exit, stderr: &str) -> Ended {
        Ended { exit, stopped: None, stderr: stderr.into(), stdout: Vec::new(), is_stdout_cut: false }
    }

    /// Real logs, from ffmpeg 9 unless noted, with the level tags that we ask for.
    #[test]
    fn real_logs_get_their_class_and_a_cause_without_paths() {
        for (log, class, cause) in [
            (
                "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55e9] [error] moov atom not found\n[in#0 @ 0x55e8] [fatal] Error opening \
                 input: Invalid data found when processing input\n[fatal] Error opening input file file:/m/a b.mp4.\n",
                Source,
                "moov atom not found",
            ),
            (
                "[error] file:/m/a b.mp4: Invalid data found when processing input\n",
                Source,
                "not a media file, or a damaged one (invalid data)",
            ),
            ("file:/m/a b.mp4: No such file or directory\n", Infrastructure, "No such file or directory"),
            (
                "[out#0/mp4 @ 0x5] [error] Error writing trailer: No space left on device\n[fatal] Conversion failed!\n",
                Capacity,
                "no space left on the disk",
            ),
            (
                "[h264 @ 0x1] [error] error while decoding MB 20 3, bytestream -7\n[aost#0:1/aac @ 0x2] [error] Error \
                 submitting a packet to the muxer: No space left on device\n",
                Capacity,
                "no space left on the disk",
            ),
            (
                "[libx264 @ 0x1] [error] width not divisible by 2 (321x181)\n[vost#0:0/libx264 @ 0x2] [error] Error \
                 while opening encoder - maybe incorrect parameters\n",
                Encoder,
                "width not divisible by 2 (321x181)",
            ),
            ("[vost#0:0 @ 0x1] [fatal] Unknown encoder 'libx266'\n", Encoder, "Unknown encoder 'libx266'"),
            (
                "[AVHWDeviceContext @ 0x1] [error] Instance creation failure: VK_ERROR_INCOMPATIBLE_DRIVER\n",
                Encoder,
                "no Vulkan driver",
            ),
            ("[h264_nvenc @ 0x1] [error] Cannot load libcuda.so.1\n", Encoder, "no NVIDIA driver"),
            (
                "[mp4 @ 0x1] [error] Could not find tag for codec theora in stream #0, codec not currently supported \
                 in container\n",
                Job,
                "Could not find tag for codec theora in stream #0, codec not currently supported in container",
            ),
            ("[matroska,webm @ 0x1] [error] File ended prematurely\n", Source, "File ended prematurely"),
            (
                "[error] Something new about file:/m/a b.mp4 failed\n",
                Job,
                "Something new about the file failed",
            ),
            ("[warning] deprecated pixel format\n", Job, "exit status 1 without a word"),
        ] {
            let failure = classify(&ended(Exit::Code(1), log), &["/m/a b.mp4"]);
            assert_eq!(
                (failure.class, failure.cause.as_str(), failure.by_signal),
                (class, cause, false),
                "{log}"
            );
        }
    }

    #[test]
    fn a_signal_that_nobody_of_ours_sent_is_told_apart() {
        let killed = classify(&ended(Exit::Signal(9), "[error] moov atom not found"), &[]);
        assert_eq!((killed.class, killed.by_signal), (Job, true));
        assert_eq!(killed.cause, "killed by SIGKILL (memory?)");
        let stalled = Ended { stopped: Some(StopReason::Stalled), ..ended(Exit::Code(0), "") };
        assert!(!classify(&stalled, &[]).by_signal);
    }
}
