//! A whole agent, but for ffmpeg, against a scripted console over real QUIC.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vc_certs::tls::{Admission, NotAdmitted};
use vc_certs::wire::{self, Channel};
use vc_certs::{AgentKey, Authority, Identity, KeyHash, endpoint};
use vc_protocol::agent::{AgentHello, Disposition, FromAgent, Held, Outcome, ToAgent};
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, AttemptId};
use vc_protocol::join::Joined;
use vc_protocol::operator::Role;
use vc_protocol::profile::VideoCodec;
use vc_protocol::prove::Challenge;

use super::Start;
use crate::journal::Journal;
use crate::session::state::testing::{attempt, ended, offer, proven};
use crate::state_dir::StateDir;
use crate::supervisor::slots::cpu_device;
use crate::supervisor::testing::Fake;
use crate::{status, task};

const PATIENCE: Duration = Duration::from_secs(20);

struct Everybody;

impl Admission for Everybody {
    fn admit(&self, _: Role, _: AgentId, _: KeyHash) -> Result<(), NotAdmitted> {
        Ok(())
    }
}

struct Console {
    authority: Authority,
    endpoint: quinn::Endpoint,
    dir: tempfile::TempDir,
}

/// A session as the console sees it.
struct Heard {
    connection: quinn::Connection,
    channel: Channel<FromAgent>,
    hello: AgentHello,
}

impl Console {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca")).unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let endpoint = endpoint::listen(loopback, &authority, Arc::new(Everybody)).unwrap();
        Console { authority, endpoint, dir }
    }

    /// An agent of this farm, running.
    fn agent(&self) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let key = AgentKey::generate().unwrap();
        let signed = self.authority.sign_member(&key.request().unwrap(), Role::Agent, AgentId(1)).unwrap();
        let joined = Joined {
            farm: self.authority.farm(),
            agent: AgentId(1),
            name: "ada".into(),
            certificate: signed.certificate,
            authorities: vec![signed.authority],
            clock_ms: 0,
        };
        // The first address leads nowhere: the second must be tried.
        let consoles = ["no.such.host.invalid:1".into(), self.endpoint.local_addr().unwrap().to_string()];
        let identity = Identity::new(&key, &joined, &consoles).unwrap();
        let dir = StateDir::open(&self.state_dir()).unwrap();
        let (journal, left) = Journal::open(&dir.spool()).unwrap();
        let start = Start {
            dir,
            identity,
            journal,
            left,
            processor: cpu_device(Some(2), VideoCodec::ALL.to_vec()),
            tries_processor: false,
            card_slots: None,
            cards: Vec::new(),
            looking: None,
            ffmpeg: "ffmpeg version 9".into(),
            work: Fake::new(),
        };
        let stop = CancellationToken::new();
        (stop.clone(), task::spawn("agent", start.run(stop)))
    }

    fn state_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("agent")
    }

    /// The next session, up to its hello.
    async fn meet(&self) -> Heard {
        let meet = async {
            let connection = self.endpoint.accept().await.unwrap().await.unwrap();
            let mut channel: Channel<FromAgent> = wire::accept(&connection, "test").await.unwrap();
            let hello = channel.reader.next().await.unwrap();
            let Some(FromAgent::Hello(hello)) = hello else { panic!("no hello but {hello:?}") };
            Heard { connection, channel, hello: *hello }
        };
        timeout(PATIENCE, meet).await.unwrap()
    }
}

impl Heard {
    async fn welcome(&mut self, inventory: Vec<(AttemptId, Disposition)>) {
        self.say(ToAgent::Welcome { agent: AgentId(1), name: "ada".into(), inventory }).await;
    }

    async fn say(&mut self, message: ToAgent) {
        self.channel.writer.send(&message).await.unwrap();
    }

    /// The next message that is not progress.
    async fn hear(&mut self) -> FromAgent {
        loop {
            let message = timeout(PATIENCE, self.channel.reader.next()).await.unwrap().unwrap().unwrap();
            if !matches!(message, FromAgent::Progress(_)) {
                return message;
            }
        }
    }

