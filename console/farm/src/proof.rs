//! Which agent has proved that it sees which folder.
//!
//! An agent is asked once a session for each folder that jobs need; a failed proof is asked for again while there is
//! work for it, since mounts come and go. Knows nothing of challenges and hashes: the engine makes and checks them.

use vc_protocol::id::{AgentId, RootId};

use crate::agent::RootState;
use crate::effect::{Effect, Effects};
use crate::farm::{Farm, note};
use crate::on_time::Due;
use crate::ready::LaneKey;

/// A mount that was missing may be there a minute later.
const FAILED_AGAIN_MS: u64 = 60_000;
/// An answer that takes longer than this was lost, or the folder hangs: another question costs little.
const UNANSWERED_AGAIN_MS: u64 = 120_000;

impl Farm {
    /// Asks an agent for the proofs that a lane needs, unless it was asked before.
    pub(crate) fn ask_proofs(&mut self, id: AgentId, key: LaneKey, out: &mut Effects) {
        let Some(agent) = self.agents.get(&id) else { return };
        if !agent.makes(key.codec) {
            return;
        }
        for (root, writable) in [(key.source_root, false), (key.output_root, true)] {
            let known = self.agents.get(&id).is_some_and(|agent| agent.roots.contains_key(&root));
            if !known {
                self.ask_proof(id, root, writable, out);
            }
        }
    }

    fn ask_proof(&mut self, id: AgentId, root: RootId, writable: bool, out: &mut Effects) {
        let again = self.clock.mono().plus(UNANSWERED_AGAIN_MS);
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let Some(session) = agent.session else { return };
        agent.roots.insert(root, RootState::Asked { again });
        self.timers.set(again, Due::Proof(id, root));
        out.push(Effect::Prove { agent: id, session, root, writable });
    }

    pub(crate) fn on_root_proof(
        &mut self,
        id: AgentId,
        root: RootId,
        proof: Result<(), String>,
        out: &mut Effects,
    ) {
        let again = self.clock.mono().plus(FAILED_AGAIN_MS);
        let Some(agent) = self.agents.get_mut(&id) else { return };
        // Nobody asked: the peer's word alone enters nothing.
        let Some(state) = agent.roots.get_mut(&root) else { return };
        let answered = match proof {
            Ok(()) => RootState::Proven,
            Err(reason) => RootState::Failed { reason, again },
        };
        let before = std::mem::replace(state, answered);
        let failed = match &*state {
            RootState::Failed { reason, .. } => Some(reason.clone()),
            RootState::Proven | RootState::Asked { .. } => None,
        };
        if let RootState::Asked { again } | RootState::Failed { again, .. } = before {
            self.timers.drop(again, Due::Proof(id, root));
        }
        if let Some(reason) = failed {
            self.timers.set(again, Due::Proof(id, root));
            note(out, format!("cannot prove that it sees folder {root}: {reason}"), None, Some(id));
        }
        self.refresh_agent(id);
    }

    pub(crate) fn on_proof_due(&mut self, id: AgentId, root: RootId, out: &mut Effects) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let codecs = |key: &LaneKey| agent.makes(key.codec);
        let mut lanes = self.ready.lanes.keys().filter(|key| codecs(key));
        let role = lanes.find_map(|key| match root {
            root if root == key.source_root => Some(false),
            root if root == key.output_root => Some(true),
            _ => None,
        });
        match role {
            Some(writable) => self.ask_proof(id, root, writable, out),
            // No work needs it: a later lane asks anew.
            None => {
                agent.roots.remove(&root);
            }
        }
    }

    /// The session is over, and its proofs with it.
    pub(crate) fn forget_proofs(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        for (root, state) in std::mem::take(&mut agent.roots) {
            if let RootState::Asked { again } | RootState::Failed { again, .. } = state {
                self.timers.drop(again, Due::Proof(id, root));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::AgentEvent;
    use crate::recorder::{OUTPUT, Recorder, SOURCE, cpu, group, new_job};

    #[test]
    fn each_folder_is_asked_for_once_a_session_and_gates_the_work() {
        let mut r = Recorder::new();
        r.connect(1, 1, vec![cpu(1)], Vec::new());
        r.expect(&["tell 1 welcome"]);
        r.add([new_job(1), new_job(2)]);
        r.expect(&["prove 1 root 10", "prove 1 root 20 writable"]);
        let other = crate::record::Group { source_root: vc_protocol::id::RootId(11), ..group(1) };
        r.add([crate::event::NewJob { group: other, ..new_job(3) }]);
        r.expect(&["prove 1 root 11"]);
        r.say(1, AgentEvent::RootProof(SOURCE, Ok(())));
        r.nothing_else();
        r.say(1, AgentEvent::RootProof(OUTPUT, Ok(())));
        assert_eq!(r.offers(), [(1, 1), (2, 1)]);
    }

    #[test]
    fn a_failed_proof_is_asked_for_again_while_there_is_work_for_it() {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.connect(1, 1, vec![cpu(1)], Vec::new());
        r.skip();
        r.say(1, AgentEvent::RootProof(SOURCE, Err("no such folder".to_owned())));
        r.say(1, AgentEvent::RootProof(OUTPUT, Ok(())));
        r.expect_note("no such folder");
        r.pass_alive(55_000, &[1]);
        r.nothing_else();
        r.pass_alive(5_000, &[1]);
        r.expect(&["prove 1 root 10"]);
        r.say(1, AgentEvent::RootProof(SOURCE, Err("no such folder".to_owned())));
        r.cancel(1);
        r.skip();
        r.pass_alive(120_000, &[1]);
        r.nothing_else();
        r.add([new_job(2)]);
        r.expect(&["prove 1 root 10"]);
        r.say(1, AgentEvent::RootProof(SOURCE, Ok(())));
        assert_eq!(r.offers(), [(2, 1)]);
    }

    #[test]
    fn a_question_without_an_answer_is_asked_again() {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.connect(1, 1, vec![cpu(1)], Vec::new());
        r.skip();
        r.pass_alive(120_000, &[1]);
        r.expect(&["prove 1 root 10", "prove 1 root 20 writable"]);
    }

    #[test]
    fn a_proof_that_nobody_asked_for_enters_nothing() {
        let mut r = Recorder::new();
        r.connect(1, 1, vec![cpu(1)], Vec::new());
        r.skip();
        r.say(1, AgentEvent::RootProof(SOURCE, Ok(())));
        r.say(1, AgentEvent::RootProof(OUTPUT, Ok(())));
        r.add([new_job(1)]);
        r.expect(&["prove 1 root 10", "prove 1 root 20 writable"]);
    }
}
