//! The few facts that are read out of certificates.

use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::names::{self, Member};

/// SHA-256 of a public key (its SubjectPublicKeyInfo): what the registry and pins know a key by.
pub type KeyHash = [u8; 32];

/// What a certificate says that concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The subject's common name.
    pub(crate) common_name: Option<String>,
    /// Whom it is for, if it names one member of a farm and no second identity.
    pub(crate) member: Option<Member>,
    /// Which key it is for.
    pub(crate) key: KeyHash,
    /// First second of its life.
    pub(crate) not_before: i64,
    /// Last second of its life.
    pub(crate) not_after: i64,
}

/// Reads one certificate of any origin.
pub(crate) fn read(der: &[u8]) -> Option<Facts> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let common_name =
        certificate.subject().iter_common_name().next().and_then(|n| n.as_str().ok()).map(str::to_owned);
    Some(Facts {
        common_name,
        member: member_of(&certificate),
        key: key_hash(certificate.public_key().raw),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

/// Serial number in hexadecimal digits, and the end of its life, milliseconds since 1970.
pub fn life(der: &[u8]) -> Option<(String, i64)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let ends_ms = certificate.validity().not_after.timestamp().saturating_mul(1000);
    Some((data_encoding::HEXLOWER.encode(certificate.raw_serial()), ends_ms))
}

/// Hash of a SubjectPublicKeyInfo.
pub(crate) fn key_hash(spki: &[u8]) -> KeyHash {
    Sha256::digest(spki).into()
}

/// Exactly one URI, and that one a member's: a second name would be a second identity.
fn member_of(certificate: &X509Certificate<'_>) -> Option<Member> {
    let names = certificate.subject_alternative_name().ok()??;
    match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => names::parse_member(uri),
        _ => None,
    }
}
