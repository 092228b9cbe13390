//! Which keys ask for what, where. Delete and Backspace are bound to nothing on purpose: people press them while they
//! edit a filter. ctrl-d is half a page and never deletes.

use super::{Command, Key, Place};

/// Keys of a command in some places.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Any of these.
    pub(crate) keys: &'static [Key],
    /// Where it holds.
    pub(crate) places: &'static [Place],
    pub(crate) command: Command,
}

use Place::{
    AgentDetail, Agents, Confirm, CopyMenu, Events, Failures, Help, JobDetail, Jobs, LeaveAttach,
    LeaveConvert, Log, Overview, Palette, Prompt, Reading, TypedConfirm,
};

const ROWS: &[Place] = &[Overview, Jobs, Agents, AgentDetail, Failures, Events];
const SCREENS: &[Place] = &[Overview, Jobs, Agents, AgentDetail, Failures, Events, JobDetail, Log];
const SCROLL: &[Place] = &[Overview, Jobs, Agents, AgentDetail, Failures, Events, JobDetail, Log, Reading];
/// Arrows and pages alone: letters are typed there.
const SCROLL_TEXT: &[Place] = &[Help, Palette];
/// Rows that hang below others.
const TREES: &[Place] = &[Overview, AgentDetail];
/// What is wider than the window.
const BROAD: &[Place] = &[Jobs, Agents, Failures, Events, JobDetail, Log];
/// Where a job can be under the cursor.
const JOB: &[Place] = &[Overview, Jobs, AgentDetail, Events, JobDetail, Log];
const JOB_NOT_LOG: &[Place] = &[Overview, Jobs, AgentDetail, Events, JobDetail];
/// There `+` and `-` are not for folding.
const JOB_FLAT: &[Place] = &[Jobs, Events, JobDetail, Log];
const JOB_TREES: &[Place] = &[Overview, AgentDetail];
const MARKS: &[Place] = &[Overview, Jobs];
const TABLE: &[Place] = &[Jobs];
const SORTED: &[Place] = &[Overview, Jobs, Agents, Failures];
const AGENT: &[Place] = &[Overview, Agents, AgentDetail];
const LOGS: &[Place] = &[Overview, Jobs, Agents, AgentDetail, Failures, Events, JobDetail];
const TABS: &[Place] = &[JobDetail, Log];
const LOG: &[Place] = &[Log];
const GROUPS: &[Place] = &[Failures];
const OVERVIEW: &[Place] = &[Overview];
const BACK: &[Place] = &[Jobs, Agents, AgentDetail, Failures, Events, JobDetail, Log, Reading, Overview];
const READING: &[Place] = &[Reading];
const ANSWERS: &[Place] = &[Confirm, LeaveAttach, LeaveConvert, CopyMenu];
const CONFIRM: &[Place] = &[Confirm];
const ASKING: &[Place] = &[Confirm, LeaveConvert];
const LEAVING: &[Place] = &[LeaveAttach];
const QUITTING: &[Place] = &[LeaveConvert];
const COPYING: &[Place] = &[CopyMenu];
const PICKING: &[Place] = &[CopyMenu, Help];
const DIALOGS: &[Place] =
    &[Confirm, TypedConfirm, LeaveAttach, LeaveConvert, CopyMenu, Palette, Help, Prompt];
const BUTTONS: &[Place] = &[Confirm, LeaveAttach, LeaveConvert, CopyMenu];
const TEXTS: &[Place] = &[TypedConfirm, Palette, Prompt];
const COMPLETED: &[Place] = &[Palette, Prompt];

macro_rules! table {
    ($($places:ident $command:ident [$($key:expr),+];)+) => {
        &[$(Binding { keys: &[$($key),+], places: $places, command: Command::$command }),+]
    };
}

const fn c(c: char) -> Key {
    Key::Char(c)
}

const fn ctrl(c: char) -> Key {
    Key::Ctrl(c)
}

