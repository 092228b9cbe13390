//! Who gets in and who does not, over real QUIC on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, Endpoint};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use vc_certs::ended::{Ended, ended, not_let_in};
use vc_certs::peer::{self, Peer, Refusal};
use vc_certs::tls::{self, Admission, NotAdmitted};
use vc_certs::{AgentKey, Authority, Identity, KeyHash, endpoint};
use vc_protocol::agent::ToAgent;
use vc_protocol::id::AgentId;
use vc_protocol::join::Joined;
use vc_protocol::operator::Role;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Registry(Mutex<BTreeMap<AgentId, (Role, KeyHash, bool)>>);

impl Registry {
    fn revoke(&self, agent: AgentId) {
        self.0.lock().unwrap().get_mut(&agent).unwrap().2 = true;
    }
}

impl Admission for Registry {
    fn admit(&self, role: Role, agent: AgentId, key: KeyHash) -> Result<(), NotAdmitted> {
        match self.0.lock().unwrap().get(&agent) {
            None => Err(NotAdmitted::Unknown),
            Some((known, ..)) if *known != role => Err(NotAdmitted::OtherRole),
            Some((_, known, _)) if *known != key => Err(NotAdmitted::OtherKey),
            Some((_, _, true)) => Err(NotAdmitted::Revoked),
            Some((_, _, false)) => Ok(()),
        }
    }
}

struct Farm {
    dir: tempfile::TempDir,
    authority: Authority,
    registry: Arc<Registry>,
    endpoint: Endpoint,
}

impl Farm {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(dir.path()).unwrap();
        let registry = Arc::new(Registry::default());
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let endpoint = endpoint::listen(loopback, &authority, Arc::<Registry>::clone(&registry)).unwrap();
        Farm { dir, authority, registry, endpoint }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    /// A registered agent.
    fn agent(&self, id: u32) -> Identity {
        self.member(id, Role::Agent)
    }

    /// A registered member.
    fn member(&self, id: u32, role: Role) -> Identity {
        let (identity, key) = self.unregistered(id, role);
        self.registry.0.lock().unwrap().insert(AgentId(id), (role, key, false));
        identity
    }

    fn unregistered(&self, id: u32, role: Role) -> (Identity, KeyHash) {
        let key = AgentKey::generate().unwrap();
        let signed = self.authority.sign_member(&key.request().unwrap(), role, AgentId(id)).unwrap();
        let joined = Joined {
            farm: self.authority.farm(),
            agent: AgentId(id),
            name: "ada".into(),
            certificate: signed.certificate,
            authorities: vec![signed.authority],
            clock_ms: 0,
        };
        (Identity::new(&key, &joined, &[]).unwrap(), signed.key_hash)
    }

    /// What the console makes of the next one that dials; an error if its handshake failed.
    async fn meet(&self) -> Result<Result<Peer, Refusal>, quinn::ConnectionError> {
        let incoming = tokio::time::timeout(PATIENCE, self.endpoint.accept()).await.unwrap().unwrap();
        let connection = incoming.await?;
        let who = peer::who(&connection);
        if let Err(why) = &who {
            let close = vc_protocol::close::Close::NotAllowed;
            vc_certs::wire::close(&connection, close, &why.to_string());
        }
        // Held until the client has read the refusal, or closed.
        tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap();
        Ok(who)
    }
}

/// What the client learns once it reads: the handshake alone says nothing.
async fn outcome(dialled: Result<Connection, endpoint::DialError>) -> Result<(), Ended> {
    let connection = match dialled {
        Ok(connection) => connection,
        Err(endpoint::DialError::Ended { ended, .. }) => return Err(ended),
        Err(e) => panic!("{e}"),
    };
    match vc_certs::wire::open::<ToAgent>(&connection, "test").await {
        Err(vc_certs::wire::WireError::Ended(ended)) => Err(ended),
        // The console of these tests says no hello: silence means that we are in.
        Err(vc_certs::wire::WireError::TooSlow) => Ok(()),
        other => panic!("{other:?}"),
    }
}

