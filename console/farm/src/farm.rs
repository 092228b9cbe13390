//! The farm: its whole state, and the only door to it.
//!
//! Knows nothing of what any event means: [`Farm::apply`] hands each family to its `on_*` file, then hands out what
//! became ready, then checks itself.

use std::collections::{BTreeMap, BTreeSet};

use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, SessionNo};
use vc_protocol::job::JobState;

use crate::agent::Agent;
use crate::effect::{Effect, Effects, Note};
use crate::event::{Event, Millis, NewJob, Now};
use crate::failure::RETRIES_MAX;
use crate::jobs::Jobs;
use crate::lease::{Clock, RECONCILE_MS, Run, Seat, Settling, Standing};
use crate::matching::Rooms;
use crate::on_time::{Due, Timers};
use crate::ready::{LaneKey, Ready};
use crate::record::{AgentRecord, FarmRecord, JobRecord, Pause};

/// What an operator can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FarmConfig {
    /// Retries of a job's own budget.
    pub retries_max: u8,
    /// A rule to leave out, so that the simulator can prove that it would notice. Never set outside tests.
    #[doc(hidden)]
    pub mutant: Option<Mutant>,
}

impl Default for FarmConfig {
    fn default() -> Self {
        FarmConfig { retries_max: RETRIES_MAX, mutant: None }
    }
}

/// Rules that the simulator can leave out.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// What is said of an old attempt counts for the current one.
    NoAttemptCheck,
    /// A grant is taken back like a lease.
    GrantLapses,
    /// After a restart everything is taken back at once.
    TakeBackAtOnce,
    /// A quarantined device gets work.
    QuarantineIgnored,
    /// What an agent offers is what it said when it connected.
    OfferKept,
}

/// The farm.
#[derive(Debug)]
pub struct Farm {
    pub(crate) config: FarmConfig,
    pub(crate) clock: Clock,
    pub(crate) wall_ms: i64,
    pub(crate) jobs: Jobs,
    pub(crate) ready: Ready,
    /// Every attempt that is handed out, and those that were fenced off and may still fill a slot.
    pub(crate) runs: BTreeMap<AttemptId, Run>,
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    pub(crate) rooms: Rooms,
    /// Devices whose room or abilities changed since the last dispatch.
    pub(crate) woken: BTreeSet<(AgentId, DeviceId)>,
    pub(crate) timers: Timers,
    /// Until somebody resumes.
    pub(crate) paused: Option<Pause>,
    /// Their keys are refused; what they still say on their way out counts for nothing.
    pub(crate) revoked: BTreeSet<AgentId>,
    /// The console is about to end.
    pub(crate) closing: Option<Pause>,
    unchecked: usize,
}

impl Farm {
    /// An empty farm.
    pub fn new(config: FarmConfig, now: Now) -> Self {
        Farm {
            config,
            clock: Clock::new(now.mono),
            wall_ms: now.wall_ms,
            jobs: Jobs::default(),
            ready: Ready::default(),
            runs: BTreeMap::new(),
            agents: BTreeMap::new(),
            rooms: Rooms::default(),
            woken: BTreeSet::new(),
            timers: Timers::default(),
            paused: None,
            revoked: BTreeSet::new(),
            closing: None,
            unchecked: 0,
        }
    }

    /// Takes back the row of a job that is not final, before the first [`Farm::apply`]. What was handed out stays with
    /// its agents: they have [`RECONCILE_MS`] to say what became of it.
    pub fn restore(&mut self, record: JobRecord) {
        debug_assert!(!record.state.is_final(), "final jobs are not restored");
        if record.state.is_final() || self.jobs.get(record.id).is_some() {
            return;
        }
        self.enter_group(record.group);
        if record.is_fresh() {
            let job =
                NewJob { id: record.id, group: record.group, priority: record.priority, cost: record.cost };
            let ticket = self.jobs.insert_fresh(&job);
            self.ready.push(&ticket);
            return;
        }
        let id = record.id;
        let live: Vec<_> = record
            .live_attempts()
            .into_iter()
            .filter_map(|attempt| Some((attempt, record.task(attempt.task)?.lease()?)))
            .collect();
        self.jobs.insert_live(record);
        for (attempt, lease) in live {
            let listened = self.clock.listened();
            let wait_ms = if self.config.mutant == Some(Mutant::TakeBackAtOnce) { 0 } else { RECONCILE_MS };
            let lapses = listened.plus(wait_ms);
            self.meet(lease.agent);
            let armed = self.clock.mono_of(lapses);
            self.timers.set(armed, Due::Lease(attempt));
            let run = Run {
                lease,
                standing: Standing::Live,
                seat: Seat::Taken,
                lapses,
                armed,
                progress: None,
                settling: Settling::No,
                report: None,
            };
            self.seat(attempt, run);
        }
        self.enqueue(id);
    }

