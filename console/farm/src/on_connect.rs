//! An agent connected, and says what it holds: that one exchange covers restarts of either side and cut networks.

use std::collections::BTreeSet;

use vc_protocol::agent::{Disposition, Held, ToAgent};
use vc_protocol::close::Close;
use vc_protocol::device::Device;
use vc_protocol::id::{AgentId, AttemptId, SessionNo};

use crate::agent::Agent;
use crate::attempt::Stale;
use crate::effect::{Effect, Effects};
use crate::farm::{Farm, note};
use crate::lease::{Seat, Settling, Standing};
use crate::on_agent::Word;
use crate::ready::LaneKey;

impl Farm {
    pub(crate) fn on_connected(
        &mut self,
        id: AgentId,
        session: SessionNo,
        instance: u64,
        devices: Vec<Device>,
        inventory: Vec<Held>,
        out: &mut Effects,
    ) {
        let listened = self.clock.listened();
        let agent = self.agents.entry(id).or_insert_with(|| Agent::unheard(listened));
        if let Some(newest) = agent.newest
            && newest >= session
        {
            // Overtaken on its way here by a newer one, unless it is that one told twice.
            if newest > session {
                out.push(Effect::Close(id, session, Close::Replaced));
            }
            return;
        }
        if let Some(old) = agent.session {
            out.push(Effect::Close(id, old, Close::Replaced));
            self.lose_session(id);
        }
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.session = Some(session);
        agent.newest = Some(session);
        let same_process = agent.instance == Some(instance);
        agent.draining &= same_process;
        agent.instance = Some(instance);
        agent.offer(devices);
        self.heard(id);
        note(out, if same_process { "reconnected" } else { "connected" }, None, Some(id));

        let held: BTreeSet<AttemptId> = inventory.iter().map(Held::attempt).collect();
        let dispositions =
            inventory.into_iter().map(|item| (item.attempt(), self.dispose(id, item, out))).collect();
        self.miss(id, &held, same_process, out);
        // The name is the registry's; whoever sends this knows it.
        let welcome = ToAgent::Welcome { agent: id, name: String::new(), inventory: dispositions };
        out.push(Effect::Tell(id, session, welcome));
        let lanes: Vec<LaneKey> = self.ready.lanes.keys().copied().collect();
        for lane in lanes {
            self.ask_proofs(id, lane, out);
        }
        self.refresh_agent(id);
    }

    /// What becomes of one attempt that the agent holds.
    fn dispose(&mut self, id: AgentId, item: Held, out: &mut Effects) -> Disposition {
        let word = self.word(id, item.attempt());
        match (item, word) {
            (Held::Running(_, progress), Word::Current(attempt)) => {
                self.renew(attempt);
                self.progressed(attempt, progress, out);
                Disposition::Continue
            }
            (Held::Proven(_, proven), Word::Current(attempt)) => match self.grant(attempt, &proven, out) {
                Ok(()) => {
                    self.renew(attempt);
                    Disposition::Commit
                }
                Err(Stale) => Disposition::Abandon,
            },
            (Held::Ended(report), Word::Current(attempt)) => {
                self.take_report(attempt, report, out);
                Disposition::Done
            }
            (Held::Ended(report), Word::Zombie) => {
                self.bury(report, out);
                Disposition::Done
            }
            // It ended and has no files left to delete. Had it been granted, its output would have been found before
            // the grant was withdrawn.
            (Held::Ended(_), Word::Stale) => Disposition::Done,
            (Held::Running(attempt, _) | Held::Proven(attempt, _), Word::Zombie) => {
                self.drop_run(attempt);
                Disposition::Abandon
            }
            (Held::Running(..) | Held::Proven(..), Word::Stale) => Disposition::Abandon,
        }
    }

    /// Deals with what the agent should hold and does not.
    fn miss(&mut self, id: AgentId, held: &BTreeSet<AttemptId>, same_process: bool, out: &mut Effects) {
        let Some(agent) = self.agents.get(&id) else { return };
        let missing: Vec<AttemptId> = agent
            .devices
            .values()
            .flat_map(|seats| seats.held.iter().copied())
            .filter(|attempt| !held.contains(attempt))
            .collect();
        for attempt in missing {
            let Some(run) = self.runs.get(&attempt) else { continue };
            if run.standing == Standing::Zombie {
                self.drop_run(attempt);
            } else if run.settling == Settling::No {
                let text = if same_process { "its agent does not have it" } else { "its agent restarted" };
                self.take_back(attempt, text, out);
            } else {
                self.reseat(attempt, Seat::Left);
            }
        }
    }
}
