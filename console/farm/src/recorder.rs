//! For tests: drives events into a farm and holds its effects, written as short sentences, against what is expected.

use std::collections::VecDeque;
use std::fmt::Write as _;

use vc_protocol::agent::{Disposition, Held, Outcome, Proven, Report, ToAgent};
use vc_protocol::device::{Device, DeviceKind};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{
    AgentId, AttemptId, AttemptNo, BatchId, DeviceId, JobId, ProfileId, RootId, SessionNo, TaskNo,
};
use vc_protocol::job::Priority;
use vc_protocol::path::FilePath;
use vc_protocol::profile::VideoCodec;
use vc_protocol::progress::{Phase, Progress};

use crate::effect::{Effect, Effects};
use crate::event::{AgentEvent, Event, Millis, NewJob, Now, OperatorEvent, Settlement};
use crate::farm::{Farm, FarmConfig};
use crate::record::{AgentRecord, AttemptEnd, FarmRecord, Group, JobRecord, TaskState};

pub(crate) const SOURCE: RootId = RootId(10);
pub(crate) const OUTPUT: RootId = RootId(20);

pub(crate) struct Recorder {
    pub(crate) farm: Farm,
    pub(crate) now: Now,
    sessions: u64,
    effects: VecDeque<Effect>,
    notes: Vec<String>,
    rows: std::collections::BTreeMap<JobId, JobRecord>,
    farm_row: FarmRecord,
    agent_rows: std::collections::BTreeMap<AgentId, AgentRecord>,
}

pub(crate) fn group(batch: u32) -> Group {
    Group {
        source_root: SOURCE,
        output_root: OUTPUT,
        profile: ProfileId(1),
        codec: VideoCodec::H264,
        batch: BatchId(batch),
    }
}

pub(crate) fn new_job(id: u64) -> NewJob {
    NewJob { id: JobId(id), group: group(1), priority: Priority::DEFAULT, cost: 100 }
}

/// Attempt `no` of the only task of that job.
pub(crate) fn attempt(job: u64, no: u32) -> AttemptId {
    AttemptId { job: JobId(job), task: TaskNo(0), no: AttemptNo(no) }
}

pub(crate) fn cpu(slots: u16) -> Device {
    Device {
        id: DeviceId(0),
        kind: DeviceKind::Cpu,
        name: "cpu".to_owned(),
        slots,
        codecs: vec![VideoCodec::H264, VideoCodec::Copy],
    }
}

pub(crate) fn proven(attempt: AttemptId) -> Proven {
    let no = u8::try_from(attempt.no.0).unwrap();
    Proven { part: FilePath::from(format!("{attempt}.part").as_str()), hash: [no; 32], size: 50 }
}

pub(crate) fn report(attempt: AttemptId, outcome: Outcome) -> Box<Report> {
    Box::new(Report {
        encoder: "libx264".to_owned(),
        wall_ms: 1000,
        media_ms: 3000,
        bytes_in: 100,
        bytes_out: 50,
        ..Report::blank(attempt, outcome)
    })
}

