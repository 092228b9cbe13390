//! What operators order: held, prioritised, paused, drained, recalled; across restarts.

use vc_protocol::operator::{AgentState, DeviceState, RefusalCode};

use super::*;
use crate::engine::orders::Order;

async fn act(engine: &Engine, action: JobAction, job: u64) -> Result<(), String> {
    let acted = engine.handle.act(action, vec![JobId(job)], "ana").await.unwrap();
    acted.left.into_iter().next().map_or(Ok(()), |(_, why)| Err(why))
}

async fn order(engine: &Engine, order: Order) -> String {
    engine.handle.order(order, "ana").await.unwrap().unwrap()
}

#[tokio::test]
async fn jobs_are_held_released_and_prioritised_durably() {
    let bench = Bench::new(&["a.mov", "b.mov"]);
    let (store, engine) = bench.start();
    bench.add(&engine, &["a.mov", "b.mov"]).await.unwrap();
    assert_eq!(act(&engine, JobAction::Hold, 1).await, Ok(()));
    assert_eq!(act(&engine, JobAction::Hold, 1).await, Err("it is held already".to_owned()));
    assert_eq!(act(&engine, JobAction::Release, 2).await, Err("it is not held".to_owned()));
    assert_eq!(act(&engine, JobAction::Prioritise(Priority(8)), 2).await, Ok(()));
    assert_eq!(act(&engine, JobAction::Raise, 2).await, Ok(()));
    assert_eq!(act(&engine, JobAction::Raise, 2).await, Err("it has the highest priority".to_owned()));
    assert_eq!(act(&engine, JobAction::Lower, 1).await, Ok(()));
    let why = engine.handle.why(JobId(1)).await.unwrap().unwrap();
    assert_eq!(why.answer, "held by ana");
    stop(engine).await;
    drop(store);

    let (_store, engine) = bench.start();
    let page = engine.handle.page(JobFilter::default(), Sort::default(), 0, 9).await.unwrap();
    let rows: Vec<_> = page.rows.iter().map(|row| (row.id.0, row.state, row.priority.0)).collect();
    assert!(rows.contains(&(1, JobState::Held, 4)) && rows.contains(&(2, JobState::Pending, 9)), "{rows:?}");
    assert_eq!(act(&engine, JobAction::Release, 1).await, Ok(()));
    assert_eq!(act(&engine, JobAction::Cancel, 1).await, Ok(()));
    assert_eq!(act(&engine, JobAction::Hold, 1).await, Err("it is cancelled already".to_owned()));
    stop(engine).await;
}

#[tokio::test]
async fn a_paused_farm_stays_paused_over_a_restart_and_says_who_wanted_it() {
    let bench = Bench::new(&["a.mov"]);
    let (store, engine) = bench.start();
    order(&engine, Order::Pause).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    stop(engine).await;
    drop(store);

    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    ada.prove_all().await;
    let snapshot = engine.handle.snapshot().await.unwrap();
    assert_eq!(snapshot.paused.as_ref().map(|paused| paused.who.as_str()), Some("ana"));
    assert_eq!(snapshot.needs[0].text, "the farm is paused by ana");
    assert_eq!(snapshot.totals.by_state[JobState::Pending as usize], 1);
    let why = engine.handle.why(JobId(1)).await.unwrap().unwrap();
    assert_eq!(why.answer, "the farm is paused by ana");
    order(&engine, Order::Resume).await;
    assert!(matches!(ada.hear().await, Some(ToAgent::Offer(_))));
    stop(engine).await;
}

#[tokio::test]
async fn a_drained_agent_gets_nothing_and_one_that_nobody_knows_is_not_found() {
    let bench = Bench::new(&["a.mov"]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    let drain = |agent, device| Order::Drain { agent: AgentId(agent), device, kill: false };
    for (unknown, words) in
        [(drain(9, None), "there is no agent 9"), (drain(1, Some(DeviceId(3))), "ada has no device 3")]
    {
        let refusal = engine.handle.order(unknown, "ana").await.unwrap().unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (RefusalCode::NotFound, words));
    }
    order(&engine, drain(1, Some(DeviceId(0)))).await;
    order(&engine, drain(1, None)).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    ada.prove_all().await;
    let snapshot = engine.handle.snapshot().await.unwrap();
    let view = &snapshot.agents[0];
    assert_eq!((view.state, view.drained, view.empty_s), (AgentState::Draining, true, Some(0)));
    assert_eq!(view.devices[0].state, DeviceState::Draining);
    let why = engine.handle.why(JobId(1)).await.unwrap().unwrap();
    assert_eq!(why.devices, [("ada/cpu".to_owned(), "agent is drained".to_owned())]);
    order(&engine, Order::Undrain(AgentId(1), None)).await;
    order(&engine, Order::Undrain(AgentId(1), Some(DeviceId(0)))).await;
    assert!(matches!(ada.hear().await, Some(ToAgent::Offer(_))));
    stop(engine).await;
}

