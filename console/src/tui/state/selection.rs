//! What commands are for: the job, agent or group under the cursor, or what is marked.

use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::job::JobState;
use vc_protocol::operator::{FailureGroup, JobRow, Snapshot};
use vc_protocol::path::FilePath;

use super::deed::{JobRef, Target};
use super::jobs::Marks;
use super::{Screen, State, agents, events, failures, overview};
use crate::tui::keys::Ground;

impl State {
    /// The job under the cursor or open.
    pub(crate) fn selected(&self) -> Option<JobRef> {
        let id = match (&self.detail, &self.agent, self.screen) {
            (Some(detail), ..) => detail.job,
            (None, Some(_), _) => agents::selected_job(self)?,
            (None, None, Screen::Jobs) => self.jobs.selected?,
            (None, None, Screen::Overview) => self.overview.job(self.snapshot.as_ref()?)?,
            (None, None, Screen::Events) => events::selected_job(self)?,
            (None, None, Screen::Agents | Screen::Failures) => return None,
        };
        self.find(id)
    }

    /// The agent under the cursor or open, and its device if that is what is selected.
    pub(crate) fn selected_agent(&self) -> Option<(AgentId, Option<DeviceId>)> {
        match (&self.detail, &self.agent, self.screen) {
            (None, Some(_), _) => Some((agents::selected(self)?, agents::selected_device(self))),
            (None, None, Screen::Agents) => Some((agents::selected(self)?, None)),
            (None, None, Screen::Overview) => self.overview.agent(self.snapshot.as_ref()?),
            (Some(_), ..) | (None, None, Screen::Jobs | Screen::Failures | Screen::Events) => None,
        }
    }

    /// The failure group under the cursor.
    pub(crate) fn selected_group(&self) -> Option<FailureGroup> {
        (self.below() == Ground::Failures).then(|| failures::selected(self)).flatten()
    }

    /// What is known of a job: a running one from the snapshot, which is newest.
    pub(crate) fn find(&self, id: JobId) -> Option<JobRef> {
        let run = self.snapshot.as_deref().and_then(|s| find_run(s, id));
        let detail = self.detail.as_ref().and_then(|d| d.data.as_ref()).map(|d| &d.row);
        let rows = self.jobs.window.iter().flat_map(|w| &w.page.rows);
        run.or_else(|| detail.into_iter().chain(rows).find(|row| row.id == id).map(row_ref))
    }

    /// What a command is for: the open job, else the marked ones, else the one under the cursor.
    pub(crate) fn target(&self) -> Option<Target> {
        match &self.jobs.marks {
            Marks::All { filter, count } if self.detail.is_none() => {
                Some(Target::All { filter: filter.clone(), count: *count })
            }
            Marks::Jobs(jobs) if self.detail.is_none() && !jobs.is_empty() => {
                let newest = |job: &JobRef| self.find(job.id).unwrap_or_else(|| job.clone());
                Some(Target::Jobs(jobs.values().map(newest).collect()))
            }
            Marks::All { .. } | Marks::Jobs(_) => self.selected().map(|job| Target::Jobs(vec![job])),
        }
    }
}

fn find_run(snapshot: &Snapshot, id: JobId) -> Option<JobRef> {
    let (agent, device, run) = overview::runs(snapshot).find(|(_, _, run)| run.attempt.job == id)?;
    Some(JobRef {
        id,
        name: file_name(&run.source),
        state: JobState::Running,
        waits: false,
        place: format!(
            "{}/{}",
            agent.name,
            if device.short.is_empty() { &device.name } else { &device.short }
        ),
        permille: Some(run.progress.permille),
        spent_ms: spent_ms(run.progress.out_ms, run.progress.speed),
    })
}

/// What is known of a job of a page.
pub(crate) fn row_ref(row: &JobRow) -> JobRef {
    JobRef {
        id: row.id,
        name: file_name(&row.source),
        state: row.state,
        waits: row.not_before_ms.is_some(),
        place: row.place.clone(),
        permille: row.progress.map(|p| p.permille),
        spent_ms: row.progress.map_or(0, |p| spent_ms(p.out_ms, p.speed)),
    }
}

/// Wall time of encoding so far, as far as media time and speed tell.
fn spent_ms(out_ms: u64, speed: f32) -> u64 {
    if speed > 0.0 { (out_ms as f64 / f64::from(speed)) as u64 } else { 0 }
}

fn file_name(path: &FilePath) -> String {
    FilePath(path.file_name().to_vec()).shown()
}
