//! Real QUIC on loopback, with clients that behave and clients that do not.

use std::net::Ipv4Addr;

use futures_util::future::BoxFuture;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use vc_certs::ended::{Ended, ended};
use vc_certs::join::JoinError;
use vc_certs::wire::{self, Channel, WireError};
use vc_certs::{AgentKey, Identity, JoinLine, Secret};
use vc_protocol::agent::{ATTEMPTS_MAX, AgentHello, FromAgent, ToAgent};
use vc_protocol::codec::FRAME_BYTES_MAX;
use vc_protocol::hello::Hello;
use vc_protocol::id::{AttemptId, AttemptNo, JobId, SessionNo, TaskNo};
use vc_protocol::join::JoinRefusal;
use vc_protocol::operator::Role;

use super::*;
use crate::engine::input::{Input, Opened};
use crate::operator::service::Caller;
use crate::registry::{TTL_DEFAULT, TokenWish};
use crate::store::Store;

const PATIENCE: Duration = Duration::from_secs(30);
const ATTEMPT: AttemptId = AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(1) };

/// An operator service that says who speaks, and gives back what it hears.
struct Echo;

impl Operators for Echo {
    fn serve<'a>(&'a self, stream: &'a mut Stream, caller: Caller) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let who = format!("{} {};", caller.role.word(), caller.who);
            stream.write_all(who.as_bytes()).await.unwrap();
            let (mut from, mut to) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut from, &mut to).await;
        })
    }
}

struct World {
    dir: tempfile::TempDir,
    net: Net,
    registry: Arc<Registry>,
    authority: Arc<Authority>,
    inbox: mpsc::Receiver<Input>,
}

fn start() -> World {
    let dir = tempfile::tempdir().unwrap();
    let authority = Arc::new(Authority::open_or_create(&dir.path().join("keys")).unwrap());
    let registry = Arc::new(Registry::open(Store::open(dir.path()).unwrap()).unwrap());
    let (engine, inbox) = mpsc::channel(64);
    let net = Net::start(config(&authority, &registry, engine, 0)).unwrap();
    net.accept(Arc::new(Echo));
    World { dir, net, registry, authority, inbox }
}

fn config(
    authority: &Arc<Authority>,
    registry: &Arc<Registry>,
    engine: EngineSender,
    port: u16,
) -> NetConfig {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    NetConfig { listen, authority: Arc::clone(authority), registry: Arc::clone(registry), engine }
}

impl World {
    fn line(&self, made_ms: i64) -> JoinLine {
        self.line_for(Role::Agent, made_ms)
    }

    fn line_for(&self, role: Role, made_ms: i64) -> JoinLine {
        let addresses = reachable(self.net.address());
        let wish = TokenWish { role, uses: 1, ttl: TTL_DEFAULT, addresses, pin: self.authority.ca_pin() };
        self.registry.create_token(wish, made_ms).unwrap()
    }

    async fn join(&self, line: &JoinLine, key: &AgentKey) -> Result<Identity, JoinError> {
        let to = self.net.address();
        let endpoint = endpoint::dialler(to).unwrap();
        let connection = endpoint::dial_join(&endpoint, to, line.pin).await.unwrap();
        let (identity, clock_ms) =
            vc_certs::join::ask(&connection, line, key, "ada.example.org", "test").await?;
        assert!((clock_ms - wall_ms()).abs() < 60_000);
        Ok(identity)
    }

    async fn joined(&self) -> Identity {
        self.join(&self.line(wall_ms()), &AgentKey::generate().unwrap()).await.unwrap()
    }

    async fn dial(&self, identity: &Identity) -> quinn::Connection {
        let endpoint = endpoint::dialler(self.net.address()).unwrap();
        endpoint::dial(&endpoint, self.net.address(), identity).await.unwrap()
    }

    /// An agent that says what it should.
    async fn connect(&self, identity: &Identity) -> Client {
        let connection = self.dial(identity).await;
        let mut channel = wire::open::<ToAgent>(&connection, "test").await.unwrap();
        channel.writer.send(&FromAgent::Hello(Box::new(hello()))).await.unwrap();
        Client { connection, channel }
    }

    async fn next(&mut self) -> Input {
        tokio::time::timeout(PATIENCE, self.inbox.recv()).await.unwrap().unwrap()
    }

    async fn opened(&mut self) -> Opened {
        let next = self.next().await;
        let Input::Opened(opened) = next else { panic!("{next:?}") };
        opened
    }
}