    /// Takes back what was remembered of the farm as a whole, before the first [`Farm::apply`].
    pub fn restore_farm(&mut self, record: FarmRecord) {
        self.paused = record.paused;
    }

    /// Takes over from the farm of the same process that it is to end, before the first [`Farm::apply`].
    pub fn restore_closing(&mut self, closing: Option<Pause>) {
        self.closing = closing;
    }

    /// Takes back what was remembered of an agent, before the first [`Farm::apply`].
    pub fn restore_agent(&mut self, id: AgentId, record: AgentRecord) {
        self.meet(id);
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.drained = record.drained;
        for device in record.devices {
            let (no, wall_ms) = (device.id, self.wall_ms);
            let Some(agent) = self.agents.get_mut(&id) else { return };
            let seats = agent.devices.entry(no).or_default();
            seats.drained = device.drained;
            if let Some(left_ms) = seats.ward.restore(device, wall_ms) {
                self.set_alarm(id, no, left_ms);
            }
        }
    }

    /// Makes room for an agent that has not connected yet.
    pub(crate) fn meet(&mut self, id: AgentId) {
        if !self.agents.contains_key(&id) {
            self.agents.insert(id, Agent::unheard(self.clock.listened()));
            self.arm_silence(id);
        }
    }

    /// Whether nothing is handed out, whatever there is.
    pub(crate) fn holds_back(&self) -> bool {
        self.paused.is_some() || self.closing.is_some()
    }

    /// The only door. Runs to its end; never awaits, reads a clock, or rolls dice of its own.
    pub fn apply(&mut self, now: Now, event: Event, out: &mut Effects) {
        let before = self.clock;
        self.clock.advance(now.mono);
        self.wall_ms = now.wall_ms;
        match event {
            Event::Added(jobs) => self.on_added(&jobs, out),
            Event::Agent(agent, session, event) => self.on_agent(agent, session, event, out),
            Event::Operator(who, event) => self.on_operator(&who, event, out),
            Event::Settled(attempt, settlement) => self.on_settled(attempt, settlement, out),
            Event::Late(late) => self.clock.stood_still(before, late.0),
            Event::Tick => self.on_tick(out),
        }
        self.dispatch(out);
        self.check_now_and_then();
    }

    /// When the next [`Event::Tick`] is due, and for what.
    pub fn next_deadline(&self) -> Option<(Millis, Due)> {
        self.timers.first()
    }

    /// In debug builds, checks all invariants as often as that costs no more than a fixed part of the work: after
    /// every event in a small farm, now and then in a large one.
    fn check_now_and_then(&mut self) {
        const ROWS_PER_EVENT: usize = 64;
        if cfg!(debug_assertions) {
            self.unchecked += ROWS_PER_EVENT;
            if self.unchecked >= self.jobs.len() + self.runs.len() + self.agents.len() {
                self.unchecked = 0;
                let checked = self.check();
                assert!(checked.is_ok(), "the farm contradicts itself: {checked:?}");
            }
        }
    }

    /// The session over which an agent can be reached.
    pub(crate) fn session(&self, agent: AgentId) -> Option<SessionNo> {
        self.agents.get(&agent)?.session
    }

    /// Writes the job's row; lets the job go if it is final.
    pub(crate) fn put(&mut self, job: JobId, out: &mut Effects) {
        let Some(live) = self.jobs.live(job) else { return };
        out.push(Effect::PutJob(Box::new(live.record.clone())));
        if live.record.state.is_final() {
            self.forget(job);
        }
    }

    /// Lets a job go that is final: the core knows only what is not.
    fn forget(&mut self, job: JobId) {
        let Some((record, last_of_group)) = self.jobs.remove(job) else { return };
        debug_assert!(
            record.state.is_final() && record.state != JobState::Held,
            "only final jobs are let go"
        );
        if last_of_group {
            self.leave_group(LaneKey::of(&record.group));
        }
    }
}

/// Tells people something about a job and an agent.
pub(crate) fn note(out: &mut Effects, text: impl Into<String>, job: Option<JobId>, agent: Option<AgentId>) {
    note_by(out, "", text, job, agent);
}

/// The same, of what a person asked for.
pub(crate) fn note_by(
    out: &mut Effects,
    who: &str,
    text: impl Into<String>,
    job: Option<JobId>,
    agent: Option<AgentId>,
) {
    out.push(Effect::Note(Note { text: text.into(), who: who.to_owned(), job, agent, device: None }));
}

/// The same, of a device.
pub(crate) fn note_at(
    out: &mut Effects,
    who: &str,
    text: impl Into<String>,
    agent: AgentId,
    device: DeviceId,
) {
    let (agent, device) = (Some(agent), Some(device));
    out.push(Effect::Note(Note { text: text.into(), who: who.to_owned(), job: None, agent, device }));
}
