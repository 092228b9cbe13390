//! One agent opened: its devices and jobs as rows, the cursor among them, and what the server last said of it.

use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::operator::{AgentDetail, AgentView, DeviceState, DeviceView, Request, Response, Snapshot};

use super::agents::runs;
use super::detail::{Detail, Tab};
use super::{Action, Millis, Screen, State, on_reply, shift};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;
use crate::tui::model;

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

    /// A snapshot came.
    pub(super) fn hear(&mut self, snapshot: &Snapshot) {
        if let Some(view) = snapshot.agents.iter().find(|agent| agent.id == self.id) {
            self.follow(view);
        }
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

/// Opens an agent, with the cursor on that device if one is given.
pub(super) fn open(state: &mut State, id: AgentId, device: Option<DeviceId>) {
    let mut open = OpenAgent::new(id, device.map(AgentRow::Device));
    if let Some(snapshot) = &state.snapshot {
        open.hear(snapshot);
    }
    state.screen = Screen::Agents;
    state.agents.select(id);
    (state.detail, state.agent) = (None, Some(open));
}

/// Shows the end of the open agent's log.
pub(super) fn show_log(state: &mut State) {
    if let Some(open) = &mut state.agent {
        open.log = Some(0);
    }
}

/// Carries out what is an opened agent's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, _now: Millis, command: Command, _out: &mut Vec<Action>) -> bool {
    let Some(open) = &mut state.agent else { return false };
    match command {
        Command::Open => {
            if let Some(AgentRow::Job(job)) = open.selected {
                state.detail = Some(Detail::new(job, Tab::Summary));
            }
        }
        // The log of the job under the cursor is one key further, in the opened job.
        Command::Log => open.log = if open.log.is_some() { None } else { Some(0) },
        Command::Back if open.log.is_some() => open.log = None,
        _ => return false,
    }
    true
}

/// Why a command does nothing here now; none if it works or is not an opened agent's.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn refusal(state: &State, command: Command) -> Option<&'static str> {
    let open = state.agent.as_ref()?;
    let view = open.view(state.snapshot.as_deref());
    let device = view.and_then(|view| open.device(view));
    let quarantined = device.is_some_and(|device| matches!(device.state, DeviceState::Quarantined { .. }));
    match command {
        Command::Open if open.log.is_some() || !matches!(open.selected, Some(AgentRow::Job(_))) => {
            Some("nothing to open here: only jobs")
        }
        Command::ReleaseDevice if !quarantined => Some("no quarantine to release here"),
        Command::SelfTest if device.is_none() => Some("no device is selected"),
        _ => None,
    }
}

/// Moves the cursor, or the log.
pub(super) fn scroll(state: &mut State, by: i64) {
    let max = model::agent_scroll_max(state);
    let Some(open) = &mut state.agent else { return };
    if let Some(log) = &mut open.log {
        // A log is read from its end: up means further away from it.
        *log = shift(*log, by.saturating_neg(), max);
    } else if let Some(view) = open.view(state.snapshot.as_deref()).cloned() {
        open.move_to(&view, shift(open.at, by, usize::MAX));
    }
}

/// Asks about the open agent if what is known is missing or old.
pub(super) fn fetch(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    let heard = state.heard;
    let Some(id) = state.agent.as_ref().filter(|open| open.due(heard).is_some_and(|due| due <= now)) else {
        return;
    };
    let tag = state.send(Request::Agent(id.id), out);
    if let Some(open) = &mut state.agent {
        (open.asked, open.asked_at, open.heard) = (Some(tag), now, heard);
    }
}

/// Takes the answer about the open agent; gives back what is not for it.
pub(super) fn answer(state: &mut State, tag: RequestTag, response: Response) -> Option<Response> {
    let Some(open) = state.agent.as_mut().filter(|open| open.asked == Some(tag)) else {
        return Some(response);
    };
    open.asked = None;
    if let Response::Agent(data) = response {
        (open.data, open.refused) = (Some(*data), None);
        if let Some(view) = open.view(state.snapshot.as_deref()).cloned() {
            open.follow(&view);
        }
    } else {
        open.refused = Some(on_reply::refusal(response));
    }
    state.dirty = true;
    None
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
        sick.devices[1].state = DeviceState::Quarantined { why: "x".into(), until_ms: None, testing: false };
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
