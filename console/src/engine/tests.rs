//! The engine with the real farm core and a real store; agents are played through their end of a session.

use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use tokio::sync::mpsc;
use vc_protocol::agent::{
    AgentHello, Disposition, FromAgent, Held, LiveLog, Outcome, Proven, Report, ToAgent,
};
use vc_protocol::device::{Device, DeviceKind};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AttemptId, DeviceId, JobId, SessionNo};
use vc_protocol::job::{FileStamp, JobState, Offer, Priority};
use vc_protocol::operator::{JobAction, JobFilter, ScanCounts, Snapshot, Sort};
use vc_protocol::profile::{AudioCodec, AudioWish, Container, NamedProfile, Profile, VideoCodec, VideoWish};
use vc_protocol::progress::{Phase, Progress};
use vc_protocol::prove::{Challenge, proof};

use super::handle::{AddWish, CallError, WithLog};
use super::input::{Input, Opened, SessionLink};
use super::*;
use crate::store::Candidate;

/// Far above what a step takes, so that only a hang fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn profile() -> NamedProfile {
    let video = VideoWish { crf: Some(20), ..VideoWish::of(VideoCodec::H264) };
    let profile = Profile::of(Container::Mp4, video, AudioWish { codec: AudioCodec::Aac, bitrate: None });
    NamedProfile { name: "h264".into(), profile }
}

/// A state folder, a folder of sources and one for outputs.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(sources: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["state", "in", "out"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for (n, name) in sources.iter().enumerate() {
            std::fs::write(dir.path().join("in").join(name), format!("video {name}").repeat(n + 1)).unwrap();
        }
        Bench { dir }
    }

    fn path(&self, name: &str) -> FilePath {
        FilePath(self.dir.path().join(name).as_os_str().as_bytes().to_vec())
    }

    fn start(&self) -> (Store, Engine) {
        let store = Store::open(&self.dir.path().join("state")).unwrap();
        let engine = Engine::start(EngineConfig::default(), store.clone()).unwrap();
        (store, engine)
    }

    async fn add(&self, engine: &Engine, names: &[&str]) -> Result<ScanCounts, CallError> {
        let wish = AddWish {
            source_root: self.path("in"),
            output_root: self.path("out"),
            profile: profile(),
            priority: Priority::DEFAULT,
        };
        let session = engine.handle.begin_add(wish, false).await?;
        let candidates = names.iter().map(|name| Candidate {
            path: FilePath::from(*name),
            output: FilePath(format!("{name}.mp4").into_bytes()),
            stamp: FileStamp { size: 100, mtime_ns: 1 },
        });
        Ok(engine.handle.add(&session, candidates.collect()).await?.counts)
    }
}

/// An agent as the engine sees it.
struct Player {
    engine: EngineSender,
    id: AgentId,
    session: SessionNo,
    inbox: mpsc::Receiver<ToAgent>,
}

impl Player {
    async fn connect(engine: &Engine, session: u64, inventory: Vec<Held>) -> Player {
        let (queue, inbox) = mpsc::channel(64);
        let (id, session) = (AgentId(1), SessionNo(session));
        let codecs = vec![VideoCodec::H264];
        let device = Device { id: DeviceId(0), kind: DeviceKind::Cpu, name: "cpu".into(), slots: 1, codecs };
        let hello = AgentHello {
            instance: 7,
            host: "box".into(),
            version: "0.1.0".into(),
            ffmpeg: "ffmpeg 8".into(),
            devices: vec![device],
            inventory,
        };
        let address = ([127, 0, 0, 1], 9).into();
        let link = SessionLink::from_channel(queue);
        let opened = Opened { agent: id, session, name: "ada".into(), address, hello, link };
        engine.sender.send(Input::Opened(opened)).await.unwrap();
        Player { engine: engine.sender.clone(), id, session, inbox }
    }

    async fn say(&self, message: FromAgent) {
        self.engine.send(Input::FromAgent(self.id, self.session, message)).await.unwrap();
    }

