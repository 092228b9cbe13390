//! The world of one seed: a console, a few agents, a network and a disk, driven through simulated time.

use std::collections::BTreeMap;

use vc_farm::FarmConfig;
use vc_farm::event::{AgentEvent, Event, Settlement};
use vc_protocol::agent::ToAgent;
use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, RootId};
use vc_protocol::job::FileStamp;
use vc_protocol::profile::VideoCodec;

use crate::agent::{Agent, Link};
use crate::console::{Console, Input};
use crate::disk::Disk;
use crate::judge::{Judge, Sometimes, Verdict};
use crate::rng::Rng;

/// Faults go on until the farm was given this many events.
const FAULTY_EVENTS: u64 = 600;
/// Without faults everything must end within this time: the longest backoffs and leases of a dozen jobs in a row.
const CALM_MS: u64 = 8 * 3_600_000;

/// A rule of the engine that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    CommitThenSend,
    /// The mutant.
    SendThenCommit,
}

#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Offer(AttemptId, FileStamp),
    Prove(RootId),
    Tell(ToAgent),
    Close,
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    ToConsole(AgentId, Link, AgentEvent),
    ToAgent(AgentId, Link, Wire),
    Turn(u64),
    Tick(u64, u64),
    ConsoleUp,
    Settled(u64, AttemptId, Settlement),
    AgentUp(AgentId),
    Dial(AgentId, u64),
    Beat(AgentId, u64),
    Encoded(AgentId, u64, AttemptId),
    Rename(AgentId, u64, AttemptId),
    Stopped(AgentId, u64, AttemptId),
    SelfTested(AgentId, u64, DeviceId, bool),
    StopServer(u64),
    Fault,
}

/// How rough this world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Messages of one session may come twice, late or not at all, which QUIC rules out.
    pub(crate) hostile_network: bool,
    pub(crate) fault_every_ms: u64,
    pub(crate) encode_ms: u64,
    /// One encode in this many goes wrong.
    pub(crate) wrong_in: u64,
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) now: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Act>,
    pub(crate) seq: u64,
    pub(crate) console: Console,
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    pub(crate) disk: Disk,
    pub(crate) judge: Judge,
    /// Sources as they are.
    pub(crate) sources: BTreeMap<JobId, FileStamp>,
    /// Last delivery on each link, towards console and agent: a session keeps its order.
    pub(crate) lanes: BTreeMap<(AgentId, Link, bool), u64>,
    pub(crate) weather: Weather,
    pub(crate) calm: bool,
    pub(crate) order: Order,
    pub(crate) turn_set: bool,
    pub(crate) late_ms: u64,
    pub(crate) hashes: u64,
    pub(crate) events: u64,
}

impl World {
    pub(crate) fn new(seed: u64, config: FarmConfig, order: Order) -> Self {
        let mut rng = Rng::new(seed);
        let weather = Weather {
            hostile_network: rng.one_in(4),
            fault_every_ms: [3_000, 10_000, 40_000][(seed % 3) as usize],
            encode_ms: [5_000, 30_000, 150_000][(rng.next() % 3) as usize],
            wrong_in: [3, 8, 1_000][(rng.next() % 3) as usize],
        };
        let count = rng.range(1, 4);
        let mut agents = BTreeMap::new();
        for id in 1..=u32::try_from(count).unwrap_or(1) {
            let mut codecs = vec![VideoCodec::H264, VideoCodec::Av1];
            if id > 1 && rng.one_in(3) {
                codecs.pop();
            }
            let slots = if rng.one_in(2) { 1 } else { 2 };
            agents.insert(AgentId(id), Agent::new(id, slots, codecs));
        }
        World {
            rng,
            now: 0,
            queue: BTreeMap::new(),
            seq: 0,
            console: Console::new(config),
            agents,
            disk: Disk::default(),
            judge: Judge::default(),
            sources: BTreeMap::new(),
            lanes: BTreeMap::new(),
            weather,
            calm: false,
            order,
            turn_set: false,
            late_ms: 0,
            hashes: 0,
            events: 0,
        }
    }

    /// Runs the seed to its end; how many events the farm was given, and what was seen.
    pub(crate) fn run(mut self) -> Result<(u64, Sometimes), String> {
        self.console.start(self.now, &mut self.judge)?;
        self.add_jobs();
        let ids: Vec<AgentId> = self.agents.keys().copied().collect();
        for id in ids {
            let at = self.rng.range(0, 3_000);
            self.at(at, Act::Dial(id, self.agents[&id].instance));
            self.at(at + 1, Act::Beat(id, self.agents[&id].instance));
        }
        self.at(1_000, Act::Fault);
        while self.events < FAULTY_EVENTS {
            self.step()?;
        }
        self.calm = true;
        let end = self.now + CALM_MS;
        let over = |world: &World| {
            world.console.up && world.console.inbox.is_empty() && world.console.farm.is_idle()
        };
        while self.now < end && !over(&self) {
            self.step()?;
        }
        self.judge.at_end(&self.console.store)?;
        Ok((self.events, self.judge.sometimes))
    }

    pub(crate) fn at(&mut self, after_ms: u64, act: Act) {
        self.seq += 1;
        self.queue.insert((self.now + after_ms, self.seq), act);
    }

    pub(crate) fn step(&mut self) -> Verdict {
        let Some(((at, _), act)) = self.queue.pop_first() else {
            return Err("the world stands still".to_owned());
        };
        self.now = self.now.max(at);
        if let Some(until) = self.frozen(&act) {
            self.at(until - self.now, act);
            return Ok(());
        }
        match act {
            Act::ToConsole(agent, link, event) => self.arrive(agent, link, event),
            Act::ToAgent(agent, link, wire) => self.hear(agent, link, wire),
            Act::Turn(life) => return self.turn(life),
            Act::Tick(life, at) => {
                if self.console.up && self.console.life == life && self.console.next_tick() == Some(at) {
                    self.wake();
                }
            }
            Act::ConsoleUp => {
                self.console.start(self.now, &mut self.judge)?;
                self.judge.saw("console restarted");
                self.wake();
            }
            Act::Settled(life, attempt, settlement) => {
                if self.console.life == life {
                    self.give(Input::Event(Event::Settled(attempt, settlement)));
                }
            }
            Act::AgentUp(id) => self.agent_up(id),
            Act::Dial(id, instance) => self.dial(id, instance),
            Act::Beat(id, instance) => self.beat(id, instance),
            Act::Encoded(id, instance, attempt) => self.encoded(id, instance, attempt),
            Act::Rename(id, instance, attempt) => return self.rename(id, instance, attempt),
            Act::Stopped(id, instance, attempt) => self.stopped(id, instance, attempt),
            Act::SelfTested(id, instance, device, passed) => {
                self.self_tested(id, instance, device, passed);
            }
            Act::StopServer(life) => {
                if self.console.up && self.console.life == life {
                    self.crash();
                }
            }
            Act::Fault => self.fault(),
        }
        Ok(())
    }

    pub(crate) fn frozen(&self, act: &Act) -> Option<u64> {
        let id = match act {
            Act::ToAgent(id, ..)
            | Act::Dial(id, _)
            | Act::Beat(id, _)
            | Act::Encoded(id, ..)
            | Act::Rename(id, ..)
            | Act::SelfTested(id, ..)
            | Act::Stopped(id, ..) => id,
            _ => return None,
        };
        let until = self.agents[id].frozen_until;
        (until > self.now).then_some(until)
    }
}
