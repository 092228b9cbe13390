//! Media on a file system that this box and the console both see.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use vc_protocol::job::{FileStamp, Offer, TEMP_FOLDER};
use vc_protocol::path::FilePath;
use vc_protocol::prove::{Challenge, RANGE_BYTES_MAX, RANGES_MAX, proof};

use super::error::words;
use super::{Boxed, Destination, PathMaps, Source, Storage, StorageError};

/// Sources and outputs by path.
#[derive(Debug, Clone, Default)]
pub struct Mounted {
    maps: PathMaps,
}

impl Mounted {
    /// With the folders mapped as they are mounted on this box.
    pub fn new(maps: PathMaps) -> Mounted {
        Mounted { maps }
    }
}

impl Storage for Mounted {
    fn fetch<'a>(&'a self, offer: &'a Offer) -> Boxed<'a, Result<Source, StorageError>> {
        let root = self.maps.apply(&offer.source_root.1);
        let file = offer.source.clone();
        Box::pin(aside(move || fetch(&root, &file), StorageError::Task))
    }

    fn destination<'a>(&'a self, offer: &'a Offer) -> Boxed<'a, Result<Destination, StorageError>> {
        let root = self.maps.apply(&offer.output_root.1);
        let file = offer.output.clone();
        Box::pin(aside(move || destination(root, &file), StorageError::Task))
    }

    fn prove<'a>(&'a self, challenge: &'a Challenge) -> Boxed<'a, Result<[u8; 32], String>> {
        let root = self.maps.apply(&challenge.path);
        let challenge = challenge.clone();
        Box::pin(aside(move || prove(&root, &challenge), "the task for it ended".to_owned()))
    }
}

/// Runs something that may block on a disk or a network mount on a thread where it may.
async fn aside<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
    died: E,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(died))
}

fn below(root: &Path, file: &FilePath) -> PathBuf {
    root.join(std::ffi::OsString::from_vec(file.0.clone()))
}

fn fetch(root: &Path, file: &FilePath) -> Result<Source, StorageError> {
    file.check_relative()?;
    let path = below(root, file);
    let meta = fs::metadata(&path).map_err(|source| match fs::metadata(root) {
        Ok(_) => StorageError::Source(source),
        Err(source) => StorageError::Root { path: root.display().to_string(), source },
    })?;
    // Checked before it is opened: opening a pipe that nobody writes to waits for ever.
    if !meta.is_file() {
        return Err(StorageError::NoMedia("not a regular file"));
    }
    if meta.len() == 0 {
        return Err(StorageError::NoMedia("the file is empty"));
    }
    File::open(&path).map_err(StorageError::Source)?;
    let path = std::path::absolute(path).map_err(StorageError::Source)?;
    Ok(Source { path, stamp: stamp(&meta) })
}

fn stamp(meta: &fs::Metadata) -> FileStamp {
    let mtime_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
    FileStamp { size: meta.len(), mtime_ns }
}

fn destination(root: PathBuf, file: &FilePath) -> Result<Destination, StorageError> {
    file.check_relative()?;
    let root_error = |source| StorageError::Root { path: root.display().to_string(), source };
    let root = std::path::absolute(&root).map_err(root_error)?;
    let root_error = |source| StorageError::Root { path: root.display().to_string(), source };
    fs::metadata(&root).map_err(root_error)?;
    let temp = temp_folder(&root)
        .map_err(|source| StorageError::Output { step: "make the temporary folder", source })?;
    let space = nix::sys::statvfs::statvfs(&temp)
        .map_err(|errno| StorageError::Output { step: "look for free space", source: errno.into() })?;
    // The types of these two differ between platforms.
    #[expect(clippy::useless_conversion, reason = "the width of both differs between platforms")]
    let free = u64::from(space.blocks_available()).saturating_mul(u64::from(space.fragment_size()));
    let output = below(&root, file);
    Ok(Destination { root, temp, output, free })
}

fn temp_folder(root: &Path) -> io::Result<PathBuf> {
    let temp = root.join(TEMP_FOLDER);
    match fs::create_dir(&temp) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(temp),
    }
}

