//! The loop itself: turns and their commit.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use vc_farm::effect::{Effect, Effects};
use vc_farm::event::{AgentEvent, Event, Now};
use vc_farm::{Farm, FarmConfig};
use vc_protocol::agent::{FromAgent, LiveLog};
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, AttemptId, RootId, SessionNo};
use vc_protocol::operator::{EventKind, Snapshot};

use super::EngineConfig;
use super::about::Boxes;
use super::calls::Pending;
use super::clock::Clock;
use super::errand::Errands;
use super::halt::Halt;
use super::input::{Input, Opened, SessionLink};
use super::meter::Meter;
use super::prove::{Challenged, Probe};
use super::snapshot::Painter;
use crate::store::{EventRow, Seen, Store, StoreError, Tally, Turn};

/// Jobs after which a turn is committed. A third of them touch the big table, at up to 50 us each: more would hold
/// everybody up, fewer would leave the disk waiting more often than it must.
const JOBS_MAX: usize = 512;
/// Inputs after which a turn ends even if they wrote nothing, so that snapshots and timers are never starved.
const INPUTS_MAX: usize = 1_024;

/// What the engine knows and does. Only its own thread touches it.
pub(super) struct Loop {
    pub(super) config: EngineConfig,
    pub(super) store: Store,
    pub(super) farm: Farm,
    pub(super) clock: Clock,
    pub(super) sessions: BTreeMap<AgentId, Session>,
    /// Challenges that were sent, with the answer that is expected.
    pub(super) expected: BTreeMap<(AgentId, RootId), Expected>,
    /// Operators that wait for an agent's log.
    pub(super) logs: BTreeMap<AttemptId, Vec<oneshot::Sender<LiveLog>>>,
    pub(super) boxes: Boxes,
    pub(super) errands: Errands,
    pub(super) painter: Painter,
    pub(super) meter: Meter,
    pub(super) tallies: watch::Sender<Tally>,
    in_hands: watch::Sender<usize>,
    pub(super) halted: Option<Halt>,
    stop: bool,
}

/// An agent's session.
pub(super) struct Session {
    pub(super) no: SessionNo,
    pub(super) link: SessionLink,
    pub(super) address: SocketAddr,
    /// Serial of the certificate that it has, and when that ends, milliseconds since 1970.
    pub(super) certificate: Option<(String, i64)>,
}

/// The answer that proves a folder.
pub(super) struct Expected {
    session: SessionNo,
    proof: [u8; 32],
    /// Removed when the answer came.
    pub(super) probe: Option<Probe>,
}

/// What happens once the rows of a turn are durable.
#[derive(Default)]
pub(super) struct After {
    pub(super) effects: Effects,
    pub(super) answers: Vec<Pending>,
    /// Something changed that a screen shows.
    pub(super) dirty: bool,
    /// The turn cannot be written: nothing of it counts.
    pub(super) broken: Option<StoreError>,
}

