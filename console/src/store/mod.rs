//! The job store: one redb file that holds every job, attempt and event.
//!
//! Knows nothing of scheduling, sockets and the meaning of a transition: it writes the rows that the farm core made,
//! keeps its indexes equal to them, and decides alone which sources are new. One writer, the engine, with one durable
//! transaction a turn ([`Turn`]); readers ([`Reader`]) use snapshots and never wait for it.

mod error;
mod event;
mod facet;
mod find;
mod history;
mod intake;
mod look;
mod memory;
mod migrate;
mod older;
mod order;
mod page;
mod rank;
mod read;
mod row;
mod shape;
mod sorted;
mod tables;
mod trouble;
mod turn;
mod write;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, WriteTransaction};
use tokio::sync::watch;
use vc_protocol::id::{AgentId, ProfileId, RootId};
use vc_protocol::path::FilePath;
use vc_protocol::profile::NamedProfile;

pub use error::StoreError;
pub use intake::{AddSession, Added, Candidate};
pub use look::{Looked, holder, look};
pub use page::Query;
pub use read::{CauseGroup, Reader};
pub use row::RowError;
pub use shape::{EventRow, Seen, Tally};
pub use turn::Turn;

use facet::Facets;
use history::Days;
use page::Cursors;
use rank::Ranks;
use row::Row;
use shape::{Counters, RootRow};
use sorted::Sorted;
use tables::Tables;
use trouble::Troubles;

/// Name of the file in the state folder.
pub const FILE_NAME: &str = "farm.redb";
/// Name of the file that tells a second console who was first.
const PID_NAME: &str = "farm.pid";
/// Layout of the tables that this build reads and writes.
const SCHEMA: u32 = 3;
/// Memory for pages of the file: what a turn touches fits many times; behind it the system keeps the file in what
/// memory is free, so that more here would only be taken twice.
const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// How long a reopening waits for readers to let go of the old file handle.
const REOPEN_WAIT: Duration = Duration::from_millis(500);

const META_SCHEMA: &str = "schema";
const META_WRITTEN_BY: &str = "written_by";
const META_COUNTERS: &str = "counters";

/// The store; clones are the same one.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    /// None while the file is closed after an error.
    db: RwLock<Option<Arc<Database>>>,
    /// Taken for writing from a commit until memory says the same, so that whoever takes it for reading sees both alike.
    gate: RwLock<()>,
    memory: Mutex<Memory>,
    ranks: Mutex<Ranks>,
    cursors: Mutex<Cursors>,
    sorted: Mutex<Sorted>,
    /// Number of the last event, for those who follow them.
    last_event: watch::Sender<u64>,
    #[cfg(test)]
    fail_next_commit: std::sync::atomic::AtomicBool,
}

/// What is small and asked for all the time; always equal to the last commit.
#[derive(Default)]
struct Memory {
    counters: Counters,
    roots: BTreeMap<RootId, RootRow>,
    profiles: BTreeMap<ProfileId, Arc<NamedProfile>>,
    seen: BTreeMap<AgentId, Arc<Seen>>,
    facets: Facets,
    troubles: Troubles,
    days: Days,
}

