//! What the dashboard knows, and how each message changes it. Pure: no clock, no terminal, no socket, no style.
//!
//! [`update`] is the only door; what it wants done comes back as [`Action`]s.

pub(crate) mod agent;
pub(crate) mod agents;
mod allowed;
pub(crate) mod answers;
mod asks;
pub(crate) mod copy;
pub(crate) mod deed;
pub(crate) mod detail;
pub(crate) mod events;
pub(crate) mod failures;
pub(crate) mod field;
pub(crate) mod first;
pub(crate) mod jobs;
pub(crate) mod log;
mod marks;
pub(crate) mod mouse;
pub(crate) mod needs;
mod on_key;
mod on_reply;
pub(crate) mod overlay;
pub(crate) mod overview;
pub(crate) mod palette;
pub(crate) mod prompt;
mod report;
mod selection;
mod sorting;

use std::collections::BTreeMap;

use ratatui::layout::Size;
use vc_protocol::job::JobState;
use vc_protocol::operator::{DeviceState, DeviceView, Request, Snapshot, Welcome};

use self::agent::OpenAgent;
use self::agents::Agents;
use self::copy::CopyItem;
use self::deed::Deed;
use self::detail::{Detail, Tab};
use self::events::Events;
use self::failures::Failures;
use self::first::First;
use self::jobs::{Asked, Jobs, Wanted};
use self::mouse::Hit;
use self::overlay::Overlay;
use self::overview::Overview;
use self::prompt::Prompt;
pub(crate) use self::selection::row_ref;
use super::keys::{Ground, Key, Keys, Place};
use super::link::{Reply, RequestTag};
use super::look::Look;
use super::{Leave, Mode, Options};

/// Milliseconds since the dashboard started.
pub(crate) type Millis = u64;

/// How long a notice stands.
const NOTICE_MS: Millis = 5000;
/// How long after the last key rows stay where they are, so that none slips from under the finger.
const CALM_MS: Millis = 1500;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Msg {
    Key(Key),
    Paste(String),
    Resize(Size),
    Reply(Reply),
    /// The left button was pressed on something; `twice` if for the second time within a moment.
    Click {
        hit: Hit,
        twice: bool,
    },
    /// The wheel was turned by so many notches, down is positive.
    Wheel(i64),
    /// Something to be said, of what the loop did.
    Say(String),
    /// A time given by [`State::next_tick`] came.
    Tick,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Send(RequestTag, Request),
    Leave(Leave),
    /// Clear the terminal and draw everything.
    Repaint,
    /// Put it into the clipboard.
    Copy(CopyItem),
    /// Show it outside of the alternate screen.
    Print(String),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Stop until the shell lets us go on.
    Suspend,
    /// Start an agent on this box and let it join.
    StartAgent,
}

/// Screens with a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Overview,
    Jobs,
    Agents,
    Failures,
    Events,
}

impl Screen {
    pub(crate) const ALL: [Screen; 5] =
        [Screen::Overview, Screen::Jobs, Screen::Agents, Screen::Failures, Screen::Events];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Screen::Overview => "Overview",
            Screen::Jobs => "Jobs",
            Screen::Agents => "Agents",
            Screen::Failures => "Failures",
            Screen::Events => "Events",
        }
    }

    /// The screen `by` places further, round and round.
    fn step(self, by: isize) -> Screen {
        let all = Screen::ALL.len().cast_signed();
        let at = Screen::ALL.iter().position(|s| *s == self).unwrap_or(0).cast_signed();
        Screen::ALL[(at + by).rem_euclid(all).cast_unsigned()]
    }
}

/// One line for the operator that goes away by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) until: Millis,
}

/// The server does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) since: Millis,
    pub(crate) reason: String,
}

/// The picture stands still because the operator wants it so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frozen {
    pub(crate) since: Millis,
    /// The newest snapshot, kept for when it goes on.
    newest: Option<Box<Snapshot>>,
}

/// Everything that is drawn is drawn from this.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) mode: Mode,
    pub(crate) look: Look,
    pub(crate) keys: Keys,
    /// Only look, whatever the server would allow.
    pub(crate) read_only: bool,
    /// Clicks come here, not to the terminal.
    pub(crate) mouse: bool,
    pub(crate) size: Size,
    pub(crate) screen: Screen,
    /// Whom the server takes us for; none before it was reached.
    pub(crate) welcome: Option<Welcome>,
    pub(crate) snapshot: Option<Box<Snapshot>>,
    /// When the snapshot came.
    pub(crate) heard: Millis,
    /// When the last key was pressed.
    pressed: Option<Millis>,
    pub(crate) gone: Option<Gone>,
    pub(crate) overview: Overview,
    pub(crate) jobs: Jobs,
    pub(crate) agents: Agents,
    pub(crate) failures: Failures,
    pub(crate) events: Events,
    pub(crate) first: First,
    /// The opened job, over everything but dialogs.
    pub(crate) detail: Option<Detail>,
    /// The opened agent, over its screen.
    pub(crate) agent: Option<OpenAgent>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) notice: Option<Notice>,
    /// Lines of the palette, oldest first.
    pub(crate) history: Vec<String>,
    /// The picture stands still since then.
    pub(crate) frozen: Option<Frozen>,
    /// When a question was answered with yes: a second `y` was meant for it too, not for what lay under it.
    answered: Option<Millis>,
    /// Commands under way.
    acting: BTreeMap<RequestTag, Deed>,
    /// The question behind the why dialog.
    asked_why: Option<RequestTag>,
    /// The question whether the server is back.
    probe: Option<RequestTag>,
    next_tag: u64,
    /// The dialog was not drawn yet: keys pressed by now were meant for what lies under it.
    unseen: bool,
    /// The picture is no longer what this says.
    pub(crate) dirty: bool,
}

