//! The way to a server on another box: finds who we are there, dials, and shares one connection among conversations.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quinn::{Connection, Endpoint, RecvStream, SendStream};
use tokio::io::Join;
use tokio::sync::Mutex;
use tokio::time::timeout;
use vc_certs::ended::Ended;
use vc_certs::{CertsError, Identity, dial, line, wire};
use vc_protocol::close::Close;

use super::{people, renewal};

/// Port of a server unless said otherwise.
pub const PORT: u16 = 4433;
/// Stands for the farm that this user joined, when it is one.
pub const THE_ONE: &str = "-";
/// How long the server gets to allow one more stream: it does so at once, unless all are in use.
const STREAM_WAIT: Duration = Duration::from_secs(5);
/// How long the server gets to hear our close.
const CLOSE_BOUND: Duration = Duration::from_millis(200);

/// Why a server on another box is not reached.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Not the address of anything.
    #[error("\"{0}\" is not a host, or a host and a port")]
    Address(String),
    /// This user has joined no farm.
    #[error(
        "not allowed: you have joined no farm; ask an operator for a line from `vc-console token create --role operator` and say it to `vc-console join`"
    )]
    NotJoined,
    /// Which of them?
    #[error("you have joined {} farms: say which by its address, such as {}", .0.len(), .0.join(" or "))]
    Several(Vec<String>),
    /// Keys, certificates or their files.
    #[error("read your identity")]
    Certs(#[from] CertsError),
    /// Whoever answers there, it is not to be trusted, or does not trust us.
    #[error("not allowed: {0}")]
    Refused(String),
    /// Nobody answers there.
    #[error("no server answers: {0}")]
    Lost(String),
}

impl From<Ended> for RemoteError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Refused(words) => Self::Refused(words),
            Ended::Lost(words) => Self::Lost(words),
        }
    }
}

/// Both directions of one stream.
pub type Stream = Join<RecvStream, SendStream>;

/// A server on another box.
#[derive(Debug)]
pub struct Remote {
    /// Where this user's identities are.
    folder: PathBuf,
    to: String,
    live: Mutex<Option<(Endpoint, Connection)>>,
}

impl Remote {
    /// The server at `to`, `HOST[:PORT]` or [`THE_ONE`], for the user whose identities are in that folder.
    pub fn find(folder: &Path, to: &str) -> Result<Remote, RemoteError> {
        candidates(folder, to)?;
        Ok(Remote { folder: folder.to_owned(), to: to.to_owned(), live: Mutex::new(None) })
    }

    /// A new stream, on the connection that is there or on a new one. Says why the connection ends, if it does.
    pub(super) async fn open(&self) -> Result<(Stream, Connection), RemoteError> {
        let mut live = self.live.lock().await;
        if let Some((_, connection)) = live.as_ref()
            && let Some(stream) = open_on(connection).await
        {
            return Ok((stream, connection.clone()));
        }
        let (endpoint, connection) = self.dial().await?;
        let stream = open_on(&connection).await;
        let stream = stream.ok_or_else(|| match connection.close_reason() {
            Some(reason) => vc_certs::ended::ended(&reason).into(),
            None => RemoteError::Lost("the server takes no more conversations of this program".to_owned()),
        })?;
        *live = Some((endpoint, connection.clone()));
        Ok((stream, connection))
    }

    async fn dial(&self) -> Result<(Endpoint, Connection), RemoteError> {
        let mut refused = None;
        // Read anew each time: whoever was revoked may join again while a dashboard waits.
        for (mut identity, addresses) in candidates(&self.folder, &self.to)? {
            if renewal::has_expired(&identity) {
                match renewal::renewed(&self.folder, &identity, &addresses).await {
                    Ok(renewed) => identity = renewed,
                    Err(error) => {
                        let why = vc_certs::told::chain(&error);
                        refused = Some(format!("your certificate has expired and was not renewed: {why}"));
                        continue;
                    }
                }
            }
            match dial::member(&identity, &addresses, &mut 0).await {
                Ok((endpoint, connection, _)) => {
                    self.keep_alive(&identity, &addresses).await;
                    return Ok((endpoint, connection));
                }
                // Another farm's server: perhaps that of the next identity.
                Err(Ended::Refused(words)) => refused = Some(words),
                Err(Ended::Lost(words)) => return Err(RemoteError::Lost(words)),
            }
        }
        Err(RemoteError::Refused(refused.unwrap_or_default()))
    }

