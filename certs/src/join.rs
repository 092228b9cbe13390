//! The newcomer's part of joining, over a connection that [`crate::endpoint::dial_join`] made.

use quinn::Connection;
use vc_protocol::close::Close;
use vc_protocol::join::{HOST_BYTES_MAX, JOIN_BYTES_MAX, JoinAnswer, JoinRefusal, JoinRequest, Joined};

use crate::error::CertsError;
use crate::identity::{AgentKey, Identity};
use crate::line::JoinLine;
use crate::proof::{Binding, MacKey};
use crate::wire::{self, FRAME_TIMEOUT, WireError};

/// Why a box did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The console said no.
    #[error("{0}")]
    Refused(#[from] JoinRefusal),
    /// The two could not talk.
    #[error("talk to the console")]
    Wire(#[from] WireError),
    /// Keys or certificates.
    #[error("make or accept an identity")]
    Certs(#[from] CertsError),
    /// The handshake is not complete.
    #[error("bind the proof to the TLS session")]
    Binding,
}

/// Proves that we know the line's secret, and gets this key certified. The identity is not stored yet; the second
/// value is the console's clock, milliseconds since 1970.
pub async fn ask(
    connection: &Connection,
    line: &JoinLine,
    key: &AgentKey,
    host: &str,
    program: &str,
) -> Result<(Identity, i64), JoinError> {
    let csr = key.request()?;
    let binding = Binding::of(connection).ok_or(JoinError::Binding)?;
    let mac = MacKey::derive(&line.secret, line.token).prove(&binding, line.token, &csr);
    let host = host[..host.floor_char_boundary(HOST_BYTES_MAX)].to_owned();
    let answer = exchange(connection, &JoinRequest { token: line.token, csr, mac, host }, program).await?;
    match answer {
        JoinAnswer::Joined(joined) => Ok(accepted(key, &joined, line)?),
        JoinAnswer::Refused(why) => Err(why.into()),
    }
}

/// One request, one answer. We receive last, so we close.
async fn exchange(
    connection: &Connection,
    request: &JoinRequest,
    program: &str,
) -> Result<JoinAnswer, WireError> {
    let mut channel = wire::open::<JoinAnswer>(connection, program).await?;
    channel.writer.send(request).await?;
    channel.writer.finish();
    let mut reader = channel.reader.limit(JOIN_BYTES_MAX);
    let answer =
        tokio::time::timeout(FRAME_TIMEOUT, reader.next()).await.map_err(|_| WireError::TooSlow)??;
    wire::close(connection, Close::Done, "");
    answer.ok_or(WireError::Cut)
}

fn accepted(key: &AgentKey, joined: &Joined, line: &JoinLine) -> Result<(Identity, i64), CertsError> {
    let identity = Identity::new(key, joined, &line.addresses)?;
    identity.check_authority(line.pin)?;
    Ok((identity, joined.clock_ms))
}
