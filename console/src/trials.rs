//! How the trials of an encoder are told, on screens and by commands.
//!
//! Knows nothing of widths and colours.

use vc_protocol::device::{EncoderFacts, TrialFacts};

/// Whether an encoder can be used, as far as trials tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// At least one passed.
    Works,
    /// None did, for this reason.
    Fails(&'a str),
    /// None was made.
    Untried,
}

/// What the trials of an encoder say of it.
pub(crate) fn verdict(encoder: &EncoderFacts) -> Verdict<'_> {
    match encoder.problem.as_str() {
        "" if encoder.trials.is_empty() && encoder.fps.is_none() => Verdict::Untried,
        "" => Verdict::Works,
        problem => Verdict::Fails(problem),
    }
}

/// Each depth that was tried, and how it went: `8 bit`, `quality 412 fps 46.1 dB, bitrate 398 fps 44.0 dB`.
pub(crate) fn by_depth(encoder: &EncoderFacts) -> Vec<(String, String)> {
    let mut depths: Vec<u8> = encoder.trials.iter().map(|trial| trial.bits).collect();
    depths.sort_unstable();
    depths.dedup();
    let at = |bits: u8| {
        let trials = encoder.trials.iter().filter(|trial| trial.bits == bits);
        (format!("{bits} bit"), trials.map(told).collect::<Vec<_>>().join(", "))
    };
    depths.into_iter().map(at).collect()
}

fn told(trial: &TrialFacts) -> String {
    let rate = trial.rate.word();
    if !trial.problem.is_empty() {
        return format!("{rate} failed: {}", trial.problem);
    }
    let fps = trial.fps.map_or("-".to_owned(), |fps| format!("{fps:.0}"));
    let likeness = match trial.psnr_db {
        None => "- dB".to_owned(),
        Some(db) if db.is_infinite() => "lossless".to_owned(),
        Some(db) => format!("{db:.1} dB"),
    };
    format!("{rate} {fps} fps {likeness}")
}

#[cfg(test)]
mod tests {
    use vc_protocol::device::RateMode;

    use super::*;

    fn trial(bits: u8, rate: RateMode, problem: &str, psnr_db: Option<f32>) -> TrialFacts {
        TrialFacts { bits, rate, problem: problem.to_owned(), fps: psnr_db.map(|_| 412.4), psnr_db }
    }

    #[test]
    fn trials_are_told_by_depth_with_what_they_showed() {
        let trials = vec![
            trial(10, RateMode::Quality, "", Some(f32::INFINITY)),
            trial(8, RateMode::Quality, "", Some(46.12)),
            trial(8, RateMode::Bitrate, "no session left", None),
        ];
        let encoder = EncoderFacts { trials, ..EncoderFacts::default() };
        let expected = [
            ("8 bit", "quality 412 fps 46.1 dB, bitrate failed: no session left"),
            ("10 bit", "quality 412 fps lossless"),
        ];
        assert_eq!(by_depth(&encoder), expected.map(|(bits, text)| (bits.to_owned(), text.to_owned())));
        assert_eq!(verdict(&encoder), Verdict::Works);
    }

    #[test]
    fn an_encoder_that_was_not_tried_is_not_said_to_work() {
        assert_eq!(verdict(&EncoderFacts::default()), Verdict::Untried);
        let failed = EncoderFacts { problem: "black picture".to_owned(), ..EncoderFacts::default() };
        assert_eq!(verdict(&failed), Verdict::Fails("black picture"));
    }
}
