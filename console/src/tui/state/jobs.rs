//! The jobs table: a window of rows, the selection that follows its id, the order, and the marks.
//!
//! Knows which rows it wants; sending the question is `update`'s.

mod marks;
mod window;

use vc_protocol::id::JobId;
use vc_protocol::operator::{JobFilter, JobRow, PAGE_ROWS_MAX, Page, SORT_ROWS_MAX, Sort, SortBy};

use super::{Action, Millis, State};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;

pub(crate) use marks::Marks;
use marks::Range;
pub(crate) use window::{Asked, AskedFor, Wanted, Window};

/// Least time between two fetches that only a change of the table asks for.
pub(crate) const REFETCH_MS: Millis = 500;
/// The same for rows that the server must search for: each time it looks at every job.
const SEARCH_REFETCH_MS: Millis = 10_000;
/// Filters that were applied, kept for the text field.
const HISTORY_MAX: usize = 50;

/// The table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Jobs {
    /// The filter, and how it is written.
    pub(crate) filter: JobFilter,
    pub(crate) filter_text: String,
    pub(crate) sort: Sort,
    /// The order before, while nobody knows whether the server sorts so many rows by this one.
    sort_before: Option<Sort>,
    pub(crate) window: Option<Window>,
    /// Newer rows, not shown yet: a search for them goes on, or a key was pressed a moment ago.
    coming: Option<Window>,
    pub(crate) asked: Option<Asked>,
    /// The operator ended the search.
    pub(crate) stopped: bool,
    /// Position of the cursor in the filtered table.
    pub(crate) at: u64,
    /// The job under the cursor, which it follows.
    pub(crate) selected: Option<JobId>,
    pub(crate) marks: Marks,
    range: Option<Range>,
    /// Columns scrolled away at the left.
    pub(crate) column: usize,
    /// Why the last question was refused.
    pub(crate) refused: Option<String>,
    /// Filters applied before, oldest first.
    pub(crate) history: Vec<String>,
}

/// First visible row: the cursor stays in the middle where it can, so both directions show what comes.
pub(crate) fn top(at: u64, count: u64, height: u64) -> u64 {
    at.saturating_sub(height / 2).min(count.saturating_sub(height))
}

impl Jobs {
    pub(crate) fn count(&self) -> u64 {
        self.window.as_ref().map_or(0, Window::count)
    }

    pub(crate) fn row(&self) -> Option<&JobRow> {
        self.window.as_ref()?.row(self.at)
    }

    /// A range of marks is under way.
    pub(crate) fn ranging(&self) -> bool {
        self.range.is_some()
    }

    /// The server looks for more rows that fit.
    pub(crate) fn searching(&self) -> bool {
        !self.stopped && self.window.as_ref().is_some_and(Window::searching)
    }

    /// Another filter: everything fetched is void.
    pub(crate) fn set_filter(&mut self, typed: String, filter: JobFilter) {
        if let Marks::All { .. } = self.marks {
            self.marks = Marks::default();
        }
        let mut history = std::mem::take(&mut self.history);
        if !typed.is_empty() {
            history.retain(|old| *old != typed);
            history.push(typed);
            history.drain(..history.len().saturating_sub(HISTORY_MAX));
        }
        *self = Jobs {
            filter_text: filter.to_string(),
            filter,
            sort: self.sort,
            marks: std::mem::take(&mut self.marks),
            column: self.column,
            history,
            ..Jobs::default()
        };
    }

    /// Another order, from its beginning.
    pub(super) fn set_sort(&mut self, sort: Sort) {
        self.sort_before.get_or_insert(self.sort);
        self.sort = sort;
        self.restart();
    }

    /// Asks anew and puts the cursor on the first row; what is there is shown until the answer comes.
    fn restart(&mut self) {
        (self.coming, self.asked, self.range) = (None, None, None);
        (self.at, self.selected, self.stopped) = (0, None, false);
    }

