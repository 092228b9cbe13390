//! How an agent reaches sources and outputs: by path today, with room for other ways.
//!
//! Owns the mapping of the console's folders to this box's, and the proof that both see the same. Knows nothing of
//! ffmpeg, slots and the session; nothing here ever writes into a source folder.

mod error;
mod maps;
mod mounted;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use vc_protocol::job::{FileStamp, Offer};
use vc_protocol::prove::Challenge;

pub use error::StorageError;
pub(crate) use error::{class, words};
pub use maps::{MapError, PathMaps};
pub use mounted::Mounted;

/// A boxed future, so that ways of storage can be chosen at run time.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A source that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where ffmpeg reads it, an absolute path.
    pub path: PathBuf,
    /// How it is now.
    pub stamp: FileStamp,
}

/// Where an output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The output root on this box.
    pub root: PathBuf,
    /// The folder for part files, on the file system of the root. It exists.
    pub temp: PathBuf,
    /// The output's final name.
    pub output: PathBuf,
    /// Bytes free there.
    pub free: u64,
}

/// A way to reach media. Each call may take as long as a disk or a network does; none blocks the runtime.
pub trait Storage: Send + Sync {
    /// Makes an offer's source readable, and says how it is now.
    fn fetch<'a>(&'a self, offer: &'a Offer) -> Boxed<'a, Result<Source, StorageError>>;

    /// The place for an offer's output, with its folder for part files made.
    fn destination<'a>(&'a self, offer: &'a Offer) -> Boxed<'a, Result<Destination, StorageError>>;

    /// Answers a challenge, or says why not.
    fn prove<'a>(&'a self, challenge: &'a Challenge) -> Boxed<'a, Result<[u8; 32], String>>;
}
