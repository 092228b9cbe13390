//! TLS as the farm speaks it: 1.3 only, no early data, no resumption, everybody proves a certificate of one CA.
//!
//! Built by hand, because quinn's own constructors switch early data on and rustls' defaults hand out tickets: a
//! resumed session would skip the look into the registry.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    ServerConfig, SignatureScheme,
};
use vc_protocol::id::{AgentId, FarmId};
use vc_protocol::operator::Role;

use crate::authority::Authority;
use crate::error::CertsError;
use crate::identity::Identity;
use crate::line::CaPin;
use crate::names;
use crate::x509::{self, KeyHash};

/// Agents with a certificate: control connections.
pub const ALPN_AGENT: &[u8] = b"vc-agent/1";
/// Operators and viewers with a certificate: the operator service.
pub const ALPN_OPERATOR: &[u8] = b"vc-operator/1";
/// Newcomers without a certificate: only a join request is heard there.
pub const ALPN_JOIN: &[u8] = b"vc-join/1";
/// Members of every role with a certificate, which may have expired: only the request for its successor is heard there.
pub const ALPN_RENEW: &[u8] = b"vc-renew/1";

/// How long after its end a certificate is still good for its own renewal: a box that was off for months comes back by
/// itself, one that was forgotten in a cellar for half a year does not.
pub const RENEWABLE_S: i64 = 180 * 24 * 3600;

/// The registry's word on a key, asked in every handshake. Must answer from memory.
pub trait Admission: Send + Sync {
    /// Whether this key is that of this member in this role, now.
    fn admit(&self, role: Role, id: AgentId, key: KeyHash) -> Result<(), NotAdmitted>;
}

/// Why a certificate of the farm's own CA is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The registry has no such member.
    #[error("no such member is registered")]
    Unknown,
    /// The registry knows it in another role.
    #[error("the member is registered in another role")]
    OtherRole,
    /// The registry knows another key for it.
    #[error("the member is registered with another key")]
    OtherKey,
    /// Revoked.
    #[error("the member was revoked")]
    Revoked,
}

/// The one crypto provider, named everywhere so that no default is ever guessed.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The console's end, for all roles.
pub(crate) fn server(
    authority: &Authority,
    admission: Arc<dyn Admission>,
) -> Result<ServerConfig, CertsError> {
    let roots = Arc::new(roots([authority.certificate()]).map_err(CertsError::Tls)?);
    let chain = WebPkiClientVerifier::builder_with_provider(roots, provider())
        // Newcomers have no certificate. Who lacks one on another protocol is turned away by `peer::who`.
        .allow_unauthenticated()
        .build()
        .map_err(|e| CertsError::Verifier(e.to_string()))?;
    let verifier = MemberVerifier { chain, farm: authority.farm(), admission };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(CertsError::Tls)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(authority.server_leaf());
    config.alpn_protocols = [ALPN_AGENT, ALPN_JOIN, ALPN_OPERATOR, ALPN_RENEW].map(<[u8]>::to_vec).into();
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// A member's end. The name that it checks is the farm's made-up one, see [`server_name`].
pub(crate) fn member(identity: &Identity, alpn: &[u8]) -> Result<ClientConfig, CertsError> {
    let roots = Arc::new(roots(identity.authorities()).map_err(CertsError::Tls)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|e| CertsError::Verifier(e.to_string()))?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(CertsError::Tls)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(vec![identity.certificate().clone()], identity.key())
        .map_err(CertsError::Tls)?;
    Ok(without_memory(config, alpn))
}

/// What a member of that role speaks.
pub(crate) fn protocol_of(role: Role) -> &'static [u8] {
    match role {
        Role::Agent => ALPN_AGENT,
        Role::Operator | Role::Viewer => ALPN_OPERATOR,
    }
}

/// A newcomer's end: trusts the CA of this pin alone. After a failed handshake, the second value says which other
/// CA the console showed.
pub(crate) fn join(pin: CaPin) -> Result<(ClientConfig, Arc<OnceLock<CaPin>>), CertsError> {
    let shown = Arc::new(OnceLock::new());
    let verifier = PinVerifier { pin, shown: Arc::clone(&shown), provider: provider() };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(CertsError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok((without_memory(config, ALPN_JOIN), shown))
}

/// The name every member of this farm checks its console for.
pub(crate) fn server_name(farm: FarmId) -> String {
    names::server(farm)
}

/// Whether this certificate is one that agents of the farm accept as their console's, dates aside.
pub(crate) fn check_server(
    leaf: &CertificateDer<'_>,
    ca: &CertificateDer<'_>,
    farm: FarmId,
) -> Result<(), Error> {
    check_chain(leaf, ca)?;
    let name = ServerName::try_from(names::server(farm)).map_err(|_| CertificateError::NotValidForName)?;
    verify_server_name(&ParsedCertificate::try_from(leaf)?, &name)
}

fn without_memory(mut config: ClientConfig, alpn: &[u8]) -> ClientConfig {
    config.alpn_protocols = vec![alpn.to_vec()];
    config.enable_early_data = false;
    config.resumption = Resumption::disabled();
    config
}

fn roots<'a>(
    authorities: impl IntoIterator<Item = &'a CertificateDer<'static>>,
) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for der in authorities {
        roots.add(der.clone())?;
    }
    Ok(roots)
}

