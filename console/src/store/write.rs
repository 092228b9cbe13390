//! The rows of changed jobs, and everything kept beside them: index, causes, counts, history.

use std::collections::BTreeMap;

use redb::{MultimapTable, ReadableTable, Table, WriteTransaction};
use vc_farm::record::{AttemptRecord, JobRecord};
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::profile::NOT_WORTH_IT;

use super::facet::{Facet, FacetChanges, FacetNo};
use super::history::HistoryChanges;
use super::row::Row;
use super::shape::{Counters, RUNS_MAX, Run, StoredJob, index_key, source_key, waiting_key};
use super::tables::{self, IndexKey};
use super::trouble::TroubleChanges;
use super::turn::Change;
use super::{Store, StoreError};

/// Index keys that went and came.
pub(super) type Moves = Vec<(Option<IndexKey>, Option<IndexKey>)>;

/// What follows from the rows that were written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) moves: Moves,
    pub(super) facets: FacetChanges,
    pub(super) history: HistoryChanges,
    pub(super) troubles: TroubleChanges,
}

/// The tables that a changed job touches.
struct JobTables<'t> {
    hot: Table<'t, u64, &'static [u8]>,
    cold: Table<'t, u64, &'static [u8]>,
    index: Table<'t, IndexKey, FacetNo>,
    attempts: Table<'t, u64, &'static [u8]>,
    causes: MultimapTable<'t, (u8, &'static str), u64>,
}

/// Writes the jobs of a turn.
pub(super) fn jobs(
    txn: &WriteTransaction,
    store: &Store,
    changes: BTreeMap<JobId, Change>,
    counters: &mut Counters,
) -> Result<Written, StoreError> {
    let mut written = Written::default();
    if changes.is_empty() {
        return Ok(written);
    }
    let mut tables = JobTables {
        hot: txn.open_table(tables::HOT)?,
        cold: txn.open_table(tables::COLD)?,
        index: txn.open_table(tables::INDEX)?,
        attempts: txn.open_table(tables::ATTEMPTS)?,
        causes: txn.open_multimap_table(tables::CAUSES)?,
    };
    for (id, change) in changes {
        tables.write(id, change, store, counters, &mut written)?;
    }
    Ok(written)
}

/// Lets go of the job's source and output, where they are still its own. That it was not worth it is remembered beyond
/// the job, or each scan after a purge would find it anew and encode it for nothing.
pub(super) fn free_claims(
    txn: &WriteTransaction,
    store: &Store,
    id: JobId,
    changed: Option<&JobRecord>,
) -> Result<(), StoreError> {
    let Some(job) = read(&txn.open_table(tables::HOT)?, &txn.open_table(tables::COLD)?, id)? else {
        return Ok(());
    };
    let (spec, record) = (job.spec, changed.unwrap_or(&job.record));
    let source = source_key(spec.source_root, spec.profile, spec.output_root, &spec.source.0);
    let is_declined = record.state == JobState::Skipped
        && record.reason.as_ref().is_some_and(|reason| reason.text.starts_with(NOT_WORTH_IT));
    if is_declined {
        txn.open_table(tables::DECLINED)?.insert(source.as_slice(), spec.stamp.to_bytes()?.as_slice())?;
    }
    let output = store.root(spec.output_root)?.join(&spec.output);
    for (table, key) in [(tables::SOURCES, source), (tables::OUTPUTS, output.0)] {
        let mut table = txn.open_table(table)?;
        let is_own = table.get(key.as_slice())?.is_some_and(|holder| holder.value() == id.0);
        if is_own {
            table.remove(key.as_slice())?;
        }
    }
    Ok(())
}

fn read<S>(hot: &S, cold: &S, id: JobId) -> Result<Option<StoredJob>, StoreError>
where
    S: ReadableTable<u64, &'static [u8]>,
{
    let row = match hot.get(id.0)? {
        Some(row) => Some(row),
        None => cold.get(id.0)?,
    };
    Ok(row.map(|row| StoredJob::from_bytes(row.value())).transpose()?)
}

/// Where a job stands in everything that is kept beside its row.
struct Stand {
    state: JobState,
    keys: (IndexKey, Option<IndexKey>),
    facet: Facet,
}

impl Stand {
    fn of(job: &StoredJob) -> Stand {
        let keys = (index_key(&job.record), waiting_key(&job.record));
        Stand { state: job.record.state, keys, facet: Facet::of(job) }
    }

    /// Jobs that need a person are found by why.
    fn cause(&self) -> Option<(u8, &str)> {
        let needs_person = matches!(self.state, JobState::Failed | JobState::Held);
        needs_person.then(|| (self.state as u8, self.facet.cause.as_deref().unwrap_or_default()))
    }
}

