//! How the farm stands, for those who show it. Changes nothing.

use vc_protocol::device::Device;
use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, RootId, SessionNo};
use vc_protocol::job::JobState;
use vc_protocol::operator::AgentState;
use vc_protocol::progress::Progress;

use crate::agent::{Agent, Quiet, RootState};
use crate::farm::Farm;
use crate::lease::{Run, Seat, Settling, Standing};
use crate::record::{JobRecord, Pause, TaskRecord};
use crate::ward::Health;

/// Counts over all jobs that are not final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Jobs by state, in the order of [`JobState::ALL`]; those of final states are always 0 here.
    pub by_state: [u64; 7],
    /// Pending jobs that wait for a retry.
    pub to_retry: u64,
    /// Running jobs whose agent is silent.
    pub unsure: u64,
    /// Expected work of pending and running jobs.
    pub cost_left: u64,
}

/// An attempt on a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldView {
    /// Which.
    pub attempt: AttemptId,
    /// What its agent last said of it.
    pub progress: Option<Progress>,
    /// Its agent is silent: this may be old.
    pub unsure: bool,
    /// Fenced off and told to stop; it only fills its place still.
    pub stopping: bool,
}

/// A device and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceView<'a> {
    /// Its number.
    pub id: DeviceId,
    /// What the agent said of it; none if it does not offer it now.
    pub device: Option<&'a Device>,
    /// Attempts there, lowest job first.
    pub held: Vec<HeldView>,
    /// A person wants nothing new there.
    pub drained: bool,
    /// It failed too often.
    pub quarantine: Option<QuarantineView<'a>>,
}

/// Why a device gets no work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineView<'a> {
    /// What happened.
    pub why: &'a str,
    /// When it is tested, milliseconds since 1970; none if only a person lets it work again.
    pub until_ms: Option<i64>,
    /// A test runs now.
    pub testing: bool,
}

/// An agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView<'a> {
    /// Its number.
    pub id: AgentId,
    /// How it is.
    pub state: AgentState,
    /// Its session, while it is connected.
    pub session: Option<SessionNo>,
    /// How long it had been silent at the last event (a tick will do), without time in which the console stood still.
    pub silent_ms: u64,
    /// It connected at least once since the console started; else it is known only by what it was given before.
    pub seen: bool,
    /// What it runs is shown as unsure.
    pub unsure: bool,
    /// A person wants nothing new there.
    pub drained: bool,
    /// How long until the first of its jobs goes back to pending, unless it is heard; none if it is heard or has none.
    pub gives_back_ms: Option<u64>,
    /// Its devices.
    pub devices: Vec<DeviceView<'a>>,
    /// Folders that it could not prove to see, each with the reason.
    pub unproven: Vec<(RootId, &'a str)>,
}

/// A job that is not final.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// Its state.
    pub state: JobState,
    /// Its tasks.
    pub tasks: Vec<TaskRecord>,
    /// Progress of the first running task that said anything.
    pub progress: Option<Progress>,
    /// Its agent is silent.
    pub unsure: bool,
    /// Who runs it.
    pub place: Option<(AgentId, DeviceId)>,
}

impl Agent {
    pub(crate) fn state(&self) -> AgentState {
        match self {
            Agent { session: None, .. } => AgentState::Offline,
            Agent { quiet: Quiet::Suspect | Quiet::Unsure, .. } => AgentState::Suspect,
            Agent { draining: true, .. } | Agent { drained: true, .. } => AgentState::Draining,
            Agent { .. } => AgentState::Ok,
        }
    }
}

impl Farm {
    /// Counts over all jobs that are not final.
    pub fn totals(&self) -> Totals {
        let tally = self.jobs.tally();
        let mut unsure: Vec<JobId> =
            self.runs.iter().filter(|(_, run)| self.is_unsure(run)).map(|(attempt, _)| attempt.job).collect();
        unsure.dedup();
        Totals {
            by_state: tally.by_state,
            to_retry: tally.to_retry,
            unsure: unsure.len() as u64,
            cost_left: u64::try_from(tally.cost_left).unwrap_or(u64::MAX),
        }
    }

