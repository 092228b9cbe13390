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

const NOT_OPENED: &str = "Error while opening encoder";
pub(crate) const NO_SESSION: &str = "no encoder session is free";
const GPU_FULL: &str = "the GPU's memory is full";
const GPU_LOST: &str = "the GPU was lost";

/// What a line says of the failure, whoever prints it. Specific before general: the first row that fits decides.
const ROWS: &[Row] = {
    use FailureClass::{Capacity, Encoder, Infrastructure, Job, Source};
    &[
        // Space and sessions.
        row("No space left on device", Capacity, "no space left on the disk"),
        row("Disk quota exceeded", Capacity, "disk quota exceeded"),
        row("OpenEncodeSessionEx failed: out of memory", Capacity, NO_SESSION),
        // What consumer cards say of one session too many.
        row("OpenEncodeSessionEx failed: incompatible client key", Capacity, NO_SESSION),
        row("Buffer failed: out of memory", Capacity, GPU_FULL),
        row("CUDA_ERROR_OUT_OF_MEMORY", Capacity, GPU_FULL),
        row("VK_ERROR_OUT_OF_DEVICE_MEMORY", Capacity, GPU_FULL),
        row("VK_ERROR_OUT_OF_HOST_MEMORY", Capacity, "out of memory"),
        row("Too many open files", Capacity, ""),
        // Cards that are gone, and come back after a restart at best.
        row("VK_ERROR_DEVICE_LOST", Infrastructure, GPU_LOST),
        row("CUDA_ERROR_ILLEGAL_ADDRESS", Infrastructure, GPU_LOST),
        row("CUDA_ERROR_LAUNCH_FAILED", Infrastructure, GPU_LOST),
        row("CUDA_ERROR_ECC_UNCORRECTABLE", Infrastructure, GPU_LOST),
        row("CUDA_ERROR_DEVICE_UNAVAILABLE", Infrastructure, GPU_LOST),
        row("CUDA_ERROR_UNKNOWN", Infrastructure, GPU_LOST),
        row("device failed (-17)", Infrastructure, GPU_LOST),
        row("Error during set display handle", Infrastructure, GPU_LOST),
        row("GPU Hang (-21)", Infrastructure, "the GPU hangs"),
        // Encoders that cannot.
        row("Unknown encoder", Encoder, ""),
        row(
            "Device does not support the VK_KHR_video_encode_queue",
            Encoder,
            "this GPU encodes no video with Vulkan",
        ),
        row(
            "Device does not support the VK_KHR_video_decode_queue",
            Encoder,
            "this GPU decodes no video with Vulkan",
        ),
        row("Instance creation failure: VK_ERROR", Encoder, "no Vulkan driver"),
        row("Unable to find device", Encoder, ""),
        row("Unsupported input format for conversion", Encoder, ""),
        row("Cannot load libcuda", Encoder, "no NVIDIA driver"),
        row("Cannot load nvcuda", Encoder, "no NVIDIA driver"),
        row("required nvenc API version", Encoder, "the NVIDIA driver is too old for this ffmpeg"),
        row("OpenEncodeSessionEx failed: unsupported device", Encoder, "this NVIDIA GPU encodes no video"),
        row("OpenEncodeSessionEx failed: no encode device", Encoder, "this NVIDIA GPU encodes no video"),
        row("capable devices found", Encoder, "this NVIDIA GPU cannot encode it"),
        row("MFX session", Encoder, "no Quick Sync driver"),
        row("No VA display found", Encoder, "no VAAPI device"),
        row("Failed to initialise VAAPI connection", Encoder, "no VAAPI driver"),
        row("No usable encoding profile found", Encoder, "this GPU does not encode it with VAAPI"),
        row("No usable encoding entrypoint found", Encoder, "this GPU does not encode it with VAAPI"),
        row("Failed to sync surface", Encoder, "the GPU failed to decode it"),
        row("libamfrt64.so.1 failed to open", Encoder, "no AMF runtime"),
        row("cannot create compression session", Encoder, ""),
        row("failed to load library", Encoder, "a library of the GPU's driver is missing"),
        row("A hardware device reference is required", Encoder, ""),
        row("Device creation failed", Encoder, ""),
        row("Error setting preset/tune", Encoder, ""),
        row("not divisible by 2", Encoder, ""),
        row("Impossible to convert between the formats", Encoder, ""),
        row("ratecontrol_init: can't open stats file", Job, "the log of the first pass is missing"),
        row(NOT_OPENED, Encoder, ""),
        // The source.
        row("moov atom not found", Source, ""),
        row("EBML header parsing failed", Source, ""),
        row("Could not find codec parameters", Source, ""),
        row("Error opening input: No such file", Infrastructure, "the source is gone"),
        row("Error opening input: Permission denied", Source, "permission denied"),
        row("Error opening input: Is a directory", Source, "is a folder"),
        row("Error opening input: Input/output error", Infrastructure, "input/output error"),
        row("Error opening input: Stale file handle", Infrastructure, "stale file handle"),
        row("Error opening input: Transport endpoint", Infrastructure, ""),
        row("Error opening input:", Source, ""),
        row(": Is a directory", Source, "is a folder"),
        row("does not contain any stream", Source, "no stream in the file"),
        // What the plan should have prevented.
        row("Could not find tag for codec", Job, ""),
        // Another try would end alike: the container has no name for what the source holds.
        row("No wav codec tag found", Source, ""),
        row("are supported for WebM", Job, ""),
        row("matches no streams", Job, ""),
        row("Unrecognized option", Job, ""),
        row("No such filter", Job, ""),
        row("Error parsing a filter description", Job, ""),
        row("Unable to choose an output format", Job, ""),
        row("same as Input #", Job, "it would write over its source"),
    ]
};

