//! How many jobs a second the console hands out and completes, every change on disk before it is answered.
//!
//! A real store on a real disk, the real farm core and engine, and a thousand agents that are played inside this
//! process and finish each job at once. Prints figures; asserts none. `cargo bench -p vc-tests --bench dispatch`,
//! `-- --quick` for a short run; `VC_BENCH_DIR` chooses the disk.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it measured")]

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use vc_console::engine::handle::AddWish;
use vc_console::engine::input::{EngineSender, Input, Opened, SessionLink};
use vc_console::engine::{Engine, EngineConfig};
use vc_console::store::{Candidate, Query, Store};
use vc_farm::record::{AttemptEnd, AttemptRecord, JobRecord, JobResult, Lease, TaskState};
use vc_protocol::agent::{AgentHello, FromAgent, HEARTBEAT_S, Outcome, Proven, Report, ToAgent};
use vc_protocol::device::{Device, DeviceKind};
use vc_protocol::id::{AgentId, AttemptId, AttemptNo, DeviceId, JobId, SessionNo, TaskNo};
use vc_protocol::job::{FileStamp, JobState, Priority};
use vc_protocol::operator::JobFilter;
use vc_protocol::path::FilePath;
use vc_protocol::profile::{AudioCodec, AudioWish, Container, NamedProfile, Profile, VideoCodec, VideoWish};
use vc_protocol::prove::{Challenge, proof};

type Outcomes<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const AGENTS: u32 = 1_000;
/// Sources that exist as files: challenges are made from the first that the table knows.
const FILES: u64 = 2_000;
/// Candidates in one call, as a scan sends them.
const CHUNK: u64 = 512;

/// How much of everything.
struct Size {
    pending: &'static [u64],
    /// Jobs completed at each number of pending ones.
    completed: u64,
    naive: u64,
}

const FULL: Size = Size { pending: &[1_000, 100_000, 1_000_000], completed: 30_000, naive: 400 };
const QUICK: Size = Size { pending: &[1_000, 20_000], completed: 5_000, naive: 100 };

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let result = match args.iter().position(|arg| arg == "--reopen") {
        Some(at) => {
            args.get(at + 1).ok_or_else(|| "--reopen needs a folder".into()).and_then(|dir| reopen(dir))
        }
        None => {
            let quick =
                args.iter().any(|arg| arg == "--quick") || std::env::var_os("VC_BENCH_QUICK").is_some();
            run(if quick { &QUICK } else { &FULL })
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dispatch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(size: &Size) -> Outcomes {
    let base = std::env::var_os("VC_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::Builder::new().prefix("vc-dispatch").tempdir_in(base)?;
    for folder in ["in", "out", "state", "naive"] {
        std::fs::create_dir(dir.path().join(folder))?;
    }
    for n in 0..FILES {
        std::fs::write(dir.path().join("in").join(source_name(n)), n.to_le_bytes())?;
    }
    println!("fdatasync of 4 KiB     {:>12.2} ms (median of 101)", fsync_ms(dir.path())?);
    let naive = naive_rate(&dir.path().join("naive"), size.naive)?;
    println!("one commit a change    {naive:>12.0} jobs/s, {} jobs", size.naive);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&dir.path().join("state"))?;
        let bench = Bench::start(dir.path(), store).await?;
        for pending in size.pending {
            let rate = bench.measure(*pending, size.completed).await?;
            println!(
                "{pending:>9} pending      {rate:>12.0} jobs/s durably completed, {:.1} x one commit a change",
                rate / naive
            );
        }
        println!("fdatasync of 4 KiB     {:>12.2} ms (again)", fsync_ms(dir.path())?);
        bench.stop().await
    })?;
    reopened(&dir.path().join("state"))
}

/// The farm with its agents, who work only while they may.
struct Bench {
    engine: Engine,
    store: Store,
    dir: PathBuf,
    go: watch::Sender<bool>,
    done: Arc<AtomicU64>,
    added: AtomicU64,
}

