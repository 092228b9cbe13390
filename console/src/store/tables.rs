//! Every table of the job store: the only place with their names and types.
//!
//! The registry of agents keeps its own tables in the same file.

use redb::{MultimapTableDefinition, ReadableDatabase, TableDefinition, WriteTransaction};

use super::StoreError;
use super::facet::FacetNo;
use super::history::SumsKey;

/// A job's place in its state: state, then three numbers that sort the state's jobs; see [`super::shape::index_key`].
pub(super) type IndexKey = (u8, u8, u64, u64);

/// Facts about the file: schema, program that wrote it, counters.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Running jobs: small, so that what changes together lies together. An attempt's changes are written here; the big
/// table is touched once when a job leaves it and once when it comes back.
pub(super) const HOT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("jobs_running");
/// All others, whole rows by number. A running job's row here is the one it had before it ran.
pub(super) const COLD: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("jobs");
/// Every job once, sorted within its state, with its facet; pending ones once more by their last change.
pub(super) const INDEX: TableDefinition<'_, IndexKey, FacetNo> = TableDefinition::new("places");
/// What jobs have in common, with how many they are.
pub(super) const FACETS: TableDefinition<'_, FacetNo, &[u8]> = TableDefinition::new("facets");
/// Name of a cause to what is remembered of it.
pub(super) const TROUBLES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("troubles");
/// Day, kind and number to the sums of what ended then.
pub(super) const HISTORY: TableDefinition<'_, SumsKey, &[u8]> = TableDefinition::new("history");
/// Source with recipe and output folder to the newest job made of it.
pub(super) const SOURCES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("sources");
/// Source with recipe and output folder to what the source was when it was not worth it, of jobs that were purged. Made
/// with its first row.
pub(super) const DECLINED: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("declined");
/// Absolute path of an output to the one job that may make it.
pub(super) const OUTPUTS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("outputs");
/// Folder number to what it is for and its absolute path.
pub(super) const ROOTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("roots");
/// Profile number to the recipe with its name; a changed recipe is a new number.
pub(super) const PROFILES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("profiles");
/// Batch number to when and from where it came.
pub(super) const BATCHES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("batches");
/// Attempts that ended, numbered as they ended, so that new ones are neighbours; jobs point here.
pub(super) const ATTEMPTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("attempts");
/// The last things that happened, numbered as they happened.
pub(super) const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
/// What an agent was like when it was last connected.
pub(super) const AGENTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("agents_seen");
/// What is remembered of an agent and its devices: drained, quarantined.
pub(super) const REMEMBERED: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("agents_remembered");
/// State and name of the cause to the failed and held jobs that have it.
pub(super) const CAUSES: MultimapTableDefinition<'_, (u8, &str), u64> =
    MultimapTableDefinition::new("causes");

/// Makes every table: one that was never written cannot be read.
pub(super) fn create_all(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(META)?;
    for table in [HOT, COLD, ATTEMPTS, EVENTS] {
        txn.open_table(table)?;
    }
    for table in [SOURCES, OUTPUTS] {
        txn.open_table(table)?;
    }
    for table in [ROOTS, PROFILES, BATCHES, AGENTS, REMEMBERED] {
        txn.open_table(table)?;
    }
    txn.open_table(INDEX)?;
    txn.open_table(FACETS)?;
    txn.open_table(TROUBLES)?;
    txn.open_table(HISTORY)?;
    txn.open_multimap_table(CAUSES)?;
    Ok(())
}

/// Every table of jobs, opened on one snapshot of the file.
pub(super) struct Tables {
    pub(super) hot: Read<u64, &'static [u8]>,
    pub(super) cold: Read<u64, &'static [u8]>,
    pub(super) index: Read<IndexKey, FacetNo>,
    pub(super) sources: Read<&'static [u8], u64>,
    pub(super) outputs: Read<&'static [u8], u64>,
    pub(super) declined: Option<Read<&'static [u8], &'static [u8]>>,
    pub(super) attempts: Read<u64, &'static [u8]>,
    pub(super) events: Read<u64, &'static [u8]>,
    pub(super) history: Read<SumsKey, &'static [u8]>,
    pub(super) causes: redb::ReadOnlyMultimapTable<(u8, &'static str), u64>,
}

type Read<K, V> = redb::ReadOnlyTable<K, V>;

impl Tables {
    pub(super) fn open(db: &redb::Database) -> Result<Self, StoreError> {
        let txn = db.begin_read()?;
        Ok(Tables {
            hot: txn.open_table(HOT)?,
            cold: txn.open_table(COLD)?,
            index: txn.open_table(INDEX)?,
            sources: txn.open_table(SOURCES)?,
            outputs: txn.open_table(OUTPUTS)?,
            declined: match txn.open_table(DECLINED) {
                Ok(table) => Some(table),
                Err(redb::TableError::TableDoesNotExist(_)) => None,
                Err(error) => return Err(error.into()),
            },
            attempts: txn.open_table(ATTEMPTS)?,
            events: txn.open_table(EVENTS)?,
            history: txn.open_table(HISTORY)?,
            causes: txn.open_multimap_table(CAUSES)?,
        })
    }
}
