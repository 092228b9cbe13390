//! Keys to changes: which command a key means is the table's, what it does is here.

use vc_protocol::operator::Request;

use super::detail::{Detail, Tab};
use super::field::Field;
use super::jobs::Marks;
use super::overlay::{Overlay, YES_AFTER_MS};
use super::overview::Pane;
use super::palette::Palette;
use super::{
    Action, Frozen, Millis, Screen, State, agents, answers, asks, copy, detail, events, failures, jobs,
    marks, needs, on_reply, overview, palette, prompt, shift,
};
use crate::tui::Leave;
use crate::tui::keys::{Command, Ground, Key, Place};
use crate::tui::model;

pub(super) fn key(state: &mut State, now: Millis, key: Key, out: &mut Vec<Action>) {
    if state.prompt.is_some() {
        state.dirty = true;
        return prompt::key(state, key);
    }
    if state.unseen {
        return;
    }
    let again = state.answered.is_some_and(|at| now < at + YES_AFTER_MS);
    match state.keys.command(state.place(), key) {
        Some(_) if again && key == Key::Char('y') => {}
        Some(command) => obey(state, now, command, out),
        None => type_key(state, key),
    }
}

/// Carries out a command, or says why not.
pub(super) fn obey(state: &mut State, now: Millis, command: Command, out: &mut Vec<Action>) {
    state.dirty = true;
    state.notice = None;
    match state.refusal(command) {
        Some(reason) => state.say(now, reason),
        None => run(state, now, command, out),
    }
}

/// A key that no command has: text, where the dialog has a field.
fn type_key(state: &mut State, key: Key) {
    match &mut state.overlay {
        Some(Overlay::Help { field, .. }) if key == Key::Char('?') && field.value().is_empty() => {
            state.overlay = None;
        }
        Some(Overlay::Help { field, scroll }) => {
            field.edit(key);
            *scroll = 0;
        }
        Some(Overlay::Typed(typed)) => {
            typed.field.edit(key);
            typed.wrong = false;
        }
        Some(Overlay::Palette(palette)) => {
            palette.field.edit(key);
            palette.edited();
        }
        Some(
            Overlay::Confirm(_)
            | Overlay::Why { .. }
            | Overlay::Leave(_)
            | Overlay::Copy(_)
            | Overlay::Text { .. },
        )
        | None => return,
    }
    state.dirty = true;
}

/// Pasted text goes to a text field or nowhere.
pub(super) fn paste(state: &mut State, text: &str) {
    match &mut state.overlay {
        Some(Overlay::Help { field, .. }) => field.paste(text),
        Some(Overlay::Typed(typed)) => typed.field.paste(text),
        Some(Overlay::Palette(palette)) => {
            palette.field.paste(text);
            palette.edited();
        }
        Some(
            Overlay::Confirm(_)
            | Overlay::Why { .. }
            | Overlay::Leave(_)
            | Overlay::Copy(_)
            | Overlay::Text { .. },
        )
        | None => {}
    }
    state.dirty |= state.overlay.is_some();
    prompt::paste(state, text);
}

/// Each screen takes first what is its own; what all have in common is here.
pub(super) fn run(state: &mut State, now: Millis, command: Command, out: &mut Vec<Action>) {
    let taken = state.overlay.is_none()
        && match state.below() {
            Ground::Overview => overview::run(state, now, command, out),
            Ground::Jobs => jobs::run(state, now, command, out),
            Ground::JobDetail | Ground::Log => detail::run(state, now, command, out),
            Ground::Agents | Ground::AgentDetail => agents::run(state, now, command, out),
            Ground::Failures => failures::run(state, now, command, out),
            Ground::Events => events::run(state, now, command, out),
        };
    if !taken {
        run_common(state, now, command, out);
    }
}

fn run_common(state: &mut State, now: Millis, command: Command, out: &mut Vec<Action>) {
    match command {
        Command::Down => scroll(state, 1),
        Command::Up => scroll(state, -1),
        Command::First => scroll(state, i64::MIN),
        Command::Last => scroll(state, i64::MAX),
        Command::HalfDown => scroll(state, page(state) / 2),
        Command::HalfUp => scroll(state, -(page(state) / 2)),
        Command::PageDown => scroll(state, page(state)),
        Command::PageUp => scroll(state, -page(state)),
        Command::Open => open(state, Tab::Summary),
        Command::Log => open(state, Tab::Log),
        Command::Back => back(state),
        Command::GoOverview => go(state, Screen::Overview),
        Command::GoJobs => go(state, Screen::Jobs),
        Command::GoAgents => go(state, Screen::Agents),
        Command::GoFailures => go(state, Screen::Failures),
        Command::GoEvents => go(state, Screen::Events),
        Command::NextPane => go(state, state.screen.step(1)),
        Command::PrevPane => go(state, state.screen.step(-1)),
        Command::Redraw => out.push(Action::Repaint),
        Command::Help => state.overlay = Some(Overlay::Help { field: Field::default(), scroll: 0 }),
        Command::Palette => state.overlay = Some(Overlay::Palette(Palette::default())),
        Command::NextHit => needs::jump(state, now, 1),
        Command::PrevHit => needs::jump(state, now, -1),
        Command::Filter => prompt::open_filter(state),
        Command::Mark => marks::mark(state, now),
        Command::MarkAll => marks::mark_all(state),
        Command::MarkNone => state.jobs.marks = Marks::default(),
        Command::Why => why(state, out),
        Command::Freeze => freeze(state, now),
        Command::Resubscribe => resubscribe(state, out),
        Command::CopyMenu => copy::open(state),
        Command::CopyId => out.extend(copy::id(state).map(Action::Copy)),
        Command::Print => copy::print(state, out),
        Command::Mouse => mouse(state, now, out),
        Command::Suspend => out.push(Action::Suspend),
        Command::Leave if state.overlay.is_none() && (state.detail.is_some() || state.agent.is_some()) => {
            back(state);
        }
        Command::Leave if state.place() == Place::Reading => state.overlay = None,
        Command::Leave => answers::leave(state, now, out),
        Command::Yes => answers::yes(state, now, out),
        Command::No => state.overlay = None,
        Command::Take => answers::take(state, now, out),
        Command::NextAnswer => answers::step(state, 1),
        Command::PrevAnswer => answers::step(state, -1),
        Command::Complete => palette::complete(state),
        Command::Detach => out.push(Action::Leave(Leave::Detached)),
        Command::Retry
        | Command::Cancel
        | Command::Hold
        | Command::Raise
        | Command::Lower
        | Command::Purge
        | Command::Pause
        | Command::Drain
        | Command::DrainKill
        | Command::ReleaseDevice
        | Command::SelfTest
        | Command::Revoke
        | Command::Token
        | Command::DrainStop
        | Command::StopNow => {
            if let Err(reason) = asks::run(state, now, command, "", out) {
                state.say(now, reason);
            }
        }
        // The palette carries them out with what was typed behind them.
        Command::Priority | Command::Rename | Command::Theme | Command::SortBy => {}
        // What only some screens have: theirs to do.
        Command::ScrollLeft
        | Command::ScrollRight
        | Command::Fold
        | Command::Unfold
        | Command::Expand
        | Command::Tree
        | Command::PrevTab
        | Command::NextTab
        | Command::Follow
        | Command::Wrap
        | Command::Times
        | Command::SortBefore
        | Command::SortNext
        | Command::Invert
        | Command::MarkRange
        | Command::RetryGroup
        | Command::CancelGroup
        | Command::LocalAgent => {}
    }
}