    /// The next message that is neither progress nor a heartbeat.
    async fn hear_news(&mut self) -> FromAgent {
        loop {
            let message = self.hear().await;
            if !matches!(message, FromAgent::Heartbeat(_) | FromAgent::Facts(_)) {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn a_cut_session_is_dialled_again_and_the_result_is_taken() {
    let console = Console::start();
    let (stop, agent) = console.agent();
    let mut first = console.meet().await;
    assert_eq!((first.hello.inventory.len(), first.hello.devices[0].slots), (0, 2));
    first.welcome(vec![]).await;
    first.say(ToAgent::Offer(offer(1))).await;
    assert_eq!(first.hear_news().await, FromAgent::AskCommit(attempt(1), proven(1)));
    first.connection.close((Close::Shutdown as u32).into(), b"");

    let mut second = console.meet().await;
    assert_eq!(second.hello.instance, first.hello.instance);
    assert_eq!(second.hello.inventory, [Held::Proven(attempt(1), proven(1))]);
    second.welcome(vec![(attempt(1), Disposition::Commit)]).await;
    assert_eq!(second.hear_news().await, FromAgent::Report(Box::new(ended(attempt(1)))));
    second.say(ToAgent::Done(attempt(1))).await;
    second.say(ToAgent::Prove(Box::new(challenge()))).await;
    assert_eq!(second.hear_news().await, FromAgent::Proof(vc_protocol::id::RootId(4), Ok([5; 32])));
    assert_eq!(second.hear().await, FromAgent::Heartbeat(vec![]));

    stop.cancel();
    assert_eq!(second.hear_news().await, FromAgent::Draining);
    assert!(timeout(PATIENCE, second.channel.reader.next()).await.unwrap().unwrap().is_none());
    let closed = timeout(PATIENCE, second.connection.closed()).await.unwrap();
    let quinn::ConnectionError::ApplicationClosed(close) = closed else { panic!("{closed}") };
    assert_eq!(close.error_code, (Close::Shutdown as u32).into());
    timeout(PATIENCE, agent).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stopped_agent_hands_back_what_runs_before_it_closes() {
    let console = Console::start();
    let (stop, agent) = console.agent();
    let mut session = console.meet().await;
    session.welcome(vec![]).await;
    let mut hanging = offer(1);
    hanging.source = "hang".into();
    session.say(ToAgent::Offer(hanging)).await;
    while session.hear().await != FromAgent::Heartbeat(vec![attempt(1)]) {}
    stop.cancel();
    assert_eq!(session.hear_news().await, FromAgent::Draining);
    let FromAgent::Report(report) = session.hear_news().await else { panic!("no report") };
    assert_eq!(report.outcome, Outcome::Stopped);
    session.say(ToAgent::Done(attempt(1))).await;
    timeout(PATIENCE, agent).await.unwrap().unwrap();
    assert!(Journal::open(&console.state_dir().join("spool")).unwrap().1.is_empty());
}

#[tokio::test]
async fn a_running_agent_tells_its_status_and_why_it_is_not_connected() {
    let console = Console::start();
    let (stop, agent) = console.agent();
    let session = console.meet().await;
    wire::close(&session.connection, Close::Revoked, "this agent was revoked");
    let socket = StateDir::socket(&console.state_dir());
    let told = async {
        loop {
            let socket = socket.clone();
            let asked = task::spawn_blocking("ask", move || status::ask(&socket)).await.unwrap();
            if let Ok(status) = asked
                && let Some(problem) = &status.console.problem
            {
                return (status.pid, problem.clone());
            }
            tokio::task::yield_now().await;
        }
    };
    let (pid, problem) = timeout(PATIENCE, told).await.unwrap();
    assert_eq!((pid, problem.as_str()), (std::process::id(), "this agent was revoked"));
    stop.cancel();
    timeout(PATIENCE, agent).await.unwrap().unwrap();
    assert!(matches!(status::ask(&socket), Err(status::StatusError::NotRunning(_))));
}

fn challenge() -> Challenge {
    Challenge {
        root: vc_protocol::id::RootId(4),
        path: "/in".into(),
        writable: false,
        key: [5; 32],
        ranges: Vec::new(),
    }
}
