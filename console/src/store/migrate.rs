//! Brings the file of an older release up to this one, at its first opening, in the same transaction that stamps it.
//!
//! What is large is left as it lies: a job's row has not changed, and attempts and events are read by the version that
//! each row begins with.

use std::path::Path;

use redb::{MultimapTableDefinition, ReadableTable, TableDefinition, WriteTransaction};
use vc_protocol::job::JobState;
use vc_protocol::profile::NamedProfile;

use super::facet::{Facet, FacetChanges, Facets};
use super::row::Row;
use super::shape::{StoredJob, index_key, waiting_key};
use super::{StoreError, tables};

/// The index of schema 1: without facets, and without what waits by its last change.
const INDEX_1: TableDefinition<'_, (u8, u8, u64, u64), ()> = TableDefinition::new("index");
/// Causes of schema 1: word for word.
const CAUSES_1: MultimapTableDefinition<'_, (u8, &str), u64> = MultimapTableDefinition::new("causes");

/// Takes every step from that schema to this one.
pub(super) fn migrate(txn: &WriteTransaction, path: &Path, from: u32) -> Result<(), StoreError> {
    let began = std::time::Instant::now();
    if from < 2 {
        make_ways(txn)?;
    }
    if from < 3 {
        rewrite_profiles(txn)?;
    }
    tracing::info!(
        path = %path.display(),
        took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "the job table of schema {from} was brought up to date"
    );
    Ok(())
}

/// Schema 2: rows of jobs are as they were; everything that leads to them is made anew in one pass over them.
fn make_ways(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.delete_table(INDEX_1)?;
    txn.delete_multimap_table(CAUSES_1)?;
    let hot = txn.open_table(tables::HOT)?;
    let cold = txn.open_table(tables::COLD)?;
    let mut causes = txn.open_multimap_table(tables::CAUSES)?;
    let (none, mut facets, mut entries) = (Facets::default(), FacetChanges::default(), Vec::new());
    let running = hot.iter()?.map(|entry| Ok((entry?, true)));
    for entry in running.chain(cold.iter()?.map(|entry| Ok::<_, StoreError>((entry?, false)))) {
        let ((id, row), runs) = entry?;
        // A running job's other row is the one that it had before it ran.
        if !runs && hot.get(id.value())?.is_some() {
            continue;
        }
        let job = StoredJob::from_bytes(row.value())?;
        let facet = Facet::of(&job);
        if matches!(facet.state, JobState::Failed | JobState::Held) {
            causes.insert((facet.state as u8, facet.cause.as_deref().unwrap_or_default()), id.value())?;
        }
        let no = facets.enter(&none, facet);
        entries.push((index_key(&job.record), no));
        entries.extend(waiting_key(&job.record).map(|key| (key, no)));
    }
    // In order each page of the index is written once.
    entries.sort_unstable();
    let mut index = txn.open_table(tables::INDEX)?;
    for (key, no) in entries {
        index.insert(key, no)?;
    }
    facets.write(txn)
}

/// Schema 3: recipes say more. They are few, and all are read at each start: written anew under their numbers.
fn rewrite_profiles(txn: &WriteTransaction) -> Result<(), StoreError> {
    let mut profiles = txn.open_table(tables::PROFILES)?;
    let mut known = Vec::new();
    for entry in profiles.iter()? {
        let (id, row) = entry?;
        known.push((id.value(), NamedProfile::from_bytes(row.value())?));
    }
    for (id, profile) in known {
        profiles.insert(id, profile.to_bytes()?.as_slice())?;
    }
    Ok(())
}
