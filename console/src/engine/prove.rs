//! Challenges: how an agent shows that it sees the same folders as the console.
//!
//! Source folders are only ever read: random ranges of files that jobs know. Into an output folder a small random
//! file is put, and taken away again when the answer came or the session ended. All of it is disk work, done off the
//! engine's thread.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use vc_protocol::id::{AgentId, RootId, SessionNo};
use vc_protocol::path::FilePath;
use vc_protocol::prove::{Challenge, RANGE_BYTES_MAX, RANGES_MAX, Range, proof};

use crate::store::{Store, StoreError};

/// Files in one challenge: one that was copied elsewhere by chance is not enough, and each is an open on a share.
const FILES_MAX: usize = 4;
/// Ranges of each file.
const RANGES_A_FILE: usize = RANGES_MAX / FILES_MAX;
/// Files tried until [`FILES_MAX`] could be read: some may have gone since they were scanned.
const FILES_TRIED: usize = 32;
/// Bytes of a probe file: unguessable.
const PROBE_BYTES: usize = 64;
/// Start of the name of a probe file.
const PROBE_PREFIX: &str = ".vc-probe-";

/// A challenge that is ready to be sent, or why there is none.
#[derive(Debug)]
pub struct Challenged {
    /// For whom.
    pub agent: AgentId,
    /// Over which session.
    pub session: SessionNo,
    /// About which folder.
    pub root: RootId,
    /// The challenge, or why none can be made.
    pub made: Result<Made, String>,
}

/// A challenge with what answers it.
#[derive(Debug)]
pub struct Made {
    /// To be sent.
    pub challenge: Box<Challenge>,
    /// The answer of whoever sees that folder.
    pub expected: [u8; 32],
    /// The probe file, which goes when this does.
    pub probe: Option<Probe>,
}

/// A probe file in an output folder. Dropping it removes the file.
#[derive(Debug)]
pub struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "probe file not removed");
        }
    }
}

/// Why no challenge can be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("get random bytes")]
    Random(#[from] getrandom::Error),
    #[error("the console cannot write into {0}: {1}")]
    Write(FilePath, #[source] io::Error),
    #[error("the console cannot read {0}: {1}")]
    Read(FilePath, #[source] io::Error),
}

/// Makes a challenge for this folder.
pub(super) fn make(store: &Store, root: RootId, writable: bool) -> Result<Made, ProveError> {
    let path = store.root(root)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    let (ranges, bytes, probe) =
        if writable { probe_output(&path)? } else { pick_sources(store, root, &path)? };
    let expected = proof(&key, bytes.iter().map(Vec::as_slice));
    let challenge = Box::new(Challenge { root, path, writable, key, ranges });
    Ok(Made { challenge, expected, probe })
}

type Picked = (Vec<Range>, Vec<Vec<u8>>, Option<Probe>);

fn probe_output(root: &FilePath) -> Result<Picked, ProveError> {
    let mut bytes = vec![0; PROBE_BYTES];
    getrandom::fill(&mut bytes)?;
    let name: String = bytes[..8].iter().map(|b| format!("{b:02x}")).collect();
    let file = FilePath(format!("{PROBE_PREFIX}{name}").into_bytes());
    let failed = |error| ProveError::Write(root.clone(), error);
    std::fs::create_dir_all(super::local(root)).map_err(failed)?;
    let path = super::local(&root.join(&file));
    // Another user of the share, under whom an agent may run, must be able to read it.
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path).map_err(failed)?;
    let probe = Probe(path);
    // The name is the hash's only input that others see: the content must not be guessable from it.
    getrandom::fill(&mut bytes)?;
    out.write_all(&bytes).and_then(|()| out.sync_all()).map_err(failed)?;
    Ok((vec![Range { file, offset: 0, len: PROBE_BYTES as u32 }], vec![bytes], Some(probe)))
}

fn pick_sources(store: &Store, root: RootId, path: &FilePath) -> Result<Picked, ProveError> {
    let mut known = store.reader()?.sources_below(root)?;
    let (mut ranges, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..FILES_TRIED {
        if known.is_empty() || ranges.len() + RANGES_A_FILE > RANGES_MAX {
            break;
        }
        let (file, _) = known.swap_remove(random_below(known.len() as u64)? as usize);
        match read_ranges(&super::local(&path.join(&file))) {
            Ok(read) => {
                for (offset, read) in read {
                    ranges.push(Range { file: file.clone(), offset, len: read.len() as u32 });
                    bytes.push(read);
                }
            }
            Err(error) => tracing::debug!(%file, %error, "source not used for a challenge"),
        }
    }
    if ranges.is_empty() {
        // Nothing there can be read: its jobs must fail one by one with their causes, rather than wait for ever for an
        // agent that reads what the console cannot. The agent still has to see the folder.
        std::fs::read_dir(super::local(path)).map_err(|error| ProveError::Read(path.clone(), error))?;
    }
    Ok((ranges, bytes, None))
}

/// Some random pieces of a file with their offsets. An empty file gives one empty piece: it can still be opened.
fn read_ranges(path: &Path) -> io::Result<Vec<(u64, Vec<u8>)>> {
    // A named pipe that took the place of a source must not hold up the thread.
    let mut file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let pieces = if meta.len() == 0 { 1 } else { RANGES_A_FILE };
    (0..pieces).map(|_| read_range(&mut file, meta.len())).collect()
}

fn read_range(file: &mut File, size: u64) -> io::Result<(u64, Vec<u8>)> {
    let len = size.min(u64::from(RANGE_BYTES_MAX));
    let offset = random_below(size - len + 1).map_err(io::Error::other)?;
    let mut bytes = vec![0; len as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok((offset, bytes))
}

/// A random number below this, which is not 0. The small bias of the remainder does no harm here.
fn random_below(limit: u64) -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes) % limit.max(1))
}
