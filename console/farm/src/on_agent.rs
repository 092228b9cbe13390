//! What agents say, apart from results: that they live, how far they are, that they go.
//!
//! Only the newest session of an agent is heard, and only about attempts that this agent holds.

use vc_protocol::agent::ToAgent;
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, AttemptId, SessionNo};
use vc_protocol::progress::{Phase, Progress};

use crate::agent::Quiet;
use crate::attempt::Step;
use crate::effect::{Effect, Effects};
use crate::event::AgentEvent;
use crate::farm::{Farm, Mutant, note};
use crate::lease::{GRACE_MS, LEASE_MS, Seat, Standing};
use crate::on_time::Due;

/// Whose word a message about an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The holder's, about this current attempt.
    Current(AttemptId),
    /// About an attempt that was fenced off and that the agent was told to stop.
    Zombie,
    /// About an attempt that is not this agent's, or not any more.
    Stale,
}

impl Farm {
    pub(crate) fn on_agent(&mut self, id: AgentId, session: SessionNo, event: AgentEvent, out: &mut Effects) {
        if self.revoked.contains(&id) {
            if let AgentEvent::Connected { .. } = event {
                out.push(Effect::Close(id, session, Close::Revoked));
            }
            return;
        }
        if let AgentEvent::Connected { instance, devices, inventory } = event {
            self.on_connected(id, session, instance, devices, inventory, out);
            return;
        }
        if self.session(id) != Some(session) {
            return;
        }
        if event == AgentEvent::Disconnected {
            let was_heard = self.agents.get(&id).is_some_and(|agent| agent.quiet == Quiet::Heard);
            self.lose_session(id);
            // Its silence was told already, and is all that there is to it.
            if was_heard {
                self.note_loss(id, "disconnected", out);
            }
            return;
        }
        if self.heard(id) != Quiet::Heard {
            note(out, "answers again", None, Some(id));
        }
        match event {
            AgentEvent::Connected { .. } | AgentEvent::Disconnected => {}
            AgentEvent::Heartbeat(attempts) => self.on_heartbeat(id, session, &attempts, out),
            AgentEvent::Progress(list) => self.on_progress(id, session, &list, out),
            AgentEvent::AskCommit(attempt, proven) => self.on_ask_commit(id, session, attempt, &proven, out),
            AgentEvent::Report(report) => self.on_report(id, session, report, out),
            AgentEvent::RootProof(root, proof) => self.on_root_proof(id, root, proof, out),
            AgentEvent::SelfTested(device, verdict) => self.on_self_tested(id, device, verdict, out),
            AgentEvent::Devices(devices) => self.on_devices(id, devices, out),
            AgentEvent::Draining => self.on_draining(id, out),
        }
    }

    /// Any word of its session breaks an agent's silence, which was this; it renews no lease.
    pub(crate) fn heard(&mut self, id: AgentId) -> Quiet {
        let listened = self.clock.listened();
        let Some(agent) = self.agents.get_mut(&id) else { return Quiet::Heard };
        agent.heard = listened;
        let was = std::mem::replace(&mut agent.quiet, Quiet::Heard);
        if was != Quiet::Heard {
            // Its timer was set for a longer silence; this one starts anew.
            if let Some(at) = agent.armed.take() {
                self.timers.drop(at, Due::Silence(id));
            }
            self.refresh_agent(id);
        }
        self.arm_silence(id);
        was
    }

    /// Tells that an agent is gone, and what that leaves open.
    pub(crate) fn note_loss(&self, id: AgentId, what: &str, out: &mut Effects) {
        let seats = self.agents.get(&id).into_iter().flat_map(|agent| agent.devices.values());
        let held = seats.map(|seats| seats.held.len()).sum::<usize>();
        let text = match held {
            0 => what.to_owned(),
            1 => format!("{what}; it may still run 1 job"),
            n => format!("{what}; it may still run {n} jobs"),
        };
        note(out, text, None, Some(id));
    }

