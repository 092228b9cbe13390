//! Joining a scripted console over real QUIC.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vc_certs::line::Secret;
use vc_certs::proof::{Binding, MacKey};
use vc_certs::tls::{Admission, NotAdmitted};
use vc_certs::wire::{self, Channel};
use vc_certs::{Authority, CaPin, Identity, JoinLine, KeyHash, endpoint};
use vc_protocol::id::AgentId;
use vc_protocol::join::{JoinAnswer, JoinRefusal, JoinRequest, Joined, TokenId};
use vc_protocol::operator::Role;

use super::{JoinError, join};

const PATIENCE: Duration = Duration::from_secs(20);

struct Nobody;

impl Admission for Nobody {
    fn admit(&self, _: Role, _: AgentId, _: KeyHash) -> Result<(), NotAdmitted> {
        Err(NotAdmitted::Unknown)
    }
}

struct Console {
    authority: Authority,
    endpoint: quinn::Endpoint,
    line: JoinLine,
    /// As what its token lets newcomers in.
    role: Role,
    dir: tempfile::TempDir,
}

impl Console {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&dir.path().join("ca")).unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let endpoint = endpoint::listen(loopback, &authority, Arc::new(Nobody)).unwrap();
        let addresses = vec!["no.such.host.invalid:1".to_owned(), endpoint.local_addr().unwrap().to_string()];
        let (pin, secret) = (authority.ca_pin(), Secret::generate().unwrap());
        let line = JoinLine { role: Role::Agent, addresses, pin, token: TokenId(7), secret };
        Console { authority, endpoint, line, role: Role::Agent, dir }
    }

    fn state_dir(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    /// Answers one newcomer, if its proof is right.
    async fn answer(&self, agent: u32, refusal: Option<JoinRefusal>) {
        let connection = self.endpoint.accept().await.unwrap().await.unwrap();
        let mut channel: Channel<JoinRequest> = wire::accept(&connection, "test").await.unwrap();
        let request = channel.reader.next().await.unwrap().unwrap();
        let key = MacKey::derive(&self.line.secret, self.line.token);
        assert!(key.verifies(&Binding::of(&connection).unwrap(), TokenId(7), &request.csr, &request.mac));
        let answer = match refusal {
            Some(why) => JoinAnswer::Refused(why),
            None => {
                let signed = self.authority.sign_member(&request.csr, self.role, AgentId(agent)).unwrap();
                JoinAnswer::Joined(Box::new(Joined {
                    farm: self.authority.farm(),
                    agent: AgentId(agent),
                    name: "ada".into(),
                    certificate: signed.certificate,
                    authorities: vec![signed.authority],
                    clock_ms: 0,
                }))
            }
        };
        channel.writer.send(&answer).await.unwrap();
        connection.closed().await;
    }

    async fn join(
        &self,
        agent: u32,
        refusal: Option<JoinRefusal>,
        force: bool,
    ) -> Result<Identity, JoinError> {
        let dir = self.state_dir();
        let both = async { tokio::join!(self.answer(agent, refusal), join(&self.line, &dir, force)).1 };
        tokio::time::timeout(PATIENCE, both).await.unwrap().map(|(identity, _)| identity)
    }
}

#[tokio::test]
async fn a_box_joins_once_and_again_only_by_force() {
    let console = Console::start();
    console.join(3, None, false).await.unwrap();
    let stored = Identity::load(&console.state_dir()).unwrap().unwrap();
    assert_eq!((stored.agent, stored.name.as_str()), (AgentId(3), "ada"));
    assert_eq!(stored.consoles[0], console.line.addresses[1], "the address that answered comes first");
    let again = join(&console.line, &console.state_dir(), false).await;
    assert!(matches!(again, Err(JoinError::AlreadyJoined { .. })));
    console.join(4, None, true).await.unwrap();
    assert_eq!(Identity::load(&console.state_dir()).unwrap().unwrap().agent, AgentId(4));
}

#[tokio::test]
async fn a_refusal_is_told_by_name_and_leaves_nothing() {
    let console = Console::start();
    for why in [JoinRefusal::UsedToken, JoinRefusal::ExpiredToken, JoinRefusal::UnknownToken] {
        let refused = console.join(3, Some(why), false).await;
        assert!(matches!(refused, Err(JoinError::Refused(told)) if told == why));
    }
    assert!(Identity::load(&console.state_dir()).unwrap().is_none());
}

#[tokio::test]
async fn a_console_with_another_pin_is_not_trusted() {
    let console = Console::start();
    let line = JoinLine { pin: CaPin([1; 32]), ..console.line.clone() };
    let dir = console.state_dir();
    let dialled = join(&line, &dir, false);
    // The handshake fails on both ends; the console has nobody to answer.
    let accepting = async { console.endpoint.accept().await.unwrap().await.map(|_| ()) };
    let (_, refused) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(accepting, dialled) }).await.unwrap();
    assert!(matches!(refused, Err(JoinError::Untrusted(_))), "{refused:?}");
}

#[tokio::test]
async fn the_line_of_an_operator_is_refused_by_name_before_it_is_used_up() {
    let mut console = Console::start();
    console.line.role = Role::Operator;
    let refused = join(&console.line, &console.state_dir(), false).await.unwrap_err();
    assert!(refused.to_string().contains("role of this token is operator"), "{refused}");
    // One that lies about its role gives no identity either.
    console.line.role = Role::Agent;
    console.role = Role::Operator;
    let refused = console.join(3, None, false).await;
    assert!(matches!(refused, Err(JoinError::Certs(_))), "{refused:?}");
    assert!(Identity::load(&console.state_dir()).unwrap().is_none());
}
