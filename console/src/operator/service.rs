//! Answers operators: requests in, calls of the engine, responses out.
//!
//! One task a connection. What a client can do wrong ends its own connection at most.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vc_protocol::codec::OPERATOR_FRAME_BYTES_MAX;
use vc_protocol::operator::{
    EVENTS_MAX, PAGE_ROWS_MAX, RefusalCode, Request, Response, Role, Selection, Snapshot, StopHow, Welcome,
};

use super::members::Members;
use super::wire::{self, Duplex, PROGRAM};
use super::{SOCKET, acting, adding};
use crate::engine::handle::{CallError, Handle, WithLog};
use crate::engine::orders::Order;
use crate::profiles::{Profiles, user_folder};
use crate::store::StoreError;

/// Most operators at once; each takes a task and two buffers.
const CLIENTS_MAX: usize = 64;
/// Events in one message to those who follow them: the first screen of a long look back comes at once.
const EVENTS_A_MESSAGE: usize = 200;
/// Days in one answer: more than are kept.
const STATS_DAYS_MAX: u32 = 10_000;
/// Least time between two snapshots to one client: ten a second.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name of the account on this box, or in the registry.
    pub who: String,
    /// What they may do.
    pub role: Role,
}

/// What every connection needs.
pub struct Service {
    /// Name of the farm.
    pub farm: String,
    /// The engine.
    pub engine: Handle,
    /// Where agents dial, for screens.
    pub listen: String,
    /// Who belongs to the farm.
    pub members: Arc<Members>,
    /// Set when an operator asks for the end.
    pub stop_asked: watch::Sender<Option<StopHow>>,
}

/// Listens in the state folder until `stop`. The folder is 0700, the socket 0600, and the peer must be the same user.
pub fn listen(
    state_dir: &Path,
    service: Arc<Service>,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> io::Result<()> {
    let path = state_dir.join(SOCKET);
    // A socket left by a process that was killed; the lock on the job table keeps this to one server.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let room = Arc::new(tokio::sync::Semaphore::new(CLIENTS_MAX));
    let tracked = tasks.clone();
    let accept = async move {
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "accept an operator");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let Ok(permit) = room.clone().try_acquire_owned() else { continue };
            let (service, stop) = (service.clone(), stop.clone());
            let client = tracked.track_future(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    ended = serve_local(stream, &service) => if let Err(error) = ended {
                        tracing::debug!(%error, "an operator left");
                    },
                }
                drop(permit);
            });
            vc_agent::task::spawn("operator", client);
        }
        drop(listener);
        let _ = std::fs::remove_file(path);
    };
    vc_agent::task::spawn("operators", tasks.track_future(accept));
    Ok(())
}

/// Serves whoever came through the socket: the user of the server, or root.
async fn serve_local(mut stream: UnixStream, service: &Service) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if !may_attach(peer, nix::unistd::geteuid().as_raw()) {
        tracing::warn!(uid = peer, "refused an operator: not the user of the server");
        if wire::greet(&mut stream).await.is_ok() {
            let message =
                "this server belongs to another user: join its farm with a token of an operator".to_owned();
            wire::send(&mut stream, &refused(RefusalCode::NotAllowed, message)).await?;
        }
        return Ok(());
    }
    // Looking a name up may read files and ask the network.
    let who = tokio::task::spawn_blocking(move || account(peer)).await;
    let who = who.unwrap_or_else(|_| peer.to_string());
    serve(stream, Caller { who, role: Role::Operator }, service, OPERATOR_FRAME_BYTES_MAX).await
}

