//! Pages of jobs: at once where an index leads to them, in bounded slices where rows have to be looked at.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vc_protocol::id::JobId;
use vc_protocol::job::{JobState, Priority};
use vc_protocol::operator::{JobFilter, JobRow, Page, Scanned, Sort, SortBy};

use super::find::{Fit, Fits, Sieve};
use super::order::{Begin, Order, Part, Stop};
use super::read::Reader;
use super::shape::StoredJob;
use super::tables;
use super::{Store, StoreError};

/// Most bytes of rows in a page, so that it fits a frame of 256 KiB with its envelope.
const PAGE_BYTES_MAX: usize = 192 * 1024;
/// A row's bytes besides its texts, at most.
const ROW_BYTES_FIXED: usize = 160;
/// How long one search goes on before it hands out what it has: a person is waiting, and a snapshot is held.
#[cfg(not(test))]
pub(super) const SEARCH_SLICE: Duration = Duration::from_millis(80);
/// In tests every look at the clock ends a slice.
#[cfg(test)]
pub(super) const SEARCH_SLICE: Duration = Duration::ZERO;
/// Jobs passed between two looks at the clock.
const STOPS_A_LOOK: u64 = 32;
/// How long a search can be gone on with; later it starts anew, since the table moved on.
pub(super) const CURSOR_LIFE: Duration = Duration::from_secs(15);
/// Searches that can be gone on with: a few dashboards.
const CURSORS_MAX: usize = 16;
/// A filter that finds fewer than one job in so many is followed by its index rather than by number.
const SPARSE: u64 = 20;

/// Which jobs, in which order, with what only the engine and the clock know.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Which.
    pub filter: JobFilter,
    /// In which order.
    pub sort: Sort,
    /// Running jobs whose agent is silent.
    pub unsure: Arc<BTreeSet<JobId>>,
    /// The moment that ages are counted from, milliseconds since 1970.
    pub now_ms: i64,
}

impl Query {
    /// In the order of states, with nothing unsure.
    pub fn of(filter: JobFilter) -> Self {
        Query { filter, ..Query::default() }
    }

    /// The same question, whatever the clock says.
    pub(super) fn is_as(&self, filter: &JobFilter, sort: Sort) -> bool {
        self.filter == *filter && self.sort == sort
    }
}

/// One moment of the table, with what a filter says of it.
pub(super) struct View<'s> {
    pub(super) reader: Reader<'s>,
    pub(super) sieve: Sieve,
    pub(super) fits: Fits,
    pub(super) revision: u64,
}

/// Where searches stopped.
#[derive(Default)]
pub(super) struct Cursors(VecDeque<Cursor>);

#[derive(Clone)]
struct Cursor {
    filter: JobFilter,
    sort: Sort,
    spot: Spot,
    made: Instant,
}

/// A place on the way through an order.
#[derive(Debug, Clone, Copy)]
struct Spot {
    begin: Begin,
    /// Jobs that fit before it.
    matches: u64,
    /// Jobs looked at or known of before it.
    seen: u64,
}

impl Store {
    /// A page of jobs. A search may end early with `more` set and fewer rows, even none: asking again from where it
    /// ended goes on.
    pub fn page(&self, query: &Query, offset: u64, limit: usize) -> Result<Page, StoreError> {
        let view = self.view(query)?;
        let by = query.sort.by;
        let is_sparse = || {
            let found = view.fits.candidates();
            found <= vc_protocol::operator::SORT_ROWS_MAX && found * SPARSE < view.fits.jobs(|_| true)
        };
        if !by.is_indexed() || (by == SortBy::Id && is_sparse()) {
            return self.page_sorted(&view, query, offset, limit);
        }
        self.page_in_order(&view, query, offset, limit)
    }

    /// Every job that the filter finds at one moment.
    pub fn select(&self, query: &Query) -> Result<Vec<JobId>, StoreError> {
        let view = self.view(query)?;
        let order = Order::new(Sort::default(), &view.fits);
        let total = view.fits.total();
        let mut ids = Vec::new();
        for stop in order.walk(&view.reader.tables, &view.fits, Begin::Part(0)) {
            if total == Some(ids.len() as u64) {
                break;
            }
            let stop = stop?;
            if view.holds(&stop)?.is_some() {
                ids.push(stop.id);
            }
        }
        Ok(ids)
    }

