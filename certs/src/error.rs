//! What can go wrong with keys and certificates; each text fits after "failed to".

use std::io;
use std::path::{Path, PathBuf};

/// A step with keys, certificates or their files that failed.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A file or folder.
    #[error("{step} {path}")]
    File {
        /// What was tried.
        step: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file that holds something else than it should.
    #[error("understand {path}: {why}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The CA's certificate is there and its key is not.
    #[error(
        "find the key of the farm's authority: {0} is missing; restore it, or move the folder away for a new farm"
    )]
    KeyMissing(PathBuf),
    /// Making a key, request or certificate.
    #[error("{step}")]
    Make {
        /// What was tried.
        step: &'static str,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// A certificate request that is not one, or that asks for something that is never signed.
    #[error("accept the certificate request: {0}")]
    Request(String),
    /// What the console answered does not fit together.
    #[error("accept the certificate: {0}")]
    Certificate(&'static str),
    /// The operating system gave no random bytes.
    #[error("get random bytes")]
    Random(#[source] getrandom::Error),
    /// TLS refused a certificate, key or setting.
    #[error("set up TLS")]
    Tls(#[source] rustls::Error),
    /// TLS refused its certificates at set-up.
    #[error("set up TLS verification: {0}")]
    Verifier(String),
}

impl CertsError {
    /// For `map_err` on file operations.
    pub(crate) fn file(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| CertsError::File { step, path, source }
    }

    /// For `map_err` on the certificate maker.
    pub(crate) fn make(step: &'static str) -> impl FnOnce(rcgen::Error) -> Self {
        move |source| CertsError::Make { step, source }
    }

    pub(crate) fn content(path: &Path, why: impl Into<String>) -> Self {
        CertsError::Content { path: path.to_owned(), why: why.into() }
    }
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CertsError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(CertsError::Random)?;
    Ok(bytes)
}
