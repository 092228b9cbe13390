//! One agent opened: its devices and jobs as rows, the cursor among them, and what the server last said of it.

use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::operator::{AgentDetail, AgentView, DeviceState, DeviceView, Snapshot};

use super::Millis;
use super::agents::runs;
use crate::tui::link::RequestTag;

/// Least time between two questions about the open agent.
pub(crate) const REFRESH_MS: Millis = 1000;

/// Names a row whatever happens around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentRow {
    Device(DeviceId),
    Job(JobId),
}

/// An opened agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenAgent {
    pub(crate) id: AgentId,
    /// The row under the cursor, which it follows.
    pub(crate) selected: Option<AgentRow>,
    /// Where it was seen last.
    pub(crate) at: usize,
    /// Its log is shown, so many lines away from the end; none shows devices and jobs.
    pub(crate) log: Option<usize>,
    pub(crate) data: Option<AgentDetail>,
    pub(crate) refused: Option<String>,
    pub(crate) asked: Option<RequestTag>,
    pub(crate) asked_at: Millis,
    /// When the snapshot came that was newest when it was asked.
    pub(crate) heard: Millis,
}

impl OpenAgent {
    pub(crate) fn new(id: AgentId, selected: Option<AgentRow>) -> OpenAgent {
        OpenAgent {
            id,
            selected,
            at: 0,
            log: None,
            data: None,
            refused: None,
            asked: None,
            asked_at: 0,
            heard: 0,
        }
    }

    /// The agent: as the snapshot has it, which is newest.
    pub(crate) fn view<'a>(&'a self, snapshot: Option<&'a Snapshot>) -> Option<&'a AgentView> {
        let told = snapshot.and_then(|s| s.agents.iter().find(|agent| agent.id == self.id));
        told.or_else(|| self.data.as_ref().map(|data| &data.view))
    }

    /// Devices, then jobs.
    pub(crate) fn rows(view: &AgentView) -> Vec<AgentRow> {
        let devices = view.devices.iter().map(|device| AgentRow::Device(device.id));
        devices.chain(runs(view).map(|run| AgentRow::Job(run.attempt.job))).collect()
    }

    pub(crate) fn move_to(&mut self, view: &AgentView, at: usize) {
        let rows = OpenAgent::rows(view);
        self.at = at.min(rows.len().saturating_sub(1));
        self.selected = rows.get(self.at).copied();
    }

    /// After something came: finds the selected row again. First it stands on a device that needs a person.
    pub(crate) fn follow(&mut self, view: &AgentView) {
        let rows = OpenAgent::rows(view);
        let quarantined = |device: &DeviceView| matches!(device.state, DeviceState::Quarantined { .. });
        let first = || view.devices.iter().position(quarantined);
        let at = match self.selected {
            Some(row) => rows.iter().position(|known| *known == row),
            None => first(),
        };
        self.move_to(view, at.unwrap_or(self.at));
    }

    /// The device that is meant: under the cursor, or that of the job under it.
    pub(crate) fn device<'a>(&self, view: &'a AgentView) -> Option<&'a DeviceView> {
        let row = self.selected?;
        view.devices.iter().find(|device| match row {
            AgentRow::Device(id) => device.id == id,
            AgentRow::Job(id) => device.runs.iter().any(|run| run.attempt.job == id),
        })
    }

    /// When to ask (again): snapshots come when something changed, so each is a reason, but not more than one a while.
    pub(crate) fn due(&self, heard: Millis) -> Option<Millis> {
        let fresh = (self.data.is_some() || self.refused.is_some()) && self.heard == heard;
        match self.asked {
            Some(_) => None,
            None if self.data.is_none() && self.refused.is_none() => Some(0),
            None => (!fresh).then_some(self.asked_at + REFRESH_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(devices: &[u16]) -> AgentView {
        let device = |id: &u16| DeviceView { id: DeviceId(*id), ..DeviceView::default() };
        AgentView { devices: devices.iter().map(device).collect(), ..AgentView::default() }
    }

    #[test]
    fn the_cursor_starts_on_the_device_that_needs_a_person() {
        let mut sick = view(&[0, 1, 2]);
        sick.devices[1].state =
            DeviceState::Quarantined { why: "x".into(), until_ms: None, testing: false };
        let mut open = OpenAgent::new(AgentId(1), None);
        open.follow(&sick);
        assert_eq!(open.selected, Some(AgentRow::Device(DeviceId(1))));
        open.follow(&view(&[1, 2]));
        assert_eq!((open.selected, open.at), (Some(AgentRow::Device(DeviceId(1))), 0));
        open.follow(&view(&[]));
        assert_eq!(open.selected, None);
    }

    #[test]
    fn it_is_asked_at_once_then_with_each_snapshot_but_not_more_than_once_a_second() {
        let mut open = OpenAgent::new(AgentId(1), None);
        assert_eq!(open.due(5), Some(0));
        (open.asked, open.asked_at, open.heard) = (Some(RequestTag(1)), 2000, 5);
        assert_eq!(open.due(9), None, "one question at a time");
        (open.asked, open.refused) = (None, Some("no".into()));
        assert_eq!(open.due(5), None, "nothing changed");
        assert_eq!(open.due(2500), Some(3000));
    }
}
