//! Hello and frames on QUIC streams, the same for both ends.
//!
//! A stream begins, each way, with a hello: its length (2 bytes, little endian) and its bytes
//! ([`vc_protocol::hello`]). After it come frames ([`vc_protocol::codec`]). Knows nothing of what they mean.

use std::marker::PhantomData;
use std::time::Duration;

use quinn::{Connection, RecvStream, SendStream};
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};
use vc_protocol::close::Close;
use vc_protocol::codec::{self, CodecError, FRAME_BYTES_MAX, Message};
use vc_protocol::hello::{HELLO_BYTES_MAX, Hello, HelloError, VERSION_MAX, VERSION_MIN};

use crate::ended::{Ended, ended};

/// A hello, or a frame that has begun, must be complete after this; so must one that is being sent.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes taken from a stream at once.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Why there is no next message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The peer took too long.
    #[error("the peer took longer than {}s for one message", FRAME_TIMEOUT.as_secs())]
    TooSlow,
    /// Its hello.
    #[error("{0}")]
    Hello(#[from] HelloError),
    /// A frame that cannot be read or made.
    #[error("read or write a frame")]
    Frame(#[from] CodecError),
    /// A frame longer than this stream carries.
    #[error("a frame of {0} bytes is too long here")]
    TooLong(usize),
    /// The stream ended within a frame, or was reset.
    #[error("the stream was cut")]
    Cut,
    /// The connection ended.
    #[error("{}", .0.words())]
    Ended(Ended),
}

impl WireError {
    /// With which number a connection is closed because of it.
    pub fn close(&self) -> Close {
        match self {
            Self::TooSlow => Close::TooSlow,
            Self::Hello(HelloError::PeerTooOld { .. } | HelloError::PeerTooNew { .. }) => Close::Version,
            Self::Hello(HelloError::Malformed) | Self::Frame(_) | Self::TooLong(_) | Self::Cut => {
                Close::Protocol
            }
            Self::Ended(_) => Close::Done,
        }
    }

    /// What the peer is told: its own part in it.
    pub fn told(&self) -> String {
        match self {
            Self::Hello(HelloError::PeerTooOld { program, max }) => format!(
                "upgrade this program: it ({program}) speaks protocol {max} at most, the other end needs {VERSION_MIN}"
            ),
            Self::Hello(HelloError::PeerTooNew { min, .. }) => format!(
                "upgrade the other end: it speaks protocol {VERSION_MAX} at most, this program needs {min}"
            ),
            Self::TooSlow
            | Self::Hello(_)
            | Self::Frame(_)
            | Self::TooLong(_)
            | Self::Cut
            | Self::Ended(_) => self.close().words().to_owned(),
        }
    }
}

/// Closes with a number of ours and words for the peer.
pub fn close(connection: &Connection, why: Close, words: &str) {
    connection.close((why as u32).into(), words.as_bytes());
}

/// Both directions of a stream after the hello.
#[derive(Debug)]
pub struct Channel<I> {
    /// What the peer says.
    pub reader: FrameReader<I>,
    /// What it is told.
    pub writer: FrameWriter,
    /// The peer's hello; [`Hello::agree`] has succeeded.
    pub hello: Hello,
}

/// Opens the control stream and exchanges hellos, within [`FRAME_TIMEOUT`]. `program` is our version.
pub async fn open<I: Message>(connection: &Connection, program: &str) -> Result<Channel<I>, WireError> {
    let exchange = async {
        let (send, recv) = connection.open_bi().await.map_err(|e| WireError::Ended(ended(&e)))?;
        greet(send, recv, program).await
    };
    timeout(FRAME_TIMEOUT, exchange).await.unwrap_or(Err(WireError::TooSlow))
}

/// Waits for the control stream and exchanges hellos, within [`FRAME_TIMEOUT`].
pub async fn accept<I: Message>(connection: &Connection, program: &str) -> Result<Channel<I>, WireError> {
    let exchange = async {
        let (send, recv) = connection.accept_bi().await.map_err(|e| WireError::Ended(ended(&e)))?;
        greet(send, recv, program).await
    };
    timeout(FRAME_TIMEOUT, exchange).await.unwrap_or(Err(WireError::TooSlow))
}

async fn greet<I: Message>(
    mut send: SendStream,
    mut recv: RecvStream,
    program: &str,
) -> Result<Channel<I>, WireError> {
    let ours = Hello::ours(program).to_bytes();
    let mut bytes = (ours.len() as u16).to_le_bytes().to_vec();
    bytes.extend_from_slice(&ours);
    send.write_all(&bytes).await.map_err(write_error)?;
    let mut len = [0; 2];
    recv.read_exact(&mut len).await.map_err(read_exact_error)?;
    let len = usize::from(u16::from_le_bytes(len));
    if len > HELLO_BYTES_MAX {
        return Err(HelloError::Malformed.into());
    }
    let mut theirs = vec![0; len];
    recv.read_exact(&mut theirs).await.map_err(read_exact_error)?;
    let hello = Hello::from_bytes(&theirs)?;
    hello.agree()?;
    Ok(Channel { reader: FrameReader::new(recv), writer: FrameWriter::new(send), hello })
}

/// Takes messages off a stream. [`FrameReader::next`] may be dropped and called again: nothing is lost.
#[derive(Debug)]
pub struct FrameReader<I> {
    stream: RecvStream,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that have been used.
    used: usize,
    limit: usize,
    /// When the frame that is incomplete must be complete.
    deadline: Option<Instant>,
    unknown: u64,
    messages: PhantomData<fn() -> I>,
}

impl<I: Message> FrameReader<I> {
    fn new(stream: RecvStream) -> Self {
        FrameReader {
            stream,
            buffer: Vec::new(),
            used: 0,
            limit: FRAME_BYTES_MAX,
            deadline: None,
            unknown: 0,
            messages: PhantomData,
        }
    }

    /// Refuses frames longer than this.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes.min(FRAME_BYTES_MAX);
        self
    }

    /// How many messages of unknown, newer kinds were skipped.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// The next message, or nothing when the peer has said its last. Waits for ever for a frame to begin, and
    /// [`FRAME_TIMEOUT`] for it to end. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<I>, WireError> {
        loop {
            if let Some(body) = self.frame()? {
                self.deadline = None;
                match codec::decode_message(&self.buffer[body])? {
                    Some(message) => return Ok(Some(message)),
                    None => self.unknown += 1,
                }
                continue;
            }
            let partial = self.used < self.buffer.len();
            self.buffer.drain(..self.used);
            self.used = 0;
            let chunk = self.stream.read_chunk(CHUNK_BYTES_MAX, true);
            let chunk = if partial {
                let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + FRAME_TIMEOUT);
                timeout_at(deadline, chunk).await.map_err(|_| WireError::TooSlow)?
            } else {
                chunk.await
            };
            match chunk.map_err(read_error)? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk.bytes),
                None if partial => return Err(WireError::Cut),
                None => return Ok(None),
            }
        }
    }

    /// Where the next whole frame's body lies in the buffer, if it is all there; counts it as used.
    fn frame(&mut self) -> Result<Option<std::ops::Range<usize>>, WireError> {
        let rest = &self.buffer[self.used..];
        let Some(head) = rest.first_chunk::<4>() else { return Ok(None) };
        let len = codec::frame_len(*head)?;
        if len > self.limit {
            return Err(WireError::TooLong(len));
        }
        if rest.len() < 4 + len {
            return Ok(None);
        }
        let start = self.used + 4;
        self.used = start + len;
        Ok(Some(start..start + len))
    }
}

