//! The orders in which jobs are gone through, each from an index, from anywhere, in both directions.

use std::iter::Peekable;
use std::ops::Bound;

use redb::ReadableTable;
use vc_protocol::id::JobId;
use vc_protocol::job::{JobState, Priority};
use vc_protocol::operator::{Sort, SortBy};

use super::StoreError;
use super::find::{FacetFit, Fit, Fits};
use super::row::Row;
use super::shape::{StoredJob, WAITING, index_job};
use super::tables::{IndexKey, Tables};

/// States in the order in which a list of several shows them: what runs, what needs a person, what waits, the rest.
pub(super) const SHOWN: [JobState; 7] = [
    JobState::Running,
    JobState::Held,
    JobState::Failed,
    JobState::Pending,
    JobState::Completed,
    JobState::Skipped,
    JobState::Cancelled,
];

/// A place in an order: the number of its part, and the key there.
pub(super) type At = (usize, IndexKey);

/// Where to begin.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// With the first job of this part.
    Part(usize),
    /// With this one.
    At(At),
    /// With the one behind this one.
    Behind(At),
}

impl Begin {
    fn part(self) -> usize {
        match self {
            Begin::Part(part) => part,
            Begin::At((part, _)) | Begin::Behind((part, _)) => part,
        }
    }
}

/// A job on the way.
pub(super) struct Stop {
    pub(super) at: At,
    pub(super) id: JobId,
    pub(super) fit: Fit,
}

/// A part of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A state's jobs as the index sorts them.
    Places(JobState),
    /// Those of one priority.
    OfPriority(JobState, Priority),
    /// All jobs by number.
    Numbers,
    /// All jobs by their last change, newest first.
    Changes,
}

impl Part {
    /// Whether a facet's jobs are in this part.
    pub(super) fn has(self, facet: &FacetFit) -> bool {
        match self {
            Part::Places(state) => facet.state == state,
            Part::OfPriority(state, priority) => facet.state == state && facet.priority == priority,
            Part::Numbers | Part::Changes => true,
        }
    }

    /// Jobs that are passed on the way through it.
    pub(super) fn len(self, fits: &Fits) -> u64 {
        match self {
            // Only what waits lies by priority: of other states all are passed.
            Part::OfPriority(state, _) if state != JobState::Pending => {
                fits.jobs(|facet| facet.state == state)
            }
            part @ (Part::Places(_) | Part::OfPriority(..) | Part::Numbers | Part::Changes) => {
                fits.jobs(|facet| part.has(facet))
            }
        }
    }

    /// The stretch of the index that holds it.
    pub(super) fn range(self) -> std::ops::Range<IndexKey> {
        match self {
            Part::OfPriority(JobState::Pending, Priority(p)) => {
                let first = !p;
                (0, first, 0, 0)..first.checked_add(1).map_or((1, 0, 0, 0), |next| (0, next, 0, 0))
            }
            Part::Places(state) | Part::OfPriority(state, _) => state_range(state as u8),
            Part::Numbers | Part::Changes => (0, 0, 0, 0)..(u8::MAX, 0, 0, 0),
        }
    }
}

fn state_range(state: u8) -> std::ops::Range<IndexKey> {
    (state, 0, 0, 0)..(state + 1, 0, 0, 0)
}

/// An order of those jobs that may fit a filter.
pub(super) struct Order {
    pub(super) parts: Vec<Part>,
    pub(super) reversed: bool,
}

type Stops<'r> = Box<dyn Iterator<Item = Result<Stop, StoreError>> + 'r>;

impl Order {
    /// Parts in which nothing can fit are left out. Only for sorts that an index keeps; others go as they lie.
    pub(super) fn new(sort: Sort, fits: &Fits) -> Order {
        let mut parts: Vec<Part> = match sort.by {
            SortBy::Priority => {
                let all = (0..=u8::MAX).rev().map(Priority);
                let there = all.filter(|p| fits.any(|facet| facet.priority == *p));
                there.flat_map(|p| SHOWN.map(|state| Part::OfPriority(state, p))).collect()
            }
            SortBy::Id => vec![Part::Numbers],
            SortBy::Updated => vec![Part::Changes],
            SortBy::State
            | SortBy::File
            | SortBy::Profile
            | SortBy::Place
            | SortBy::Retries
            | SortBy::Size => SHOWN.map(Part::Places).to_vec(),
        };
        parts.retain(|part| fits.any(|facet| part.has(facet)));
        if sort.reversed {
            parts.reverse();
        }
        Order { parts, reversed: sort.reversed }
    }

