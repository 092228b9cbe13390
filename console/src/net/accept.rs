//! The accept loop: a place at the gate, a handshake in its own task with a deadline, then who it is.

use std::sync::Arc;

use quinn::{Endpoint, Incoming};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vc_agent::task::spawn;
use vc_certs::ended::not_let_in;
use vc_certs::endpoint::HANDSHAKE_TIMEOUT;
use vc_certs::peer::{self, Peer};
use vc_certs::{transport, wire};
use vc_protocol::close::Close;

use super::gate::{Address, Place, Verdict};
use super::{Context, Operators, join, operators, renew, session};

/// Runs until the endpoint closes or it is told to stop.
pub(super) async fn run(
    endpoint: Endpoint,
    context: Arc<Context>,
    service: Arc<dyn Operators>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        // Both arms are cancel-safe: an incoming connection that is not taken stays with the endpoint.
        let incoming = tokio::select! {
            () = stop.cancelled() => return,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { return };
        let from = incoming.remote_address();
        let address = match incoming.remote_address_validated() {
            true => Address::Validated,
            false => Address::Claimed,
        };
        match context.gate.knock(from.ip(), address) {
            Verdict::Accept(place) => {
                let connection = greet(incoming, place, Arc::clone(&context), Arc::clone(&service));
                spawn("connection", tasks.track_future(connection));
            }
            Verdict::Retry => {
                if let Err(e) = incoming.retry() {
                    e.into_incoming().refuse();
                }
            }
            Verdict::Refuse => {
                context.complaints.note(from, "too many handshakes at once");
                incoming.refuse();
            }
        }
    }
}

/// One connection from its first packet to its end.
async fn greet(incoming: Incoming, place: Place, context: Arc<Context>, service: Arc<dyn Operators>) {
    let from = incoming.remote_address();
    let connection = match tokio::time::timeout(HANDSHAKE_TIMEOUT, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(e)) => return context.complaints.note(from, &not_let_in(&e)),
        Err(_) => return context.complaints.note(from, "the handshake took too long"),
    };
    match peer::who(&connection) {
        Ok(Peer::Agent(agent)) => {
            drop(place);
            renew::used(&connection, agent, &context).await;
            transport::raise_for_agent(&connection);
            session::run(connection, agent, &context).await;
        }
        Ok(Peer::Operator(operator)) => {
            drop(place);
            renew::used(&connection, operator, &context).await;
            operators::run(connection, operator, &context, &service).await;
        }
        // Holds its place to the end: strangers that talk are as many as strangers that knock.
        Ok(Peer::Joiner) => join::run(connection, &context).await,
        // So does a member that only renews: it is gone in a moment.
        Ok(Peer::Renewer(member)) => renew::run(connection, member, &context).await,
        Err(why) => {
            context.complaints.note(from, &why.to_string());
            wire::close(&connection, Close::NotAllowed, &why.to_string());
        }
    }
}
