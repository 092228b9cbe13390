//! A newcomer's only conversation: hello, one request, one answer, within ten seconds in all.

use std::sync::Arc;
use std::time::Duration;

use quinn::Connection;
use vc_certs::proof::Binding;
use vc_certs::wire::{self, WireError};
use vc_protocol::close::Close;
use vc_protocol::join::{HOST_BYTES_MAX, JOIN_BYTES_MAX, JoinAnswer, JoinRefusal, JoinRequest};

use super::{Context, PROGRAM, wall_ms};

/// All the time a stranger gets.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn run(connection: Connection, context: &Context) {
    let from = connection.remote_address();
    let talk = talk(&connection, context);
    match tokio::time::timeout(STRANGER_TIMEOUT, talk).await {
        // The newcomer received last and has closed.
        Ok(Ok(())) => {}
        Ok(Err(e)) => {
            context.complaints.note(from, &format!("a join request came to nothing: {e}"));
            wire::close(&connection, e.close(), &e.told());
        }
        Err(_) => {
            context.complaints.note(from, "a join request took too long");
            wire::close(&connection, Close::TooSlow, Close::TooSlow.words());
        }
    }
}

async fn talk(connection: &Connection, context: &Context) -> Result<(), WireError> {
    let channel = wire::accept::<JoinRequest>(connection, PROGRAM).await?;
    let (mut reader, mut writer) = (channel.reader.limit(JOIN_BYTES_MAX), channel.writer);
    let request = reader.next().await?.ok_or(WireError::Cut)?;
    writer.send(&answer(connection, context, request).await).await?;
    writer.finish();
    connection.closed().await;
    Ok(())
}

async fn answer(connection: &Connection, context: &Context, request: JoinRequest) -> JoinAnswer {
    let from = connection.remote_address().ip();
    let Some(binding) = Binding::of(connection).filter(|_| request.host.len() <= HOST_BYTES_MAX) else {
        return JoinAnswer::Refused(JoinRefusal::BadRequest);
    };
    let (registry, authority) = (Arc::clone(&context.registry), Arc::clone(&context.authority));
    let work =
        tokio::task::spawn_blocking(move || registry.join(&authority, &request, &binding, from, wall_ms()));
    work.await.unwrap_or(JoinAnswer::Refused(JoinRefusal::NotStored))
}
