//! A log being read: its lines, whether it follows its end, and what is searched in it. Knows nothing of widths.

use super::Millis;

/// A line as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) text: String,
    /// When it was seen first, by the server's clock; none if it was there when the log was opened.
    pub(crate) came_ms: Option<i64>,
}

/// How long lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LongLines {
    Folded,
    Cut,
}

/// A log and how it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogView {
    pub(crate) lines: Vec<LogLine>,
    /// The end stays in sight.
    pub(crate) follows: bool,
    pub(crate) long: LongLines,
    pub(crate) times: bool,
    /// The first line in sight, while it does not follow.
    pub(crate) top: usize,
    /// Columns scrolled away at the left, while long lines are cut.
    pub(crate) column: usize,
    /// What is searched for; empty for nothing.
    pub(crate) find: String,
    /// The line of the hit that was gone to last.
    pub(crate) hit: Option<usize>,
}

impl Default for LogView {
    fn default() -> Self {
        LogView {
            lines: Vec::new(),
            follows: true,
            long: LongLines::Folded,
            times: false,
            top: 0,
            column: 0,
            find: String::new(),
            hit: None,
        }
    }
}

/// Columns by which a key scrolls long lines sideways.
const SIDEWAYS: usize = 16;

impl LogView {
    /// Takes the log as it is: the lines after the last known one came by this time.
    pub(crate) fn take(&mut self, text: &str, wall_ms: i64) {
        let new: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let same =
            new.len() == self.lines.len() && self.lines.iter().zip(&new).all(|(old, new)| old.text == *new);
        if same {
            return;
        }
        let first = self.lines.is_empty();
        let known = if first { new.len() } else { self.known(&new) };
        let mut old = self.lines.iter().rev().map(|line| line.came_ms);
        let mut came: Vec<Option<i64>> = vec![Some(wall_ms); new.len()];
        for at in (0..known).rev() {
            came[at] = old.next().flatten();
        }
        let line = |(text, came_ms): (&&str, Option<i64>)| LogLine { text: (*text).to_owned(), came_ms };
        self.lines = new.iter().zip(came).map(line).collect();
        self.hit = self.hit.filter(|at| *at < self.lines.len());
    }

    /// How many of these lines were there before: up to the last line known, found by what stands before it too.
    fn known(&self, new: &[&str]) -> usize {
        /// Lines that must agree: progress and warnings often repeat themselves.
        const AGREE: usize = 3;
        let ends = |at: usize| {
            let before = new[..=at].iter().rev();
            before.zip(self.lines.iter().rev()).take(AGREE).all(|(new, old)| *new == old.text)
        };
        (0..new.len()).rev().find(|at| ends(*at)).map_or(0, |at| at + 1)
    }

    /// Moves by lines; `last` is the top line with which the end is in sight.
    pub(crate) fn scroll(&mut self, by: i64, last: usize) {
        let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
        let top = if self.follows { last } else { self.top.min(last) };
        self.top = top.saturating_add_signed(by).min(last);
        // Whoever goes back to the end wants to see what comes.
        self.follows = self.top == last && (self.follows || by > 0);
    }

    /// Moves long lines sideways.
    pub(crate) fn sideways(&mut self, by: isize) {
        if self.long == LongLines::Cut {
            let widest = self.lines.iter().map(|line| line.text.len()).max().unwrap_or(0);
            self.column = self.column.saturating_add_signed(by * SIDEWAYS.cast_signed()).min(widest);
        }
    }

    /// Stops or starts following the end; `last` as in [`LogView::scroll`].
    pub(crate) fn follow(&mut self, last: usize) {
        self.follows = !self.follows;
        self.top = last;
    }

    pub(crate) fn fold(&mut self) {
        self.column = 0;
        self.long = if self.long == LongLines::Cut { LongLines::Folded } else { LongLines::Cut };
    }

    /// Searches from what is in sight on.
    pub(crate) fn search(&mut self, text: String) {
        (self.find, self.hit) = (text, None);
        if self.follows {
            self.top = self.lines.len().saturating_sub(1);
        }
        self.next_hit(1);
    }

    /// Lines with a hit.
    pub(crate) fn hits(&self) -> impl DoubleEndedIterator<Item = usize> {
        let lines = self.lines.iter().enumerate();
        lines.filter(|(_, line)| !spots(&line.text, &self.find).is_empty()).map(|(at, _)| at)
    }

    /// Goes to the next or the previous hit, round and round.
    pub(crate) fn next_hit(&mut self, by: isize) {
        let found = if by > 0 {
            let from = self.hit.map_or(self.top, |hit| hit + 1);
            self.hits().find(|at| *at >= from).or_else(|| self.hits().next())
        } else {
            let to = self.hit.unwrap_or(self.top);
            self.hits().rfind(|at| *at < to).or_else(|| self.hits().next_back())
        };
        if let Some(at) = found {
            (self.hit, self.follows) = (Some(at), false);
            // With a little of what stands before it.
            self.top = at.saturating_sub(2);
        }
    }
}

/// Where a text contains another, as byte ranges, without regard to the case of ASCII letters.
pub(crate) fn spots(text: &str, wanted: &str) -> Vec<std::ops::Range<usize>> {
    let mut spots = Vec::new();
    let mut at = 0;
    while !wanted.is_empty() && at + wanted.len() <= text.len() {
        if text.as_bytes()[at..at + wanted.len()].eq_ignore_ascii_case(wanted.as_bytes()) {
            spots.push(at..at + wanted.len());
            at += wanted.len();
        } else {
            at += 1;
        }
    }
    spots
}

/// How often a log is asked for while it can grow.
pub(crate) const LOG_REFRESH_MS: Millis = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str) -> LogView {
        let mut view = LogView::default();
        view.take(text, 1);
        view
    }

    #[test]
    fn lines_that_come_later_know_when() {
        let came = |view: &LogView| view.lines.iter().map(|l| l.came_ms).collect::<Vec<_>>();
        let mut view = view("a\nb\nc\n");
        view.take("a\nb\nc\nd\n", 5);
        assert_eq!(came(&view), [None, None, None, Some(5)]);
        view.take("c\nd\ne\ne\n", 7);
        assert_eq!(came(&view), [None, Some(5), Some(7), Some(7)]);
        view.take("x\n", 9);
        assert_eq!(came(&view), [Some(9)]);
    }

    #[test]
    fn the_end_is_followed_until_somebody_scrolls_away_from_it() {
        let mut view = view("1\n2\n3\n4\n5\n6\n");
        view.scroll(-1, 3);
        assert_eq!((view.top, view.follows), (2, false));
        view.scroll(1, 3);
        assert!(view.follows, "back at the end");
        view.follow(3);
        assert!(!view.follows);
        view.scroll(i64::MIN, 3);
        assert_eq!(view.top, 0);
    }

    #[test]
    fn hits_are_gone_through_round_and_round() {
        let mut view = view("error one\nfine\nERROR two\nfine\nError three");
        view.search("error".into());
        assert_eq!(view.hit, Some(4), "the end was in sight");
        view.next_hit(1);
        assert_eq!(view.hit, Some(0));
        view.next_hit(-1);
        assert_eq!(view.hit, Some(4));
        view.search("nothing".into());
        assert_eq!(view.hit, None);
        assert_eq!(spots("Größe größe", "größe"), vec![0..7, 8..15]);
        assert_eq!(spots("aaa", "aa"), vec![0..2]);
    }
}
