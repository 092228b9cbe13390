//! What operators ask of a farm of real programs, over the operator service: pause, hold, drain, stop.

use std::path::Path;

use vc_console::operator::client::{Client, ClientError, Target};
use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::job::JobState;
use vc_protocol::operator::filter::Test;
use vc_protocol::operator::{
    AgentAction, DeviceState, JobAction, JobFilter, RefusalCode, Request, Response, Selection, Snapshot,
    StopHow,
};
use vc_protocol::progress::Phase;
use vc_tests::media::{TINY, clip};
use vc_tests::{Agent, Console, LONG, Scratch, media_processes, need_ffmpeg, wait_until};

fn ask(console: &Console, request: &Request) -> Result<Response, (RefusalCode, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = Client::connect(&Target::Local(console.state().to_owned())).await.unwrap();
        match client.request(request).await {
            Ok(response) => Ok(response),
            Err(ClientError::Refused { code, message }) => Err((code, message)),
            Err(error) => panic!("{error:?}"),
        }
    })
}

fn snapshot(console: &Console) -> Snapshot {
    match ask(console, &Request::Snapshot) {
        Ok(Response::Snapshot(snapshot)) => *snapshot,
        other => panic!("{other:?}"),
    }
}

fn count(console: &Console, state: JobState) -> u64 {
    snapshot(console).totals.by_state[state as usize]
}

fn act(action: JobAction, jobs: Selection, expect: Option<u64>) -> Request {
    Request::Act { action, jobs, expect }
}

/// An agent that runs the first of two jobs and lets the second wait, both behind a gate.
fn busy(scratch: &Scratch, console: &Console) -> Agent {
    let mut ada = Agent::joined(scratch, "ada", console).with_fake();
    ada.fake().mode("gate");
    ada.run();
    console.wait_agents(1);
    for name in ["a.mp4", "b.mp4"] {
        clip(&scratch.join("in").join(name), TINY);
    }
    console.add(&scratch.join("in"), &scratch.join("out"));
    // Until it says so, the console takes it for one that waits.
    wait_until("the first one is known to run", LONG, || {
        let agents = snapshot(console).agents;
        let mut runs = agents.iter().flat_map(|agent| &agent.devices).flat_map(|device| &device.runs);
        runs.any(|run| run.progress.phase == Phase::Encoding)
    });
    ada
}

fn wait_nothing_encodes(folder: &Path) {
    wait_until("no encoder is left", LONG, || media_processes(folder).is_empty());
}

#[test]
fn a_server_that_is_stopped_at_once_takes_back_what_runs_and_has_it_ended() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let ada = busy(&scratch, &console);
    assert_eq!(ask(&console, &Request::Stop(StopHow::Now)), Ok(Response::Stopping));
    console.wait_end().expect_code(0);
    wait_nothing_encodes(scratch.path());
    ada.fake().open_gate();
    console.start_again();
    console.wait_agents(1);
    wait_until("both are done after all", LONG, || count(&console, JobState::Completed) == 2);
    let job = console.job(1);
    assert_eq!((&job["retries"], &job["attempts"][0]["attempt"]), (&0.into(), &2.into()), "{job}");
}

#[test]
fn a_server_that_is_drained_ends_when_what_runs_has_ended_unless_it_is_resumed() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    let ada = busy(&scratch, &console);
    assert_eq!(ask(&console, &Request::Stop(StopHow::Drain)), Ok(Response::Stopping));
    let paused = snapshot(&console).paused.expect("it says that nothing is handed out");
    assert!(paused.why.contains("ends when nothing runs"), "{paused:?}");
    wait_until("what waited is back", LONG, || count(&console, JobState::Pending) == 1);
    assert!(matches!(ask(&console, &Request::Resume), Ok(Response::Done(_))));
    assert_eq!(snapshot(&console).paused, None);
    assert_eq!(ask(&console, &Request::Stop(StopHow::Drain)), Ok(Response::Stopping));
    ada.fake().open_gate();
    console.wait_end().expect_code(0);
    console.start_again();
    wait_until("the other one is done after the restart", LONG, || count(&console, JobState::Completed) == 2);
}