    /// The next message that is not a challenge; those are answered as an agent does that sees the folders.
    async fn hear(&mut self) -> Option<ToAgent> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.inbox.recv()).await.expect("no message came");
            match message {
                Some(ToAgent::Prove(challenge)) => {
                    let answer = answer(&challenge);
                    self.say(FromAgent::Proof(challenge.root, Ok(answer))).await;
                }
                other => return other,
            }
        }
    }

    /// Answers the challenges for both folders, and nothing else.
    async fn prove_all(&mut self) {
        let mut left = 2;
        while left > 0 {
            let message = tokio::time::timeout(PATIENCE, self.inbox.recv()).await.expect("no challenge came");
            if let Some(ToAgent::Prove(challenge)) = message {
                self.say(FromAgent::Proof(challenge.root, Ok(answer(&challenge)))).await;
                left -= 1;
            }
        }
    }

    async fn hear_offer(&mut self) -> Offer {
        loop {
            match self.hear().await {
                Some(ToAgent::Offer(offer)) => return *offer,
                Some(ToAgent::Welcome { .. }) => {}
                other => panic!("expected an offer, heard {other:?}"),
            }
        }
    }

    async fn ask_commit(&mut self, attempt: AttemptId, proven: &Proven) {
        self.say(FromAgent::AskCommit(attempt, proven.clone())).await;
        assert_eq!(self.hear().await, Some(ToAgent::Granted(attempt)));
    }

    async fn report(&mut self, attempt: AttemptId, outcome: Outcome) {
        let report = Report {
            encoder: "libx264".into(),
            warnings: vec!["one subtitle left out".into()],
            log: "done".into(),
            wall_ms: 10,
            media_ms: 1_000,
            bytes_in: 100,
            bytes_out: 50,
            ..Report::blank(attempt, outcome)
        };
        self.say(FromAgent::Report(Box::new(report))).await;
    }
}

fn answer(challenge: &Challenge) -> [u8; 32] {
    let read = |range: &vc_protocol::prove::Range| {
        let bytes = std::fs::read(local(&challenge.path.join(&range.file))).unwrap();
        bytes[range.offset as usize..][..range.len as usize].to_vec()
    };
    let pieces: Vec<Vec<u8>> = challenge.ranges.iter().map(read).collect();
    proof(&challenge.key, pieces.iter().map(Vec::as_slice))
}

fn proven(offer: &Offer, content: &[u8]) -> Proven {
    let part = FilePath(format!("{}.{}.x.part.mp4", offer.attempt.job, offer.attempt.no).into_bytes());
    Proven { part, hash: *blake3::hash(content).as_bytes(), size: content.len() as u64 }
}

async fn wait_for(engine: &Engine, state: JobState, count: u64) {
    let mut tally = engine.handle.tally();
    let reached = tally.wait_for(|tally| tally.of(state) == count);
    tokio::time::timeout(PATIENCE, reached).await.expect("state not reached").unwrap();
}

