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
