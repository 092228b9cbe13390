//! Frames over a byte stream, for both ends of the operator socket.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use vc_protocol::codec;

fn invalid(error: codec::CodecError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Sends one value.
pub async fn send<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    let frame = codec::frame(value).map_err(invalid)?;
    stream.write_all(&frame).await
}

/// Receives one value; none at the end of the stream. Not cancel-safe: give it its own task or let it finish.
pub async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let mut head = [0; 4];
    match stream.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut body = vec![0; codec::frame_len(head).map_err(invalid)?];
    stream.read_exact(&mut body).await?;
    codec::decode(&body).map(Some).map_err(invalid)
}
