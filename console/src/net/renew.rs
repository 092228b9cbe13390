//! A member's renewal of its certificate: hello, one request, one answer, within ten seconds in all. It is no session: the
//! live one of that member goes on beside it.

use std::sync::Arc;
use std::time::Duration;

use quinn::Connection;
use vc_certs::wire::{self, WireError};
use vc_certs::{life, peer};
use vc_protocol::close::Close;
use vc_protocol::id::AgentId;
use vc_protocol::join::{JOIN_BYTES_MAX, JoinAnswer, JoinRefusal, RenewRequest};
use vc_protocol::operator::Role;

use super::{Context, PROGRAM, wall_ms};
use crate::engine::input::{Input, Renewal};
use crate::registry::Renewed;

/// All the time that a renewal gets: one small message each way and one flush.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The conversation to its end.
pub(super) async fn run(connection: Connection, member: AgentId, context: &Context) {
    let from = connection.remote_address();
    match tokio::time::timeout(RENEWAL_TIMEOUT, talk(&connection, member, context)).await {
        // The member received last and has closed.
        Ok(Ok(())) => {}
        Ok(Err(e)) => {
            context.complaints.note(from, &format!("a renewal of member {member} came to nothing: {e}"));
            wire::close(&connection, e.close(), &e.told());
        }
        Err(_) => {
            context.complaints.note(from, &format!("a renewal of member {member} took too long"));
            wire::close(&connection, Close::TooSlow, Close::TooSlow.words());
        }
    }
}

/// A member begins a session: if it shows its next key, that is the present one from here on. When this cannot be
/// written down both go on letting it in, and the next session tries again.
pub(super) async fn used(connection: &Connection, member: AgentId, context: &Context) {
    let Some(key) = peer::key(connection).filter(|key| context.registry.is_next(member, *key)) else {
        return;
    };
    let registry = Arc::clone(&context.registry);
    let work = tokio::task::spawn_blocking(move || registry.used(member, key));
    match work.await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::warn!(%member, "retire an old key: {:#}", anyhow::Error::from(e)),
        Err(_) => tracing::error!(%member, "retiring an old key panicked"),
    }
}

async fn talk(connection: &Connection, member: AgentId, context: &Context) -> Result<(), WireError> {
    let channel = wire::accept::<RenewRequest>(connection, PROGRAM).await?;
    let (mut reader, mut writer) = (channel.reader.limit(JOIN_BYTES_MAX), channel.writer);
    let request = reader.next().await?.ok_or(WireError::Cut)?;
    let answer = match renew(connection, member, context, request).await {
        Ok(renewed) => {
            if renewed.fresh {
                tell(member, &renewed, context).await;
            }
            JoinAnswer::Joined(Box::new(renewed.joined))
        }
        Err(why) => {
            context.complaints.note(connection.remote_address(), &format!("member {member} renews: {why}"));
            JoinAnswer::Refused(why)
        }
    };
    writer.send(&answer).await?;
    writer.finish();
    connection.closed().await;
    Ok(())
}

async fn renew(
    connection: &Connection,
    member: AgentId,
    context: &Context,
    request: RenewRequest,
) -> Result<Renewed, JoinRefusal> {
    let shown = peer::key(connection).ok_or(JoinRefusal::BadRequest)?;
    let (registry, authority) = (Arc::clone(&context.registry), Arc::clone(&context.authority));
    let work = tokio::task::spawn_blocking(move || {
        registry.renew(&authority, member, shown, &request.csr, wall_ms())
    });
    work.await.unwrap_or(Err(JoinRefusal::NotStored))
}

/// Operators renew without a word: nobody waits for their work.
async fn tell(member: AgentId, renewed: &Renewed, context: &Context) {
    let name = renewed.joined.name.clone();
    tracing::info!(%member, name, "renewed its certificate");
    let is_agent = context.registry.active(member).is_some_and(|member| member.role == Role::Agent);
    if let Some((serial, ends_ms)) = life(&renewed.joined.certificate).filter(|_| is_agent) {
        let renewal = Renewal { agent: member, name, serial, ends_ms };
        // An engine that is gone needs no news.
        let _ = context.engine.send(Input::Renewed(renewal)).await;
    }
}