async fn stop(engine: Engine) {
    engine.handle.stop().await;
    tokio::task::spawn_blocking(|| engine.thread.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_job_goes_all_the_way_and_no_probe_file_stays() {
    let bench = Bench::new(&["a.mov", "b.mov"]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    assert_eq!(bench.add(&engine, &["a.mov"]).await.unwrap().added, 1);
    let offer = ada.hear_offer().await;
    assert_eq!(offer.source, FilePath::from("a.mov"));
    assert_eq!(offer.output_root.1, bench.path("out"));
    ada.say(FromAgent::Progress(vec![(
        offer.attempt,
        Progress { permille: 500, speed: 2.0, ..Progress::start(Phase::Encoding) },
    )]))
    .await;
    wait_for(&engine, JobState::Running, 1).await;
    let page = engine.handle.page(JobFilter::default(), Sort::default(), 0, 10).await.unwrap();
    assert_eq!(page.rows[0].place, "ada/cpu");
    assert_eq!(page.rows[0].progress.unwrap().permille, 500);
    let snapshot = engine.handle.snapshot().await.unwrap();
    assert_eq!((snapshot.totals.permille, snapshot.totals.speed), (500, 2.0));
    assert_eq!(snapshot.agents[0].devices[0].runs[0].source, FilePath::from("a.mov"));
    let why = engine.handle.why(offer.attempt.job).await.unwrap().unwrap();
    assert_eq!(why.answer, "it runs on ada/cpu as attempt 1");
    let output = proven(&offer, b"output");
    let handle = engine.handle.clone();
    let look = || handle.detail(offer.attempt.job, WithLog::Yes);
    // Two look at once; the agent is asked once for both, unless one was answered before the other came.
    let looks = async { tokio::join!(look(), look()) };
    tokio::pin!(looks);
    let (detail, _) = loop {
        tokio::select! {
            done = &mut looks => break done,
            heard = ada.hear() => {
                assert_eq!(heard, Some(ToAgent::WantLog(offer.attempt)));
                let log = LiveLog { log: "frame=1".into(), ..LiveLog::default() };
                ada.say(FromAgent::Log(offer.attempt, log)).await;
            }
        }
    };
    assert_eq!(detail.unwrap().unwrap().attempts[0].log, "frame=1");
    ada.ask_commit(offer.attempt, &output).await;
    ada.report(offer.attempt, Outcome::Committed(output)).await;
    assert_eq!(ada.hear().await, Some(ToAgent::Done(offer.attempt)));
    wait_for(&engine, JobState::Completed, 1).await;
    let detail = engine.handle.detail(offer.attempt.job, WithLog::Yes).await.unwrap().unwrap();
    assert_eq!((detail.encoder.as_str(), detail.attempts[0].log.as_str()), ("libx264", "done"));
    assert_eq!(detail.warnings.len(), 1);
    stop(engine).await;
    let left: Vec<_> = std::fs::read_dir(bench.dir.path().join("out")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_result_that_was_proven_while_the_console_was_away_is_taken() {
    let bench = Bench::new(&["a.mov"]);
    let (store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    let offer = ada.hear_offer().await;
    stop(engine).await;
    drop((ada, store));
    let (_store, engine) = bench.start();
    let output = proven(&offer, b"output");
    let held = vec![Held::Proven(offer.attempt, output.clone())];
    let mut ada = Player::connect(&engine, 1, held).await;
    match ada.hear().await {
        Some(ToAgent::Welcome { inventory, .. }) => {
            assert_eq!(inventory, [(offer.attempt, Disposition::Commit)]);
        }
        other => panic!("{other:?}"),
    }
    ada.report(offer.attempt, Outcome::Committed(output)).await;
    assert_eq!(ada.hear().await, Some(ToAgent::Done(offer.attempt)));
    wait_for(&engine, JobState::Completed, 1).await;
    stop(engine).await;
}

#[tokio::test]
async fn a_commit_that_fails_halts_the_farm_until_the_disk_takes_writes_again() {
    let bench = Bench::new(&["a.mov", "b.mov"]);
    let (store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    let offer = ada.hear_offer().await;
    store.fail_next_commit();
    ada.say(FromAgent::AskCommit(offer.attempt, proven(&offer, b"output"))).await;
    assert_eq!(ada.hear().await, None, "the session ends and nothing is granted");
    let halted = engine.handle.snapshot().await.unwrap();
    assert!(halted.halted.as_ref().is_some_and(|why| why.contains("written")), "{:?}", halted.halted);
    assert_eq!(halted.needs[0].kind, "store");
    let roots = store.roots();
    let wish = AddWish {
        source_root: bench.path("elsewhere"),
        output_root: bench.path("out"),
        profile: profile(),
        priority: Priority::DEFAULT,
    };
    assert!(matches!(engine.handle.begin_add(wish, false).await, Err(CallError::Halted(_))));
    assert_eq!(store.roots(), roots, "nothing is written while it is halted");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while engine.handle.snapshot().await.unwrap().halted.is_some() {
        assert!(tokio::time::Instant::now() < deadline, "not mended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bench.add(&engine, &["b.mov"]).await.unwrap().added, 1);
    // The grant never happened; the agent asks again as it comes back.
    let held = vec![Held::Proven(offer.attempt, proven(&offer, b"output"))];
    let mut ada = Player::connect(&engine, 2, held).await;
    assert!(matches!(ada.hear().await, Some(ToAgent::Welcome { inventory, .. })
        if inventory == [(offer.attempt, Disposition::Commit)]));
    stop(engine).await;
}

#[tokio::test]
async fn an_output_whose_holder_gave_up_after_the_grant_is_finished_for_it() {
    let bench = Bench::new(&["a.mov"]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    let offer = ada.hear_offer().await;
    let output = proven(&offer, b"output");
    let temp = bench.dir.path().join("out/.vc-tmp");
    std::fs::create_dir(&temp).unwrap();
    std::fs::write(temp.join(local(&output.part)), b"output").unwrap();
    ada.ask_commit(offer.attempt, &output).await;
    let failure = Failure::new(FailureClass::Infrastructure, "the rename failed");
    ada.report(offer.attempt, Outcome::Failed(failure)).await;
    wait_for(&engine, JobState::Completed, 1).await;
    assert_eq!(std::fs::read(bench.dir.path().join("out/a.mov.mp4")).unwrap(), b"output");
    stop(engine).await;
}

#[tokio::test]
async fn jobs_are_cancelled_and_retried_durably_and_the_rest_is_left_with_a_reason() {
    let bench = Bench::new(&["a.mov"]);
    let (store, engine) = bench.start();
    bench.add(&engine, &["a.mov"]).await.unwrap();
    let jobs = vec![JobId(1), JobId(9)];
    let acted = engine.handle.act(JobAction::Cancel, jobs.clone(), "ana").await.unwrap();
    assert_eq!(acted.done, [JobId(1)]);
    assert_eq!(acted.left, [(JobId(9), "there is no such job".to_owned())]);
    assert_eq!(store.tally().of(JobState::Cancelled), 1);
    let acted = engine.handle.act(JobAction::Cancel, jobs.clone(), "ana").await.unwrap();
    assert_eq!(acted.left[0], (JobId(1), "it is cancelled already".to_owned()));
    assert_eq!(engine.handle.act(JobAction::Retry, jobs, "ana").await.unwrap().done, [JobId(1)]);
    assert_eq!(store.tally().of(JobState::Pending), 1);
    let why = engine.handle.why(JobId(1)).await.unwrap().unwrap();
    assert!(why.answer.contains("no agent has connected"), "{}", why.answer);
    stop(engine).await;
}

#[tokio::test]
async fn whoever_looks_sees_changes_and_nobody_is_painted_for() {
    let bench = Bench::new(&["a.mov"]);
    let (_store, engine) = bench.start();
    let mut seen = engine.handle.snapshots();
    seen.mark_unchanged();
    bench.add(&engine, &["a.mov"]).await.unwrap();
    let pending = |snapshot: &Arc<Snapshot>| snapshot.totals.by_state[JobState::Pending as usize] == 1;
    let needs = tokio::time::timeout(PATIENCE, seen.wait_for(pending)).await.unwrap().unwrap().needs.clone();
    assert_eq!(needs[0].kind, "agents");
    stop(engine).await;
}

#[tokio::test]
async fn a_farm_in_which_only_clocks_run_is_not_drawn_again() {
    let bench = Bench::new(&[]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    assert!(matches!(ada.hear().await, Some(ToAgent::Welcome { .. })));
    let mut seen = engine.handle.snapshots();
    let connected = |snapshot: &Arc<Snapshot>| snapshot.agents.len() == 1;
    ada.say(FromAgent::Heartbeat(Vec::new())).await;
    tokio::time::timeout(PATIENCE, seen.wait_for(connected)).await.unwrap().unwrap();
    ada.say(FromAgent::Heartbeat(Vec::new())).await;
    // Three times the pause between two pictures: one that was due would have come.
    let again = tokio::time::timeout(Duration::from_millis(300), seen.changed()).await;
    assert!(again.is_err(), "drawn again for a heartbeat");
    stop(engine).await;
}

#[tokio::test]
async fn jobs_whose_sources_are_all_gone_are_tried_and_fail_with_their_cause() {
    let bench = Bench::new(&[]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["gone.mov"]).await.unwrap();
    let offer = ada.hear_offer().await;
    let failure = Failure::new(FailureClass::Source, "no such file or directory");
    ada.report(offer.attempt, Outcome::Failed(failure)).await;
    wait_for(&engine, JobState::Failed, 1).await;
    stop(engine).await;
}

#[tokio::test]
async fn an_agent_that_sees_other_files_gets_no_work_and_is_named() {
    let bench = Bench::new(&["a.mov"]);
    let (_store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov"]).await.unwrap();
    assert!(matches!(ada.inbox.recv().await, Some(ToAgent::Welcome { .. })));
    for _ in 0..2 {
        match tokio::time::timeout(PATIENCE, ada.inbox.recv()).await.unwrap() {
            Some(ToAgent::Prove(challenge)) => ada.say(FromAgent::Proof(challenge.root, Ok([0; 32]))).await,
            other => panic!("{other:?}"),
        }
    }
    let snapshot = engine.handle.snapshot().await.unwrap();
    assert_eq!(snapshot.agents[0].unproven.len(), 2);
    assert!(snapshot.needs.iter().any(|need| need.kind == "folder" && need.what == "ada"));
    assert!(ada.inbox.try_recv().is_err(), "no offer");
    stop(engine).await;
}

mod devices;
mod orders;