/// A server certificate, signed by this CA, at a moment at which it is valid.
fn check_chain(leaf: &CertificateDer<'_>, ca: &CertificateDer<'_>) -> Result<(), Error> {
    let facts = x509::read(leaf).ok_or(CertificateError::BadEncoding)?;
    let begin = facts.not_before.try_into().map_err(|_| CertificateError::BadEncoding)?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(begin));
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone().into_owned())?;
    let algorithms = provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(
        &ParsedCertificate::try_from(leaf)?,
        &roots,
        &[],
        at,
        algorithms,
    )
}

/// The moment at which a member's certificate is judged: now, or the last one of its life if that is not long over. Who
/// gets in so may renew and nothing else, see [`crate::peer`].
fn judged_at(facts: &x509::Facts, now: UnixTime) -> UnixTime {
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let renewable = facts.not_after < now_s && now_s <= facts.not_after.saturating_add(RENEWABLE_S);
    match u64::try_from(facts.not_after) {
        Ok(end) if renewable => UnixTime::since_unix_epoch(std::time::Duration::from_secs(end)),
        Ok(_) | Err(_) => now,
    }
}

/// Chain, dates and purpose by webpki; role, farm and key by us.
struct MemberVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    farm: FarmId,
    admission: Arc<dyn Admission>,
}

impl fmt::Debug for MemberVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberVerifier({})", self.farm)
    }
}

impl ClientCertVerifier for MemberVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let facts = x509::read(end_entity).ok_or(CertificateError::BadEncoding)?;
        let at = judged_at(&facts, now);
        let verified = self.chain.verify_client_cert(end_entity, intermediates, at)?;
        let member = facts.member.filter(|member| member.farm == self.farm);
        let member = member.ok_or(CertificateError::ApplicationVerificationFailure)?;
        match self.admission.admit(member.role, member.id, facts.key) {
            Ok(()) => Ok(verified),
            Err(NotAdmitted::Revoked) => Err(CertificateError::Revoked.into()),
            Err(NotAdmitted::Unknown | NotAdmitted::OtherRole | NotAdmitted::OtherKey) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Accepts a console whose chain holds the CA with the pinned key. Dates are not judged: the newcomer's clock may be
/// wrong, and the answer tells it so. The name is not judged either: the line does not say which farm it is for.
#[derive(Debug)]
struct PinVerifier {
    pin: CaPin,
    shown: Arc<OnceLock<CaPin>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pin_of = |der: &CertificateDer<'_>| x509::read(der).map(|facts| CaPin(facts.key));
        let Some(ca) = intermediates.iter().find(|der| pin_of(der) == Some(self.pin)) else {
            if let Some(other) = intermediates.iter().find_map(pin_of) {
                // One configuration, one handshake: nothing was there before.
                let _ = self.shown.set(other);
            }
            return Err(CertificateError::UnknownIssuer.into());
        };
        check_chain(end_entity, ca)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AgentKey;

    struct Word(Result<(), NotAdmitted>);

    impl Admission for Word {
        fn admit(&self, _: Role, _: AgentId, _: KeyHash) -> Result<(), NotAdmitted> {
            self.0
        }
    }

    #[test]
    fn an_expired_certificate_gets_in_for_half_a_year_if_the_registry_still_knows_it() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(dir.path()).unwrap();
        let csr = AgentKey::generate().unwrap().request().unwrap();
        let signed = authority.sign_member(&csr, Role::Agent, AgentId(1)).unwrap();
        let certificate = CertificateDer::from(signed.certificate);
        let facts = x509::read(&certificate).unwrap();
        let verify = |word, at_s: i64| {
            let roots = Arc::new(roots([authority.certificate()]).unwrap());
            let chain = WebPkiClientVerifier::builder_with_provider(roots, provider()).build().unwrap();
            let verifier = MemberVerifier { chain, farm: authority.farm(), admission: Arc::new(Word(word)) };
            let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at_s as u64));
            verifier.verify_client_cert(&certificate, &[], at).map(|_| ())
        };
        let end = facts.not_after;
        for at_s in [facts.not_before, end, end + 1, end + RENEWABLE_S] {
            assert!(verify(Ok(()), at_s).is_ok(), "{at_s}");
        }
        assert!(verify(Ok(()), facts.not_before - 1).is_err());
        let late = verify(Ok(()), end + RENEWABLE_S + 1).unwrap_err();
        let expired = |error: &Error| {
            let Error::InvalidCertificate(why) = error else { return false };
            matches!(why, CertificateError::Expired | CertificateError::ExpiredContext { .. })
        };
        assert!(expired(&late), "{late}");
        assert!(verify(Err(NotAdmitted::Revoked), end + 1).is_err());
        assert!(verify(Err(NotAdmitted::OtherKey), end + 1).is_err());
    }

    #[test]
    fn a_certificate_is_judged_now_or_for_half_a_year_at_its_end() {
        let facts = x509::Facts {
            common_name: None,
            member: None,
            key: [0; 32],
            not_before: 1_000,
            not_after: 2_000,
        };
        let at = |now_s| judged_at(&facts, UnixTime::since_unix_epoch(std::time::Duration::from_secs(now_s)));
        let last = 2_000 + RENEWABLE_S as u64;
        for (now_s, judged_s) in
            [(0, 0), (1_500, 1_500), (2_000, 2_000), (2_001, 2_000), (last, 2_000), (last + 1, last + 1)]
        {
            assert_eq!(at(now_s).as_secs(), judged_s, "at {now_s}");
        }
    }
}
