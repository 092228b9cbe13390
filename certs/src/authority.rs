//! The farm's authority: its CA key and certificate, and the console's own certificate.
//!
//! Lives in one private folder of the console's state: `ca.key`, `ca.crt`, `server.pem` (key and certificate, in one
//! file so that they cannot disagree). The CA key is read only to sign.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use time::{Duration, OffsetDateTime};
use vc_protocol::id::{AgentId, FarmId};
use vc_protocol::join::CSR_BYTES_MAX;
use vc_protocol::operator::Role;
use zeroize::Zeroizing;

use crate::error::{CertsError, random};
use crate::line::CaPin;
use crate::names::Member;
use crate::x509::{self, KeyHash};
use crate::{durable, names, tls};

/// Life of the CA: longer than any box stays in a farm; it is changed by `ca rotate`, not by its end.
const CA_LIFE: Duration = Duration::days(3652);
/// Life of the console's certificate; remade at two thirds.
const SERVER_LIFE: Duration = Duration::days(90);
/// Life of a member's certificate: a month without renewal and a person should look.
const MEMBER_LIFE: Duration = Duration::days(30);
/// The same in seconds.
pub const MEMBER_LIFE_S: i64 = MEMBER_LIFE.whole_seconds();
/// How far before now a certificate begins to be valid: boxes whose clock is a bit late must accept it.
const BACKDATE: Duration = Duration::hours(1);
/// Least part of a life that lies before now: a life of seconds must not be over its half when it begins.
const BACKDATE_SHARE: i32 = 10;
/// The first CA of a farm; each rotation counts up.
const FIRST_GENERATION: u32 = 1;
/// Bytes of an uncompressed P-256 point.
const P256_POINT_BYTES: usize = 65;

/// The farm's authority.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
    farm: FarmId,
    ca: CertificateDer<'static>,
    pin: CaPin,
    leaf: Arc<ServerLeaf>,
    member_life: Duration,
}

/// A certificate for a newcomer.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The CA that signed it, DER.
    pub authority: Vec<u8>,
    /// What the registry knows its key by.
    pub key_hash: KeyHash,
}

impl Authority {
    /// Opens the authority in `dir`, or founds a new farm if there is none.
    pub fn open_or_create(dir: &Path) -> Result<Self, CertsError> {
        Self::open_at(dir, OffsetDateTime::now_utc())
    }

    fn open_at(dir: &Path, now: OffsetDateTime) -> Result<Self, CertsError> {
        durable::private_dir(dir)?;
        let path = dir.join("ca.crt");
        if durable::read(&path)?.is_none() {
            found_farm(dir, now)?;
        }
        let pem = durable::read(&path)?.ok_or_else(|| CertsError::content(&path, "it vanished"))?;
        let ca =
            CertificateDer::from_pem_slice(&pem).map_err(|e| CertsError::content(&path, e.to_string()))?;
        let facts = x509::read(&ca).ok_or_else(|| CertsError::content(&path, "it is not a certificate"))?;
        let farm = facts.common_name.as_deref().and_then(names::parse_authority);
        let farm = farm.ok_or_else(|| CertsError::content(&path, "its name is not that of a farm"))?;
        if !dir.join("ca.key").exists() {
            return Err(CertsError::KeyMissing(dir.join("ca.key")));
        }
        let leaf = Arc::new(ServerLeaf::load_or_make(dir, farm, &ca, now)?);
        let (dir, pin) = (dir.to_owned(), CaPin(facts.key));
        Ok(Authority { dir, farm, ca, pin, leaf, member_life: MEMBER_LIFE })
    }

    /// Lets members' certificates live that many seconds: tests do not wait for a month.
    #[must_use]
    pub fn with_member_life(self, seconds: u32) -> Self {
        Authority { member_life: Duration::seconds(seconds.into()), ..self }
    }

    /// The farm's id.
    pub fn farm(&self) -> FarmId {
        self.farm
    }

    /// What join lines pin.
    pub fn ca_pin(&self) -> CaPin {
        self.pin
    }

