//! Asks the server of a state folder over its socket.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use vc_protocol::operator::{RefusalCode, Request, Response};

use super::{SOCKET, wire};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server listens there.
    #[error("no server runs for {}: start one with `vc-console serve`", .0.display())]
    NotRunning(PathBuf),
    /// The socket failed.
    #[error("talk to the server")]
    Socket(#[source] io::Error),
    /// The server ended the conversation.
    #[error("the server went away before it answered")]
    Gone,
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

/// A connection to the server.
pub struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects to the server of this state folder.
    pub async fn connect(state_dir: &Path) -> Result<Client, ClientError> {
        match UnixStream::connect(state_dir.join(SOCKET)).await {
            Ok(stream) => Ok(Client { stream }),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Err(ClientError::NotRunning(state_dir.to_owned()))
            }
            Err(error) => Err(ClientError::Socket(error)),
        }
    }

    /// Asks, without waiting for the answer: for streams of answers.
    pub async fn ask(&mut self, request: &Request) -> Result<(), ClientError> {
        wire::send(&mut self.stream, request).await.map_err(ClientError::Socket)
    }

    /// The next answer.
    pub async fn next(&mut self) -> Result<Response, ClientError> {
        match wire::receive(&mut self.stream).await.map_err(ClientError::Socket)? {
            Some(Response::Refused { code, message }) => Err(ClientError::Refused { code, message }),
            Some(response) => Ok(response),
            None => Err(ClientError::Gone),
        }
    }

    /// Asks and waits for the one answer.
    pub async fn request(&mut self, request: &Request) -> Result<Response, ClientError> {
        self.ask(request).await?;
        self.next().await
    }
}