#[test]
fn a_drained_agent_with_kill_is_empty_and_the_work_waits_for_it() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let ada = busy(&scratch, &console);
    let drain = AgentAction::Drain { device: None, kill: true };
    assert!(matches!(ask(&console, &Request::OnAgent(AgentId(1), drain)), Ok(Response::Done(_))));
    assert_eq!(count(&console, JobState::Pending), 2);
    wait_nothing_encodes(scratch.path());
    assert!(snapshot(&console).agents[0].drained);
    ada.fake().open_gate();
    let undrain = Request::OnAgent(AgentId(1), AgentAction::Undrain(None));
    assert!(matches!(ask(&console, &undrain), Ok(Response::Done(_))));
    wait_until("both are done", LONG, || count(&console, JobState::Completed) == 2);
}

fn cpu_of(console: &Console, agent: u32) -> DeviceState {
    let agents = snapshot(console).agents;
    agents.into_iter().find(|view| view.id == AgentId(agent)).unwrap().devices[0].state.clone()
}

#[test]
fn a_device_that_fails_job_after_job_is_kept_from_work_until_it_has_shown_that_it_works() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut ada = Agent::joined(&scratch, "ada", &console).with_fake();
    let mut bolt = Agent::joined(&scratch, "bolt", &console).with_fake();
    ada.fake().mode("enospc");
    bolt.fake().mode("gate");
    ada.run();
    bolt.run();
    console.wait_agents(2);
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        clip(&scratch.join("in").join(format!("{name}.mp4")), TINY);
    }
    console.add(&scratch.join("in"), &scratch.join("out"));
    wait_until("its device is quarantined", LONG, || {
        matches!(cpu_of(&console, 1), DeviceState::Quarantined { until_ms: Some(_), testing: false, .. })
    });
    let need = snapshot(&console).needs.into_iter().find(|need| need.kind == "device").unwrap();
    assert!(need.agent == Some(AgentId(1)) && need.text.contains("no space left on the disk"), "{need:?}");
    // What waited there may have begun before it was told to stop.
    let tried = ada.fake().encodes().len();
    assert!((3..=4).contains(&tried), "one broken box does not eat the queue: {tried}");

    ada.fake().mode("ok");
    let test = Request::OnAgent(AgentId(1), AgentAction::SelfTest(DeviceId(0)));
    assert!(matches!(ask(&console, &test), Ok(Response::Done(_))));
    wait_until("its device is as good as any", LONG, || cpu_of(&console, 1) == DeviceState::Ok);
    bolt.fake().open_gate();
    wait_until("everything is done", LONG, || count(&console, JobState::Completed) == 8);
    assert!(ada.fake().encodes().len() > tried);
}

#[test]
fn jobs_of_a_filter_are_acted_on_only_as_long_as_they_are_as_many_as_was_said() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    assert!(matches!(ask(&console, &Request::Pause), Ok(Response::Done(_))));
    for name in ["a.mp4", "b.mp4"] {
        clip(&scratch.join("in").join(name), TINY);
    }
    console.add(&scratch.join("in"), &scratch.join("out"));
    let all = || Selection::Filter(JobFilter::default());
    let (code, _) = ask(&console, &act(JobAction::Raise, all(), Some(3))).unwrap_err();
    assert_eq!(code, RefusalCode::Changed);
    // As only a hostile client says it.
    let endless = Selection::Filter(JobFilter { terms: vec![Test::Text("x".to_owned()).term(); 100_000] });
    let (code, _) = ask(&console, &act(JobAction::Raise, endless, None)).unwrap_err();
    assert_eq!(code, RefusalCode::Usage);
    for _ in 0..2 {
        let Ok(Response::Acted(acted)) = ask(&console, &act(JobAction::Raise, all(), Some(2))) else {
            panic!()
        };
        assert_eq!((acted.count, acted.left.len()), (2, 0));
    }
    assert_eq!(console.job(1)["priority"], 7, "raised once each time");
    let one = Selection::Ids(vec![JobId(1)]);
    assert!(ask(&console, &act(JobAction::Hold, one, None)).is_ok());
    assert_eq!((count(&console, JobState::Held), count(&console, JobState::Pending)), (1, 1));
}
