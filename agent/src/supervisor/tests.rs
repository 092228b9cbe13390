use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use vc_protocol::agent::{Disposition, FromAgent, Held, LiveLog, Outcome, Report, ToAgent};
use vc_protocol::device::GpuFacts;
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, AttemptId, DeviceId};
use vc_protocol::profile::VideoCodec;
use vc_protocol::progress::Phase;

use super::box_view::BoxView;
use super::slots::cpu_device;
use super::testing::Fake;
use super::work::Work;
use super::{Call, Supervisor};
use crate::device::{Card, Gpu};
use crate::encoder::{ENCODERS, Route};
use crate::journal::{Journal, Record};
use crate::session::state::testing::{attempt, ended, offer, proven};
use crate::state_dir::StateDir;
use crate::task;

struct Bench {
    calls: mpsc::Sender<Call>,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
    journal: Arc<Journal>,
    dir: tempfile::TempDir,
    state: StateDir,
}

impl Bench {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap())
    }

    fn start_in(dir: tempfile::TempDir) -> Self {
        let state = StateDir::open(dir.path()).unwrap();
        let (journal, left) = Journal::open(&state.spool()).unwrap();
        let journal = Arc::new(journal);
        let work = Fake::new();
        let processor = cpu_device(Some(1), work.proved().codecs(DeviceId(0)));
        let own = BoxView::new(&state, processor, Some(2), work.proved().clone());
        let supervisor =
            Supervisor::new((AgentId(1), "ada".into()), Arc::new(work), journal.clone(), left, own);
        let (calls, theirs) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let ended = task::spawn("supervisor", supervisor.run(theirs, stop.clone()));
        Bench { calls, stop, ended, journal, dir, state }
    }

    async fn inventory(&self) -> Vec<Held> {
        let (ask, answer) = oneshot::channel();
        self.calls.send(Call::Inventory(ask)).await.unwrap();
        answer.await.unwrap().held
    }

    async fn connect(&self, inventory: Vec<(AttemptId, Disposition)>) -> mpsc::Receiver<FromAgent> {
        self.inventory().await;
        let (outbox, sent) = mpsc::channel(64);
        let welcome = ToAgent::Welcome { agent: AgentId(1), name: "ada".into(), inventory };
        self.calls.send(Call::Up { welcome, address: "here".into(), outbox }).await.unwrap();
        sent
    }

    async fn offer(&self, job: u64, source: &str) {
        let mut offer = offer(job);
        offer.source = source.into();
        self.say(ToAgent::Offer(offer)).await;
    }

    async fn say(&self, message: ToAgent) {
        self.calls.send(Call::Said(message)).await.unwrap();
    }

    /// Ends without a word, as a crash does, and starts again on the same folder.
    async fn crash(self) -> Bench {
        self.ended.abort();
        let _ = self.ended.await;
        self.journal.close();
        drop(self.state);
        Self::start_in(self.dir)
    }
}

/// The next message that is no heartbeat, progress or fact.
async fn next(sent: &mut mpsc::Receiver<FromAgent>) -> FromAgent {
    let wanted = async {
        loop {
            let message = sent.recv().await.expect("the session was given up");
            if !matches!(message, FromAgent::Heartbeat(_) | FromAgent::Progress(_) | FromAgent::Facts(_)) {
                return message;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wanted).await.expect("nothing was said")
}

#[tokio::test]
async fn an_attempt_runs_is_granted_and_is_forgotten_when_acknowledged() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.offer(1, "a.mkv").await;
    assert_eq!(next(&mut sent).await, FromAgent::AskCommit(attempt(1), proven(1)));
    bench.say(ToAgent::Granted(attempt(1))).await;
    assert_eq!(next(&mut sent).await, FromAgent::Report(Box::new(ended(attempt(1)))));
    bench.say(ToAgent::Done(attempt(1))).await;
    assert_eq!(bench.inventory().await, vec![]);
    assert!(bench.crash().await.inventory().await.is_empty());
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_the_slot_goes_on() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.offer(1, "panic").await;
    let FromAgent::Report(report) = next(&mut sent).await else { panic!("no report") };
    assert!(matches!(report.outcome, Outcome::Failed(ref f) if f.class == FailureClass::Job));
    bench.offer(2, "a.mkv").await;
    assert_eq!(next(&mut sent).await, FromAgent::AskCommit(attempt(2), proven(2)));
}

#[tokio::test]
async fn a_granted_wait_survives_a_lost_session() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.offer(1, "a.mkv").await;
    assert_eq!(next(&mut sent).await, FromAgent::AskCommit(attempt(1), proven(1)));
    bench.calls.send(Call::Down("cut".into())).await.unwrap();
    assert_eq!(bench.inventory().await, vec![Held::Proven(attempt(1), proven(1))]);
    let mut sent = bench.connect(vec![(attempt(1), Disposition::Commit)]).await;
    assert_eq!(next(&mut sent).await, FromAgent::Report(Box::new(ended(attempt(1)))));
}