fn prove(root: &Path, challenge: &Challenge) -> Result<[u8; 32], String> {
    if challenge.ranges.len() > RANGES_MAX || challenge.ranges.iter().any(|r| r.len > RANGE_BYTES_MAX) {
        return Err("the challenge asks for too much".into());
    }
    fs::read_dir(root)
        .map_err(|error| format!("folder {} cannot be read: {}", root.display(), words(&error)))?;
    let mut parts = Vec::with_capacity(challenge.ranges.len());
    for range in &challenge.ranges {
        range.file.check_relative().map_err(|error| error.to_string())?;
        let mut bytes = vec![0; range.len as usize];
        let read =
            File::open(below(root, &range.file)).and_then(|f| f.read_exact_at(&mut bytes, range.offset));
        read.map_err(|error| {
            format!("{} in {} cannot be read: {}", range.file, root.display(), words(&error))
        })?;
        parts.push(bytes);
    }
    if challenge.writable {
        try_writing(root)
            .map_err(|error| format!("cannot write to {}: {}", root.display(), words(&error)))?;
    }
    Ok(proof(&challenge.key, parts.iter().map(Vec::as_slice)))
}

/// Makes a file in the folder for part files and removes it again.
fn try_writing(root: &Path) -> io::Result<()> {
    let random = crate::commit::random_name()?;
    let path = temp_folder(root)?.join(format!("probe.{random}"));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)
}

#[cfg(test)]
mod tests {
    use vc_protocol::id::RootId;
    use vc_protocol::prove::Range;

    use super::*;

    fn challenge(dir: &Path, file: &str, len: u32, writable: bool) -> Challenge {
        use std::os::unix::ffi::OsStrExt;
        let ranges = vec![Range { file: file.into(), offset: 1, len }];
        let path = FilePath(dir.as_os_str().as_bytes().to_vec());
        Challenge { root: RootId(1), path, writable, key: [7; 32], ranges }
    }

    #[tokio::test]
    async fn a_proof_is_the_hash_of_the_ranges_and_leaves_a_source_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.mp4"), b"0123456789").unwrap();
        let storage = Mounted::default();
        let proven = storage.prove(&challenge(dir.path(), "a.mp4", 4, false)).await;
        assert_eq!(proven, Ok(proof(&[7; 32], [&b"1234"[..]])));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was written");
        assert!(storage.prove(&challenge(dir.path(), "a.mp4", 4, true)).await.is_ok());
        assert_eq!(fs::read_dir(dir.path().join(TEMP_FOLDER)).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_missing_or_short_file_or_one_outside_is_no_proof() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.mp4"), b"0123456789").unwrap();
        let storage = Mounted::default();
        for (file, len) in [("b.mp4", 1), ("a.mp4", 10), ("../a.mp4", 1), ("a.mp4", RANGE_BYTES_MAX + 1)] {
            assert!(storage.prove(&challenge(dir.path(), file, len, false)).await.is_err(), "{file} {len}");
        }
        let gone = storage.prove(&challenge(Path::new("/nonexistent"), "a.mp4", 1, false)).await.unwrap_err();
        assert_eq!(gone, "folder /nonexistent cannot be read: no such file or directory");
    }

    #[test]
    fn sources_that_are_no_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder.mp4")).unwrap();
        fs::write(dir.path().join("empty.mp4"), b"").unwrap();
        fs::write(dir.path().join("good.mp4"), b"abc").unwrap();
        let cause = |name: &str| fetch(dir.path(), &name.into()).unwrap_err().failure().cause;
        assert_eq!(cause("folder.mp4"), "not a regular file");
        assert_eq!(cause("empty.mp4"), "the file is empty");
        assert_eq!(cause("none.mp4"), "no such file or directory");
        assert_eq!(fetch(dir.path(), &"good.mp4".into()).unwrap().stamp.size, 3);
        let gone = fetch(Path::new("/nonexistent"), &"x".into()).unwrap_err();
        assert!(matches!(gone, StorageError::Root { .. }), "{gone:?}");
    }
}
