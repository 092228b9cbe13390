use std::net::Ipv4Addr;

use vc_certs::{AgentKey, Identity};

use super::*;

struct World {
    dir: tempfile::TempDir,
    authority: Authority,
    registry: Registry,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(&dir.path().join("keys")).unwrap();
    let registry = Registry::open(Store::open(dir.path()).unwrap()).unwrap();
    World { dir, authority, registry }
}

impl World {
    fn line(&self, uses: u16) -> JoinLine {
        let addresses = vec!["127.0.0.1:1".to_owned()];
        let wish =
            TokenWish { uses, ttl: Duration::from_millis(1_000), addresses, pin: self.authority.ca_pin() };
        self.registry.create_token(wish, 0).unwrap()
    }

    fn join(&self, request: &JoinRequest, from: u8, now_ms: i64) -> JoinAnswer {
        let from = IpAddr::V4(Ipv4Addr::new(10, 0, 0, from));
        self.registry.join(&self.authority, request, &binding(), from, now_ms)
    }

    fn reopened(self) -> World {
        let World { dir, authority, registry } = self;
        drop(registry);
        let registry = Registry::open(Store::open(dir.path()).unwrap()).unwrap();
        World { dir, authority, registry }
    }
}

fn binding() -> Binding {
    Binding::from_bytes([7; 32])
}

fn request(line: &JoinLine, key: &AgentKey) -> JoinRequest {
    let csr = key.request().unwrap();
    let mac = MacKey::derive(&line.secret, line.token).prove(&binding(), line.token, &csr);
    JoinRequest { token: line.token, csr, mac, host: "Ada.example.org".into() }
}

fn wrong(line: &JoinLine) -> JoinRequest {
    JoinRequest { mac: [0; 32], ..request(line, &AgentKey::generate().unwrap()) }
}

fn joined(answer: JoinAnswer) -> Joined {
    match answer {
        JoinAnswer::Joined(joined) => *joined,
        JoinAnswer::Refused(why) => panic!("refused: {why}"),
    }
}

fn refused(answer: JoinAnswer) -> JoinRefusal {
    match answer {
        JoinAnswer::Refused(why) => why,
        JoinAnswer::Joined(_) => panic!("let in"),
    }
}

#[test]
fn a_newcomer_gets_a_number_a_name_and_a_certificate_that_last() {
    let world = world();
    let line = world.line(2);
    let keys = [AgentKey::generate().unwrap(), AgentKey::generate().unwrap()];
    let ada = joined(world.join(&request(&line, &keys[0]), 1, 0));
    let second = joined(world.join(&request(&line, &keys[1]), 1, 0));
    assert_eq!((ada.agent, ada.name.as_str()), (AgentId(1), "ada"));
    assert_eq!((second.agent, second.name.as_str()), (AgentId(2), "ada-2"));
    Identity::new(&keys[0], &ada, &[]).unwrap();
    let world = world.reopened();
    let names: Vec<_> = world.registry.agents().into_iter().map(|agent| (agent.id.0, agent.name)).collect();
    assert_eq!(names, [(1, "ada".to_owned()), (2, "ada-2".to_owned())]);
    let line = world.line(1);
    let third = joined(world.join(&request(&line, &AgentKey::generate().unwrap()), 1, 0));
    assert_eq!(third.agent, AgentId(3));
}

#[test]
fn a_lost_answer_is_given_again_without_a_second_use() {
    let world = world();
    let line = world.line(1);
    let key = AgentKey::generate().unwrap();
    let first = joined(world.join(&request(&line, &key), 1, 0));
    let world = world.reopened();
    assert_eq!(joined(world.join(&request(&line, &key), 1, 0)), first);
    assert_eq!(
        refused(world.join(&request(&line, &AgentKey::generate().unwrap()), 1, 0)),
        JoinRefusal::UsedToken
    );
    assert_eq!(world.registry.agents().len(), 1);
    world.registry.revoke(first.agent, 1).unwrap();
    assert_eq!(
        refused(world.join(&request(&line, &key), 1, 0)),
        JoinRefusal::UsedToken,
        "revoked is revoked"
    );
}

#[test]
fn each_refusal_has_its_name() {
    let world = world();
    let line = world.line(1);
    let key = AgentKey::generate().unwrap();
    let good = request(&line, &key);
    let unknown = JoinRequest { token: TokenId(line.token.0 ^ 1), ..good.clone() };
    assert_eq!(refused(world.join(&unknown, 1, 0)), JoinRefusal::UnknownToken);
    assert_eq!(refused(world.join(&wrong(&line), 1, 0)), JoinRefusal::WrongSecret);
    assert_eq!(refused(world.join(&good, 1, 1_000)), JoinRefusal::ExpiredToken);
    // A proof over another request, and a request that is none, with a proof that fits.
    let moved = JoinRequest { csr: AgentKey::generate().unwrap().request().unwrap(), ..good.clone() };
    assert_eq!(refused(world.join(&moved, 2, 0)), JoinRefusal::WrongSecret);
    let csr = b"nonsense".to_vec();
    let mac = MacKey::derive(&line.secret, line.token).prove(&binding(), line.token, &csr);
    let nonsense = JoinRequest { csr, mac, ..good.clone() };
    assert_eq!(refused(world.join(&nonsense, 2, 0)), JoinRefusal::BadRequest);
    assert_eq!(joined(world.join(&good, 2, 0)).agent, AgentId(1), "none of it cost the token");
}

