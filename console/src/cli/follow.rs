//! Answers that keep coming, by a channel: waiting for the next one can then be given up at any moment.

use tokio::sync::mpsc;
use vc_protocol::operator::{Request, Response, Snapshot};

use super::exit::Failed;
use crate::operator::client::{Client, ClientError, Target};

/// A stream of answers to one request.
pub(super) struct Stream {
    answers: mpsc::Receiver<Result<Response, ClientError>>,
}

impl Stream {
    /// Asks on a connection of its own.
    pub(super) async fn open(server: &Target, request: &Request) -> Result<Stream, Failed> {
        let mut client = Client::connect(server).await?;
        client.ask(request).await?;
        // When it is full the server waits, and merges what happens meanwhile.
        let (tx, answers) = mpsc::channel(1);
        vc_agent::task::spawn("answers", async move {
            loop {
                let answer = client.next().await;
                let is_last = answer.is_err();
                if tx.send(answer).await.is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Stream { answers })
    }

    /// Snapshots of the farm, now and whenever something changed.
    pub(super) async fn snapshots(server: &Target) -> Result<Stream, Failed> {
        Self::open(server, &Request::Subscribe).await
    }

    /// The next answer. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Response, Failed> {
        match self.answers.recv().await {
            Some(answer) => Ok(answer?),
            None => Err(ClientError::Gone.into()),
        }
    }

    /// The next snapshot. Cancel-safe.
    pub(super) async fn snapshot(&mut self) -> Result<Snapshot, Failed> {
        let Response::Snapshot(snapshot) = self.next().await? else {
            return Err(ClientError::Unexpected.into());
        };
        Ok(*snapshot)
    }
}
