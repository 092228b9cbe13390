//! New keys of members: certified on the word of the present one, and made the present one by their first use.
//!
//! Until then both let the member in, so that neither a lost answer nor a crash on either side locks it out.

use vc_certs::{Authority, KeyHash};
use vc_protocol::id::AgentId;
use vc_protocol::join::{JoinRefusal, Joined};

use super::tables::{MemberRow, NextKey};
use super::{Registry, RegistryError, answer};

/// What a member gets that renews its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// To be sent.
    pub joined: Joined,
    /// It was made for this request; else an earlier answer was lost, and this is the same again.
    pub fresh: bool,
}

impl Registry {
    /// Certifies a new key for the member that has shown this one. Durable before the answer is known; a failure of
    /// ours is an answer too.
    pub fn renew(
        &self,
        authority: &Authority,
        id: AgentId,
        shown: KeyHash,
        csr: &[u8],
        now_ms: i64,
    ) -> Result<Renewed, JoinRefusal> {
        let asked = Authority::request_key(csr).map_err(|_| JoinRefusal::BadRequest)?;
        let mut given = None;
        let changed = self.change(id, |row, _| {
            // Asked again under the lock: whoever was revoked since its handshake gets nothing.
            if row.revoked_ms.is_some() {
                return Err(RegistryError::Nobody(id));
            }
            promote(row, shown);
            let known = row.next.as_ref().filter(|next| next.key == asked);
            let (certificate, fresh) = match known {
                Some(next) => (next.certificate.clone(), false),
                // A key that is in use already is no new one.
                None if asked == row.key => return Ok(()),
                None => {
                    let signed = authority.sign_member(csr, row.role, id)?;
                    let next = NextKey { key: signed.key_hash, certificate: signed.certificate };
                    (row.next.insert(next).certificate.clone(), true)
                }
            };
            given = Some(Renewed { joined: answer(authority, id, row, certificate, now_ms), fresh });
            Ok(())
        });
        match changed {
            Ok(_) => given.ok_or(JoinRefusal::BadRequest),
            Err(error) => {
                tracing::error!(member = %id, "renew a certificate: {:#}", anyhow::Error::from(error));
                Err(JoinRefusal::NotStored)
            }
        }
    }

    /// A session began with this key: if it is the member's next one, the old one lets nobody in any more, durably.
    /// Touches the disk only then.
    pub fn used(&self, id: AgentId, key: KeyHash) -> Result<(), RegistryError> {
        if !self.is_next(id, key) {
            return Ok(());
        }
        self.change(id, |row, _| {
            promote(row, key);
            Ok(())
        })?;
        Ok(())
    }

    /// Whether this key waits for its first use.
    pub fn is_next(&self, id: AgentId, key: KeyHash) -> bool {
        self.members_read().get(&id).is_some_and(|row| is_next(row, key))
    }
}

fn is_next(row: &MemberRow, key: KeyHash) -> bool {
    row.next.as_ref().is_some_and(|next| next.key == key)
}

fn promote(row: &mut MemberRow, key: KeyHash) {
    if let Some(next) = row.next.take_if(|next| next.key == key) {
        (row.key, row.certificate) = (next.key, next.certificate);
    }
}
