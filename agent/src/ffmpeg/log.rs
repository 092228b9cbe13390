//! ffmpeg's log lines: their level, their context and what is left of them.

/// Lines that tell of a damaged or cut source although ffmpeg goes on and exits with 0.
const DAMAGE: [&str; 6] = [
    "partial file",
    "File ended prematurely",
    // Without its first letter: ffmpeg 5 says "Error while decoding stream".
    "rror while decoding",
    "corrupt decoded frame",
    "corrupt input packet",
    "Error submitting packet to decoder",
];

/// Lines that say that something failed, but never what.
const NOISE: [&str; 5] = [
    "Conversion failed!",
    "Terminating thread",
    "Task finished with error code",
    "Nothing was written into output file",
    "Exiting with exit code",
];

/// One line of ffmpeg's log, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// Name of the part that speaks (`libx264`, `mov,mp4,…`), empty if it is the program itself.
    pub context: &'a str,
    /// Level as printed with `-v level+…`; empty without.
    pub level: &'a str,
    /// The message.
    pub text: &'a str,
}

impl LogLine<'_> {
    fn is_error(&self) -> bool {
        matches!(self.level, "" | "error" | "fatal" | "panic")
    }

    /// It tells of damage in what is read.
    pub fn is_damage(&self) -> bool {
        DAMAGE.iter().any(|mark| self.text.contains(mark))
    }

    fn is_noise(&self) -> bool {
        self.text.is_empty() || NOISE.iter().any(|mark| self.text.starts_with(mark))
    }
}

/// The lines of a log, taken apart.
pub fn lines(log: &str) -> impl Iterator<Item = LogLine<'_>> {
    log.lines().map(take_apart)
}

/// Lines that are errors and say something.
pub fn errors(log: &str) -> impl Iterator<Item = LogLine<'_>> {
    lines(log).filter(|line| line.is_error() && !line.is_noise())
}

/// The first line that tells of a damaged source, and how many there are.
pub fn damage(log: &str) -> Option<(&str, usize)> {
    let mut all = errors(log).filter(LogLine::is_damage).map(|line| line.text);
    let first = all.next()?;
    Some((first, 1 + all.count()))
}

/// Strips `[context @ 0x…]` (several may be nested) and `[level]` from the front.
fn take_apart(line: &str) -> LogLine<'_> {
    let (mut context, mut level, mut rest) = ("", "", line.trim());
    while let Some((tag, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        if let Some((name, _)) = tag.split_once(" @ 0x") {
            context = name;
        } else if matches!(tag, "panic" | "fatal" | "error" | "warning" | "info" | "verbose" | "debug") {
            level = tag;
        } else {
            break;
        }
        rest = after.trim_start();
    }
    // x265 and SVT-AV1 print by themselves, with a level of their own.
    for (mark, own) in [("x265 [error]:", "error"), ("x265 [warning]:", "warning"), ("x265 [info]:", "info")]
    {
        if let Some(after) = rest.strip_prefix(mark) {
            return LogLine { context: "libx265", level: own, text: after.trim_start() };
        }
    }
    for (mark, own) in [("Svt[error]:", "error"), ("Svt[warn]:", "warning"), ("Svt[info]:", "info")] {
        if let Some(after) = rest.strip_prefix(mark) {
            return LogLine { context: "libsvtav1", level: own, text: after.trim_start() };
        }
    }
    LogLine { context, level, text: rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_and_level_are_stripped_however_they_nest() {
        for (line, context, level, text) in [
            (
                "[mov,mp4,m4a @ 0x55d0] [error] moov atom not found",
                "mov,mp4,m4a",
                "error",
                "moov atom not found",
            ),
            ("[in#0 @ 0x1] [error] Error opening input: x", "in#0", "error", "Error opening input: x"),
            ("[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [error] y", "dec:h264", "error", "y"),
            ("[h264 @ 0x1] error while decoding MB 3 4", "h264", "", "error while decoding MB 3 4"),
            ("x265 [info]: HEVC encoder version 4.1", "libx265", "info", "HEVC encoder version 4.1"),
            ("Svt[warn]: Failed to set", "libsvtav1", "warning", "Failed to set"),
            ("[brackets] are part of it", "", "", "[brackets] are part of it"),
            ("", "", "", ""),
        ] {
            assert_eq!(take_apart(line), LogLine { context, level, text }, "{line}");
        }
    }

    #[test]
    fn damage_is_counted_and_noise_is_not_an_error() {
        let log = "[warning] partial file\n[h264 @ 0x1] [error] error while decoding MB 1 2, bytestream -5\n\
                   [h264 @ 0x1] [error] corrupt decoded frame\n[error] Conversion failed!\n";
        assert_eq!(damage(log), Some(("error while decoding MB 1 2, bytestream -5", 2)));
        assert_eq!(errors(log).count(), 2);
        assert_eq!(damage("[error] No space left on device"), None);
    }
}
