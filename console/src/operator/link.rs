//! The dashboard's way to the server: one connection for snapshots, one for questions, both redialled when they break.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use vc_protocol::operator::{FarmTotals, Request, Response};

use super::client::{Client, ClientError, Target};
use crate::tui::{Link, Reply, RequestTag};

/// Questions that may wait; the dashboard asks one at a time for each part of its screen.
const REQUESTS_MAX: usize = 16;
/// Replies that may wait for the dashboard; when they are full the server's side waits and merges.
const REPLIES_MAX: usize = 16;
/// Between two attempts to reach a server that went away.
const REDIAL: Duration = Duration::from_secs(1);
/// Between two attempts where a person must do something first.
const REDIAL_REFUSED: Duration = Duration::from_secs(10);

/// Whether the farm is done; the dashboard then closes by itself.
pub type IsOver = fn(&FarmTotals) -> bool;

/// Starts an agent on the box of the server with that state folder; says what runs, or why nothing does.
pub type StartAgent = fn(PathBuf) -> BoxFuture<'static, Result<String, String>>;

/// Starts both connections; they end when the dashboard drops its ends of the queues. Only where the server is on this
/// box can an agent be started from here.
pub fn open(target: Target, is_over: Option<IsOver>, start_agent: Option<StartAgent>) -> Link {
    let (requests_tx, requests_rx) = mpsc::channel(REQUESTS_MAX);
    let (replies_tx, replies_rx) = mpsc::channel(REPLIES_MAX);
    let start_agent = match (&target, start_agent) {
        (Target::Local(state_dir), Some(start)) => {
            // One at a time: another wish while one is under way changes nothing.
            let (wishes_tx, wishes_rx) = mpsc::channel(1);
            let starting = agents(state_dir.clone(), start, wishes_rx, replies_tx.clone());
            vc_agent::task::spawn("dashboard agent", starting);
            Some(wishes_tx)
        }
        (Target::Local(_), None) | (Target::Remote(_), _) => None,
    };
    vc_agent::task::spawn("dashboard snapshots", snapshots(target.clone(), replies_tx.clone(), is_over));
    vc_agent::task::spawn("dashboard questions", questions(target, requests_rx, replies_tx));
    Link { requests: requests_tx, replies: replies_rx, start_agent }
}

async fn agents(
    state_dir: PathBuf,
    start: StartAgent,
    mut wishes: mpsc::Receiver<()>,
    replies: mpsc::Sender<Reply>,
) {
    while wishes.recv().await.is_some() {
        if replies.send(Reply::Started(start(state_dir.clone()).await)).await.is_err() {
            return;
        }
    }
}

async fn snapshots(target: Target, replies: mpsc::Sender<Reply>, is_over: Option<IsOver>) {
    loop {
        let Err(error) = follow(&target, &replies, is_over).await else { return };
        if gone(&replies, error).await == Dashboard::Closed {
            return;
        }
    }
}

/// Whether anybody looks.
#[derive(PartialEq, Eq)]
enum Dashboard {
    Open,
    Closed,
}

/// Tells the dashboard, and waits until another attempt makes sense.
async fn gone(replies: &mpsc::Sender<Reply>, error: ClientError) -> Dashboard {
    let pause = if error.needs_a_person() { REDIAL_REFUSED } else { REDIAL };
    if replies.send(Reply::Gone(format!("{:#}", anyhow::Error::from(error)))).await.is_err() {
        return Dashboard::Closed;
    }
    tokio::select! {
        () = replies.closed() => Dashboard::Closed,
        () = tokio::time::sleep(pause) => Dashboard::Open,
    }
}

/// Ends well only when the dashboard is gone.
async fn follow(
    target: &Target,
    replies: &mpsc::Sender<Reply>,
    is_over: Option<IsOver>,
) -> Result<(), ClientError> {
    let mut client = Client::connect(target).await?;
    if replies.send(Reply::Welcome(client.welcome().clone())).await.is_err() {
        return Ok(());
    }
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
    target: Target,
    mut requests: mpsc::Receiver<(RequestTag, Request)>,
    replies: mpsc::Sender<Reply>,
) {
    let mut client: Option<Client> = None;
    while let Some((tag, request)) = requests.recv().await {
        let reply = match answer(&target, &mut client, &request).await {
            Ok(response) => Reply::Response(tag, response),
            Err(ClientError::Refused { code, message }) => {
                Reply::Response(tag, Response::Refused { code, message })
            }
            Err(error) => {
                client = None;
                if gone(&replies, error).await == Dashboard::Closed {
                    return;
                }
                continue;
            }
        };
        if replies.send(reply).await.is_err() {
            return;
        }
    }
}

async fn answer(
    target: &Target,
    client: &mut Option<Client>,
    request: &Request,
) -> Result<Response, ClientError> {
    let connected = match client.take() {
        Some(connected) => connected,
        None => Client::connect(target).await?,
    };
    client.insert(connected).request(request).await
}
