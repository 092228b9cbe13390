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
        let restarted = agent.instance.is_some_and(|known| known != instance);
        agent.draining &= same_process;
        agent.instance = Some(instance);
        agent.offer(devices, self.wall_ms);
        self.heard(id);
        note(out, if same_process { "reconnected" } else { "connected" }, None, Some(id));

        let held: BTreeSet<AttemptId> = inventory.iter().map(Held::attempt).collect();
        let dispositions =
            inventory.into_iter().map(|item| (item.attempt(), self.dispose(id, item, out))).collect();
        let why = if restarted { "its agent restarted" } else { "its agent does not have it" };
        self.miss(id, &held, why, out);
        // The name is the registry's; whoever sends this knows it.
        let welcome = ToAgent::Welcome { agent: id, name: String::new(), inventory: dispositions };
        out.push(Effect::Tell(id, session, welcome));
        let lanes: Vec<LaneKey> = self.ready.lanes.keys().copied().collect();
        for lane in lanes {
            self.ask_proofs(id, lane, out);
        }
        self.test_overdue(id, out);
        self.refresh_agent(id);
        self.take_misplaced(id, out);
        self.wake_idle_beside(id);
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
    fn miss(&mut self, id: AgentId, held: &BTreeSet<AttemptId>, why: &'static str, out: &mut Effects) {
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
                self.take_back(attempt, why, out);
            } else {
                self.reseat(attempt, Seat::Left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::failure::FailureClass;
    use vc_protocol::progress::{Phase, Progress};

    use super::*;
    use crate::event::Settlement;
    use crate::recorder::{Recorder, attempt, cpu, failure, new_job, proven, report};

    fn running(r: &mut Recorder) -> AttemptId {
        r.add([new_job(1)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        attempt(1, 1)
    }

    fn still_runs(attempt: AttemptId) -> Held {
        Held::Running(attempt, Progress::start(Phase::Encoding))
    }

    const PROOFS: [&str; 2] = ["prove 1 root 10", "prove 1 root 20 writable"];

    #[test]
    fn an_agent_that_comes_back_goes_on_with_what_it_holds() {
        let mut r = Recorder::new();
        let a = running(&mut r);
        r.rejoin(1, 1, vec![still_runs(a)]);
        r.expect(&["close 1 session 1", "tell 1 welcome 1.0/1 continue", PROOFS[0], PROOFS[1]]);
    }

    #[test]
    fn after_a_restart_of_the_console_a_result_that_waited_is_taken() {
        let mut r = Recorder::new();
        let a = running(&mut r);
        r.restart();
        r.pass(30_000);
        assert_eq!(r.farm.unreported_agents(), 1);
        r.rejoin(1, 1, vec![Held::Proven(a, proven(a))]);
        r.expect(&["job 1 running: granted", "tell 1 welcome 1.0/1 commit", PROOFS[0], PROOFS[1]]);
        assert_eq!(r.farm.unreported_agents(), 0);
        r.restart();
        r.rejoin(1, 1, vec![Held::Ended(report(a, Outcome::Committed(proven(a))))]);
        r.expect(&["attempt 1.0/1 completed", "job 1 completed: done", "tell 1 welcome 1.0/1 done"]);
        r.restart();
        r.rejoin(1, 1, vec![Held::Ended(report(a, Outcome::Committed(proven(a))))]);
        r.expect(&["tell 1 welcome 1.0/1 done"]);
    }

    #[test]
    fn a_restarted_agent_loses_its_attempts_at_once() {
        let mut r = Recorder::new();
        running(&mut r);
        r.connect(1, 77, vec![cpu(1)], Vec::new());
        r.expect(&[
            "close 1 session 1",
            "attempt 1.0/1 failed infrastructure",
            "job 1 pending: open",
            "tell 1 welcome",
            PROOFS[0],
            PROOFS[1],
        ]);
        assert_eq!((r.row(1).tasks[0].lost, r.row(1).tasks[0].retries), (1, 0));
    }

    #[test]
    fn an_offer_that_never_arrived_is_made_again_and_blames_nobody() {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.join(1, 1);
        r.skip();
        r.rejoin(1, 1, Vec::new());
        r.skip();
        assert_eq!((r.row(1).tasks[0].lost, r.row(1).tasks[0].failed_on.len()), (0, 0));
        r.say(1, crate::event::AgentEvent::RootProof(crate::recorder::SOURCE, Ok(())));
        r.say(1, crate::event::AgentEvent::RootProof(crate::recorder::OUTPUT, Ok(())));
        r.expect(&["job 1 running: leased", "offer 1.0/2 to 1/0"]);
    }

    #[test]
    fn what_was_given_to_another_meanwhile_is_abandoned() {
        let mut r = Recorder::new();
        let a = running(&mut r);
        r.join(2, 1);
        r.pass_alive(180_000, &[2]);
        assert_eq!(r.offers(), [(1, 2)]);
        r.rejoin(
            1,
            1,
            vec![still_runs(a), Held::Proven(a, proven(a)), Held::Ended(report(a, Outcome::Stopped))],
        );
        let welcome = "tell 1 welcome 1.0/1 abandon 1.0/1 abandon 1.0/1 done";
        r.expect(&["close 1 session 1", welcome, PROOFS[0], PROOFS[1]]);
        assert_eq!(r.row(1).tasks[0].lease().map(|l| l.agent), Some(AgentId(2)));
    }

    #[test]
    fn a_granted_output_whose_holder_restarted_is_looked_for() {
        let mut r = Recorder::new();
        let a = running(&mut r);
        r.asks(1, a);
        r.skip();
        r.connect(1, 77, vec![cpu(1)], Vec::new());
        r.expect(&["close 1 session 1", "settle 1.0/1", "tell 1 welcome", PROOFS[0], PROOFS[1]]);
        r.settled(a, Settlement::InPlace(50));
        r.expect(&["attempt 1.0/1 completed", "job 1 completed: done"]);
        assert_eq!(r.row(1).result.as_ref().map(|x| x.bytes_out), Some(50));
    }

    #[test]
    fn a_holder_that_comes_back_while_its_output_is_looked_for_may_still_commit() {
        let mut r = Recorder::new();
        let a = running(&mut r);
        r.asks(1, a);
        r.pass(180_000);
        r.skip();
        r.rejoin(1, 1, vec![Held::Proven(a, proven(a))]);
        r.expect(&["close 1 session 1", "tell 1 welcome 1.0/1 commit", PROOFS[0], PROOFS[1]]);
        r.commits(1, a);
        r.expect(&["attempt 1.0/1 completed", "job 1 completed: done", "tell 1 done 1.0/1"]);
        r.settled(a, Settlement::InPlace(50));
        r.nothing_else();
    }

    #[test]
    fn a_failure_in_the_inventory_counts_like_a_report() {
        let mut r = Recorder::new();
        let a = running(&mut r);
        r.rejoin(1, 1, vec![Held::Ended(report(a, failure(FailureClass::Source)))]);
        r.expect(&[
            "close 1 session 1",
            "attempt 1.0/1 failed source",
            "job 1 failed: open",
            "tell 1 welcome 1.0/1 done",
        ]);
    }

    #[test]
    fn an_overtaken_session_is_closed() {
        let mut r = Recorder::new();
        running(&mut r);
        let late =
            crate::event::AgentEvent::Connected { instance: 1, devices: Vec::new(), inventory: Vec::new() };
        r.apply(crate::event::Event::Agent(AgentId(1), SessionNo(0), late));
        r.expect(&["close 1 session 0"]);
        assert_eq!(r.held(1), [attempt(1, 1)]);
    }

    #[test]
    fn an_attempt_keeps_its_place_when_its_device_is_offered_no_more() {
        let mut r = Recorder::new();
        let a = running(&mut r);
        r.connect(1, 1, Vec::new(), vec![still_runs(a)]);
        r.expect(&["close 1 session 1", "tell 1 welcome 1.0/1 continue"]);
        assert_eq!(r.held(1), [a]);
        r.reports(1, a, Outcome::Skipped("there".to_owned()));
        r.expect(&["attempt 1.0/1 skipped", "job 1 skipped: open", "tell 1 done 1.0/1"]);
    }
}
