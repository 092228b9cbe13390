//! One turn of the engine: everything that changed, written in one durable transaction or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use redb::WriteTransaction;
use vc_farm::record::{AgentRecord, AttemptRecord, FarmRecord, JobRecord};
use vc_protocol::device::Device;
use vc_protocol::id::{AgentId, JobId, ProfileId, RootId};
use vc_protocol::job::{FileStamp, JobSpec};
use vc_protocol::profile::NamedProfile;

use super::event;
use super::intake;
use super::memory::Remembered;
use super::row::Row;
use super::shape::{Counters, EventRow, RootRow, Seen, index_job};
use super::tables;
use super::write::{self, Moves};
use super::{META_COUNTERS, Store, StoreError, begin_write};

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
    pub(super) ended: Vec<AttemptRecord>,
    pub(super) stamp: Option<FileStamp>,
    /// Every trace of it goes.
    pub(super) purge: bool,
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

    /// Forgets a job in a final state; its source can be added again, in this very turn, unless it was not worth it.
    pub fn purge(&mut self, job: JobId) -> Result<(), StoreError> {
        let changed = self.changes.get(&job).and_then(|change| change.record.as_ref());
        write::free_claims(intake::txn(&mut self.txn, self.store)?, self.store, job, changed)?;
        self.changes.entry(job).or_default().purge = true;
        Ok(())
    }

    /// This turn forgets the job.
    pub fn is_purged(&self, job: JobId) -> bool {
        self.changes.get(&job).is_some_and(|change| change.purge)
    }

    /// Something happened.
    pub fn note(&mut self, event: EventRow) {
        self.events.push(event);
    }

    /// An agent connected, and this is what it is like.
    pub fn saw(&mut self, agent: AgentId, seen: Seen) {
        if self.store.memory().seen.get(&agent).is_none_or(|known| **known != seen) {
            self.seen.insert(agent, seen);
        }
    }

    /// A connected agent offers other devices.
    pub fn saw_devices(&mut self, agent: AgentId, devices: &[Device]) {
        let known = self.seen.get(&agent).cloned();
        let known = known.or_else(|| self.store.memory().seen.get(&agent).map(|seen| seen.as_ref().clone()));
        if let Some(known) = known.filter(|known| known.devices != devices) {
            self.seen.insert(agent, Seen { devices: devices.to_vec(), ..known });
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
        let written = write::jobs(&txn, self.store, std::mem::take(&mut self.changes), &mut counters)?;
        let days = written.history.write(&txn, &self.store.memory().days)?;
        written.facets.write(&txn)?;
        written.troubles.write(&txn)?;
        event::write(&txn, std::mem::take(&mut self.events), &mut counters)?;
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
        let _no_view = self.store.shared.gate.write().unwrap_or_else(PoisonError::into_inner);
        txn.commit()?;
        let mut memory = self.store.memory();
        memory.counters = counters;
        memory.seen.extend(self.seen.into_iter().map(|(id, seen)| (id, Arc::new(seen))));
        memory.roots.extend(self.new_roots);
        memory.profiles.extend(self.new_profiles.into_iter().map(|(id, profile)| (id, Arc::new(profile))));
        written.facets.keep(&mut memory.facets);
        written.troubles.keep(&mut memory.troubles);
        if let Some(days) = days {
            memory.days = days;
        }
        let last = memory.counters.last_event;
        drop(memory);
        self.store.shared.last_event.send_if_modified(|known| std::mem::replace(known, last) != last);
        follow(self.store, &written.moves)
    }
}

fn follow(store: &Store, moves: &Moves) -> Result<(), StoreError> {
    if moves.is_empty() {
        return Ok(());
    }
    let mut ranks = store.shared.ranks.lock().unwrap_or_else(PoisonError::into_inner);
    for (gone, come) in moves {
        match (gone, come) {
            (None, Some(come)) => ranks.add(index_job(*come)),
            (Some(gone), None) => ranks.forget(index_job(*gone)),
            (Some(_), Some(_)) | (None, None) => {}
        }
        gone.iter().for_each(|key| ranks.remove(*key));
        come.iter().for_each(|key| ranks.insert(*key));
    }
    if ranks.needs_split() {
        ranks.split(&tables::Tables::open(&*store.db()?)?.index)?;
    }
    Ok(())
}