    /// The CA's certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.ca
    }

    /// The folder that holds its keys.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The console's certificate, as TLS asks for it.
    pub(crate) fn server_leaf(&self) -> Arc<ServerLeaf> {
        Arc::clone(&self.leaf)
    }

    /// Remakes the console's certificate if it is past two thirds of its life; new handshakes use the new one.
    /// To be called once a day; says whether it was due.
    pub fn renew_server(&self) -> Result<bool, CertsError> {
        self.renew_at(OffsetDateTime::now_utc())
    }

    fn renew_at(&self, now: OffsetDateTime) -> Result<bool, CertsError> {
        if !self.leaf.is_due(now) {
            return Ok(false);
        }
        let fresh = make_server(&self.dir, self.farm, &self.ca, now)?;
        *self.leaf.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(true)
    }

    /// Signs the public key of this request, and nothing else that the request asks for, as this member's.
    pub fn sign_member(&self, csr: &[u8], role: Role, id: AgentId) -> Result<Signed, CertsError> {
        self.sign_member_at(csr, Member { farm: self.farm, role, id }, OffsetDateTime::now_utc())
    }

    /// What the registry would know the key of this request by.
    pub fn request_key(csr: &[u8]) -> Result<KeyHash, CertsError> {
        Ok(x509::key_hash(&public_key(csr)?.subject_public_key_info()))
    }

    fn sign_member_at(&self, csr: &[u8], member: Member, now: OffsetDateTime) -> Result<Signed, CertsError> {
        let key = public_key(csr)?;
        let mut params = leaf_params(now, self.member_life, ExtendedKeyUsagePurpose::ClientAuth)?;
        params
            .distinguished_name
            .push(DnType::CommonName, format!("vc {} {}", member.role.word(), member.id));
        params.subject_alt_names = vec![SanType::URI(ia5(names::member(member))?)];
        let certificate =
            with_issuer(&self.dir, &self.ca, |issuer| params.signed_by(&key, issuer))?.der().to_vec();
        let facts = x509::read(&certificate).ok_or(CertsError::Certificate("it cannot be read back"))?;
        Ok(Signed { certificate, authority: self.ca.to_vec(), key_hash: facts.key })
    }
}

/// The console's own certificate and key; handshakes take whichever is current.
pub(crate) struct ServerLeaf {
    current: RwLock<Leaf>,
}

struct Leaf {
    key: Arc<CertifiedKey>,
    remake_at: i64,
}

impl ServerLeaf {
    fn load_or_make(
        dir: &Path,
        farm: FarmId,
        ca: &CertificateDer<'static>,
        now: OffsetDateTime,
    ) -> Result<Self, CertsError> {
        let found = match durable::read(&dir.join("server.pem"))? {
            // One that cannot be used (cut short, of another farm) is remade like one that is too old.
            Some(pem) => leaf_from_pem(&pem, farm, ca).ok(),
            None => None,
        };
        let leaf = match found.filter(|leaf| now.unix_timestamp() < leaf.remake_at) {
            Some(leaf) => leaf,
            None => make_server(dir, farm, ca, now)?,
        };
        Ok(ServerLeaf { current: RwLock::new(leaf) })
    }

    fn is_due(&self, now: OffsetDateTime) -> bool {
        now.unix_timestamp() >= self.current.read().unwrap_or_else(PoisonError::into_inner).remake_at
    }
}

impl ResolvesServerCert for ServerLeaf {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

impl fmt::Debug for ServerLeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerLeaf(…)")
    }
}

/// New farm id and CA. A key that a crash left without a certificate has signed nothing, and is used.
fn found_farm(dir: &Path, now: OffsetDateTime) -> Result<(), CertsError> {
    let key_path = dir.join("ca.key");
    if durable::read(&key_path)?.is_none() {
        let key = Zeroizing::new(new_key()?);
        durable::create(&key_path, Zeroizing::new(key.serialize_pem()).as_bytes())?;
    }
    let key = read_key(&key_path)?;
    let farm = FarmId(random()?);
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names::authority(farm, FIRST_GENERATION));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - BACKDATE;
    params.not_after = now + CA_LIFE;
    params.serial_number = Some(serial()?);
    let certificate = params.self_signed(&*key).map_err(CertsError::make("make the farm's authority"))?;
    durable::create(&dir.join("ca.crt"), certificate.pem().as_bytes())
}

