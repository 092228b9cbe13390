//! Who is at the other end of a connection, decided once after the handshake and before the first stream.
//!
//! Protocol and certificate are looked at together and everything that is not listed is refused: the verifier in the
//! handshake cannot see the protocol, and lets newcomers through without a certificate.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use vc_protocol::id::AgentId;
use vc_protocol::operator::Role;

use crate::tls::{ALPN_AGENT, ALPN_JOIN, ALPN_OPERATOR, ALPN_RENEW};
use crate::x509::{self, KeyHash};

/// Who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Somebody without a certificate who may say one join request.
    Joiner,
    /// This agent; its key was found in the registry during the handshake.
    Agent(AgentId),
    /// This operator or viewer, likewise.
    Operator(AgentId),
    /// This member, likewise, who may ask for a successor of its certificate and nothing else.
    Renewer(AgentId),
}

/// Why a connection goes no further; the text is sent to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An agent's protocol without a certificate.
    #[error("vc-agent/1 needs an agent's certificate: join first")]
    NoCertificate,
    /// A join request from one that has an identity.
    #[error("vc-join/1 takes no certificate: this box has joined already")]
    HasCertificate,
    /// An operator's protocol without a certificate.
    #[error("vc-operator/1 needs an operator's certificate: join first with `vc-console join`")]
    NoOperatorCertificate,
    /// An operator's protocol with an agent's certificate.
    #[error("vc-operator/1 is not for agents: join with a token of an operator")]
    NotAnOperator,
    /// An agent's protocol with an operator's certificate.
    #[error("vc-agent/1 is not for operators: join with a token of an agent")]
    NotAnAgent,
    /// A member's protocol with a certificate that has expired, not long ago.
    #[error("the certificate has expired: it may be renewed and nothing else")]
    Expired,
    /// A renewal without a certificate.
    #[error("vc-renew/1 needs a certificate: join first")]
    NothingToRenew,
    /// A certificate that names no member.
    #[error("the certificate names no member of a farm")]
    Nobody,
    /// A protocol we do not know, or none.
    #[error("the protocol is not one of this farm's")]
    Protocol,
}

/// Who is at the other end of this connection that a console accepted.
pub fn who(connection: &quinn::Connection) -> Result<Peer, Refusal> {
    let certificate = certificate(connection);
    let facts = certificate.as_deref().map(x509::read);
    let ended =
        facts.as_ref().is_some_and(|facts| facts.as_ref().is_some_and(|facts| facts.not_after < now_s()));
    let member = facts.map(|facts| facts.and_then(|facts| facts.member));
    match (protocol(connection).as_deref(), member) {
        (Some(ALPN_JOIN), None) => Ok(Peer::Joiner),
        (Some(ALPN_JOIN), Some(_)) => Err(Refusal::HasCertificate),
        (Some(ALPN_AGENT), None) => Err(Refusal::NoCertificate),
        (Some(ALPN_OPERATOR), None) => Err(Refusal::NoOperatorCertificate),
        (Some(ALPN_RENEW), None) => Err(Refusal::NothingToRenew),
        (Some(ALPN_AGENT | ALPN_OPERATOR | ALPN_RENEW), Some(None)) => Err(Refusal::Nobody),
        (Some(ALPN_RENEW), Some(Some(member))) => Ok(Peer::Renewer(member.id)),
        (Some(ALPN_AGENT), Some(Some(member))) => match member.role {
            Role::Agent if ended => Err(Refusal::Expired),
            Role::Agent => Ok(Peer::Agent(member.id)),
            Role::Operator | Role::Viewer => Err(Refusal::NotAnAgent),
        },
        (Some(ALPN_OPERATOR), Some(Some(member))) => match member.role {
            Role::Operator | Role::Viewer if ended => Err(Refusal::Expired),
            Role::Operator | Role::Viewer => Ok(Peer::Operator(member.id)),
            Role::Agent => Err(Refusal::NotAnOperator),
        },
        (_, _) => Err(Refusal::Protocol),
    }
}

/// Serial number of the peer's certificate in hexadecimal digits, and when it ends, milliseconds since 1970.
pub fn certificate_life(connection: &quinn::Connection) -> Option<(String, i64)> {
    x509::life(&certificate(connection)?)
}

/// The key that the peer has proved to hold.
pub fn key(connection: &quinn::Connection) -> Option<KeyHash> {
    x509::read(&certificate(connection)?).map(|facts| facts.key)
}

/// The protocol that both ends settled on.
pub(crate) fn protocol(connection: &quinn::Connection) -> Option<Vec<u8>> {
    let data = connection.handshake_data()?.downcast::<quinn::crypto::rustls::HandshakeData>().ok()?;
    data.protocol
}

fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn certificate(connection: &quinn::Connection) -> Option<CertificateDer<'static>> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.into_iter().next()
}
