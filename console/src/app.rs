//! A running server: starts its parts in order, and ends them in the reverse one.
//!
//! Decides nothing: the engine drives the farm, `net` talks to agents, `operator` to people.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vc_certs::endpoint::EndpointError;
use vc_certs::{Authority, CertsError, JoinLine};
use vc_protocol::close::Close;
use vc_protocol::job::JobState;
use vc_protocol::operator::{Role, StopHow, TokenWish};

use crate::engine::handle::Handle;
use crate::engine::{Engine, EngineConfig};
use crate::net::{self, Net, NetConfig};
use crate::operator::members::Members;
use crate::operator::service::{self, Service};
use crate::operator::streams::Streams;
use crate::registry::{Member, Registry, RegistryError};
use crate::store::{Store, StoreError};

/// How long agents get to end what was taken back from them: twice what they promise, as some may be busy. What they
/// still run after that they end when they next hear of this farm.
const RECALL_MAX: Duration = Duration::from_secs(4);
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
    /// The engine.
    #[error("start the engine")]
    Engine(#[from] crate::engine::StartError),
    /// The port.
    #[error("listen for agents")]
    Net(#[from] EndpointError),
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
            Self::Net(error) => matches!(error, EndpointError::PortTaken { .. }),
            Self::StateDir { .. }
            | Self::Certs(_)
            | Self::Registry(_)
            | Self::Engine(_)
            | Self::Socket { .. }
            | Self::BrokeOff => false,
        }
    }
}

/// A running server.
pub struct Server {
    members: Arc<Members>,
    net: Net,
    handle: Handle,
    engine_ended: CancellationToken,
    operators: TaskTracker,
    stop: CancellationToken,
    stop_asked: watch::Sender<Option<StopHow>>,
    farm: String,
}

impl Server {
    /// Starts every part; on an error those that ran are ended again.
    pub async fn start(config: ServerConfig) -> Result<Server, StartError> {
        let dir = config.state_dir.clone();
        // Disk work, and a repair after a crash may take seconds.
        let opened = tokio::task::spawn_blocking(move || open(&dir)).await;
        let (store, authority, registry) = opened.map_err(|_| StartError::BrokeOff)??;
        let is_agent = |member: &Member| member.role == Role::Agent && member.revoked_ms.is_none();
        let agents = registry.members().into_iter().filter(is_agent);
        let registered = agents.map(|agent| (agent.id, agent.name)).collect();
        let farm = farm_name();
        let engine = Engine::start(EngineConfig { farm: farm.clone(), registered }, store)?;
        let (handle, engine_ended) = (engine.handle, CancellationToken::new());
        let watched = engine_ended.clone().drop_guard();
        let thread = engine.thread;
        tokio::task::spawn_blocking(move || {
            let _ended = watched;
            thread.join()
        });
        let net = Net::start(NetConfig {
            listen: config.listen,
            authority: authority.clone(),
            registry: registry.clone(),
            engine: engine.sender,
        });
        let net = match net {
            Ok(net) => net,
            Err(error) => {
                handle.stop().await;
                engine_ended.cancelled().await;
                return Err(error.into());
            }
        };
        let close = net.closer();
        let members = Members {
            registry,
            authority,
            addresses: net::reachable(net.address()),
            close: Box::new(move |member| close(member, Close::Revoked)),
        };
        let server = Server {
            members: Arc::new(members),
            net,
            handle,
            engine_ended,
            operators: TaskTracker::new(),
            stop: CancellationToken::new(),
            stop_asked: watch::Sender::new(None),
            farm,
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
        let service = Arc::new(Service {
            farm: self.farm.clone(),
            engine: self.handle.clone(),
            listen: self.listen().to_string(),
            members: self.members.clone(),
            stop_asked: self.stop_asked.clone(),
        });
        service::listen(state_dir, service.clone(), &self.operators, self.stop.clone())?;
        self.net.accept(Arc::new(Streams { service, stop: self.stop.clone() }));
        Ok(())
    }

    /// Where agents dial, with the port that was taken.
    pub fn listen(&self) -> SocketAddr {
        self.net.address()
    }

    /// A line that lets agents in.
    pub fn join_line(&self, uses: u16, ttl: Duration) -> Result<JoinLine, RegistryError> {
        self.members.join_line(TokenWish { uses, ttl_s: ttl.as_secs(), role: Role::Agent })
    }

    /// Waits until the server is to end because an operator asked for it: at once, when what runs was told to stop, or
    /// when nothing runs any more. A later request counts, and a resumed farm does not end.
    pub async fn stop_asked(&self) -> StopHow {
        let mut asked = self.stop_asked.subscribe();
        loop {
            let how = *asked.borrow_and_update();
            let is_over = async {
                match how {
                    None => std::future::pending().await,
                    Some(StopHow::Leave) => {}
                    Some(StopHow::Drain) => {
                        let _ = self.handle.tally().wait_for(|tally| tally.of(JobState::Running) == 0).await;
                    }
                    Some(StopHow::Now) => {
                        let mut in_hand = self.handle.in_hand();
                        let _ = tokio::time::timeout(RECALL_MAX, in_hand.wait_for(|count| *count == 0)).await;
                    }
                }
            };
            tokio::select! {
                () = is_over => return how.unwrap_or(StopHow::Leave),
                // Whoever sends it lives as long as this server.
                _ = asked.changed() => {}
            }
        }
    }

    /// Waits until the engine ends by itself: a check of its own failed, and it does not limp on.
    pub async fn died(&self) {
        self.engine_ended.cancelled().await;
    }

    /// Ends every part: operators first, so that nothing is promised any more; then agents are told; then the engine
    /// writes what it still has.
    pub async fn stop(self) {
        self.stop.cancel();
        self.operators.close();
        let _ = tokio::time::timeout(OPERATORS_STOP_MAX, self.operators.wait()).await;
        self.net.shutdown().await;
        self.handle.stop().await;
        self.engine_ended.cancelled().await;
    }
}

/// What the farm is called on screens: after this box.
fn farm_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    if host.is_empty() { "farm".to_owned() } else { host }
}

/// Life of members' certificates in a test with real processes, in debug builds only.
#[cfg(debug_assertions)]
fn test_life_s() -> Option<u32> {
    std::env::var("VC_TEST_MEMBER_LIFE_S").ok()?.parse().ok()
}

type Opened = (Store, Arc<Authority>, Arc<Registry>);

fn open(state_dir: &Path) -> Result<Opened, StartError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .map_err(|source| StartError::StateDir { path: state_dir.to_owned(), source })?;
    let store = Store::open(state_dir)?;
    let authority = Authority::open_or_create(&state_dir.join("identity"))?;
    #[cfg(debug_assertions)]
    let authority = match test_life_s() {
        Some(seconds) => authority.with_member_life(seconds),
        None => authority,
    };
    let authority = Arc::new(authority);
    let registry = Arc::new(Registry::open(store.clone())?);
    Ok((store, authority, registry))
}