/// Rows of a page in what is scrolled now.
fn page(state: &State) -> i64 {
    i64::from(state.size.height.saturating_sub(7).max(2))
}

/// Moves the cursor, or the text where there is none.
pub(super) fn scroll(state: &mut State, by: i64) {
    if let Some(Overlay::Palette(_)) = state.overlay {
        palette::step(state, by);
    } else if state.overlay.is_some() {
        let max = model::overlay_scroll_max(state);
        if let Some(
            Overlay::Help { scroll, .. } | Overlay::Why { scroll, .. } | Overlay::Text { scroll, .. },
        ) = &mut state.overlay
        {
            *scroll = shift(*scroll, by, max);
        }
    } else if state.detail.is_some() {
        detail::scroll(state, by);
    } else if state.agent.is_some() || state.screen == Screen::Agents {
        agents::scroll(state, by);
    } else if state.screen == Screen::Failures {
        failures::scroll(state, by);
    } else if state.screen == Screen::Events {
        events::scroll(state, by);
    } else if state.screen == Screen::Jobs {
        state.jobs.move_by(by);
    } else if let Some(snapshot) = &state.snapshot {
        state.overview.scroll(snapshot, by);
    }
}

pub(super) fn go(state: &mut State, screen: Screen) {
    state.overlay = None;
    (state.detail, state.agent) = (None, None);
    state.screen = screen;
}

fn open(state: &mut State, tab: Tab) {
    if let Some(detail) = &mut state.detail {
        detail.turn_to(tab);
    } else if let Some(job) = state.selected() {
        state.detail = Some(Detail::new(job.id, tab));
    }
}

/// Closes the overlay, else the job, else clears the filter, else goes back to the overview.
fn back(state: &mut State) {
    if state.overlay.take().is_some() {
    } else if state.detail.is_some() {
        state.detail = None;
    } else if state.agent.take().is_some() {
    } else if state.screen == Screen::Jobs && !state.jobs.filter.is_all() {
        state.jobs.set_filter(String::new(), Default::default());
    } else {
        state.screen = Screen::Overview;
    }
}

fn why(state: &mut State, out: &mut Vec<Action>) {
    let Some(job) = state.selected() else { return };
    let tag = state.send(Request::Why(job.id), out);
    state.asked_why = Some(tag);
    state.overlay = Some(Overlay::Why { job: job.id, answer: None, scroll: 0 });
}

/// Asks for everything anew, as if nothing were known.
fn resubscribe(state: &mut State, out: &mut Vec<Action>) {
    state.probe = Some(state.send(Request::Snapshot, out));
    (state.jobs.window, state.jobs.asked) = (None, None);
    out.push(Action::Repaint);
}

fn freeze(state: &mut State, now: Millis) {
    if state.frozen.is_some() {
        on_reply::thaw(state, now);
    } else {
        state.frozen = Some(Frozen { since: now, newest: None });
    }
}

fn mouse(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    state.mouse = !state.mouse;
    out.push(Action::Mouse(state.mouse));
    let said = if state.mouse {
        "mouse on: click, double click, wheel; shift-drag selects text"
    } else {
        "mouse off: the terminal selects text as ever"
    };
    state.say(now, said);
}

/// Puts the cursor on a row of the list, counted from its start.
pub(super) fn move_to(state: &mut State, at: u64) {
    let here = match state.below() {
        Ground::Overview => {
            state.overview.pane = Pane::Slots;
            state.overview.at as u64
        }
        Ground::Jobs => state.jobs.at,
        Ground::Agents => state.agents.at as u64,
        Ground::AgentDetail => state.agent.as_ref().map_or(0, |open| open.at as u64),
        Ground::Failures => state.failures.at as u64,
        Ground::Events => state.events.at as u64,
        // Texts have no rows.
        Ground::JobDetail | Ground::Log => return,
    };
    scroll(state, at.cast_signed().saturating_sub(here.cast_signed()));
}