impl Bench {
    async fn start(dir: &Path, store: Store) -> Outcomes<Self> {
        let engine = Engine::start(EngineConfig::default(), store.clone())?;
        let (go, may_go) = watch::channel(false);
        let done = Arc::new(AtomicU64::new(0));
        for n in 1..=AGENTS {
            let (queue, inbox) = mpsc::channel(64);
            let agent = AgentId(n);
            let opened = Opened {
                agent,
                session: SessionNo(u64::from(n)),
                name: format!("agent{n:04}"),
                address: ([127, 0, 0, 1], 9).into(),
                hello: hello(n),
                link: SessionLink::from_channel(queue),
            };
            engine.sender.send(Input::Opened(opened)).await?;
            let player = Player {
                agent,
                session: SessionNo(u64::from(n)),
                engine: engine.sender.clone(),
                done: done.clone(),
                held: Vec::new(),
            };
            #[expect(
                clippy::disallowed_methods,
                reason = "a bench has no task module; the runtime ends them"
            )]
            tokio::spawn(player.play(inbox, may_go.clone()));
        }
        let added = AtomicU64::new(0);
        Ok(Bench { engine, store, dir: dir.to_owned(), go, done, added })
    }

    /// Fills the table, lets the agents work until so many jobs are completed, and says how many that was a second.
    async fn measure(&self, pending: u64, completed: u64) -> Outcomes<f64> {
        self.fill(pending + completed).await?;
        // The agents prove their folders and get their first jobs.
        self.wait(|tally| tally.of(JobState::Running) >= u64::from(AGENTS)).await?;
        let before = self.store.tally().of(JobState::Completed);
        let began = Instant::now();
        self.go.send_replace(true);
        self.wait(|tally| tally.of(JobState::Completed) >= before + completed).await?;
        let seconds = began.elapsed().as_secs_f64();
        let completed = self.store.tally().of(JobState::Completed) - before;
        self.go.send_replace(false);
        Ok(completed as f64 / seconds)
    }

    async fn wait(&self, until: impl FnMut(&vc_console::store::Tally) -> bool) -> Outcomes {
        tokio::time::timeout(Duration::from_secs(300), self.engine.handle.tally().wait_for(until)).await??;
        Ok(())
    }

    /// Adds jobs until so many wait.
    async fn fill(&self, pending: u64) -> Outcomes {
        let root = |name: &str| path(&self.dir.join(name));
        let (source_root, output_root) = (root("in"), root("out"));
        let wish = AddWish { source_root, output_root, profile: profile(), priority: Priority::DEFAULT };
        let session = self.engine.handle.begin_add(wish, false).await?;
        let missing = pending.saturating_sub(self.store.tally().of(JobState::Pending));
        let began = Instant::now();
        let first = self.added.fetch_add(missing, Ordering::SeqCst);
        for start in (first..first + missing).step_by(CHUNK as usize) {
            let chunk = (start..(start + CHUNK).min(first + missing)).map(candidate).collect();
            self.engine.handle.add(&session, chunk).await?;
        }
        let rate = missing as f64 / began.elapsed().as_secs_f64();
        println!("added {missing:>9}        {rate:>12.0} jobs/s, durably, {CHUNK} at a time");
        Ok(())
    }

    async fn stop(self) -> Outcomes {
        println!("answered by agents     {:>12}", self.done.load(Ordering::SeqCst));
        self.engine.handle.stop().await;
        let thread = self.engine.thread;
        tokio::task::spawn_blocking(move || thread.join()).await?.map_err(|_| "the engine panicked")?;
        Ok(())
    }
}

/// An agent that finishes each job at once.
struct Player {
    agent: AgentId,
    session: SessionNo,
    engine: EngineSender,
    done: Arc<AtomicU64>,
    held: Vec<AttemptId>,
}