fn make_server(
    dir: &Path,
    farm: FarmId,
    ca: &CertificateDer<'static>,
    now: OffsetDateTime,
) -> Result<Leaf, CertsError> {
    let key = Zeroizing::new(new_key()?);
    let mut params = leaf_params(now, SERVER_LIFE, ExtendedKeyUsagePurpose::ServerAuth)?;
    params.distinguished_name.push(DnType::CommonName, "vc console");
    params.subject_alt_names = vec![SanType::DnsName(ia5(names::server(farm))?)];
    // The box's real name stands beside the farm's for people and their tools; agents check the farm's alone.
    if let Some(name) = host_name() {
        params.subject_alt_names.push(SanType::DnsName(ia5(name)?));
    }
    let certificate = with_issuer(dir, ca, |issuer| params.signed_by(&*key, issuer))?;
    let mut pem = Zeroizing::new(key.serialize_pem());
    pem.push_str(&certificate.pem());
    durable::replace(&dir.join("server.pem"), pem.as_bytes())?;
    leaf_from_pem(pem.as_bytes(), farm, ca)
}

fn leaf_from_pem(pem: &[u8], farm: FarmId, ca: &CertificateDer<'static>) -> Result<Leaf, CertsError> {
    let unreadable = |_| CertsError::Certificate("server.pem is not a key and a certificate");
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(unreadable)?;
    let certificate = CertificateDer::from_pem_slice(pem).map_err(unreadable)?;
    let facts = x509::read(&certificate).ok_or(CertsError::Certificate("server.pem cannot be read"))?;
    tls::check_server(&certificate, ca, farm).map_err(CertsError::Tls)?;
    let life = facts.not_after - facts.not_before;
    let remake_at = facts.not_before + life / 3 * 2;
    // The CA goes along so that a newcomer, who knows only its hash, can find it in the chain.
    let key = CertifiedKey::from_der(vec![certificate, ca.clone()], key, &tls::provider())
        .map_err(CertsError::Tls)?;
    Ok(Leaf { key: Arc::new(key), remake_at })
}

/// The public key of a request whose signature proves that its sender has the private one.
fn public_key(csr: &[u8]) -> Result<rcgen::PublicKey, CertsError> {
    if csr.len() > CSR_BYTES_MAX {
        return Err(CertsError::Request("it is too long".into()));
    }
    let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr))
        .map_err(|e| CertsError::Request(e.to_string()))?;
    let key = request.public_key;
    if key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 || key.der_bytes().len() != P256_POINT_BYTES {
        return Err(CertsError::Request("its key is not on P-256".into()));
    }
    Ok(key)
}

/// Everything that leaves of this farm have in common.
fn leaf_params(
    now: OffsetDateTime,
    life: Duration,
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, CertsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - BACKDATE.min(life / BACKDATE_SHARE);
    params.not_after = now + life;
    params.serial_number = Some(serial()?);
    Ok(params)
}