pub(crate) fn failure(class: FailureClass) -> Outcome {
    Outcome::Failed(Failure::new(class, "it broke"))
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let now = Now { mono: Millis(1_000_000), wall_ms: 1_700_000_000_000 };
        Recorder {
            farm: Farm::new(FarmConfig::default(), now),
            now,
            sessions: 0,
            effects: VecDeque::new(),
            notes: Vec::new(),
            rows: std::collections::BTreeMap::new(),
            farm_row: FarmRecord::default(),
            agent_rows: std::collections::BTreeMap::new(),
        }
    }

    /// The console ends and starts again with the rows that it had written.
    pub(crate) fn restart(&mut self) {
        self.nothing_else();
        self.farm = Farm::new(FarmConfig::default(), self.now);
        self.farm.restore_farm(self.farm_row.clone());
        for (agent, row) in &self.agent_rows {
            self.farm.restore_agent(*agent, row.clone());
        }
        for row in self.rows.values().filter(|row| !row.state.is_final()) {
            self.farm.restore(row.clone());
        }
        self.farm.check().unwrap();
    }

    pub(crate) fn apply(&mut self, event: Event) {
        let mut out = Effects::new();
        self.farm.apply(self.now, event, &mut out);
        self.farm.check().unwrap();
        for effect in out {
            if let Effect::PutJob(row) = &effect {
                self.rows.insert(row.id, (**row).clone());
            }
            if let Effect::PutFarm(row) = &effect {
                self.farm_row = row.clone();
            }
            if let Effect::PutAgent(agent, row) = &effect {
                self.agent_rows.insert(*agent, row.clone());
            }
            if let Effect::Note(note) = effect {
                self.notes.push(note.text);
            } else {
                self.effects.push_back(effect);
            }
        }
    }

    /// Time passes without a word from anybody; every deadline on the way is served when it is due.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.mono.plus(ms);
        while let Some((at, _)) = self.farm.next_deadline().filter(|(at, _)| *at <= end) {
            self.step(at.since(self.now.mono));
            self.apply(Event::Tick);
        }
        self.step(end.since(self.now.mono));
    }

    /// The same, with heartbeats of these agents about all that they hold.
    pub(crate) fn pass_alive(&mut self, ms: u64, agents: &[u32]) {
        for _ in 0..ms / 5_000 {
            self.pass(5_000);
            for agent in agents {
                let held = self.held(*agent);
                self.say(*agent, AgentEvent::Heartbeat(held));
            }
        }
    }

    pub(crate) fn step(&mut self, ms: u64) {
        self.now.mono = self.now.mono.plus(ms);
        self.now.wall_ms += i64::try_from(ms).unwrap();
    }

    pub(crate) fn held(&self, agent: u32) -> Vec<AttemptId> {
        let view = self.farm.agents().find(|a| a.id == AgentId(agent)).unwrap();
        view.devices.iter().flat_map(|d| d.held.iter().map(|h| h.attempt)).collect()
    }

    pub(crate) fn add(&mut self, jobs: impl IntoIterator<Item = NewJob>) {
        let jobs: Vec<NewJob> = jobs.into_iter().collect();
        for job in &jobs {
            self.rows.insert(job.id, JobRecord::fresh(job, self.now.wall_ms));
        }
        self.apply(Event::Added(jobs));
    }

    /// Connects with one CPU device and proves both folders, without looking at what that leads to.
    pub(crate) fn join(&mut self, agent: u32, slots: u16) {
        let instance = u64::from(agent);
        self.connect(agent, instance, vec![cpu(slots)], Vec::new());
        self.proves(agent);
        self.effects
            .retain(|e| !matches!(e, Effect::Prove { .. } | Effect::Tell(_, _, ToAgent::Welcome { .. })));
    }

    /// Both folders.
    pub(crate) fn proves(&mut self, agent: u32) {
        for root in [SOURCE, OUTPUT] {
            self.say(agent, AgentEvent::RootProof(root, Ok(())));
        }
    }

    pub(crate) fn connect(&mut self, agent: u32, instance: u64, devices: Vec<Device>, inventory: Vec<Held>) {
        self.sessions += 1;
        let connected = AgentEvent::Connected { instance, devices, inventory };
        self.apply(Event::Agent(AgentId(agent), SessionNo(self.sessions), connected));
    }

    /// Connects again as the same process, with both folders proved anew.
    pub(crate) fn rejoin(&mut self, agent: u32, slots: u16, inventory: Vec<Held>) {
        self.connect(agent, u64::from(agent), vec![cpu(slots)], inventory);
    }

    /// Over the present session of that agent.
    pub(crate) fn say(&mut self, agent: u32, event: AgentEvent) {
        let session = self.farm.session(AgentId(agent)).unwrap();
        self.apply(Event::Agent(AgentId(agent), session, event));
    }

    pub(crate) fn encodes(&mut self, agent: u32, attempt: AttemptId) {
        self.say(agent, AgentEvent::Progress(vec![(attempt, Progress::start(Phase::Encoding))]));
    }

    pub(crate) fn asks(&mut self, agent: u32, attempt: AttemptId) {
        self.say(agent, AgentEvent::AskCommit(attempt, proven(attempt)));
    }

    pub(crate) fn reports(&mut self, agent: u32, attempt: AttemptId, outcome: Outcome) {
        self.say(agent, AgentEvent::Report(report(attempt, outcome)));
    }

    pub(crate) fn commits(&mut self, agent: u32, attempt: AttemptId) {
        self.reports(agent, attempt, Outcome::Committed(proven(attempt)));
    }

    pub(crate) fn settled(&mut self, attempt: AttemptId, settlement: Settlement) {
        self.apply(Event::Settled(attempt, settlement));
    }

    pub(crate) fn cancel(&mut self, job: u64) {
        self.ask(OperatorEvent::Cancel(JobId(job)));
    }

    /// As the operator ana.
    pub(crate) fn ask(&mut self, event: OperatorEvent) {
        self.apply(Event::Operator("ana".to_owned(), event));
    }

    /// With the row that was last written, as the engine does.
    pub(crate) fn retry(&mut self, job: u64) {
        let row = self.farm.record(JobId(job)).is_none().then(|| self.rows.get(&JobId(job)).cloned());
        self.ask(OperatorEvent::Retry(JobId(job), row.flatten().map(Box::new)));
    }

    pub(crate) fn row(&self, job: u64) -> &JobRecord {
        &self.rows[&JobId(job)]
    }

    /// The next effects are exactly these, in this order.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &[&str]) {
        let found: Vec<String> = self.effects.drain(..).map(|e| sentence(&e)).collect();
        assert_eq!(found, expected);
    }

    /// Every effect was expected.
    #[track_caller]
    pub(crate) fn nothing_else(&mut self) {
        self.expect(&[]);
    }

    /// Forgets the effects so far.
    pub(crate) fn skip(&mut self) {
        self.effects.clear();
        self.notes.clear();
    }

    #[track_caller]
    pub(crate) fn expect_note(&mut self, text: &str) {
        assert!(self.notes.iter().any(|n| n.contains(text)), "{text:?} is not in {:?}", self.notes);
        self.notes.clear();
    }

    /// The last effect is this; forgets the others.
    #[track_caller]
    pub(crate) fn expect_last(&mut self, expected: &str) {
        let last = self.effects.drain(..).next_back();
        assert_eq!(last.map(|effect| sentence(&effect)).as_deref(), Some(expected));
    }

    /// All that was told since the last look.
    #[track_caller]
    pub(crate) fn expect_notes(&mut self, texts: &[&str]) {
        assert_eq!(std::mem::take(&mut self.notes), texts);
    }

    /// Offers among the effects so far, as `job on agent`; forgets the rest.
    pub(crate) fn offers(&mut self) -> Vec<(u64, u32)> {
        let mut offers = Vec::new();
        for effect in self.effects.drain(..) {
            if let Effect::Offer { agent, attempt, .. } = effect {
                offers.push((attempt.job.0, agent.0));
            }
        }
        offers
    }
}

