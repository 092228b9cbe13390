//! Which quality to try next, and which to take. Pure.
//!
//! The score falls while the quality gets worse. From a usual quality the search steps towards the target until one is
//! known on either side of it, and goes on between these two where the line through them meets the target.

use vc_protocol::agent::Metric;
use vc_protocol::profile::VideoCodec;

use crate::encoder::Quality;

/// Most qualities tried for one source: each costs as much as all its samples do.
pub const TRIES_MAX: usize = 5;
/// Best, usual and worst quality on scales of 0 to 51. Better ones make files larger than any source, worse ones are
/// hardly pictures.
const OF_51: [u8; 3] = [6, 24, 46];
/// The same on scales of 0 to 63.
const OF_63: [u8; 3] = [8, 32, 60];
/// Smallest step where an encoder takes fractions; less is not seen in any score.
const FRACTION: f64 = 0.25;
/// First step past the target, as a share of what the usual fall of the score asks for: a bracket is worth more than a
/// near miss.
const OVERSHOOT: f64 = 1.6;

/// The qualities of an encoder that come into question, on its own scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Best.
    pub best: f64,
    /// Where to begin.
    pub usual: f64,
    /// Worst.
    pub worst: f64,
    /// Smallest step.
    pub step: f64,
}

fn range(codec: VideoCodec) -> [u8; 3] {
    match codec {
        VideoCodec::Av1 | VideoCodec::Vp9 => OF_63,
        VideoCodec::H264
        | VideoCodec::Hevc
        | VideoCodec::Copy
        | VideoCodec::Ffv1
        | VideoCodec::Prores
        | VideoCodec::Drop => OF_51,
    }
}

impl Scale {
    /// Of an encoder.
    pub fn of(codec: VideoCodec, quality: &Quality) -> Scale {
        let [best, usual, worst] = range(codec).map(|crf| quality.on_scale(f64::from(crf)));
        Scale { best, usual, worst, step: if quality.has_fractions { FRACTION } else { 1.0 } }
    }

    /// Steps from the best quality to the worst.
    fn steps(&self) -> f64 {
        ((self.worst - self.best).abs() / self.step).floor()
    }

    /// How many steps from the best quality this one is.
    fn place(&self, quality: f64) -> f64 {
        ((quality - self.best).abs() / self.step).round()
    }

    /// The quality so many steps from the best one.
    fn quality(&self, place: f64) -> f64 {
        self.best + (self.step * place).copysign(self.worst - self.best)
    }
}

/// Whether the target is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As nearly as can be.
    Met,
    /// The best quality falls short of it.
    TooHigh,
    /// The worst quality is better.
    TooLow,
}

/// The quality to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// On the encoder's scale.
    pub quality: f64,
    /// The score that it is expected to have.
    pub predicted: f64,
    /// How that is to the target.
    pub reach: Reach,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Measure this quality.
    Try(f64),
    /// Take this one.
    Take(Found),
}

/// A quality that was measured, in steps from the best one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tried {
    place: f64,
    score: f64,
}

/// A search on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    scale: Scale,
    target: f64,
    /// Scores this near to the target are as good as it.
    tolerance: f64,
    /// How much the score usually falls from the best quality to the worst.
    fall: f64,
    tried: Vec<Tried>,
}

impl Search {
    /// For a target.
    pub fn new(metric: Metric, target: f64, scale: Scale) -> Search {
        let (tolerance, fall) = match metric {
            Metric::Vmaf => (0.5, 60.0),
            Metric::Ssim => (0.0015, 0.12),
        };
        Search { scale, target, tolerance, fall, tried: Vec::new() }
    }

    /// A quality was measured.
    pub fn saw(&mut self, quality: f64, score: f64) {
        self.tried.push(Tried { place: self.scale.place(quality), score });
    }

    /// Qualities and their scores.
    pub fn tried(&self) -> impl Iterator<Item = (f64, f64)> {
        self.tried.iter().map(|tried| (self.scale.quality(tried.place), tried.score))
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        let distance = |tried: &&Tried| (tried.score - self.target).abs();
        let nearest = self.tried.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let Some(nearest) = nearest else { return Next::Try(self.scale.usual) };
        if distance(&nearest) <= self.tolerance {
            return self.take(*nearest, Reach::Met);
        }
        let by_place = |a: &&Tried, b: &&Tried| a.place.total_cmp(&b.place);
        let below = self.tried.iter().filter(|tried| tried.score < self.target).min_by(by_place);
        // Scores of neighbours may be out of order; only what is better than the first miss counts.
        let is_before = |tried: &&Tried| below.is_none_or(|miss| tried.place < miss.place);
        let above = self.tried.iter().filter(|t| t.score >= self.target).filter(is_before).max_by(by_place);
        match (above, below) {
            (Some(above), Some(below)) => self.between(*above, *below),
            (None, Some(below)) => self.beyond(*below, 0.0, Reach::TooHigh),
            (Some(above), None) => self.beyond(*above, self.scale.steps(), Reach::TooLow),
            (None, None) => self.take(*nearest, Reach::Met),
        }
    }

    /// Everything so far lies on one side of the target: on, towards this end.
    fn beyond(&self, outmost: Tried, end: f64, reach: Reach) -> Next {
        if outmost.place == end || self.tried.len() >= TRIES_MAX {
            return self.take(outmost, reach);
        }
        if self.tried.len() > 1 {
            return Next::Try(self.scale.quality(end));
        }
        let step = (outmost.score - self.target) / self.fall * self.scale.steps() * OVERSHOOT;
        let step = step.abs().max(2.0).copysign(step).round();
        Next::Try(self.scale.quality((outmost.place + step).clamp(0.0, self.scale.steps())))
    }

