//! A running server: starts its parts in order, and ends them in the reverse one.
//!
//! Decides nothing: the engine drives the farm, `net` talks to agents, `operator` to people.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vc_certs::{Authority, CertsError, JoinLine};

use crate::engine::handle::Handle;
use crate::engine::{Engine, EngineConfig};
use crate::net::{Net, NetConfig, NetError};
use crate::operator::service::{self, Service};
use crate::registry::{Registry, RegistryError};
use crate::store::{Store, StoreError};

/// How long operators' connections get to end.
const OPERATORS_STOP_MAX: Duration = Duration::from_secs(2);

/// What a server needs to know.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Folder of the job table, the keys and the socket; made if it is missing.
    pub state_dir: PathBuf,
    /// Address and port that agents dial; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder cannot be made.
    #[error("create the state folder {}", path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The job table.
    #[error("open the job table")]
    Store(#[from] StoreError),
    /// The farm's keys.
    #[error("open the farm's keys")]
    Certs(#[from] CertsError),
    /// Agents and tokens.
    #[error("read the registry of agents")]
    Registry(#[from] RegistryError),
    /// The port.
    #[error("listen for agents")]
    Net(#[from] NetError),
    /// The local socket.
    #[error("listen for operators in {}", path.display())]
    Socket {
        /// The state folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A part of the start broke off.
    #[error("start the server: a part of it broke off")]
    BrokeOff,
}

impl StartError {
    /// Another server has the state folder or the port.
    pub fn is_taken(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::InUse { .. }),
            Self::Net(error) => error.is_taken(),
            Self::StateDir { .. }
            | Self::Certs(_)
            | Self::Registry(_)
            | Self::Socket { .. }
            | Self::BrokeOff => false,
        }
    }
}

/// A running server.
pub struct Server {
    listen: SocketAddr,
    registry: Arc<Registry>,
    authority: Arc<Authority>,
    net: Net,
    engine: Engine,
    operators: TaskTracker,
    stop: CancellationToken,
    stop_asked: CancellationToken,
}

impl Server {
    /// Starts every part; on an error those that ran are ended again.
    pub async fn start(config: ServerConfig) -> Result<Server, StartError> {
        let dir = config.state_dir.clone();
        // Disk work, and a repair after a crash may take seconds.
        let opened = tokio::task::spawn_blocking(move || open(&dir)).await;
        let (store, authority, registry) = opened.map_err(|_| StartError::BrokeOff)??;
        let engine = Engine::start(EngineConfig {
            store,
            farm: authority.farm(),
            agents: registry.agents(),
        })?;
        let net = Net::start(NetConfig {
            listen: config.listen,
            authority: authority.clone(),
            registry: registry.clone(),
            engine: engine.sender(),
            state_dir: config.state_dir.clone(),
        });
        let net = match net.await {
            Ok(net) => net,
            Err(error) => {
                engine.stop().await;
                return Err(error.into());
            }
        };
        let server = Server {
            listen: net.listen(),
            registry,
            authority,
            net,
            engine,
            operators: TaskTracker::new(),
            stop: CancellationToken::new(),
            stop_asked: CancellationToken::new(),
        };
        match server.listen_for_operators(&config.state_dir) {
            Ok(()) => Ok(server),
            Err(source) => {
                server.stop().await;
                Err(StartError::Socket { path: config.state_dir, source })
            }
        }
    }

    fn listen_for_operators(&self, state_dir: &Path) -> io::Result<()> {
        let (registry, authority, listen) = (self.registry.clone(), self.authority.clone(), self.listen);
        let service = Service {
            engine: self.handle(),
            make_token: Box::new(move |uses, ttl| {
                join_line(&registry, &authority, listen, uses, ttl).map_err(|e| format!("{e:#}"))
            }),
            stop_asked: self.stop_asked.clone(),
        };
        service::listen(state_dir, Arc::new(service), &self.operators, self.stop.clone())
    }

    /// Where agents dial, with the port that was taken.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The engine.
    pub fn handle(&self) -> Handle {
        self.engine.handle()
    }

    /// A line that lets agents in.
    pub fn join_line(&self, uses: u32, ttl: Duration) -> anyhow::Result<JoinLine> {
        let line = join_line(&self.registry, &self.authority, self.listen, uses, ttl)?;
        Ok(line.parse()?)
    }

    /// Waits until an operator asks for the end.
    pub async fn stop_asked(&self) {
        self.stop_asked.cancelled().await;
    }

    /// Waits until the engine ends by itself, which it should not; the text says why.
    pub async fn died(&self) -> String {
        self.engine.died().await
    }

    /// Ends every part: operators first, so that nothing is promised any more; then agents are told; then the engine
    /// writes what it still has.
    pub async fn stop(self) {
        self.stop.cancel();
        self.operators.close();
        let _ = tokio::time::timeout(OPERATORS_STOP_MAX, self.operators.wait()).await;
        self.net.stop().await;
        self.engine.stop().await;
    }
}

type Opened = (Store, Arc<Authority>, Arc<Registry>);

fn open(state_dir: &Path) -> Result<Opened, StartError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .map_err(|source| StartError::StateDir { path: state_dir.to_owned(), source })?;
    let store = Store::open(state_dir)?;
    let authority = Arc::new(Authority::open_or_create(&state_dir.join("identity"))?);
    let registry = Arc::new(Registry::open(store.db()?)?);
    Ok((store, authority, registry))
}

fn join_line(
    registry: &Registry,
    authority: &Authority,
    listen: SocketAddr,
    uses: u32,
    ttl: Duration,
) -> anyhow::Result<String> {
    let addresses = reachable_at(listen).iter().map(SocketAddr::to_string).collect();
    let line = registry.create_token(authority, addresses, uses, ttl)?;
    Ok(line.to_string())
}

/// Where agents can dial a server that listens there: this machine's own addresses when it listens on all of them.
fn reachable_at(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let is_useful = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => listen.is_ipv6() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let mut found: Vec<SocketAddr> = nix::ifaddrs::getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        })
        .filter(is_useful)
        .map(|ip| SocketAddr::new(ip, listen.port()))
        .collect();
    found.sort();
    found.dedup();
    found.truncate(vc_certs::ADDRESSES_MAX);
    if found.is_empty() {
        found.push(SocketAddr::from(([127, 0, 0, 1], listen.port())));
    }
    found
}
