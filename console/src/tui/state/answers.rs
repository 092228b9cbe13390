//! Dialogs that are answered: yes or no, a typed word, the ways to leave.

use vc_protocol::job::JobState;

use super::asks::perform;
use super::deed::{Deed, Target};
use super::overlay::{Confirm, Leaving, Overlay, YES_AFTER_MS};
use super::{Action, Millis, State, copy, on_key, palette};
use crate::tui::keys::{Command, footer};
use crate::tui::{Leave, Mode};

/// Two ctrl-c within this time leave without a question.
const TWICE_MS: Millis = 1000;

/// Moves the focus of a dialog.
pub(super) fn step(state: &mut State, by: isize) {
    let answers = leave_answers(state).len();
    match &mut state.overlay {
        Some(Overlay::Confirm(confirm)) => confirm.yes = !confirm.yes,
        Some(Overlay::Leave(leaving)) => leaving.at = step_in(leaving.at, by, answers),
        Some(Overlay::Copy(menu)) => menu.at = step_in(menu.at, by, menu.items.len()),
        Some(
            Overlay::Help { .. }
            | Overlay::Typed(_)
            | Overlay::Why { .. }
            | Overlay::Palette(_)
            | Overlay::Text { .. },
        )
        | None => {}
    }
}

fn step_in(at: usize, by: isize, count: usize) -> usize {
    at.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// Enter: what has the focus.
pub(super) fn take(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    match &state.overlay {
        Some(Overlay::Confirm(confirm)) if confirm.yes => yes(state, now, out),
        Some(Overlay::Confirm(_)) => state.overlay = None,
        Some(Overlay::Typed(_)) => take_word(state, out),
        Some(Overlay::Leave(leaving)) => {
            let chosen = leave_answers(state).get(leaving.at).copied();
            on_key::run(state, now, chosen.unwrap_or(Command::No), out);
        }
        Some(Overlay::Palette(_)) => palette::take(state, now, out),
        Some(Overlay::Copy(_)) => copy::take(state, out),
        Some(Overlay::Help { .. } | Overlay::Why { .. } | Overlay::Text { .. }) => state.overlay = None,
        None => {}
    }
}

pub(super) fn yes(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    match &state.overlay {
        Some(Overlay::Confirm(confirm)) if now >= confirm.opened + YES_AFTER_MS => {
            let confirm = confirm.clone();
            if let Some(deed) = recounted(state, &confirm.deed) {
                state.open(Overlay::Confirm(Confirm { deed, opened: now, yes: false, again: true }));
                return;
            }
            state.overlay = None;
            state.answered = Some(now);
            perform(state, confirm.deed, out);
        }
        Some(Overlay::Leave(leaving)) if now >= leaving.opened + YES_AFTER_MS => {
            out.push(Action::Leave(Leave::CancelAll));
        }
        _ => {}
    }
}

/// The same for as many as the filter finds by now, if that is another number than was asked about.
pub(super) fn recounted(state: &State, deed: &Deed) -> Option<Deed> {
    let Deed::Jobs(verb, Target::All { filter, count }) = deed else { return None };
    let total = state.jobs.window.as_ref()?.page.total?;
    (state.jobs.filter == *filter && total != *count)
        .then(|| Deed::Jobs(*verb, Target::All { filter: filter.clone(), count: total }))
}

fn take_word(state: &mut State, out: &mut Vec<Action>) {
    let Some(Overlay::Typed(typed)) = &mut state.overlay else { return };
    // A count may be typed as it is shown.
    let said = typed.field.value().trim().replace(',', "");
    if said == typed.word.replace(',', "") {
        let deed = typed.deed.clone();
        state.overlay = None;
        perform(state, deed, out);
    } else {
        typed.wrong = true;
    }
}

/// What the leave dialog offers now.
pub(crate) fn leave_answers(state: &State) -> Vec<Command> {
    let feet = footer(state.place()).iter().map(|f| f.command);
    feet.filter(|command| state.refusal(*command).is_none()).collect()
}

/// Out of the top level: at once when nothing is lost, else by the dialog.
pub(super) fn leave(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    let running = state.counted(JobState::Running);
    let waiting = state.counted(JobState::Pending);
    let asked = match &mut state.overlay {
        Some(Overlay::Leave(leaving)) => {
            let twice = now <= leaving.interrupted.unwrap_or(leaving.opened) + TWICE_MS;
            leaving.interrupted = Some(now);
            Some(twice)
        }
        _ => None,
    };
    match (state.mode, asked) {
        (_, Some(false)) => {}
        (Mode::Attach, Some(true)) => out.push(Action::Leave(Leave::Detached)),
        (Mode::Convert, Some(true)) => out.push(Action::Leave(Leave::CancelAll)),
        (Mode::Attach, None) if running == 0 || state.gone.is_some() => {
            out.push(Action::Leave(Leave::Detached));
        }
        (Mode::Convert, None) if state.snapshot.is_none() => out.push(Action::Leave(Leave::CancelAll)),
        (Mode::Convert, None) if running + waiting == 0 => out.push(Action::Leave(Leave::Ended)),
        (Mode::Attach | Mode::Convert, None) => {
            state.open(Overlay::Leave(Leaving { opened: now, interrupted: None, at: 0 }));
            // The first answer detaches, which loses nothing; of a conversion the safe one is to stay.
            let safe = leave_answers(state).iter().position(|c| *c == Command::No).unwrap_or(0);
            if let (Mode::Convert, Some(Overlay::Leave(leaving))) = (state.mode, &mut state.overlay) {
                leaving.at = safe;
            }
        }
    }
}
