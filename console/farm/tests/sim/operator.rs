//! What people do to this farm, and what agents do when they are told to try a device.

use vc_farm::event::{AgentEvent, Event, OperatorEvent};
use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::job::Priority;

use crate::console::Input;
use crate::world::{Act, World};

/// The only device of each agent of this world.
const DEVICE: DeviceId = DeviceId(0);

impl World {
    pub(crate) fn ask(&mut self, event: OperatorEvent) {
        self.give(Input::Event(Event::Operator("ana".to_owned(), event)));
    }

    /// A person does something, to this agent or to this job.
    pub(crate) fn operate(&mut self, agent: AgentId, job: JobId) {
        let device = self.rng.one_in(2).then_some(DEVICE);
        match self.rng.range(0, 19) {
            0..=3 => self.ask(OperatorEvent::Hold(job)),
            4..=6 => self.ask(OperatorEvent::Release(job)),
            7..=9 => {
                let priority = Priority(u8::try_from(self.rng.range(0, 9)).unwrap_or(5));
                self.ask(OperatorEvent::Prioritise(job, priority));
            }
            10 => self.ask(OperatorEvent::Pause),
            11 | 12 => self.ask(OperatorEvent::Resume),
            13 => {
                let kill = self.rng.one_in(2);
                self.ask(OperatorEvent::Drain { agent, device, kill });
            }
            14 | 15 => self.ask(OperatorEvent::Undrain(agent, device)),
            16 => self.ask(OperatorEvent::ReleaseQuarantine(agent, DEVICE)),
            17 => self.ask(OperatorEvent::SelfTest(agent, DEVICE)),
            18 if self.console.up && self.rng.one_in(2) => {
                self.judge.saw("operator: stopped the server");
                self.ask(OperatorEvent::Close);
                self.ask(OperatorEvent::Recall);
                let life = self.console.life;
                self.at(4_000, Act::StopServer(life));
            }
            // The first agent does everything that there is to do, and stays.
            19 if agent.0 > 1 && self.rng.one_in(8) => self.revoke(agent),
            _ => {}
        }
    }

    fn revoke(&mut self, id: AgentId) {
        if !self.console.up {
            return;
        }
        self.ask(OperatorEvent::Revoked(id));
        self.agents.get_mut(&id).into_iter().for_each(|agent| agent.revoked = true);
        self.kill(id);
    }

    /// Whatever people stopped may go on; the farm does the rest by itself.
    pub(crate) fn let_everything_work(&mut self) {
        if !self.console.up {
            return;
        }
        let mut events = Vec::new();
        if self.console.farm.paused().is_some() {
            events.push(OperatorEvent::Resume);
        }
        for agent in self.console.farm.agents() {
            if agent.drained {
                events.push(OperatorEvent::Undrain(agent.id, None));
            }
            for device in &agent.devices {
                if device.drained {
                    events.push(OperatorEvent::Undrain(agent.id, Some(device.id)));
                }
                if device.quarantine.is_some_and(|quarantine| quarantine.until_ms.is_none()) {
                    events.push(OperatorEvent::ReleaseQuarantine(agent.id, device.id));
                }
            }
        }
        events.into_iter().for_each(|event| self.ask(event));
    }

    pub(crate) fn self_test(&mut self, id: AgentId, instance: u64, device: DeviceId) {
        if !self.calm && self.rng.one_in(8) {
            return;
        }
        let passes = self.agents[&id].ill == 0 && (self.calm || !self.rng.one_in(4));
        let takes = self.rng.range(100, 10_000);
        self.at(takes, Act::SelfTested(id, instance, device, passes));
    }

    pub(crate) fn self_tested(&mut self, id: AgentId, instance: u64, device: DeviceId, passes: bool) {
        if self.agent(id, instance).is_none() {
            return;
        }
        self.judge.saw(if passes { "self-test passed" } else { "self-test failed" });
        let verdict = if passes { Ok(()) } else { Err("black picture".to_owned()) };
        self.post_to_console(id, AgentEvent::SelfTested(device, verdict));
    }
}
