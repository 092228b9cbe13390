//! Orders that no index keeps: what a filter finds is gathered, sorted and kept for a while.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vc_protocol::id::JobId;
use vc_protocol::operator::{JobFilter, Page, SORT_ROWS_MAX, Scanned, Sort, SortBy};

use super::order::{Begin, Order};
use super::page::{CURSOR_LIFE, Query, SEARCH_SLICE, Sheet, View};
use super::shape::StoredJob;
use super::{Store, StoreError};

/// Lists kept: some dashboards, at some megabytes each at most.
const LISTS_MAX: usize = 4;
/// A list that took long to sort is shown so many times as long, though the table moved on meanwhile.
const LIST_SHARE: u32 = 9;
/// Jobs passed between two looks at the clock.
const STOPS_A_LOOK: u64 = 32;

/// Lists that were asked for lately.
#[derive(Default)]
pub(super) struct Sorted(VecDeque<List>);

struct List {
    filter: JobFilter,
    sort: Sort,
    /// Of the commit that it began with.
    revision: u64,
    made: Instant,
    /// Time that it took so far.
    cost: Duration,
    ids: Ids,
}

enum Ids {
    /// Still being found.
    Found { jobs: Vec<(Key, JobId)>, next: Begin, seen: u64 },
    /// In order.
    Sorted(Arc<[JobId]>),
}

/// What a job is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Text(Vec<u8>),
}

impl List {
    fn is_fresh(&self, revision: u64) -> bool {
        let life = match self.ids {
            Ids::Found { .. } => CURSOR_LIFE,
            Ids::Sorted(_) if self.revision == revision => CURSOR_LIFE,
            Ids::Sorted(_) => self.cost * LIST_SHARE,
        };
        self.made.elapsed() < life
    }
}

impl Store {
    /// A page of a list that is sorted by hand. Empty, with how far it is, while jobs are still being found.
    pub(super) fn page_sorted(
        &self,
        view: &View<'_>,
        query: &Query,
        offset: u64,
        limit: usize,
    ) -> Result<Page, StoreError> {
        if view.fits.total().is_some_and(|total| total > SORT_ROWS_MAX) {
            return Err(too_many(query.sort.by));
        }
        let mut list = self.take_list(view, query);
        let progress = match &mut list.ids {
            Ids::Sorted(_) => None,
            Ids::Found { .. } => list.find(view)?,
        };
        let page = match (&list.ids, progress) {
            (Ids::Sorted(ids), None) => page_of(view, ids, offset, limit)?,
            (_, scanned) => Sheet::new(0).done(None, true, scanned),
        };
        let mut lists = self.lists();
        if lists.0.len() == LISTS_MAX {
            lists.0.pop_front();
        }
        lists.0.push_back(list);
        Ok(page)
    }

    fn take_list(&self, view: &View<'_>, query: &Query) -> List {
        let mut lists = self.lists();
        lists.0.retain(|list| list.is_fresh(view.revision));
        let known = lists.0.iter().position(|list| query.is_as(&list.filter, list.sort));
        known.and_then(|place| lists.0.remove(place)).unwrap_or_else(|| List {
            filter: query.filter.clone(),
            sort: query.sort,
            revision: view.revision,
            made: Instant::now(),
            cost: Duration::ZERO,
            ids: Ids::Found { jobs: Vec::new(), next: Begin::Part(0), seen: 0 },
        })
    }

    fn lists(&self) -> MutexGuard<'_, Sorted> {
        self.shared.sorted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    /// Goes on finding jobs for a while; how far it is, unless it has them all.
    fn find(&mut self, view: &View<'_>) -> Result<Option<Scanned>, StoreError> {
        let Ids::Found { jobs, next, seen } = &mut self.ids else { return Ok(None) };
        let started = Instant::now();
        let order = Order::new(Sort::default(), &view.fits);
        for stop in order.walk(&view.reader.tables, &view.fits, *next) {
            let stop = stop?;
            if let Some(found) = view.holds(&stop)? {
                let key = if self.sort.by == SortBy::Id {
                    Key::Number(stop.id.0)
                } else {
                    key(view, self.sort.by, &found.map_or_else(|| view.job(stop.id), Ok)?)?
                };
                jobs.push((key, stop.id));
                if jobs.len() as u64 > SORT_ROWS_MAX {
                    return Err(too_many(self.sort.by));
                }
            }
            *next = Begin::Behind(stop.at);
            *seen += 1;
            if seen.is_multiple_of(STOPS_A_LOOK) && started.elapsed() > SEARCH_SLICE {
                self.cost += started.elapsed();
                let of = order.len(&view.fits);
                return Ok(Some(Scanned { seen: (*seen).min(of), of }));
            }
        }
        // A job that moved between two slices may have been met twice.
        jobs.sort_unstable_by_key(|(_, id)| *id);
        jobs.dedup_by_key(|(_, id)| *id);
        jobs.sort();
        if self.sort.reversed {
            jobs.reverse();
        }
        self.ids = Ids::Sorted(jobs.iter().map(|(_, id)| *id).collect());
        self.cost += started.elapsed();
        Ok(None)
    }
}

fn page_of(view: &View<'_>, ids: &[JobId], offset: u64, limit: usize) -> Result<Page, StoreError> {
    let mut page = Sheet::new(limit);
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(ids.len());
    let total = Some(ids.len() as u64);
    for id in &ids[from..] {
        // One that was purged since the list was made is left out.
        if let Some(row) = view.reader.row(*id)?
            && !page.take(row)
        {
            return Ok(page.done(total, true, None));
        }
    }
    Ok(page.done(total, false, None))
}

fn key(view: &View<'_>, by: SortBy, job: &StoredJob) -> Result<Key, StoreError> {
    let row = view.reader.make_row(job)?;
    Ok(match by {
        SortBy::File => Key::Text(row.source.0),
        SortBy::Profile => Key::Text(row.profile.into_bytes()),
        SortBy::Place => Key::Text(row.place.into_bytes()),
        SortBy::Retries => Key::Number(u64::MAX - u64::from(row.retries)),
        SortBy::Size => Key::Number(u64::MAX - row.bytes_in),
        // Indexes keep these.
        SortBy::State | SortBy::Id | SortBy::Priority | SortBy::Updated => Key::Number(row.id.0),
    })
}

fn too_many(by: SortBy) -> StoreError {
    StoreError::TooManyToSort { by: by.word(), max: SORT_ROWS_MAX }
}