    /// The table and its counters as of the same commit.
    pub(super) fn view(&self, query: &Query) -> Result<View<'_>, StoreError> {
        let _no_commit = self.shared.gate.read().unwrap_or_else(PoisonError::into_inner);
        let reader = self.reader()?;
        let memory = self.memory();
        let sieve = Sieve::new(query, &memory);
        let fits = Fits::new(&sieve, &memory.facets);
        Ok(View { reader, sieve, fits, revision: memory.counters.revision })
    }

    fn page_in_order(
        &self,
        view: &View<'_>,
        query: &Query,
        offset: u64,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let started = Instant::now();
        let order = Order::new(query.sort, &view.fits);
        let total = view.fits.total();
        let mut spot = self.spot(view, &order, offset)?;
        let cursor = self.cursors().before(query, offset);
        if let Some(cursor) = cursor.filter(|c| (c.matches, c.seen) > (spot.matches, spot.seen)) {
            spot = cursor;
        }
        let mut page = Sheet::new(limit);
        let of = order.len(&view.fits);
        for stop in order.walk(&view.reader.tables, &view.fits, spot.begin) {
            let stop = stop?;
            if let Some(found) = view.holds(&stop)? {
                if spot.matches >= offset && !page.take(view.row(&stop, found)?) {
                    self.keep_cursor(query, spot);
                    let scanned = total.is_none().then_some(Scanned { seen: spot.seen, of });
                    return Ok(page.done(total, true, scanned));
                }
                spot.matches += 1;
            }
            spot.begin = Begin::Behind(stop.at);
            spot.seen += 1;
            if total == Some(spot.matches) {
                break;
            }
            if spot.seen.is_multiple_of(STOPS_A_LOOK) && started.elapsed() > SEARCH_SLICE {
                self.keep_cursor(query, spot);
                return Ok(page.done(total, true, Some(Scanned { seen: spot.seen.min(of), of })));
            }
        }
        Ok(page.done(Some(spot.matches), false, None))
    }

    /// The furthest place before the offset that counters and ranks lead to.
    fn spot(&self, view: &View<'_>, order: &Order, offset: u64) -> Result<Spot, StoreError> {
        let mut spot = Spot { begin: Begin::Part(0), matches: 0, seen: 0 };
        for (no, part) in order.parts.iter().enumerate() {
            spot.begin = Begin::Part(no);
            let left = offset - spot.matches;
            let Some(fit) = view.fits.count(|facet| part.has(facet)) else { return Ok(spot) };
            if left == 0 {
                return Ok(spot);
            }
            let all = view.fits.jobs(|facet| part.has(facet));
            if left >= fit {
                spot.matches += fit;
                spot.seen += part.len(&view.fits);
                spot.begin = Begin::Part(no + 1);
                continue;
            }
            // Only of a whole part is it known how many lie before a place.
            if fit == all
                && let Some(key) = self.nth(view, order, *part, all, left)?
            {
                return Ok(Spot { begin: Begin::At((no, key)), matches: offset, seen: spot.seen + left });
            }
            return Ok(spot);
        }
        Ok(spot)
    }

    /// The key of the n-th job of a part.
    fn nth(
        &self,
        view: &View<'_>,
        order: &Order,
        part: Part,
        len: u64,
        n: u64,
    ) -> Result<Option<tables::IndexKey>, StoreError> {
        let n = if order.reversed { len - 1 - n } else { n };
        let ranks = self.shared.ranks.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, pass) = match part {
            Part::Places(state) => ranks.seek(state as u8, n),
            Part::OfPriority(JobState::Pending, Priority(p)) => {
                let before = view.fits.jobs(|facet| facet.state == JobState::Pending && facet.priority.0 > p);
                ranks.seek(JobState::Pending as u8, before + n)
            }
            // The whole state has this priority, or its jobs lie among others.
            Part::OfPriority(state, _) if view.fits.jobs(|facet| facet.state == state) == len => {
                ranks.seek(state as u8, n)
            }
            Part::Numbers => {
                let place = ranks.number(n);
                drop(ranks);
                return view.nth_number(place);
            }
            Part::OfPriority(..) | Part::Changes => return Ok(None),
        };
        drop(ranks);
        let range = (Bound::Included(from), Bound::Excluded(part.range().end));
        let key = view.reader.tables.index.range(range)?.nth(usize::try_from(pass).unwrap_or(usize::MAX));
        Ok(key.transpose()?.map(|(key, _)| key.value()))
    }

    fn keep_cursor(&self, query: &Query, spot: Spot) {
        self.cursors().keep(Cursor {
            filter: query.filter.clone(),
            sort: query.sort,
            spot,
            made: Instant::now(),
        });
    }

    fn cursors(&self) -> MutexGuard<'_, Cursors> {
        self.shared.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursors {
    /// The furthest place of this search that is not past the offset.
    fn before(&mut self, query: &Query, offset: u64) -> Option<Spot> {
        self.0.retain(|cursor| cursor.made.elapsed() < CURSOR_LIFE);
        let same = self.0.iter().filter(|cursor| query.is_as(&cursor.filter, cursor.sort));
        let fitting = same.map(|cursor| cursor.spot).filter(|spot| spot.matches <= offset);
        fitting.max_by_key(|spot| (spot.matches, spot.seen))
    }

    fn keep(&mut self, cursor: Cursor) {
        self.0.retain(|known| {
            known.filter != cursor.filter
                || known.sort != cursor.sort
                || known.spot.matches != cursor.spot.matches
        });
        if self.0.len() == CURSORS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(cursor);
    }
}