impl Store {
    /// Opens or makes the store in this folder, for this process alone.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        std::fs::create_dir_all(dir).map_err(|source| StoreError::Folder { path: dir.to_owned(), source })?;
        let path = dir.join(FILE_NAME);
        let db = open_file(&path)?;
        let pid = dir.join(PID_NAME);
        std::fs::write(&pid, std::process::id().to_string())
            .map_err(|source| StoreError::Folder { path: pid, source })?;
        let (memory, ranks) = load(&db)?;
        let last_event = memory.counters.last_event;
        Ok(Store {
            shared: Arc::new(Shared {
                path,
                db: RwLock::new(Some(Arc::new(db))),
                gate: RwLock::default(),
                memory: Mutex::new(memory),
                ranks: Mutex::new(ranks),
                cursors: Mutex::default(),
                sorted: Mutex::default(),
                last_event: watch::Sender::new(last_event),
                #[cfg(test)]
                fail_next_commit: Default::default(),
            }),
        })
    }

    /// The database, for tables that others keep in the same file. Ask each time and let go soon: after a storage
    /// error the file is closed and opened again, which waits for all who hold this.
    pub fn db(&self) -> Result<Arc<Database>, StoreError> {
        let db = self.shared.db.read().unwrap_or_else(PoisonError::into_inner);
        db.clone().ok_or(StoreError::Closed)
    }

    /// Starts the next turn. The engine alone does this.
    pub fn turn(&self) -> Turn<'_> {
        Turn::new(self)
    }

    /// A snapshot of the last commit. Short-lived: while it lives, no page of the file is used again.
    pub fn reader(&self) -> Result<Reader<'_>, StoreError> {
        Ok(Reader::new(self, Tables::open(&*self.db()?)?))
    }

    /// Counts and sums of the last commit.
    pub fn tally(&self) -> Tally {
        self.memory().counters.tally
    }

    /// Grows with every commit that changed a job.
    pub fn revision(&self) -> u64 {
        self.memory().counters.revision
    }

    /// The path of a folder.
    pub fn root(&self, id: RootId) -> Result<FilePath, StoreError> {
        self.memory().roots.get(&id).map(RootRow::path).ok_or(StoreError::NoRoot(id))
    }

    /// Every folder.
    pub fn roots(&self) -> Vec<(RootId, FilePath)> {
        self.memory().roots.iter().map(|(id, root)| (*id, root.path())).collect()
    }

    /// A recipe.
    pub fn profile(&self, id: ProfileId) -> Result<Arc<NamedProfile>, StoreError> {
        self.memory().profiles.get(&id).cloned().ok_or(StoreError::NoProfile(id))
    }

    /// Agents as they were when last connected.
    pub fn seen(&self) -> BTreeMap<AgentId, Arc<Seen>> {
        self.memory().seen.clone()
    }

    /// Pending jobs that failed before.
    pub fn retrying(&self) -> u64 {
        self.memory().facets.retrying()
    }

    /// Number of the last event, whenever it grows.
    pub fn last_event(&self) -> watch::Receiver<u64> {
        self.shared.last_event.subscribe()
    }

    /// Bytes of the file.
    pub fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.shared.path).map_or(0, |m| m.len())
    }

    /// After a failed commit: closes the file and opens it again, so that memory is what the disk says.
    pub fn reopen(&self) -> Result<(), StoreError> {
        let _no_view = self.shared.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut slot = self.shared.db.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut db) = slot.take() {
            let deadline = std::time::Instant::now() + REOPEN_WAIT;
            loop {
                match Arc::try_unwrap(db) {
                    Ok(alone) => break drop(alone),
                    Err(shared) if std::time::Instant::now() > deadline => {
                        *slot = Some(shared);
                        return Err(StoreError::Closed);
                    }
                    Err(shared) => db = shared,
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let db = open_file(&self.shared.path)?;
        let (memory, ranks) = load(&db)?;
        *self.memory() = memory;
        *self.shared.ranks.lock().unwrap_or_else(PoisonError::into_inner) = ranks;
        *slot = Some(Arc::new(db));
        Ok(())
    }

    /// Writes what is there already, to see whether it can be written.
    pub fn try_write(&self) -> Result<(), StoreError> {
        let txn = begin_write(&*self.db()?)?;
        let counters = self.memory().counters.to_bytes()?;
        txn.open_table(tables::META)?.insert(META_COUNTERS, counters.as_slice())?;
        Ok(txn.commit()?)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next commit fail, as a full disk would.
    #[cfg(test)]
    pub(crate) fn fail_next_commit(&self) {
        self.shared.fail_next_commit.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

/// Every write is durable when its commit returns, and the file opens at once after a crash.
fn begin_write(db: &Database) -> Result<WriteTransaction, StoreError> {
    let mut txn = db.begin_write()?;
    txn.set_durability(redb::Durability::Immediate)?;
    txn.set_quick_repair(true);
    Ok(txn)
}

fn open_file(path: &Path) -> Result<Database, StoreError> {
    make_private(path).map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    let opened = redb::Builder::new().set_cache_size(CACHE_BYTES).create(path);
    let db = opened.map_err(|error| {
        if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
            return StoreError::InUse { path: path.to_owned(), pid: path.parent().and_then(holder) };
        }
        StoreError::Open { path: path.to_owned(), source: Box::new(error.into()) }
    })?;
    check_schema(&db, path)?;
    tidy(&db)?;
    Ok(db)
}

/// Tokens and paths of videos are in it: for nobody else's eyes, whoever made the folder.
fn make_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Stamps a new file, and refuses one that a newer program wrote before anything in it is touched.
fn check_schema(db: &Database, path: &Path) -> Result<(), StoreError> {
    let (schema, written_by) = {
        let txn = db.begin_read()?;
        match txn.open_table(tables::META) {
            Ok(meta) => {
                let schema = meta.get(META_SCHEMA)?.map(|v| v.value().to_vec());
                let by = meta.get(META_WRITTEN_BY)?.map(|v| String::from_utf8_lossy(v.value()).into_owned());
                (schema.and_then(|v| v.try_into().ok()).map(u32::from_le_bytes), by)
            }
            Err(redb::TableError::TableDoesNotExist(_)) => (None, None),
            Err(error) => return Err(error.into()),
        }
    };
    let ours = env!("CARGO_PKG_VERSION");
    if let Some(schema) = schema.filter(|schema| *schema > SCHEMA) {
        let written_by = written_by.unwrap_or_else(|| "of unknown version".to_owned());
        return Err(StoreError::Newer { path: path.to_owned(), written_by, schema, known: SCHEMA });
    }
    if schema == Some(SCHEMA) && written_by.as_deref() == Some(ours) {
        return Ok(());
    }
    let txn = begin_write(db)?;
    tables::create_all(&txn)?;
    if let Some(old) = schema.filter(|schema| *schema < SCHEMA) {
        migrate::migrate(&txn, path, old)?;
    }
    {
        let mut meta = txn.open_table(tables::META)?;
        meta.insert(META_SCHEMA, SCHEMA.to_le_bytes().as_slice())?;
        meta.insert(META_WRITTEN_BY, ours.as_bytes())?;
    }
    txn.commit()?;
    Ok(())
}

/// Drops what grew over its limit while the program ran.
fn tidy(db: &Database) -> Result<(), StoreError> {
    let txn = begin_write(db)?;
    if facet::tidy(&txn)? | trouble::tidy(&txn)? {
        txn.commit()?;
    }
    Ok(())
}

/// Reads what is kept in memory.
fn load(db: &Database) -> Result<(Memory, Ranks), StoreError> {
    let mut memory = Memory::default();
    let txn = db.begin_read()?;
    if let Some(row) = txn.open_table(tables::META)?.get(META_COUNTERS)? {
        memory.counters = Counters::from_bytes(row.value())?;
    }
    for entry in txn.open_table(tables::ROOTS)?.iter()? {
        let (id, path) = entry?;
        memory.roots.insert(RootId(id.value()), RootRow::from_bytes(path.value()));
    }
    for entry in txn.open_table(tables::PROFILES)?.iter()? {
        let (id, row) = entry?;
        memory.profiles.insert(ProfileId(id.value()), Arc::new(NamedProfile::from_bytes(row.value())?));
    }
    for entry in txn.open_table(tables::AGENTS)?.iter()? {
        let (id, row) = entry?;
        memory.seen.insert(AgentId(id.value()), Arc::new(Seen::from_bytes(row.value())?));
    }
    memory.facets = Facets::load(&txn.open_table(tables::FACETS)?)?;
    memory.troubles = trouble::load(&txn.open_table(tables::TROUBLES)?)?;
    memory.days = Days::load(&txn.open_table(tables::HISTORY)?)?;
    let ranks = Ranks::load(&txn.open_table(tables::INDEX)?)?;
    Ok((memory, ranks))
}

#[cfg(test)]
mod tests;