/// Puts messages on a stream. [`FrameWriter::send`] may be dropped: what is left goes out with the next one.
#[derive(Debug)]
pub struct FrameWriter {
    stream: SendStream,
    buffer: Vec<u8>,
}

impl FrameWriter {
    fn new(stream: SendStream) -> Self {
        FrameWriter { stream, buffer: Vec::new() }
    }

    /// Sends a message; the peer must take it within [`FRAME_TIMEOUT`]. Cancel-safe.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), WireError> {
        self.buffer.extend_from_slice(&codec::frame(message)?);
        let deadline = Instant::now() + FRAME_TIMEOUT;
        while !self.buffer.is_empty() {
            let written = timeout_at(deadline, self.stream.write(&self.buffer)).await;
            let written = written.map_err(|_| WireError::TooSlow)?.map_err(write_error)?;
            self.buffer.drain(..written);
        }
        Ok(())
    }

    /// Says that nothing more will come; all that was sent still arrives, if the connection stays open for it.
    pub fn finish(&mut self) {
        // An error means that the peer or we have closed already: there is nobody left to tell.
        let _ = self.stream.finish();
    }
}

fn read_error(error: quinn::ReadError) -> WireError {
    match error {
        quinn::ReadError::ConnectionLost(e) => WireError::Ended(ended(&e)),
        quinn::ReadError::Reset(_)
        | quinn::ReadError::ClosedStream
        | quinn::ReadError::IllegalOrderedRead
        | quinn::ReadError::ZeroRttRejected => WireError::Cut,
    }
}

fn read_exact_error(error: quinn::ReadExactError) -> WireError {
    match error {
        quinn::ReadExactError::ReadError(e) => read_error(e),
        quinn::ReadExactError::FinishedEarly(_) => WireError::Cut,
    }
}

fn write_error(error: quinn::WriteError) -> WireError {
    match error {
        quinn::WriteError::ConnectionLost(e) => WireError::Ended(ended(&e)),
        quinn::WriteError::Stopped(_)
        | quinn::WriteError::ClosedStream
        | quinn::WriteError::ZeroRttRejected => WireError::Cut,
    }
}