async fn refused(farm: &Farm, dial: impl Future<Output = Result<Connection, endpoint::DialError>>) -> String {
    let (met, seen) = tokio::join!(farm.meet(), async { outcome(dial.await).await });
    match met {
        Ok(who) => assert!(who.is_err(), "the console let it in"),
        Err(e) => assert!(!not_let_in(&e).contains("handshake"), "no words for {e}"),
    }
    match seen {
        Err(Ended::Refused(words)) => words,
        other => panic!("not refused: {other:?}"),
    }
}

/// Dials and says goodbye at once: the console must know it as this.
async fn welcomed(farm: &Farm, dial: impl Future<Output = Result<Connection, endpoint::DialError>>) -> Peer {
    let (met, ()) = tokio::join!(farm.meet(), async {
        // A handshake that the server refuses later would show here as well, as its end of the connection.
        dial.await.unwrap().close(0_u32.into(), b"");
    });
    met.unwrap().unwrap()
}

fn dialler(farm: &Farm) -> Endpoint {
    endpoint::dialler(farm.address()).unwrap()
}

/// A client that the public functions would not build.
fn rogue(
    farm: &Farm,
    certificate: Option<(&str, CertificateDer<'static>)>,
    alpn: &[u8],
) -> quinn::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(farm.authority.certificate().clone()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certificate {
        Some((key, certificate)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()))
}

async fn dial_rogue(farm: &Farm, config: quinn::ClientConfig) -> Result<Connection, endpoint::DialError> {
    let name = format!("{}.vc.internal", farm.authority.farm());
    let address = farm.address();
    let connecting = dialler(farm).connect_with(config, address, &name).unwrap();
    connecting.await.map_err(|e| endpoint::DialError::Ended { address, ended: ended(&e) })
}

/// An agent's key and certificate as a stored file has them.
fn pem_of(identity: &Identity) -> (String, CertificateDer<'static>) {
    let dir = tempfile::tempdir().unwrap();
    identity.store(dir.path()).unwrap();
    let pem = std::fs::read_to_string(dir.path().join("identity.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    (pem, certificate)
}

#[tokio::test]
async fn an_agent_and_a_newcomer_are_known_for_what_they_are() {
    let farm = Farm::start();
    let ada = farm.agent(1);
    let endpoint = dialler(&farm);
    let peer = welcomed(&farm, endpoint::dial(&endpoint, farm.address(), &ada)).await;
    assert_eq!(peer, Peer::Agent(AgentId(1)));
    let pin = farm.authority.ca_pin();
    let peer = welcomed(&farm, endpoint::dial_join(&endpoint, farm.address(), pin)).await;
    assert_eq!(peer, Peer::Joiner);
}

#[tokio::test]
async fn another_farms_agent_is_refused_on_both_sides() {
    let (farm, other) = (Farm::start(), Farm::start());
    let stranger = other.agent(1);
    let endpoint = dialler(&farm);
    // Our own client notices first that the console is another's.
    let error = endpoint::dial(&endpoint, farm.address(), &stranger);
    let (_, error) = tokio::join!(farm.meet(), error);
    let error = error.unwrap_err();
    assert!(error.to_string().contains("not of this farm"), "{error}");
    // One that does not care is refused by the console.
    let (key, certificate) = pem_of(&stranger);
    let config = rogue(&farm, Some((&key, certificate)), tls::ALPN_AGENT);
    let words = refused(&farm, dial_rogue(&farm, config)).await;
    assert!(words.contains("of another farm"), "{words}");
}

#[tokio::test]
async fn no_certificate_reaches_joining_only() {
    let farm = Farm::start();
    let words = refused(&farm, dial_rogue(&farm, rogue(&farm, None, tls::ALPN_AGENT))).await;
    assert!(words.contains("needs an agent's certificate"), "{words}");
    let words = refused(&farm, dial_rogue(&farm, rogue(&farm, None, tls::ALPN_OPERATOR))).await;
    assert!(words.contains("vc-operator/1"), "{words}");
}

#[tokio::test]
async fn operators_and_viewers_are_known_and_reach_their_own_protocol_only() {
    let farm = Farm::start();
    let endpoint = dialler(&farm);
    for (id, role) in [(1, Role::Operator), (2, Role::Viewer)] {
        let person = farm.member(id, role);
        let peer = welcomed(&farm, endpoint::dial(&endpoint, farm.address(), &person)).await;
        assert_eq!(peer, Peer::Operator(AgentId(id)));
        let (key, certificate) = pem_of(&person);
        for (alpn, needle) in [(tls::ALPN_JOIN, "has joined already"), (tls::ALPN_AGENT, "not for operators")]
        {
            let config = rogue(&farm, Some((&key, certificate.clone())), alpn);
            let words = refused(&farm, dial_rogue(&farm, config)).await;
            assert!(words.contains(needle), "{words}");
        }
    }
    farm.registry.revoke(AgentId(1));
    let (again, _) = farm.unregistered(1, Role::Operator);
    let words = refused(&farm, endpoint::dial(&endpoint, farm.address(), &again)).await;
    assert!(words.contains("does not know this identity"), "another key: {words}");
}

#[tokio::test]
async fn an_agents_certificate_reaches_its_own_protocol_only() {
    let farm = Farm::start();
    let (key, certificate) = pem_of(&farm.agent(1));
    for (alpn, needle) in [(tls::ALPN_JOIN, "has joined already"), (tls::ALPN_OPERATOR, "not for agents")] {
        let config = rogue(&farm, Some((&key, certificate.clone())), alpn);
        let words = refused(&farm, dial_rogue(&farm, config)).await;
        assert!(words.contains(needle), "{words}");
    }
    let config = rogue(&farm, Some((&key, certificate)), b"vc-agent/2");
    let words = refused(&farm, dial_rogue(&farm, config)).await;
    assert!(words.contains("does not speak this protocol"), "{words}");
}

#[tokio::test]
async fn the_consoles_own_certificate_is_no_agents() {
    let farm = Farm::start();
    let pem = std::fs::read_to_string(farm.dir.path().join("server.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let config = rogue(&farm, Some((&pem, certificate)), tls::ALPN_AGENT);
    let words = refused(&farm, dial_rogue(&farm, config)).await;
    assert!(words.contains("another purpose"), "{words}");
}

#[tokio::test]
async fn the_registry_decides_over_the_certificate() {
    let farm = Farm::start();
    let endpoint = dialler(&farm);
    let refused = async |identity: &Identity| {
        let words = refused(&farm, endpoint::dial(&endpoint, farm.address(), identity)).await;
        assert!(words.contains("does not know this identity"), "{words}");
    };
    let (unknown, key) = farm.unregistered(7, Role::Agent);
    refused(&unknown).await;
    let replaced = farm.agent(8);
    farm.registry.0.lock().unwrap().insert(AgentId(8), (Role::Agent, key, false));
    refused(&replaced).await;
    let (promoted, key) = farm.unregistered(9, Role::Operator);
    farm.registry.0.lock().unwrap().insert(AgentId(9), (Role::Viewer, key, false));
    refused(&promoted).await;
}

#[tokio::test]
async fn one_that_is_revoked_between_two_connections_does_not_come_back() {
    let farm = Farm::start();
    let (key, certificate) = pem_of(&farm.agent(1));
    // One configuration with resumption and early data as greedy as they come: tickets would be used.
    let mut roots = rustls::RootCertStore::empty();
    roots.add(farm.authority.certificate().clone()).unwrap();
    let mut greedy = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    greedy.alpn_protocols = vec![tls::ALPN_AGENT.to_vec()];
    greedy.enable_early_data = true;
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(greedy).unwrap()));
    assert_eq!(welcomed(&farm, dial_rogue(&farm, config.clone())).await, Peer::Agent(AgentId(1)));
    let name = format!("{}.vc.internal", farm.authority.farm());
    let early = dialler(&farm).connect_with(config.clone(), farm.address(), &name).unwrap().into_0rtt();
    let Err(connecting) = early else { panic!("early data was on offer") };
    drop(connecting);
    let _ = farm.meet().await;
    farm.registry.revoke(AgentId(1));
    let words = refused(&farm, dial_rogue(&farm, config)).await;
    assert!(words.contains("was revoked"), "{words}");
}

#[tokio::test]
async fn a_newcomer_trusts_the_pinned_authority_alone() {
    let (farm, other) = (Farm::start(), Farm::start());
    let endpoint = dialler(&farm);
    let (_, dialled) =
        tokio::join!(farm.meet(), endpoint::dial_join(&endpoint, farm.address(), other.authority.ca_pin()));
    let error = dialled.unwrap_err().to_string();
    let pins = [farm.authority.ca_pin(), other.authority.ca_pin()];
    assert!(pins.iter().all(|pin| error.contains(&pin.to_string())), "{error}");
}

#[tokio::test]
async fn a_newcomer_is_not_fooled_by_the_authoritys_certificate_beside_another_leaf() {
    // A relay can copy the CA's certificate into its own chain; its leaf is still not signed by it.
    let (farm, relay) = (Farm::start(), Farm::start());
    let pem = std::fs::read(relay.dir.path().join("server.pem")).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&pem).unwrap(), farm.authority.certificate().clone()];
    assert_not_trusted(&farm, chain, &pem).await;
    // Nor can an agent of the farm play its console.
    let (key, certificate) = pem_of(&farm.agent(1));
    let chain = vec![certificate, farm.authority.certificate().clone()];
    assert_not_trusted(&farm, chain, key.as_bytes()).await;
}

async fn assert_not_trusted(farm: &Farm, chain: Vec<CertificateDer<'static>>, key: &[u8]) {
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![tls::ALPN_JOIN.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config).unwrap()));
    let server = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = server.local_addr().unwrap();
    let endpoint = endpoint::dialler(address).unwrap();
    let (_, dialled) = tokio::join!(
        async { server.accept().await.unwrap().await },
        endpoint::dial_join(&endpoint, address, farm.authority.ca_pin())
    );
    assert!(matches!(dialled, Err(endpoint::DialError::Ended { .. })), "{dialled:?}");
}

