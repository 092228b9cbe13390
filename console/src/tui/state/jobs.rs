//! The jobs table: a window of rows, the selection that follows its id, and the marks.
//!
//! Knows which rows it wants; sending the question is `update`'s.

use std::collections::BTreeMap;

use vc_protocol::id::JobId;
use vc_protocol::operator::{JobFilter, JobRow, PAGE_ROWS_MAX, Page};

use super::deed::JobRef;
use super::{Action, Millis, State};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;

/// Least time between two fetches that only a change of the table asks for.
pub(crate) const REFETCH_MS: Millis = 500;

/// Rows that were fetched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) offset: u64,
    pub(crate) revision: u64,
    pub(crate) page: Page,
}

impl Window {
    fn end(&self) -> u64 {
        self.offset + self.page.rows.len() as u64
    }

    /// Rows known to exist.
    pub(crate) fn count(&self) -> u64 {
        self.page.total.unwrap_or(self.end() + u64::from(self.page.more)).max(self.end())
    }

    pub(crate) fn row(&self, at: u64) -> Option<&JobRow> {
        self.page.rows.get(usize::try_from(at.checked_sub(self.offset)?).ok()?)
    }

    /// Everything that the filter finds is here.
    pub(crate) fn whole(&self) -> bool {
        self.offset == 0 && !self.page.more
    }
}

/// A question under way or just answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) tag: RequestTag,
    pub(crate) offset: u64,
    pub(crate) revision: u64,
    pub(crate) at: Millis,
    pub(crate) open: bool,
}

/// What is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marks {
    Jobs(BTreeMap<JobId, JobRef>),
    All { filter: JobFilter, count: u64 },
}

impl Default for Marks {
    fn default() -> Self {
        Marks::Jobs(BTreeMap::new())
    }
}

impl Marks {
    pub(crate) fn count(&self) -> u64 {
        match self {
            Marks::Jobs(jobs) => jobs.len() as u64,
            Marks::All { count, .. } => *count,
        }
    }

    /// Whether a row shows its mark.
    pub(crate) fn has(&self, id: JobId) -> bool {
        match self {
            Marks::Jobs(jobs) => jobs.contains_key(&id),
            Marks::All { .. } => true,
        }
    }
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Jobs {
    /// The filter as typed and as understood.
    pub(crate) filter_text: String,
    pub(crate) filter: JobFilter,
    pub(crate) window: Option<Window>,
    pub(crate) asked: Option<Asked>,
    /// Position of the cursor in the filtered table.
    pub(crate) at: u64,
    /// The job under the cursor, which it follows.
    pub(crate) selected: Option<JobId>,
    pub(crate) marks: Marks,
    /// Why the last question was refused.
    pub(crate) refused: Option<String>,
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

    /// Another filter: everything fetched is void.
    pub(crate) fn set_filter(&mut self, text: String, filter: JobFilter) {
        if let Marks::All { .. } = self.marks {
            self.marks = Marks::default();
        }
        *self = Jobs { filter_text: text, filter, marks: std::mem::take(&mut self.marks), ..Jobs::default() };
    }

    /// Moves the cursor by rows.
    pub(crate) fn move_by(&mut self, by: i64) {
        self.move_to(self.at.saturating_add_signed(by));
    }

    pub(crate) fn move_to(&mut self, at: u64) {
        self.at = at.min(self.count().saturating_sub(1));
        self.selected = self.row().map(|r| r.id);
    }

    /// Takes a page that was asked for; the cursor follows its job if that is still there.
    pub(crate) fn take(&mut self, offset: u64, revision: u64, page: Page) {
        self.refused = None;
        let found = self.selected.and_then(|id| page.rows.iter().position(|r| r.id == id));
        let window = Window { offset, revision, page };
        self.at = match found {
            Some(index) => offset + index as u64,
            None => self.at.min(window.count().saturating_sub(1)),
        };
        self.window = Some(window);
        self.selected = self.row().map(|r| r.id);
    }

    /// The offset to ask for, if rows in sight are missing or old. `height` is the number of rows in sight.
    pub(crate) fn wanted(&self, height: u64, revision: u64, now: Millis) -> Option<u64> {
        let half = (PAGE_ROWS_MAX as u64).saturating_sub(height) / 2;
        let top = top(self.at, self.count(), height);
        let offset = top.saturating_sub(half);
        let (covered, fresh) = match &self.window {
            None => (false, false),
            Some(w) => {
                let bottom = (top + height).min(w.count());
                (top >= w.offset && (bottom <= w.end() || !w.page.more), w.revision == revision)
            }
        };
        match self.asked {
            _ if covered && fresh => None,
            None => Some(offset),
            Some(asked) if covered => {
                let may = !asked.open && asked.revision != revision && now >= asked.at + REFETCH_MS;
                may.then_some(offset)
            }
            // What is under way will do, also when the cursor or the table moved a little meanwhile.
            Some(asked) if asked.open => {
                let misses = top < asked.offset || top + height > asked.offset + PAGE_ROWS_MAX as u64;
                misses.then_some(offset)
            }
            // Pages are also cut by size: when the centred one did not reach, ask from the first row in sight.
            Some(asked) if asked.revision == revision && asked.offset == offset => {
                (offset != top).then_some(top)
            }
            Some(asked) if asked.revision == revision && asked.offset == top => None,
            Some(_) => Some(offset),
        }
    }

    /// When [`Jobs::wanted`] may change its mind by time alone.
    pub(crate) fn due(&self, revision: u64) -> Option<Millis> {
        let asked = self.asked.filter(|a| !a.open && a.revision != revision)?;
        Some(asked.at + REFETCH_MS)
    }
}

/// Carries out what is this screen's own; false hands the command on.
pub(super) fn run(_state: &mut State, _now: Millis, _command: Command, _out: &mut Vec<Action>) -> bool {
    false
}

/// Why a command does nothing here now; none if it works or is not this screen's.
pub(super) fn refusal(_state: &State, _command: Command) -> Option<&'static str> {
    None
}