    /// The agent cannot be reached. What it holds stays its own until the leases end.
    pub(crate) fn lose_session(&mut self, id: AgentId) {
        self.forget_proofs(id);
        self.break_off_tests(id, |_| true);
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.session = None;
        }
        self.refresh_agent(id);
    }

    /// Which attempt a message of this agent is about.
    pub(crate) fn word(&self, agent: AgentId, attempt: AttemptId) -> Word {
        if self.config.mutant == Some(Mutant::NoAttemptCheck) {
            let live = self.jobs.live(attempt.job).map(|live| live.record.live_attempts());
            let current = live.and_then(|list| list.into_iter().find(|a| a.task == attempt.task));
            return current.map_or(Word::Stale, Word::Current);
        }
        match self.runs.get(&attempt) {
            Some(run) if run.lease.agent != agent => Word::Stale,
            Some(run) if run.standing == Standing::Zombie => Word::Zombie,
            Some(_) => Word::Current(attempt),
            None => Word::Stale,
        }
    }

    fn on_heartbeat(&mut self, id: AgentId, session: SessionNo, attempts: &[AttemptId], out: &mut Effects) {
        for attempt in attempts {
            match self.word(id, *attempt) {
                Word::Current(attempt) => self.renew(attempt),
                // It has not ended yet; it fills its place for longer.
                Word::Zombie => {}
                Word::Stale => out.push(Effect::Tell(id, session, ToAgent::Stale(*attempt))),
            }
        }
    }

    /// The agent has the attempt: its lease starts anew.
    pub(crate) fn renew(&mut self, attempt: AttemptId) {
        let lapses = self.clock.listened().plus(LEASE_MS + GRACE_MS);
        if let Some(run) = self.runs.get_mut(&attempt) {
            run.lapses = lapses;
        }
        self.reseat(attempt, Seat::Taken);
    }

    fn on_progress(
        &mut self,
        id: AgentId,
        session: SessionNo,
        list: &[(AttemptId, Progress)],
        out: &mut Effects,
    ) {
        for (attempt, progress) in list {
            match self.word(id, *attempt) {
                Word::Current(attempt) => self.progressed(attempt, *progress, out),
                Word::Zombie => {}
                Word::Stale => out.push(Effect::Tell(id, session, ToAgent::Stale(*attempt))),
            }
        }
        self.wake_idle_beside(id);
    }

    pub(crate) fn progressed(&mut self, attempt: AttemptId, progress: Progress, out: &mut Effects) {
        if let Some(run) = self.runs.get_mut(&attempt) {
            run.progress = Some(progress.clamped());
        }
        // A job that only waits on the agent must not count as lost with it.
        if progress.phase == Phase::Waiting {
            return;
        }
        let wall_ms = self.wall_ms;
        let started = self.jobs.edit(attempt.job, |live| {
            let step = live.record.task_mut(attempt.task)?.start(attempt.no).ok()?;
            if step == Step::New {
                live.record.follow_tasks(wall_ms);
            }
            Some(step)
        });
        if started.flatten() == Some(Step::New) {
            self.put(attempt.job, out);
        }
    }

    fn on_draining(&mut self, id: AgentId, out: &mut Effects) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        if !agent.draining {
            agent.draining = true;
            self.refresh_agent(id);
            note(out, "going down: finishes or hands back what it has", None, Some(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::job::JobState;
    use vc_protocol::operator::AgentState;

    use super::*;
    use crate::event::Event;
    use crate::recorder::{Recorder, attempt, new_job};

    fn running() -> Recorder {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        r
    }

    #[test]
    fn a_job_runs_once_its_agent_says_more_than_that_it_waits() {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.join(1, 1);
        r.skip();
        r.say(1, AgentEvent::Progress(vec![(attempt(1, 1), Progress::start(Phase::Waiting))]));
        r.nothing_else();
        r.encodes(1, attempt(1, 1));
        r.expect(&["job 1 running: running"]);
        r.encodes(1, attempt(1, 1));
        r.nothing_else();
    }

    #[test]
    fn what_is_said_of_an_attempt_that_is_not_ones_own_is_stale_and_changes_nothing() {
        let mut r = running();
        r.join(2, 1);
        let before = r.farm.record(attempt(1, 1).job);
        for foreign in [attempt(1, 1), attempt(1, 2), attempt(9, 1)] {
            r.say(2, AgentEvent::Heartbeat(vec![foreign]));
            r.encodes(2, foreign);
            r.asks(2, foreign);
            let stale = format!("tell 2 stale {foreign}");
            r.expect(&[&stale, &stale, &stale]);
        }
        r.reports(2, attempt(1, 1), Outcome::Skipped("mine".to_owned()));
        r.expect(&["tell 2 stale 1.0/1"]);
        assert_eq!(r.farm.record(attempt(1, 1).job), before);
    }

    #[test]
    fn an_old_session_is_not_heard() {
        let mut r = running();
        r.rejoin(
            1,
            1,
            vec![vc_protocol::agent::Held::Running(attempt(1, 1), Progress::start(Phase::Encoding))],
        );
        r.skip();
        let report = crate::recorder::report(attempt(1, 1), Outcome::Stopped);
        r.apply(Event::Agent(AgentId(1), SessionNo(1), AgentEvent::Report(report)));
        r.apply(Event::Agent(AgentId(1), SessionNo(1), AgentEvent::Disconnected));
        r.nothing_else();
        assert!(r.farm.session(AgentId(1)).is_some());
    }

    #[test]
    fn a_silent_agent_gets_nothing_new_and_is_unsure_after_twenty_seconds() {
        let mut r = running();
        let state = |r: &Recorder| {
            let view = r.farm.agents().next().unwrap();
            (view.state, view.unsure, r.farm.totals().unsure)
        };
        r.pass(14_999);
        assert_eq!(state(&r), (AgentState::Ok, false, 0));
        r.pass(1);
        assert_eq!(state(&r), (AgentState::Suspect, false, 0));
        r.add([new_job(2)]);
        r.nothing_else();
        r.pass(5_000);
        assert_eq!(state(&r), (AgentState::Suspect, true, 1));
        r.say(1, AgentEvent::Heartbeat(vec![attempt(1, 1)]));
        assert_eq!(state(&r), (AgentState::Ok, false, 0));
        r.expect_note("answers again");
        r.expect(&["job 2 running: leased", "offer 2.0/1 to 1/0"]);
    }

    #[test]
    fn an_agent_that_goes_away_is_told_of_once_and_counts_down() {
        let gives_back = |r: &Recorder| r.farm.agents().next().unwrap().gives_back_ms;
        let mut r = running();
        assert_eq!(gives_back(&r), None);
        r.pass(30_000);
        r.say(1, AgentEvent::Disconnected);
        r.expect_notes(&["stopped answering; it may still run 1 job"]);
        assert_eq!(gives_back(&r), Some(150_000));
        r.rejoin(1, 1, Vec::new());
        r.expect_note("reconnected");
        r.say(1, AgentEvent::Disconnected);
        r.pass(60_000);
        r.expect_notes(&["disconnected"]);
        assert_eq!(gives_back(&r), None, "it came back without the job");
    }

    #[test]
    fn what_an_agent_held_before_the_console_started_is_unsure_until_it_is_heard() {
        let mut r = running();
        r.restart();
        assert_eq!(r.farm.totals().unsure, 1);
    }

    #[test]
    fn an_agent_that_goes_down_gets_nothing_new_and_hands_back_for_free() {
        let mut r = running();
        r.say(1, AgentEvent::Draining);
        r.add([new_job(2)]);
        r.nothing_else();
        assert_eq!(r.farm.agents().next().unwrap().state, AgentState::Draining);
        r.reports(1, attempt(1, 1), Outcome::Stopped);
        r.expect(&["attempt 1.0/1 stopped", "job 1 pending: open", "tell 1 done 1.0/1"]);
        assert_eq!(r.row(1).tasks[0].retries, 0);
        r.join(2, 2);
        assert_eq!(r.offers(), [(1, 2), (2, 2)]);
        assert_eq!(r.farm.totals().by_state[JobState::Running as usize], 2);
    }
}