#[tokio::test]
async fn a_proven_result_outlives_the_process_and_is_finished_by_the_next() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.offer(1, "a.mkv").await;
    assert_eq!(next(&mut sent).await, FromAgent::AskCommit(attempt(1), proven(1)));
    let bench = bench.crash().await;
    assert_eq!(bench.inventory().await, vec![Held::Proven(attempt(1), proven(1))]);
    let mut sent = bench.connect(vec![(attempt(1), Disposition::Commit)]).await;
    assert_eq!(next(&mut sent).await, FromAgent::Report(Box::new(ended(attempt(1)))));
}

#[tokio::test]
async fn a_running_attempt_shows_its_log_and_ends_by_cancel() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.offer(1, "hang").await;
    bench.say(ToAgent::WantLog(attempt(1))).await;
    assert_eq!(next(&mut sent).await, FromAgent::Log(attempt(1), LiveLog::default()));
    bench.say(ToAgent::Cancel(attempt(1))).await;
    let stopped = FromAgent::Report(Box::new(Report::blank(attempt(1), Outcome::Stopped)));
    assert_eq!(next(&mut sent).await, stopped);
}

#[tokio::test]
async fn stopping_without_a_console_leaves_a_proven_result_to_the_next_process() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.offer(1, "a.mkv").await;
    assert_eq!(next(&mut sent).await, FromAgent::AskCommit(attempt(1), proven(1)));
    bench.calls.send(Call::Down("cut".into())).await.unwrap();
    bench.stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), bench.ended).await.unwrap().unwrap();
    bench.journal.close();
    let (_, left) = Journal::open(&bench.dir.path().join("spool")).unwrap();
    let draft = Box::new(ended(attempt(1)));
    assert_eq!(left, vec![Record::Proven { offer: offer(1), draft, proven: proven(1) }]);
}

#[tokio::test]
async fn stopping_hands_everything_back_and_ends_when_acknowledged() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.offer(1, "hang").await;
    bench.inventory().await;
    bench.stop.cancel();
    assert_eq!(next(&mut sent).await, FromAgent::Draining);
    assert!(matches!(next(&mut sent).await, FromAgent::Report(_)));
    bench.say(ToAgent::Done(attempt(1))).await;
    tokio::time::timeout(Duration::from_secs(2), bench.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn stopping_without_a_console_leaves_the_reports_in_the_journal() {
    let bench = Bench::start();
    let sent = bench.connect(vec![]).await;
    bench.offer(1, "hang").await;
    bench.calls.send(Call::Down("cut".into())).await.unwrap();
    drop(sent);
    bench.inventory().await;
    bench.stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), bench.ended).await.unwrap().unwrap();
    bench.journal.close();
    let (_, left) = Journal::open(&bench.dir.path().join("spool")).unwrap();
    assert_eq!(left, vec![Record::Ended(Box::new(Report::blank(attempt(1), Outcome::Stopped)))]);
}

