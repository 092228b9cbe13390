//! The console's end of the network: accepts connections, decides who is who, carries messages between agents and the
//! engine, and hands operators' streams to their service.
//!
//! Knows nothing of jobs: it translates streams to [`crate::engine::input::Input`] and back. Every limit of one peer
//! ends that peer's session and nothing else.

mod accept;
mod addresses;
mod complaints;
mod gate;
mod join;
mod limits;
mod operators;
mod renew;
mod session;
mod sessions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::Endpoint;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vc_agent::task::spawn;
use vc_certs::Authority;
use vc_certs::endpoint::{self, EndpointError};
use vc_protocol::close::Close;
use vc_protocol::id::AgentId;

use crate::engine::input::EngineSender;
use crate::registry::Registry;
use crate::wall::wall_ms;
use complaints::Complaints;
use gate::Gate;
use sessions::Sessions;

pub use addresses::reachable;
pub use operators::{Operators, Stream};

/// Version told in every hello.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// How often expired tokens and the console's certificate are looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// How long sessions get to end once they are told.
const SESSIONS_END: Duration = Duration::from_secs(5);
/// How long the last answers to operators get to arrive; they are told to end before the network is.
const CONVERSATIONS_END: Duration = Duration::from_secs(2);
/// How long close frames get to leave.
const LAST_PACKETS: Duration = Duration::from_secs(2);

/// What the network needs.
pub struct NetConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The farm's keys.
    pub authority: Arc<Authority>,
    /// Who may come in.
    pub registry: Arc<Registry>,
    /// Where their messages go.
    pub engine: EngineSender,
}

/// What all connections share.
struct Context {
    authority: Arc<Authority>,
    registry: Arc<Registry>,
    engine: EngineSender,
    sessions: Sessions,
    gate: Arc<Gate>,
    complaints: Complaints,
    /// Streams of operators.
    conversations: TaskTracker,
}

/// The running network.
pub struct Net {
    endpoint: Endpoint,
    address: SocketAddr,
    context: Arc<Context>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Net {
    /// Takes the port; nobody is heard before [`Net::accept`]. To be called within the runtime that carries the network.
    pub fn start(config: NetConfig) -> Result<Self, EndpointError> {
        let NetConfig { listen, authority, registry, engine } = config;
        let endpoint = endpoint::listen(listen, &authority, Arc::<Registry>::clone(&registry))?;
        let address =
            endpoint.local_addr().map_err(|source| EndpointError::Socket { address: listen, source })?;
        let context = Arc::new(Context {
            authority,
            registry,
            engine,
            sessions: Sessions::default(),
            gate: Arc::default(),
            complaints: Complaints::default(),
            conversations: TaskTracker::new(),
        });
        Ok(Net { endpoint, address, context, stop: CancellationToken::new(), tasks: TaskTracker::new() })
    }

    /// Hears agents, newcomers and operators from here on; what operators say goes to `service`.
    pub fn accept(&self, service: Arc<dyn Operators>) {
        let (context, stop) = (Arc::clone(&self.context), self.stop.clone());
        let accept = accept::run(self.endpoint.clone(), context, service, stop.clone(), self.tasks.clone());
        spawn("accept", self.tasks.track_future(accept));
        let housekeeping = housekeeping(Arc::clone(&self.context), stop);
        spawn("net housekeeping", self.tasks.track_future(housekeeping));
    }

    /// Where it listens; with the port that was given when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What closes every connection of a member, as after its revocation.
    pub fn closer(&self) -> impl Fn(AgentId, Close) + Send + Sync + 'static {
        let context = Arc::clone(&self.context);
        move |member, why| context.sessions.close(member, why)
    }

    /// Stops accepting, tells every peer, waits for the sessions' tasks and for the last packets, each with a bound.
    /// The engine must still take its input, or the bound is what ends the wait. The operator service has been told.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.context.conversations.close();
        let _ = tokio::time::timeout(CONVERSATIONS_END, self.context.conversations.wait()).await;
        self.context.sessions.close_all(Close::Shutdown);
        self.tasks.close();
        // Whoever is in the middle of a handshake hears it from the endpoint.
        self.endpoint.close((Close::Shutdown as u32).into(), Close::Shutdown.words().as_bytes());
        if tokio::time::timeout(SESSIONS_END, self.tasks.wait()).await.is_err() {
            tracing::warn!("{} network tasks did not end in time", self.tasks.len());
        }
        if tokio::time::timeout(LAST_PACKETS, self.endpoint.wait_idle()).await.is_err() {
            tracing::debug!("some close frames may not have left");
        }
    }
}

async fn housekeeping(context: Arc<Context>, stop: CancellationToken) {
    loop {
        // Both arms are cancel-safe.
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HOUSEKEEPING) => {}
        }
        let (registry, authority) = (Arc::clone(&context.registry), Arc::clone(&context.authority));
        let work = tokio::task::spawn_blocking(move || {
            if let Err(e) = registry.sweep(wall_ms()) {
                tracing::warn!("erase expired tokens: {:#}", anyhow::Error::from(e));
            }
            match authority.renew_server() {
                Ok(true) => tracing::info!("the console's certificate was renewed"),
                Ok(false) => {}
                Err(e) => tracing::error!("renew the console's certificate: {:#}", anyhow::Error::from(e)),
            }
        });
        if work.await.is_err() {
            tracing::error!("housekeeping of the network panicked");
        }
    }
}

#[cfg(test)]
mod tests;
