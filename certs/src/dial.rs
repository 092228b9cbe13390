//! Reaching a console: every address that is known, every way that its name resolves, one after another.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::{Connection, Endpoint};
use tokio::time::timeout;

use crate::ended::Ended;
use crate::endpoint::{self, DialError};
use crate::identity::Identity;
use crate::line::CaPin;
use crate::told;

/// Longest wait for a name server.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Most addresses tried of one name.
const RESOLVED_MAX: usize = 4;

/// A connection, the endpoint that carries it, and the address as it was written down.
pub type Dialled = (Endpoint, Connection, String);

/// As the member of its farm that this identity is, at one of these addresses. `preferred` is the one that worked last,
/// and comes first.
pub async fn member(
    identity: &Identity,
    consoles: &[String],
    preferred: &mut usize,
) -> Result<Dialled, Ended> {
    let mut problems = Problems::default();
    for turn in 0..consoles.len() {
        let index = (*preferred + turn) % consoles.len();
        for to in resolve(&consoles[index], &mut problems).await {
            let Some(endpoint) = problems.endpoint(to) else { continue };
            match endpoint::dial(&endpoint, to, identity).await {
                Ok(connection) => {
                    *preferred = index;
                    return Ok((endpoint, connection, consoles[index].clone()));
                }
                Err(error) => problems.add(error),
            }
        }
    }
    Err(problems.sum())
}

/// As that member, to renew its certificate.
pub async fn renewer(identity: &Identity, consoles: &[String]) -> Result<Dialled, Ended> {
    once(consoles, Visit::Renew(identity)).await
}

/// As a newcomer that knows the farm by its pin.
pub async fn newcomer(addresses: &[String], pin: CaPin) -> Result<Dialled, Ended> {
    once(addresses, Visit::Join(pin)).await
}

/// What a connection is for that carries one question.
#[derive(Clone, Copy)]
enum Visit<'a> {
    Join(CaPin),
    Renew(&'a Identity),
}

async fn once(addresses: &[String], visit: Visit<'_>) -> Result<Dialled, Ended> {
    let mut problems = Problems::default();
    for address in addresses {
        for to in resolve(address, &mut problems).await {
            let Some(endpoint) = problems.endpoint(to) else { continue };
            let dialled = match visit {
                Visit::Join(pin) => endpoint::dial_join(&endpoint, to, pin).await,
                Visit::Renew(identity) => endpoint::dial_renew(&endpoint, to, identity).await,
            };
            match dialled {
                Ok(connection) => return Ok((endpoint, connection, address.clone())),
                Err(error) => problems.add(error),
            }
        }
    }
    Err(problems.sum())
}

async fn resolve(address: &str, problems: &mut Problems) -> Vec<SocketAddr> {
    let found = match timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host(address)).await {
        Ok(Ok(found)) => found.take(RESOLVED_MAX).collect(),
        Ok(Err(error)) => {
            problems.lost.push(format!("{address}: {error}"));
            Vec::new()
        }
        Err(_) => {
            problems.lost.push(format!("{address}: the name server does not answer"));
            Vec::new()
        }
    };
    if found.is_empty() && problems.lost.is_empty() {
        problems.lost.push(format!("{address}: the name has no address"));
    }
    found
}

/// What went wrong at each address.
#[derive(Debug, Default)]
struct Problems {
    refused: Option<String>,
    lost: Vec<String>,
}

impl Problems {
    fn endpoint(&mut self, to: SocketAddr) -> Option<Endpoint> {
        endpoint::dialler(to).map_err(|error| self.lost.push(told::chain(&error))).ok()
    }

    fn add(&mut self, error: DialError) {
        match error {
            DialError::Ended { address, ended: Ended::Refused(words) } => {
                self.refused = Some(format!("{address}: {words}"));
            }
            DialError::Ended { .. }
            | DialError::NoAnswer(_)
            | DialError::Setup { .. }
            | DialError::Certs(_) => self.lost.push(told::chain(&error)),
        }
    }

    /// A refusal tells most: it is what a person must act on.
    fn sum(self) -> Ended {
        match (self.refused, self.lost.is_empty()) {
            (Some(words), _) => Ended::Refused(words),
            (None, true) => Ended::Lost("no address of the console is known".into()),
            (None, false) => Ended::Lost(self.lost.join("; ")),
        }
    }
}