    /// The target lies between two: where the line through both meets it, or there if that is near enough.
    fn between(&self, above: Tried, below: Tried) -> Next {
        let gap = below.place - above.place;
        if gap <= 1.0 {
            return self.take(above, Reach::Met);
        }
        let share = (above.score - self.target) / (above.score - below.score);
        if self.tried.len() >= TRIES_MAX {
            let steps = (gap * share).floor();
            let score = above.score + (below.score - above.score) * steps / gap;
            return self.take(Tried { place: above.place + steps, score }, Reach::Met);
        }
        let steps = (gap * share).round().clamp(1.0, gap - 1.0);
        Next::Try(self.scale.quality(above.place + steps))
    }

    fn take(&self, tried: Tried, reach: Reach) -> Next {
        let quality = self.scale.quality(tried.place);
        Next::Take(Found { quality, predicted: tried.score, reach })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRF: Scale = Scale { best: 6.0, usual: 24.0, worst: 46.0, step: 0.25 };
    const WHOLE: Scale = Scale { best: 8.0, usual: 32.0, worst: 60.0, step: 1.0 };
    const UPWARDS: Scale = Scale { best: 90.0, usual: 60.0, worst: 20.0, step: 1.0 };

    /// Runs a search against a curve of score over quality.
    fn search(scale: Scale, metric: Metric, target: f64, curve: impl Fn(f64) -> f64) -> (Found, usize) {
        let mut search = Search::new(metric, target, scale);
        loop {
            match search.next() {
                Next::Try(quality) => {
                    assert!(
                        search.tried().all(|tried| tried.0 != quality),
                        "{quality} is tried twice: {search:?}"
                    );
                    search.saw(quality, curve(quality));
                    assert!(search.tried().count() <= TRIES_MAX);
                }
                Next::Take(found) => return (found, search.tried().count()),
            }
        }
    }

    /// As VMAF falls over x264's crf: flat at first, steep at last.
    fn vmaf(crf: f64) -> f64 {
        100.0 - 0.035 * (crf - 6.0).powi(2)
    }

    #[test]
    fn a_target_is_met_in_a_few_tries_on_every_kind_of_scale() {
        for target in [60.0, 75.0, 85.0, 90.0, 93.0, 95.0, 97.0, 99.0] {
            let (found, tries) = search(CRF, Metric::Vmaf, target, vmaf);
            assert!((vmaf(found.quality) - target).abs() < 1.0, "{target}: {found:?}");
            assert!((vmaf(found.quality) - found.predicted).abs() < 0.6, "{target}: {found:?} after {tries}");
            assert_eq!(found.reach, Reach::Met);
            let curve = |q: f64| vmaf(q * 46.0 / 60.0);
            let (found, _) = search(WHOLE, Metric::Vmaf, target, curve);
            assert!(found.quality.fract() == 0.0 && (curve(found.quality) - target).abs() < 2.0, "{found:?}");
            let curve = |q: f64| vmaf(6.0 + (90.0 - q) * 40.0 / 70.0);
            let (found, _) = search(UPWARDS, Metric::Vmaf, target, curve);
            assert!((curve(found.quality) - target).abs() < 2.0, "{target}: {found:?}");
        }
    }

    #[test]
    fn a_steep_curve_still_ends_between_what_was_tried() {
        let cliff = |crf: f64| if crf < 31.3 { 98.0 } else { 40.0 };
        let (found, tries) = search(CRF, Metric::Vmaf, 90.0, cliff);
        assert!(found.quality < 32.0 && tries <= TRIES_MAX, "{found:?}");
        let (found, _) = search(CRF, Metric::Ssim, 0.98, |crf| 1.0 - 0.0008 * crf);
        assert!((1.0 - 0.0008 * found.quality - 0.98).abs() < 0.002, "{found:?}");
    }

    #[test]
    fn what_cannot_be_met_ends_at_the_end_of_the_scale() {
        let (best, _) = search(CRF, Metric::Vmaf, 99.0, |crf| 90.0 - crf);
        assert_eq!((best.quality, best.reach), (6.0, Reach::TooHigh));
        let (worst, _) = search(CRF, Metric::Vmaf, 50.0, |crf| 100.0 - crf * 0.1);
        assert_eq!((worst.quality, worst.reach), (46.0, Reach::TooLow));
        let single = Scale { best: 5.0, usual: 5.0, worst: 5.0, step: 1.0 };
        assert_eq!(search(single, Metric::Vmaf, 95.0, |_| 80.0).0.quality, 5.0);
    }

    #[test]
    fn scores_out_of_order_and_nonsense_do_no_harm() {
        let noisy = |crf: f64| 96.0 - crf * 0.1 + if (crf * 4.0) as i64 % 2 == 0 { 1.5 } else { 0.0 };
        let (found, _) = search(CRF, Metric::Vmaf, 94.0, noisy);
        assert!((6.0..=46.0).contains(&found.quality));
        let (flat, _) = search(CRF, Metric::Vmaf, 94.0, |_| 94.0);
        assert_eq!((flat.quality, flat.predicted), (24.0, 94.0));
    }
}
