//! The proof that a newcomer knows a token's secret, without sending it.
//!
//! HMAC-SHA256 over a value that only the two ends of this one TLS session share, and over the certificate request:
//! a relay in the middle has another session, and a thief another key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use vc_protocol::join::TokenId;
use zeroize::Zeroizing;

use crate::line::Secret;

/// What names our use of the TLS exporter (RFC 8446, section 7.5).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-vc-join/1";

/// What the two ends of one TLS session share and nobody else knows.
#[derive(Clone)]
pub struct Binding(Zeroizing<[u8; 32]>);

impl Binding {
    /// Of this connection; nothing if its handshake is not done.
    pub fn of(connection: &quinn::Connection) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        connection.export_keying_material(&mut *bytes, EXPORTER_LABEL, b"").ok()?;
        Some(Binding(bytes))
    }

    /// A made-up one, for tests of what checks proofs.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Binding(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Key of the proofs for one token. The console stores this, never the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct MacKey(Zeroizing<[u8; 32]>);

impl MacKey {
    /// The key that belongs to this token and secret.
    pub fn derive(secret: &Secret, token: TokenId) -> Self {
        let mut mac = keyed(secret.bytes());
        mac.update(b"vc-join/1 key");
        mac.update(&token.0.to_be_bytes());
        MacKey(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// As it was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        MacKey(Zeroizing::new(bytes))
    }

    /// For storing.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The proof for this session and request.
    pub fn prove(&self, binding: &Binding, token: TokenId, csr: &[u8]) -> [u8; 32] {
        self.mac(binding, token, csr).finalize().into_bytes().into()
    }

    /// Whether that proof fits; takes as long for each wrong one.
    pub fn verifies(&self, binding: &Binding, token: TokenId, csr: &[u8], proof: &[u8; 32]) -> bool {
        self.mac(binding, token, csr).verify_slice(proof).is_ok()
    }

    fn mac(&self, binding: &Binding, token: TokenId, csr: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(&self.0);
        // All parts have a fixed length, so that no two inputs read alike.
        mac.update(b"vc-join/1 proof");
        mac.update(&*binding.0);
        mac.update(&Sha256::digest(csr));
        mac.update(&token.0.to_be_bytes());
        mac
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// HMAC pads its key with zeros to a block anyway; doing so here needs no error for a length that fits.
pub(crate) fn keyed<const N: usize>(key: &[u8; N]) -> Hmac<Sha256> {
    const { assert!(N <= 64, "longer keys would have to be hashed first") };
    let mut block = Zeroizing::new([0_u8; 64]);
    block[..N].copy_from_slice(key);
    Hmac::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_fits_only_its_session_request_token_and_secret() {
        let (secret, token, binding) =
            (Secret::generate().unwrap(), TokenId(1), Binding::from_bytes([1; 32]));
        let key = MacKey::derive(&secret, token);
        let proof = key.prove(&binding, token, b"request");
        assert!(key.verifies(&binding, token, b"request", &proof));
        assert!(!key.verifies(&Binding::from_bytes([2; 32]), token, b"request", &proof), "another session");
        assert!(!key.verifies(&binding, token, b"requesT", &proof), "another request");
        assert!(!key.verifies(&binding, TokenId(2), b"request", &proof), "another token");
        let other = MacKey::derive(&Secret::generate().unwrap(), token);
        assert!(!other.verifies(&binding, token, b"request", &proof), "another secret");
        for bit in 0..256 {
            let mut tampered = proof;
            tampered[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verifies(&binding, token, b"request", &tampered), "bit {bit}");
        }
        assert_eq!(format!("{key:?}{binding:?}"), "……");
    }

    #[test]
    fn the_mac_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let mut mac = keyed(b"Jefe");
        mac.update(b"what do ya want for nothing?");
        let hex = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
