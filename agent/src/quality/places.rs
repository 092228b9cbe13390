//! Which parts of a source stand for the whole. Pure.

use std::ffi::OsString;

/// Up to this length all of it is taken: parts would be as long.
const WHOLE_MS: u64 = 20_000;
/// How much of its start stands for a source in which nothing else can be found.
const BEGINNING_MS: u64 = 12_000;
/// From here on there is more to differ from scene to scene.
const LONG_MS: u64 = 10 * 60_000;
/// Parts of a source, and of a long one.
const PARTS: (u64, u64) = (6, 8);
/// Length of a part: long enough for an encoder to settle, short enough to try five qualities.
const PART_MS: u64 = 1_500;
/// Length of a part of a picture larger than Full HD, whose frames take that much more time and space.
const LARGE_PART_MS: u64 = 1_000;
/// What is in front of a part in its place, and is not measured either: encoders begin with a keyframe of more than
/// their usual quality, which lasts for a while.
const LEAD_MS: u64 = 1_000;
/// What an encoder gets of the source behind a part, and what is not measured: encoders spend less on pictures that
/// nothing refers to, and the last of a part would all be such. Without this a score is predicted 0.5 to 1 too low.
pub const TAIL_MS: u64 = 1_000;
/// Pixels of a large picture.
const LARGE: u64 = 1920 * 1200;
/// Titles at the start and credits at the end say little of the rest: one part in this many of either is left out.
const EDGE_SHARE: u64 = 20;

/// A part of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it begins, from the first frame.
    pub start_ms: u64,
    /// How long it is; none is all that follows.
    pub length_ms: Option<u64>,
}

impl Place {
    /// What is there if anything is.
    pub const BEGINNING: Place = Place { start_ms: 0, length_ms: Some(BEGINNING_MS) };

    /// Of the frames that were found in it, how many come before what is measured.
    pub fn lead(&self, frames: u64) -> u64 {
        match self.length_ms {
            Some(length) if self.start_ms > 0 => frames * LEAD_MS / length.max(LEAD_MS + 1),
            Some(_) | None => 0,
        }
    }

    /// Options in front of an input that has its first frame at `first_ms`, for the part and so much behind it.
    pub fn options(&self, first_ms: u64, tail_ms: u64) -> Vec<OsString> {
        let seconds = |ms: u64| OsString::from(format!("{}.{:03}", ms / 1000, ms % 1000));
        let mut words = Vec::new();
        if self.start_ms > 0 {
            words.extend(["-ss".into(), seconds(first_ms + self.start_ms)]);
        }
        if let Some(length) = self.length_ms {
            words.extend(["-t".into(), seconds(length + tail_ms)]);
        }
        words
    }
}

/// Parts of a source of this length, frame rate and number of pixels. Each begins and ends between two frames, so that
/// a time that was rounded on its way through a container still finds the same ones.
pub fn places(duration_ms: Option<u64>, fps: f64, pixels: u64) -> Vec<Place> {
    let part_ms = if pixels > LARGE { LARGE_PART_MS } else { PART_MS };
    let duration = match duration_ms {
        // Nobody knows how far one could go: its beginning has to do.
        None => return vec![Place::BEGINNING],
        Some(ms) if ms <= WHOLE_MS => return vec![Place { start_ms: 0, length_ms: None }],
        Some(ms) => ms,
    };
    let parts = if duration >= LONG_MS { PARTS.1 } else { PARTS.0 };
    let edge = duration / EDGE_SHARE;
    let room = duration - 2 * edge;
    let between = |n: u64| edge + room * (2 * n + 1) / (2 * parts) - part_ms / 2 - LEAD_MS;
    let part_ms = LEAD_MS + part_ms;
    let frame_ms = if (1.0..=1000.0).contains(&fps) { 1000.0 / fps } else { 0.0 };
    let frames = |ms: u64| if frame_ms > 0.0 { (ms as f64 / frame_ms).floor() } else { 0.0 };
    let place = |n| {
        let start = between(n);
        if frame_ms == 0.0 {
            return Place { start_ms: start, length_ms: Some(part_ms) };
        }
        let start_ms = ((frames(start) + 0.5) * frame_ms).round() as u64;
        Place { start_ms, length_ms: Some((frames(part_ms).max(1.0) * frame_ms).round() as u64) }
    };
    (0..parts).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: u64 = 1280 * 720;

    #[test]
    fn parts_are_spread_evenly_and_leave_out_both_ends() {
        let starts = |ms, fps| places(Some(ms), fps, HD).iter().map(|p| p.start_ms).collect::<Vec<_>>();
        assert_eq!(starts(100_000, 0.0), [10_750, 25_750, 40_750, 55_750, 70_750, 85_750]);
        assert_eq!(starts(7_200_000, 25.0).len(), 8);
        assert_eq!(starts(100_000, 25.0)[..2], [10_740, 25_740], "between two frames");
        assert_eq!(places(Some(100_000), 25.0, 3840 * 2160)[0].length_ms, Some(2000));
    }

    #[test]
    fn parts_never_overlap_nor_leave_the_source() {
        for duration in [20_001, 23_000, 59_999, 600_000, 10_000_000] {
            for fps in [0.0, 1.0, 23.976, 25.0, 59.94, 240.0] {
                let all = places(Some(duration), fps, HD);
                let end = |p: &Place| p.start_ms + p.length_ms.unwrap();
                assert!(all.windows(2).all(|two| end(&two[0]) <= two[1].start_ms), "{duration} {fps}");
                assert!(end(&all[all.len() - 1]) < duration, "{duration} {fps}");
            }
        }
    }

    #[test]
    fn a_part_is_spelled_from_the_first_frame_of_its_file() {
        let words = |place: Place, first, tail| {
            let words = place.options(first, tail);
            words.iter().map(|w| w.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let part = Place { start_ms: 11_740, length_ms: Some(1_480) };
        assert_eq!(words(part, 500, 0), "-ss 12.240 -t 1.480");
        assert_eq!(words(part, 0, TAIL_MS), "-ss 11.740 -t 2.480");
        let whole = Place { start_ms: 0, length_ms: None };
        assert_eq!(words(whole, 500, TAIL_MS), "");
        let place = Place { start_ms: 11_740, length_ms: Some(2_500) };
        assert_eq!([place.lead(60), whole.lead(60), Place::BEGINNING.lead(60)], [24, 0, 0]);
    }

    #[test]
    fn a_short_source_is_taken_whole_and_one_of_unknown_length_at_its_start() {
        assert_eq!(places(Some(20_000), 25.0, HD), [Place { start_ms: 0, length_ms: None }]);
        assert_eq!(places(None, 25.0, HD), [Place::BEGINNING]);
    }
}
