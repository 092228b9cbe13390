//! Why the store said no.

use std::path::PathBuf;

use vc_protocol::id::{JobId, ProfileId, RootId};

use super::row::RowError;

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state folder cannot be made or used.
    #[error("use the state folder {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another console has it.
    #[error("open {path}: another console{} uses this state folder; stop it or give another --state-dir",
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// The file.
        path: PathBuf,
        /// The other's process, if it left its number.
        pid: Option<u32>,
    },
    /// Written by a newer program.
    #[error(
        "open {path}: written by vc-console {written_by} (schema {schema}), this build knows schema {known}; upgrade it"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of the program that wrote it.
        written_by: String,
        /// Its schema.
        schema: u32,
        /// The newest schema that this build knows.
        known: u32,
    },
    /// The file cannot be opened.
    #[error("open {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<redb::Error>,
    },
    /// The file cannot be read or written.
    #[error("use the job table")]
    Storage(#[source] Box<redb::Error>),
    /// A row is damaged or newer.
    #[error("use a row of the job table")]
    Row(#[from] RowError),
    /// The file contradicts itself.
    #[error("read job {0}: its rows do not fit together")]
    Damaged(JobId),
    /// A folder that was never stored.
    #[error("read folder {0}: not in the table")]
    NoRoot(RootId),
    /// A profile that was never stored.
    #[error("read profile {0}: not in the table")]
    NoProfile(ProfileId),
    /// Only an index sorts so many.
    #[error(
        "more than {max} jobs cannot be sorted by {by}: narrow the filter, or sort by state, id, priority or updated"
    )]
    TooManyToSort {
        /// By what.
        by: &'static str,
        /// The most that can be.
        max: u64,
    },
    /// The file is closed after an error and not open again yet.
    #[error("use the job table: it is closed after an error")]
    Closed,
}

macro_rules! storage {
    ($($error:ty),*) => {
        $(impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                StoreError::Storage(Box::new(error.into()))
            }
        })*
    };
}
storage!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);
