//! What the agents do in this world.

use vc_farm::event::AgentEvent;
use vc_protocol::agent::{Disposition, Outcome, ToAgent};
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AgentId, AttemptId, SessionNo};
use vc_protocol::progress::{Phase, Progress};

use crate::agent::{Agent, Link, Work, misfortune, proven, report};
use crate::disk::{File, Renamed};
use crate::judge::Verdict;
use crate::world::{Act, Wire, World};

/// Longest encode then, so that only waits and leases take time.
const CALM_ENCODE_MS: u64 = 5_000;
/// Between heartbeats. The real agents' five seconds would only fill the events with them.
const BEAT_MS: u64 = 10_000;
/// Reports and questions that were not answered are repeated after this long.
const REPEAT_MS: u64 = 10_000;
/// An agent that is not welcomed for this long dials again.
const WELCOME_MS: u64 = 30_000;
/// A grant this old is asked for again before the rename.
const GRANT_FRESH_MS: u64 = 10_000;

impl World {
    pub(crate) fn agent(&mut self, id: AgentId, instance: u64) -> Option<&mut Agent> {
        self.agents.get_mut(&id).filter(|a| a.up && a.instance == instance)
    }

    pub(crate) fn agent_up(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| !agent.revoked) else { return };
        agent.up = true;
        let instance = agent.instance;
        self.at(500, Act::Dial(id, instance));
        self.at(501, Act::Beat(id, instance));
    }

    pub(crate) fn dial(&mut self, id: AgentId, instance: u64) {
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
        agent.link = Some(Link { life, session: SessionNo(session) });
        agent.unwelcome_since = Some(now);
        let (devices, inventory) = (agent.devices.clone(), agent.inventory());
        let draining = agent.draining;
        self.console.sessions = session;
        self.post_to_console(id, AgentEvent::Connected { instance, devices, inventory });
        if draining {
            self.post_to_console(id, AgentEvent::Draining);
        }
    }

    pub(crate) fn beat(&mut self, id: AgentId, instance: u64) {
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
        self.post_to_console(id, AgentEvent::Heartbeat(holding));
        if let Some(attempt) = encoding.filter(|_| self.rng.one_in(2)) {
            let eta_s = u32::try_from(self.rng.range(0, 100)).ok();
            let progress = Progress { eta_s, ..Progress::start(Phase::Encoding) };
            self.post_to_console(id, AgentEvent::Progress(vec![(attempt, progress)]));
        }
        for repeat in repeats {
            self.post_to_console(id, repeat);
        }
        self.at(BEAT_MS, Act::Beat(id, instance));
    }

    pub(crate) fn hear(&mut self, id: AgentId, link: Link, wire: Wire) {
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
                self.post_to_console(id, AgentEvent::RootProof(root, proof));
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

    pub(crate) fn told(&mut self, id: AgentId, instance: u64, message: ToAgent) {
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
            ToAgent::SelfTest(device) => self.self_test(id, instance, device),
            ToAgent::Offer(_)
            | ToAgent::Prove(_)
            | ToAgent::WantLog(_)
            | ToAgent::WantFacts
            | ToAgent::WantOwnLog => {}
        }
    }

    /// Starts what waits, while slots are free.
    pub(crate) fn begin(&mut self, id: AgentId) {
        loop {
            let Some(agent) = self.agents.get_mut(&id).filter(|a| a.up && !a.draining) else { return };
            if agent.encoding() >= agent.slots() {
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

    pub(crate) fn encoded(&mut self, id: AgentId, instance: u64, attempt: AttemptId) {
        let wrong = !self.calm && self.rng.one_in(self.weather.wrong_in);
        let ill = self.agents[&id].ill > self.rng.range(0, 9);
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
        } else if ill {
            if self.rng.one_in(2) {
                self.learn(id);
            }
            Outcome::Failed(Failure::new(FailureClass::Capacity, "no session left"))
        } else if wrong {
            misfortune(&mut self.rng)
        } else {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            let proven = proven(attempt, hash);
            agent.work.insert(attempt, Work::Proven(proven.clone(), now));
            self.disk.parts.insert(attempt, File { hash, whole: true });
            self.post_to_console(id, AgentEvent::AskCommit(attempt, proven));
            self.begin(id);
            return;
        };
        self.end(id, attempt, outcome);
    }

    /// An encoder could not be opened: the agent asks for less.
    fn learn(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        for device in agent.devices.iter_mut().filter(|device| device.slots > 1) {
            device.slots -= 1;
        }
        self.tell_devices(id);
    }

    /// What the agent offers has changed.
    pub(crate) fn tell_devices(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        self.post_to_console(id, AgentEvent::Devices(agent.devices.clone()));
    }

    pub(crate) fn end(&mut self, id: AgentId, attempt: AttemptId, outcome: Outcome) {
        self.disk.parts.remove(&attempt);
        let report = report(attempt, outcome);
        let now = self.now;
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.work.insert(attempt, Work::Ended(report.clone(), now));
        }
        self.post_to_console(id, AgentEvent::Report(report));
        self.begin(id);
    }

    pub(crate) fn granted(&mut self, id: AgentId, instance: u64, attempt: AttemptId) {
        let now = self.now;
        let Some(work) = self.agents.get_mut(&id).and_then(|a| a.work.get_mut(&attempt)) else { return };
        if let Work::Proven(proven, _) | Work::Granted(proven, _) = work {
            *work = Work::Granted(proven.clone(), now);
            let after =
                if self.rng.one_in(10) { self.rng.range(1_000, 15_000) } else { self.rng.range(0, 50) };
            self.at(after, Act::Rename(id, instance, attempt));
        }
    }

    pub(crate) fn rename(&mut self, id: AgentId, instance: u64, attempt: AttemptId) -> Verdict {
        let now = self.now;
        let Some(agent) = self.agent(id, instance) else { return Ok(()) };
        let Some(Work::Granted(proven, since)) = agent.work.get(&attempt).cloned() else { return Ok(()) };
        if now > since + GRANT_FRESH_MS {
            agent.work.insert(attempt, Work::Proven(proven.clone(), now));
            self.judge.saw("old grant asked for again");
            self.post_to_console(id, AgentEvent::AskCommit(attempt, proven));
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

    pub(crate) fn stopped(&mut self, id: AgentId, instance: u64, attempt: AttemptId) {
        let Some(agent) = self.agent(id, instance) else { return };
        if matches!(agent.work.get(&attempt), Some(Work::Stopping)) {
            self.end(id, attempt, Outcome::Stopped);
        }
    }

    pub(crate) fn forget(&mut self, id: AgentId, attempt: AttemptId, and_files: bool) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.work.remove(&attempt);
        }
        if and_files {
            self.disk.parts.remove(&attempt);
        }
        self.begin(id);
    }
}