impl State {
    pub(crate) fn new(options: Options, size: Size) -> State {
        State {
            mode: options.mode,
            look: options.look,
            keys: options.keys,
            read_only: options.read_only,
            mouse: options.mouse,
            size,
            screen: Screen::Overview,
            welcome: None,
            snapshot: None,
            heard: 0,
            pressed: None,
            gone: None,
            overview: Overview::default(),
            jobs: Jobs::default(),
            agents: Agents::default(),
            failures: Failures::default(),
            events: Events::default(),
            first: First::default(),
            detail: None,
            agent: None,
            overlay: None,
            prompt: None,
            notice: None,
            history: Vec::new(),
            frozen: None,
            answered: None,
            acting: BTreeMap::new(),
            asked_why: None,
            probe: None,
            next_tag: 0,
            unseen: false,
            dirty: true,
        }
    }

    /// What this says is on the screen.
    pub(crate) fn drawn(&mut self) {
        self.dirty = false;
        self.unseen = false;
    }

    /// Who has the keys.
    pub(crate) fn place(&self) -> Place {
        match (&self.overlay, &self.detail, self.screen, self.mode) {
            (Some(Overlay::Help { .. }), ..) => Place::Help,
            (Some(Overlay::Why { .. } | Overlay::Text { .. }), ..) => Place::Reading,
            (Some(Overlay::Confirm(_)), ..) => Place::Confirm,
            (Some(Overlay::Typed(_)), ..) => Place::TypedConfirm,
            (Some(Overlay::Palette(_)), ..) => Place::Palette,
            (Some(Overlay::Copy(_)), ..) => Place::CopyMenu,
            (Some(Overlay::Leave(_)), _, _, Mode::Attach) => Place::LeaveAttach,
            (Some(Overlay::Leave(_)), _, _, Mode::Convert) => Place::LeaveConvert,
            (None, ..) => self.below().into(),
        }
    }

    /// The screen that lies under a dialog.
    pub(crate) fn below(&self) -> Ground {
        match (&self.detail, &self.agent, self.screen) {
            (Some(open), ..) if open.tab == Tab::Log => Ground::Log,
            (Some(_), ..) => Ground::JobDetail,
            (None, Some(_), _) => Ground::AgentDetail,
            (None, None, Screen::Overview) => Ground::Overview,
            (None, None, Screen::Jobs) => Ground::Jobs,
            (None, None, Screen::Agents) => Ground::Agents,
            (None, None, Screen::Failures) => Ground::Failures,
            (None, None, Screen::Events) => Ground::Events,
        }
    }

    pub(crate) fn counted(&self, state: JobState) -> u64 {
        let counts = self.snapshot.as_ref().map(|s| s.totals.by_state).unwrap_or_default();
        counts[state as usize]
    }

