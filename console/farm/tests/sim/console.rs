//! A model of the engine around the farm: turns, group commit, and only then messages. Its store is what was last
//! committed; a crash loses everything else.

use std::collections::BTreeMap;

use vc_farm::effect::{Effect, Effects};
use vc_farm::event::{AgentEvent, Event, Millis, NewJob, Now, OperatorEvent};
use vc_farm::record::{AgentRecord, FarmRecord, JobRecord};
use vc_farm::{Farm, FarmConfig};
use vc_protocol::id::{AgentId, JobId, SessionNo};
use vc_protocol::job::FileStamp;

use crate::judge::{Judge, Verdict};

/// What the engine was handed: events, and requests that become events when their turn comes.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Event(Event),
    Add(Vec<NewJob>),
    Retry(JobId),
}

#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) farm: Farm,
    pub(crate) life: u64,
    /// Rows on disk.
    pub(crate) store: BTreeMap<JobId, JobRecord>,
    /// What is remembered besides jobs, on disk.
    pub(crate) remembered: Remembered,
    /// Stamps of the sources on disk.
    pub(crate) stamps: BTreeMap<JobId, FileStamp>,
    pub(crate) inbox: Vec<Input>,
    pub(crate) up: bool,
    pub(crate) sessions: u64,
    /// The rule about who is heard, a second time: highest session and whether it still is.
    heard: BTreeMap<AgentId, (SessionNo, bool)>,
    config: FarmConfig,
    started: u64,
    last: u64,
}

/// What the farm remembers besides jobs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered {
    pub(crate) farm: FarmRecord,
    pub(crate) agents: BTreeMap<AgentId, AgentRecord>,
}

/// What a turn leaves to be done, rows first.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) rows: BTreeMap<JobId, JobRecord>,
    pub(crate) farm: Option<FarmRecord>,
    pub(crate) agents: BTreeMap<AgentId, AgentRecord>,
    pub(crate) stamps: BTreeMap<JobId, FileStamp>,
    pub(crate) rest: Effects,
}

/// Milliseconds since 1970 at the start of the world.
const EPOCH_MS: u64 = 1_700_000_000_000;

impl Console {
    pub(crate) fn new(config: FarmConfig) -> Self {
        Console {
            farm: Farm::new(config, Now { mono: Millis(0), wall_ms: 0 }),
            life: 0,
            store: BTreeMap::new(),
            remembered: Remembered::default(),
            stamps: BTreeMap::new(),
            inbox: Vec::new(),
            up: false,
            sessions: 0,
            heard: BTreeMap::new(),
            config,
            started: 0,
            last: 0,
        }
    }

    fn clock(&self, now: u64) -> Now {
        Now {
            mono: Millis(1_000 + now - self.started),
            wall_ms: i64::try_from(EPOCH_MS + now).unwrap_or(i64::MAX),
        }
    }

    pub(crate) fn start(&mut self, now: u64, judge: &mut Judge) -> Verdict {
        self.up = true;
        self.life += 1;
        self.started = now;
        self.last = now;
        self.sessions = 0;
        self.heard.clear();
        self.inbox.clear();
        self.farm = Farm::new(self.config, self.clock(now));
        self.farm.restore_farm(self.remembered.farm.clone());
        for (agent, record) in &self.remembered.agents {
            self.farm.restore_agent(*agent, record.clone());
        }
        for row in self.store.values().filter(|row| !row.state.is_final()) {
            self.farm.restore(row.clone());
        }
        judge.on_start(&self.store, &self.remembered);
        self.farm.check().map_err(|e| format!("after a restart: {e}"))
    }

    /// When the farm wants its next tick.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        self.farm.next_deadline().map(|(at, _)| at.0 + self.started - 1_000)
    }

    /// Applies all that was handed in and a tick; how many events that were, the tick counted only if it came alone.
    pub(crate) fn turn(&mut self, now: u64, late_ms: u64, judge: &mut Judge) -> Result<(Turn, u64), String> {
        let mut turn = Turn::default();
        judge.on_listened(now - self.last - late_ms.min(now - self.last));
        self.last = now;
        let mut inputs = std::mem::take(&mut self.inbox);
        if late_ms > 0 {
            inputs.insert(0, Input::Event(Event::Late(Millis(late_ms))));
        }
        let count = inputs.len().max(1) as u64;
        inputs.push(Input::Event(Event::Tick));
        for input in inputs {
            let event = self.event(input, now, &mut turn, judge);
            let heard = self.hear(&event);
            let mut effects = Effects::new();
            self.farm.apply(self.clock(now), event.clone(), &mut effects);
            judge.on_applied(&self.farm, &event, heard, &effects)?;
            for effect in effects {
                match effect {
                    Effect::PutJob(row) => {
                        turn.rows.insert(row.id, *row);
                    }
                    Effect::Restamp(job, stamp) => {
                        turn.stamps.insert(job, stamp);
                    }
                    Effect::PutFarm(record) => turn.farm = Some(record),
                    Effect::PutAgent(agent, record) => {
                        turn.agents.insert(agent, record);
                    }
                    Effect::PutAttempt(_) | Effect::Note(_) => {}
                    effect => turn.rest.push(effect),
                }
            }
        }
        Ok((turn, count))
    }

    fn event(&mut self, input: Input, now: u64, turn: &mut Turn, judge: &mut Judge) -> Event {
        match input {
            Input::Event(event) => event,
            Input::Add(jobs) => {
                for job in &jobs {
                    let row = JobRecord::fresh(job, self.clock(now).wall_ms);
                    turn.stamps.insert(job.id, FileStamp { size: 0, mtime_ns: 0 });
                    turn.rows.insert(job.id, row.clone());
                    judge.on_added(row);
                }
                Event::Added(jobs)
            }
            Input::Retry(job) => {
                let held = self.farm.record(job).is_some();
                let row = turn.rows.get(&job).or_else(|| self.store.get(&job)).filter(|_| !held);
                Event::Operator(String::new(), OperatorEvent::Retry(job, row.cloned().map(Box::new)))
            }
        }
    }

    /// Whether the farm should hear this, by the rule that only the newest session of an agent counts.
    fn hear(&mut self, event: &Event) -> bool {
        let Event::Agent(agent, session, said) = event else { return true };
        let known = self.heard.get(agent).copied();
        match said {
            AgentEvent::Connected { .. } => {
                let newer = known.is_none_or(|(newest, _)| newest < *session);
                if newer {
                    self.heard.insert(*agent, (*session, true));
                }
                newer
            }
            AgentEvent::Disconnected => {
                let current = known == Some((*session, true));
                if current {
                    self.heard.insert(*agent, (*session, false));
                }
                current
            }
            _ => known == Some((*session, true)),
        }
    }

    pub(crate) fn commit(&mut self, turn: &mut Turn) {
        self.store.append(&mut turn.rows);
        self.remembered.agents.append(&mut turn.agents);
        if let Some(farm) = turn.farm.take() {
            self.remembered.farm = farm;
        }
        self.stamps.append(&mut turn.stamps);
    }
}
