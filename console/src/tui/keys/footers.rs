//! What the last line of a screen names, in its order; the keys come from the table.

use super::{Command, Place};

/// A key worth a place in the footer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foot {
    pub(crate) command: Command,
    pub(crate) word: &'static str,
    /// The lowest one drops first where there is no room; [`STAYS`] never does.
    pub(crate) keep: u8,
}

/// Drops last.
const STAYS: u8 = u8::MAX;

const fn foot(command: Command, word: &'static str, keep: u8) -> Foot {
    Foot { command, word, keep }
}

const OVERVIEW: &[Foot] = &[
    foot(Command::Open, "open", 90),
    foot(Command::Log, "log", 80),
    foot(Command::Cancel, "cancel", 85),
    foot(Command::Retry, "retry", 75),
    foot(Command::ReleaseDevice, "release", 88),
    foot(Command::SelfTest, "self-test", 45),
    foot(Command::Drain, "drain", 50),
    foot(Command::Mark, "mark", 70),
    foot(Command::Filter, "filter", 60),
    foot(Command::SortBefore, "sort", 30),
    foot(Command::SortNext, "sort", 30),
    foot(Command::Expand, "expand", 20),
    foot(Command::Palette, "command", 65),
    foot(Command::Help, "help", 40),
    foot(Command::Leave, "leave", STAYS),
];
const JOBS: &[Foot] = &[
    foot(Command::Mark, "mark", 80),
    foot(Command::MarkRange, "range", 60),
    foot(Command::MarkAll, "all", 70),
    foot(Command::MarkNone, "none", 75),
    foot(Command::Retry, "retry", 90),
    foot(Command::Cancel, "cancel", 90),
    foot(Command::Hold, "hold", 85),
    foot(Command::Why, "why", 72),
    foot(Command::Open, "open", 50),
    foot(Command::Filter, "filter", 65),
    foot(Command::SortBefore, "sort", 30),
    foot(Command::SortNext, "sort", 30),
    foot(Command::Palette, "command", 25),
    foot(Command::Help, "help", 40),
    foot(Command::Leave, "leave", STAYS),
];
const AGENTS: &[Foot] = &[
    foot(Command::Open, "open", 90),
    foot(Command::Drain, "drain", 80),
    foot(Command::ReleaseDevice, "release", 88),
    foot(Command::SelfTest, "self-test", 45),
    foot(Command::Log, "log", 63),
    foot(Command::Filter, "filter", 60),
    foot(Command::SortBefore, "sort", 30),
    foot(Command::SortNext, "sort", 30),
    foot(Command::Palette, "command", 65),
    foot(Command::Help, "help", 40),
    foot(Command::Leave, "leave", STAYS),
];
const AGENT: &[Foot] = &[
    foot(Command::Back, "back", 95),
    foot(Command::Open, "open", 60),
    foot(Command::Cancel, "cancel", 55),
    foot(Command::Drain, "drain", 80),
    foot(Command::ReleaseDevice, "release quarantine", 90),
    foot(Command::SelfTest, "self-test now", 70),
    foot(Command::Log, "log", 65),
    foot(Command::Palette, "command", 50),
    foot(Command::Help, "help", 40),
];
const FAILURES: &[Foot] = &[
    foot(Command::Open, "jobs of this cause", 90),
    foot(Command::RetryGroup, "retry group", 85),
    foot(Command::CancelGroup, "give up on group", 80),
    foot(Command::CopyMenu, "copy report", 70),
    foot(Command::SortBefore, "sort", 30),
    foot(Command::SortNext, "sort", 30),
    foot(Command::Palette, "command", 25),
    foot(Command::Help, "help", 40),
    foot(Command::Leave, "leave", STAYS),
];
const EVENTS: &[Foot] = &[
    foot(Command::Open, "open", 90),
    foot(Command::Log, "log", 70),
    foot(Command::Filter, "filter", 80),
    foot(Command::CopyMenu, "copy", 50),
    foot(Command::Palette, "command", 60),
    foot(Command::Help, "help", 40),
    foot(Command::Leave, "leave", STAYS),
];
const JOB: &[Foot] = &[
    foot(Command::Back, "back", STAYS),
    foot(Command::Cancel, "cancel", 90),
    foot(Command::Retry, "retry", 90),
    foot(Command::Why, "why", 80),
    foot(Command::Raise, "priority", 60),
    foot(Command::Lower, "priority", 60),
    foot(Command::Hold, "hold", 70),
    foot(Command::CopyMenu, "copy", 75),
    foot(Command::Help, "help", 40),
];
const LOG: &[Foot] = &[
    foot(Command::Back, "back", STAYS),
    foot(Command::Follow, "follow", 90),
    foot(Command::Wrap, "wrap", 85),
    foot(Command::Times, "times", 80),
    foot(Command::Filter, "find", 88),
    foot(Command::NextHit, "hits", 70),
    foot(Command::PrevHit, "hits", 70),
    foot(Command::Cancel, "cancel", 50),
    foot(Command::CopyMenu, "copy", 75),
    foot(Command::Help, "help", 40),
];
const READING: &[Foot] = &[
    foot(Command::CopyId, "copy", 80),
    foot(Command::Print, "print", 70),
    foot(Command::Back, "close", STAYS),
];
const HELP: &[Foot] = &[foot(Command::No, "close", STAYS)];
const CONFIRM: &[Foot] = &[foot(Command::No, "no", STAYS), foot(Command::Yes, "yes", STAYS)];
const TYPED: &[Foot] = &[foot(Command::No, "no", STAYS), foot(Command::Take, "confirm", STAYS)];
const LEAVING: &[Foot] = &[
    foot(Command::Detach, "detach", STAYS),
    foot(Command::DrainStop, "drain, then stop", 90),
    foot(Command::StopNow, "stop now", 80),
    foot(Command::No, "stay", STAYS),
];
const QUITTING: &[Foot] = &[foot(Command::Yes, "yes", STAYS), foot(Command::No, "stay", STAYS)];
const PALETTE: &[Foot] = &[
    foot(Command::Take, "run", STAYS),
    foot(Command::Complete, "complete", 90),
    foot(Command::Up, "history", 80),
    foot(Command::No, "close", STAYS),
];
const COPYING: &[Foot] = &[
    foot(Command::Take, "copy", STAYS),
    foot(Command::Print, "print for selecting", 90),
    foot(Command::No, "close", STAYS),
];
const PROMPT: &[Foot] = &[foot(Command::Take, "apply", STAYS), foot(Command::No, "leave", STAYS)];

/// What the footer of this place names; the caller leaves out what does nothing there.
pub(crate) fn footer(place: Place) -> &'static [Foot] {
    match place {
        Place::Overview => OVERVIEW,
        Place::Jobs => JOBS,
        Place::Agents => AGENTS,
        Place::AgentDetail => AGENT,
        Place::Failures => FAILURES,
        Place::Events => EVENTS,
        Place::JobDetail => JOB,
        Place::Log => LOG,
        Place::Reading => READING,
        Place::Help => HELP,
        Place::Confirm => CONFIRM,
        Place::TypedConfirm => TYPED,
        Place::LeaveAttach => LEAVING,
        Place::LeaveConvert => QUITTING,
        Place::Palette => PALETTE,
        Place::CopyMenu => COPYING,
        Place::Prompt => PROMPT,
    }
}
