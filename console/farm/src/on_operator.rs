//! A person asked for something: what it means for jobs and for the farm as a whole. Agents and devices are `on_drain`'s.

use vc_protocol::id::JobId;
use vc_protocol::job::{JobState, Priority};

use crate::effect::{Effect, Effects};
use crate::event::OperatorEvent;
use crate::farm::{Farm, note_by};
use crate::on_drain::What;
use crate::ready::LaneKey;
use crate::record::{FarmRecord, JobRecord, Pause, Reason};

/// Begins the reason of a job that a person holds; the rest is the person's name.
pub const HELD_BY: &str = "held by ";

impl Farm {
    pub(crate) fn on_operator(&mut self, who: &str, event: OperatorEvent, out: &mut Effects) {
        match event {
            OperatorEvent::Cancel(job) => self.on_cancel(who, job, out),
            OperatorEvent::Retry(job, row) => self.on_retry(who, job, row, out),
            OperatorEvent::Hold(job) => self.on_hold(who, job, out),
            OperatorEvent::Release(job) => self.on_release(who, job, out),
            OperatorEvent::Prioritise(job, priority) => self.on_prioritise(who, job, priority, out),
            OperatorEvent::Pause => self.on_pause(who, out),
            OperatorEvent::Resume => self.on_resume(who, out),
            OperatorEvent::Drain { agent, device, kill } => self.on_drain(who, agent, device, kill, out),
            OperatorEvent::Undrain(agent, device) => self.on_undrain(who, agent, device, out),
            OperatorEvent::ReleaseQuarantine(agent, device) => {
                self.on_release_quarantine(who, agent, device, out);
            }
            OperatorEvent::SelfTest(agent, device) => self.on_self_test(who, agent, device, out),
            OperatorEvent::Revoked(agent) => self.on_revoked(who, agent, out),
            OperatorEvent::Close => self.on_close(who, out),
            OperatorEvent::Recall => self.on_recall(who, out),
            OperatorEvent::Noted(text) => note_by(out, who, text, None, None),
        }
    }

    /// Ends a job at once and durably; its attempts are fenced off and told to stop.
    fn on_cancel(&mut self, who: &str, job: JobId, out: &mut Effects) {
        if self.jobs.get(job).is_none() {
            note_by(out, who, "not cancelled: it is final already", Some(job), None);
            return;
        }
        // A granted output may take its place at any instant, on a machine that cannot be asked in time: calling the
        // job cancelled would be a lie half of the time. The commit wins, and the job ends in a moment anyway.
        if self.jobs.live(job).is_some_and(|live| live.record.has_grant()) {
            note_by(out, who, "not cancelled: its output is taking its place", Some(job), None);
            return;
        }
        self.dequeue(job);
        self.fence(job, out);
        let wall_ms = self.wall_ms;
        self.jobs.edit(job, |live| {
            let reason = Reason { class: None, text: "cancelled".to_owned() };
            live.record.decide(JobState::Cancelled, reason, wall_ms);
        });
        self.put(job, out);
        note_by(out, who, "cancelled", Some(job), None);
    }

    /// Brings a job back to pending with full budgets.
    fn on_retry(&mut self, who: &str, job: JobId, row: Option<Box<JobRecord>>, out: &mut Effects) {
        let state = match (self.jobs.record(job), row) {
            (Some(record), _) => record.state,
            (None, Some(row))
                if row.id == job && row.state.is_final() && row.state != JobState::Completed =>
            {
                if self.enter_group(row.group) {
                    self.on_new_lane(LaneKey::of(&row.group), out);
                }
                let state = row.state;
                self.jobs.insert_live(*row);
                state
            }
            (None, Some(row)) => {
                note_by(out, who, format!("not retried: it is {}", row.state.word()), Some(job), None);
                return;
            }
            (None, None) => {
                note_by(out, who, "not retried: there is no such job", Some(job), None);
                return;
            }
        };
        if state == JobState::Running {
            note_by(out, who, "not retried: it runs", Some(job), None);
            return;
        }
        self.start_over(who, job, "back to pending, by hand", out);
    }

