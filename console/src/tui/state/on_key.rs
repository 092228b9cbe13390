//! Keys to changes: which command a key means is the table's, what it does is here.

use vc_protocol::job::JobState;
use vc_protocol::operator::{JobAction, Request};

use super::detail::{Detail, Tab};
use super::jobs::Marks;
use super::overlay::{Confirm, JobRef, Overlay, Target, Verb, YES_AFTER_MS};
use super::{
    Action, Millis, Screen, State, agents, detail, events, failures, jobs, marks, needs, overview, prompt,
    shift,
};
use crate::tui::keys::{Command, Key, Place};
use crate::tui::model;
use crate::tui::{Leave, Mode};

/// Retries of more jobs than this are asked about.
const RETRY_UNASKED_MAX: u64 = 100;

pub(super) fn key(state: &mut State, now: Millis, key: Key, out: &mut Vec<Action>) {
    if state.prompt.is_some() {
        state.dirty = true;
        return prompt::key(state, key);
    }
    if state.unseen {
        return;
    }
    let Some(command) = state.keys.command(state.place(), key) else { return };
    let covered = state.overlay.is_some();
    state.dirty = true;
    state.notice = None;
    if let Some(reason) = state.refusal(command) {
        return state.say(now, reason);
    }
    run(state, now, command, out);
    state.unseen = state.overlay.is_some() && !covered;
}

/// Each screen takes first what is its own; what all have in common is here.
fn run(state: &mut State, now: Millis, command: Command, out: &mut Vec<Action>) {
    let taken = state.overlay.is_none()
        && match state.below() {
            Place::Overview => overview::run(state, now, command, out),
            Place::Jobs => jobs::run(state, now, command, out),
            Place::JobDetail | Place::Log => detail::run(state, now, command, out),
            Place::Agents | Place::AgentDetail => agents::run(state, now, command, out),
            Place::Failures => failures::run(state, now, command, out),
            Place::Events => events::run(state, now, command, out),
            // Dialogs and text fields lie over a screen and are never below.
            Place::Reading
            | Place::Help
            | Place::Confirm
            | Place::TypedConfirm
            | Place::LeaveAttach
            | Place::LeaveConvert
            | Place::Palette
            | Place::CopyMenu
            | Place::Prompt => false,
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
        Command::NextHit => needs::jump(state, now, 1),
        Command::PrevHit => needs::jump(state, now, -1),
        Command::Help => state.overlay = Some(Overlay::Help { scroll: 0 }),
        Command::Filter => prompt::open_filter(state),
        Command::Mark => marks::mark(state, now),
        Command::MarkAll => marks::mark_all(state, now),
        Command::MarkNone => state.jobs.marks = Marks::default(),
        Command::Retry => ask(state, now, Verb::Retry, out),
        Command::Cancel => ask(state, now, Verb::Cancel, out),
        Command::Why => why(state, out),
        Command::Leave => leave(state, now, out),
        Command::Yes => yes(state, now, out),
        Command::No | Command::Take => state.overlay = None,
        Command::Detach => out.push(Action::Leave(Leave::Detached)),
        Command::DrainStop | Command::StopNow => out.push(Action::Leave(Leave::StopFarm)),
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
        | Command::SortBy
        | Command::MarkRange
        | Command::RetryGroup
        | Command::CancelGroup
        | Command::LocalAgent => {}
        Command::Freeze
        | Command::Theme
        | Command::Resubscribe
        | Command::Palette
        | Command::Hold
        | Command::Raise
        | Command::Lower
        | Command::Priority
        | Command::Pause
        | Command::Drain
        | Command::DrainKill
        | Command::ReleaseDevice
        | Command::SelfTest
        | Command::Rename
        | Command::Revoke
        | Command::Purge
        | Command::Token
        | Command::CopyMenu
        | Command::CopyId
        | Command::Mouse
        | Command::Suspend
        | Command::NextAnswer
        | Command::PrevAnswer
        | Command::Complete => {}
    }
}

/// Rows of a page in what is scrolled now.
fn page(state: &State) -> i64 {
    i64::from(state.size.height.saturating_sub(7).max(2))
}

