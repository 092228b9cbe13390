//! What can be asked for: each command with its name, the level of its question and the subcommand that does the same.

/// How much is asked before a command is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Changes nothing in the farm.
    Look,
    /// Level 0: undoable; done at once.
    Undoable,
    /// Level 1: loses work that can be done again; yes or no.
    Asks,
    /// Level 2: cannot be taken back; the name or the count is typed.
    Typed,
}

/// Headings of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Move,
    View,
    Find,
    Mark,
    Do,
    Copy,
    Leave,
    /// Keys of dialogs, which the dialogs themselves name.
    Answer,
}

impl Group {
    pub(crate) const ALL: [Group; 7] =
        [Group::Move, Group::View, Group::Find, Group::Mark, Group::Do, Group::Copy, Group::Leave];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Group::Move => "MOVE",
            Group::View => "VIEW",
            Group::Find => "FIND",
            Group::Mark => "MARK",
            Group::Do => "DO",
            Group::Copy => "COPY",
            Group::Leave => "LEAVE",
            Group::Answer => "",
        }
    }
}

/// All about a command but its keys.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) command: Command,
    /// In `[keys]` and in the palette.
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) level: Level,
    /// What the palette takes after the name; empty if nothing.
    pub(crate) argument: &'static str,
    /// The arguments of `vc-console` that do the same; empty if there is nothing to do outside of a screen.
    pub(crate) cli: &'static str,
    /// What help and palette say; short, so that two columns of it fit 80.
    pub(crate) help: &'static str,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $command:ident $name:literal $group:ident $level:ident $argument:literal $cli:literal $help:literal;)+) => {
        /// What a key or a line of the palette asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Command { $($(#[$doc])* $command),+ }

        /// Every command, in the order of help and palette.
        pub(crate) const COMMANDS: &[Fact] = &[$(Fact {
            command: Command::$command, name: $name, group: Group::$group, level: Level::$level,
            argument: $argument, cli: $cli, help: $help,
        }),+];
    };
}