fn sentence(effect: &Effect) -> String {
    match effect {
        Effect::PutJob(row) => {
            let mut text = format!("job {} {}:", row.id, row.state.word());
            for task in &row.tasks {
                let state = match &task.state {
                    TaskState::Open => "open",
                    TaskState::Leased(_) => "leased",
                    TaskState::Running(_) => "running",
                    TaskState::Granted(..) => "granted",
                    TaskState::Done => "done",
                };
                write!(text, " {state}").unwrap();
            }
            text
        }
        Effect::PutAttempt(row) => {
            let end = match &row.end {
                AttemptEnd::Completed => "completed".to_owned(),
                AttemptEnd::Skipped => "skipped".to_owned(),
                AttemptEnd::Stopped => "stopped".to_owned(),
                AttemptEnd::Failed(reason) => {
                    format!("failed {}", reason.class.map_or("", FailureClass::word))
                }
            };
            format!("attempt {} {end}", row.attempt)
        }
        Effect::PutFarm(row) => match &row.paused {
            Some(pause) => format!("farm paused by {}{}", pause.who, pause.why),
            None => "farm goes on".to_owned(),
        },
        Effect::PutAgent(agent, row) if *row == AgentRecord::default() => format!("agent {agent} forgotten"),
        Effect::PutAgent(agent, row) => {
            let mut text = format!("agent {agent} remembered:{}", if row.drained { " drained" } else { "" });
            for device in &row.devices {
                let drained = if device.drained { " drained" } else { "" };
                let quarantined = if device.quarantine.is_some() { " quarantined" } else { "" };
                write!(text, " device {}{drained}{quarantined}", device.id).unwrap();
            }
            text
        }
        Effect::Restamp(job, _) => format!("restamp {job}"),
        Effect::Offer { agent, attempt, device, .. } => format!("offer {attempt} to {agent}/{device}"),
        Effect::Tell(agent, _, message) => format!("tell {agent} {}", words(message)),
        Effect::Close(agent, session, _) => format!("close {agent} session {session}"),
        Effect::Prove { agent, root, writable, .. } => {
            format!("prove {agent} root {root}{}", if *writable { " writable" } else { "" })
        }
        Effect::Settle(attempt, _) => format!("settle {attempt}"),
        Effect::Note(note) => format!("note {}", note.text),
    }
}

fn words(message: &ToAgent) -> String {
    match message {
        ToAgent::Welcome { inventory, .. } => {
            let mut text = "welcome".to_owned();
            for (attempt, disposition) in inventory {
                let word = match disposition {
                    Disposition::Continue => "continue",
                    Disposition::Commit => "commit",
                    Disposition::Done => "done",
                    Disposition::Abandon => "abandon",
                };
                write!(text, " {attempt} {word}").unwrap();
            }
            text
        }
        ToAgent::Cancel(attempt) => format!("cancel {attempt}"),
        ToAgent::Granted(attempt) => format!("granted {attempt}"),
        ToAgent::Done(attempt) => format!("done {attempt}"),
        ToAgent::Stale(attempt) => format!("stale {attempt}"),
        ToAgent::SelfTest(device) => format!("self-test {device}"),
        ToAgent::Offer(_)
        | ToAgent::Prove(_)
        | ToAgent::WantLog(_)
        | ToAgent::WantFacts
        | ToAgent::WantOwnLog => "what the farm never says".to_owned(),
    }
}
