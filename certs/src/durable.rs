//! Small files that must be whole or not there: written aside, flushed, put in place, folder flushed.
//!
//! All of them are readable by their owner alone, and so is their folder.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::CertsError;

/// Largest file read here; keys and a few certificates are under 16 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Makes the folder if it is missing and keeps others out of it.
pub(crate) fn private_dir(dir: &Path) -> Result<(), CertsError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(CertsError::file("make the folder", dir))?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
        .map_err(CertsError::file("keep others out of the folder", dir))?;
    // A farm's keys must not vanish with their folder at a power cut, after agents were signed with them.
    sync_dir(dir)
}

/// Puts a new file in place; fails if one of that name is there.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), CertsError> {
    let aside = write_aside(path, bytes)?;
    fs::hard_link(&aside, path).map_err(CertsError::file("create", path))?;
    fs::remove_file(&aside).map_err(CertsError::file("remove", &aside))?;
    sync_dir(path)
}

/// Puts a file in place of whatever has that name.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CertsError> {
    let aside = write_aside(path, bytes)?;
    fs::rename(&aside, path).map_err(CertsError::file("replace", path))?;
    sync_dir(path)
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), CertsError> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(path),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(CertsError::file("remove", path)(e)),
    }
}

/// The content, or nothing if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, CertsError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(CertsError::file("open", path)(e)),
    };
    // Full capacity at once: a vector that grows leaves copies of a key behind.
    let len = file.metadata().map_err(CertsError::file("look at", path))?.len();
    if len > FILE_BYTES_MAX {
        return Err(CertsError::content(path, "it is too long"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(len as usize + 1));
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(CertsError::file("read", path))?;
    Ok(Some(bytes))
}

fn write_aside(path: &Path, bytes: &[u8]) -> Result<PathBuf, CertsError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let aside = PathBuf::from(name);
    // One left by a crash; the folder is ours alone.
    remove(&aside)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)
        .map_err(CertsError::file("create", &aside))?;
    file.write_all(bytes).map_err(CertsError::file("write", &aside))?;
    file.sync_all().map_err(CertsError::file("flush", &aside))?;
    Ok(aside)
}

fn sync_dir(path: &Path) -> Result<(), CertsError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(CertsError::file("flush the folder", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_whole_and_never_overwritten_by_create() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("keys");
        private_dir(&dir).unwrap();
        let path = dir.join("a.key");
        assert!(read(&path).unwrap().is_none());
        create(&path, b"one").unwrap();
        assert!(create(&path, b"two").is_err());
        assert_eq!(read(&path).unwrap().unwrap().as_slice(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(read(&path).unwrap().unwrap().as_slice(), b"three");
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&path)), (0o700, 0o600));
    }
}
