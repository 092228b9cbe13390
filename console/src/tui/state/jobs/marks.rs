//! Marked jobs: one by one, a range that grows with the cursor, or all that a filter finds.

use std::collections::BTreeMap;

use vc_protocol::id::JobId;
use vc_protocol::operator::{IDS_MAX, JobFilter};

use super::super::deed::JobRef;
use super::super::row_ref;
use super::window::Window;

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

/// A range under way: it goes from where it began to the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    from: u64,
    /// What was marked before it began.
    before: BTreeMap<JobId, JobRef>,
    /// Jobs in it by their place: those that were in sight of a window when the cursor passed them.
    passed: BTreeMap<u64, JobRef>,
}

impl Range {
    pub(super) fn new(from: u64, before: &Marks) -> Range {
        let before = match before {
            Marks::Jobs(jobs) => jobs.clone(),
            Marks::All { .. } => BTreeMap::new(),
        };
        Range { from, before, passed: BTreeMap::new() }
    }

    /// The marks with the cursor at this place.
    pub(super) fn reach(&mut self, at: u64, window: &Window) -> Marks {
        let (low, high) = (self.from.min(at), self.from.max(at));
        self.passed.retain(|place, _| (low..=high).contains(place));
        let known = low.max(window.offset)..=high.min(window.offset + window.page.rows.len() as u64);
        for place in known {
            if let Some(row) = window.row(place) {
                self.passed.insert(place, row_ref(row));
            }
        }
        let inside = self.passed.values().map(|job| (job.id, job.clone()));
        let room = IDS_MAX.saturating_sub(self.before.len());
        Marks::Jobs(self.before.clone().into_iter().chain(inside.take(room)).collect())
    }

    /// Rows of the range that no window has shown.
    pub(super) fn missing(&self, at: u64) -> u64 {
        (self.from.abs_diff(at) + 1).saturating_sub(self.passed.len() as u64)
    }
}