#[test]
fn ten_wrong_proofs_burn_a_token_and_five_a_minute_silence_an_address() {
    let world = world();
    let line = world.line(1);
    for no in 0..5 {
        assert_eq!(refused(world.join(&wrong(&line), 1, no)), JoinRefusal::WrongSecret);
    }
    assert_eq!(refused(world.join(&wrong(&line), 1, 5)), JoinRefusal::TooManyTries);
    let good = request(&line, &AgentKey::generate().unwrap());
    assert_eq!(refused(world.join(&good, 1, 59_999)), JoinRefusal::TooManyTries);
    let world = world.reopened();
    for no in 0..5 {
        assert_eq!(refused(world.join(&wrong(&line), 2, no)), JoinRefusal::WrongSecret);
    }
    assert_eq!(refused(world.join(&good, 3, 5)), JoinRefusal::BurnedToken);
    assert_eq!(refused(world.reopened().join(&good, 3, 5)), JoinRefusal::BurnedToken);
}

#[test]
fn fifty_at_once_on_one_use_have_one_winner() {
    let world = world();
    let line = world.line(1);
    let requests: Vec<_> = (0..50).map(|_| request(&line, &AgentKey::generate().unwrap())).collect();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let run = |(no, request): (usize, &JoinRequest)| {
            let (world, request) = (&world, request.clone());
            scope.spawn(move || world.join(&request, no as u8, 0))
        };
        let threads: Vec<_> = requests.iter().enumerate().map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners = answers.iter().filter(|answer| matches!(answer, JoinAnswer::Joined(_))).count();
    assert_eq!(winners, 1);
    assert_eq!(world.registry.agents().len(), 1);
}

#[test]
fn an_expired_tokens_key_is_erased_and_its_name_forgotten_later() {
    let world = world();
    let line = world.line(1);
    let key_of = |world: &World| {
        let db = world.registry.store.db().unwrap();
        let txn = db.begin_write().unwrap();
        read_token(&txn, line.token).unwrap().map(|row| row.mac_key)
    };
    world.registry.sweep(999).unwrap();
    assert!(key_of(&world).unwrap().is_some());
    let world = world.reopened();
    world.registry.sweep(1_000).unwrap();
    assert_eq!(key_of(&world), Some(None));
    let good = request(&line, &AgentKey::generate().unwrap());
    assert_eq!(refused(world.join(&good, 1, 1_000)), JoinRefusal::ExpiredToken);
    let later = 1_000 + REMEMBER_EXPIRED_MS;
    let wish = TokenWish { uses: 1, ttl: TTL_DEFAULT, addresses: vec!["a:1".into()], pin: line.pin };
    world.registry.create_token(wish, later).unwrap();
    assert_eq!(key_of(&world), None);
    assert_eq!(refused(world.join(&good, 1, later)), JoinRefusal::UnknownToken);
}

#[test]
fn a_token_nobody_should_have_is_not_made() {
    let world = world();
    let good =
        TokenWish { uses: 1, ttl: TTL_DEFAULT, addresses: vec!["a:1".into()], pin: world.authority.ca_pin() };
    for bad in [
        TokenWish { uses: 0, ..good.clone() },
        TokenWish { uses: USES_MAX + 1, ..good.clone() },
        TokenWish { ttl: Duration::ZERO, ..good.clone() },
        TokenWish { ttl: TTL_MAX + Duration::from_secs(1), ..good.clone() },
        TokenWish { addresses: vec![], ..good.clone() },
    ] {
        assert!(matches!(world.registry.create_token(bad, 0), Err(RegistryError::Wish(_))));
    }
    assert!(world.registry.create_token(good, 0).is_ok());
}

#[test]
fn handshakes_are_judged_by_number_key_and_state() {
    let world = world();
    let line = world.line(1);
    let key = AgentKey::generate().unwrap();
    let answer = joined(world.join(&request(&line, &key), 1, 0));
    let hash = Authority::request_key(&key.request().unwrap()).unwrap();
    let admit = |world: &World, agent, key| world.registry.admit(agent, key);
    assert_eq!(admit(&world, answer.agent, hash), Ok(()));
    assert_eq!(admit(&world, answer.agent, [0; 32]), Err(NotAdmitted::OtherKey));
    assert_eq!(admit(&world, AgentId(9), hash), Err(NotAdmitted::Unknown));
    world.registry.revoke(answer.agent, 5).unwrap();
    assert_eq!(world.registry.active_name(answer.agent), None);
    let world = world.reopened();
    assert_eq!(admit(&world, answer.agent, hash), Err(NotAdmitted::Revoked));
    assert!(matches!(world.registry.revoke(AgentId(9), 5), Err(RegistryError::NoAgent(_))));
}
