//! Renews a person's certificate when it is used: there is no process of theirs that lives long enough to do it in the
//! background.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use vc_certs::join::JoinError;
use vc_certs::{AgentKey, CertsError, Identity, renew};

use super::wire::PROGRAM;
use crate::wall::wall_ms;

/// Held while a new key is asked for: two programs of one person would get two, of which the server knows one.
const LOCK: &str = "renewal.lock";
/// How long a command that still works with the old certificate may be held up for a new one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a certificate was not renewed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenewalError {
    /// The lock beside the identity.
    #[error("use the folder of your identity")]
    Folder(#[source] io::Error),
    /// Keys, certificates or their files.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// The exchange with the server.
    #[error(transparent)]
    Exchange(#[from] JoinError),
    /// The server is slow.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    TooSlow,
}

/// Whether the certificate's life is over.
pub(super) fn has_expired(identity: &Identity) -> bool {
    identity.expires_s < wall_ms() / 1000
}

/// Whether more than half of it is over.
pub(super) fn is_due(identity: &Identity) -> bool {
    renew::due_s(identity.begins_s, identity.expires_s, 0) < wall_ms() / 1000
}

/// The identity with a new certificate, stored below `folder`; as it is there if another program renews or has renewed
/// it.
pub(super) async fn renewed(
    folder: &Path,
    identity: &Identity,
    addresses: &[String],
) -> Result<Identity, RenewalError> {
    let dir = folder.join(identity.farm.to_string());
    let locked = lock(&dir.join(LOCK)).map_err(RenewalError::Folder)?;
    let present = Identity::load(&dir)?.unwrap_or_else(|| identity.clone());
    // Dropped at the end, and with it the lock.
    let Some(_lock) = locked.filter(|_| is_due(&present)) else { return Ok(present) };
    let key = AgentKey::renewal(&dir, &present)?;
    let exchange = renew::renew(&present, addresses, &key, PROGRAM);
    let entered = timeout(PATIENCE, exchange).await.map_err(|_| RenewalError::TooSlow)??;
    entered.identity.store(&dir)?;
    entered.goodbye().await;
    Ok(entered.identity)
}

/// The lock, or nothing if another program has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
