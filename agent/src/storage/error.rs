//! Why media cannot be reached, and whose fault that is.

use std::io;

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::path::PathError;

/// A step of reaching media that failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The offer names something outside its folder.
    #[error("use the path of the offer")]
    Path(#[from] PathError),
    /// A root folder is not there: a mount is gone, or was never made.
    #[error("open the folder {path}")]
    Root {
        /// Which folder, on this box.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The source cannot be read.
    #[error("read the source")]
    Source(#[source] io::Error),
    /// The source is no file with content; the text says what it is.
    #[error("read the source: {0}")]
    NoMedia(&'static str),
    /// Something about the output side.
    #[error("{step}")]
    Output {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A blocking task died.
    #[error("reach the media: the task for it ended")]
    Task,
}

impl StorageError {
    /// As a failure of an attempt.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Path(error) => Failure::new(FailureClass::Job, error.to_string()),
            Self::Root { path, source } => {
                let cause = format!("folder {path} cannot be opened: {}", words(source));
                Failure::new(FailureClass::Infrastructure, cause)
            }
            Self::Source(error) => Failure::new(class(error, FailureClass::Source), words(error)),
            Self::NoMedia(what) => Failure::new(FailureClass::Source, *what),
            Self::Output { step, source } => Failure::new(
                class(source, FailureClass::Infrastructure),
                format!("{step}: {}", words(source)),
            ),
            Self::Task => Failure::new(FailureClass::Infrastructure, self.to_string()),
        }
    }
}

/// The class of an I/O error that says more than where it happened, else `otherwise`.
pub(crate) fn class(error: &io::Error, otherwise: FailureClass) -> FailureClass {
    use nix::libc;
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EMFILE | libc::ENFILE | libc::ENOMEM) => {
            FailureClass::Capacity
        }
        Some(libc::EIO | libc::ESTALE | libc::ENOTCONN | libc::ETIMEDOUT | libc::EROFS) => {
            FailureClass::Infrastructure
        }
        Some(libc::ENAMETOOLONG | libc::ENOTDIR | libc::EISDIR | libc::EXDEV) => FailureClass::Job,
        _ => otherwise,
    }
}

/// The system's words for an error, in lower case and without its number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // `I/O error` stays as it is.
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    #[test]
    fn io_errors_get_the_class_that_decides_their_retry() {
        use FailureClass::{Capacity, Infrastructure, Job, Source};
        let os = io::Error::from_raw_os_error;
        let output = |code| StorageError::Output { step: "make a folder", source: os(code) }.failure();
        for (failure, class, cause) in [
            (StorageError::Source(os(libc::EACCES)).failure(), Source, "permission denied"),
            (StorageError::Source(os(libc::EIO)).failure(), Infrastructure, ""),
            (StorageError::NoMedia("the file is empty").failure(), Source, "the file is empty"),
            (output(libc::ENOSPC), Capacity, "make a folder: no space left on device"),
            (output(libc::EACCES), Infrastructure, "make a folder: permission denied"),
            (output(libc::ENAMETOOLONG), Job, "make a folder: file name too long"),
        ] {
            assert_eq!(failure.class, class, "{failure:?}");
            assert!(cause.is_empty() || failure.cause == cause, "{failure:?}");
        }
    }
}
