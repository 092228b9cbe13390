//! Asks a server, wherever it is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quinn::Connection;
use tokio::net::UnixStream;
use vc_certs::ended::ended;
use vc_protocol::hello::HelloError;
use vc_protocol::operator::{RefusalCode, Request, Response, Welcome};

use super::SOCKET;
use super::remote::{Remote, RemoteError};
use super::wire::{self, Duplex, GreetError, PROGRAM};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server listens there.
    #[error("no server runs for {}: start one with `vc-console serve`", .0.display())]
    NotRunning(PathBuf),
    /// The socket is another user's.
    #[error("not allowed: the server of {} belongs to another user", .0.display())]
    OfAnother(PathBuf),
    /// The server is on another box, and not reached.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The stream failed.
    #[error("talk to the server")]
    Socket(#[source] io::Error),
    /// The server ended the conversation.
    #[error("the server went away before it answered")]
    Gone,
    /// The two speak no common version; says which side to upgrade.
    #[error("{0}")]
    Version(String),
    /// The server said no.
    #[error("{message}")]
    Refused {
        /// What kind of refusal.
        code: RefusalCode,
        /// The sentence.
        message: String,
    },
    /// An answer to another question: the server is of another version.
    #[error("the server gave an answer that does not fit: it may be another version; restart it")]
    Unexpected,
}

impl ClientError {
    /// Trying again changes nothing before somebody joins, upgrades, or says something else.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::OfAnother(_)
            | Self::Version(_)
            | Self::Refused { .. }
            | Self::Unexpected
            | Self::Remote(
                RemoteError::Address(_)
                | RemoteError::NotJoined
                | RemoteError::Several(_)
                | RemoteError::Certs(_)
                | RemoteError::Refused(_),
            ) => true,
            Self::NotRunning(_) | Self::Socket(_) | Self::Gone | Self::Remote(RemoteError::Lost(_)) => false,
        }
    }
}

/// Which server.
#[derive(Debug, Clone)]
pub enum Target {
    /// That of this state folder, over its socket.
    Local(PathBuf),
    /// One on another box.
    Remote(Arc<Remote>),
}

impl Target {
    /// Says goodbye, where leaving without a word would cost the server something.
    pub async fn close(&self) {
        match self {
            Self::Local(_) => {}
            Self::Remote(remote) => remote.close().await,
        }
    }
}

/// A connection to a server.
pub struct Client {
    line: Line,
    /// Version of the server.
    program: String,
    welcome: Welcome,
}

/// A stream, and what tells why it ended.
struct Line {
    stream: Box<dyn Duplex>,
    connection: Option<Connection>,
}

impl Client {
    /// Connects to that server, and hears whom it takes us for.
    pub async fn connect(target: &Target) -> Result<Client, ClientError> {
        let mut line = match target {
            Target::Local(state_dir) => Line { stream: Box::new(dial(state_dir).await?), connection: None },
            Target::Remote(remote) => {
                let (stream, connection) = remote.open().await?;
                Line { stream: Box::new(stream), connection: Some(connection) }
            }
        };
        let program = match wire::greet(&mut line.stream).await {
            Ok(hello) => shown(&hello.program),
            Err(GreetError::Hello(error)) => return Err(ClientError::Version(version_words(&error))),
            Err(GreetError::Io(error)) => return Err(line.not_greeted(error)),
        };
        let Response::Welcome(welcome) = line.next(&program).await? else {
            return Err(ClientError::Unexpected);
        };
        Ok(Client { line, program, welcome })
    }

    /// Whom the server takes us for.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Asks, without waiting for the answer: for streams of answers.
    pub async fn ask(&mut self, request: &Request) -> Result<(), ClientError> {
        let sent = wire::send(&mut self.line.stream, request).await;
        sent.map_err(|error| self.line.ended().unwrap_or(ClientError::Socket(error)))
    }

    /// The next answer.
    pub async fn next(&mut self) -> Result<Response, ClientError> {
        self.line.next(&self.program).await
    }

    /// Asks and waits for the one answer.
    pub async fn request(&mut self, request: &Request) -> Result<Response, ClientError> {
        self.ask(request).await?;
        self.next().await
    }
}