struct Client {
    connection: quinn::Connection,
    channel: Channel<ToAgent>,
}

impl Client {
    /// How the console ended it.
    async fn ended(&mut self) -> String {
        closed(&self.connection).await
    }
}

async fn closed(connection: &quinn::Connection) -> String {
    let error = tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap();
    match ended(&error) {
        Ended::Refused(words) | Ended::Lost(words) => words,
    }
}

fn hello() -> AgentHello {
    AgentHello {
        instance: 1,
        host: "ada".into(),
        version: "0.1".into(),
        ffmpeg: "ffmpeg".into(),
        devices: vec![],
        inventory: vec![],
    }
}

/// Proves that this session still works, both ways.
async fn works(world: &mut World, client: &mut Client, opened: &Opened) {
    client.channel.writer.send(&FromAgent::Heartbeat(vec![ATTEMPT])).await.unwrap();
    let next = world.next().await;
    let Input::FromAgent(agent, session, FromAgent::Heartbeat(attempts)) = next else { panic!("{next:?}") };
    assert_eq!((agent, session, attempts), (opened.agent, opened.session, vec![ATTEMPT]));
    opened.link.send(ToAgent::Cancel(ATTEMPT));
    let heard = tokio::time::timeout(PATIENCE, client.channel.reader.next()).await.unwrap().unwrap();
    assert_eq!(heard, Some(ToAgent::Cancel(ATTEMPT)));
}

#[tokio::test]
async fn a_box_joins_connects_and_is_heard() {
    let mut world = start();
    let identity = world.joined().await;
    assert_eq!((identity.agent, identity.name.as_str()), (AgentId(1), "ada"));
    let mut client = world.connect(&identity).await;
    let opened = world.opened().await;
    assert_eq!((opened.agent, opened.name.as_str(), opened.session), (AgentId(1), "ada", SessionNo(1)));
    assert_eq!(opened.hello, hello());
    works(&mut world, &mut client, &opened).await;
    assert!(opened.link.rtt_us() > 0);
    client.channel.writer.finish();
    assert!(matches!(world.next().await, Input::Closed(AgentId(1), SessionNo(1))));
    assert_eq!(client.ended().await, "finished");
}

#[tokio::test]
async fn operators_have_several_streams_and_are_cut_off_when_they_are_revoked() {
    let world = start();
    let line = world.line_for(Role::Viewer, wall_ms());
    let identity = world.join(&line, &AgentKey::generate().unwrap()).await.unwrap();
    let (first, second) = (world.dial(&identity).await, world.dial(&identity).await);
    let mut streams = Vec::new();
    for connection in [&first, &first, &first, &second] {
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        send.write_all(b"hello").await.unwrap();
        let mut heard = [0; 16];
        recv.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"viewer ada;hello");
        streams.push((send, recv));
    }
    world.registry.revoke(identity.agent, wall_ms()).unwrap();
    world.net.closer()(identity.agent, Close::Revoked);
    assert!(closed(&first).await.contains("revoked") && closed(&second).await.contains("revoked"));
    let again = world.dial(&identity).await;
    assert!(closed(&again).await.contains("was revoked"));
}

#[tokio::test]
async fn one_operator_may_have_a_few_connections_and_no_more() {
    let world = start();
    let line = world.line_for(Role::Operator, wall_ms());
    let identity = world.join(&line, &AgentKey::generate().unwrap()).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..16 {
        let connection = world.dial(&identity).await;
        // Known as an operator's once it is served.
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        send.write_all(b"x").await.unwrap();
        recv.read_exact(&mut [0; 4]).await.unwrap();
        held.push((connection, send, recv));
    }
    assert!(closed(&world.dial(&identity).await).await.contains("too many connections"));
    assert!(held.iter().all(|(connection, ..)| connection.close_reason().is_none()));
}

