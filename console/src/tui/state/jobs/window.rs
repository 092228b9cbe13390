//! Rows of a table that were fetched, and how the next ones take their place.

use vc_protocol::operator::{JobRow, PAGE_ROWS_MAX, Page, Sort};

use super::{Millis, RequestTag};

/// Rows that were fetched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) offset: u64,
    pub(crate) revision: u64,
    pub(crate) sort: Sort,
    pub(crate) page: Page,
    /// The server had to look at more jobs than one answer allows.
    pub(crate) searched: bool,
}

impl Window {
    pub(crate) fn new(asked: &Asked, page: Page) -> Window {
        let searched = page.scanned.is_some();
        Window { offset: asked.offset, revision: asked.revision, sort: asked.sort, page, searched }
    }

    pub(super) fn end(&self) -> u64 {
        self.offset + self.page.rows.len() as u64
    }

    /// A search for its rows is not over, and there is room for more.
    pub(super) fn searching(&self) -> bool {
        self.page.scanned.is_some() && self.page.rows.len() < PAGE_ROWS_MAX
    }

    /// Rows known to exist.
    pub(crate) fn count(&self) -> u64 {
        let next = u64::from(self.page.more && !self.searching());
        self.page.total.unwrap_or(self.end() + next).max(self.end())
    }

    pub(crate) fn row(&self, at: u64) -> Option<&JobRow> {
        self.page.rows.get(usize::try_from(at.checked_sub(self.offset)?).ok()?)
    }

    /// Everything that the filter finds is here.
    pub(crate) fn whole(&self) -> bool {
        self.offset == 0 && !self.page.more && self.page.scanned.is_none()
    }

    /// Takes what a search found further on. False: it went nowhere.
    pub(super) fn append(&mut self, page: Page) -> bool {
        let seen = |page: &Page| page.scanned.map_or(u64::MAX, |s| s.seen);
        let moved = !page.rows.is_empty() || seen(&page) > seen(&self.page);
        let room = PAGE_ROWS_MAX.saturating_sub(self.page.rows.len());
        self.page.rows.extend(page.rows.into_iter().take(room));
        (self.page.total, self.page.more, self.page.scanned) = (page.total, page.more, page.scanned);
        moved
    }

    /// Newer contents of rows that stay where they are.
    pub(super) fn refresh(&mut self, newer: &Page) {
        self.page.total = newer.total.or(self.page.total);
        for row in &mut self.page.rows {
            if let Some(new) = newer.rows.iter().find(|new| new.id == row.id) {
                row.clone_from(new);
            }
        }
    }
}

/// What a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedFor {
    /// Rows in place of those that are there.
    Rows,
    /// The same rows, newer.
    Newer,
    /// What comes after the rows that a search found so far.
    Further,
}

/// A question under way or just answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) tag: RequestTag,
    pub(crate) why: AskedFor,
    pub(crate) offset: u64,
    pub(crate) sort: Sort,
    pub(crate) revision: u64,
    pub(crate) at: Millis,
    pub(crate) open: bool,
}

/// Rows to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) why: AskedFor,
    pub(crate) offset: u64,
    pub(crate) limit: u32,
    /// Of the table when the rows that these belong to were asked for.
    pub(crate) revision: u64,
}