    /// The order by the next column that sorts so many rows.
    fn next_sort(&self, by: isize) -> Sort {
        let all = SortBy::ALL.len().cast_signed();
        let at = SortBy::ALL.iter().position(|s| *s == self.sort.by).unwrap_or(0).cast_signed();
        let column = |steps: isize| SortBy::ALL[(at + by * steps).rem_euclid(all).cast_unsigned()];
        let few = self.count() <= SORT_ROWS_MAX;
        let found = (1..=all).map(column).find(|column| few || column.is_indexed());
        Sort { by: found.unwrap_or_default(), reversed: false }
    }

    /// Moves the cursor by rows.
    pub(crate) fn move_by(&mut self, by: i64) {
        self.move_to(self.at.saturating_add_signed(by));
    }

    pub(crate) fn move_to(&mut self, at: u64) {
        self.at = at.min(self.count().saturating_sub(1));
        self.selected = self.row().map(|r| r.id);
        self.stretch();
    }

    /// The range of marks follows the cursor.
    fn stretch(&mut self) {
        if let (Some(range), Some(window)) = (&mut self.range, &self.window) {
            self.marks = range.reach(self.at, window);
        }
    }

    /// Begins or ends a range; gives back how many of its rows were never in sight.
    fn range(&mut self) -> u64 {
        match self.range.take() {
            Some(range) => range.missing(self.at),
            None => {
                self.range = Some(Range::new(self.at, &self.marks));
                self.stretch();
                0
            }
        }
    }

    /// Takes the answer to `asked`. Rows in sight keep their places until it is calm.
    pub(crate) fn take(&mut self, asked: &Asked, page: Page, calm: bool) {
        (self.refused, self.sort_before) = (None, None);
        match asked.why {
            AskedFor::Rows => {
                self.coming = None;
                self.show(Window::new(asked, page));
            }
            AskedFor::Newer => {
                if let Some(window) = &mut self.window {
                    window.refresh(&page);
                }
                self.coming = Some(Window::new(asked, page));
                self.settle(calm);
            }
            AskedFor::Further => {
                if let Some(window) = self.coming.as_mut().or(self.window.as_mut()) {
                    // A server that neither finds nor looks further would be asked for ever.
                    self.stopped |= !window.append(page);
                }
                self.settle(calm);
                self.follow();
            }
        }
    }

    /// Shows newer rows when they are all there and nobody is choosing.
    pub(crate) fn settle(&mut self, calm: bool) -> bool {
        let ready = calm && self.range.is_none() && self.coming.as_ref().is_some_and(|w| !w.searching());
        let window = if ready { self.coming.take() } else { None };
        let Some(window) = window else { return false };
        self.show(window);
        true
    }

    /// Newer rows wait until it is calm.
    pub(crate) fn waits(&self) -> bool {
        self.coming.as_ref().is_some_and(|w| !w.searching()) && self.range.is_none()
    }

    /// The cursor follows its job if that is still there.
    fn show(&mut self, window: Window) {
        let found = self.selected.and_then(|id| window.page.rows.iter().position(|r| r.id == id));
        self.at = match found {
            Some(index) => window.offset + index as u64,
            None => self.at.min(window.count().saturating_sub(1)),
        };
        self.window = Some(window);
        self.follow();
    }

    fn follow(&mut self) {
        self.selected = self.row().map(|r| r.id);
        self.stretch();
    }

    /// Takes a refusal: what cannot be sorted so stays as it was.
    pub(crate) fn refuse(&mut self, why: String) -> Option<String> {
        if let Some(before) = self.sort_before.take() {
            self.sort = before;
            self.restart();
            return Some(why);
        }
        self.refused = Some(why);
        None
    }