commands! {
    Down "down" Move Look "" "" "next line";
    Up "up" Move Look "" "" "line before";
    First "first" Move Look "" "" "first line";
    Last "last" Move Look "" "" "last line";
    HalfDown "half-page-down" Move Look "" "" "half a page down";
    HalfUp "half-page-up" Move Look "" "" "half a page up";
    PageDown "page-down" Move Look "" "" "page down";
    PageUp "page-up" Move Look "" "" "page up";
    ScrollLeft "scroll-left" Move Look "" "" "columns to the left";
    ScrollRight "scroll-right" Move Look "" "" "columns to the right";
    NextPane "next-pane" Move Look "" "" "next pane or screen";
    PrevPane "previous-pane" Move Look "" "" "pane or screen before";

    GoOverview "overview" View Look "" "status" "Overview";
    GoJobs "jobs" View Look "" "jobs ls" "Jobs";
    GoAgents "agents" View Look "" "agents ls" "Agents";
    GoFailures "failures" View Look "" "failures" "Failures";
    GoEvents "events" View Look "" "events" "Events";
    Open "open" View Look "" "jobs show, agents show" "open";
    Log "log" View Look "" "jobs logs" "log";
    Why "why" View Look "" "why" "why does it not run";
    Fold "fold" View Look "" "" "fold";
    Unfold "unfold" View Look "" "" "unfold";
    Expand "expand" View Look "" "" "more room here";
    Tree "tree" View Look "" "" "tree or flat list";
    PrevTab "previous-tab" View Look "" "" "tab before";
    NextTab "next-tab" View Look "" "" "next tab";
    Follow "follow" View Look "" "jobs logs --follow" "follow the log's end";
    Wrap "wrap" View Look "" "" "fold long lines";
    Times "times" View Look "" "" "times of lines";
    SortBefore "sort-before" View Look "" "jobs ls --sort" "column before";
    SortNext "sort-next" View Look "" "jobs ls --sort" "next column";
    Invert "invert" View Look "" "jobs ls --sort" "sort the other way";
    SortBy "sort" View Look "<column>" "jobs ls --sort" "sort by a column";
    Freeze "freeze" View Look "" "" "freeze the picture";
    Theme "theme" View Look "<name>" "" "other colours";
    Redraw "redraw" View Look "" "" "draw anew";
    Resubscribe "resubscribe" View Look "" "" "ask the server anew";
    Help "help" View Look "" "help" "this help";
    Palette "command" View Look "" "" "command by name";
    Back "back" View Look "" "" "close, back";

    Filter "filter" Find Look "<filter>" "jobs ls --filter" "filter or find";
    NextHit "next" Find Look "" "" "next hit or need";
    PrevHit "previous" Find Look "" "" "hit or need before";

    Mark "mark" Mark Look "" "" "mark or unmark";
    MarkRange "mark-range" Mark Look "" "" "mark a range";
    MarkAll "mark-all" Mark Look "" "" "mark all in filter";
    MarkNone "mark-none" Mark Look "" "" "unmark all";

    Retry "retry" Do Undoable "" "jobs retry" "retry";
    RetryGroup "retry-group" Do Undoable "" "jobs retry --filter cause:CAUSE" "retry all of a cause";
    Cancel "cancel" Do Asks "" "jobs cancel" "cancel (asks)";
    CancelGroup "cancel-group" Do Asks "" "jobs cancel --filter cause:CAUSE" "give up on a cause";
    Hold "hold" Do Undoable "" "jobs hold, jobs release" "hold or release";
    Raise "raise" Do Undoable "" "jobs prio +1" "priority up";
    Lower "lower" Do Undoable "" "jobs prio -1" "priority down";
    Priority "prio" Do Undoable "<0-9>" "jobs prio" "set the priority";
    Pause "pause" Do Undoable "" "pause, resume" "pause or resume all";
    Drain "drain" Do Undoable "" "agents drain, agents undrain" "drain or undrain";
    DrainKill "drain-kill" Do Asks "" "agents drain --kill" "drain, stop its jobs";
    ReleaseDevice "release-device" Do Undoable "" "agents release" "end its quarantine";
    SelfTest "self-test" Do Undoable "" "agents test" "self-test the device";
    Rename "rename" Do Undoable "<name>" "agents rename" "another name";
    Revoke "revoke" Do Typed "<agent>" "agents revoke" "never let it in again";
    Purge "purge" Do Typed "" "jobs purge" "forget ended jobs";
    Token "token" Do Undoable "" "token create" "let an agent join";
    LocalAgent "local-agent" Do Undoable "" "agents start" "use this box too";

    CopyMenu "copy" Copy Look "" "" "copy menu";
    CopyId "copy-id" Copy Look "" "" "copy the id";
    Mouse "mouse" Copy Look "" "" "mouse on or off";

    Suspend "suspend" Leave Look "" "" "to the shell (fg)";
    Leave "leave" Leave Look "" "" "back, leave";
    /// In the leave dialog and in the palette.
    Detach "detach" Leave Look "" "" "leave, farm goes on";
    DrainStop "stop-drain" Leave Asks "" "stop --drain" "drain, then stop";
    StopNow "stop-now" Leave Asks "" "stop --now" "stop now (asks)";

    /// Outside of the alternate screen, where the terminal's own selection works.
    Print "print" Answer Look "" "" "print it for selecting by hand";
    Yes "yes" Answer Look "" "" "yes";
    No "no" Answer Look "" "" "no";
    /// What the focus is on.
    Take "take" Answer Look "" "" "take";
    NextAnswer "next-answer" Answer Look "" "" "next answer";
    PrevAnswer "previous-answer" Answer Look "" "" "answer before";
    Complete "complete" Answer Look "" "" "complete";
}

impl Command {
    pub(crate) fn fact(self) -> &'static Fact {
        // The macro makes both from the same rows, in the same order.
        &COMMANDS[self as usize]
    }

    /// Changes something in the farm: hidden from those who only look.
    pub(crate) fn acts(self) -> bool {
        self.fact().level > Level::Look
    }
}
