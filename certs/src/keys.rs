//! Keys of the endpoint itself, kept over restarts: with the same reset key, the first packet that reaches a
//! restarted console tells its sender at once that the old connection is gone.

use std::path::Path;
use std::sync::Arc;

use hmac::Mac;
use quinn::crypto::{AeadKey, CryptoError, HandshakeTokenKey, HmacKey};
use rustls::crypto::cipher;
use rustls::quic;
use zeroize::Zeroizing;

use crate::durable;
use crate::error::{CertsError, random};
use crate::proof::keyed;

const FILE: &str = "endpoint.key";

/// Both keys.
pub(crate) struct EndpointKeys {
    /// Authenticates stateless resets.
    pub(crate) reset: Arc<dyn HmacKey>,
    /// Seals the address tokens of Retry.
    pub(crate) token: Arc<dyn HandshakeTokenKey>,
}

impl EndpointKeys {
    /// From the folder, made at the first start. A broken file is remade: only open connections are lost by it.
    pub(crate) fn load_or_make(dir: &Path) -> Result<Self, CertsError> {
        let path = dir.join(FILE);
        let found = durable::read(&path)?.and_then(|bytes| <[u8; 64]>::try_from(bytes.as_slice()).ok());
        let bytes = match found {
            Some(bytes) => Zeroizing::new(bytes),
            None => {
                let bytes = Zeroizing::new(random::<64>()?);
                durable::replace(&path, &*bytes)?;
                bytes
            }
        };
        let (mut reset, mut token) = ([0; 32], [0; 32]);
        reset.copy_from_slice(&bytes[..32]);
        token.copy_from_slice(&bytes[32..]);
        let token = TokenKey { key: Zeroizing::new(token), suite: suite()? };
        Ok(EndpointKeys { reset: Arc::new(ResetKey(Zeroizing::new(reset))), token: Arc::new(token) })
    }
}

struct ResetKey(Zeroizing<[u8; 32]>);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let signature = keyed(&*self.0).chain_update(data).finalize().into_bytes();
        for (out, byte) in signature_out.iter_mut().zip(signature) {
            *out = byte;
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        keyed(&*self.0).chain_update(data).verify_slice(signature).map_err(|_| CryptoError)
    }
}

/// One AES-256-GCM key for each token, derived from the token's own random bytes.
struct TokenKey {
    key: Zeroizing<[u8; 32]>,
    suite: quic::Suite,
}

/// AES-256-GCM as TLS has it for QUIC packets: rustls offers no other door to a bare AEAD.
fn suite() -> Result<quic::Suite, CertsError> {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384;
    let suite = suite.tls13().and_then(rustls::Tls13CipherSuite::quic_suite);
    suite.ok_or_else(|| CertsError::Tls(rustls::Error::General("no AEAD for QUIC".into())))
}

impl HandshakeTokenKey for TokenKey {
    fn aead_from_hkdf(&self, random_bytes: &[u8]) -> Box<dyn AeadKey> {
        let key: [u8; 32] =
            keyed(&*self.key).chain_update(b"vc token").chain_update(random_bytes).finalize().into_bytes().into();
        // Each key seals one token, so the nonce may be the same for all.
        Box::new(Sealing(self.suite.quic.packet_key(cipher::AeadKey::from(key), cipher::Iv::from([0; 12]))))
    }
}

struct Sealing(Box<dyn quic::PacketKey>);

impl AeadKey for Sealing {
    fn seal(&self, data: &mut Vec<u8>, additional_data: &[u8]) -> Result<(), CryptoError> {
        let tag = self.0.encrypt_in_place(0, additional_data, data).map_err(|_| CryptoError)?;
        data.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn open<'a>(&self, data: &'a mut [u8], additional_data: &[u8]) -> Result<&'a mut [u8], CryptoError> {
        let len = self.0.decrypt_in_place(0, additional_data, data).map_err(|_| CryptoError)?.len();
        Ok(&mut data[..len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_outlive_the_process_and_seal() {
        let dir = tempfile::tempdir().unwrap();
        let first = EndpointKeys::load_or_make(dir.path()).unwrap();
        let again = EndpointKeys::load_or_make(dir.path()).unwrap();
        let mut signature = [0; 32];
        first.reset.sign(b"connection", &mut signature);
        assert!(again.reset.verify(b"connection", &signature).is_ok());
        assert!(again.reset.verify(b"another", &signature).is_err());

        let mut sealed = b"address".to_vec();
        first.token.aead_from_hkdf(b"random").seal(&mut sealed, b"more").unwrap();
        assert_ne!(&sealed[..7], b"address");
        let opener = again.token.aead_from_hkdf(b"random");
        assert_eq!(opener.open(&mut sealed.clone(), b"more").unwrap(), b"address");
        assert!(opener.open(&mut sealed.clone(), b"less").is_err());
        assert!(again.token.aead_from_hkdf(b"other").open(&mut sealed, b"more").is_err());
    }
}
