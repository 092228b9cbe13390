//! The one place that starts asynchronous tasks, so that each has a name for logs.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::Instrument;

/// Starts a named task. Whoever holds the handle, or the tracker it was given to, owns it.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let span = tracing::info_span!("task", name);
    #[expect(clippy::disallowed_methods, reason = "this is the wrapper that the ban points to")]
    tokio::spawn(future.instrument(span))
}

/// Starts named work that blocks, on a thread of its own.
pub fn spawn_blocking<F, R>(name: &'static str, work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let span = tracing::info_span!("task", name);
    tokio::task::spawn_blocking(move || span.in_scope(work))
}
