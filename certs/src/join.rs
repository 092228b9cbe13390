//! The newcomer's part of joining: the console is trusted by the pin in the join line and by nothing else; the token's
//! secret is never sent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quinn::{Connection, Endpoint};
use serde::Serialize;
use tokio::time::timeout;
use vc_protocol::close::Close;
use vc_protocol::join::{HOST_BYTES_MAX, JOIN_BYTES_MAX, JoinAnswer, JoinRefusal, JoinRequest, Joined};

use crate::dial;
use crate::ended::Ended;
use crate::error::CertsError;
use crate::identity::{AgentKey, Identity};
use crate::line::JoinLine;
use crate::proof::{Binding, MacKey};
use crate::wire::{self, FRAME_TIMEOUT, WireError};

/// A difference of the clocks that is worth a word; certificates allow for an hour.
const CLOCK_OFF_MS: i64 = 60_000;
/// How long the console gets to hear our close.
const CLOSE_BOUND: Duration = Duration::from_millis(200);

/// Why a newcomer did not join, or a member's certificate was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// No console of this farm was reached.
    #[error("{}", .0.words())]
    Dial(Ended),
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

/// A newcomer that is none any more, or a member with a new certificate. Its identity is not stored yet.
#[derive(Debug)]
pub struct Entered {
    /// Who it is; the address that answered comes first.
    pub identity: Identity,
    /// What the connection hangs on, see [`Entered::goodbye`].
    pub(crate) endpoint: Endpoint,
    pub(crate) console_ms: i64,
}

impl Entered {
    /// Seconds that our clock is ahead of the console's, if that is worth a word.
    pub fn clock_off_s(&self) -> Option<i64> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        let off_ms = now_ms.saturating_sub(self.console_ms);
        (off_ms.saturating_abs() > CLOCK_OFF_MS).then_some(off_ms / 1000)
    }

    /// Ends when the console has heard our close. What is lost by leaving early is only the courtesy of a close frame.
    pub fn goodbye(&self) -> impl Future<Output = ()> + Send + use<> {
        goodbye(self.endpoint.clone())
    }
}

/// Joins with that line, at the first of its addresses that answers. `host` is what the console makes a name of.
pub async fn enter(line: &JoinLine, key: &AgentKey, host: &str, program: &str) -> Result<Entered, JoinError> {
    let dialled = dial::newcomer(&line.addresses, line.pin).await;
    let (endpoint, connection, address) = dialled.map_err(JoinError::Dial)?;
    let answer = ask(&connection, line, key, host, program).await;
    drop(connection);
    match answer {
        Ok((mut identity, console_ms)) => {
            let rest = line.addresses.iter().filter(|a| **a != address).cloned();
            identity.consoles = std::iter::once(address.clone()).chain(rest).collect();
            Ok(Entered { identity, endpoint, console_ms })
        }
        Err(error) => {
            goodbye(endpoint).await;
            Err(error)
        }
    }
}

pub(crate) async fn goodbye(endpoint: Endpoint) {
    let _ = timeout(CLOSE_BOUND, endpoint.wait_idle()).await;
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
pub(crate) async fn exchange(
    connection: &Connection,
    request: &impl Serialize,
    program: &str,
) -> Result<JoinAnswer, WireError> {
    let mut channel = wire::open::<JoinAnswer>(connection, program).await?;
    channel.writer.send(request).await?;
    channel.writer.finish();
    let mut reader = channel.reader.limit(JOIN_BYTES_MAX);
    let answer = timeout(FRAME_TIMEOUT, reader.next()).await.map_err(|_| WireError::TooSlow)??;
    wire::close(connection, Close::Done, "");
    answer.ok_or(WireError::Cut)
}

fn accepted(key: &AgentKey, joined: &Joined, line: &JoinLine) -> Result<(Identity, i64), CertsError> {
    let identity = Identity::new(key, joined, &line.addresses)?;
    if !identity.trusts(line.pin) {
        return Err(CertsError::Certificate("the farm's authority is not the pinned one"));
    }
    if identity.role != line.role {
        return Err(CertsError::Certificate("it is for another role than the join line's"));
    }
    Ok((identity, joined.clock_ms))
}
