//! Pages of jobs: any page of any state at once, and slow searches in bounded slices.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::filter::Test;
use vc_protocol::operator::{JobFilter, JobRow, Page};

use super::read::Reader;
use super::shape::index_job;
use super::tables::IndexKey;
use super::{Store, StoreError};

/// States in the order in which a list of several shows them: what runs, what needs a person, what waits, the rest.
const SHOWN: [JobState; 7] = [
    JobState::Running,
    JobState::Held,
    JobState::Failed,
    JobState::Pending,
    JobState::Completed,
    JobState::Skipped,
    JobState::Cancelled,
];
/// Most bytes of rows in a page, so that it fits a frame of 256 KiB with its envelope.
const PAGE_BYTES_MAX: usize = 192 * 1024;
/// A row's bytes besides its texts, at most.
const ROW_BYTES_FIXED: usize = 160;
/// How long one search goes on before it hands out what it has: a person is waiting, and a snapshot is held.
const SEARCH_SLICE: Duration = Duration::from_millis(400);
/// How long a search can be gone on with; later it starts anew, since the table moved on.
const CURSOR_LIFE: Duration = Duration::from_secs(15);
/// Searches that can be gone on with: a few dashboards.
const CURSORS_MAX: usize = 16;

/// Where searches stopped.
#[derive(Default)]
pub(super) struct Cursors(VecDeque<Cursor>);

#[derive(Clone)]
struct Cursor {
    filter: JobFilter,
    /// Matches before it.
    matches: u64,
    /// The last key that was looked at, in a state by its place in the list.
    at: (usize, IndexKey),
    made: Instant,
}

impl Store {
    /// A page of jobs. With a text in the filter it may end early with `more` set and fewer rows, even none: asking
    /// again from where it ended goes on.
    pub fn page(&self, filter: &JobFilter, offset: u64, limit: usize) -> Result<Page, StoreError> {
        if needle(filter).is_empty() {
            self.page_by_state(filter, offset, limit)
        } else {
            self.search(filter, offset, limit)
        }
    }

    /// Every job that the filter finds, at most so many.
    pub fn select(&self, filter: &JobFilter, max: usize) -> Result<Vec<JobId>, StoreError> {
        let reader = self.reader()?;
        let needle = needle(filter);
        let mut ids = Vec::new();
        for state in states(filter) {
            for entry in reader.tables.index.range(state_range(state))? {
                let id = index_job(entry?.0.value());
                if needle.is_empty() || reader.find(id, &needle)?.is_some() {
                    ids.push(id);
                }
                if ids.len() == max {
                    return Ok(ids);
                }
            }
        }
        Ok(ids)
    }

    fn page_by_state(&self, filter: &JobFilter, offset: u64, limit: usize) -> Result<Page, StoreError> {
        let reader = self.reader()?;
        let tally = self.tally();
        let total = states(filter).map(|state| tally.of(state)).sum();
        let mut page = Sheet::new(limit);
        let mut skip = offset;
        for state in states(filter) {
            // Counts and ranks may be of another moment than the snapshot: a job that has left a state by them may still be
            // there by the snapshot, and nowhere else. So they are asked only about what is left out anyway.
            let (from, pass) = if skip == 0 {
                (state_range(state).start, 0)
            } else if skip >= tally.of(state) {
                skip -= tally.of(state);
                continue;
            } else {
                self.shared.ranks.lock().unwrap_or_else(PoisonError::into_inner).seek(state as u8, skip)
            };
            skip = 0;
            for entry in reader.tables.index.range(from..state_range(state).end)?.skip(pass as usize) {
                let id = index_job(entry?.0.value());
                let row = reader.row(id)?.ok_or(StoreError::Damaged(id))?;
                if !page.take(row) {
                    return Ok(page.done(Some(total), true));
                }
            }
        }
        Ok(page.done(Some(total), false))
    }

