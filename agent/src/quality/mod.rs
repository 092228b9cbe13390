//! How good an output will be, found by measuring samples of the source.
//!
//! [`places`] says which parts of a source stand for it, [`Search`] which quality to try next and which to take,
//! [`measure`] compares what an encoder made of the parts with the parts themselves. All of it is pure; an attempt runs
//! the processes, and `plan` spells what they encode.

mod measure;
mod places;
mod search;

use vc_protocol::agent::Metric;
use vc_protocol::profile::VideoWish;

pub use measure::{Clip, Looks, command, score};
pub use places::{Place, TAIL_MS, places};
pub use search::{Found, Next, Reach, Scale, Search, TRIES_MAX};

/// A score to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// In what.
    pub metric: Metric,
    /// How much of it.
    pub score: f64,
}

/// Pairs of VMAF and SSIM that the same x264 encodes had: the middle of four clips, drawn, filmed
/// and from a telephone.
const EQUIVALENTS: [(f64, f64); 8] = [
    (0.0, 0.800),
    (30.0, 0.900),
    (50.0, 0.933),
    (70.0, 0.961),
    (80.0, 0.974),
    (90.0, 0.988),
    (95.0, 0.993),
    (100.0, 0.999),
];

impl Target {
    /// What the profile asks for, if it asks for a score.
    pub fn of(wish: &VideoWish) -> Option<Target> {
        let vmaf = wish.target_vmaf.map(|score| Target { metric: Metric::Vmaf, score });
        vmaf.or(wish.target_ssim.map(|score| Target { metric: Metric::Ssim, score }))
    }

    /// The SSIM that stands for a VMAF where that cannot be measured. A rough one: how they relate depends on the picture.
    pub fn in_ssim(self) -> Target {
        let score = match self.metric {
            Metric::Ssim => self.score,
            Metric::Vmaf => {
                let above = EQUIVALENTS.iter().position(|(vmaf, _)| *vmaf > self.score);
                let above = above.unwrap_or(EQUIVALENTS.len() - 1).max(1);
                let ((v0, s0), (v1, s1)) = (EQUIVALENTS[above - 1], EQUIVALENTS[above]);
                s0 + (s1 - s0) * ((self.score - v0) / (v1 - v0)).clamp(0.0, 1.0)
            }
        };
        Target { metric: Metric::Ssim, score }
    }

    /// For people: `VMAF 95`, `SSIM 0.985`.
    pub fn words(self) -> String {
        words(self.metric, self.score)
    }
}

/// A score for people.
pub fn words(metric: Metric, score: f64) -> String {
    match metric {
        Metric::Vmaf => {
            let digits = format!("{score:.1}");
            format!("VMAF {}", digits.strip_suffix(".0").unwrap_or(&digits))
        }
        Metric::Ssim => format!("SSIM {score:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vmaf_has_an_ssim_that_grows_with_it() {
        let ssim = |score| Target { metric: Metric::Vmaf, score }.in_ssim().score;
        let all: Vec<f64> = (0..=100).map(|vmaf| ssim(f64::from(vmaf))).collect();
        assert!(all.windows(2).all(|two| two[0] < two[1]), "{all:?}");
        assert!((ssim(95.0) - 0.993).abs() < 1e-9 && (ssim(85.0) - 0.981).abs() < 1e-9);
        assert_eq!(ssim(120.0), ssim(100.0));
        assert_eq!(words(Metric::Vmaf, 95.0), "VMAF 95");
        assert_eq!(words(Metric::Vmaf, 94.26), "VMAF 94.3");
        assert_eq!(words(Metric::Ssim, 0.985), "SSIM 0.985");
    }
}
