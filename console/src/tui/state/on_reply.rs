//! What the server says: snapshots, answers, silence.

use vc_protocol::operator::{RefusalCode, Response, Snapshot};

use super::copy::CopyItem;
use super::deed::Deed;
use super::jobs::Marks;
use super::overlay::{Confirm, Overlay};
use super::{Action, Gone, Millis, State, agents, answers, detail, events, failures, first, row_ref};
use crate::tui::Leave;
use crate::tui::keys::Command;
use crate::tui::link::{Reply, RequestTag};

pub(super) fn reply(state: &mut State, now: Millis, reply: Reply, out: &mut Vec<Action>) {
    match reply {
        Reply::Welcome(welcome) => {
            state.dirty |= state.welcome.as_ref() != Some(&welcome);
            state.welcome = Some(welcome);
        }
        Reply::Snapshot(snapshot) => take_snapshot(state, now, snapshot),
        Reply::Response(tag, response) => answer(state, now, tag, response, out),
        Reply::Gone(reason) => gone(state, now, reason),
        Reply::Started(outcome) => first::started(state, now, outcome),
        Reply::End => out.push(Action::Leave(Leave::Ended)),
    }
}

fn take_snapshot(state: &mut State, now: Millis, snapshot: Box<Snapshot>) {
    if let Some(frozen) = &mut state.frozen {
        frozen.newest = Some(snapshot);
        // That the server is back is worth a frame even so.
        state.dirty |= state.gone.take().is_some();
        return;
    }
    show_snapshot(state, now, snapshot);
}

/// The picture goes on with the newest snapshot.
pub(super) fn thaw(state: &mut State, now: Millis) {
    if let Some(snapshot) = state.frozen.take().and_then(|frozen| frozen.newest) {
        show_snapshot(state, now, snapshot);
    }
}

fn show_snapshot(state: &mut State, now: Millis, snapshot: Box<Snapshot>) {
    state.overview.take(&snapshot, now >= state.calm_at());
    state.snapshot = Some(snapshot);
    state.heard = now;
    state.gone = None;
    state.dirty = true;
    agents::hear(state, now);
    events::hear(state);
}

/// The picture stays; questions under way are lost and are asked anew when the server is back.
fn gone(state: &mut State, now: Millis, reason: String) {
    let since = state.gone.as_ref().map_or(now, |g| g.since);
    state.gone = Some(Gone { since, reason });
    state.jobs.asked = None;
    state.probe = None;
    if let Some(detail) = &mut state.detail {
        detail.forget_questions();
    }
    if let Some(agent) = &mut state.agent {
        agent.asked = None;
    }
    (state.failures.asked, state.failures.on_group) = (None, None);
    (state.events.asked, state.first.asked) = (None, None);
    if !state.acting.is_empty() {
        state.acting.clear();
        state.say(now, "the server went away before it answered: look again whether it was done");
    }
    state.dirty = true;
}

fn answer(state: &mut State, now: Millis, tag: RequestTag, response: Response, out: &mut Vec<Action>) {
    let Some(response) = agents::answer(state, now, tag, response) else { return };
    let Some(response) = failures::answer(state, now, tag, response, out) else { return };
    let Some(response) = events::answer(state, now, tag, response) else { return };
    let Some(response) = first::answer(state, now, tag, response) else { return };
    let Some(response) = detail::answer(state, now, tag, response) else { return };
    if state.probe == Some(tag) {
        state.probe = None;
        if let Response::Snapshot(snapshot) = response {
            take_snapshot(state, now, snapshot);
        }
    } else if let Some(asked) = state.jobs.asked.as_mut().filter(|a| a.tag == tag && a.open) {
        asked.open = false;
        let asked = *asked;
        if let Response::Page(page) = response {
            if let Marks::Jobs(marks) = &mut state.jobs.marks {
                for row in &page.rows {
                    marks.entry(row.id).and_modify(|mark| *mark = row_ref(row));
                }
            }
            let calm = now >= state.calm_at();
            state.jobs.take(&asked, page, calm);
        } else if let Some(why) = state.jobs.refuse(refusal(response)) {
            state.say(now, why);
        }
        state.dirty = true;
    } else if state.asked_why == Some(tag) {
        state.asked_why = None;
        if let Some(Overlay::Why { answer, .. }) = &mut state.overlay {
            *answer = Some(if let Response::Why(why) = response { Ok(why) } else { Err(refusal(response)) });
        }
        state.dirty = true;
    } else if let Some(deed) = state.acting.remove(&tag) {
        acted(state, now, deed, response);
        state.dirty = true;
    }
}

/// What became of a command.
fn acted(state: &mut State, now: Millis, deed: Deed, response: Response) {
    let place = state.below().into();
    let key = |command: Command| match state.keys.first(place, command) {
        key if key.is_empty() => format!(":{}", command.fact().name),
        key => key,
    };
    if let Some(said) = deed.said(&response, &key) {
        return state.say(now, said);
    }
    if let (Deed::Token, Response::Token { line, ttl_s }) = (&deed, &response) {
        let command = format!("vc-agent join {line}");
        let within = crate::tui::model::length(*ttl_s);
        let text =
            format!("On the new agent's box, within {within}:\n\n{command}\n\ny copies it, p prints it.");
        let title = "A token for one agent".to_owned();
        let copy = CopyItem { what: "join command".into(), text: command };
        return state.open(Overlay::Text { title, text, copy, scroll: 0 });
    }
    let changed = matches!(response, Response::Refused { code: RefusalCode::Changed, .. });
    if let (true, Some(deed)) = (changed, answers::recounted(state, &deed)) {
        return state.open(Overlay::Confirm(Confirm { deed, opened: now, yes: false, again: true }));
    }
    state.say(now, refusal(response));
}

/// Why an answer is not the one that was asked for.
pub(super) fn refusal(response: Response) -> String {
    if let Response::Refused { message, .. } = response {
        return message;
    }
    let name = format!("{response:?}");
    let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    format!("the server answered something else ({name}); are both of one version?")
}
