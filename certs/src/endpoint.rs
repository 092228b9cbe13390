//! Endpoints: the console's listening one and the agents' dialling ones.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use rustls::ClientConfig as TlsClientConfig;
use socket2::{Domain, Protocol, Socket, Type};

use crate::authority::Authority;
use crate::ended::{Ended, ended};
use crate::error::CertsError;
use crate::identity::Identity;
use crate::keys::EndpointKeys;
use crate::line::CaPin;
use crate::tls::{self, ALPN_JOIN, ALPN_RENEW, Admission};
use crate::{peer, transport};

/// Socket buffers asked of the kernel: 500 agents dialling at once took seconds with the usual 208 KiB.
pub const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Handshakes that wait for the accept loop.
const INCOMING_MAX: usize = 256;
/// Bytes kept of one that waits.
const INCOMING_BYTES: u64 = 64 * 1024;
/// Bytes kept of all that wait.
const INCOMING_BYTES_ALL: u64 = 4 * 1024 * 1024;
/// A handshake that takes longer is given up, on both sides.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The name a newcomer sends; the pin is what it checks.
const JOIN_SERVER_NAME: &str = "join.vc.internal";

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Somebody else listens there.
    #[error(
        "listen on UDP port {port}: it is taken; stop the other program or choose another with `--listen`"
    )]
    PortTaken {
        /// Which port.
        port: u16,
    },
    /// The socket cannot be had.
    #[error("open a UDP socket on {address}")]
    Socket {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Keys or certificates.
    #[error("prepare TLS")]
    Certs(#[from] CertsError),
    /// quinn refused the TLS configuration.
    #[error("prepare QUIC: {0}")]
    Quic(String),
}

/// The console's endpoint. Its limits on handshakes in progress are the accept loop's to keep.
pub fn listen(
    address: SocketAddr,
    authority: &Authority,
    admission: Arc<dyn Admission>,
) -> Result<Endpoint, EndpointError> {
    let keys = EndpointKeys::load_or_make(authority.dir())?;
    let crypto = QuicServerConfig::try_from(tls::server(authority, admission)?)
        .map_err(|e| EndpointError::Quic(e.to_string()))?;
    let mut server = ServerConfig::new(Arc::new(crypto), keys.token);
    server
        .transport_config(transport::stranger())
        .migration(true)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_ALL);
    let socket = socket(address)?;
    Endpoint::new(keys.config, Some(server), socket, Arc::new(TokioRuntime))
        .map_err(|source| EndpointError::Socket { address, source })
}

/// An endpoint that can dial addresses of the same family as `to`.
pub fn dialler(to: SocketAddr) -> Result<Endpoint, EndpointError> {
    let address = match to {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = socket(address)?;
    Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
        .map_err(|source| EndpointError::Socket { address, source })
}

/// Why a console was not reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Keys or certificates of our own.
    #[error("prepare TLS")]
    Certs(#[from] CertsError),
    /// The address or configuration is of no use.
    #[error("dial {address}: {why}")]
    Setup {
        /// Whom.
        address: SocketAddr,
        /// Why not.
        why: String,
    },
    /// Nobody answered.
    #[error("reach {0}: no answer within 5 s; is the console running, and is its UDP port open?")]
    NoAnswer(SocketAddr),
    /// Somebody answered, and it came to nothing.
    #[error("connect to {address}: {}", ended.words())]
    Ended {
        /// Whom.
        address: SocketAddr,
        /// How it ended.
        ended: Ended,
    },
}

/// Dials a console as the member that this identity is, on the protocol of its role. A finished handshake is not yet a welcome: a console that
/// refuses the certificate says so with the first read, see [`crate::ended`].
pub async fn dial(endpoint: &Endpoint, to: SocketAddr, identity: &Identity) -> Result<Connection, DialError> {
    dial_on(endpoint, to, identity, tls::protocol_of(identity.role)).await
}

/// Dials a console as that member to renew its certificate, which may have expired.
pub async fn dial_renew(
    endpoint: &Endpoint,
    to: SocketAddr,
    identity: &Identity,
) -> Result<Connection, DialError> {
    dial_on(endpoint, to, identity, ALPN_RENEW).await
}

async fn dial_on(
    endpoint: &Endpoint,
    to: SocketAddr,
    identity: &Identity,
    alpn: &[u8],
) -> Result<Connection, DialError> {
    let name = tls::server_name(identity.farm);
    connect(endpoint, to, tls::member(identity, alpn)?, &name, alpn).await
}

/// Dials a console as a newcomer that knows the farm by its pin.
pub async fn dial_join(endpoint: &Endpoint, to: SocketAddr, pin: CaPin) -> Result<Connection, DialError> {
    let (config, shown) = tls::join(pin)?;
    let dialled = connect(endpoint, to, config, JOIN_SERVER_NAME, ALPN_JOIN).await;
    match (dialled, shown.get()) {
        (Err(DialError::Ended { address, .. }), Some(other)) => {
            let words =
                format!("the console there is of another farm: its pin is {other}, the join line's is {pin}");
            Err(DialError::Ended { address, ended: Ended::Refused(words) })
        }
        (dialled, _) => dialled,
    }
}

async fn connect(
    endpoint: &Endpoint,
    address: SocketAddr,
    tls: TlsClientConfig,
    name: &str,
    alpn: &[u8],
) -> Result<Connection, DialError> {
    let setup = |why: String| DialError::Setup { address, why };
    let crypto = QuicClientConfig::try_from(tls).map_err(|e| setup(e.to_string()))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport::client());
    let connecting = endpoint.connect_with(config, address, name).map_err(|e| setup(e.to_string()))?;
    let connection = match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(quinn::ConnectionError::TimedOut)) | Err(_) => return Err(DialError::NoAnswer(address)),
        Ok(Err(e)) => return Err(DialError::Ended { address, ended: ended(&e) }),
    };
    if peer::protocol(&connection).as_deref() != Some(alpn) {
        return Err(setup("the console settled on another protocol".into()));
    }
    Ok(connection)
}

fn socket(address: SocketAddr) -> Result<std::net::UdpSocket, EndpointError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // Listening on `[::]` means both families.
            socket.set_only_v6(false)?;
        }
        // Best effort: the kernel caps them at net.core.rmem_max and wmem_max.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    open().map_err(|source: io::Error| {
        if source.kind() == io::ErrorKind::AddrInUse {
            EndpointError::PortTaken { port: address.port() }
        } else {
            EndpointError::Socket { address, source }
        }
    })
}