impl JobTables<'_> {
    fn write(
        &mut self,
        id: JobId,
        change: Change,
        store: &Store,
        counters: &mut Counters,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let (old, mut job) = match (read(&self.hot, &self.cold, id)?, change.spec, &change.record) {
            (Some(job), _, _) => (Some(Stand::of(&job)), job),
            (None, Some(spec), Some(record)) => {
                (None, StoredJob { spec, record: record.clone(), runs: Vec::new() })
            }
            // Purged twice in one turn, or never there.
            (None, _, _) if change.purge => return Ok(()),
            // Its agent ended an attempt that was fenced off, after the job was purged: nobody looks for its log.
            (None, None, None) if change.stamp.is_none() => return Ok(()),
            (None, _, _) => return Err(StoreError::Damaged(id)),
        };
        if old.is_some() {
            counters.tally.leave(&job.record);
        }
        if let Some(stamp) = change.stamp {
            job.spec.stamp = stamp;
        }
        if let Some(record) = change.record {
            job.record = record;
        }
        self.append_attempts(&change.ended, &mut job.runs, counters)?;
        let came = old.as_ref().is_none_or(|old| old.state != job.record.state);
        if came {
            written.history.ended(&job);
        }
        written.troubles.wrote(&store.memory().troubles, &job, &change.ended, came);
        if change.purge && job.record.state.is_final() {
            return self.forget(&job, old, store, written);
        }
        counters.tally.enter(&job.record);
        let new = Stand::of(&job);
        let was_running = old.as_ref().is_some_and(|old| old.state == JobState::Running);
        self.reindex(id, old, new, store, written)?;
        let bytes = job.to_bytes()?;
        if job.record.state == JobState::Running {
            self.hot.insert(id.0, bytes.as_slice())?;
        } else {
            if was_running {
                self.hot.remove(id.0)?;
            }
            self.cold.insert(id.0, bytes.as_slice())?;
        }
        Ok(())
    }

    fn append_attempts(
        &mut self,
        ended: &[AttemptRecord],
        runs: &mut Vec<Run>,
        counters: &mut Counters,
    ) -> Result<(), StoreError> {
        for record in ended {
            // One that was given up for lost and then reported is one attempt: what it reported counts.
            let is_same = |run: &Run| (run.task, run.no) == (record.attempt.task, record.attempt.no);
            if let Some(run) = runs.iter_mut().find(|run| is_same(run)) {
                self.attempts.insert(run.at, record.to_bytes()?.as_slice())?;
                run.lease = record.lease;
                continue;
            }
            counters.last_attempt += 1;
            self.attempts.insert(counters.last_attempt, record.to_bytes()?.as_slice())?;
            let at = counters.last_attempt;
            runs.push(Run { task: record.attempt.task, no: record.attempt.no, lease: record.lease, at });
        }
        let surplus = runs.len().saturating_sub(RUNS_MAX);
        for old in runs.drain(..surplus) {
            self.attempts.remove(old.at)?;
        }
        Ok(())
    }

    /// Moves the job from where it stood to where it stands.
    fn reindex(
        &mut self,
        id: JobId,
        old: Option<Stand>,
        new: Stand,
        store: &Store,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let (old_cause, new_cause) = (old.as_ref().and_then(Stand::cause), new.cause());
        if old_cause != new_cause {
            if let Some(key) = old_cause {
                self.causes.remove(key, id.0)?;
            }
            if let Some(key) = new_cause {
                self.causes.insert(key, id.0)?;
            }
        }
        if old.as_ref().is_some_and(|old| old.keys == new.keys && old.facet == new.facet) {
            return Ok(());
        }
        let (come, waits) = new.keys;
        let gone = old.as_ref().map(|old| old.keys.0);
        let known = store.memory();
        let no = written.facets.enter(&known.facets, new.facet);
        if let Some(old) = old {
            written.facets.leave(&known.facets, old.facet);
            let kept = [Some(come), waits];
            for key in
                [Some(old.keys.0), old.keys.1].into_iter().flatten().filter(|key| !kept.contains(&Some(*key)))
            {
                self.index.remove(key)?;
            }
        }
        for key in [Some(come), waits].into_iter().flatten() {
            self.index.insert(key, no)?;
        }
        if gone != Some(come) {
            written.moves.push((gone, Some(come)));
        }
        Ok(())
    }

    /// Every trace of the job goes; what it did stays in the history.
    fn forget(
        &mut self,
        job: &StoredJob,
        old: Option<Stand>,
        store: &Store,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let id = job.record.id;
        self.hot.remove(id.0)?;
        self.cold.remove(id.0)?;
        for run in &job.runs {
            self.attempts.remove(run.at)?;
        }
        let Some(old) = old else { return Ok(()) };
        if let Some(key) = old.cause() {
            self.causes.remove(key, id.0)?;
        }
        for key in [Some(old.keys.0), old.keys.1].into_iter().flatten() {
            self.index.remove(key)?;
        }
        written.moves.push((Some(old.keys.0), None));
        written.facets.leave(&store.memory().facets, old.facet);
        Ok(())
    }
}