    fn search(&self, filter: &JobFilter, offset: u64, limit: usize) -> Result<Page, StoreError> {
        let reader = self.reader()?;
        let started = Instant::now();
        let needle = needle(filter);
        let list: Vec<JobState> = states(filter).collect();
        let (mut matches, mut after) = match self.cursors().before(filter, offset) {
            Some(cursor) => (cursor.matches, Some(cursor.at)),
            None => (0, None),
        };
        let mut page = Sheet::new(limit);
        for (place, state) in list.iter().enumerate().skip(after.map_or(0, |(place, _)| place)) {
            let range = state_range(*state);
            let from = match after.take() {
                Some((_, key)) => Bound::Excluded(key),
                None => Bound::Included(range.start),
            };
            let mut last = None;
            for entry in reader.tables.index.range((from, Bound::Excluded(range.end)))? {
                let key = entry?.0.value();
                if let Some(row) = reader.find(index_job(key), &needle)? {
                    if matches >= offset && !page.take(row) {
                        self.keep_cursor(filter, matches, last);
                        return Ok(page.done(None, true));
                    }
                    matches += 1;
                    if page.is_full() {
                        self.keep_cursor(filter, matches, Some((place, key)));
                    }
                }
                last = Some((place, key));
                if started.elapsed() > SEARCH_SLICE {
                    if !page.is_full() {
                        self.keep_cursor(filter, matches, last);
                    }
                    return Ok(page.done(None, true));
                }
            }
        }
        Ok(page.done(Some(matches), false))
    }

    fn keep_cursor(&self, filter: &JobFilter, matches: u64, at: Option<(usize, IndexKey)>) {
        if let Some(at) = at {
            self.cursors().keep(Cursor { filter: filter.clone(), matches, at, made: Instant::now() });
        }
    }

    fn cursors(&self) -> std::sync::MutexGuard<'_, Cursors> {
        self.shared.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursors {
    /// The furthest place of this search that is not past the offset.
    fn before(&mut self, filter: &JobFilter, offset: u64) -> Option<Cursor> {
        self.0.retain(|cursor| cursor.made.elapsed() < CURSOR_LIFE);
        let fitting = self.0.iter().filter(|cursor| cursor.filter == *filter && cursor.matches <= offset);
        fitting.max_by_key(|cursor| (cursor.matches, cursor.at.0, cursor.at.1)).cloned()
    }

    fn keep(&mut self, cursor: Cursor) {
        self.0.retain(|known| known.filter != cursor.filter || known.matches != cursor.matches);
        if self.0.len() == CURSORS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(cursor);
    }
}

impl Reader<'_> {
    /// The row, if its source, output, profile, place or cause contains this.
    fn find(&self, id: JobId, needle: &str) -> Result<Option<JobRow>, StoreError> {
        let stored = self.stored(id)?.ok_or(StoreError::Damaged(id))?;
        let row = self.make_row(&stored)?;
        let found = contains(&String::from_utf8_lossy(&stored.spec.source.0), needle)
            || contains(&String::from_utf8_lossy(&stored.spec.output.0), needle)
            || [&row.profile, &row.place, &row.cause].into_iter().any(|text| contains(text, needle));
        Ok(found.then_some(row))
    }
}

fn contains(text: &str, needle: &str) -> bool {
    text.to_lowercase().contains(needle)
}

fn needle(filter: &JobFilter) -> String {
    let texts = filter.terms.iter().filter_map(|term| match &term.test {
        Test::Text(text) => Some(text.to_lowercase()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(" ")
}

fn states(filter: &JobFilter) -> impl Iterator<Item = JobState> {
    let fits = filter.states();
    SHOWN.into_iter().filter(move |state| fits.contains(state))
}

fn state_range(state: JobState) -> std::ops::Range<IndexKey> {
    (state as u8, 0, 0, 0)..(state as u8 + 1, 0, 0, 0)
}

/// A page while it fills.
struct Sheet {
    rows: Vec<JobRow>,
    limit: usize,
    bytes: usize,
}

impl Sheet {
    fn new(limit: usize) -> Self {
        Sheet { rows: Vec::with_capacity(limit.min(256)), limit, bytes: 0 }
    }

    /// Takes a row, or says that there is no room.
    fn take(&mut self, row: JobRow) -> bool {
        let bytes =
            ROW_BYTES_FIXED + row.source.0.len() + row.profile.len() + row.place.len() + row.cause.len();
        if self.is_full() || (!self.rows.is_empty() && self.bytes + bytes > PAGE_BYTES_MAX) {
            return false;
        }
        self.bytes += bytes;
        self.rows.push(row);
        true
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.limit
    }

    fn done(self, total: Option<u64>, more: bool) -> Page {
        Page { rows: self.rows, total, more, scanned: None }
    }
}