impl Player {
    async fn play(mut self, mut inbox: mpsc::Receiver<ToAgent>, mut go: watch::Receiver<bool>) {
        let mut heartbeat = tokio::time::interval(Duration::from_secs(HEARTBEAT_S));
        let mut waiting: Vec<AttemptId> = Vec::new();
        loop {
            let said = tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => {
                        let may_go = *go.borrow();
                        self.answer(message, may_go, &mut waiting).await
                    }
                    None => return,
                },
                changed = go.changed() => match changed {
                    Ok(()) => {
                        let may_go = *go.borrow_and_update();
                        let free = if may_go { std::mem::take(&mut waiting) } else { Vec::new() };
                        self.ask(free).await
                    }
                    Err(_) => return,
                },
                _ = heartbeat.tick() => self.say(FromAgent::Heartbeat(self.held.clone())).await,
            };
            if said.is_none() {
                return;
            }
        }
    }

    async fn say(&self, message: FromAgent) -> Option<()> {
        self.engine.send(Input::FromAgent(self.agent, self.session, message)).await.ok()
    }

    async fn ask(&self, attempts: Vec<AttemptId>) -> Option<()> {
        for attempt in attempts {
            self.say(FromAgent::AskCommit(attempt, proven(attempt))).await?;
        }
        Some(())
    }

    async fn answer(&mut self, message: ToAgent, go: bool, waiting: &mut Vec<AttemptId>) -> Option<()> {
        match message {
            ToAgent::Prove(challenge) => {
                let answer = prove(&challenge).map_err(|error| error.to_string());
                self.say(FromAgent::Proof(challenge.root, answer)).await
            }
            ToAgent::Offer(offer) => {
                self.held.push(offer.attempt);
                if go {
                    self.ask(vec![offer.attempt]).await
                } else {
                    waiting.push(offer.attempt);
                    Some(())
                }
            }
            ToAgent::Granted(attempt) => self.say(FromAgent::Report(Box::new(report(attempt)))).await,
            ToAgent::Done(attempt) | ToAgent::Stale(attempt) | ToAgent::Cancel(attempt) => {
                self.held.retain(|held| *held != attempt);
                self.done.fetch_add(1, Ordering::Relaxed);
                Some(())
            }
            ToAgent::Welcome { .. }
            | ToAgent::WantLog(_)
            | ToAgent::SelfTest(_)
            | ToAgent::WantFacts
            | ToAgent::WantOwnLog => Some(()),
        }
    }
}

fn prove(challenge: &Challenge) -> std::io::Result<[u8; 32]> {
    let mut pieces = Vec::new();
    for range in &challenge.ranges {
        let bytes = std::fs::read(local(&challenge.path.join(&range.file)))?;
        let from = range.offset as usize;
        pieces.push(bytes.get(from..from + range.len as usize).unwrap_or_default().to_vec());
    }
    Ok(proof(&challenge.key, pieces.iter().map(Vec::as_slice)))
}

/// Every transition of a job in a commit of its own, straight into the store.
fn naive_rate(dir: &Path, jobs: u64) -> Outcomes<f64> {
    let store = Store::open(dir)?;
    let mut turn = store.turn();
    let (source, output) = (FilePath::from("/in"), FilePath::from("/out"));
    let session = turn.begin_add(&source, &output, &profile(), Priority::DEFAULT)?;
    let candidates: Vec<Candidate> = (0..jobs).map(candidate).collect();
    turn.add(0, &session, &candidates)?;
    turn.commit()?;
    let lease = Lease { agent: AgentId(1), device: DeviceId(0), since_ms: 0 };
    let began = Instant::now();
    for id in (1..=jobs).map(JobId) {
        let attempt = AttemptId { job: id, task: TaskNo(0), no: AttemptNo(1) };
        let mut record = store.reader()?.record(id)?.ok_or("a job is missing")?;
        record.state = JobState::Running;
        record.tasks[0].attempt = attempt.no;
        for state in [TaskState::Leased(lease), TaskState::Granted(lease, proven(attempt))] {
            record.tasks[0].state = state;
            commit(&store, record.clone(), None)?;
        }
        record.state = JobState::Completed;
        record.tasks[0].state = TaskState::Done;
        record.result = Some(JobResult { bytes_in: 1, bytes_out: 1, wall_ms: 1, media_ms: 1 });
        let report = Some(Box::new(report(attempt)));
        let end = AttemptRecord { attempt, lease, ended_ms: 1, end: AttemptEnd::Completed, report };
        commit(&store, record, Some(end))?;
    }
    Ok(jobs as f64 / began.elapsed().as_secs_f64())
}

fn commit(store: &Store, record: JobRecord, end: Option<AttemptRecord>) -> Outcomes {
    let mut turn = store.turn();
    turn.put_job(record);
    end.into_iter().for_each(|end| turn.put_attempt(end));
    Ok(turn.commit()?)
}

