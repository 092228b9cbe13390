//! The walk from one encoder to the next within an attempt: which failures lead on, and when the source is to blame. Pure.

use nix::libc::SIGKILL;
use vc_protocol::failure::{Failure, FailureClass};

use crate::encoder::Candidate;
use crate::process::Exit;

/// Ends of two encoders this near to each other are at the same place.
const SAME_PLACE_MS: u64 = 1000;

/// An encoder that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// ffmpeg's name of it.
    pub(super) encoder: &'static str,
    /// What people call it here.
    pub(super) label: String,
    /// How it failed.
    pub(super) cause: String,
    /// Frames that it had made.
    pub(super) frames: u64,
    /// Milliseconds that it had made.
    pub(super) out_ms: u64,
}

/// A candidate in one word, told from the same encoder that gets its pictures in another way.
pub(super) fn label(with: Option<&Candidate>) -> String {
    match with {
        None => "copy".to_owned(),
        Some(Candidate { encoder, is_on_device: true, .. }) => {
            format!("{} with the card's own decoder", encoder.name)
        }
        Some(Candidate { encoder, .. }) => encoder.name.to_owned(),
    }
}

/// A failure of ffmpeg, as far as it depends on what encoded: drivers of cards crash and refuse in words that no table
/// knows, and the processor may well do it.
pub(super) fn judged(failure: Failure, exit: Exit, is_on_card: bool, frames: u64) -> Failure {
    let is_drivers = match exit {
        // The box is out of memory, whatever encodes.
        Exit::Signal(SIGKILL) => false,
        Exit::Signal(_) => true,
        Exit::Code(_) => frames == 0,
    };
    if is_on_card && is_drivers && failure.class == FailureClass::Job {
        return Failure { class: FailureClass::Encoder, ..failure };
    }
    failure
}

/// Two encoders that fail alike at the same place are right about the source.
pub(super) fn blames_source(first: &Refused, second: &Refused) -> Option<Failure> {
    let has_begun = first.frames > 0 && second.frames > 0;
    let is_alike = first.encoder != second.encoder
        && first.cause == second.cause
        && first.out_ms.abs_diff(second.out_ms) <= SAME_PLACE_MS;
    (has_begun && is_alike).then(|| {
        let seconds = second.out_ms / 1000;
        let place = format!("{}:{:02}", seconds / 60, seconds % 60);
        let both = format!("{} and {}", first.encoder, second.encoder);
        Failure::new(FailureClass::Source, format!("{both} fail alike at {place}: {}", second.cause))
    })
}

#[cfg(test)]
mod tests {
    use nix::libc::SIGSEGV;

    use super::*;

    #[test]
    fn what_a_card_does_without_a_known_word_is_its_encoders_fault() {
        use FailureClass::{Capacity, Encoder, Job, Source};
        for (class, exit, is_on_card, frames, expected) in [
            (Job, Exit::Signal(SIGSEGV), true, 0, Encoder),
            (Job, Exit::Signal(SIGSEGV), true, 500, Encoder),
            (Job, Exit::Signal(SIGSEGV), false, 0, Job),
            (Job, Exit::Signal(SIGKILL), true, 0, Job),
            (Job, Exit::Code(187), true, 0, Encoder),
            (Job, Exit::Code(187), true, 3, Job),
            (Job, Exit::Code(187), false, 0, Job),
            (Capacity, Exit::Code(1), true, 0, Capacity),
            (Source, Exit::Code(183), true, 0, Source),
        ] {
            let judged = judged(Failure::new(class, "x"), exit, is_on_card, frames);
            assert_eq!(judged.class, expected, "{class:?} {exit:?} {is_on_card} {frames}");
        }
    }

    #[test]
    fn only_two_different_encoders_that_end_alike_at_one_place_blame_the_source() {
        let refused = |encoder, cause: &str, frames, out_ms| Refused {
            encoder,
            label: String::new(),
            cause: cause.to_owned(),
            frames,
            out_ms,
        };
        let first = refused("hevc_vulkan", "it is short", 900, 34_000);
        for (second, expected) in [
            (refused("libx265", "it is short", 901, 34_040), true),
            (refused("libx265", "it is garbage", 901, 34_040), false),
            (refused("libx265", "it is short", 901, 40_000), false),
            (refused("libx265", "it is short", 0, 34_000), false),
            (refused("hevc_vulkan", "it is short", 900, 34_000), false),
        ] {
            assert_eq!(blames_source(&first, &second).is_some(), expected, "{second:?}");
        }
        let failure = blames_source(&first, &refused("libx265", "it is short", 901, 34_040)).unwrap();
        assert_eq!(failure.class, FailureClass::Source);
        assert_eq!(failure.cause, "hevc_vulkan and libx265 fail alike at 0:34: it is short");
    }
}
