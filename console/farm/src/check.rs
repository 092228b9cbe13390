//! What must hold after every event.
//!
//! Compares every index, count and list with what it is derived from, and every row with the rules. Costs as much as
//! the farm is large; debug builds and simulations call it, release builds do not.

use vc_protocol::id::{AgentId, AttemptId, JobId};
use vc_protocol::job::JobState;

use crate::agent::{Agent, Quiet, Room, RootState};
use crate::failure::LAUNCHES_MAX;
use crate::farm::Farm;
use crate::graph;
use crate::jobs::{Entry, Live, Spot, Tally};
use crate::lease::{Run, Seat, Settling, Standing};
use crate::on_time::Due;
use crate::ready::LaneKey;

/// Fails with this text unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}

impl Farm {
    /// Checks every invariant; the first broken one is the error.
    pub fn check(&self) -> Result<(), String> {
        let mut tally = Tally::default();
        let (mut live, mut ready, mut timers) = (0, 0, 0);
        for (id, entry) in self.jobs.iter() {
            tally.add(entry);
            for ticket in self.jobs.tickets(id) {
                ready += 1;
                ensure!(self.ready.contains(&ticket), "job {id} is ready but not in its lane");
            }
            if let Entry::Live(job) = entry {
                live += self.check_job(id, job).map_err(|e| format!("job {id}: {e}"))?;
                timers += job.sides.iter().filter(|s| matches!(s.spot, Spot::Waiting(_))).count();
            }
        }
        ensure!(tally == *self.jobs.tally(), "counts {:?}, has {tally:?}", self.jobs.tally());
        self.check_lanes(ready)?;
        for (attempt, run) in &self.runs {
            self.check_run(*attempt, run).map_err(|e| format!("attempt {attempt}: {e}"))?;
            timers += 1 + usize::from(matches!(run.settling, Settling::Again(_)));
        }
        let runs = self.runs.values().filter(|run| run.standing == Standing::Live).count();
        ensure!(runs == live, "{runs} live attempts in memory, {live} in rows");
        let (mut held, mut listed) = (0, 0);
        for (id, agent) in &self.agents {
            self.check_agent(*id, agent).map_err(|e| format!("agent {id}: {e}"))?;
            held += agent.devices.values().map(|s| s.held.len()).sum::<usize>();
            listed += agent.devices.values().filter(|s| s.listed.is_some()).count();
            timers += usize::from(agent.armed.is_some());
            timers += agent.devices.values().filter(|s| s.ward.alarm.is_some()).count();
            timers += agent.roots.values().filter(|r| **r != RootState::Proven).count();
        }
        let seated = self.runs.values().filter(|run| run.seat == Seat::Taken).count();
        ensure!(held == seated, "{held} places taken by {seated} attempts");
        ensure!(listed == self.rooms.len(), "{listed} devices have room, {} are listed", self.rooms.len());
        ensure!(timers == self.timers.len(), "{} timers for {timers} deadlines", self.timers.len());
        self.check_dispatched()
    }

    /// The number of its live attempts.
    fn check_job(&self, id: JobId, job: &Live) -> Result<usize, String> {
        let record = &job.record;
        ensure!(record.id == id && job.sides.len() == record.tasks.len(), "is filed wrongly");
        ensure!(!record.state.is_final(), "is {} and still here", record.state.word());
        graph::check(&record.tasks)?;
        let mut live = 0;
        for (no, (task, side)) in graph::numbers(&record.tasks).zip(record.tasks.iter().zip(&job.sides)) {
            ensure!(task.launches <= LAUNCHES_MAX, "task {no} was launched {} times", task.launches);
            ensure!(task.retries <= self.config.retries_max, "task {no} was retried {} times", task.retries);
            ensure!(u64::from(task.attempt.0) >= u64::from(task.launches), "task {no} lost attempt numbers");
            if let Some(lease) = task.lease() {
                live += 1;
                let run = self.runs.get(&record.attempt_id(no, task.attempt));
                let same = run.is_some_and(|r| r.lease == lease && r.standing == Standing::Live);
                ensure!(same, "task {no} is handed out to nobody");
                ensure!(side.spot == Spot::Away, "task {no} is handed out and {:?}", side.spot);
            }
            if let Spot::Waiting(at) = side.spot {
                ensure!(self.timers.contains(at, Due::Retry(id, no)), "task {no} waits without a timer");
            }
        }
        let startable = graph::startable(&record.tasks).collect::<Vec<_>>();
        for (no, side) in graph::numbers(&record.tasks).zip(&job.sides) {
            let queued = side.spot != Spot::Away;
            let should = startable.contains(&no) && record.state != JobState::Held;
            ensure!(queued == should, "task {no} is {:?}, startable {should}", side.spot);
        }
        match record.state {
            JobState::Held => {
                ensure!(live == 0 && record.reason.is_some(), "is held with {live} attempts or no reason")
            }
            JobState::Pending | JobState::Running => {
                ensure!(
                    record.state == record.state_by_tasks(),
                    "is {} unlike its tasks",
                    record.state.word()
                );
            }
            JobState::Completed | JobState::Failed | JobState::Cancelled | JobState::Skipped => {}
        }
        Ok(live)
    }