    /// Renews a certificate whose time it is. The connection that is there works without; the next one tries again.
    async fn keep_alive(&self, identity: &Identity, addresses: &[String]) {
        if renewal::is_due(identity)
            && let Err(error) = renewal::renewed(&self.folder, identity, addresses).await
        {
            tracing::warn!("your certificate was not renewed: {}", vc_certs::told::chain(&error));
        }
    }

    /// Says goodbye, so that the server need not find out.
    pub async fn close(&self) {
        let Some((endpoint, connection)) = self.live.lock().await.take() else { return };
        wire::close(&connection, Close::Done, "");
        let _ = timeout(CLOSE_BOUND, endpoint.wait_idle()).await;
    }
}

/// Who we may be there, and where; the likeliest first.
fn candidates(folder: &Path, to: &str) -> Result<Vec<(Identity, Vec<String>)>, RemoteError> {
    let mut joined = people::joined(folder)?;
    if joined.is_empty() {
        return Err(RemoteError::NotJoined);
    }
    if to != THE_ONE {
        let address = with_port(to).ok_or_else(|| RemoteError::Address(shown(to)))?;
        // The farm that was joined there first. Whether it is that farm, only its certificate tells.
        joined.sort_by_key(|identity| !identity.consoles.contains(&address));
        return Ok(joined.into_iter().map(|identity| (identity, vec![address.clone()])).collect());
    }
    if joined.len() > 1 {
        let first = |identity: &Identity| identity.consoles.first().cloned().unwrap_or_default();
        return Err(RemoteError::Several(joined.iter().map(first).collect()));
    }
    Ok(joined.into_iter().map(|identity| (identity.clone(), identity.consoles)).collect())
}

async fn open_on(connection: &Connection) -> Option<Stream> {
    let (send, recv) = timeout(STREAM_WAIT, connection.open_bi()).await.ok()?.ok()?;
    Some(tokio::io::join(recv, send))
}

/// `HOST` or `HOST:PORT` as `HOST:PORT`; nothing if it is neither.
fn with_port(to: &str) -> Option<String> {
    let is_bare_v6 = to.parse::<std::net::Ipv6Addr>().is_ok();
    let candidates = if is_bare_v6 {
        [format!("[{to}]:{PORT}"), String::new()]
    } else {
        [to.to_owned(), format!("{to}:{PORT}")]
    };
    candidates.into_iter().find(|address| line::is_address(address))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !vc_protocol::path::is_unprintable(*c)).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_usual_port_unless_it_says_another() {
        for (to, address) in [
            ("box", "box:4433"),
            ("box:1", "box:1"),
            ("10.0.0.5", "10.0.0.5:4433"),
            ("10.0.0.5:9", "10.0.0.5:9"),
            ("::1", "[::1]:4433"),
            ("[::1]", "[::1]:4433"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(with_port(to).as_deref(), Some(address), "{to}");
        }
        for bad in ["", "box:", "box:0", "box:70000", "a b", "a/b", "box:1:2", "\u{1b}"] {
            assert_eq!(with_port(bad), None, "{bad}");
        }
    }

    #[test]
    fn whoever_has_joined_no_farm_is_told_how() {
        let dir = tempfile::tempdir().unwrap();
        for to in ["box", THE_ONE] {
            let error = Remote::find(dir.path(), to).unwrap_err();
            assert!(matches!(error, RemoteError::NotJoined), "{error}");
        }
    }
}
