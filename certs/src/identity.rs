//! A member's key and certificate, and where it finds its console: one file, put in place at once.

use std::fmt;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use vc_protocol::id::{AgentId, FarmId};
use vc_protocol::join::Joined;
use vc_protocol::operator::Role;
use zeroize::Zeroizing;

use crate::error::CertsError;
use crate::line::CaPin;
use crate::{durable, line, x509};

const FILE: &str = "identity.pem";
const PENDING: &str = "join.key";
const PENDING_RENEWAL: &str = "renewal.key";
/// More than a key, a certificate, two authorities and eight addresses take.
const FILE_ROOM: usize = 16 * 1024;

/// A private key that is not certified yet. It never leaves the box.
pub struct AgentKey(Zeroizing<KeyPair>);

impl AgentKey {
    /// A new one.
    pub fn generate() -> Result<Self, CertsError> {
        KeyPair::generate().map(|key| AgentKey(Zeroizing::new(key))).map_err(CertsError::make("make a key"))
    }

    /// The key with which this box tries to join, made and flushed at the first try: an answer that got lost is
    /// given again only to the same key. [`Identity::store`] forgets it.
    pub fn pending(dir: &Path) -> Result<Self, CertsError> {
        Self::kept(dir, PENDING, |_| true)
    }

    /// The key with which this member renews its certificate, made and flushed at the first try likewise. One that a
    /// crash left behind is not used for a second certificate.
    pub fn renewal(dir: &Path, identity: &Identity) -> Result<Self, CertsError> {
        Self::kept(dir, PENDING_RENEWAL, |key| key.serialize_der() != *identity.key)
    }

    fn kept(dir: &Path, file: &str, is_good: impl FnOnce(&KeyPair) -> bool) -> Result<Self, CertsError> {
        durable::private_dir(dir)?;
        let path = dir.join(file);
        if let Some(pem) = durable::read(&path)? {
            let key = PrivateKeyDer::from_pem_slice(&pem).ok().and_then(|der| KeyPair::try_from(&der).ok());
            if let Some(key) = key.map(Zeroizing::new).filter(|key| is_good(key)) {
                return Ok(AgentKey(key));
            }
        }
        let key = AgentKey::generate()?;
        durable::replace(&path, Zeroizing::new(key.0.serialize_pem()).as_bytes())?;
        Ok(key)
    }

    /// The certificate request for it (PKCS #10, DER): the public key and a signature, no wishes.
    pub fn request(&self) -> Result<Vec<u8>, CertsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&*self.0).map_err(CertsError::make("make a request"))?;
        Ok(request.der().to_vec())
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentKey(…)")
    }
}

/// Who this box, or this person on it, is in the farm.
#[derive(Clone)]
pub struct Identity {
    /// The farm.
    pub farm: FarmId,
    /// As what it belongs to the farm.
    pub role: Role,
    /// The place in its registry.
    pub agent: AgentId,
    /// The name in the farm.
    pub name: String,
    /// Where the console may be reached, `host:port`, best first.
    pub consoles: Vec<String>,
    /// Begin of the certificate's life, seconds since 1970.
    pub begins_s: i64,
    /// End of the certificate's life, seconds since 1970.
    pub expires_s: i64,
    key: Zeroizing<Vec<u8>>,
    certificate: CertificateDer<'static>,
    authorities: Vec<CertificateDer<'static>>,
}