    fn check_run(&self, attempt: AttemptId, run: &Run) -> Result<(), String> {
        ensure!(self.timers.contains(run.armed, Due::Lease(attempt)), "has no deadline");
        if let Settling::Again(at) = run.settling {
            ensure!(self.timers.contains(at, Due::Settle(attempt)), "is never looked at again");
        }
        let task = self.jobs.live(attempt.job).and_then(|live| live.record.task(attempt.task));
        let current = task.is_some_and(|t| t.attempt == attempt.no && t.lease() == Some(run.lease));
        ensure!(current == (run.standing == Standing::Live), "is {:?}, current {current}", run.standing);
        ensure!(run.seat == Seat::Taken || run.settling != Settling::No, "is looked after by nobody");
        let seats = self.agents.get(&run.lease.agent).and_then(|a| a.devices.get(&run.lease.device));
        let held = seats.is_some_and(|s| s.held.contains(&attempt));
        ensure!(held == (run.seat == Seat::Taken), "is {:?}, held {held}", run.seat);
        Ok(())
    }

    fn check_lanes(&self, ready: usize) -> Result<(), String> {
        self.ready.check()?;
        let in_lanes: u64 = self.ready.lanes.values().map(|lane| lane.ready).sum();
        ensure!(in_lanes == ready as u64, "{ready} ready tasks, {in_lanes} in lanes");
        let groups: u32 = self.ready.lanes.values().map(|lane| lane.groups).sum();
        ensure!(groups as usize == self.jobs.groups.iter().count(), "lanes count {groups} groups");
        for (group, jobs) in self.jobs.groups.iter() {
            ensure!(self.ready.lanes.contains_key(&LaneKey::of(group)), "{group:?} has no lane");
            ensure!(jobs > 0, "{group:?} is kept for nobody");
        }
        let referred: u64 = self.jobs.groups.iter().map(|(_, jobs)| jobs).sum();
        ensure!(referred == self.jobs.len() as u64, "{referred} jobs in groups of {}", self.jobs.len());
        for (key, lane) in &self.ready.lanes {
            for (id, agent) in &self.agents {
                let can = agent.can_serve(*key);
                let filed = (agent.able.contains(key), lane.able.contains(id));
                ensure!(filed == (can, can), "agent {id} can serve {key:?}: {can}, filed {filed:?}");
            }
        }
        Ok(())
    }

    fn check_agent(&self, id: AgentId, agent: &Agent) -> Result<(), String> {
        ensure!(agent.session.is_none() || agent.session == agent.newest, "is heard over an old session");
        ensure!(agent.session.is_some() || agent.roots.is_empty(), "has proofs without a session");
        ensure!(
            agent.able.iter().all(|key| self.ready.lanes.contains_key(key)),
            "serves a lane that is gone"
        );
        match agent.armed {
            Some(at) => ensure!(self.timers.contains(at, Due::Silence(id)), "has lost its timer"),
            None => ensure!(agent.quiet == Quiet::Unsure, "may fall silent unnoticed"),
        }
        for (root, state) in &agent.roots {
            if let RootState::Asked { again } | RootState::Failed { again, .. } = state {
                ensure!(
                    self.timers.contains(*again, Due::Proof(id, *root)),
                    "is never asked again for {root}"
                );
            }
        }
        for (device, seats) in &agent.devices {
            let ward = &seats.ward;
            let is_armed = ward.alarm.is_some_and(|at| self.timers.contains(at, Due::Ward(id, *device)));
            ensure!(is_armed == ward.alarm.is_some(), "device {device} has lost its alarm");
            ensure!(!ward.testing || is_armed, "device {device} is tested for ever");
            let is_there = agent.session.is_some() && seats.device.is_some();
            ensure!(!is_there || !ward.awaits_test() || is_armed, "device {device} is never tested");
            let room = if agent.takes_work() && seats.is_open() { seats.room() } else { Room::Full };
            let is_crowded = self.rooms.crowded.contains(&(id, *device));
            ensure!(
                is_crowded == (seats.held.len() > seats.slots()),
                "device {device} holds {}, is crowded {is_crowded}",
                seats.held.len()
            );
            let listed = seats.listed.filter(|(room, held)| self.rooms.contains(*room, (*held, id, *device)));
            let expected = (room != Room::Full).then_some((room, seats.held.len()));
            ensure!(listed == expected, "device {device} has {expected:?}, is listed {listed:?}");
        }
        Ok(())
    }

    /// No device has room for something that is ready.
    fn check_dispatched(&self) -> Result<(), String> {
        if self.holds_back() || !self.woken.is_empty() || !self.ready.hungry.is_empty() {
            return Ok(());
        }
        for (id, agent) in &self.agents {
            for (device, seats) in &agent.devices {
                if seats.listed.is_some()
                    && let Some(best) = self.pick(*id, *device)
                {
                    return Err(format!("device {id}/{device} idles beside job {}", best.ticket.place.job));
                }
            }
        }
        Ok(())
    }
}
