use std::net::Ipv4Addr;
use std::time::Duration;

use vc_certs::{AgentKey, Identity, JoinLine};
use vc_protocol::join::TokenId;

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
        self.line_for(Role::Agent, uses)
    }

    fn line_for(&self, role: Role, uses: u16) -> JoinLine {
        let (ttl, addresses) = (Duration::from_millis(1_000), vec!["127.0.0.1:1".to_owned()]);
        let wish = TokenWish { role, uses, ttl, addresses, pin: self.authority.ca_pin() };
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
    let names: Vec<_> =
        world.registry.members().into_iter().map(|member| (member.id.0, member.name)).collect();
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
    assert_eq!(world.registry.members().len(), 1);
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
    assert_eq!(world.registry.members().len(), 1);
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
    let later = 1_000 + super::tokens::REMEMBER_EXPIRED_MS;
    let wish = TokenWish {
        role: Role::Agent,
        uses: 1,
        ttl: TTL_DEFAULT,
        addresses: vec!["a:1".into()],
        pin: line.pin,
    };
    world.registry.create_token(wish, later).unwrap();
    assert_eq!(key_of(&world), None);
    assert_eq!(refused(world.join(&good, 1, later)), JoinRefusal::UnknownToken);
}

#[test]
fn a_token_nobody_should_have_is_not_made() {
    let world = world();
    let good = TokenWish {
        role: Role::Agent,
        uses: 1,
        ttl: TTL_DEFAULT,
        addresses: vec!["a:1".into()],
        pin: world.authority.ca_pin(),
    };
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
    let admit = |world: &World, agent, key| world.registry.admit(Role::Agent, agent, key);
    assert_eq!(admit(&world, answer.agent, hash), Ok(()));
    assert_eq!(admit(&world, answer.agent, [0; 32]), Err(NotAdmitted::OtherKey));
    assert_eq!(admit(&world, AgentId(9), hash), Err(NotAdmitted::Unknown));
    world.registry.revoke(answer.agent, 5).unwrap();
    assert_eq!(world.registry.active(answer.agent), None);
    let world = world.reopened();
    assert_eq!(admit(&world, answer.agent, hash), Err(NotAdmitted::Revoked));
    assert!(matches!(world.registry.revoke(AgentId(9), 5), Err(RegistryError::Nobody(_))));
}

#[test]
fn an_operators_token_makes_operators_and_the_registry_knows_their_role() {
    let world = world();
    for (no, role) in [(1, Role::Operator), (2, Role::Viewer)] {
        let line = world.line_for(role, 1);
        assert_eq!(line.role, role);
        let key = AgentKey::generate().unwrap();
        let answer = joined(world.join(&request(&line, &key), 1, 0));
        assert_eq!(Identity::new(&key, &answer, &[]).unwrap().role, role);
        let hash = Authority::request_key(&key.request().unwrap()).unwrap();
        assert_eq!(world.registry.admit(role, answer.agent, hash), Ok(()));
        assert_eq!(world.registry.admit(Role::Agent, answer.agent, hash), Err(NotAdmitted::OtherRole));
        assert_eq!(world.registry.active(AgentId(no)).map(|member| member.role), Some(role));
    }
    let world = world.reopened();
    assert_eq!(world.registry.active(AgentId(2)).map(|member| member.role), Some(Role::Viewer));
}

#[test]
fn tokens_are_listed_while_they_let_somebody_in_and_can_be_taken_back() {
    let world = world();
    let (one, two) = (world.line(1), world.line_for(Role::Viewer, 2));
    let list = |now_ms| {
        let mut all: Vec<_> = world.registry.tokens(now_ms).unwrap();
        all.sort_by_key(|token| token.uses_left);
        all.iter().map(|token| (token.id, token.role, token.uses_left)).collect::<Vec<_>>()
    };
    assert_eq!(list(0), [(one.token, Role::Agent, 1), (two.token, Role::Viewer, 2)]);
    joined(world.join(&request(&one, &AgentKey::generate().unwrap()), 1, 0));
    assert_eq!(list(0), [(two.token, Role::Viewer, 2)], "a used one lets nobody in");
    assert_eq!(list(1_000), [], "nor does an expired one");
    assert!(world.registry.revoke_token(two.token).unwrap());
    assert!(!world.registry.revoke_token(two.token).unwrap());
    let late = request(&two, &AgentKey::generate().unwrap());
    assert_eq!(refused(world.join(&late, 1, 0)), JoinRefusal::UnknownToken);
}