impl Identity {
    /// From the key and what the console answered; refused if they do not belong together.
    pub fn new(key: &AgentKey, joined: &Joined, consoles: &[String]) -> Result<Self, CertsError> {
        let facts =
            x509::read(&joined.certificate).ok_or(CertsError::Certificate("it is not a certificate"))?;
        if facts.key != x509::key_hash(&key.0.subject_public_key_info()) {
            return Err(CertsError::Certificate("it is for another key"));
        }
        let named = facts.member.filter(|member| (member.farm, member.id) == (joined.farm, joined.agent));
        let Some(member) = named else {
            return Err(CertsError::Certificate("it names another farm or member"));
        };
        if joined.authorities.is_empty() {
            return Err(CertsError::Certificate("the farm's authority is missing"));
        }
        Ok(Identity {
            farm: member.farm,
            role: member.role,
            agent: member.id,
            name: one_line(&joined.name),
            consoles: consoles.to_vec(),
            begins_s: facts.not_before,
            expires_s: facts.not_after,
            key: Zeroizing::new(key.0.serialize_der()),
            certificate: joined.certificate.clone().into(),
            authorities: joined.authorities.iter().map(|der| der.clone().into()).collect(),
        })
    }

    /// The stored one, or nothing if this box has not joined.
    pub fn load(dir: &Path) -> Result<Option<Self>, CertsError> {
        let path = dir.join(FILE);
        let Some(pem) = durable::read(&path)? else { return Ok(None) };
        Self::from_pem(&pem).map(Some).map_err(|why| CertsError::content(&path, why))
    }

    /// Puts it in place of an earlier one, whole or not at all.
    pub fn store(&self, dir: &Path) -> Result<(), CertsError> {
        durable::private_dir(dir)?;
        durable::replace(&dir.join(FILE), self.to_pem().as_bytes())?;
        durable::remove(&dir.join(PENDING))?;
        durable::remove(&dir.join(PENDING_RENEWAL))
    }

    /// Lines for people and for us, the key, the certificate, the authorities.
    fn to_pem(&self) -> Zeroizing<String> {
        // Room for all of it at once: a text that grows leaves copies of the key behind.
        let mut text = Zeroizing::new(String::with_capacity(FILE_ROOM));
        text.push_str(&format!("name: {}\n", self.name));
        for console in &self.consoles {
            text.push_str(&format!("console: {console}\n"));
        }
        push_block(&mut text, "PRIVATE KEY", &self.key);
        push_block(&mut text, "CERTIFICATE", &self.certificate);
        for authority in &self.authorities {
            push_block(&mut text, "CERTIFICATE", authority);
        }
        text
    }

    fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|e| format!("no private key: {e}"))?;
        let mut certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| format!("a certificate is broken: {e}"))?
            .into_iter();
        let certificate = certificates.next().ok_or("no certificate")?;
        let authorities: Vec<_> = certificates.collect();
        if authorities.is_empty() {
            return Err("no authority".into());
        }
        let facts = x509::read(&certificate).ok_or("its certificate cannot be read")?;
        let member = facts.member.ok_or("its certificate names no member of a farm")?;
        let head = pem.split(|b| *b == b'\n').map_while(|line| std::str::from_utf8(line).ok());
        let head: Vec<&str> = head.take_while(|line| !line.starts_with("-----BEGIN")).collect();
        let field = |name: &'static str| head.iter().filter_map(move |line| line.strip_prefix(name));
        Ok(Identity {
            farm: member.farm,
            role: member.role,
            agent: member.id,
            name: field("name: ").next().unwrap_or_default().to_owned(),
            consoles: field("console: ").filter(|a| line::is_address(a)).map(str::to_owned).collect(),
            begins_s: facts.not_before,
            expires_s: facts.not_after,
            key: Zeroizing::new(key.secret_pkcs8_der().to_vec()),
            certificate,
            authorities,
        })
    }

    /// Whether the authority of this pin is among those that it trusts.
    pub fn trusts(&self, pin: CaPin) -> bool {
        self.authorities.iter().any(|der| x509::read(der).is_some_and(|facts| facts.key == pin.0))
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.to_vec()).into()
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(crate) fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} {} of farm {})", self.role.word(), self.agent, self.farm)
    }
}

fn push_block(text: &mut String, label: &str, der: &[u8]) {
    let body = Zeroizing::new(data_encoding::BASE64.encode(der));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for line in body.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).unwrap_or_default());
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
}