    /// Every agent that connected or holds something, by number.
    pub fn agents(&self) -> impl Iterator<Item = AgentView<'_>> {
        self.agents.iter().map(|(id, agent)| AgentView {
            id: *id,
            state: agent.state(),
            session: agent.session,
            silent_ms: self.clock.listened().since(agent.heard),
            seen: agent.newest.is_some(),
            unsure: agent.quiet == Quiet::Unsure,
            drained: agent.drained,
            gives_back_ms: self.gives_back_ms(agent),
            devices: agent
                .devices
                .iter()
                .map(|(id, seats)| DeviceView {
                    id: *id,
                    device: seats.device.as_ref(),
                    held: seats.held.iter().filter_map(|attempt| self.held_view(*attempt)).collect(),
                    drained: seats.drained,
                    quarantine: match seats.ward.health() {
                        Health::Quarantined { why, until_ms } => {
                            Some(QuarantineView { why, until_ms: *until_ms, testing: seats.ward.testing })
                        }
                        Health::Free | Health::Trial => None,
                    },
                })
                .collect(),
            unproven: agent
                .roots
                .iter()
                .filter_map(|(root, state)| match state {
                    RootState::Failed { reason, .. } => Some((*root, reason.as_str())),
                    RootState::Asked { .. } | RootState::Proven => None,
                })
                .collect(),
        })
    }

    /// How long a connected agent had been silent at the last event, as in [`AgentView::silent_ms`].
    pub fn silent_ms(&self, agent: AgentId) -> Option<u64> {
        let agent = self.agents.get(&agent).filter(|agent| agent.session.is_some())?;
        Some(self.clock.listened().since(agent.heard))
    }

    /// A job that is not final.
    pub fn job(&self, id: JobId) -> Option<JobView> {
        let record = self.record(id)?;
        let live = record.live_attempts();
        let runs: Vec<&Run> = live.iter().filter_map(|attempt| self.runs.get(attempt)).collect();
        Some(JobView {
            state: record.state,
            progress: runs.iter().find_map(|run| run.progress),
            unsure: runs.iter().any(|run| self.is_unsure(run)),
            place: runs.first().map(|run| (run.lease.agent, run.lease.device)),
            tasks: record.tasks,
        })
    }

    /// The row of a job that is not final. Of one that was never touched the time of change reads 0; the store has it.
    pub fn record(&self, id: JobId) -> Option<JobRecord> {
        self.jobs.record(id)
    }

    /// Agents that hold something since before the console started and have not been heard since.
    pub fn unreported_agents(&self) -> usize {
        let unseen =
            |agent: &&Agent| agent.newest.is_none() && agent.devices.values().any(|s| !s.held.is_empty());
        self.agents.values().filter(unseen).count()
    }

    /// Jobs that wait for nothing but a device.
    pub fn ready_len(&self) -> u64 {
        self.ready.lanes.values().map(|lane| lane.ready).sum()
    }

    /// Whether nothing but a person could change any job: none is pending or running.
    pub fn is_idle(&self) -> bool {
        let by_state = &self.jobs.tally().by_state;
        by_state[JobState::Pending as usize] + by_state[JobState::Running as usize] == 0
    }

    /// Why nothing is handed out, if that is so.
    pub fn paused(&self) -> Option<&Pause> {
        self.closing.as_ref().or(self.paused.as_ref())
    }

    /// Set once the console is about to end.
    pub fn closing(&self) -> Option<&Pause> {
        self.closing.as_ref()
    }

    fn gives_back_ms(&self, agent: &Agent) -> Option<u64> {
        if agent.session.is_some() && agent.quiet == Quiet::Heard {
            return None;
        }
        let held = agent.devices.values().flat_map(|seats| &seats.held);
        let runs = held.filter_map(|attempt| self.runs.get(attempt));
        let live = runs.filter(|run| run.standing == Standing::Live && run.settling == Settling::No);
        live.map(|run| run.lapses.since(self.clock.listened())).min()
    }

    fn held_view(&self, attempt: AttemptId) -> Option<HeldView> {
        let run = self.runs.get(&attempt)?;
        Some(HeldView {
            attempt,
            progress: run.progress,
            unsure: self.is_unsure(run),
            stopping: run.standing == Standing::Zombie,
        })
    }

    /// Whether what is shown of a running attempt may not be so.
    fn is_unsure(&self, run: &Run) -> bool {
        let silent = self
            .agents
            .get(&run.lease.agent)
            .is_none_or(|agent| agent.quiet == Quiet::Unsure || agent.newest.is_none());
        run.standing == Standing::Live && (silent || run.seat == Seat::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::AgentEvent;
    use crate::recorder::{Recorder, SOURCE, attempt, cpu, failure, new_job};

    #[test]
    fn counts_follow_every_job_to_its_end() {
        let mut r = Recorder::new();
        r.add((1..=4).map(new_job));
        assert_eq!(
            r.farm.totals(),
            Totals { by_state: [4, 0, 0, 0, 0, 0, 0], cost_left: 400, ..Totals::default() }
        );
        r.join(1, 1);
        assert_eq!(r.farm.totals().by_state, [2, 2, 0, 0, 0, 0, 0]);
        assert_eq!(r.farm.ready_len(), 2);
        r.reports(1, attempt(1, 1), failure(vc_protocol::failure::FailureClass::Capacity));
        assert_eq!((r.farm.totals().to_retry, r.farm.totals().cost_left), (1, 400));
        for job in 1..=4 {
            r.cancel(job);
        }
        assert_eq!(r.farm.totals(), Totals::default());
        assert!(r.farm.is_idle());
    }

    #[test]
    fn an_agent_shows_its_devices_what_they_hold_and_what_it_cannot_see() {
        let mut r = Recorder::new();
        r.add((1..=2).map(new_job));
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.cancel(2);
        r.connect(2, 2, vec![cpu(4)], Vec::new());
        r.say(2, AgentEvent::RootProof(SOURCE, Err("no such folder".to_owned())));
        let agents: Vec<AgentView<'_>> = r.farm.agents().collect();
        let held = &agents[0].devices[0].held;
        assert_eq!(
            (held[0].attempt, held[0].stopping, held[0].progress.is_some()),
            (attempt(1, 1), false, true)
        );
        assert_eq!((held[1].attempt, held[1].stopping), (attempt(2, 1), true));
        assert_eq!(agents[1].unproven, [(SOURCE, "no such folder")]);
        assert_eq!(agents[1].devices[0].device.map(|d| d.slots), Some(4));
        let job = r.farm.job(JobId(1)).unwrap();
        assert_eq!((job.state, job.place), (JobState::Running, Some((AgentId(1), DeviceId(0)))));
    }
}
