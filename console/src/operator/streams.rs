//! Serves operators who come over QUIC: `net` hands over each of their streams with who speaks there.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::service::{Caller, Service, serve};
use crate::net::{Operators, Stream};

/// Longest request heard from another box: ten thousand job numbers, or paths of a page, fit many times; what is longer
/// than that is said on the server's own box.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// The operator service for other boxes.
pub struct Streams {
    /// What answers.
    pub service: Arc<Service>,
    /// Cancelled when operators are to be served no more.
    pub stop: CancellationToken,
}

impl Operators for Streams {
    fn serve<'a>(&'a self, stream: &'a mut Stream, caller: Caller) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // What is dropped with the losing arm is a conversation that is over.
            tokio::select! {
                () = self.stop.cancelled() => {}
                ended = serve(stream, caller, &self.service, REQUEST_BYTES_MAX) => if let Err(error) = ended {
                    tracing::debug!(%error, "a remote operator left");
                },
            }
        })
    }
}
