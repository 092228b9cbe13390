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

#[cfg(test)]
mod tests {
    use vc_protocol::id::AttemptNo;
    use vc_protocol::job::JobState;

    use super::*;
    use crate::record::{JobRecord, TaskKind, TaskRecord};
    use crate::recorder::{Recorder, attempt, new_job};

    #[test]
    fn a_job_waits_until_an_agent_can_take_it() {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.nothing_else();
        r.join(1, 1);
        r.expect(&["job 1 running: leased", "offer 1.0/1 to 1/0"]);
    }

    #[test]
    fn a_job_added_twice_is_added_once() {
        let mut r = Recorder::new();
        r.join(1, 4);
        r.add([new_job(1), new_job(1)]);
        r.skip();
        r.say(1, crate::event::AgentEvent::RootProof(crate::recorder::SOURCE, Ok(())));
        r.say(1, crate::event::AgentEvent::RootProof(crate::recorder::OUTPUT, Ok(())));
        r.add([new_job(1)]);
        r.expect(&["job 1 running: leased", "offer 1.0/1 to 1/0"]);
        assert_eq!(r.farm.totals().by_state[JobState::Running as usize], 1);
    }

    #[test]
    fn the_tasks_of_a_job_run_in_the_order_of_its_graph() {
        let mut r = Recorder::new();
        let needs: [&[u16]; 4] = [&[], &[0], &[0], &[1, 2]];
        let mut row = JobRecord::fresh(&new_job(1), 0);
        row.tasks = needs
            .iter()
            .map(|n| TaskRecord {
                needs: n.iter().copied().map(TaskNo).collect(),
                ..TaskRecord::fresh(TaskKind::Encode)
            })
            .collect();
        r.farm.restore(row);
        r.join(1, 4);
        r.expect(&["job 1 running: leased open open open", "offer 1.0/1 to 1/0"]);
        let at = |task| vc_protocol::id::AttemptId { task: TaskNo(task), ..attempt(1, 1) };
        let commit = |r: &mut Recorder, task| {
            r.asks(1, at(task));
            r.skip();
            r.commits(1, at(task));
        };
        commit(&mut r, 0);
        assert_eq!(r.offers().len(), 2);
        commit(&mut r, 1);
        r.expect(&["attempt 1.1/1 completed", "job 1 running: done done leased open", "tell 1 done 1.1/1"]);
        commit(&mut r, 2);
        r.expect(&[
            "attempt 1.2/1 completed",
            "job 1 pending: done done done open",
            "tell 1 done 1.2/1",
            "job 1 running: done done done leased",
            "offer 1.3/1 to 1/0",
        ]);
        commit(&mut r, 3);
        r.expect(&["attempt 1.3/1 completed", "job 1 completed: done done done done", "tell 1 done 1.3/1"]);
    }

    #[test]
    fn a_task_that_fails_for_good_ends_the_whole_job() {
        let mut r = Recorder::new();
        let mut row = JobRecord::fresh(&new_job(1), 0);
        row.tasks = vec![TaskRecord::fresh(TaskKind::Encode); 2];
        r.farm.restore(row);
        r.join(1, 4);
        r.skip();
        let second = vc_protocol::id::AttemptId { task: TaskNo(1), ..attempt(1, 1) };
        r.reports(1, second, crate::recorder::failure(vc_protocol::failure::FailureClass::Source));
        r.expect(&[
            "attempt 1.1/1 failed source",
            "attempt 1.0/1 stopped",
            "tell 1 cancel 1.0/1",
            "job 1 failed: open open",
            "tell 1 done 1.1/1",
        ]);
        assert_eq!(r.row(1).tasks[0].attempt, AttemptNo(1));
    }

    #[test]
    fn the_wait_for_a_retry_survives_a_restart() {
        let mut r = Recorder::new();
        r.join(1, 1);
        r.add([NewJob { id: JobId(3), ..new_job(1) }]);
        r.say(1, crate::event::AgentEvent::RootProof(crate::recorder::SOURCE, Ok(())));
        r.say(1, crate::event::AgentEvent::RootProof(crate::recorder::OUTPUT, Ok(())));
        r.skip();
        r.reports(1, attempt(3, 1), crate::recorder::failure(vc_protocol::failure::FailureClass::Capacity));
        r.skip();
        r.pass(10_000);
        r.restart();
        assert_eq!(r.farm.totals().to_retry, 1);
        r.join(1, 1);
        r.nothing_else();
        r.pass_alive(15_000, &[1]);
        r.nothing_else();
        r.pass_alive(5_000, &[1]);
        r.expect(&["job 3 running: leased", "offer 3.0/2 to 1/0"]);
    }
}