#[tokio::test]
async fn a_taken_port_and_a_silent_one_are_told() {
    let farm = Farm::start();
    let again = endpoint::listen(farm.address(), &farm.authority, Arc::<Registry>::clone(&farm.registry));
    let error = again.unwrap_err().to_string();
    assert!(error.contains("is taken"), "{error}");
    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let dialled = endpoint::dial(&endpoint::dialler(address).unwrap(), address, &farm.agent(1)).await;
    assert!(matches!(dialled, Err(endpoint::DialError::NoAnswer(_))), "{dialled:?}");
}

#[tokio::test]
async fn a_restarted_console_is_noticed_at_once() {
    let farm = Farm::start();
    let ada = farm.agent(1);
    let first = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let endpoint = listen_in(&first, &farm);
    let address = endpoint.local_addr().unwrap();
    let accepting = endpoint.clone();
    let accepted = first.spawn(async move { accepting.accept().await.unwrap().await.unwrap() });
    let client = dialler(&farm);
    let connection = endpoint::dial(&client, address, &ada).await.unwrap();
    let accepted = accepted.await.unwrap();
    // Goes without a word, as a killed process does: what would say goodbye is gone before anything is let go.
    tokio::task::spawn_blocking(move || first.shutdown_timeout(PATIENCE)).await.unwrap();
    drop((accepted, endpoint));
    let restarted = tokio::time::timeout(PATIENCE, async {
        loop {
            match endpoint::listen(address, &farm.authority, Arc::<Registry>::clone(&farm.registry)) {
                Ok(endpoint) => break endpoint,
                // The old socket goes away with the last task of the stopped runtime.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    let _restarted = restarted.await.unwrap();
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    send.write_all(b"anybody there?").await.unwrap();
    // Far below the idle timeout of 20 s, which would end it as well.
    let reason = tokio::time::timeout(Duration::from_secs(8), connection.closed()).await.unwrap();
    assert!(matches!(reason, quinn::ConnectionError::Reset), "{reason}");
}

/// A console of this farm whose tasks all live in another runtime.
fn listen_in(runtime: &tokio::runtime::Runtime, farm: &Farm) -> Endpoint {
    let _inside = runtime.enter();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    endpoint::listen(loopback, &farm.authority, Arc::<Registry>::clone(&farm.registry)).unwrap()
}

#[test]
fn nothing_here_writes_session_keys_to_a_file() {
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("key_log") && !text.contains("SSLKEYLOGFILE"), "{}", path.display());
    }
}