/// The table as a fresh process finds it.
fn reopened(state: &Path) -> Outcomes {
    let this = std::env::current_exe()?;
    let status = std::process::Command::new(this).arg("--reopen").arg(state).status()?;
    if status.success() { Ok(()) } else { Err("the second process failed".into()) }
}

fn reopen(state: &str) -> Outcomes {
    let began = Instant::now();
    let store = Store::open(Path::new(state))?;
    let opened = began.elapsed();
    let engine = Engine::start(EngineConfig::default(), store.clone())?;
    let ready = began.elapsed();
    let tally = store.tally();
    let rows: u64 = tally.by_state.iter().sum();
    println!("table                  {rows:>12} jobs, {} MiB", store.file_bytes() >> 20);
    println!("open / ready           {:>12.1} ms / {:.0} ms", ms(opened), ms(ready));
    println!("memory when ready      {:>12} MiB resident", resident_mib()?);
    for state in [JobState::Pending, JobState::Completed] {
        let query = Query::of(JobFilter::of_states(&[state]));
        let middle = tally.of(state) / 2;
        let cold = timed(|| store.page(&query, middle, 200))?;
        let warm = timed(|| store.page(&query, middle, 200))?;
        println!("200 from the middle    {cold:>12.2} ms, again {warm:.2} ms ({})", state.word());
    }
    println!("memory after that      {:>12} MiB resident", resident_mib()?);
    drop(engine);
    Ok(())
}

fn timed<T, E: Error + Send + Sync + 'static>(run: impl FnOnce() -> Result<T, E>) -> Outcomes<f64> {
    let began = Instant::now();
    run()?;
    Ok(ms(began.elapsed()))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn resident_mib() -> Outcomes<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

fn fsync_ms(dir: &Path) -> Outcomes<f64> {
    let mut file = std::fs::File::create(dir.join("fsync"))?;
    let mut times = Vec::new();
    for _ in 0..101 {
        file.write_all(&[7; 4096])?;
        times.push(timed(|| file.sync_data())?);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn source_name(n: u64) -> String {
    format!("season{:03}-episode{n:07}.mov", n / 10_000)
}

/// Sizes are spread, so that jobs run in another order than they were added: the harder case for the table.
fn candidate(n: u64) -> Candidate {
    let name = source_name(n);
    let output = FilePath(format!("{}.mp4", name.trim_end_matches(".mov")).into_bytes());
    let size = 1_000_000 + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000;
    Candidate { path: FilePath(name.into_bytes()), output, stamp: FileStamp { size, mtime_ns: 1 } }
}

fn proven(attempt: AttemptId) -> Proven {
    let part = FilePath(format!("{}.{}.bench.part.mp4", attempt.job, attempt.no).into_bytes());
    Proven { part, hash: [7; 32], size: 1 }
}

fn report(attempt: AttemptId) -> Report {
    Report {
        encoder: "libx264".into(),
        wall_ms: 1,
        media_ms: 1,
        bytes_in: 1,
        bytes_out: 1,
        ..Report::blank(attempt, Outcome::Committed(proven(attempt)))
    }
}

fn hello(n: u32) -> AgentHello {
    let codecs = vec![VideoCodec::H264];
    let device = Device { id: DeviceId(0), kind: DeviceKind::Cpu, name: "cpu".into(), slots: 1, codecs };
    AgentHello {
        instance: u64::from(n),
        host: "bench".into(),
        version: "bench".into(),
        ffmpeg: "none".into(),
        devices: vec![device],
        inventory: Vec::new(),
    }
}

fn profile() -> NamedProfile {
    let video = VideoWish { crf: Some(20), ..VideoWish::of(VideoCodec::H264) };
    let profile = Profile::of(Container::Mp4, video, AudioWish { codec: AudioCodec::Aac, bitrate: None });
    NamedProfile { name: "h264".into(), profile }
}

fn path(path: &Path) -> FilePath {
    use std::os::unix::ffi::OsStrExt;
    FilePath(path.as_os_str().as_bytes().to_vec())
}

fn local(path: &FilePath) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(&path.0))
}