/// Every key. The first of a row is the one that footers name.
pub(crate) const BINDINGS: &[Binding] = table! {
    SCROLL Down [c('j'), Key::Down];
    SCROLL Up [c('k'), Key::Up];
    SCROLL First [c('g'), Key::Home];
    SCROLL Last [c('G'), Key::End];
    SCROLL HalfDown [ctrl('d')];
    SCROLL HalfUp [ctrl('u')];
    SCROLL PageDown [Key::PageDown];
    SCROLL PageUp [Key::PageUp];
    SCROLL_TEXT Down [Key::Down];
    SCROLL_TEXT Up [Key::Up];
    SCROLL_TEXT PageDown [Key::PageDown];
    SCROLL_TEXT PageUp [Key::PageUp];
    BROAD ScrollLeft [Key::Left];
    BROAD ScrollRight [Key::Right];
    SCREENS NextPane [Key::Tab];
    SCREENS PrevPane [Key::BackTab];

    SCREENS GoOverview [c('1')];
    SCREENS GoJobs [c('2')];
    SCREENS GoAgents [c('3')];
    SCREENS GoFailures [c('4')];
    SCREENS GoEvents [c('5')];
    ROWS Open [Key::Enter, c('d')];
    LOGS Log [c('l')];
    JOB_NOT_LOG Why [c('w')];
    TREES Fold [Key::Left, c('-')];
    TREES Unfold [Key::Right, c('+')];
    ROWS Expand [c('e')];
    OVERVIEW Tree [c('t')];
    TABS PrevTab [c('[')];
    TABS NextTab [c(']')];
    LOG Follow [c('F')];
    LOG Wrap [c('w')];
    LOG Times [c('t')];
    SORTED SortBefore [c('<')];
    SORTED SortNext [c('>'), Key::F(6)];
    SORTED Invert [c('I')];
    SCREENS Freeze [c('Z')];
    SCREENS Redraw [ctrl('l')];
    SCREENS Resubscribe [ctrl('r')];
    SCREENS Help [c('?'), Key::F(1), c('h')];
    SCREENS Palette [c(':'), ctrl('p')];
    BACK Back [Key::Esc];
    READING Leave [c('q'), Key::F(10), ctrl('c'), Key::Enter];

    SCREENS Filter [c('/'), c('\\'), Key::F(4)];
    SCREENS NextHit [c('n')];
    SCREENS PrevHit [c('N')];

    MARKS Mark [c(' ')];
    TABLE MarkRange [c('v'), ctrl(' ')];
    TABLE MarkAll [c('*')];
    MARKS MarkNone [c('U')];

    JOB Retry [c('r')];
    GROUPS RetryGroup [c('R')];
    JOB Cancel [c('x'), Key::F(9)];
    GROUPS CancelGroup [c('x'), Key::F(9)];
    JOB Hold [c('p')];
    JOB_FLAT Raise [c('+'), Key::F(7)];
    JOB_FLAT Lower [c('-'), Key::F(8)];
    JOB_TREES Raise [Key::F(7)];
    JOB_TREES Lower [Key::F(8)];
    SCREENS Pause [c('P')];
    AGENT Drain [c('u')];
    AGENT ReleaseDevice [c('b')];
    AGENT SelfTest [c('T')];
    OVERVIEW LocalAgent [c('a')];

    SCREENS CopyMenu [c('y')];
    SCREENS CopyId [c('c')];
    SCREENS Mouse [c('m')];

    SCREENS Suspend [ctrl('z')];
    SCREENS Leave [c('q'), Key::F(10), ctrl('c')];

    DIALOGS No [Key::Esc];
    TEXTS No [ctrl('c')];
    TEXTS Take [Key::Enter];
    BUTTONS Take [Key::Enter];
    ANSWERS NextAnswer [Key::Down, Key::Right, Key::Tab, c('j')];
    ANSWERS PrevAnswer [Key::Up, Key::Left, Key::BackTab, c('k')];
    COMPLETED Complete [Key::Tab];
    CONFIRM No [c('n'), c('q'), ctrl('c')];
    ASKING Yes [c('y')];
    LEAVING Detach [c('d')];
    LEAVING DrainStop [c('s')];
    LEAVING StopNow [c('n')];
    LEAVING Leave [ctrl('c')];
    LEAVING No [c('q')];
    QUITTING Leave [ctrl('c')];
    QUITTING No [c('n'), c('q')];
    PICKING No [ctrl('c')];
    READING CopyId [c('y'), c('c')];
    READING Print [c('p')];
    COPYING Take [c('y')];
    COPYING Print [c('p')];
    COPYING No [c('q')];
};
