//! Connections of operators and viewers: each stream is one conversation of the operator service.
//!
//! Knows who speaks, from the registry and never from a message; what is said is the service's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use quinn::{Connection, RecvStream, SendStream};
use tokio::io::Join;
use vc_agent::task::spawn;
use vc_certs::ended::ended;
use vc_certs::{transport, wire};
use vc_protocol::close::Close;
use vc_protocol::id::AgentId;

use super::Context;
use crate::operator::service::Caller;

/// How long the last answer on a stream gets to arrive: a connection that is closed loses what is on its way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Both directions of one stream.
pub type Stream = Join<RecvStream, SendStream>;

/// The operator service, as far as the network knows it.
pub trait Operators: Send + Sync {
    /// Serves one stream to its end, or until the server ends.
    fn serve<'a>(&'a self, stream: &'a mut Stream, caller: Caller) -> BoxFuture<'a, ()>;
}

/// One connection to its end.
pub(super) async fn run(
    connection: Connection,
    operator: AgentId,
    context: &Context,
    service: &Arc<dyn Operators>,
) {
    let from = connection.remote_address();
    let Some(session) = context.sessions.open_operator(operator, &connection) else {
        context.complaints.note(from, "too many connections of operators");
        return wire::close(
            &connection,
            Close::Busy,
            "too many connections of operators at once: close some",
        );
    };
    // Asked after the connection can be found and closed: a revocation since the handshake finds it, or is found here.
    match context.registry.active(operator) {
        Some(member) => {
            let caller = Caller { who: member.name, role: member.role };
            tracing::debug!(who = caller.who, role = caller.role.word(), %from, "an operator connected");
            transport::raise_for_operator(&connection);
            attend(&connection, &caller, context, service).await;
        }
        None => wire::close(&connection, Close::Revoked, Close::Revoked.words()),
    }
    context.sessions.operator_ended(session);
}

/// Serves its streams, side by side; the transport bounds how many there are.
async fn attend(connection: &Connection, caller: &Caller, context: &Context, service: &Arc<dyn Operators>) {
    loop {
        let (send, recv) = match connection.accept_bi().await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(who = caller.who, "an operator left: {}", ended(&error).words());
                return;
            }
        };
        let (service, caller) = (Arc::clone(service), caller.clone());
        let conversation = async move {
            let mut stream = tokio::io::join(recv, send);
            service.serve(&mut stream, caller).await;
            let (_, mut send) = stream.into_inner();
            // An error means that the other end has closed already: there is nobody left to tell.
            let _ = send.finish();
            let _ = tokio::time::timeout(LAST_WORDS, send.stopped()).await;
        };
        spawn("remote operator", context.conversations.track_future(conversation));
    }
}