/// Moves the cursor, or the text where there is none.
pub(super) fn scroll(state: &mut State, by: i64) {
    if state.overlay.is_some() {
        let max = model::overlay_scroll_max(state);
        if let Some(Overlay::Help { scroll } | Overlay::Why { scroll, .. }) = &mut state.overlay {
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

fn go(state: &mut State, screen: Screen) {
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

/// Opens the question, or does at once what can be undone.
fn ask(state: &mut State, now: Millis, verb: Verb, out: &mut Vec<Action>) {
    if let Some(target) = state.target() {
        ask_about(state, now, verb, target, out);
    }
}

/// The same for jobs chosen otherwise.
pub(super) fn ask_about(state: &mut State, now: Millis, verb: Verb, target: Target, out: &mut Vec<Action>) {
    let target = match (target, verb) {
        (Target::Jobs(jobs), Verb::Retry) => Target::Jobs(keep(jobs, super::retryable)),
        (Target::Jobs(jobs), Verb::Cancel) => Target::Jobs(keep(jobs, |job| !job.state.is_final())),
        (all, _) => all,
    };
    if verb == Verb::Retry && target.count() <= RETRY_UNASKED_MAX {
        act(state, verb, &target, out);
    } else {
        state.overlay = Some(Overlay::Confirm(Confirm { verb, target, opened: now, again: false }));
    }
}

fn keep(mut jobs: Vec<JobRef>, fits: impl Fn(&JobRef) -> bool) -> Vec<JobRef> {
    jobs.retain(fits);
    jobs
}

fn act(state: &mut State, verb: Verb, target: &Target, out: &mut Vec<Action>) {
    let action = match verb {
        Verb::Cancel => JobAction::Cancel,
        Verb::Retry => JobAction::Retry,
    };
    let request = Request::Act { action, jobs: target.selection(), expect: None };
    let tag = state.send(request, out);
    state.acting.insert(tag, verb);
    if state.detail.is_none() {
        state.jobs.marks = Marks::default();
    }
}

fn yes(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    match &state.overlay {
        Some(Overlay::Confirm(confirm)) if now >= confirm.opened + YES_AFTER_MS => {
            let confirm = confirm.clone();
            if let (Target::All { filter, count }, Some(window)) = (&confirm.target, &state.jobs.window)
                && let (true, Some(total)) = (state.jobs.filter == *filter, window.page.total)
                && total != *count
            {
                let target = Target::All { filter: filter.clone(), count: total };
                let again = Confirm { target, opened: now, again: true, ..confirm };
                state.overlay = Some(Overlay::Confirm(again));
                return;
            }
            state.overlay = None;
            act(state, confirm.verb, &confirm.target, out);
        }
        Some(Overlay::Leave { opened }) if now >= opened + YES_AFTER_MS => {
            out.push(Action::Leave(Leave::CancelAll));
        }
        _ => {}
    }
}

fn why(state: &mut State, out: &mut Vec<Action>) {
    let Some(job) = state.selected() else { return };
    let tag = state.send(Request::Why(job.id), out);
    state.asked_why = Some(tag);
    state.overlay = Some(Overlay::Why { job: job.id, answer: None, scroll: 0 });
}

/// Back, and at the top level out: at once when nothing is lost, else by the dialog.
fn leave(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    if matches!(state.place(), Place::JobDetail | Place::Log) {
        state.detail = None;
        return;
    }
    let running = state.counted(JobState::Running);
    let waiting = state.counted(JobState::Pending);
    let asked = matches!(state.overlay, Some(Overlay::Leave { .. }));
    match state.mode {
        Mode::Attach if asked || running == 0 || state.gone.is_some() => {
            out.push(Action::Leave(Leave::Detached));
        }
        Mode::Convert if asked || state.snapshot.is_none() => out.push(Action::Leave(Leave::CancelAll)),
        Mode::Convert if running + waiting == 0 => out.push(Action::Leave(Leave::Ended)),
        Mode::Attach | Mode::Convert => state.overlay = Some(Overlay::Leave { opened: now }),
    }
}