#[test]
fn a_new_name_is_free_tame_and_lasts() {
    let world = world();
    let line = world.line(2);
    let ids: Vec<_> = (0..2)
        .map(|_| joined(world.join(&request(&line, &AgentKey::generate().unwrap()), 1, 0)).agent)
        .collect();
    assert_eq!(world.registry.rename(ids[1], "gpu.box").unwrap().name, "gpu.box");
    assert!(matches!(world.registry.rename(ids[1], "ada"), Err(RegistryError::Name(_))), "taken");
    assert!(matches!(world.registry.rename(ids[1], "a b"), Err(RegistryError::Name(_))));
    assert!(matches!(world.registry.rename(AgentId(9), "x"), Err(RegistryError::Nobody(_))));
    let world = world.reopened();
    assert_eq!(world.registry.active(ids[1]).unwrap().name, "gpu.box");
    world.registry.revoke(ids[0], 1).unwrap();
    assert!(matches!(world.registry.rename(ids[1], "ada"), Err(RegistryError::Name(_))), "history keeps it");
    assert!(matches!(world.registry.rename(ids[0], "bob"), Err(RegistryError::Nobody(_))), "it is gone");
}

/// Asks for a new certificate with this key shown; the new key, and what came of it.
fn renewal(world: &World, id: AgentId, shown: &AgentKey, new: &AgentKey) -> Result<Renewed, JoinRefusal> {
    world.registry.renew(&world.authority, id, hash(shown), &new.request().unwrap(), 0)
}

fn hash(key: &AgentKey) -> KeyHash {
    Authority::request_key(&key.request().unwrap()).unwrap()
}

#[test]
fn a_new_key_gets_in_beside_the_old_until_it_is_used_and_then_alone() {
    let world = world();
    let [old, new, newer] = [(); 3].map(|()| AgentKey::generate().unwrap());
    let id = joined(world.join(&request(&world.line(1), &old), 1, 0)).agent;
    let admit = |world: &World, key: &AgentKey| world.registry.admit(Role::Agent, id, hash(key));
    assert_eq!(admit(&world, &new), Err(NotAdmitted::OtherKey));
    let first = renewal(&world, id, &old, &new).unwrap();
    assert!(first.fresh);
    assert_eq!(Identity::new(&new, &first.joined, &[]).unwrap().agent, id);
    let world = world.reopened();
    let again = renewal(&world, id, &old, &new).unwrap();
    assert_eq!(again, Renewed { fresh: false, ..first }, "a lost answer is given again");
    assert_eq!((admit(&world, &old), admit(&world, &new)), (Ok(()), Ok(())));
    world.registry.used(id, hash(&old)).unwrap();
    assert_eq!(admit(&world, &new), Ok(()), "a session with the old key changes nothing");
    world.registry.used(id, hash(&new)).unwrap();
    let world = world.reopened();
    assert_eq!((admit(&world, &old), admit(&world, &new)), (Err(NotAdmitted::OtherKey), Ok(())));
    // A renewal is a use as well.
    renewal(&world, id, &new, &newer).unwrap();
    renewal(&world, id, &newer, &old).unwrap();
    let world = world.reopened();
    assert_eq!((admit(&world, &new), admit(&world, &newer)), (Err(NotAdmitted::OtherKey), Ok(())));
}

#[test]
fn a_new_key_that_was_lost_before_its_use_is_replaced_by_another() {
    let world = world();
    let [old, lost, new] = [(); 3].map(|()| AgentKey::generate().unwrap());
    let id = joined(world.join(&request(&world.line(1), &old), 1, 0)).agent;
    renewal(&world, id, &old, &lost).unwrap();
    assert!(renewal(&world, id, &old, &new).unwrap().fresh);
    let admit = |key: &AgentKey| world.registry.admit(Role::Agent, id, hash(key));
    assert_eq!((admit(&old), admit(&lost), admit(&new)), (Ok(()), Err(NotAdmitted::OtherKey), Ok(())));
}

#[test]
fn who_was_revoked_or_asks_for_nonsense_gets_no_new_certificate() {
    let world = world();
    let [old, new] = [(); 2].map(|()| AgentKey::generate().unwrap());
    let id = joined(world.join(&request(&world.line(1), &old), 1, 0)).agent;
    assert_eq!(renewal(&world, id, &old, &old), Err(JoinRefusal::BadRequest), "no new key");
    let nonsense = world.registry.renew(&world.authority, id, hash(&old), b"nonsense", 0);
    assert_eq!(nonsense, Err(JoinRefusal::BadRequest));
    renewal(&world, id, &old, &new).unwrap();
    world.registry.revoke(id, 5).unwrap();
    assert_eq!(renewal(&world, id, &old, &new), Err(JoinRefusal::NotStored));
    let world = world.reopened();
    for key in [&old, &new] {
        assert_eq!(world.registry.admit(Role::Agent, id, hash(key)), Err(NotAdmitted::Revoked));
    }
}
