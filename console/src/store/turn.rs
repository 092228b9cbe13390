//! One turn of the engine: everything that changed, written in one durable transaction or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use redb::{MultimapTable, ReadableTable, Table, WriteTransaction};
use vc_farm::record::{AgentRecord, AttemptRecord, FarmRecord, JobRecord, Reason};
use vc_protocol::id::{AgentId, JobId, ProfileId, RootId};
use vc_protocol::job::{FileStamp, JobSpec, JobState};
use vc_protocol::profile::NamedProfile;

use super::memory::Remembered;
use super::row::Row;
use super::shape::{Counters, EventRow, RUNS_MAX, RootRow, Run, Seen, StoredJob, index_key};
use super::tables::{self, IndexKey};
use super::{META_COUNTERS, Store, StoreError, begin_write};

/// Events kept: enough for a look back over a busy night, a few hundred kilobytes.
const EVENTS_MAX: u64 = 10_000;

/// Changes that become durable together. Dropped without a commit, nothing happened.
pub struct Turn<'s> {
    pub(super) store: &'s Store,
    /// Begun by the first write that has to read as well.
    pub(super) txn: Option<WriteTransaction>,
    pub(super) counters: Counters,
    pub(super) changes: BTreeMap<JobId, Change>,
    events: Vec<EventRow>,
    seen: BTreeMap<AgentId, Seen>,
    remembered: Remembered,
    pub(super) new_roots: Vec<(RootId, RootRow)>,
    pub(super) new_profiles: Vec<(ProfileId, NamedProfile)>,
}

#[derive(Default)]
pub(super) struct Change {
    /// Of a job that this turn added.
    pub(super) spec: Option<JobSpec>,
    pub(super) record: Option<JobRecord>,
    ended: Vec<AttemptRecord>,
    pub(super) stamp: Option<FileStamp>,
}

impl<'s> Turn<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Turn {
            counters: store.memory().counters.clone(),
            store,
            txn: None,
            changes: BTreeMap::new(),
            events: Vec::new(),
            seen: BTreeMap::new(),
            remembered: Remembered::default(),
            new_roots: Vec::new(),
            new_profiles: Vec::new(),
        }
    }

    /// The job's row is now this; the last one of a turn counts.
    pub fn put_job(&mut self, record: JobRecord) {
        let id = record.id;
        self.changes.entry(id).or_default().record = Some(record);
    }

    /// An attempt ended.
    pub fn put_attempt(&mut self, record: AttemptRecord) {
        self.changes.entry(record.attempt.job).or_default().ended.push(record);
    }

    /// The job is now about its source as it is stamped here.
    pub fn restamp(&mut self, job: JobId, stamp: FileStamp) {
        self.changes.entry(job).or_default().stamp = Some(stamp);
    }

    /// Something happened.
    pub fn note(&mut self, at_ms: i64, text: String, job: Option<JobId>) {
        self.events.push(EventRow { at_ms, text, job });
    }

    /// An agent connected, and this is what it is like.
    pub fn saw(&mut self, agent: AgentId, seen: Seen) {
        if self.store.memory().seen.get(&agent).is_none_or(|known| **known != seen) {
            self.seen.insert(agent, seen);
        }
    }

    /// What is remembered of the farm is now this.
    pub fn put_farm(&mut self, record: FarmRecord) {
        self.remembered.farm = Some(record);
    }

    /// What is remembered of an agent is now this.
    pub fn put_agent(&mut self, agent: AgentId, record: AgentRecord) {
        self.remembered.agents.insert(agent, record);
    }

    /// The row that this turn will write of a job.
    pub fn changed(&self, job: JobId) -> Option<&JobRecord> {
        self.changes.get(&job)?.record.as_ref()
    }

    /// Jobs that a commit would write, as a measure of how long it takes. What is only appended costs next to nothing.
    pub fn jobs(&self) -> usize {
        self.changes.len()
    }

    /// Whether a commit would write nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.events.is_empty()
            && self.seen.is_empty()
            && self.remembered.is_empty()
            && self.new_roots.is_empty()
            && self.new_profiles.is_empty()
    }

    /// Makes it all durable. On an error nothing is, and [`Store::reopen`] comes before the next turn.
    pub fn commit(mut self) -> Result<(), StoreError> {
        if self.is_empty() {
            // A scan may have taken a batch number without a row; it becomes durable with its first job.
            self.store.memory().counters = self.counters;
            return Ok(());
        }
        let txn = match self.txn.take() {
            Some(txn) => txn,
            None => begin_write(&*self.store.db()?)?,
        };
        let mut counters = std::mem::take(&mut self.counters);
        let moves = write_jobs(&txn, std::mem::take(&mut self.changes), &mut counters)?;
        write_events(&txn, std::mem::take(&mut self.events), &mut counters)?;
        for (agent, seen) in &self.seen {
            txn.open_table(tables::AGENTS)?.insert(agent.0, seen.to_bytes()?.as_slice())?;
        }
        self.remembered.write(&txn)?;
        counters.revision += 1;
        txn.open_table(tables::META)?.insert(META_COUNTERS, counters.to_bytes()?.as_slice())?;
        #[cfg(test)]
        if self.store.shared.fail_next_commit.swap(false, std::sync::atomic::Ordering::SeqCst) {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(redb::StorageError::Io(full).into());
        }
        txn.commit()?;
        let mut memory = self.store.memory();
        memory.counters = counters;
        memory.seen.extend(self.seen.into_iter().map(|(id, seen)| (id, Arc::new(seen))));
        memory.roots.extend(self.new_roots);
        memory.profiles.extend(self.new_profiles.into_iter().map(|(id, profile)| (id, Arc::new(profile))));
        drop(memory);
        follow(self.store, &moves)
    }
}

