//! The network of this world: delays, broken connections, and what a hostile one does.

use vc_farm::event::{AgentEvent, Event};
use vc_protocol::id::AgentId;

use crate::agent::Link;
use crate::console::Input;
use crate::world::{Act, Wire, World};

impl World {
    pub(crate) fn delay(&mut self) -> u64 {
        if self.rng.one_in(20) { self.rng.range(100, 4_000) } else { self.rng.range(1, 60) }
    }

    /// When a message of this link arrives. A session keeps its order, unless the network is hostile.
    pub(crate) fn arrival(&mut self, agent: AgentId, link: Link, to_agent: bool) -> u64 {
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
    pub(crate) fn copies(&mut self) -> u64 {
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

    pub(crate) fn post_to_agent(&mut self, agent: AgentId, link: Link, wire: Wire) {
        for _ in 0..self.copies() {
            let at = self.arrival(agent, link, true);
            self.at(at - self.now, Act::ToAgent(agent, link, wire.clone()));
        }
    }

    pub(crate) fn post_to_console(&mut self, agent: AgentId, event: AgentEvent) {
        let Some(link) = self.agents[&agent].link else { return };
        for _ in 0..self.copies() {
            let at = self.arrival(agent, link, false);
            self.at(at - self.now, Act::ToConsole(agent, link, event.clone()));
        }
    }

    pub(crate) fn arrive(&mut self, agent: AgentId, link: Link, event: AgentEvent) {
        if link.life == self.console.life {
            self.give(Input::Event(Event::Agent(agent, link.session, event)));
        }
    }

    /// The connection of an agent breaks. What is under way may arrive still; each side notices in its own time.
    pub(crate) fn cut(&mut self, id: AgentId) {
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
}
