//! Looks at a table from outside, for `doctor`: whether it opens, and who has it. Changes nothing.

use std::path::Path;

use redb::{DatabaseError, ReadOnlyDatabase};

use super::{FILE_NAME, PID_NAME};

/// How a table looks from outside.
#[derive(Debug)]
pub enum Looked {
    /// There is none yet.
    Missing,
    /// It opens.
    Fine,
    /// It opens after a repair, which a server does at its start.
    NeedsRepair,
    /// A process has it.
    InUse,
    /// It does not open, with the reason.
    Broken(String),
}

/// The process that opened the table of this folder last, as it wrote down itself.
pub fn holder(dir: &Path) -> Option<u32> {
    std::fs::read_to_string(dir.join(PID_NAME)).ok()?.trim().parse().ok()
}

/// Opens the table of this folder for a moment. A server that starts in that moment finds it taken, so nothing but a
/// person who looks for a fault does this.
pub fn look(dir: &Path) -> Looked {
    let path = dir.join(FILE_NAME);
    if !path.exists() {
        return Looked::Missing;
    }
    match ReadOnlyDatabase::open(&path) {
        Ok(_) => Looked::Fine,
        Err(DatabaseError::DatabaseAlreadyOpen) => Looked::InUse,
        Err(DatabaseError::RepairAborted) => Looked::NeedsRepair,
        Err(error) => Looked::Broken(error.to_string()),
    }
}
