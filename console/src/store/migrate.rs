//! Brings the file of an older release up to this one, at its first opening, in the same transaction that stamps it.

use std::path::Path;

use redb::{MultimapTableDefinition, ReadableTable, TableDefinition, WriteTransaction};
use vc_protocol::job::JobState;

use super::facet::{Facet, FacetChanges, Facets};
use super::row::Row;
use super::shape::{StoredJob, index_key, waiting_key};
use super::{StoreError, tables};

/// The index of schema 1: without facets, and without what waits by its last change.
const INDEX_1: TableDefinition<'_, (u8, u8, u64, u64), ()> = TableDefinition::new("index");
/// Causes of schema 1: word for word.
const CAUSES_1: MultimapTableDefinition<'_, (u8, &str), u64> = MultimapTableDefinition::new("causes");

/// Rows of jobs are as they were; everything that leads to them is made anew in one pass over them.
pub(super) fn migrate(txn: &WriteTransaction, path: &Path, from: u32) -> Result<(), StoreError> {
    let began = std::time::Instant::now();
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
    let jobs = entries.iter().filter(|(key, _)| key.0 != super::shape::WAITING).count();
    let mut index = txn.open_table(tables::INDEX)?;
    for (key, no) in entries {
        index.insert(key, no)?;
    }
    facets.write(txn)?;
    tracing::info!(
        path = %path.display(),
        jobs,
        took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "the job table of schema {from} was brought up to date"
    );
    Ok(())
}
