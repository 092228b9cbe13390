//! Certificates that renew themselves: a farm runs for months without a person.

use std::time::{SystemTime, UNIX_EPOCH};

use vc_certs::Identity;
use vc_tests::{Agent, Console, LONG, Person, Scratch, wait_for, wait_until};

/// Seconds that a member's certificate lives here instead of a month: several times what a program needs to start.
const LIFE_S: u32 = 12;

fn console(scratch: &Scratch) -> Console {
    Console::start_with(scratch, &[("VC_TEST_MEMBER_LIFE_S", &LIFE_S.to_string())])
}

fn identity(agent: &Agent) -> Identity {
    Identity::load(agent.state()).unwrap().expect("the agent has joined")
}

/// Waits until that second, since 1970, is over.
fn wait_after(second: i64) {
    wait_until("a certificate has aged", LONG, || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        i64::try_from(now).unwrap() > second
    });
}

fn renewals(console: &Console) -> usize {
    let events = console.json(["events"]);
    let events = events["events"].as_array().unwrap();
    let is_renewal = |text: &str| text.ends_with(" renewed its certificate (under a day)");
    events.iter().filter(|event| event["text"].as_str().is_some_and(is_renewal)).count()
}

#[test]
fn an_agent_renews_its_certificate_while_it_works_and_after_it_was_off_for_too_long() {
    let scratch = Scratch::new();
    let mut console = console(&scratch);
    let mut ada = Agent::joined(&scratch, "ada", &console).with_fake();
    let first = identity(&ada).expires_s;
    ada.run();
    console.wait_agents(1);
    wait_until("it has renewed twice", LONG, || renewals(&console) >= 2);
    let known = wait_for("the new identity is stored", LONG, || {
        let known = identity(&ada);
        (known.expires_s > first).then_some(known)
    });
    assert!(ada.process().runs() && console.process().runs());
    ada.kill();
    // The very last one may be a little newer.
    wait_after(identity(&ada).expires_s);
    assert!(identity(&ada).expires_s >= known.expires_s);
    let before = renewals(&console);
    ada.run();
    wait_until("it has renewed once more", LONG, || renewals(&console) > before);
    wait_until("it is welcome again", LONG, || ada.process().stderr().contains("connected agent="));
    assert!(ada.stop().stderr.contains("the certificate was renewed"));
}

#[test]
fn a_person_renews_by_using_the_farm_even_after_a_long_holiday() {
    let scratch = Scratch::new();
    let console = console(&scratch);
    let ana = Person::joined(&scratch, "ana", &console, "viewer");
    let mine = || {
        let farm = std::fs::read_dir(ana.identities()).unwrap().next().unwrap().unwrap().path();
        Identity::load(&farm).unwrap().unwrap()
    };
    let first = mine();
    wait_after(first.expires_s);
    ana.at(console.listen(), ["status"]).expect_code(0);
    let second = mine();
    assert!(second.expires_s > first.expires_s);
    wait_after((second.begins_s + second.expires_s) / 2);
    ana.at(console.listen(), ["status"]).expect_code(0);
    assert!(mine().expires_s > second.expires_s, "a use renews it before its end");
    ana.at(console.listen(), ["status"]).expect_code(0);
}
