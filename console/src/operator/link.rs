//! The dashboard's way to the server: one connection for snapshots, one for questions, both redialled when they break.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use vc_protocol::operator::{FarmTotals, Request, Response};

use super::client::{Client, ClientError};
use crate::tui::{Link, Reply, RequestTag};

/// Questions that may wait; the dashboard asks one at a time for each part of its screen.
const REQUESTS_MAX: usize = 16;
/// Replies that may wait for the dashboard; when they are full the server's side waits and merges.
const REPLIES_MAX: usize = 16;
/// Between two attempts to reach a server that went away.
const REDIAL: Duration = Duration::from_secs(1);

/// Whether the farm is done; the dashboard then closes by itself.
pub type IsOver = fn(&FarmTotals) -> bool;

/// Starts both connections; they end when the dashboard drops its ends of the queues.
pub fn open(state_dir: &Path, is_over: Option<IsOver>) -> Link {
    let (requests_tx, requests_rx) = mpsc::channel(REQUESTS_MAX);
    let (replies_tx, replies_rx) = mpsc::channel(REPLIES_MAX);
    let dir = state_dir.to_owned();
    vc_agent::task::spawn("dashboard snapshots", snapshots(dir.clone(), replies_tx.clone(), is_over));
    vc_agent::task::spawn("dashboard questions", questions(dir, requests_rx, replies_tx));
    Link { requests: requests_tx, replies: replies_rx, local: None }
}

async fn snapshots(dir: PathBuf, replies: mpsc::Sender<Reply>, is_over: Option<IsOver>) {
    loop {
        let Err(error) = follow(&dir, &replies, is_over).await else { return };
        if replies.send(Reply::Gone(format!("{:#}", anyhow::Error::from(error)))).await.is_err() {
            return;
        }
        tokio::select! {
            () = replies.closed() => return,
            () = tokio::time::sleep(REDIAL) => {}
        }
    }
}

/// Ends well only when the dashboard is gone.
async fn follow(
    dir: &Path,
    replies: &mpsc::Sender<Reply>,
    is_over: Option<IsOver>,
) -> Result<(), ClientError> {
    let mut client = Client::connect(dir).await?;
    client.ask(&Request::Subscribe).await?;
    loop {
        let response = tokio::select! {
            () = replies.closed() => return Ok(()),
            response = client.next() => response?,
        };
        let Response::Snapshot(snapshot) = response else { return Err(ClientError::Unexpected) };
        let ends = is_over.is_some_and(|is_over| is_over(&snapshot.totals));
        let sent = replies.send(Reply::Snapshot(snapshot)).await;
        if sent.is_err() || (ends && replies.send(Reply::End).await.is_err()) {
            return Ok(());
        }
    }
}

async fn questions(
    dir: PathBuf,
    mut requests: mpsc::Receiver<(RequestTag, Request)>,
    replies: mpsc::Sender<Reply>,
) {
    let mut client: Option<Client> = None;
    while let Some((tag, request)) = requests.recv().await {
        let reply = match answer(&dir, &mut client, &request).await {
            Ok(response) => Reply::Response(tag, response),
            Err(ClientError::Refused { code, message }) => {
                Reply::Response(tag, Response::Refused { code, message })
            }
            Err(error) => {
                client = None;
                Reply::Gone(format!("{:#}", anyhow::Error::from(error)))
            }
        };
        if replies.send(reply).await.is_err() {
            return;
        }
    }
}

async fn answer(dir: &Path, client: &mut Option<Client>, request: &Request) -> Result<Response, ClientError> {
    let connected = match client.take() {
        Some(connected) => connected,
        None => Client::connect(dir).await?,
    };
    client.insert(connected).request(request).await
}