impl View<'_> {
    /// Whether the job fits; with its row, if that had to be looked at.
    pub(super) fn holds(&self, stop: &Stop) -> Result<Option<Option<StoredJob>>, StoreError> {
        match stop.fit {
            Fit::No => Ok(None),
            Fit::Yes => Ok(Some(None)),
            Fit::Ask if self.sieve.is_all() => Ok(Some(None)),
            Fit::Ask => {
                let job = self.job(stop.id)?;
                Ok(self.sieve.fits(&job).then_some(Some(job)))
            }
        }
    }

    pub(super) fn job(&self, id: JobId) -> Result<StoredJob, StoreError> {
        self.reader.stored(id)?.ok_or(StoreError::Damaged(id))
    }

    /// The key of the job that lies so many behind the first of a block of numbers.
    fn nth_number(&self, place: Option<(JobId, u64)>) -> Result<Option<tables::IndexKey>, StoreError> {
        let Some((first, pass)) = place else { return Ok(None) };
        let forward = Order { parts: vec![Part::Numbers], reversed: false };
        let mut stops = forward.walk(&self.reader.tables, &self.fits, Begin::At((0, (0, 0, 0, first.0))));
        let stop = stops.nth(usize::try_from(pass).unwrap_or(usize::MAX)).transpose()?;
        Ok(stop.map(|stop| stop.at.1))
    }

    fn row(&self, stop: &Stop, found: Option<StoredJob>) -> Result<JobRow, StoreError> {
        let job = found.map_or_else(|| self.job(stop.id), Ok)?;
        self.reader.make_row(&job)
    }
}

/// A page while it fills.
pub(super) struct Sheet {
    rows: Vec<JobRow>,
    limit: usize,
    bytes: usize,
}

impl Sheet {
    pub(super) fn new(limit: usize) -> Self {
        Sheet { rows: Vec::with_capacity(limit.min(256)), limit, bytes: 0 }
    }

    /// Takes a row, or says that there is no room.
    pub(super) fn take(&mut self, row: JobRow) -> bool {
        let bytes =
            ROW_BYTES_FIXED + row.source.0.len() + row.profile.len() + row.place.len() + row.cause.len();
        let is_full = self.rows.len() >= self.limit;
        if is_full || (!self.rows.is_empty() && self.bytes + bytes > PAGE_BYTES_MAX) {
            return false;
        }
        self.bytes += bytes;
        self.rows.push(row);
        true
    }

    pub(super) fn done(self, total: Option<u64>, more: bool, scanned: Option<Scanned>) -> Page {
        Page { rows: self.rows, total, more, scanned }
    }
}