/// The next message of that kind.
async fn next_that(sent: &mut mpsc::Receiver<FromAgent>, is_it: impl Fn(&FromAgent) -> bool) -> FromAgent {
    let wanted = async {
        loop {
            let message = sent.recv().await.expect("the session was given up");
            if is_it(&message) {
                return message;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wanted).await.expect("nothing was said")
}

#[tokio::test]
async fn an_encoder_that_no_longer_passes_fails_the_test_of_its_device_and_costs_its_codec() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.say(ToAgent::SelfTest(DeviceId(0))).await;
    assert_eq!(next(&mut sent).await, FromAgent::SelfTested(DeviceId(0), Ok(())));
    bench.say(ToAgent::SelfTest(DeviceId(0))).await;
    let FromAgent::Devices(devices) = next(&mut sent).await else { panic!("a codec less is told") };
    assert!(!devices[0].codecs.contains(&VideoCodec::Prores), "{devices:?}");
    let verdict = Err("prores_ks makes garbage".to_owned());
    assert_eq!(next(&mut sent).await, FromAgent::SelfTested(DeviceId(0), verdict));
    let Some(FromAgent::Facts(facts)) = sent.recv().await else { panic!("facts follow a test") };
    assert!(facts.devices[0].encoders.iter().any(|encoder| encoder.problem == "makes garbage"));
    bench.say(ToAgent::SelfTest(DeviceId(7))).await;
    let verdict = Err("it has no encoder".to_owned());
    assert_eq!(next(&mut sent).await, FromAgent::SelfTested(DeviceId(7), verdict));
}

/// A card on no bus.
fn card() -> Card {
    let gpu = Gpu {
        pci: None,
        name: "Card".into(),
        vulkan: vec![0],
        render_node: None,
        nvidia: None,
        encodes: Vec::new(),
        is_software: false,
    };
    Card { key: "card#1".into(), gpu, facts: GpuFacts::default() }
}

#[tokio::test]
async fn a_card_that_is_found_late_is_offered_at_once_and_used_once_it_is_proved() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.calls.send(Call::Cards(vec![card()])).await.unwrap();
    let FromAgent::Devices(found) = next(&mut sent).await else { panic!("a card more is told") };
    assert_eq!((found.len(), found[1].id, found[1].slots, found[1].codecs.len()), (2, DeviceId(1), 0, 0));
    if !ENCODERS.iter().any(|row| row.route != Route::Cpu) {
        return println!("skipped: the table has no encoder of a card");
    }
    let FromAgent::Devices(proved) = next(&mut sent).await else { panic!("its codecs are told") };
    assert_eq!(proved[1].slots, 2);
    let is_facts = |message: &FromAgent| matches!(message, FromAgent::Facts(_));
    bench.say(ToAgent::WantFacts).await;
    let FromAgent::Facts(facts) = next_that(&mut sent, is_facts).await else { panic!() };
    assert!(facts.devices[1].gpu.is_some() && facts.devices[0].gpu.is_none());
    let mut offer = offer(1);
    offer.device = DeviceId(1);
    bench.say(ToAgent::Offer(offer)).await;
    assert_eq!(next(&mut sent).await, FromAgent::AskCommit(attempt(1), proven(1)));
}

#[tokio::test]
async fn a_refused_session_closes_a_slot_before_the_refusal_is_told() {
    let bench = Bench::start();
    let mut sent = bench.connect(vec![]).await;
    bench.calls.send(Call::Cards(vec![card()])).await.unwrap();
    let slots = |slots: u16| move |m: &FromAgent| matches!(m, FromAgent::Devices(d) if d[1].slots == slots);
    next_that(&mut sent, slots(2)).await;
    for (job, source) in [(1, "hang"), (2, "refused")] {
        let mut offer = offer(job);
        (offer.device, offer.source) = (DeviceId(1), source.into());
        bench.say(ToAgent::Offer(offer)).await;
        // Until the first one is at work.
        while job == 1
            && !matches!(bench.inventory().await[0], Held::Running(_, p) if p.phase == Phase::Encoding)
        {
            tokio::task::yield_now().await;
        }
    }
    let FromAgent::Devices(devices) = next(&mut sent).await else { panic!("fewer slots are told first") };
    assert_eq!(devices[1].slots, 1);
    let FromAgent::Report(report) = next(&mut sent).await else { panic!("no report") };
    assert!(matches!(report.outcome, Outcome::Failed(ref f) if f.class == FailureClass::Capacity));
}

#[tokio::test]
async fn a_console_that_does_not_read_loses_its_session_and_nothing_else() {
    let bench = Bench::start();
    bench.inventory().await;
    let (outbox, _unread) = mpsc::channel(1);
    let welcome = ToAgent::Welcome { agent: AgentId(1), name: "ada".into(), inventory: vec![] };
    bench.calls.send(Call::Up { welcome, address: "here".into(), outbox }).await.unwrap();
    bench.offer(1, "hang").await;
    for job in 2..5 {
        bench.say(ToAgent::Cancel(attempt(job))).await;
    }
    assert_eq!(bench.inventory().await.len(), 1);
    let mut sent = bench.connect(vec![(attempt(1), Disposition::Continue)]).await;
    bench.say(ToAgent::Cancel(attempt(1))).await;
    assert!(matches!(next(&mut sent).await, FromAgent::Report(_)));
}

#[tokio::test]
async fn every_folder_is_answered_however_many_are_asked_about_at_once() {
    let bench = Bench::start();
    bench.inventory().await;
    let (outbox, mut sent) = mpsc::channel(256);
    let welcome = ToAgent::Welcome { agent: AgentId(1), name: "ada".into(), inventory: Vec::new() };
    bench.calls.send(Call::Up { welcome, address: "here".into(), outbox }).await.unwrap();
    for root in 0..100 {
        let challenge = vc_protocol::prove::Challenge {
            root: vc_protocol::id::RootId(root),
            path: "/media".into(),
            writable: false,
            key: [7; 32],
            ranges: Vec::new(),
        };
        bench.say(ToAgent::Prove(Box::new(challenge))).await;
    }
    for _ in 0..100 {
        let FromAgent::Proof(_, answer) = next(&mut sent).await else { panic!("no answer") };
        assert_eq!(answer, Ok([7; 32]));
    }
}