/// Index keys that went and came.
type Moves = Vec<(Option<IndexKey>, Option<IndexKey>)>;

fn follow(store: &Store, moves: &Moves) -> Result<(), StoreError> {
    if moves.is_empty() {
        return Ok(());
    }
    let mut ranks = store.shared.ranks.lock().unwrap_or_else(PoisonError::into_inner);
    for (gone, come) in moves {
        gone.iter().for_each(|key| ranks.remove(*key));
        come.iter().for_each(|key| ranks.insert(*key));
    }
    if ranks.needs_split() {
        ranks.split(&tables::Tables::open(&*store.db()?)?.index)?;
    }
    Ok(())
}

fn write_events(
    txn: &WriteTransaction,
    events: Vec<EventRow>,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut table = txn.open_table(tables::EVENTS)?;
    for event in events {
        counters.last_event += 1;
        table.insert(counters.last_event, event.to_bytes()?.as_slice())?;
        if let Some(old) = counters.last_event.checked_sub(EVENTS_MAX) {
            table.remove(old)?;
        }
    }
    Ok(())
}

/// The tables that a changed job touches.
struct JobTables<'t> {
    hot: Table<'t, u64, &'static [u8]>,
    cold: Table<'t, u64, &'static [u8]>,
    index: Table<'t, IndexKey, ()>,
    attempts: Table<'t, u64, &'static [u8]>,
    causes: MultimapTable<'t, (u8, &'static str), u64>,
}

fn write_jobs(
    txn: &WriteTransaction,
    changes: BTreeMap<JobId, Change>,
    counters: &mut Counters,
) -> Result<Moves, StoreError> {
    let mut moves = Moves::new();
    if changes.is_empty() {
        return Ok(moves);
    }
    let mut tables = JobTables {
        hot: txn.open_table(tables::HOT)?,
        cold: txn.open_table(tables::COLD)?,
        index: txn.open_table(tables::INDEX)?,
        attempts: txn.open_table(tables::ATTEMPTS)?,
        causes: txn.open_multimap_table(tables::CAUSES)?,
    };
    for (id, change) in changes {
        let moved = tables.write(id, change, counters)?;
        if moved.0 != moved.1 {
            moves.push(moved);
        }
    }
    Ok(moves)
}

impl JobTables<'_> {
    fn write(
        &mut self,
        id: JobId,
        change: Change,
        counters: &mut Counters,
    ) -> Result<(Option<IndexKey>, Option<IndexKey>), StoreError> {
        let (old, mut job) = match (self.read(id)?, change.spec, &change.record) {
            (Some(job), _, _) => (Some(job.record.clone()), job),
            (None, Some(spec), Some(record)) => {
                (None, StoredJob { spec, record: record.clone(), runs: Vec::new() })
            }
            (None, _, _) => return Err(StoreError::Damaged(id)),
        };
        if let Some(stamp) = change.stamp {
            job.spec.stamp = stamp;
        }
        if let Some(record) = change.record {
            job.record = record;
        }
        self.append_attempts(change.ended, &mut job.runs, counters)?;
        let moved = self.reindex(old.as_ref(), &job.record, counters)?;
        let bytes = job.to_bytes()?;
        if job.record.state == JobState::Running {
            self.hot.insert(id.0, bytes.as_slice())?;
        } else {
            if old.is_some_and(|old| old.state == JobState::Running) {
                self.hot.remove(id.0)?;
            }
            self.cold.insert(id.0, bytes.as_slice())?;
        }
        Ok(moved)
    }

    fn read(&self, id: JobId) -> Result<Option<StoredJob>, StoreError> {
        if let Some(row) = self.hot.get(id.0)? {
            return Ok(Some(StoredJob::from_bytes(row.value())?));
        }
        Ok(match self.cold.get(id.0)? {
            Some(row) => Some(StoredJob::from_bytes(row.value())?),
            None => None,
        })
    }

    fn append_attempts(
        &mut self,
        ended: Vec<AttemptRecord>,
        runs: &mut Vec<Run>,
        counters: &mut Counters,
    ) -> Result<(), StoreError> {
        for record in ended {
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

    /// Moves the job from where it stood to where it stands, in the index, the causes and the sums.
    fn reindex(
        &mut self,
        old: Option<&JobRecord>,
        new: &JobRecord,
        counters: &mut Counters,
    ) -> Result<(Option<IndexKey>, Option<IndexKey>), StoreError> {
        if let Some(old) = old {
            counters.tally.leave(old);
        }
        counters.tally.enter(new);
        let (gone, come) = (old.map(index_key), index_key(new));
        if gone != Some(come) {
            if let Some(gone) = gone {
                self.index.remove(gone)?;
            }
            self.index.insert(come, ())?;
        }
        let (old_cause, new_cause) = (old.and_then(cause), cause(new));
        if old_cause != new_cause {
            if let Some(key) = old_cause {
                self.causes.remove(key, new.id.0)?;
            }
            if let Some(key) = new_cause {
                self.causes.insert(key, new.id.0)?;
            }
        }
        Ok((gone, Some(come)))
    }
}

/// Jobs that need a person are found by why.
fn cause(record: &JobRecord) -> Option<(u8, &str)> {
    let needs_person = matches!(record.state, JobState::Failed | JobState::Held);
    let text = record.reason.as_ref().map_or("", |Reason { text, .. }| text.as_str());
    needs_person.then_some((record.state as u8, text))
}