    /// Jobs that are passed on the whole way.
    pub(super) fn len(&self, fits: &Fits) -> u64 {
        self.parts.iter().map(|part| part.len(fits)).sum()
    }

    /// Every job from there on.
    pub(super) fn walk<'r>(&'r self, tables: &'r Tables, fits: &'r Fits, from: Begin) -> Stops<'r> {
        let first = from.part();
        let parts = self.parts.iter().enumerate().skip(first);
        Box::new(parts.flat_map(move |(no, part)| {
            let begin = match from {
                Begin::At((_, key)) if no == first => Some(Bound::Included(key)),
                Begin::Behind((_, key)) if no == first => Some(Bound::Excluded(key)),
                Begin::At(_) | Begin::Behind(_) | Begin::Part(_) => None,
            };
            let stops = match part {
                Part::Places(_) | Part::OfPriority(..) => self.places(tables, fits, no, *part, begin),
                Part::Numbers => self.numbers(tables, begin),
                Part::Changes => self.changes(tables, fits, begin),
            };
            stops.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
        }))
    }

    fn places<'r>(
        &self,
        tables: &'r Tables,
        fits: &'r Fits,
        no: usize,
        part: Part,
        begin: Option<Bound<IndexKey>>,
    ) -> Result<Stops<'r>, StoreError> {
        let entries = tables.index.range(self.stretch(part.range(), begin))?;
        let stop = move |entry: Result<Entry<'_>, redb::StorageError>| {
            let (key, facet) = entry?;
            let key = key.value();
            // A facet that came later than the list: the row decides.
            let fit =
                fits.get(facet.value()).map_or(Fit::Ask, |one| if part.has(one) { one.fit } else { Fit::No });
            Ok(Stop { at: (no, key), id: index_job(key), fit })
        };
        Ok(if self.reversed { Box::new(entries.rev().map(stop)) } else { Box::new(entries.map(stop)) })
    }

    /// What is left of a stretch of the index from a place in it.
    fn stretch(
        &self,
        range: std::ops::Range<IndexKey>,
        begin: Option<Bound<IndexKey>>,
    ) -> (Bound<IndexKey>, Bound<IndexKey>) {
        let (start, end) = (Bound::Included(range.start), Bound::Excluded(range.end));
        if self.reversed { (start, begin.unwrap_or(end)) } else { (begin.unwrap_or(start), end) }
    }

    /// Running jobs lie in a table of their own; most of them have an old row in the other.
    fn numbers<'r>(
        &self,
        tables: &'r Tables,
        begin: Option<Bound<IndexKey>>,
    ) -> Result<Stops<'r>, StoreError> {
        let id = |bound: Bound<IndexKey>| bound.map(|key| key.3);
        let begin = begin.map_or(Bound::Unbounded, id);
        let range = if self.reversed { (Bound::Unbounded, begin) } else { (begin, Bound::Unbounded) };
        let mut streams: Vec<Peekable<Keys<'r>>> = Vec::new();
        for table in [&tables.hot, &tables.cold] {
            let keys = table.range::<u64>(range)?.map(|entry| Ok(((0, entry?.0.value()), None)));
            let keys: Keys<'r> = if self.reversed {
                let keys = table.range::<u64>(range)?.rev();
                Box::new(keys.map(|entry| Ok(((0, entry?.0.value()), None))))
            } else {
                Box::new(keys)
            };
            streams.push(keys.peekable());
        }
        let merged = Merged { streams, reversed: self.reversed, last: None };
        Ok(Box::new(merged.map(|found| {
            let ((_, id), _) = found?;
            Ok(Stop { at: (0, (0, 0, 0, id)), id: JobId(id), fit: Fit::Ask })
        })))
    }

    fn changes<'r>(
        &self,
        tables: &'r Tables,
        fits: &'r Fits,
        begin: Option<Bound<IndexKey>>,
    ) -> Result<Stops<'r>, StoreError> {
        let mut streams: Vec<Peekable<Keys<'r>>> = Vec::new();
        for state in SHOWN.into_iter().filter(|state| fits.any(|facet| facet.state == *state)) {
            let keys: Keys<'r> = match state {
                JobState::Running => self.running(tables, begin)?,
                JobState::Pending => self.by_change(tables, WAITING, begin)?,
                JobState::Completed
                | JobState::Failed
                | JobState::Cancelled
                | JobState::Skipped
                | JobState::Held => self.by_change(tables, state as u8, begin)?,
            };
            streams.push(keys.peekable());
        }
        let merged = Merged { streams, reversed: self.reversed, last: None };
        Ok(Box::new(merged.map(|found| {
            let ((changed, id), facet) = found?;
            let fit = facet.and_then(|no| fits.get(no)).map_or(Fit::Ask, |one| one.fit);
            Ok(Stop { at: (0, (0, 0, changed, id)), id: JobId(!id), fit })
        })))
    }

    fn by_change<'r>(
        &self,
        tables: &'r Tables,
        state: u8,
        begin: Option<Bound<IndexKey>>,
    ) -> Result<Keys<'r>, StoreError> {
        let begin = begin.map(|bound| bound.map(|(_, _, changed, id)| (state, 0, changed, id)));
        let entries = tables.index.range(self.stretch(state_range(state), begin))?;
        let key = |entry: Result<Entry<'_>, redb::StorageError>| {
            let (key, facet) = entry?;
            let (_, _, changed, id) = key.value();
            Ok(((changed, id), Some(facet.value())))
        };
        Ok(if self.reversed { Box::new(entries.rev().map(key)) } else { Box::new(entries.map(key)) })
    }

    /// What runs changes often and is little: it is sorted when it is asked for.
    fn running<'r>(
        &self,
        tables: &'r Tables,
        begin: Option<Bound<IndexKey>>,
    ) -> Result<Keys<'r>, StoreError> {
        let mut keys = Vec::new();
        for entry in tables.hot.iter()? {
            let record = StoredJob::from_bytes(entry?.1.value())?.record;
            keys.push((!(record.updated_ms.max(0) as u64), !record.id.0));
        }
        let range = self.stretch((0, 0, 0, 0)..(1, 0, 0, 0), begin);
        keys.retain(|(changed, id)| std::ops::RangeBounds::contains(&range, &(0, 0, *changed, *id)));
        keys.sort_unstable();
        if self.reversed {
            keys.reverse();
        }
        Ok(Box::new(keys.into_iter().map(|key| Ok((key, None)))))
    }
}

type Entry<'a> = (redb::AccessGuard<'a, IndexKey>, redb::AccessGuard<'a, u32>);

/// Sorted pairs, each with the facet of its job if that is known.
type Keys<'r> = Box<dyn Iterator<Item = Result<((u64, u64), Option<u32>), StoreError>> + 'r>;

/// Sorted streams as one; what several of them have comes once.
struct Merged<'r> {
    streams: Vec<Peekable<Keys<'r>>>,
    reversed: bool,
    last: Option<(u64, u64)>,
}

impl Iterator for Merged<'_> {
    type Item = Result<((u64, u64), Option<u32>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut best: Option<(usize, (u64, u64))> = None;
            for (place, stream) in self.streams.iter_mut().enumerate() {
                let key = match stream.peek() {
                    None => continue,
                    Some(Err(_)) => return stream.next(),
                    Some(Ok((key, _))) => *key,
                };
                if best.is_none_or(|(_, least)| if self.reversed { key > least } else { key < least }) {
                    best = Some((place, key));
                }
            }
            let (place, key) = best?;
            let found = self.streams[place].next();
            if self.last.replace(key) != Some(key) {
                return found;
            }
        }
    }
}
