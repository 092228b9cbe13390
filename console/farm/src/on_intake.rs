//! Jobs were added.

use vc_protocol::id::{AgentId, JobId, TaskNo};
use vc_protocol::job::JobState;

use crate::effect::Effects;
use crate::event::NewJob;
use crate::farm::Farm;
use crate::graph;
use crate::jobs::Spot;
use crate::on_time::Due;
use crate::ready::LaneKey;
use crate::record::Group;

/// Longest wait that is believed: the longest backoff. A wall clock that was set back must not put a job off for a
/// year.
const WAIT_MAX_MS: u64 = 15 * 60_000;

impl Farm {
    pub(crate) fn on_added(&mut self, jobs: &[NewJob], out: &mut Effects) {
        for job in jobs {
            if self.jobs.get(job.id).is_some() {
                continue;
            }
            if self.enter_group(job.group) {
                self.on_new_lane(LaneKey::of(&job.group), out);
            }
            let ticket = self.jobs.insert_fresh(job);
            self.ready.push(&ticket);
        }
    }

    /// Before a job of this group comes in; true if it opens a lane.
    pub(crate) fn enter_group(&mut self, group: Group) -> bool {
        if self.jobs.has_group(&group) {
            return false;
        }
        let lane = self.ready.lanes.entry(LaneKey::of(&group)).or_default();
        lane.groups += 1;
        lane.groups == 1
    }

    /// After the last job of a group is gone.
    pub(crate) fn leave_group(&mut self, key: LaneKey) {
        let Some(lane) = self.ready.lanes.get_mut(&key) else { return };
        lane.groups -= 1;
        if lane.groups > 0 {
            return;
        }
        for agent in std::mem::take(&mut lane.able) {
            if let Some(agent) = self.agents.get_mut(&agent) {
                agent.able.remove(&key);
            }
        }
        self.ready.lanes.remove(&key);
    }

    /// Connected agents are asked for what the lane needs.
    pub(crate) fn on_new_lane(&mut self, key: LaneKey, out: &mut Effects) {
        let agents: Vec<AgentId> =
            self.agents.iter().filter(|(_, agent)| agent.session.is_some()).map(|(id, _)| *id).collect();
        for agent in agents {
            self.ask_proofs(agent, key, out);
            self.refresh_lane(agent, key);
        }
    }

    /// Puts every task of the job that may start where it belongs: into its lane, or on a timer.
    pub(crate) fn enqueue(&mut self, job: JobId) {
        let Some(live) = self.jobs.live(job) else { return };
        if !matches!(live.record.state, JobState::Pending | JobState::Running) {
            return;
        }
        let waiting: Vec<(TaskNo, Option<i64>)> = graph::startable(&live.record.tasks)
            .filter(|no| live.side(*no).is_some_and(|side| side.spot == Spot::Away))
            .map(|no| (no, live.record.task(no).and_then(|t| t.not_before_ms)))
            .collect();
        for (task, not_before_ms) in waiting {
            let wait_ms = not_before_ms.map_or(0, |at| at.saturating_sub(self.wall_ms));
            match u64::try_from(wait_ms) {
                Ok(wait_ms) if wait_ms > 0 => {
                    let at = self.clock.mono().plus(wait_ms.min(WAIT_MAX_MS));
                    self.timers.set(at, Due::Retry(job, task));
                    self.place(job, task, Spot::Waiting(at));
                }
                _ => self.make_ready(job, task),
            }
        }
    }

    /// The task waits for nothing but a device.
    pub(crate) fn make_ready(&mut self, job: JobId, task: TaskNo) {
        let Some(live) = self.jobs.live(job) else { return };
        self.ready.push(&live.ticket(task));
        self.place(job, task, Spot::Ready);
    }

    pub(crate) fn place(&mut self, job: JobId, task: TaskNo, spot: Spot) {
        self.jobs.edit(job, |live| {
            if let Some(side) = live.side_mut(task) {
                side.spot = spot;
            }
        });
    }

    /// Takes every task of the job out of lanes and timers.
    pub(crate) fn dequeue(&mut self, job: JobId) {
        for ticket in self.jobs.tickets(job) {
            self.ready.remove(&ticket);
        }
        let timers = &mut self.timers;
        self.jobs.edit(job, |live| {
            for (no, side) in graph::numbers(&live.record.tasks).zip(&mut live.sides) {
                if let Spot::Waiting(at) = side.spot {
                    timers.drop(at, Due::Retry(job, no));
                }
                side.spot = Spot::Away;
            }
        });
    }
}