fn may_attach(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// The name of an account; one that has none is known by its number.
pub(crate) fn account(uid: u32) -> String {
    let found = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    found.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

/// Answers one connection to its end. Requests longer than `request_bytes_max` end it.
pub async fn serve(
    mut stream: impl Duplex,
    caller: Caller,
    service: &Service,
    request_bytes_max: usize,
) -> io::Result<()> {
    if let Err(error) = wire::greet(&mut stream).await {
        tracing::info!(who = caller.who, "an operator's program was not understood: {error}");
        return Ok(());
    }
    let Caller { who, role } = caller.clone();
    let welcome = Welcome { farm: service.farm.clone(), who, role, version: PROGRAM.to_owned() };
    wire::send(&mut stream, &Response::Welcome(welcome)).await?;
    while let Some(request) = wire::receive_within::<Request>(&mut stream, request_bytes_max).await? {
        if caller.role != Role::Operator && !request.only_looks() {
            let message = format!("{} only looks here: to act, join with a token of an operator", caller.who);
            wire::send(&mut stream, &refused(RefusalCode::NotAllowed, message)).await?;
            continue;
        }
        if request == Request::Subscribe {
            return snapshots(&mut stream, service).await;
        }
        if let Request::FollowEvents(after) = request {
            return follow_events(&mut stream, service, after).await;
        }
        if let Request::Add(request) = request {
            adding::add(&mut stream, &service.engine, request).await?;
            continue;
        }
        let stops = if let Request::Stop(how) = request { Some(how) } else { None };
        let response = answer(service, &caller.who, request).await;
        wire::send(&mut stream, &response).await?;
        if stops.is_some() && response == Response::Stopping {
            service.stop_asked.send_replace(stops);
        }
    }
    Ok(())
}

/// Sends a snapshot now and after each change. A slow reader gets fewer, never old ones.
async fn snapshots(stream: &mut impl Duplex, service: &Service) -> io::Result<()> {
    let mut snapshots = service.engine.snapshots();
    let mut every = tokio::time::interval(SNAPSHOT_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    wire::send(stream, &snapshot(service).await).await?;
    loop {
        every.tick().await;
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return Ok(()) },
            // Else whoever left an idle farm would keep their place.
            () = wire::gone(stream) => return Ok(()),
        }
        let newest = snapshots.borrow_and_update().clone();
        wire::send(stream, &shown(service, &newest)).await?;
    }
}

/// Sends what happened since, then what happens. Whoever reads slower than the farm lives misses what the ring has let
/// go of: the numbers show the gap.
async fn follow_events(stream: &mut impl Duplex, service: &Service, mut after: u64) -> io::Result<()> {
    let mut newest = service.engine.store().last_event();
    loop {
        newest.borrow_and_update();
        let events = match service.engine.events_after(after, EVENTS_A_MESSAGE).await {
            Ok(events) => events,
            Err(error) => return wire::send(stream, &unavailable(error)).await,
        };
        let Some(last) = events.last() else {
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return Ok(()) },
                () = wire::gone(stream) => return Ok(()),
            }
            continue;
        };
        after = last.no;
        wire::send(stream, &Response::Events(events)).await?;
    }
}

async fn snapshot(service: &Service) -> Response {
    let now = service.engine.snapshot().await;
    now.map_or_else(unavailable, |snapshot| shown(service, &snapshot))
}

fn shown(service: &Service, snapshot: &Snapshot) -> Response {
    Response::Snapshot(Box::new(Snapshot { listen: service.listen.clone(), ..snapshot.clone() }))
}