#[tokio::test]
async fn tokens_that_are_no_good_are_refused_by_name() {
    let world = start();
    let line = world.line(wall_ms());
    let wrong = JoinLine { secret: Secret::generate().unwrap(), ..line.clone() };
    let expired = world.line(0);
    let key = AgentKey::generate().unwrap();
    let refusal = async |line: &JoinLine| match world.join(line, &AgentKey::generate().unwrap()).await {
        Err(JoinError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(&wrong).await, JoinRefusal::WrongSecret);
    assert_eq!(refusal(&expired).await, JoinRefusal::ExpiredToken);
    let identity = world.join(&line, &key).await.unwrap();
    assert_eq!(refusal(&line).await, JoinRefusal::UsedToken);
    assert_eq!(world.join(&line, &key).await.unwrap().agent, identity.agent, "a lost answer is given again");
    let (other_farm, mut unknown) = (start(), line.clone());
    unknown.pin = other_farm.authority.ca_pin();
    match other_farm.join(&unknown, &key).await {
        Err(JoinError::Refused(why)) => assert_eq!(why, JoinRefusal::UnknownToken),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_farms_agent_is_refused() {
    let (world, other) = (start(), start());
    let stranger = other.joined().await;
    let endpoint = endpoint::dialler(world.net.address()).unwrap();
    let dialled = endpoint::dial(&endpoint, world.net.address(), &stranger).await;
    let error = dialled.unwrap_err().to_string();
    assert!(error.contains("not of this farm"), "{error}");
}

#[tokio::test]
async fn a_newer_session_replaces_the_older_at_once() {
    let mut world = start();
    let identity = world.joined().await;
    let mut first = world.connect(&identity).await;
    let one = world.opened().await;
    let mut second = world.connect(&identity).await;
    let mut seen = vec![world.next().await, world.next().await];
    assert!(first.ended().await.contains("replaced by a newer session"));
    seen.sort_by_key(|input| matches!(input, Input::Closed(_, _)));
    let Input::Closed(agent, session) = seen.remove(1) else { panic!() };
    assert_eq!((agent, session), (one.agent, one.session));
    let Input::Opened(two) = seen.remove(0) else { panic!() };
    assert!(two.session > one.session);
    works(&mut world, &mut second, &two).await;
}

#[tokio::test]
async fn a_revoked_agent_is_thrown_out_and_stays_out() {
    let mut world = start();
    let identity = world.joined().await;
    let mut client = world.connect(&identity).await;
    let opened = world.opened().await;
    world.registry.revoke(opened.agent, wall_ms()).unwrap();
    world.net.closer()(opened.agent, Close::Revoked);
    assert!(client.ended().await.contains("revoked"));
    assert!(matches!(world.next().await, Input::Closed(_, _)));
    let again = world.dial(&identity).await;
    let words = match wire::open::<ToAgent>(&again, "test").await {
        Err(WireError::Ended(Ended::Refused(words))) => words,
        other => panic!("{other:?}"),
    };
    assert!(words.contains("was revoked"), "{words}");
}

/// Bytes that no honest agent sends, after an honest hello.
async fn raw(world: &World, identity: &Identity, bytes: &[u8]) -> quinn::Connection {
    let connection = world.dial(identity).await;
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let hello = Hello::ours("test").to_bytes();
    send.write_all(&(hello.len() as u16).to_le_bytes()).await.unwrap();
    send.write_all(&hello).await.unwrap();
    // The console may close while this is written.
    let _ = send.write_all(bytes).await;
    // Streams that are dropped are finished or stopped: keep them until the console has spoken.
    let keep = connection.clone();
    spawn("rogue", async move {
        keep.closed().await;
        let _ = recv.stop(0_u32.into());
        drop(send);
    });
    connection
}

#[tokio::test]
async fn rogues_end_their_own_session_and_no_other() {
    let mut world = start();
    let good = world.joined().await;
    let mut client = world.connect(&good).await;
    let opened = world.opened().await;
    let rogue = world.joined().await;
    let frame = |message: &FromAgent| vc_protocol::codec::frame(message).unwrap();
    let crowd = AgentHello {
        inventory: vec![
            vc_protocol::agent::Held::Running(
                ATTEMPT,
                vc_protocol::progress::Progress::start(vc_protocol::progress::Phase::Waiting)
            );
            ATTEMPTS_MAX + 1
        ],
        ..hello()
    };
    let oversized = (FRAME_BYTES_MAX as u32 + 1).to_le_bytes().to_vec();
    for (bytes, words) in [
        (oversized, "protocol error"),
        (vec![0xff; 64], "protocol error"),
        ([&[9, 0, 0, 0][..], &[0; 9]].concat(), "protocol error"),
        (frame(&FromAgent::Heartbeat(vec![])), "its first message is not a hello"),
        (frame(&FromAgent::Hello(Box::new(crowd))), "4097 attempts, more than 4096"),
    ] {
        let connection = raw(&world, &rogue, &bytes).await;
        let said = closed(&connection).await;
        assert!(said.contains(words), "{said}");
        works(&mut world, &mut client, &opened).await;
    }
    // Past the hello: a second one ends the session, and the engine hears of it.
    let twice = [frame(&FromAgent::Hello(Box::new(hello()))), frame(&FromAgent::Hello(Box::new(hello())))];
    let connection = raw(&world, &rogue, &twice.concat()).await;
    let second = world.opened().await;
    assert!(closed(&connection).await.contains("a second hello"));
    assert!(matches!(world.next().await, Input::Closed(agent, _) if agent == second.agent));
    works(&mut world, &mut client, &opened).await;
}

#[tokio::test]
async fn messages_of_a_newer_kind_are_skipped() {
    let mut world = start();
    let identity = world.joined().await;
    let hello = vc_protocol::codec::frame(&FromAgent::Hello(Box::new(hello()))).unwrap();
    let newer = [&[4, 0, 0, 0][..], &[200, 1, 2, 3]].concat();
    let draining = vc_protocol::codec::frame(&FromAgent::Draining).unwrap();
    let _connection = raw(&world, &identity, &[hello, newer, draining].concat()).await;
    let opened = world.opened().await;
    let next = world.next().await;
    assert!(
        matches!(next, Input::FromAgent(agent, _, FromAgent::Draining) if agent == opened.agent),
        "{next:?}"
    );
}

#[tokio::test]
async fn a_version_that_does_not_fit_is_told_what_to_upgrade() {
    let world = start();
    let identity = world.joined().await;
    for (min, max, words) in [(0, 0, "upgrade this program"), (7, 9, "upgrade the other end")] {
        let connection = world.dial(&identity).await;
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        let hello = Hello { min, max, program: "0.0".into(), features: vec![] }.to_bytes();
        send.write_all(&(hello.len() as u16).to_le_bytes()).await.unwrap();
        send.write_all(&hello).await.unwrap();
        let said = closed(&connection).await;
        assert!(said.contains(words), "{said}");
    }
    let connection = world.dial(&identity).await;
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    send.write_all(b"\x0e\x00GET / HTTP/1.0").await.unwrap();
    assert_eq!(closed(&connection).await, "protocol error");
}

#[tokio::test]
async fn one_that_says_nothing_is_sent_away() {
    let world = start();
    let identity = world.joined().await;
    // The first opens no stream, the second no frame, the third stops within one.
    let mute = world.dial(&identity).await;
    let half_hello = raw(&world, &world.joined().await, &[]).await;
    let half_frame = raw(&world, &world.joined().await, &[200, 0, 0, 0, 1, 2, 3]).await;
    let stranger = endpoint::dialler(world.net.address()).unwrap();
    let stranger =
        endpoint::dial_join(&stranger, world.net.address(), world.authority.ca_pin()).await.unwrap();
    let all = tokio::join!(closed(&mute), closed(&half_hello), closed(&half_frame), closed(&stranger));
    assert_eq!(all, ("too slow".into(), "too slow".into(), "too slow".into(), "too slow".into()));
}

#[tokio::test]
async fn one_that_does_not_read_loses_its_session_and_costs_the_engine_nothing() {
    let mut world = start();
    let (good, slow) = (world.joined().await, world.joined().await);
    let mut client = world.connect(&good).await;
    let opened = world.opened().await;
    let mut deaf = world.connect(&slow).await;
    let to_deaf = world.opened().await;
    for _ in 0..10_000 {
        to_deaf.link.send(ToAgent::Cancel(ATTEMPT));
    }
    assert_eq!(deaf.ended().await, "too slow");
    assert!(matches!(world.next().await, Input::Closed(agent, _) if agent == to_deaf.agent));
    works(&mut world, &mut client, &opened).await;
}

#[tokio::test]
async fn shutting_down_tells_every_peer_and_ends_in_time() {
    let mut world = start();
    let identity = world.joined().await;
    let mut client = world.connect(&identity).await;
    let opened = world.opened().await;
    let World { net, mut inbox, dir: _dir, .. } = world;
    tokio::time::timeout(SESSIONS_END, net.shutdown()).await.unwrap();
    assert!(client.ended().await.contains("shutting down"));
    assert!(matches!(inbox.recv().await, Some(Input::Closed(agent, _)) if agent == opened.agent));
}

#[tokio::test]
async fn a_taken_port_is_a_sentence() {
    let world = start();
    let (engine, _inbox) = mpsc::channel(1);
    let again = Net::start(config(&world.authority, &world.registry, engine, world.net.address().port()));
    let error = again.err().unwrap().to_string();
    assert!(error.contains("is taken; stop the other program or choose another with `--listen`"), "{error}");
    assert!(world.dir.path().exists());
}

#[tokio::test]
async fn a_crowd_proves_its_addresses_and_one_address_is_no_crowd() {
    let world = start();
    let (to, pin) = (world.net.address(), world.authority.ca_pin());
    // Strangers that say nothing hold their places; from the 17th on each must answer a Retry first.
    let knock = async |host: u8| {
        let endpoint = quinn::Endpoint::client((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
        endpoint::dial_join(&endpoint, to, pin).await
    };
    let mut held = Vec::new();
    for host in 1..=24 {
        held.push(knock(host).await.unwrap());
    }
    for _ in 0..8 {
        held.push(knock(100).await.unwrap());
    }
    let error = knock(100).await.unwrap_err().to_string();
    assert!(error.contains("no room for another handshake"), "{error}");
    assert!(knock(101).await.is_ok());
}

/// A new certificate for whoever shows that identity, over the network.
async fn renewed(world: &World, identity: &Identity) -> Result<Identity, JoinError> {
    let consoles = reachable(world.net.address());
    let key = AgentKey::generate().unwrap();
    let entered = vc_certs::renew::renew(identity, &consoles, &key, "test").await?;
    entered.goodbye().await;
    Ok(entered.identity)
}

/// How the console ends a connection of this identity that it does not want.
async fn sent_away(world: &World, identity: &Identity) -> String {
    match wire::open::<ToAgent>(&world.dial(identity).await, "test").await {
        Err(WireError::Ended(Ended::Refused(words))) => words,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_renewal_leaves_the_session_alone_and_the_new_key_retires_the_old() {
    let mut world = start();
    let old = world.joined().await;
    let mut client = world.connect(&old).await;
    let opened = world.opened().await;
    let new = renewed(&world, &old).await.unwrap();
    assert_eq!((new.agent, new.name.as_str(), new.role), (old.agent, "ada", Role::Agent));
    let next = world.next().await;
    let Input::Renewed(renewal) = next else { panic!("{next:?}") };
    assert_eq!((renewal.agent, renewal.ends_ms), (old.agent, new.expires_s * 1000));
    works(&mut world, &mut client, &opened).await;
    // The old one still gets in: its next session may come before it has heard of the new one.
    for identity in [&old, &new] {
        let _client = world.connect(identity).await;
        // The end of the one before may come first.
        while !matches!(world.next().await, Input::Opened(_)) {}
    }
    let words = sent_away(&world, &old).await;
    assert!(words.contains("does not know this identity"), "{words}");
}

#[tokio::test]
async fn one_with_an_expired_certificate_may_renew_and_nothing_else() {
    let mut world = start();
    for role in [Role::Agent, Role::Operator] {
        let line = world.line_for(role, wall_ms());
        let first = AgentKey::generate().unwrap();
        let member = world.join(&line, &first).await.unwrap().agent;
        let (past, next) =
            (Authority::open_or_create(&world.dir.path().join("keys")).unwrap(), AgentKey::generate());
        let (past, next) = (past.with_member_life(0), next.unwrap());
        let shown = Authority::request_key(&first.request().unwrap()).unwrap();
        let made = world.registry.renew(&past, member, shown, &next.request().unwrap(), 0).unwrap();
        let expired = Identity::new(&next, &made.joined, &[]).unwrap();
        // Its life is over with the second in which it began.
        while wall_ms() / 1000 <= expired.expires_s {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let words = sent_away(&world, &expired).await;
        assert!(words.contains("has expired: it may be renewed"), "{words}");
        let new = renewed(&world, &expired).await.unwrap();
        assert!(new.expires_s > wall_ms() / 1000);
        if role == Role::Agent {
            assert!(matches!(world.next().await, Input::Renewed(_)));
            let _client = world.connect(&new).await;
            world.opened().await;
        }
        world.registry.revoke(member, wall_ms()).unwrap();
        let refused = renewed(&world, &new).await.unwrap_err();
        let words = vc_certs::told::chain(&refused);
        assert!(vc_certs::renew::is_final(&refused) && words.contains("revoked"), "{words}");
    }
}