/// General ends of a line. From an encoder on a card they say that the card cannot, not what they say elsewhere.
const ENDS: &[Row] = {
    use FailureClass::{Capacity, Infrastructure, Job, Source};
    &[
        row("Cannot allocate memory", Capacity, "out of memory"),
        row("Input/output error", Infrastructure, "input/output error"),
        row("Stale file handle", Infrastructure, "stale file handle"),
        row("Transport endpoint is not connected", Infrastructure, ""),
        row("Read-only file system", Infrastructure, "read-only file system"),
        row("Error opening output", Infrastructure, ""),
        row("is not supported", Job, ""),
        row("Permission denied", Infrastructure, "permission denied"),
        row("No such file or directory", Infrastructure, ""),
        row(
            "Invalid data found when processing input",
            Source,
            "not a media file, or a damaged one (invalid data)",
        ),
    ]
};

/// Ends of the names of encoders that run on a card.
const ON_CARDS: [&str; 6] = ["_vulkan", "_nvenc", "_qsv", "_vaapi", "_amf", "_videotoolbox"];

/// The failure that a line is known to stand for.
fn known(line: &LogLine<'_>, paths: &[&str]) -> Option<Failure> {
    let find = |rows: &'static [Row]| rows.iter().find(|row| line.text.contains(row.pattern));
    let row = match find(ROWS) {
        None if ON_CARDS.iter().any(|end| line.context.ends_with(end)) => {
            return Some(Failure::new(FailureClass::Encoder, without_paths(line.text, paths)));
        }
        None => find(ENDS)?,
        row => row?,
    };
    let cause = if row.cause.is_empty() { without_paths(line.text, paths) } else { row.cause.to_owned() };
    Some(Failure::new(row.class, cause))
}

/// Whether this cause of a failure is that the card has too much to do just now, which says nothing of its encoders.
pub(crate) fn is_busy(cause: &str) -> bool {
    [NO_SESSION, GPU_FULL].iter().any(|words| cause.contains(words))
}

/// Why a process that was not stopped by us failed. `paths` are left out of the cause.
pub fn classify(ended: &Ended, paths: &[&str]) -> Failure {
    if let Some(reason) = ended.stopped {
        let cause = match reason {
            StopReason::Stalled => "no progress for too long",
            StopReason::Overtime => "took too long",
            StopReason::Unwanted
            | StopReason::Stale
            | StopReason::Cancelled
            | StopReason::Shutdown
            | StopReason::Now => "stopped",
        };
        return Failure::new(FailureClass::Job, cause);
    }
    if let Exit::Signal(signal) = ended.exit {
        // What is known of a card explains the crash of its driver. The same job is no danger to another box.
        let explained = errors(&ended.stderr).find_map(|line| known(&line, paths));
        if let Some(failure) = explained.filter(|_| is_crash(signal))
            && matches!(failure.class, FailureClass::Encoder | FailureClass::Infrastructure)
        {
            return failure;
        }
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
    let known = errors(log).filter(|line| !line.is_damage()).find_map(|line| known(&line, paths));
    let of = |class, line: LogLine<'_>| Failure::new(class, without_paths(line.text, paths));
    // That line says only that it failed; what an encoder of its own said before is why.
    let known = known.map(|failure| match errors(log).find(|line| !line.is_damage()) {
        Some(first) if failure.cause.starts_with(NOT_OPENED) => of(failure.class, first),
        Some(_) | None => failure,
    });
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

/// A program ends itself so, or is ended for what it did.
fn is_crash(signal: i32) -> bool {
    use nix::sys::signal::Signal::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV].into_iter().any(|crash| crash as i32 == signal)
}

fn signal_cause(signal: i32) -> String {
    match nix::sys::signal::Signal::try_from(signal) {
        Ok(nix::sys::signal::Signal::SIGKILL) => "killed by SIGKILL (memory?)".to_owned(),
        Ok(name) => format!("killed by {name}"),
        Err(_) => format!("killed by signal {signal}"),
    }
}

#[cfg(test)]
mod tests;
