//! The world of one seed: a console, a few agents, a network and a disk, driven through simulated time.

use std::collections::BTreeMap;

use vc_farm::FarmConfig;
use vc_farm::effect::Effect;
use vc_farm::event::{AgentEvent, Event, NewJob, OperatorEvent, Settlement};
use vc_farm::record::Group;
use vc_protocol::agent::{Disposition, Outcome, ToAgent};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AgentId, AttemptId, BatchId, JobId, ProfileId, RootId};
use vc_protocol::job::{FileStamp, JobState, Priority};
use vc_protocol::profile::VideoCodec;
use vc_protocol::progress::{Phase, Progress};

use crate::agent::{Agent, Link, Work, misfortune, proven, report};
use crate::console::{Console, Input, Turn};
use crate::disk::{Disk, File, Renamed};
use crate::judge::{Judge, Sometimes, Verdict};
use crate::rng::Rng;

/// Faults go on until the farm was given this many events.
const FAULTY_EVENTS: u64 = 520;
/// Without faults everything must end within this time: the longest backoffs and leases of a dozen jobs in a row.
const CALM_MS: u64 = 8 * 3_600_000;
/// Longest encode then, so that only waits and leases take time.
const CALM_ENCODE_MS: u64 = 5_000;
/// Jobs of one world: enough for queues, few enough to end soon.
const JOBS_MAX: usize = 50;
/// Between heartbeats. The real agents' five seconds would only fill the events with them.
const BEAT_MS: u64 = 10_000;
/// Reports and questions that were not answered are repeated after this long.
const REPEAT_MS: u64 = 10_000;
/// An agent that is not welcomed for this long dials again.
const WELCOME_MS: u64 = 30_000;
/// A grant this old is asked for again before the rename.
const GRANT_FRESH_MS: u64 = 10_000;

const SOURCE: RootId = RootId(1);
const OUTPUTS: [RootId; 2] = [RootId(10), RootId(11)];

/// A rule of the engine that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    CommitThenSend,
    /// The mutant.
    SendThenCommit,
}

#[derive(Debug, Clone)]
enum Wire {
    Offer(AttemptId, FileStamp),
    Prove(RootId),
    Tell(ToAgent),
    Close,
}

#[derive(Debug, Clone)]
enum Act {
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
    Fault,
}

/// How rough this world is.
#[derive(Debug, Clone, Copy)]
struct Weather {
    /// Messages of one session may come twice, late or not at all, which QUIC rules out.
    hostile_network: bool,
    fault_every_ms: u64,
    encode_ms: u64,
    /// One encode in this many goes wrong.
    wrong_in: u64,
}

pub(crate) struct World {
    rng: Rng,
    now: u64,
    queue: BTreeMap<(u64, u64), Act>,
    seq: u64,
    console: Console,
    agents: BTreeMap<AgentId, Agent>,
    disk: Disk,
    judge: Judge,
    /// Sources as they are.
    sources: BTreeMap<JobId, FileStamp>,
    /// Last delivery on each link, towards console and agent: a session keeps its order.
    lanes: BTreeMap<(AgentId, Link, bool), u64>,
    weather: Weather,
    calm: bool,
    order: Order,
    turn_set: bool,
    late_ms: u64,
    hashes: u64,
    events: u64,
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

    fn at(&mut self, after_ms: u64, act: Act) {
        self.seq += 1;
        self.queue.insert((self.now + after_ms, self.seq), act);
    }