    pub(crate) fn revision(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |s| s.revision)
    }

    /// Something moves by itself, so the clock is worth drawing.
    pub(crate) fn active(&self) -> bool {
        let Some(snapshot) = &self.snapshot else { return false };
        self.counted(JobState::Running) > 0 || snapshot.totals.to_retry > 0 || counts_down(snapshot)
    }

    /// From when on rows may change their places.
    fn calm_at(&self) -> Millis {
        self.pressed.map_or(0, |at| at + CALM_MS)
    }

    /// The server's clock, milliseconds since 1970; stands still while nothing runs.
    pub(crate) fn wall_ms(&self, now: Millis) -> i64 {
        let told = self.snapshot.as_ref().map_or(0, |s| s.now_ms);
        let now = self.frozen.as_ref().map_or(now, |f| f.since);
        let since = if self.active() && self.gone.is_none() { now.saturating_sub(self.heard) } else { 0 };
        told.saturating_add_unsigned(since)
    }

    /// When time alone changes something. None: nothing until something happens.
    pub(crate) fn next_tick(&self, now: Millis) -> Option<Millis> {
        let moves = self.active() && self.frozen.is_none();
        let clock = (moves || self.gone.is_some()).then(|| {
            let into = u64::try_from(self.wall_ms(now).rem_euclid(1000)).unwrap_or(0);
            if self.gone.is_some() { now + 1000 } else { now + 1000 - into }
        });
        let jobs = self.below() == Ground::Jobs;
        let fetch = jobs.then(|| self.jobs.due(self.revision())).flatten();
        let settle = (jobs && self.jobs.waits()).then_some(self.calm_at());
        let detail = detail::due(self);
        let live = |due: Option<Millis>| due.filter(|_| self.gone.is_none());
        let notice = self.notice.as_ref().map(|n| n.until);
        let screen = match self.below() {
            Ground::Agents | Ground::AgentDetail => agents::due(self, now),
            Ground::Failures => failures::due(self, now),
            Ground::Events => events::due(self, now),
            Ground::Overview => first::due(self, now),
            Ground::Jobs | Ground::JobDetail | Ground::Log => None,
        };
        [clock, live(fetch), settle, live(detail), live(screen), notice]
            .into_iter()
            .flatten()
            .min()
            .map(|due| due.max(now))
    }

    /// Rows of the jobs table in sight: all but header, tabs, title, column heads, cause and footer.
    pub(crate) fn jobs_height(&self) -> u64 {
        u64::from(self.size.height.saturating_sub(6)).max(1)
    }

    /// Opens a dialog; keys that were pressed before it is drawn were meant for what lies under it.
    fn open(&mut self, overlay: Overlay) {
        self.overlay = Some(overlay);
        self.unseen = true;
    }

    fn say(&mut self, now: Millis, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), until: now + NOTICE_MS });
    }

    fn send(&mut self, request: Request, out: &mut Vec<Action>) -> RequestTag {
        self.next_tag += 1;
        let tag = RequestTag(self.next_tag);
        out.push(Action::Send(tag, request));
        tag
    }
}

/// A position moved by rows, at most to `max`.
fn shift(at: usize, by: i64, max: usize) -> usize {
    let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
    at.min(max).saturating_add_signed(by).min(max)
}

/// A device waits for its test, or a silent agent for the moment when its jobs go back.
fn counts_down(snapshot: &Snapshot) -> bool {
    let tested =
        |device: &DeviceView| matches!(device.state, DeviceState::Quarantined { until_ms: Some(_), .. });
    snapshot.agents.iter().any(|a| a.gives_back_s.is_some() || a.devices.iter().any(tested))
}

/// Takes one message; afterwards every row in sight that is missing or old has been asked for.
pub(crate) fn update(state: &mut State, now: Millis, msg: Msg) -> Vec<Action> {
    let mut out = Vec::new();
    match msg {
        Msg::Key(key) => {
            state.pressed = Some(now);
            on_key::key(state, now, key, &mut out);
        }
        Msg::Paste(text) => on_key::paste(state, &text),
        Msg::Resize(size) => {
            state.size = size;
            state.dirty = true;
        }
        Msg::Reply(reply) => on_reply::reply(state, now, reply, &mut out),
        Msg::Click { hit, twice } => mouse::click(state, now, hit, twice, &mut out),
        Msg::Wheel(notches) => mouse::wheel(state, notches),
        Msg::Say(text) => {
            state.say(now, text);
            state.dirty = true;
        }
        Msg::Tick => {
            state.dirty = true;
            // Snapshots only come when something changes, so a quiet farm that is back would not be noticed.
            if state.gone.is_some() && state.probe.is_none() {
                state.probe = Some(state.send(Request::Snapshot, &mut out));
            }
        }
    }
    if state.notice.as_ref().is_some_and(|n| n.until <= now) {
        state.notice = None;
        state.dirty = true;
    }
    let calm = now >= state.calm_at();
    state.dirty |= state.jobs.settle(calm);
    if state.gone.is_none() && state.snapshot.is_some() {
        fetch(state, now, &mut out);
    }
    out
}

/// Asks for what is in sight and missing or old.
fn fetch(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    let revision = state.revision();
    let place = state.below();
    if matches!(place, Ground::Agents | Ground::AgentDetail) {
        agents::fetch(state, now, out);
    } else if place == Ground::Failures {
        failures::fetch(state, now, out);
    } else if place == Ground::Events {
        events::fetch(state, now, out);
    } else if place == Ground::Overview {
        first::fetch(state, now, out);
    }
    if state.below() == Ground::Jobs
        && let Some(Wanted { why, offset, limit, revision }) =
            state.jobs.wanted(state.jobs_height(), revision, now)
    {
        let (filter, sort) = (state.jobs.filter.clone(), state.jobs.sort);
        let tag = state.send(Request::Jobs { filter, sort, offset, limit }, out);
        state.jobs.asked = Some(Asked { tag, why, offset, sort, revision, at: now, open: true });
    }
    detail::fetch(state, now, out);
}