/// Reads the CA key, signs once, forgets it.
fn with_issuer<T>(
    dir: &Path,
    ca: &CertificateDer<'static>,
    sign: impl FnOnce(&Issuer<'_, &KeyPair>) -> Result<T, rcgen::Error>,
) -> Result<T, CertsError> {
    let key = read_key(&dir.join("ca.key"))?;
    let issuer = Issuer::from_ca_cert_der(ca, &*key).map_err(CertsError::make("use the farm's authority"))?;
    sign(&issuer).map_err(CertsError::make("sign a certificate"))
}

fn new_key() -> Result<KeyPair, CertsError> {
    KeyPair::generate().map_err(CertsError::make("make a key"))
}

fn read_key(path: &Path) -> Result<Zeroizing<KeyPair>, CertsError> {
    let pem = durable::read(path)?.ok_or_else(|| CertsError::KeyMissing(path.to_owned()))?;
    let der = PrivateKeyDer::from_pem_slice(&pem).map_err(|e| CertsError::content(path, e.to_string()))?;
    KeyPair::try_from(&der).map(Zeroizing::new).map_err(CertsError::make("use a key"))
}

/// 127 random bits: the first bit stays clear, or the number would be negative and one byte longer.
fn serial() -> Result<SerialNumber, CertsError> {
    let mut bytes: [u8; 16] = random()?;
    bytes[0] &= 0x7f;
    // A leading zero byte would not be the shortest form that DER asks for.
    bytes[0] |= 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn ia5(text: String) -> Result<rcgen::string::Ia5String, CertsError> {
    text.try_into().map_err(CertsError::make("write a name into a certificate"))
}

/// The kernel's name of this box, if it can stand in a certificate.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().to_ascii_lowercase();
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    (name.len() <= 253 && name.split('.').all(label_ok)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AgentKey;

    fn farm() -> (tempfile::TempDir, Authority) {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("keys")).unwrap();
        (dir, authority)
    }

    #[test]
    fn a_farm_keeps_its_identity_over_restarts() {
        let (dir, first) = farm();
        let again = Authority::open_or_create(&dir.path().join("keys")).unwrap();
        assert_eq!((first.farm(), first.ca_pin()), (again.farm(), again.ca_pin()));
        let (_dir, other) = farm();
        assert_ne!(first.farm(), other.farm());
        assert_ne!(first.ca_pin(), other.ca_pin());
    }

    #[test]
    fn a_missing_authority_key_is_told_and_not_replaced() {
        let (dir, _) = farm();
        std::fs::remove_file(dir.path().join("keys/ca.key")).unwrap();
        let error = Authority::open_or_create(&dir.path().join("keys")).unwrap_err();
        assert!(matches!(error, CertsError::KeyMissing(_)), "{error}");
    }

    #[test]
    fn a_crash_between_key_and_certificate_leaves_a_usable_folder() {
        let (dir, _) = farm();
        std::fs::remove_file(dir.path().join("keys/ca.crt")).unwrap();
        assert!(Authority::open_or_create(&dir.path().join("keys")).is_ok());
    }

    #[test]
    fn a_members_certificate_says_what_we_grant_and_nothing_that_was_asked_for() {
        let (_dir, authority) = farm();
        let key = KeyPair::generate().unwrap();
        let mut greedy = CertificateParams::new(vec!["console.example".to_owned()]).unwrap();
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        greedy.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let csr = greedy.serialize_request(&key).unwrap();
        let now = OffsetDateTime::now_utc();
        let member = Member { farm: authority.farm(), role: Role::Viewer, id: AgentId(3) };
        let signed = authority.sign_member_at(csr.der(), member, now).unwrap();

        let facts = x509::read(&signed.certificate).unwrap();
        assert_eq!(facts.member, Some(member));
        assert_eq!(facts.key, x509::key_hash(&key.subject_public_key_info()));
        assert_eq!(facts.key, signed.key_hash);
        assert_eq!(facts.not_before, (now - BACKDATE).unix_timestamp());
        assert_eq!(facts.not_after, (now + MEMBER_LIFE).unix_timestamp());
        let (_, certificate) = x509_parser::parse_x509_certificate(&signed.certificate).unwrap();
        assert!(!certificate.is_ca());
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        assert!(certificate.raw_serial().len() == 16);
    }

    #[test]
    fn requests_that_are_none_are_refused() {
        let (_dir, authority) = farm();
        let good = AgentKey::generate().unwrap().request().unwrap();
        assert!(authority.sign_member(&good, Role::Agent, AgentId(1)).is_ok());
        let mut tampered = good.clone();
        let last = tampered.len() - 1;
        tampered[last] ^= 1;
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let p384 = CertificateParams::default().serialize_request(&p384).unwrap().der().to_vec();
        for bad in [tampered, p384, Vec::new(), vec![0x30; CSR_BYTES_MAX + 1]] {
            assert!(matches!(
                authority.sign_member(&bad, Role::Agent, AgentId(1)),
                Err(CertsError::Request(_))
            ));
        }
    }

    #[test]
    fn the_consoles_certificate_is_remade_at_two_thirds_of_its_life() {
        let (dir, authority) = farm();
        let now = OffsetDateTime::now_utc();
        let path = dir.path().join("keys/server.pem");
        let first = std::fs::read(&path).unwrap();
        assert!(!authority.renew_at(now + Duration::days(59)).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert!(authority.renew_at(now + Duration::days(61)).unwrap());
        assert_ne!(std::fs::read(&path).unwrap(), first);
        std::fs::write(&path, b"cut short").unwrap();
        assert!(Authority::open_or_create(&dir.path().join("keys")).is_ok());
    }
}