impl Loop {
    pub(super) fn new(
        config: EngineConfig,
        store: Store,
        errands: Errands,
        snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
        tallies: watch::Sender<Tally>,
        in_hands: watch::Sender<usize>,
    ) -> Result<Self, StoreError> {
        let clock = Clock::start();
        let (farm, outputs) = restore(&store, clock.now())?;
        Ok(Loop {
            config,
            farm,
            painter: Painter::new(snapshots, outputs),
            meter: Meter::new(),
            store,
            clock,
            sessions: BTreeMap::new(),
            expected: BTreeMap::new(),
            logs: BTreeMap::new(),
            boxes: Boxes::default(),
            errands,
            tallies,
            in_hands,
            halted: None,
            stop: false,
        })
    }

    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Input>, timers: &tokio::runtime::Runtime) {
        while !self.stop {
            let wait = self.sleep();
            self.clock.falls_asleep(wait);
            let first = match inbox.try_recv() {
                Ok(input) => Some(input),
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let woken = timers.block_on(async { tokio::time::timeout(wait, inbox.recv()).await });
                    match woken {
                        Ok(Some(input)) => Some(input),
                        Ok(None) => break,
                        Err(_) => None,
                    }
                }
            };
            self.turn(first, &mut inbox);
        }
        for session in self.sessions.values() {
            session.link.close(Close::Shutdown);
        }
    }

    /// Until the farm, a screen or the store needs another turn.
    fn sleep(&mut self) -> Duration {
        let due = self.farm.next_deadline().map(|(at, _)| at).filter(|_| self.halted.is_none());
        let mut wait = self.clock.until(due);
        if let Some(paint) = self.painter.next_paint() {
            wait = wait.min(paint);
        }
        if let Some(halt) = &self.halted {
            wait = wait.min(halt.next_try.saturating_duration_since(Instant::now()));
        }
        wait
    }

    /// Takes what has queued up, bounded, and makes it durable; then everything that follows from it.
    fn turn(&mut self, first: Option<Input>, inbox: &mut mpsc::Receiver<Input>) {
        if self.halted.is_some() {
            self.mend();
        }
        let late = self.clock.wakes();
        let store = self.store.clone();
        let mut turn = store.turn();
        let mut after = After::default();
        // While nothing can be written the farm in memory is not what the disk says: time stands still for it.
        if let Some(late) = late.filter(|_| self.halted.is_none()) {
            tracing::warn!(late_ms = late.0, "the engine stood still");
            self.apply(Event::Late(late), &mut turn, &mut after);
        }
        let mut next = first;
        let mut taken = 0;
        while let Some(input) = next {
            self.take(input, &mut turn, &mut after);
            taken += 1;
            let full = turn.jobs() >= JOBS_MAX || taken >= INPUTS_MAX || self.stop;
            next = if full { None } else { inbox.try_recv().ok() };
        }
        let now = self.clock.now();
        let is_due = self.farm.next_deadline().is_some_and(|(at, _)| at <= now.mono);
        if is_due && self.halted.is_none() {
            self.apply(Event::Tick, &mut turn, &mut after);
        }
        self.finish(turn, after);
        if self.meter.wants_sample(now.mono) {
            let (speed, running) = self.pace();
            self.meter.sample(now.mono, speed, running);
        }
        self.paint_if_due();
    }

    fn finish(&mut self, turn: Turn<'_>, after: After) {
        let wrote = !turn.is_empty();
        let committed = match after.broken {
            Some(error) => Err(error),
            None => turn.commit(),
        };
        let after = After { broken: None, ..after };
        match committed {
            Ok(()) => {
                if wrote {
                    let tally = self.store.tally();
                    self.meter.done(&tally);
                    self.tallies.send_if_modified(|known| std::mem::replace(known, tally) != tally);
                }
                if after.dirty || wrote {
                    self.painter.dirty();
                }
                if self.farm.closing().is_some() {
                    self.in_hands.send_replace(self.in_hand());
                }
                if let Err(error) = self.perform(after) {
                    self.halt(&error, Vec::new());
                }
            }
            Err(error) => self.halt(&error, after.answers),
        }
    }

    /// One input, as an event of the farm.
    fn take(&mut self, input: Input, turn: &mut Turn<'_>, after: &mut After) {
        match input {
            Input::Call(super::handle::Call::Stop) => self.stop = true,
            Input::Call(call) => self.call(call, turn, after),
            Input::Free(free) => self.painter.free(free),
            Input::Opened(opened) if self.halted.is_some() => opened.link.close(Close::Busy),
            Input::Challenged(challenged) if self.halted.is_some() => self.let_go(challenged),
            _ if self.halted.is_some() => {}
            Input::Opened(opened) => self.opened(opened, turn, after),
            Input::Renewed(renewal) => self.renewed(renewal, turn, after),
            Input::Closed(agent, session) => self.closed(agent, session, turn, after),
            Input::FromAgent(agent, session, message) => self.heard(agent, session, message, turn, after),
            Input::Challenged(challenged) => self.challenged(challenged, turn, after),
            Input::Settled(attempt, settlement) => {
                self.apply(Event::Settled(attempt, settlement), turn, after);
            }
        }
    }

    fn opened(&mut self, opened: Opened, turn: &mut Turn<'_>, after: &mut After) {
        let Opened { agent, session, name, address, hello, link } = opened;
        if self.sessions.get(&agent).is_some_and(|known| known.no > session) {
            return link.close(Close::Replaced);
        }
        turn.saw(agent, Seen::of(&name, address.to_string(), &hello));
        let certificate = link.certificate();
        if let Some(old) = self.sessions.insert(agent, Session { no: session, link, address, certificate }) {
            old.link.close(Close::Replaced);
        }
        self.painter.named(agent, &name);
        self.forget_challenges(agent);
        self.forget_questions(agent);
        let event = AgentEvent::Connected {
            instance: hello.instance,
            devices: hello.devices,
            inventory: hello.inventory,
        };
        self.apply(Event::Agent(agent, session, event), turn, after);
    }

    fn closed(&mut self, agent: AgentId, session: SessionNo, turn: &mut Turn<'_>, after: &mut After) {
        if self.sessions.get(&agent).is_some_and(|known| known.no == session) {
            self.sessions.remove(&agent);
            self.forget_challenges(agent);
        }
        self.apply(Event::Agent(agent, session, AgentEvent::Disconnected), turn, after);
    }

    fn forget_challenges(&mut self, agent: AgentId) {
        let gone = self.expected.extract_if((agent, RootId(0))..=(agent, RootId(u32::MAX)), |_, _| true);
        for (_, expected) in gone {
            self.errands.forget(expected.probe);
        }
    }

    fn heard(
        &mut self,
        agent: AgentId,
        session: SessionNo,
        message: FromAgent,
        turn: &mut Turn<'_>,
        after: &mut After,
    ) {
        let event = match message {
            // The session layer takes the hello; a second one means nothing.
            FromAgent::Hello(_) => return,
            FromAgent::Heartbeat(held) => AgentEvent::Heartbeat(held),
            FromAgent::Progress(list) => AgentEvent::Progress(list),
            FromAgent::AskCommit(attempt, proven) => AgentEvent::AskCommit(attempt, proven),
            FromAgent::Report(report) => AgentEvent::Report(report),
            FromAgent::Proof(root, answer) => match self.judge_proof(agent, session, root, answer) {
                Some(verdict) => AgentEvent::RootProof(root, verdict),
                None => return,
            },
            FromAgent::Log(attempt, log) => {
                // Only its holder knows what an attempt printed.
                if self.holder(attempt) == Some((agent, session)) {
                    self.answer_log(attempt, &log);
                }
                return;
            }
            FromAgent::Facts(facts) => {
                let rtt_us = self.sessions.get(&agent).map_or(0, |session| session.link.rtt_us());
                self.boxes.heard(agent, *facts, self.clock.now().wall_ms, rtt_us);
                after.dirty = true;
                return;
            }
            FromAgent::Devices(devices) => {
                if self.sessions.get(&agent).is_some_and(|known| known.no == session) {
                    turn.saw_devices(agent, &devices);
                }
                AgentEvent::Devices(devices)
            }
            FromAgent::OwnLog(log) => return self.boxes.log(agent, &log),
            FromAgent::SelfTested(device, verdict) => AgentEvent::SelfTested(device, verdict),
            FromAgent::Draining => AgentEvent::Draining,
        };
        self.apply(Event::Agent(agent, session, event), turn, after);
    }

    /// What an answer to a challenge proves; none if nobody asked.
    fn judge_proof(
        &mut self,
        agent: AgentId,
        session: SessionNo,
        root: RootId,
        answer: Result<[u8; 32], String>,
    ) -> Option<Result<(), String>> {
        let expected = self.expected.remove(&(agent, root))?;
        self.errands.forget(expected.probe);
        if expected.session != session {
            return None;
        }
        Some(match answer {
            Ok(proof) if proof == expected.proof => Ok(()),
            Ok(_) => Err("it sees other files there than the console does".to_owned()),
            Err(why) => Err(why),
        })
    }

    fn challenged(&mut self, challenged: Challenged, turn: &mut Turn<'_>, after: &mut After) {
        let (agent, session, root) = (challenged.agent, challenged.session, challenged.root);
        let Some(known) = self.sessions.get(&agent).filter(|known| known.no == session) else {
            return self.let_go(challenged);
        };
        match challenged.made {
            Ok(made) => {
                known.link.send(vc_protocol::agent::ToAgent::Prove(made.challenge));
                let expected = Expected { session, proof: made.expected, probe: made.probe };
                let unanswered = self.expected.insert((agent, root), expected);
                self.errands.forget(unanswered.and_then(|old| old.probe));
            }
            Err(why) => {
                let event = AgentEvent::RootProof(root, Err(why));
                self.apply(Event::Agent(agent, session, event), turn, after);
            }
        }
    }

    /// Nobody is left to be challenged.
    fn let_go(&self, challenged: Challenged) {
        self.errands.forget(challenged.made.ok().and_then(|made| made.probe));
    }

    /// One event: its rows into the turn, the rest kept until they are durable.
    pub(super) fn apply(&mut self, event: Event, turn: &mut Turn<'_>, after: &mut After) {
        let now = self.clock.now();
        let mut effects = Effects::new();
        self.farm.apply(now, event, &mut effects);
        after.dirty = true;
        for effect in effects {
            match effect {
                Effect::PutJob(record) => turn.put_job(*record),
                Effect::PutAttempt(record) => {
                    self.painter.ended(&record);
                    turn.put_attempt(*record);
                }
                Effect::PutFarm(record) => turn.put_farm(record),
                Effect::PutAgent(agent, record) => turn.put_agent(agent, record),
                Effect::Restamp(job, stamp) => turn.restamp(job, stamp),
                Effect::Note(note) => {
                    tracing::info!(
                        job = note.job.map(|id| id.0),
                        agent = note.agent.map(|id| id.0),
                        who = (!note.who.is_empty()).then_some(&note.who),
                        "{}",
                        note.text
                    );
                    let agent = note.agent.map(|id| self.agent_name(id));
                    let place = match (note.agent, note.device) {
                        (Some(id), Some(device)) => Some(self.place(id, device)),
                        _ => agent.clone(),
                    };
                    let text = match (place, note.job) {
                        (Some(name), None) => format!("{name} {}", note.text),
                        // The place goes before the reason, which may end in anything.
                        (Some(name), Some(_)) => match note.text.split_once(": ") {
                            Some((what, why)) => format!("{what} on {name}: {why}"),
                            None => format!("{} on {name}", note.text),
                        },
                        (None, _) => note.text,
                    };
                    let kind = match (note.job, note.agent) {
                        _ if !note.who.is_empty() => EventKind::Operator,
                        (Some(_), _) => EventKind::Job,
                        (None, Some(_)) => EventKind::Agent,
                        (None, None) => EventKind::Farm,
                    };
                    turn.note(EventRow {
                        at_ms: now.wall_ms,
                        kind,
                        text,
                        who: note.who,
                        agent: agent.unwrap_or_default(),
                        job: note.job,
                    });
                }
                Effect::Offer { .. }
                | Effect::Tell(..)
                | Effect::Close(..)
                | Effect::Prove { .. }
                | Effect::Settle(..) => after.effects.push(effect),
            }
        }
    }
}

/// The farm as the store has it, and the folders that its outputs go to.
pub(super) fn restore(store: &Store, now: Now) -> Result<(Farm, BTreeSet<RootId>), StoreError> {
    let mut farm = Farm::new(FarmConfig::default(), now);
    let mut outputs = BTreeSet::new();
    farm.restore_farm(store.farm_record()?);
    for (agent, record) in store.agent_records()? {
        farm.restore_agent(agent, record);
    }
    store.reader()?.each_live(|record| {
        outputs.insert(record.group.output_root);
        farm.restore(record);
    })?;
    Ok((farm, outputs))
}
