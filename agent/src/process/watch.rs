//! The watchdog: looks at advance (frames, output time, bytes), never at mere liveness.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::progress::Block;

/// How far a process is, by everything that can move.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
struct Advance {
    frames: u64,
    out_time_us: i64,
    total_size: u64,
}

/// Says when a process has stood still for too long.
#[derive(Debug)]
pub(super) struct Watchdog {
    limit: Duration,
    seen: Advance,
    file: Option<(u64, std::time::SystemTime)>,
    at: Instant,
}

impl Watchdog {
    /// Starts to watch.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Watchdog { limit, seen: Advance::default(), file: None, at: now }
    }

    /// When to look whether it stands still, if nothing moves before.
    pub(super) fn deadline(&self) -> Instant {
        self.at + self.limit
    }

    /// Takes a progress block into account.
    pub(super) fn saw(&mut self, block: &Block, now: Instant) {
        let next = Advance {
            frames: block.frames.unwrap_or(0).max(self.seen.frames),
            out_time_us: block.out_time_us.unwrap_or(0).max(self.seen.out_time_us),
            total_size: block.total_size.unwrap_or(0).max(self.seen.total_size),
        };
        if next != self.seen {
            self.seen = next;
            self.at = now;
        }
    }

    /// At the deadline: whether the output file was written to since the last such look. While `+faststart` moves a
    /// large file's data there is no progress block for minutes, and only the file shows that it goes on.
    pub(super) fn file_moved(&mut self, path: Option<&Path>, now: Instant) -> bool {
        let Some(meta) = path.and_then(|p| std::fs::metadata(p).ok()) else { return false };
        let Ok(modified) = meta.modified() else { return false };
        let next = Some((meta.len(), modified));
        let moved = self.file != next;
        if moved {
            self.file = next;
            self.at = now;
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_advance_resets_the_clock() {
        let start = Instant::now();
        let mut dog = Watchdog::new(Duration::from_secs(60), start);
        let later = |s| start + Duration::from_secs(s);
        let block = Block { frames: Some(5), ..Block::default() };
        dog.saw(&block, later(10));
        assert_eq!(dog.deadline(), later(70));
        dog.saw(&block, later(50));
        assert_eq!(dog.deadline(), later(70), "the same block again is no advance");
        dog.saw(&Block { total_size: Some(1), ..block }, later(55));
        assert_eq!(dog.deadline(), later(115));
        dog.saw(&Block::default(), later(100));
        assert_eq!(dog.deadline(), later(115), "N/A is no advance");
    }

    #[test]
    fn a_file_that_is_written_counts_once_for_each_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        let now = Instant::now();
        let mut dog = Watchdog::new(Duration::from_secs(60), now);
        assert!(!dog.file_moved(Some(&path), now), "no file, no advance");
        std::fs::write(&path, b"a").unwrap();
        assert!(dog.file_moved(Some(&path), now));
        assert!(!dog.file_moved(Some(&path), now));
        std::fs::write(&path, b"ab").unwrap();
        assert!(dog.file_moved(Some(&path), now));
    }
}
