//! Keys of the endpoint itself, kept over restarts: with the same ones, the first packet that reaches a restarted
//! console tells its sender at once that the old connection is gone.
//!
//! The reset key alone does not do it: quinn drops a packet without a word if its connection id is none that this
//! endpoint's generator could have made, and the default generator marks its ids with a key of its own, new at each
//! start. Hence [`ConnectionIds`], which bear no mark.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hmac::Mac;
use quinn::crypto::{AeadKey, CryptoError, HandshakeTokenKey, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use rustls::crypto::cipher;
use rustls::quic;
use zeroize::Zeroizing;

use crate::durable;
use crate::error::{CertsError, random};
use crate::proof::keyed;

const FILE: &str = "endpoint.key";

/// One for each use.
const KEY_BYTES: usize = 32;
const FILE_BYTES: usize = 2 * KEY_BYTES;

/// What an endpoint is made with.
pub(crate) struct EndpointKeys {
    /// Holds the keys of stateless resets and of connection ids. For one endpoint.
    pub(crate) config: EndpointConfig,
    /// Seals the address tokens of Retry.
    pub(crate) token: Arc<dyn HandshakeTokenKey>,
}

impl EndpointKeys {
    /// From the folder, made at the first start. A broken file is remade: only open connections are lost by it.
    pub(crate) fn load_or_make(dir: &Path) -> Result<Self, CertsError> {
        let path = dir.join(FILE);
        let found =
            durable::read(&path)?.and_then(|bytes| <[u8; FILE_BYTES]>::try_from(bytes.as_slice()).ok());
        let bytes = match found {
            Some(bytes) => Zeroizing::new(bytes),
            None => {
                let bytes = Zeroizing::new(random::<FILE_BYTES>()?);
                durable::replace(&path, &*bytes)?;
                bytes
            }
        };
        let part = |no: usize| {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            key.copy_from_slice(&bytes[no * KEY_BYTES..][..KEY_BYTES]);
            key
        };
        let mut config = EndpointConfig::new(Arc::new(ResetKey(part(0))));
        let seed = Zeroizing::new(random::<KEY_BYTES>()?);
        config.cid_generator(move || Box::new(ConnectionIds { seed: seed.clone(), made: 0 }));
        Ok(EndpointKeys { config, token: Arc::new(TokenKey { key: part(1), suite: suite()? }) })
    }
}

/// Random connection ids: a keyed hash of a counter, so that making one cannot fail.
struct ConnectionIds {
    /// Fresh with each start.
    seed: Zeroizing<[u8; KEY_BYTES]>,
    made: u64,
}

/// As long as quinn's own: no two connections of a farm ever meet in 64 bits.
const ID_BYTES: usize = 8;

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        self.made += 1;
        let random = keyed(&self.seed).chain_update(self.made.to_le_bytes()).finalize().into_bytes();
        ConnectionId::new(&random[..ID_BYTES])
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

struct ResetKey(Zeroizing<[u8; 32]>);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let signature = keyed(&self.0).chain_update(data).finalize().into_bytes();
        for (out, byte) in signature_out.iter_mut().zip(signature) {
            *out = byte;
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        keyed(&self.0).chain_update(data).verify_slice(signature).map_err(|_| CryptoError)
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
        let key: [u8; 32] = keyed(&self.key)
            .chain_update(b"vc token")
            .chain_update(random_bytes)
            .finalize()
            .into_bytes()
            .into();
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
        let mut sealed = b"address".to_vec();
        first.token.aead_from_hkdf(b"random").seal(&mut sealed, b"more").unwrap();
        assert_ne!(&sealed[..7], b"address");
        let opener = again.token.aead_from_hkdf(b"random");
        assert_eq!(opener.open(&mut sealed.clone(), b"more").unwrap(), b"address");
        assert!(opener.open(&mut sealed.clone(), b"less").is_err());
        assert!(again.token.aead_from_hkdf(b"other").open(&mut sealed, b"more").is_err());
    }
}
