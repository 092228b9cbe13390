//! Whether an output saves enough to be worth it: at its end, or before, as soon as that is certain. Pure.

use std::time::Duration;

use vc_protocol::profile::{NOT_WORTH_IT, Profile};

/// Share of the source that must be encoded before anything is said: the start of a film is unlike the rest.
const SHARE_MIN: f64 = 0.1;
/// Shortest time of encoding: a job of seconds is over before it is worth stopping.
const TIME_MIN: Duration = Duration::from_secs(5);

/// What a profile that is to save space asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guard {
    source: u64,
    percent: u8,
}

impl Guard {
    /// Of a profile that has one. What is copied saves nothing, and is wanted all the same.
    pub(super) fn of(profile: &Profile, source: u64) -> Option<Guard> {
        let guard = profile.guard.filter(|_| profile.video.codec.is_encoded() && source > 0)?;
        Some(Guard { source, percent: guard.min_saving_percent.min(100) })
    }

    /// Most bytes that are worth it.
    fn limit(&self) -> u64 {
        let share = u128::from(100 - self.percent);
        u64::try_from(u128::from(self.source) * share / 100).unwrap_or(u64::MAX)
    }

    /// Why an output of this size is not worth it.
    pub(super) fn refuses(&self, output: u64) -> Option<String> {
        (output > self.limit()).then(|| {
            let sizes = format!("{} instead of {}", bytes(output), bytes(self.source));
            format!("{NOT_WORTH_IT}: {sizes} ({})", self.compared(output))
        })
    }

    /// Why there is no hope, after so many bytes for this share of the source, 0 to 1.
    ///
    /// What is still to come may be far lighter than what came: the start of a film may be its heaviest part. It is taken
    /// to be as light as can be believed, which is the less the more is known: with half of `share` of the bytes a second
    /// that came so far.
    pub(super) fn gives_up(&self, output: u64, share: f64, spent: Duration) -> Option<String> {
        if share < SHARE_MIN || spent < TIME_MIN {
            return None;
        }
        let least = output as f64 * (1.5 - share.min(1.0) / 2.0);
        (least > self.limit() as f64).then(|| {
            let likely = (output as f64 / share.min(1.0)) as u64;
            let sizes = format!("about {} instead of {}", bytes(likely), bytes(self.source));
            // Less than a whole is left, or it would not have been stopped.
            let stopped = (share * 100.0).floor().min(99.0);
            format!("{NOT_WORTH_IT}: {sizes} ({}), stopped at {stopped:.0} %", self.compared(likely))
        })
    }

    fn compared(&self, output: u64) -> String {
        let (output, source) = (u128::from(output), u128::from(self.source));
        let percent = self.percent;
        if output > source {
            format!("{} % larger, {percent} % smaller is wanted", (output - source) * 100 / source)
        } else {
            format!("{} % smaller, {percent} % are wanted", (source - output) * 100 / source)
        }
    }
}

/// Bytes in the decimal unit that leaves at most three digits in front of the point.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::profile::{AudioCodec, AudioWish, Container, SizeGuard, VideoCodec, VideoWish};

    use super::*;

    const MB: u64 = 1_000_000;
    const LATE: Duration = Duration::from_secs(60);
    const GUARD: Guard = Guard { source: 830 * MB, percent: 5 };

    #[test]
    fn an_output_must_be_smaller_by_what_the_profile_asks() {
        for (output, expected) in [
            (700 * MB, None),
            (788_500_000, None),
            (812 * MB, Some("not worth it: 812 MB instead of 830 MB (2 % smaller, 5 % are wanted)")),
            (790 * MB, Some("not worth it: 790 MB instead of 830 MB (4 % smaller, 5 % are wanted)")),
            (996 * MB, Some("not worth it: 996 MB instead of 830 MB (20 % larger, 5 % smaller is wanted)")),
        ] {
            assert_eq!(GUARD.refuses(output).as_deref(), expected, "{output}");
        }
    }

    #[test]
    fn hopeless_jobs_are_given_up_and_doubtful_ones_are_not() {
        // Bytes so far against those that would do, share, and whether it is given up.
        for (so_far, share, expected) in [
            (0.60, 0.05, false),
            (0.60, 0.10, false),
            (0.70, 0.10, true),
            // Twice as large as it may be: told at two fifths, not at a fifth.
            (0.40, 0.20, false),
            (0.80, 0.40, true),
            // A tenth too large: told near the end.
            (0.55, 0.50, false),
            (0.935, 0.85, true),
            // Just small enough: never.
            (0.50, 0.50, false),
            (0.90, 0.90, false),
            (0.99, 0.99, false),
            (1.0, 1.0, false),
            // It is too large already.
            (1.01, 0.99, true),
        ] {
            let bytes = (GUARD.limit() as f64 * so_far) as u64;
            assert_eq!(GUARD.gives_up(bytes, share, LATE).is_some(), expected, "{so_far} at {share}");
        }
        let why = GUARD.gives_up(700 * MB, 0.34, LATE).unwrap();
        assert_eq!(
            why,
            "not worth it: about 2.1 GB instead of 830 MB (148 % larger, 5 % smaller is wanted), stopped at 34 %"
        );
    }

    #[test]
    fn a_heavy_start_alone_is_no_reason_to_give_up() {
        // Half of all bytes come in the first tenth, the whole is just small enough.
        let limit = GUARD.limit() as f64;
        for percent in 10..=100 {
            let share = f64::from(percent) / 100.0;
            let bytes = limit * (0.5 + 0.5 * (share - 0.1) / 0.9);
            assert_eq!(GUARD.gives_up(bytes as u64, share, LATE), None, "at {percent} %");
        }
    }

    #[test]
    fn nothing_is_said_in_the_first_seconds_nor_of_copies() {
        assert_eq!(GUARD.gives_up(10_000 * MB, 0.5, Duration::from_secs(4)), None);
        let sound = AudioWish { codec: AudioCodec::Copy, bitrate: None };
        let mut profile = Profile::of(Container::Mkv, VideoWish::of(VideoCodec::Copy), sound);
        assert_eq!(Guard::of(&profile, 100), None);
        profile.guard = Some(SizeGuard { min_saving_percent: 5 });
        assert_eq!(Guard::of(&profile, 100), None, "a copy");
        profile.video.codec = VideoCodec::Hevc;
        assert_eq!(Guard::of(&profile, 100), Some(Guard { source: 100, percent: 5 }));
        assert_eq!(Guard::of(&profile, 0), None);
    }

    #[test]
    fn sizes_read_well() {
        for (n, text) in
            [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_999, "1.0 MB"), (812 * MB, "812 MB")]
        {
            assert_eq!(bytes(n), text);
        }
    }
}