    fn step(&mut self) -> Verdict {
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
            Act::Fault => self.fault(),
        }
        Ok(())
    }

    fn frozen(&self, act: &Act) -> Option<u64> {
        let id = match act {
            Act::ToAgent(id, ..)
            | Act::Dial(id, _)
            | Act::Beat(id, _)
            | Act::Encoded(id, ..)
            | Act::Rename(id, ..)
            | Act::Stopped(id, ..) => id,
            _ => return None,
        };
        let until = self.agents[id].frozen_until;
        (until > self.now).then_some(until)
    }

    // --- the console

    fn give(&mut self, input: Input) {
        if self.console.up {
            self.console.inbox.push(input);
            self.wake();
        }
    }

    /// A turn is due: soon, so that what comes together is committed together.
    fn wake(&mut self) {
        if !self.turn_set {
            self.turn_set = true;
            let after = self.rng.range(0, 300);
            self.at(after + self.late_ms, Act::Turn(self.console.life));
        }
    }

    fn turn(&mut self, life: u64) -> Verdict {
        if !self.console.up || self.console.life != life {
            return Ok(());
        }
        self.turn_set = false;
        let late_ms = std::mem::take(&mut self.late_ms);
        if late_ms > 0 {
            self.judge.saw("console stood still");
        }
        let (mut turn, count) = self.console.turn(self.now, late_ms, &mut self.judge)?;
        self.events += count;
        let first = std::mem::take(&mut turn.rest);
        if self.order == Order::SendThenCommit {
            self.send(&first)?;
        }
        if !self.calm && self.rng.one_in(150) {
            self.judge.saw("crash before the commit");
            self.crash();
            return Ok(());
        }
        self.commit(&mut turn)?;
        if self.order == Order::CommitThenSend {
            let cut = if !self.calm && self.rng.one_in(150) {
                usize::try_from(self.rng.range(0, first.len() as u64)).ok()
            } else {
                None
            };
            self.send(&first[..cut.unwrap_or(first.len())])?;
            if cut.is_some() {
                self.judge.saw("crash after the commit");
                self.crash();
                return Ok(());
            }
        }
        if let Some(at) = self.console.next_tick() {
            let life = self.console.life;
            self.at(at.saturating_sub(self.now), Act::Tick(life, at));
        }
        Ok(())
    }

    fn commit(&mut self, turn: &mut Turn) -> Verdict {
        for row in turn.rows.values() {
            self.judge.on_committed(row, &self.disk)?;
        }
        self.console.commit(turn);
        Ok(())
    }

    fn crash(&mut self) {
        self.console.up = false;
        self.turn_set = false;
        self.late_ms = 0;
        let away = self.rng.range(100, 120_000);
        self.at(away, Act::ConsoleUp);
        let ids: Vec<AgentId> = self.agents.keys().copied().collect();
        for id in ids {
            self.cut(id);
        }
    }

    fn send(&mut self, effects: &[Effect]) -> Verdict {
        for effect in effects {
            self.judge.on_sent(effect, &self.console.store)?;
            let life = self.console.life;
            match effect {
                Effect::Offer { agent, session, attempt, .. } => {
                    let link = Link { life, session: *session };
                    let stamp = self.console.stamps.get(&attempt.job).copied();
                    let stamp = stamp.unwrap_or(FileStamp { size: 0, mtime_ns: 0 });
                    self.to_agent(*agent, link, Wire::Offer(*attempt, stamp));
                }
                Effect::Tell(agent, session, message) => {
                    self.to_agent(*agent, Link { life, session: *session }, Wire::Tell(message.clone()));
                }
                Effect::Prove { agent, session, root, .. } => {
                    self.to_agent(*agent, Link { life, session: *session }, Wire::Prove(*root));
                }
                Effect::Close(agent, session, _) => {
                    self.to_agent(*agent, Link { life, session: *session }, Wire::Close);
                }
                Effect::Settle(attempt, granted) => {
                    let found = self.settle(*attempt, granted.hash)?;
                    let after = self.rng.range(0, 5_000);
                    self.at(after, Act::Settled(life, *attempt, found));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the engine does about the output of a vanished holder.
    fn settle(&mut self, attempt: AttemptId, hash: [u8; 32]) -> Result<Settlement, String> {
        if !self.calm && self.rng.one_in(4) {
            self.judge.saw("settle: unreachable");
            return Ok(Settlement::Unreachable("not mounted".to_owned()));
        }
        if self.disk.parts.get(&attempt).is_some_and(|part| part.hash == hash)
            && self.disk.rename(attempt) == Renamed::Done
        {
            self.judge.saw("settle: renamed for the holder");
            self.judge.on_created(attempt, &self.disk.finals[&attempt.job], &self.console.store)?;
            return Ok(Settlement::InPlace(50));
        }
        match self.disk.finals.get(&attempt.job) {
            Some(file) if file.hash == hash => {
                self.judge.saw("settle: found in place");
                Ok(Settlement::InPlace(50))
            }
            Some(_) => {
                self.judge.saw("settle: name taken");
                Ok(Settlement::NameTaken)
            }
            None => {
                self.judge.saw("settle: withdrawn");
                self.disk.unlink_parts(attempt.job);
                Ok(Settlement::Withdrawn)
            }
        }
    }

    // --- the network

    fn delay(&mut self) -> u64 {
        if self.rng.one_in(20) { self.rng.range(100, 4_000) } else { self.rng.range(1, 60) }
    }

    /// When a message of this link arrives. A session keeps its order, unless the network is hostile.
    fn arrival(&mut self, agent: AgentId, link: Link, to_agent: bool) -> u64 {
        let at = self.now + self.delay();
        if self.weather.hostile_network && !self.calm && self.rng.one_in(10) {
            self.judge.saw("network: reordered");
            return at + self.rng.range(0, 30_000);
        }
        let last = self.lanes.entry((agent, link, to_agent)).or_default();
        *last = at.max(*last);
        *last
    }

    /// How often a message arrives.
    fn copies(&mut self) -> u64 {
        if self.weather.hostile_network && !self.calm {
            match self.rng.range(0, 29) {
                0 => {
                    self.judge.saw("network: lost");
                    return 0;
                }
                1 | 2 => {
                    self.judge.saw("network: duplicated");
                    return 2;
                }
                _ => {}
            }
        }
        1
    }

    fn to_agent(&mut self, agent: AgentId, link: Link, wire: Wire) {
        for _ in 0..self.copies() {
            let at = self.arrival(agent, link, true);
            self.at(at - self.now, Act::ToAgent(agent, link, wire.clone()));
        }
    }

    fn to_console(&mut self, agent: AgentId, event: AgentEvent) {
        let Some(link) = self.agents[&agent].link else { return };
        for _ in 0..self.copies() {
            let at = self.arrival(agent, link, false);
            self.at(at - self.now, Act::ToConsole(agent, link, event.clone()));
        }
    }

    fn arrive(&mut self, agent: AgentId, link: Link, event: AgentEvent) {
        if link.life == self.console.life {
            self.give(Input::Event(Event::Agent(agent, link.session, event)));
        }
    }

    /// The connection of an agent breaks. What is under way may arrive still; each side notices in its own time.
    fn cut(&mut self, id: AgentId) {
        let Some(link) = self.agents[&id].link else { return };
        let lossy = self.rng.one_in(2);
        let before = self.rng.range(0, 3_000) + self.now;
        if lossy {
            self.queue.retain(|(at, _), act| {
                let under_way = match act {
                    Act::ToConsole(a, l, _) | Act::ToAgent(a, l, _) => *a == id && *l == link,
                    _ => false,
                };
                !under_way || *at <= before
            });
        }
        let notices = self.rng.range(1, 20_000);
        self.at(notices, Act::ToConsole(id, link, AgentEvent::Disconnected));
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.link = None;
        let instance = agent.instance;
        if agent.up {
            let dials = self.rng.range(500, 30_000);
            self.at(dials, Act::Dial(id, instance));
        }
    }

    // --- agents

    fn agent(&mut self, id: AgentId, instance: u64) -> Option<&mut Agent> {
        self.agents.get_mut(&id).filter(|a| a.up && a.instance == instance)
    }

    fn agent_up(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.up = true;
        let instance = agent.instance;
        self.at(500, Act::Dial(id, instance));
        self.at(501, Act::Beat(id, instance));
    }

    fn dial(&mut self, id: AgentId, instance: u64) {
        let now = self.now;
        let console_up = self.console.up;
        let (life, session) = (self.console.life, self.console.sessions + 1);
        let Some(agent) = self.agent(id, instance) else { return };
        if agent.link.is_some() {
            return;
        }
        if !console_up {
            let again = self.rng.range(500, 30_000);
            self.at(again, Act::Dial(id, instance));
            return;
        }
        agent.link = Some(Link { life, session: vc_protocol::id::SessionNo(session) });
        agent.unwelcome_since = Some(now);
        let (devices, inventory) = (agent.devices(), agent.inventory());
        let draining = agent.draining;
        self.console.sessions = session;
        self.to_console(id, AgentEvent::Connected { instance, devices, inventory });
        if draining {
            self.to_console(id, AgentEvent::Draining);
        }
    }

    fn beat(&mut self, id: AgentId, instance: u64) {
        let now = self.now;
        let Some(agent) = self.agent(id, instance) else { return };
        if agent.link.is_some() && agent.unwelcome_since.is_some_and(|since| now > since + WELCOME_MS) {
            self.cut(id);
        }
        let Some(agent) = self.agent(id, instance) else { return };
        let holding = agent.holding();
        let encoding = agent.work.iter().find(|(_, w)| matches!(w, Work::Encoding(_))).map(|(a, _)| *a);
        let mut repeats = Vec::new();
        for (attempt, work) in &mut agent.work {
            match work {
                Work::Ended(report, at) if now >= *at + REPEAT_MS => {
                    *at = now;
                    repeats.push(AgentEvent::Report(report.clone()));
                }
                Work::Proven(proven, at) if now >= *at + REPEAT_MS => {
                    *at = now;
                    repeats.push(AgentEvent::AskCommit(*attempt, proven.clone()));
                }
                _ => {}
            }
        }
        self.to_console(id, AgentEvent::Heartbeat(holding));
        if let Some(attempt) = encoding.filter(|_| self.rng.one_in(2)) {
            self.to_console(id, AgentEvent::Progress(vec![(attempt, Progress::start(Phase::Encoding))]));
        }
        for repeat in repeats {
            self.to_console(id, repeat);
        }
        self.at(BEAT_MS, Act::Beat(id, instance));
    }

    fn hear(&mut self, id: AgentId, link: Link, wire: Wire) {
        let Some(agent) = self.agents.get_mut(&id).filter(|a| a.up && a.link == Some(link)) else { return };
        let instance = agent.instance;
        match wire {
            Wire::Close => {
                agent.link = None;
                let dials = self.rng.range(500, 5_000);
                self.at(dials, Act::Dial(id, instance));
            }
            Wire::Prove(root) => {
                let sees = self.calm || !self.rng.one_in(8);
                let proof = if sees { Ok(()) } else { Err("no such folder".to_owned()) };
                self.to_console(id, AgentEvent::RootProof(root, proof));
            }
            Wire::Offer(attempt, stamp) => {
                if agent.seen.insert(attempt) && !agent.work.contains_key(&attempt) {
                    agent.work.insert(attempt, Work::Waiting(stamp));
                    if agent.draining {
                        self.end(id, attempt, Outcome::Stopped);
                    } else {
                        self.begin(id);
                    }
                }
            }
            Wire::Tell(message) => self.told(id, instance, message),
        }
    }

    fn told(&mut self, id: AgentId, instance: u64, message: ToAgent) {
        match message {
            ToAgent::Welcome { inventory, .. } => {
                if let Some(agent) = self.agents.get_mut(&id) {
                    agent.unwelcome_since = None;
                }
                for (attempt, disposition) in inventory {
                    match disposition {
                        Disposition::Continue => {}
                        Disposition::Commit => self.granted(id, instance, attempt),
                        Disposition::Done => self.forget(id, attempt, false),
                        Disposition::Abandon => self.forget(id, attempt, true),
                    }
                }
            }
            ToAgent::Cancel(attempt) => {
                let Some(work) = self.agents.get_mut(&id).and_then(|a| a.work.get_mut(&attempt)) else {
                    return;
                };
                if !matches!(work, Work::Ended(..)) {
                    *work = Work::Stopping;
                    let takes = self.rng.range(0, 2_000);
                    self.at(takes, Act::Stopped(id, instance, attempt));
                }
            }
            ToAgent::Granted(attempt) => self.granted(id, instance, attempt),
            ToAgent::Done(attempt) => self.forget(id, attempt, false),
            ToAgent::Stale(attempt) => self.forget(id, attempt, true),
            ToAgent::Offer(_) | ToAgent::Prove(_) | ToAgent::WantLog(_) => {}
        }
    }

    /// Starts what waits, while slots are free.
    fn begin(&mut self, id: AgentId) {
        loop {
            let Some(agent) = self.agents.get_mut(&id).filter(|a| a.up && !a.draining) else { return };
            if agent.encoding() >= usize::from(agent.slots) {
                return;
            }
            let waiting = agent.work.iter().find_map(|(a, w)| match w {
                Work::Waiting(stamp) => Some((*a, *stamp)),
                _ => None,
            });
            let Some((attempt, stamp)) = waiting else { return };
            agent.work.insert(attempt, Work::Encoding(stamp));
            let instance = agent.instance;
            self.disk.parts.insert(attempt, File { hash: [0; 32], whole: false });
            let longest = if self.calm { CALM_ENCODE_MS } else { self.weather.encode_ms };
            let takes = self.rng.range(longest / 4, longest);
            self.at(takes, Act::Encoded(id, instance, attempt));
        }
    }

    fn encoded(&mut self, id: AgentId, instance: u64, attempt: AttemptId) {
        let wrong = !self.calm && self.rng.one_in(self.weather.wrong_in);
        let source = self.sources[&attempt.job];
        let taken = self.disk.finals.contains_key(&attempt.job);
        let now = self.now;
        self.hashes += 1;
        let number = self.hashes;
        let Some(agent) = self.agent(id, instance) else { return };
        let Some(Work::Encoding(stamp)) = agent.work.get(&attempt) else { return };
        let outcome = if *stamp != source {
            Outcome::SourceChanged(source)
        } else if taken {
            Outcome::Skipped("output was there already".to_owned())
        } else if wrong {
            misfortune(&mut self.rng)
        } else {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            let proven = proven(attempt, hash);
            agent.work.insert(attempt, Work::Proven(proven.clone(), now));
            self.disk.parts.insert(attempt, File { hash, whole: true });
            self.to_console(id, AgentEvent::AskCommit(attempt, proven));
            self.begin(id);
            return;
        };
        self.end(id, attempt, outcome);
    }

    fn end(&mut self, id: AgentId, attempt: AttemptId, outcome: Outcome) {
        self.disk.parts.remove(&attempt);
        let report = report(attempt, outcome);
        let now = self.now;
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.work.insert(attempt, Work::Ended(report.clone(), now));
        }
        self.to_console(id, AgentEvent::Report(report));
        self.begin(id);
    }

    fn granted(&mut self, id: AgentId, instance: u64, attempt: AttemptId) {
        let now = self.now;
        let Some(work) = self.agents.get_mut(&id).and_then(|a| a.work.get_mut(&attempt)) else { return };
        if let Work::Proven(proven, _) | Work::Granted(proven, _) = work {
            *work = Work::Granted(proven.clone(), now);
            let after =
                if self.rng.one_in(10) { self.rng.range(1_000, 15_000) } else { self.rng.range(0, 50) };
            self.at(after, Act::Rename(id, instance, attempt));
        }
    }

    fn rename(&mut self, id: AgentId, instance: u64, attempt: AttemptId) -> Verdict {
        let now = self.now;
        let Some(agent) = self.agent(id, instance) else { return Ok(()) };
        let Some(Work::Granted(proven, since)) = agent.work.get(&attempt).cloned() else { return Ok(()) };
        if now > since + GRANT_FRESH_MS {
            agent.work.insert(attempt, Work::Proven(proven.clone(), now));
            self.judge.saw("old grant asked for again");
            self.to_console(id, AgentEvent::AskCommit(attempt, proven));
            return Ok(());
        }
        let fails = !self.calm && self.rng.one_in(40);
        let outcome = match self.disk.rename(attempt) {
            Renamed::Done => {
                self.judge.on_created(attempt, &self.disk.finals[&attempt.job], &self.console.store)?;
                if fails {
                    self.judge.saw("rename done, reported as failed");
                    Outcome::Failed(Failure::new(FailureClass::Infrastructure, "fsync: EIO"))
                } else {
                    Outcome::Committed(proven)
                }
            }
            Renamed::Exists(hash) if hash == proven.hash => {
                self.judge.saw("late rename finds it done");
                Outcome::Committed(proven)
            }
            Renamed::Exists(_) => Outcome::Failed(Failure::new(FailureClass::Job, "name taken")),
            Renamed::NoPart => {
                self.judge.saw("late rename finds its file gone");
                Outcome::Failed(Failure::new(FailureClass::Infrastructure, "part file is gone"))
            }
        };
        // Killed between the rename and the journal.
        if !self.calm && self.rng.one_in(40) {
            self.judge.saw("agent died right after the rename");
            self.kill(id);
            return Ok(());
        }
        self.end(id, attempt, outcome);
        Ok(())
    }

    fn stopped(&mut self, id: AgentId, instance: u64, attempt: AttemptId) {
        let Some(agent) = self.agent(id, instance) else { return };
        if matches!(agent.work.get(&attempt), Some(Work::Stopping)) {
            self.end(id, attempt, Outcome::Stopped);
        }
    }

    fn forget(&mut self, id: AgentId, attempt: AttemptId, and_files: bool) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.work.remove(&attempt);
        }
        if and_files {
            self.disk.parts.remove(&attempt);
        }
        self.begin(id);
    }

    // --- faults and people

    fn kill(&mut self, id: AgentId) {
        let journal = self.rng.one_in(2);
        let swept = self.rng.one_in(2);
        self.cut(id);
        let Some(agent) = self.agents.get_mut(&id) else { return };
        for lost in agent.die(journal) {
            let half = self.disk.parts.get(&lost).is_some_and(|part| !part.whole);
            if swept || half {
                self.disk.parts.remove(&lost);
            }
        }
        let away = self.rng.range(1_000, 200_000);
        self.at(away, Act::AgentUp(id));
    }

    fn some_agent(&mut self) -> AgentId {
        let count = self.agents.len() as u64;
        AgentId(u32::try_from(self.rng.range(1, count)).unwrap_or(1))
    }

    fn some_job(&mut self) -> JobId {
        JobId(self.rng.range(1, self.sources.len().max(1) as u64))
    }

    fn fault(&mut self) {
        let next = self.rng.range(1, 2 * self.weather.fault_every_ms);
        self.at(next, Act::Fault);
        if self.calm {
            self.calm_down();
            return;
        }
        let agent = self.some_agent();
        let job = self.some_job();
        match self.rng.range(0, 19) {
            0 | 1 if self.agents[&agent].up => self.kill(agent),
            2..=4 => self.cut(agent),
            5 | 6 => self.freeze(agent),
            7 if self.console.up => {
                self.judge.saw("console crashed");
                self.crash();
            }
            8 => self.late_ms = self.rng.range(2_000, 200_000),
            9 | 10 => self.give(Input::Event(Event::Operator(OperatorEvent::Cancel(job)))),
            11..=14 => self.give(Input::Retry(job)),
            15 => {
                if let Some(stamp) = self.sources.get_mut(&job) {
                    stamp.size += 1;
                }
            }
            16 if self.rng.one_in(3) => {
                // Somebody else puts a file where an output belongs.
                let running = self.console.store.get(&job).is_some_and(|r| r.state == JobState::Running);
                if running && !self.disk.finals.contains_key(&job) {
                    self.disk.finals.insert(job, File { hash: [255; 32], whole: true });
                }
            }
            17 => self.drain(agent),
            18 if self.sources.len() < JOBS_MAX => self.add_jobs(),
            _ => {}
        }
    }

    /// Everything comes back, and stays.
    fn calm_down(&mut self) {
        self.late_ms = 0;
        for agent in self.agents.values_mut() {
            agent.frozen_until = 0;
        }
    }

    fn freeze(&mut self, id: AgentId) {
        let lasts =
            if self.rng.one_in(2) { self.rng.range(1_000, 30_000) } else { self.rng.range(30_000, 400_000) };
        // A hung program may keep its connection, since its kernel or its library answers.
        if lasts > 20_000 && self.rng.one_in(2) {
            self.cut(id);
        }
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.frozen_until = self.now + lasts;
        }
    }

    fn drain(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|a| a.up && !a.draining) else { return };
        agent.draining = true;
        self.judge.saw("agent went down in good order");
        let unfinished: Vec<AttemptId> = agent
            .work
            .iter()
            .filter(|(_, w)| matches!(w, Work::Waiting(_) | Work::Encoding(_)))
            .map(|(a, _)| *a)
            .collect();
        self.to_console(id, AgentEvent::Draining);
        for attempt in unfinished {
            self.end(id, attempt, Outcome::Stopped);
        }
        self.kill(id);
    }

    fn add_jobs(&mut self) {
        let count = self.rng.range(1, 8);
        let batch = BatchId(u32::try_from(self.rng.range(1, 3)).unwrap_or(1));
        let output = if self.rng.one_in(4) { OUTPUTS[1] } else { OUTPUTS[0] };
        let codec = if self.rng.one_in(3) { VideoCodec::Av1 } else { VideoCodec::H264 };
        let mut jobs = Vec::new();
        for _ in 0..count {
            let id = JobId(self.sources.len() as u64 + 1);
            self.sources.insert(id, FileStamp { size: 0, mtime_ns: 0 });
            let priority = Priority(u8::try_from(self.rng.range(4, 6)).unwrap_or(5));
            let group =
                Group { source_root: SOURCE, output_root: output, profile: ProfileId(1), codec, batch };
            jobs.push(NewJob { id, group, priority, cost: self.rng.range(1, 1_000) });
        }
        self.give(Input::Add(jobs));
    }
}