    /// Only what waits is held: a running job would have to be stopped for it, which its operator did not ask for, or
    /// to be remembered until its end, which would then surprise everybody.
    fn on_hold(&mut self, who: &str, job: JobId, out: &mut Effects) {
        let why_not = match self.jobs.record(job).map(|record| record.state) {
            Some(JobState::Pending) => {
                self.dequeue(job);
                let by = if who.is_empty() { "hand" } else { who };
                let reason = Reason { class: None, text: format!("{HELD_BY}{by}") };
                let wall_ms = self.wall_ms;
                self.jobs.edit(job, |live| live.record.decide(JobState::Held, reason, wall_ms));
                self.put(job, out);
                "held"
            }
            Some(JobState::Running) => "not held: it runs",
            Some(JobState::Held) => "not held: it is held already",
            Some(JobState::Completed | JobState::Failed | JobState::Cancelled | JobState::Skipped) | None => {
                "not held: it is final already"
            }
        };
        note_by(out, who, why_not, Some(job), None);
    }

    /// Whoever held it, the farm or a person, this one says that it may run: with full budgets, or the farm would hold
    /// it again at the first mishap.
    fn on_release(&mut self, who: &str, job: JobId, out: &mut Effects) {
        if self.jobs.record(job).is_some_and(|record| record.state == JobState::Held) {
            self.start_over(who, job, "released", out);
        } else {
            note_by(out, who, "not released: it is not held", Some(job), None);
        }
    }

    fn start_over(&mut self, who: &str, job: JobId, what: &str, out: &mut Effects) {
        self.dequeue(job);
        let wall_ms = self.wall_ms;
        self.jobs.edit(job, |live| live.record.retry(wall_ms));
        self.enqueue(job);
        self.put(job, out);
        note_by(out, who, what, Some(job), None);
    }

    fn on_prioritise(&mut self, who: &str, job: JobId, priority: Priority, out: &mut Effects) {
        for ticket in self.jobs.tickets(job) {
            self.ready.remove(&ticket);
        }
        self.jobs.prioritise(job, priority, self.wall_ms);
        for ticket in self.jobs.tickets(job) {
            self.ready.push(&ticket);
        }
        let Some(mut row) = self.jobs.record(job) else {
            note_by(out, who, "priority not changed: it is final already", Some(job), None);
            return;
        };
        row.updated_ms = self.wall_ms;
        out.push(Effect::PutJob(Box::new(row)));
        note_by(out, who, format!("priority {}", priority.0), Some(job), None);
    }

    fn on_pause(&mut self, who: &str, out: &mut Effects) {
        if self.paused.is_some() {
            note_by(out, who, "the farm is paused already", None, None);
            return;
        }
        let pause = Pause { who: who.to_owned(), why: String::new(), since_ms: self.wall_ms };
        self.paused = Some(pause);
        self.put_farm(out);
        note_by(out, who, "the farm is paused: nothing is handed out", None, None);
    }

    fn on_resume(&mut self, who: &str, out: &mut Effects) {
        if !self.holds_back() {
            note_by(out, who, "the farm is not paused", None, None);
            return;
        }
        self.closing = None;
        if self.paused.take().is_some() {
            self.count_anew();
            self.put_farm(out);
        }
        note_by(out, who, "the farm goes on", None, None);
    }

    fn on_close(&mut self, who: &str, out: &mut Effects) {
        let why = "the server ends when nothing runs any more".to_owned();
        self.closing = Some(Pause { who: who.to_owned(), why, since_ms: self.wall_ms });
        note_by(out, who, "nothing new is handed out: the server is to end", None, None);
        self.take_all_back(What::Waiting, "the server was to end", out, |_| true);
    }