#[tokio::test]
async fn a_renamed_agent_is_found_by_its_new_name_everywhere() {
    let bench = Bench::new(&["a.mov"]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    ada.prove_all().await;
    assert!(matches!(ada.hear().await, Some(ToAgent::Offer(_))));
    order(&engine, Order::Renamed(AgentId(1), "eve".into())).await;
    assert_eq!(engine.handle.snapshot().await.unwrap().agents[0].name, "eve");
    let filter = vc_protocol::operator::filter::parse("agent:eve").unwrap();
    let page = engine.handle.page(filter, Sort::default(), 0, 9).await.unwrap();
    let places: Vec<_> = page.rows.iter().map(|row| row.place.as_str()).collect();
    assert_eq!(places, ["eve/cpu"]);
    stop(engine).await;
}

#[tokio::test]
async fn an_operator_has_a_device_tested_and_only_an_agent_that_is_there_can_do_it() {
    let bench = Bench::new(&[]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    assert!(matches!(ada.hear().await, Some(ToAgent::Welcome { .. })));
    order(&engine, Order::SelfTest(AgentId(1), DeviceId(0))).await;
    assert_eq!(ada.hear().await, Some(ToAgent::SelfTest(DeviceId(0))));
    ada.say(FromAgent::SelfTested(DeviceId(0), Ok(()))).await;
    let snapshot = engine.handle.snapshot().await.unwrap();
    let told: Vec<&str> = snapshot.recent.iter().map(|event| event.text.as_str()).collect();
    assert!(told[0].starts_with("ada/cpu passed its self-test"), "{told:?}");
    engine.sender.send(Input::Closed(ada.id, ada.session)).await.unwrap();
    let refusal = engine.handle.order(Order::SelfTest(AgentId(1), DeviceId(0)), "ana").await.unwrap();
    assert_eq!(refusal.unwrap_err().message, "ada is not connected");
    order(&engine, Order::Release(AgentId(1), DeviceId(0))).await;
    stop(engine).await;
}

#[tokio::test]
async fn a_job_can_be_cancelled_and_purged_while_its_agent_still_ends_the_attempt() {
    let bench = Bench::new(&["a.mov", "b.mov"]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    let offer = ada.hear_offer().await;
    assert_eq!(act(&engine, JobAction::Cancel, 1).await, Ok(()));
    assert_eq!(act(&engine, JobAction::Purge, 1).await, Ok(()));
    assert_eq!(ada.hear().await, Some(ToAgent::Cancel(offer.attempt)));
    ada.report(offer.attempt, Outcome::Stopped).await;
    assert_eq!(ada.hear().await, Some(ToAgent::Done(offer.attempt)));
    bench.add(&engine, &["b.mov"]).await.unwrap();
    assert_eq!(ada.hear_offer().await.attempt.job, JobId(2), "the farm works on");
    stop(engine).await;
}

#[tokio::test]
async fn a_job_that_is_purged_in_the_turn_that_offers_it_stops_nothing() {
    let bench = Bench::new(&["a.mov", "b.mov"]);
    let (_store, engine) = bench.start();
    order(&engine, Order::Pause).await;
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov", "b.mov"]).await.unwrap();
    ada.prove_all().await;
    assert_eq!(act(&engine, JobAction::Hold, 2).await, Ok(()));
    let one = |action| engine.handle.act(action, vec![JobId(1)], "ana");
    let resumed = engine.handle.order(Order::Resume, "ana");
    let (_, cancelled, purged) = tokio::join!(resumed, one(JobAction::Cancel), one(JobAction::Purge));
    assert_eq!((cancelled.unwrap().count, purged.unwrap().count), (1, 1));
    let (job, task, no) = (JobId(1), vc_protocol::id::TaskNo(0), vc_protocol::id::AttemptNo(1));
    ada.report(AttemptId { job, task, no }, Outcome::Stopped).await;
    while ada.hear().await != Some(ToAgent::Done(AttemptId { job, task, no })) {}
    assert_eq!(act(&engine, JobAction::Release, 2).await, Ok(()));
    assert_eq!(ada.hear_offer().await.attempt.job, JobId(2), "the farm works on");
    stop(engine).await;
}

#[tokio::test]
async fn a_recalled_farm_tells_agents_to_end_what_they_run_and_knows_when_they_have() {
    let bench = Bench::new(&["a.mov"]);
    let (store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    let offer = ada.hear_offer().await;
    ada.say(FromAgent::Progress(vec![(offer.attempt, Progress::start(Phase::Encoding))])).await;
    wait_for(&engine, JobState::Running, 1).await;
    order(&engine, Order::Recall).await;
    assert_eq!(store.tally().of(JobState::Pending), 1);
    let mut in_hand = engine.handle.in_hand();
    assert_eq!(*in_hand.borrow_and_update(), 1);
    assert_eq!(ada.hear().await, Some(ToAgent::Cancel(offer.attempt)));
    ada.report(offer.attempt, Outcome::Stopped).await;
    tokio::time::timeout(PATIENCE, in_hand.wait_for(|count| *count == 0)).await.unwrap().unwrap();
    stop(engine).await;
    drop(store);

    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    assert_eq!(ada.hear_offer().await.attempt.no.0, 2, "the farm works again after the restart");
    stop(engine).await;
}
