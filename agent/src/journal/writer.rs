//! The thread that writes the journal: one flush of the folder for all that was waiting.
//!
//! What waits is a map, not a queue: the newest change of an attempt replaces an older one, so that it is bounded by
//! the attempts held, whatever the disk does.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use vc_protocol::id::AttemptId;

use crate::told;

use super::{ASIDE, JournalError, Record, file_name, load, to_bytes};

type Answer = oneshot::Sender<Result<(), JournalError>>;

/// The open journal. Changes of one attempt take effect in the order in which they were made.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    changes: BTreeMap<AttemptId, Change>,
    closed: bool,
}

#[derive(Debug)]
enum Change {
    Keep(Box<Record>, Option<Answer>),
    Forget,
}

impl Journal {
    /// Opens the journal in a folder, made if missing, with all that an earlier process left.
    pub fn open(dir: &Path) -> Result<(Journal, Vec<Record>), JournalError> {
        let at = |e| JournalError::Open(dir.to_owned(), e);
        fs::create_dir_all(dir).map_err(at)?;
        let records = load(dir).map_err(at)?;
        let shared = Arc::new(Shared::default());
        let folder = dir.to_owned();
        let theirs = shared.clone();
        let thread =
            std::thread::Builder::new().name("journal".into()).spawn(move || write_all(&theirs, &folder));
        let thread = Mutex::new(Some(thread.map_err(at)?));
        Ok((Journal { shared, thread }, records))
    }

    /// Keeps a record; it is on disk when this returns.
    pub async fn keep(&self, record: Record) -> Result<(), JournalError> {
        let (answer, answered) = oneshot::channel();
        self.change(record.attempt(), Change::Keep(Box::new(record), Some(answer)));
        answered.await.unwrap_or(Err(JournalError::Closed))
    }

    /// Keeps a record as soon as the disk allows; a failure is only logged.
    pub fn keep_soon(&self, record: Record) {
        self.change(record.attempt(), Change::Keep(Box::new(record), None));
    }

    /// Forgets an attempt as soon as the disk allows. One that comes back is told again, and that is harmless.
    pub fn forget(&self, attempt: AttemptId) {
        self.change(attempt, Change::Forget);
    }

    /// Writes what still waits, then ends the thread. Blocks for as long as the disk takes.
    pub fn close(&self) {
        lock(&self.shared.waiting).closed = true;
        self.shared.changed.notify_one();
        let thread = lock(&self.thread).take();
        if thread.is_some_and(|t| t.join().is_err()) {
            tracing::error!("journal: its thread ended by a panic");
        }
    }

    fn change(&self, attempt: AttemptId, change: Change) {
        let mut waiting = lock(&self.shared.waiting);
        if waiting.closed {
            return;
        }
        // An answer that waited for the replaced record hears that it is closed, and its owner goes on without.
        waiting.changes.insert(attempt, change);
        drop(waiting);
        self.shared.changed.notify_one();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all(shared: &Shared, dir: &Path) {
    loop {
        let mut waiting = lock(&shared.waiting);
        while waiting.changes.is_empty() {
            if waiting.closed {
                return;
            }
            waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let changes = std::mem::take(&mut waiting.changes);
        drop(waiting);
        perform(dir, changes);
    }
}

fn perform(dir: &Path, changes: BTreeMap<AttemptId, Change>) {
    let mut written: Vec<(PathBuf, Option<Answer>)> = Vec::new();
    for (attempt, change) in changes {
        let path = dir.join(file_name(attempt));
        match change {
            Change::Keep(record, answer) => match write(&path, &record) {
                Ok(()) => written.push((path, answer)),
                Err(error) => answer_or_log(answer, Err(error)),
            },
            Change::Forget => match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!("journal: remove {}: {e}", path.display());
                }
                _ => {}
            },
        }
    }
    if written.is_empty() {
        return;
    }
    let flushed = File::open(dir).and_then(|folder| folder.sync_all());
    for (path, answer) in written {
        // io::Error is not Clone; each record gets its own copy of the reason.
        let result = match &flushed {
            Ok(()) => Ok(()),
            Err(e) => Err(JournalError::Write(path, io::Error::new(e.kind(), e.to_string()))),
        };
        answer_or_log(answer, result);
    }
}

fn answer_or_log(answer: Option<Answer>, result: Result<(), JournalError>) {
    match answer {
        // Who asked may have been stopped meanwhile.
        Some(answer) => drop(answer.send(result)),
        None => {
            if let Err(error) = result {
                tracing::warn!("failed to {}", told::chain(&error));
            }
        }
    }
}

fn write(path: &Path, record: &Record) -> Result<(), JournalError> {
    let bytes = to_bytes(record)?;
    let mut aside = path.as_os_str().to_owned();
    aside.push(".");
    aside.push(ASIDE);
    let aside = PathBuf::from(aside);
    let at = |e| JournalError::Write(path.to_owned(), e);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&aside).map_err(at)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(at)?;
    fs::rename(&aside, path).map_err(at)
}