    pub(crate) fn put_farm(&self, out: &mut Effects) {
        out.push(Effect::PutFarm(FarmRecord { paused: self.paused.clone() }));
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::failure::FailureClass;

    use super::*;
    use crate::event::AgentEvent;
    use crate::recorder::{Recorder, attempt, failure, new_job};

    fn one_of_each() -> Recorder {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2), new_job(3)]);
        r.join(1, 1);
        r.encodes(1, attempt(1, 1));
        r.skip();
        r
    }

    #[test]
    fn a_pending_job_is_cancelled_at_once() {
        let mut r = one_of_each();
        r.cancel(3);
        r.expect(&["job 3 cancelled: open"]);
        r.cancel(3);
        r.nothing_else();
        r.expect_note("not cancelled");
    }

    #[test]
    fn a_cancelled_attempt_fills_its_slot_until_it_ended() {
        let mut r = one_of_each();
        r.cancel(1);
        r.expect(&["attempt 1.0/1 stopped", "tell 1 cancel 1.0/1", "job 1 cancelled: open"]);
        assert_eq!(r.held(1).len(), 2);
        r.say(1, AgentEvent::Heartbeat(vec![attempt(1, 1), attempt(2, 1)]));
        r.nothing_else();
        r.reports(1, attempt(1, 1), Outcome::Stopped);
        r.expect(&[
            "attempt 1.0/1 stopped",
            "tell 1 done 1.0/1",
            "job 3 running: leased",
            "offer 3.0/1 to 1/0",
        ]);
        assert_eq!(r.row(1).state, JobState::Cancelled);
    }

    #[test]
    fn a_cancelled_attempt_that_asks_to_commit_at_that_moment_frees_its_slot() {
        let mut r = one_of_each();
        r.cancel(1);
        r.skip();
        r.asks(1, attempt(1, 1));
        r.expect(&["tell 1 stale 1.0/1", "job 3 running: leased", "offer 3.0/1 to 1/0"]);
        r.say(1, AgentEvent::Heartbeat(vec![attempt(1, 1), attempt(2, 1)]));
        r.expect(&["tell 1 stale 1.0/1"]);
        r.reports(1, attempt(1, 1), Outcome::Stopped);
        r.expect(&["tell 1 done 1.0/1"]);
        assert_eq!(r.row(1).state, JobState::Cancelled);
    }

    #[test]
    fn a_cancelled_attempt_whose_agent_is_away_is_abandoned_when_it_returns() {
        let mut r = one_of_each();
        r.say(1, AgentEvent::Disconnected);
        r.cancel(1);
        r.expect(&["attempt 1.0/1 stopped", "job 1 cancelled: open"]);
        let still = |no| {
            let progress = vc_protocol::progress::Progress::start(vc_protocol::progress::Phase::Encoding);
            vc_protocol::agent::Held::Running(attempt(no, 1), progress)
        };
        r.rejoin(1, 1, vec![still(1), still(2)]);
        r.expect(&[
            "job 2 running: running",
            "tell 1 welcome 1.0/1 abandon 2.0/1 continue",
            "prove 1 root 10",
            "prove 1 root 20 writable",
        ]);
        assert_eq!(r.held(1), [attempt(2, 1)]);
    }

    #[test]
    fn a_cancelled_attempt_of_a_lost_agent_frees_its_place_with_the_lease() {
        let mut r = one_of_each();
        r.cancel(1);
        r.cancel(2);
        r.pass(180_000);
        assert!(r.held(1).is_empty());
    }

    #[test]
    fn a_retried_job_starts_over_with_a_higher_attempt() {
        let mut r = one_of_each();
        r.reports(1, attempt(1, 1), failure(FailureClass::Source));
        r.skip();
        r.cancel(3);
        r.reports(1, attempt(3, 1), Outcome::Stopped);
        r.skip();
        r.retry(1);
        r.expect(&["job 1 pending: open", "job 1 running: leased", "offer 1.0/2 to 1/0"]);
        assert_eq!(r.row(1).tasks[0].launches, 1);
        r.retry(1);
        r.expect_note("not retried: it runs");
        r.nothing_else();
    }

    #[test]
    fn a_job_that_waits_for_its_retry_can_be_sent_at_once() {
        let mut r = one_of_each();
        r.reports(1, attempt(1, 1), failure(FailureClass::Capacity));
        r.cancel(3);
        r.reports(1, attempt(3, 1), Outcome::Stopped);
        r.skip();
        r.retry(1);
        r.expect(&["job 1 pending: open", "job 1 running: leased", "offer 1.0/2 to 1/0"]);
        r.pass_alive(60_000, &[1]);
        r.nothing_else();
    }

    #[test]
    fn a_retried_job_forgets_why_it_ended() {
        let mut r = one_of_each();
        r.cancel(3);
        assert_eq!(r.row(3).reason.as_ref().map(|reason| reason.text.as_str()), Some("cancelled"));
        r.retry(3);
        assert_eq!((r.row(3).state, &r.row(3).reason), (JobState::Pending, &None));
    }

    #[test]
    fn a_held_job_waits_for_its_release_across_a_restart() {
        let mut r = one_of_each();
        r.ask(OperatorEvent::Hold(JobId(3)));
        r.expect(&["job 3 held: open"]);
        r.reports(1, attempt(1, 1), failure(FailureClass::Source));
        r.skip();
        r.restart();
        assert_eq!(r.row(3).reason.as_ref().map(|reason| reason.text.as_str()), Some("held by ana"));
        r.rejoin(1, 1, Vec::new());
        r.skip();
        r.ask(OperatorEvent::Hold(JobId(3)));
        r.expect_note("not held: it is held already");
        r.ask(OperatorEvent::Release(JobId(3)));
        r.expect(&["job 3 pending: open"]);
        r.ask(OperatorEvent::Release(JobId(3)));
        r.expect_note("not released");
        assert_eq!(r.row(3).reason, None);
    }

    #[test]
    fn a_running_job_is_not_held() {
        let mut r = one_of_each();
        r.ask(OperatorEvent::Hold(JobId(1)));
        r.nothing_else();
        r.expect_note("not held: it runs");
    }

    #[test]
    fn a_job_of_higher_priority_is_next_and_one_that_runs_keeps_it_for_its_next_run() {
        let mut r = one_of_each();
        r.add([new_job(4)]);
        r.ask(OperatorEvent::Prioritise(JobId(4), Priority(9)));
        r.ask(OperatorEvent::Prioritise(JobId(1), Priority(7)));
        r.expect(&["job 4 pending: open", "job 1 running: running"]);
        r.reports(1, attempt(1, 1), Outcome::Stopped);
        assert_eq!(r.offers(), [(4, 1)]);
        r.restart();
        assert_eq!((r.row(4).priority, r.row(1).priority), (Priority(9), Priority(7)));
        r.ask(OperatorEvent::Prioritise(JobId(99), Priority(9)));
        r.nothing_else();
    }

    #[test]
    fn a_paused_farm_hands_out_nothing_until_it_is_resumed_whatever_restarts() {
        let mut r = Recorder::new();
        r.ask(OperatorEvent::Pause);
        r.expect(&["farm paused by ana"]);
        r.add([new_job(1)]);
        r.join(1, 1);
        r.nothing_else();
        r.restart();
        r.rejoin(1, 1, Vec::new());
        r.proves(1);
        r.skip();
        r.ask(OperatorEvent::Pause);
        r.nothing_else();
        r.ask(OperatorEvent::Resume);
        r.expect(&["farm goes on", "job 1 running: leased", "offer 1.0/1 to 1/0"]);
        r.restart();
        assert_eq!(r.farm.paused(), None);
    }

    #[test]
    fn a_farm_that_is_to_end_hands_out_nothing_and_has_forgotten_it_after_the_restart() {
        let mut r = Recorder::new();
        r.ask(OperatorEvent::Close);
        r.add([new_job(1)]);
        r.join(1, 1);
        r.nothing_else();
        r.restart();
        r.join(1, 1);
        assert_eq!(r.offers(), [(1, 1)]);
        r.encodes(1, attempt(1, 1));
        r.skip();
        r.ask(OperatorEvent::Close);
        r.add([new_job(2)]);
        r.nothing_else();
        r.ask(OperatorEvent::Resume);
        assert_eq!(r.offers(), [(2, 1)]);
    }

    #[test]
    fn a_completed_job_and_an_unknown_one_are_not_retried() {
        let mut r = one_of_each();
        r.asks(1, attempt(1, 1));
        r.commits(1, attempt(1, 1));
        r.skip();
        r.retry(1);
        r.expect_note("not retried: it is completed");
        r.retry(99);
        r.expect_note("not retried: there is no such job");
        r.nothing_else();
    }
}
