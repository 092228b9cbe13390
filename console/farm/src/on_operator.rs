//! A person asked for something.

use vc_protocol::id::JobId;
use vc_protocol::job::JobState;

use crate::effect::Effects;
use crate::farm::{Farm, note};
use crate::ready::LaneKey;
use crate::record::{JobRecord, Reason};

impl Farm {
    /// Ends a job at once and durably; its attempts are fenced off and told to stop.
    pub(crate) fn on_cancel(&mut self, job: JobId, out: &mut Effects) {
        if self.jobs.get(job).is_none() {
            note(out, "not cancelled: it is final already", Some(job), None);
            return;
        }
        // A granted output may take its place at any instant, on a machine that cannot be asked in time: calling the
        // job cancelled would be a lie half of the time. The commit wins, and the job ends in a moment anyway.
        if self.jobs.live(job).is_some_and(|live| live.record.has_grant()) {
            note(out, "not cancelled: its output is taking its place", Some(job), None);
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
        note(out, "cancelled", Some(job), None);
    }

    /// Brings a job back to pending with full budgets.
    pub(crate) fn on_retry(&mut self, job: JobId, row: Option<Box<JobRecord>>, out: &mut Effects) {
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
                note(out, format!("not retried: it is {}", row.state.word()), Some(job), None);
                return;
            }
            (None, None) => {
                note(out, "not retried: there is no such job", Some(job), None);
                return;
            }
        };
        if state == JobState::Running {
            note(out, "not retried: it runs", Some(job), None);
            return;
        }
        self.dequeue(job);
        let wall_ms = self.wall_ms;
        self.jobs.edit(job, |live| live.record.retry(wall_ms));
        self.enqueue(job);
        self.put(job, out);
        note(out, "back to pending, by hand", Some(job), None);
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
        r.asks(1, attempt(1, 1));
        r.expect(&["tell 1 stale 1.0/1"]);
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