    /// What to ask for, if rows in sight are missing or old. `height` is the number of rows in sight.
    pub(crate) fn wanted(&self, height: u64, revision: u64, now: Millis) -> Option<Wanted> {
        let full = PAGE_ROWS_MAX as u32;
        let want = |why, offset| Some(Wanted { why, offset, limit: full, revision });
        let half = u64::from(full).saturating_sub(height) / 2;
        let top = top(self.at, self.count(), height);
        let offset = top.saturating_sub(half);
        let Some(window) = self.window.as_ref().filter(|w| w.sort == self.sort) else {
            let waits = self.asked.is_some_and(|a| a.open || a.revision == revision);
            return if waits { None } else { want(AskedFor::Rows, offset) };
        };
        let bottom = (top + height).min(window.count());
        let reaches = bottom <= window.end() || !window.page.more || window.searching();
        let covered = top >= window.offset && reaches;
        let open = self.asked.is_some_and(|a| a.open);
        if covered
            && !open
            && !self.stopped
            && let Some(behind) = [&self.coming, &self.window].into_iter().flatten().find(|w| w.searching())
        {
            let limit = full.saturating_sub(behind.page.rows.len() as u32);
            let (offset, revision) = (behind.end(), behind.revision);
            return Some(Wanted { why: AskedFor::Further, offset, limit, revision });
        }
        match self.asked {
            _ if covered && window.revision == revision => None,
            // Where the operator ended the search there is nothing newer to compare with.
            _ if covered && self.stopped => None,
            None => want(AskedFor::Rows, offset),
            Some(asked) if covered => {
                let may = !asked.open && asked.revision != revision && now >= self.refetch_at(&asked);
                if may { want(AskedFor::Newer, window.offset) } else { None }
            }
            // What is under way will do, also when the cursor or the table moved a little meanwhile.
            Some(asked) if asked.open => {
                let misses = top < asked.offset || top + height > asked.offset + PAGE_ROWS_MAX as u64;
                if misses { want(AskedFor::Rows, offset) } else { None }
            }
            Some(asked) if asked.why == AskedFor::Further => want(AskedFor::Rows, offset),
            // Pages are also cut by size: when the centred one did not reach, ask from the first row in sight.
            Some(asked) if asked.revision == revision && asked.offset == offset => {
                if offset != top {
                    want(AskedFor::Rows, top)
                } else {
                    None
                }
            }
            Some(asked) if asked.revision == revision && asked.offset == top => None,
            Some(_) => want(AskedFor::Rows, offset),
        }
    }

    fn refetch_at(&self, asked: &Asked) -> Millis {
        let searched = self.window.as_ref().is_some_and(|w| w.searched);
        asked.at + if searched { SEARCH_REFETCH_MS } else { REFETCH_MS }
    }

    /// When [`Jobs::wanted`] may change its mind by time alone.
    pub(crate) fn due(&self, revision: u64) -> Option<Millis> {
        let asked = self.asked.filter(|a| !a.open && a.revision != revision && !self.stopped)?;
        Some(self.refetch_at(&asked))
    }
}

/// Carries out what is this screen's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, now: Millis, command: Command, _out: &mut Vec<Action>) -> bool {
    let jobs = &mut state.jobs;
    match command {
        Command::SortBefore | Command::SortNext => {
            let skipped = jobs.count() > SORT_ROWS_MAX;
            jobs.set_sort(jobs.next_sort(if command == Command::SortNext { 1 } else { -1 }));
            if skipped {
                state.say(
                    now,
                    "so many jobs sort by state, id, priority and updated only: filter for the rest",
                );
            }
        }
        Command::Invert => jobs.set_sort(Sort { reversed: !jobs.sort.reversed, ..jobs.sort }),
        Command::ScrollLeft => jobs.column = jobs.column.saturating_sub(1),
        Command::ScrollRight => {
            let last = crate::tui::model::column_max(state);
            state.jobs.column = (state.jobs.column + 1).min(last);
        }
        Command::MarkRange => {
            let missing = jobs.range();
            if missing > 0 {
                state.say(now, format!("{missing} rows of the range were never in sight and are not marked"));
            }
        }
        Command::Back if jobs.range.take().is_some() => {}
        Command::Back if jobs.searching() => jobs.stopped = true,
        // Marks by another key end the range; the rest of the command is the common one.
        Command::Mark | Command::MarkAll | Command::MarkNone => {
            jobs.range = None;
            return false;
        }
        _ => return false,
    }
    true
}

/// Why a command does nothing here now; none if it works or is not this screen's.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn refusal(state: &State, command: Command) -> Option<&'static str> {
    let jobs = &state.jobs;
    match command {
        Command::MarkAll if jobs.window.as_ref().is_some_and(|w| !w.whole() && w.page.total.is_none()) => {
            Some("how many that are is not known: narrow the filter first, or filter by state alone")
        }
        Command::MarkRange if jobs.row().is_none() => Some("there is no job to mark"),
        _ => None,
    }
}
