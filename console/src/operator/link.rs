//! The dashboard's way to the server: one connection for snapshots, one for questions, both redialled when they break.

use std::time::Duration;

use tokio::sync::mpsc;
use vc_protocol::operator::{FarmTotals, Request, Response};

use super::client::{Client, ClientError, Target};
use crate::launch::start_local_agent;
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

/// Starts both connections; they end when the dashboard drops its ends of the queues.
pub fn open(target: Target, is_over: Option<IsOver>) -> Link {
    let (requests_tx, requests_rx) = mpsc::channel(REQUESTS_MAX);
    let (replies_tx, replies_rx) = mpsc::channel(REPLIES_MAX);
    vc_agent::task::spawn("dashboard snapshots", snapshots(target.clone(), replies_tx.clone(), is_over));
    let start_agent = agent_starter(&target, is_over, replies_tx.clone());
    vc_agent::task::spawn("dashboard questions", questions(target, requests_rx, replies_tx));
    Link { requests: requests_tx, replies: replies_rx, start_agent }
}

/// Starts agents on this box when the dashboard asks, if it is the server's box and a farm that goes on.
fn agent_starter(
    target: &Target,
    is_over: Option<IsOver>,
    replies: mpsc::Sender<Reply>,
) -> Option<mpsc::Sender<()>> {
    let (Target::Local(state_dir), None) = (target, is_over) else { return None };
    let state_dir = state_dir.clone();
    // One start at a time: while it is under way another one is refused.
    let (asked_tx, mut asked_rx) = mpsc::channel::<()>(1);
    vc_agent::task::spawn("local agent", async move {
        while asked_rx.recv().await.is_some() {
            let started = start_local_agent(&state_dir).await;
            let outcome = started.map_err(|error| format!("{:#}", anyhow::Error::from(error)));
            if replies.send(Reply::Started(outcome)).await.is_err() {
                return;
            }
        }
    });
    Some(asked_tx)
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
