//! What a click or the wheel does. Where things are, the model says: a click comes here as what lies under it.

use super::detail::Tab;
use super::overlay::Overlay;
use super::overview::Pane;
use super::{Action, Millis, Screen, State, answers, on_key, sorting};
use crate::tui::keys::{Command, Place};

/// Rows that one notch of the wheel moves by.
const WHEEL_ROWS: i64 = 3;

/// Something on the screen that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    /// A tab of the screens.
    Screen(Screen),
    /// A row of the list or tree, counted from its start.
    Row(u64),
    /// The title of a column.
    Head(&'static str),
    /// A line of what needs a person, or of what just happened.
    Need(usize),
    Recent(usize),
    /// A tab of an opened job.
    Tab(Tab),
    /// A key of the footer.
    Foot(Command),
    /// An answer of a dialog, or a row of what it offers.
    Answer(usize),
}

/// A press of the left button on something; `twice` if it is the second within a moment.
pub(super) fn click(state: &mut State, now: Millis, hit: Hit, twice: bool, out: &mut Vec<Action>) {
    if state.prompt.is_some() || state.unseen {
        return;
    }
    state.dirty = true;
    state.notice = None;
    match hit {
        Hit::Screen(screen) => on_key::go(state, screen),
        Hit::Row(at) => {
            on_key::move_to(state, at);
            if twice {
                on_key::obey(state, now, Command::Open, out);
            }
        }
        Hit::Head(title) => {
            sorting::by(state, title);
        }
        Hit::Need(at) => {
            (state.overview.pane, state.overview.need) = (Pane::Needs, at);
            if twice {
                on_key::obey(state, now, Command::Open, out);
            }
        }
        Hit::Recent(at) => {
            (state.overview.pane, state.overview.event) = (Pane::Recent, at);
            if twice {
                on_key::obey(state, now, Command::Open, out);
            }
        }
        Hit::Tab(tab) => {
            if let Some(detail) = &mut state.detail {
                detail.turn_to(tab);
            }
        }
        Hit::Foot(command) => on_key::obey(state, now, command, out),
        Hit::Answer(at) => answer(state, now, at, twice, out),
    }
}

fn answer(state: &mut State, now: Millis, at: usize, twice: bool, out: &mut Vec<Action>) {
    match &mut state.overlay {
        Some(Overlay::Confirm(_)) => {
            let command = if at == 0 { Command::No } else { Command::Yes };
            on_key::obey(state, now, command, out);
        }
        Some(Overlay::Leave(leaving)) => {
            leaving.at = at;
            answers::take(state, now, out);
        }
        Some(Overlay::Copy(menu)) => {
            menu.at = at.min(menu.items.len().saturating_sub(1));
            if twice {
                answers::take(state, now, out);
            }
        }
        Some(Overlay::Palette(palette)) => {
            palette.at = at;
            if twice {
                answers::take(state, now, out);
            }
        }
        Some(Overlay::Help { .. } | Overlay::Typed(_) | Overlay::Why { .. } | Overlay::Text { .. })
        | None => {}
    }
}

/// The wheel: down is positive.
pub(super) fn wheel(state: &mut State, notches: i64) {
    if state.prompt.is_some() || matches!(state.place(), Place::Confirm | Place::TypedConfirm) {
        return;
    }
    state.dirty = true;
    on_key::scroll(state, notches * WHEEL_ROWS);
}