impl Line {
    async fn next(&mut self, program: &str) -> Result<Response, ClientError> {
        match wire::receive(&mut self.stream).await {
            Ok(Some(Response::Refused { code, message })) => Err(ClientError::Refused { code, message }),
            Ok(Some(response)) => Ok(response),
            Ok(None) => Err(self.ended().unwrap_or(ClientError::Gone)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(ClientError::Version(format!(
                "the server's answer cannot be read: it is vc-console {program}, this is {PROGRAM}; upgrade the older one"
            ))),
            Err(error) => Err(self.ended().unwrap_or(ClientError::Socket(error))),
        }
    }

    /// What the connection ended with, if it has: that tells more than its streams do.
    fn ended(&self) -> Option<ClientError> {
        let reason = self.connection.as_ref()?.close_reason()?;
        Some(RemoteError::from(ended(&reason)).into())
    }

    fn not_greeted(&self, error: io::Error) -> ClientError {
        match self.ended() {
            Some(ended) => ended,
            // One that knows no hello takes ours for a frame that is too long, and hangs up.
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                ClientError::Version(version_words(&HelloError::Malformed))
            }
            None => ClientError::Socket(error),
        }
    }
}

async fn dial(state_dir: &Path) -> Result<UnixStream, ClientError> {
    UnixStream::connect(state_dir.join(SOCKET)).await.map_err(|error| {
        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            ClientError::NotRunning(state_dir.to_owned())
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            ClientError::OfAnother(state_dir.to_owned())
        } else {
            ClientError::Socket(error)
        }
    })
}

/// Says which side to upgrade.
fn version_words(error: &HelloError) -> String {
    match error {
        HelloError::PeerTooNew { program, .. } => format!(
            "the server is vc-console {}, which is too new for this one ({PROGRAM}): upgrade this program",
            shown(program)
        ),
        HelloError::PeerTooOld { program, .. } => format!(
            "the server is vc-console {}, which is too old for this one ({PROGRAM}): upgrade it, or restart it if that is done",
            shown(program)
        ),
        HelloError::Malformed => format!(
            "the server does not say its version, so it is older than this vc-console ({PROGRAM}): upgrade it, or restart it if that is done"
        ),
    }
}

/// A version from the other end, tamed.
fn shown(program: &str) -> String {
    program.chars().filter(|c| !vc_protocol::path::is_unprintable(*c)).take(40).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixListener;
    use vc_protocol::hello::Hello;

    use super::*;

    /// What a client makes of a server that says these bytes.
    async fn met(bytes: Vec<u8>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            stream
        };
        let target = Target::Local(dir.path().to_owned());
        let (_stream, client) = tokio::join!(server, Client::connect(&target));
        client.err().unwrap().to_string()
    }

    fn hello(min: u16, max: u16, rest: &[u8]) -> Vec<u8> {
        let hello = Hello { min, max, program: "7.7\u{1b}[2J".into(), features: Vec::new() }.to_bytes();
        [&(hello.len() as u16).to_le_bytes(), hello.as_slice(), rest].concat()
    }

    #[tokio::test]
    async fn a_server_of_another_version_is_told_by_which_side_to_upgrade() {
        let newer = met(hello(900, 901, b"")).await;
        assert!(
            newer.contains("7.7[2J, which is too new") && newer.contains("upgrade this program"),
            "{newer}"
        );
        let older = met(hello(0, 0, b"")).await;
        assert!(older.contains("too old") && older.contains("upgrade it"), "{older}");
        let silent = met(Vec::new()).await;
        assert!(silent.contains("does not say its version"), "{silent}");
        let garbled = met(hello(1, u16::MAX, &[2, 0, 0, 0, 255, 255])).await;
        assert!(garbled.contains("cannot be read") && garbled.contains("upgrade the older one"), "{garbled}");
    }

    #[tokio::test]
    async fn no_server_is_told_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = Client::connect(&Target::Local(dir.path().to_owned())).await.err().unwrap();
        assert!(matches!(error, ClientError::NotRunning(_)), "{error}");
    }
}
