//! What goes wrong in this world, and what people do meanwhile.

use vc_farm::event::{AgentEvent, Event, NewJob, OperatorEvent};
use vc_farm::record::Group;
use vc_protocol::agent::Outcome;
use vc_protocol::id::{AgentId, AttemptId, BatchId, JobId, ProfileId, RootId};
use vc_protocol::job::{FileStamp, JobState, Priority};
use vc_protocol::profile::VideoCodec;

use crate::agent::{Agent, Work};
use crate::console::Input;
use crate::disk::File;
use crate::world::{Act, World};

/// Jobs of one world: enough for queues, few enough to end soon.
const JOBS_MAX: usize = 50;
const SOURCE: RootId = RootId(1);
const OUTPUTS: [RootId; 2] = [RootId(10), RootId(11)];

impl World {
    pub(crate) fn kill(&mut self, id: AgentId) {
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

    pub(crate) fn some_agent(&mut self) -> AgentId {
        let count = self.agents.len() as u64;
        AgentId(u32::try_from(self.rng.range(1, count)).unwrap_or(1))
    }

    pub(crate) fn some_job(&mut self) -> JobId {
        JobId(self.rng.range(1, self.sources.len().max(1) as u64))
    }

    pub(crate) fn fault(&mut self) {
        let next = self.rng.range(1, 2 * self.weather.fault_every_ms);
        self.at(next, Act::Fault);
        if self.calm {
            self.calm_down();
            return;
        }
        let agent = self.some_agent();
        let job = self.some_job();
        match self.rng.range(0, 28) {
            0 if self.agents[&agent].up => self.kill(agent),
            2..=4 => self.cut(agent),
            5 | 6 => self.freeze(agent),
            7 if self.console.up && self.rng.one_in(3) => {
                self.judge.saw("console crashed");
                self.crash();
            }
            8 => self.late_ms = self.rng.range(2_000, 200_000),
            9 | 10 => self.give(Input::Event(Event::Operator(String::new(), OperatorEvent::Cancel(job)))),
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
            17 if self.rng.one_in(3) => self.drain(agent),
            18 if self.sources.len() < JOBS_MAX => self.add_jobs(),
            19..=22 => self.operate(agent, job),
            23 => {
                let ill = if self.rng.one_in(2) { 9 } else { 0 };
                self.agents.get_mut(&agent).into_iter().for_each(|agent| agent.ill = ill);
            }
            // What all share is gone: a folder, a licence server.
            24 if self.rng.one_in(3) => self.agents.values_mut().for_each(|agent| agent.ill = 10),
            26..=28 => {
                if let Some(known) = self.agents.get_mut(&agent) {
                    known.change_devices(&mut self.rng);
                }
                self.tell_devices(agent);
                self.begin(agent);
            }
            _ => {}
        }
    }

    /// Everything comes back, and stays.
    pub(crate) fn calm_down(&mut self) {
        self.late_ms = 0;
        for agent in self.agents.values_mut() {
            agent.frozen_until = 0;
            agent.ill = 0;
        }
        let ids: Vec<AgentId> = self.agents.keys().copied().collect();
        for id in ids {
            let changed = self.agents.get_mut(&id).is_some_and(Agent::mend_devices);
            // On a bad network the last word may have been lost.
            if changed || self.weather.hostile_network {
                self.tell_devices(id);
                self.begin(id);
            }
        }
        self.let_everything_work();
    }

    pub(crate) fn freeze(&mut self, id: AgentId) {
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

    pub(crate) fn drain(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|a| a.up && !a.draining) else { return };
        agent.draining = true;
        self.judge.saw("agent went down in good order");
        let unfinished: Vec<AttemptId> = agent
            .work
            .iter()
            .filter(|(_, w)| matches!(w, Work::Waiting(_) | Work::Encoding(_)))
            .map(|(a, _)| *a)
            .collect();
        self.post_to_console(id, AgentEvent::Draining);
        for attempt in unfinished {
            self.end(id, attempt, Outcome::Stopped);
        }
        self.kill(id);
    }

    pub(crate) fn add_jobs(&mut self) {
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
