//! What can be copied from here: ids, paths, commands, logs, reports. Knows no clipboard; the loop has one.

use vc_protocol::id::JobId;
use vc_protocol::operator::{AgentView, FailureGroup, JobRow};

use super::jobs::Marks;
use super::overlay::Overlay;
use super::{Action, State, first, report};
use crate::tui::keys::Ground;
use crate::tui::model;

/// Something to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyItem {
    pub(crate) what: String,
    pub(crate) text: String,
}

/// The menu of what can be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyMenu {
    pub(crate) items: Vec<CopyItem>,
    pub(crate) at: usize,
}

/// Opens the menu for what is selected.
pub(super) fn open(state: &mut State) {
    let items = items(state);
    if !items.is_empty() {
        state.open(Overlay::Copy(CopyMenu { items, at: 0 }));
    }
}

/// Copies what has the focus.
pub(super) fn take(state: &mut State, out: &mut Vec<Action>) {
    if let Some(Overlay::Copy(menu)) = state.overlay.take()
        && let Some(item) = menu.items.into_iter().nth(menu.at)
    {
        out.push(Action::Copy(item));
    }
}

/// Shows what has the focus outside of the alternate screen.
pub(super) fn print(state: &mut State, out: &mut Vec<Action>) {
    if let Some(Overlay::Text { copy, .. }) = &state.overlay {
        out.push(Action::Print(copy.text.clone()));
        return;
    }
    if let Some(Overlay::Copy(menu)) = state.overlay.take()
        && let Some(item) = menu.items.into_iter().nth(menu.at)
    {
        out.push(Action::Print(item.text));
    }
}

/// What `c` copies: the id or the name of what is selected.
pub(super) fn id(state: &State) -> Option<CopyItem> {
    if let Some(overlay) = &state.overlay {
        return if let Overlay::Text { copy, .. } = overlay { Some(copy.clone()) } else { None };
    }
    items(state).into_iter().find(|item| item.what.starts_with(ID))
}

/// What the first item about a thing is called.
const ID: &str = "id";
const ID_OF_TOKEN: &str = "join command for another box";

/// Everything that can be copied here.
pub(super) fn items(state: &State) -> Vec<CopyItem> {
    let mut items = Vec::new();
    if let (Some(line), Ground::Overview) = (first::line(state), state.below()) {
        push(&mut items, ID_OF_TOKEN, format!("vc-agent join {line}"));
    }
    if let Some(group) = state.selected_group() {
        of_group(state, &group, &mut items);
    } else if let Some(job) = state.selected() {
        of_job(state, job.id, &mut items);
    } else if let Some((agent, _)) = state.selected_agent()
        && let Some(view) = state.snapshot.iter().flat_map(|s| &s.agents).find(|a| a.id == agent)
    {
        of_agent(view, &mut items);
    }
    if let (Marks::Jobs(marks), true) =
        (&state.jobs.marks, matches!(state.below(), Ground::Overview | Ground::Jobs))
        && !marks.is_empty()
    {
        let ids = marks.keys().map(JobId::to_string).collect::<Vec<_>>().join("\n");
        items.insert(0, CopyItem { what: format!("ids of {} marked", marks.len()), text: ids });
    }
    items
}

fn push(items: &mut Vec<CopyItem>, what: &str, text: String) {
    if !text.trim().is_empty() {
        items.push(CopyItem { what: what.to_owned(), text });
    }
}

fn of_job(state: &State, id: JobId, items: &mut Vec<CopyItem>) {
    let detail = state.detail.as_ref().and_then(|d| d.data.as_ref()).filter(|d| d.row.id == id);
    let row = detail.map(|d| &d.row).or_else(|| row(state, id));
    push(items, ID, id.to_string());
    if let Some(detail) = detail {
        push(items, "path of the source", detail.source.shown());
        push(items, "path of the output", detail.output.shown());
        push(items, "command as a shell line", report::command(detail));
        push(items, "log", report::logged(detail).map(|a| report::plain(&a.log)).unwrap_or_default());
        push(items, "report", report::of_job(detail));
        if state.below() == Ground::Log {
            // There the log is what people came for.
            if let Some(at) = items.iter().position(|i| i.what == "log") {
                items[..=at].rotate_right(1);
            }
        }
    } else if let Some(row) = row {
        push(items, "path", row.source.shown());
        push(items, "cause", report::plain(&row.cause));
    }
}

fn row(state: &State, id: JobId) -> Option<&JobRow> {
    state.jobs.window.as_ref()?.page.rows.iter().find(|row| row.id == id)
}

fn of_agent(view: &AgentView, items: &mut Vec<CopyItem>) {
    push(items, "id (name of the agent)", report::plain(&view.name));
    push(items, "address", report::plain(&view.address));
    push(items, "report", report::of_agent(view));
}

fn of_group(state: &State, group: &FailureGroup, items: &mut Vec<CopyItem>) {
    push(items, "report", report::plain(&model::failure_report(group, &state.look.zone)));
    push(items, "id of the last job", group.job.map(|id| id.to_string()).unwrap_or_default());
    push(items, "cause", report::plain(&group.cause));
    push(items, "last cause, word for word", report::plain(&group.example));
}