/// A name from the network must not forge a second line of the file.
fn one_line(name: &str) -> String {
    name.chars().filter(|c| !vc_protocol::path::is_unprintable(*c)).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Authority;

    fn joined(authority: &Authority, key: &AgentKey, agent: AgentId) -> Joined {
        let signed = authority.sign_member(&key.request().unwrap(), Role::Viewer, agent).unwrap();
        Joined {
            farm: authority.farm(),
            agent,
            name: "ada".into(),
            certificate: signed.certificate,
            authorities: vec![signed.authority],
            clock_ms: 0,
        }
    }

    #[test]
    fn an_identity_survives_its_file_and_forgets_the_pending_key() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca")).unwrap();
        let home = dir.path().join("agent");
        assert!(Identity::load(&home).unwrap().is_none());
        let key = AgentKey::pending(&home).unwrap();
        let again = AgentKey::pending(&home).unwrap();
        assert_eq!(key.0.serialized_der(), again.0.serialized_der());
        let consoles = ["10.0.0.1:4433".to_owned(), "box:1".to_owned()];
        let identity = Identity::new(&key, &joined(&authority, &key, AgentId(5)), &consoles).unwrap();
        identity.store(&home).unwrap();
        let loaded = Identity::load(&home).unwrap().unwrap();
        assert_eq!((loaded.farm, loaded.agent, loaded.name.as_str()), (authority.farm(), AgentId(5), "ada"));
        assert_eq!(loaded.role, Role::Viewer);
        assert_eq!(loaded.consoles, consoles);
        assert_eq!(loaded.key, identity.key);
        assert_eq!(loaded.authorities(), [authority.certificate().clone()]);
        assert!(!home.join(PENDING).exists());
        assert!(!format!("{loaded:?}{key:?}").contains(&data_encoding::BASE64.encode(&loaded.key)[20..40]));
    }

    #[test]
    fn the_key_of_a_renewal_is_kept_until_it_is_the_identitys() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca")).unwrap();
        let home = dir.path().join("agent");
        let first = AgentKey::pending(&home).unwrap();
        let identity = Identity::new(&first, &joined(&authority, &first, AgentId(5)), &[]).unwrap();
        identity.store(&home).unwrap();
        let der = |key: &AgentKey| key.0.serialize_der();
        let next = AgentKey::renewal(&home, &identity).unwrap();
        assert_ne!(der(&next), *identity.key);
        assert_eq!(der(&next), der(&AgentKey::renewal(&home, &identity).unwrap()), "after a lost answer");
        let renewed = Identity::new(&next, &joined(&authority, &next, AgentId(5)), &[]).unwrap();
        let left_by_a_crash = std::fs::read(home.join(PENDING_RENEWAL)).unwrap();
        renewed.store(&home).unwrap();
        assert!(!home.join(PENDING_RENEWAL).exists());
        std::fs::write(home.join(PENDING_RENEWAL), left_by_a_crash).unwrap();
        assert_ne!(der(&AgentKey::renewal(&home, &renewed).unwrap()), der(&next));
    }

    #[test]
    fn an_answer_for_another_key_farm_or_agent_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(dir.path()).unwrap();
        let (key, other) = (AgentKey::generate().unwrap(), AgentKey::generate().unwrap());
        let good = joined(&authority, &key, AgentId(5));
        assert!(Identity::new(&key, &good, &[]).is_ok());
        assert!(Identity::new(&other, &good, &[]).is_err());
        assert!(Identity::new(&key, &Joined { agent: AgentId(6), ..good.clone() }, &[]).is_err());
        assert!(Identity::new(&key, &Joined { farm: FarmId([0; 16]), ..good.clone() }, &[]).is_err());
        assert!(Identity::new(&key, &Joined { authorities: vec![], ..good }, &[]).is_err());
    }

    #[test]
    fn a_broken_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(matches!(Identity::load(dir.path()), Err(CertsError::Content { .. })), "{text}");
        }
    }
}