async fn answer(service: &Service, who: &str, request: Request) -> Response {
    let engine = &service.engine;
    let no_job = |id| refused(RefusalCode::NotFound, format!("there is no job {id}"));
    if !is_short(&request) {
        return refused(RefusalCode::Usage, "the filter is too long".to_owned());
    }
    match request {
        Request::Snapshot => snapshot(service).await,
        Request::Jobs { filter, sort, offset, limit } => {
            let limit = (limit as usize).min(PAGE_ROWS_MAX);
            engine.page(filter, sort, offset, limit).await.map_or_else(unavailable, Response::Page)
        }
        Request::Job(id) | Request::Log(id) => {
            let with_log = if matches!(request, Request::Log(_)) { WithLog::Yes } else { WithLog::No };
            match engine.detail(id, with_log).await {
                Ok(Some(detail)) => Response::Detail(Box::new(detail)),
                Ok(None) => no_job(id),
                Err(error) => unavailable(error),
            }
        }
        Request::Act { action, jobs, expect } => acting::act(engine, action, jobs, expect, who).await,
        Request::OnAgent(agent, action) => acting::on_agent(service, agent, action, who).await,
        Request::Pause => acting::order_it(engine, Order::Pause, who).await,
        Request::Resume => acting::resume(service, who).await,
        Request::Why(id) => match engine.why(id).await {
            Ok(Some(why)) => Response::Why(why),
            Ok(None) => no_job(id),
            Err(error) => unavailable(error),
        },
        Request::TokenCreate(wish) => service.members.token_create(engine, wish, who).await,
        Request::Tokens => service.members.tokens(),
        Request::TokenRevoke(id) => service.members.token_revoke(engine, &id, who).await,
        Request::Members => service.members.members(),
        Request::Profiles => match Profiles::load(user_folder().as_deref()) {
            Ok(profiles) => Response::Profiles(profiles.list()),
            Err(error) => refused(RefusalCode::Usage, error.to_string()),
        },
        Request::Stop(how) => acting::stop(service, how, who).await,
        Request::Add(_) | Request::Subscribe | Request::FollowEvents(_) => {
            refused(RefusalCode::Usage, "this request makes a stream".to_owned())
        }
        Request::Failures => engine.failures().await.map_or_else(unavailable, Response::Failures),
        Request::Events { before, job, limit } => {
            let limit = limit.min(EVENTS_MAX) as usize;
            engine.events(before, job, limit).await.map_or_else(unavailable, Response::Events)
        }
        Request::Stats(days) => {
            let stats = engine.stats(days.clamp(1, STATS_DAYS_MAX)).await;
            stats.map_or_else(unavailable, |stats| Response::Stats(Box::new(stats)))
        }
        Request::Agent(id) => match engine.agent(id).await {
            Ok(Some(detail)) => Response::Agent(Box::new(detail)),
            Ok(None) => refused(RefusalCode::NotFound, format!("there is no agent {id}")),
            Err(error) => unavailable(error),
        },
    }
}

/// Whether looking through all jobs for it costs no more than for what a person types.
fn is_short(request: &Request) -> bool {
    match request {
        Request::Jobs { filter, .. } | Request::Act { jobs: Selection::Filter(filter), .. } => {
            filter.is_short()
        }
        Request::Act { jobs: Selection::Ids(_), .. }
        | Request::Snapshot
        | Request::Subscribe
        | Request::Job(_)
        | Request::Log(_)
        | Request::Why(_)
        | Request::Failures
        | Request::Events { .. }
        | Request::FollowEvents(_)
        | Request::Stats(_)
        | Request::Agent(_)
        | Request::Profiles
        | Request::Add(_)
        | Request::OnAgent(..)
        | Request::Pause
        | Request::Resume
        | Request::TokenCreate(_)
        | Request::Tokens
        | Request::TokenRevoke(_)
        | Request::Members
        | Request::Stop(_) => true,
    }
}

pub(super) fn refused(code: RefusalCode, message: String) -> Response {
    Response::Refused { code, message }
}

pub(super) fn unavailable(error: CallError) -> Response {
    if let CallError::Store(error @ StoreError::TooManyToSort { .. }) = error {
        return refused(RefusalCode::Usage, error.to_string());
    }
    refused(RefusalCode::Unavailable, format!("{:#}", anyhow::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_the_servers_user_and_root() {
        assert!(may_attach(1000, 1000) && may_attach(0, 1000));
        assert!(!may_attach(1001, 1000) && !may_attach(1000, 0));
    }

    #[test]
    fn an_account_has_its_name_or_its_number() {
        assert_eq!(account(0), "root");
        assert_eq!(account(u32::MAX - 7), "uid 4294967288");
    }
}
