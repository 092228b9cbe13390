//! What jobs have in common, counted: every job belongs to one facet, and each facet knows how many jobs it has.
//!
//! There are as many facets as combinations that occurred, a few hundred in a large farm, so a question about states,
//! priorities, profiles, places and causes is answered by looking at them instead of at a million jobs. The index names
//! each job's facet beside its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};
use vc_protocol::id::{AgentId, DeviceId, ProfileId};
use vc_protocol::job::{JobState, Priority};

use super::row::Row;
use super::shape::StoredJob;
use super::{StoreError, tables};
use crate::cause;

/// Facets without a job that are kept in the file: such as return often would otherwise get a new number each time.
const EMPTY_MAX: usize = 4_096;

/// What a job has in common with others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Facet {
    pub(super) state: JobState,
    pub(super) priority: Priority,
    pub(super) profile: ProfileId,
    /// Who runs it, or ran it last.
    pub(super) place: Option<(AgentId, DeviceId)>,
    /// Name of the group of its cause.
    pub(super) cause: Option<String>,
}

impl Facet {
    pub(super) fn of(job: &StoredJob) -> Facet {
        Facet {
            state: job.record.state,
            priority: job.record.priority,
            profile: job.spec.profile,
            place: job.lease().map(|lease| (lease.agent, lease.device)),
            cause: job.record.reason.as_ref().map(|reason| cause::name(&reason.text)),
        }
    }

    /// Pending after a failure.
    pub(super) fn is_retry(&self) -> bool {
        self.state == JobState::Pending && self.cause.is_some()
    }
}

/// Number of a facet.
pub(super) type FacetNo = u32;

/// A facet as its table holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FacetRow {
    facet: Facet,
    jobs: u64,
}

impl Row for FacetRow {
    const VERSION: u8 = 1;
}

/// Every facet, by number, with its jobs as of the last commit.
#[derive(Debug, Default, Clone)]
pub(super) struct Facets {
    numbers: BTreeMap<Arc<Facet>, FacetNo>,
    list: BTreeMap<FacetNo, (Arc<Facet>, u64)>,
}

impl Facets {
    pub(super) fn load(table: &impl ReadableTable<FacetNo, &'static [u8]>) -> Result<Self, StoreError> {
        let mut facets = Facets::default();
        for entry in table.iter()? {
            let (no, row) = entry?;
            let FacetRow { facet, jobs } = FacetRow::from_bytes(row.value())?;
            facets.set(no.value(), Arc::new(facet), jobs);
        }
        Ok(facets)
    }

    fn set(&mut self, no: FacetNo, facet: Arc<Facet>, jobs: u64) {
        self.numbers.insert(facet.clone(), no);
        self.list.insert(no, (facet, jobs));
    }

    /// Every facet with its jobs; those without any included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (FacetNo, &Arc<Facet>, u64)> {
        self.list.iter().map(|(no, (facet, jobs))| (*no, facet, *jobs))
    }

    /// Pending jobs that failed before.
    pub(super) fn retrying(&self) -> u64 {
        self.iter().filter(|(_, facet, _)| facet.is_retry()).map(|(_, _, jobs)| jobs).sum()
    }
}

/// Changes of facets by one turn.
#[derive(Debug, Default)]
pub(super) struct FacetChanges {
    /// Of facets that the turn touched: all of their jobs.
    touched: BTreeMap<FacetNo, (Arc<Facet>, u64)>,
    new: BTreeMap<Arc<Facet>, FacetNo>,
}

impl FacetChanges {
    /// A job comes to a facet.
    pub(super) fn enter(&mut self, known: &Facets, facet: Facet) -> FacetNo {
        let no = self.number(known, facet);
        if let Some((_, jobs)) = self.touched.get_mut(&no) {
            *jobs += 1;
        }
        no
    }

    /// A job goes from a facet.
    pub(super) fn leave(&mut self, known: &Facets, facet: Facet) {
        let no = self.number(known, facet);
        if let Some((_, jobs)) = self.touched.get_mut(&no) {
            *jobs = jobs.saturating_sub(1);
        }
    }

    fn number(&mut self, known: &Facets, facet: Facet) -> FacetNo {
        if let Some(no) = known.numbers.get(&facet).or_else(|| self.new.get(&facet)) {
            if let Some(entry) = known.list.get(no) {
                self.touched.entry(*no).or_insert_with(|| entry.clone());
            }
            return *no;
        }
        // Numbers in use never change their meaning while the program runs: a reader of an older snapshot holds them.
        let lasts = [
            known.list.last_key_value().map(|(no, _)| *no),
            self.touched.last_key_value().map(|(no, _)| *no),
        ];
        let (no, facet) = (lasts.into_iter().flatten().max().unwrap_or(0) + 1, Arc::new(facet));
        self.new.insert(facet.clone(), no);
        self.touched.insert(no, (facet, 0));
        no
    }

    pub(super) fn write(&self, txn: &WriteTransaction) -> Result<(), StoreError> {
        if self.touched.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(tables::FACETS)?;
        for (no, (facet, jobs)) in &self.touched {
            let row = FacetRow { facet: facet.as_ref().clone(), jobs: *jobs };
            table.insert(*no, row.to_bytes()?.as_slice())?;
        }
        Ok(())
    }

    /// After the commit.
    pub(super) fn keep(self, facets: &mut Facets) {
        for (no, (facet, jobs)) in self.touched {
            facets.set(no, facet, jobs);
        }
    }
}

/// Drops facets that nobody belongs to, if they became many. At the start, when no reader holds a number.
pub(super) fn tidy(txn: &WriteTransaction) -> Result<bool, StoreError> {
    let mut table = txn.open_table(tables::FACETS)?;
    let mut empty = Vec::new();
    for entry in table.iter()? {
        let (no, row) = entry?;
        if FacetRow::from_bytes(row.value())?.jobs == 0 {
            empty.push(no.value());
        }
    }
    if empty.len() <= EMPTY_MAX {
        return Ok(false);
    }
    for no in empty {
        table.remove(no)?;
    }
    Ok(true)
}
