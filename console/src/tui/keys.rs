//! The one table of keys: dispatch, footer and help are all read from it, so they cannot disagree.
//!
//! Knows nothing of the terminal library; `app` translates its events to [`Key`].

/// A key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Char(char),
    Ctrl(char),
    F(u8),
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    Down,
    Up,
    First,
    Last,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    Open,
    Back,
    Fold,
    Unfold,
    GoOverview,
    GoJobs,
    NextScreen,
    PrevScreen,
    PrevTab,
    NextTab,
    Redraw,
    Help,
    Filter,
    Mark,
    MarkAll,
    MarkNone,
    Retry,
    Cancel,
    Why,
    Log,
    Leave,
    /// The answers of the dialogs.
    Yes,
    No,
    Detach,
    StopFarm,
}

/// Where a binding holds: the screen or dialog that has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Overview,
    Jobs,
    Detail,
    /// Help and why: something to read and close.
    Reading,
    Confirm,
    /// The leave dialog in front of a server.
    LeaveAttach,
    /// The leave dialog of a conversion.
    LeaveConvert,
}

/// Headings of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Move,
    View,
    Find,
    Mark,
    Do,
    Leave,
}

impl Group {
    pub(crate) const ALL: [Group; 6] =
        [Group::Move, Group::View, Group::Find, Group::Mark, Group::Do, Group::Leave];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Group::Move => "MOVE",
            Group::View => "VIEW",
            Group::Find => "FIND",
            Group::Mark => "MARK",
            Group::Do => "DO",
            Group::Leave => "LEAVE",
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Any of these.
    pub(crate) keys: &'static [Key],
    /// Where it holds.
    pub(crate) places: &'static [Place],
    pub(crate) command: Command,
    pub(crate) group: Group,
    /// Key and word in the footer; empty if it is not listed there.
    pub(crate) footer: &'static str,
    /// Keys as help shows them.
    pub(crate) shown: &'static str,
    /// What help says.
    pub(crate) help: &'static str,
}

const ROWS: &[Place] = &[Place::Overview, Place::Jobs];
const TREE: &[Place] = &[Place::Overview];
const TABLE: &[Place] = &[Place::Jobs];
const DETAIL: &[Place] = &[Place::Detail];
const SCREENS: &[Place] = &[Place::Overview, Place::Jobs, Place::Detail];
const SCROLL: &[Place] = &[Place::Overview, Place::Jobs, Place::Detail, Place::Reading];
const BACK: &[Place] = &[Place::Jobs, Place::Detail, Place::Reading];

macro_rules! table {
    ($($places:ident [$($key:expr),+] $command:ident $group:ident $footer:literal $shown:literal $help:literal;)+) => {
        &[$(Binding {
            keys: &[$($key),+], places: $places, command: Command::$command, group: Group::$group,
            footer: $footer, shown: $shown, help: $help,
        }),+]
    };
}

const CONFIRM: &[Place] = &[Place::Confirm];
const LEAVING: &[Place] = &[Place::LeaveAttach];
const QUITTING: &[Place] = &[Place::LeaveConvert];
const ASKING: &[Place] = &[Place::Confirm, Place::LeaveConvert];
const READING: &[Place] = &[Place::Reading];

/// Every key, in the order of footer and help. Delete and Backspace are bound to nothing on purpose: people press
/// them while they edit a filter.
pub(crate) const KEYS: &[Binding] = table! {
    SCROLL [Key::Char('j'), Key::Down] Down Move "" "j down" "next line";
    SCROLL [Key::Char('k'), Key::Up] Up Move "" "k up" "line before";
    SCROLL [Key::Char('g'), Key::Home] First Move "" "g home" "first";
    SCROLL [Key::Char('G'), Key::End] Last Move "" "G end" "last";
    SCROLL [Key::Ctrl('d')] HalfDown Move "" "ctrl-d" "half a page down";
    SCROLL [Key::Ctrl('u')] HalfUp Move "" "ctrl-u" "half a page up";
    SCROLL [Key::PageDown] PageDown Move "" "PgDn" "page down";
    SCROLL [Key::PageUp] PageUp Move "" "PgUp" "page up";
    ROWS [Key::Enter, Key::Char('d')] Open View "enter open" "enter d" "open";
    TREE [Key::Left, Key::Char('-')] Fold View "" "left -" "fold";
    TREE [Key::Right, Key::Char('+')] Unfold View "" "right +" "unfold";
    DETAIL [Key::Char('['), Key::Left] PrevTab View "" "[" "tab before";
    DETAIL [Key::Char(']'), Key::Right] NextTab View "[ ] tabs" "]" "next tab";
    SCREENS [Key::Char('l')] Log Do "l log" "l" "log";
    SCREENS [Key::Char('x'), Key::F(9)] Cancel Do "x cancel" "x F9" "cancel (asks)";
    SCREENS [Key::Char('r')] Retry Do "r retry" "r" "retry";
    ROWS [Key::Char(' ')] Mark Mark "space mark" "space" "mark or unmark";
    ROWS [Key::Char('/'), Key::Char('\\'), Key::F(4)] Filter Find "/ filter" "/ \\ F4" "filter jobs";
    SCREENS [Key::Char('w')] Why Do "w why" "w" "why does it not run";
    TABLE [Key::Char('*')] MarkAll Mark "* all" "*" "mark all in filter";
    ROWS [Key::Char('U')] MarkNone Mark "U none" "U" "unmark all";
    BACK [Key::Esc] Back View "esc back" "esc" "close, back";
    SCREENS [Key::Char('1')] GoOverview View "" "1" "Overview";
    SCREENS [Key::Char('2')] GoJobs View "" "2" "Jobs";
    SCREENS [Key::Tab] NextScreen View "" "tab" "next screen";
    SCREENS [Key::BackTab] PrevScreen View "" "shift-tab" "screen before";
    SCREENS [Key::Ctrl('l')] Redraw View "" "ctrl-l" "draw anew";
    SCREENS [Key::Char('?'), Key::F(1), Key::Char('h')] Help View "? help" "? F1 h" "this help";
    SCREENS [Key::Char('q'), Key::F(10), Key::Ctrl('c')] Leave Leave "q leave" "q ctrl-c" "back, leave";
    READING [Key::Char('q'), Key::F(10), Key::Ctrl('c'), Key::Enter, Key::Char('?')] Back Leave "" "q" "close";
    ASKING [Key::Char('y')] Yes Do "y yes" "y" "yes";
    CONFIRM [Key::Esc, Key::Enter, Key::Char('n'), Key::Char('q'), Key::Ctrl('c')] No Do "esc no" "esc enter" "no";
    LEAVING [Key::Char('d')] Detach Leave "d detach" "d" "detach, the farm goes on";
    LEAVING [Key::Char('s')] StopFarm Leave "s stop the farm" "s" "stop the farm";
    LEAVING [Key::Ctrl('c')] Leave Leave "" "ctrl-c" "detach";
    LEAVING [Key::Esc, Key::Char('n'), Key::Char('q')] No Leave "esc stay" "esc" "stay";
    QUITTING [Key::Ctrl('c')] Leave Leave "" "ctrl-c" "cancel everything and quit";
    QUITTING [Key::Esc, Key::Enter, Key::Char('n'), Key::Char('q')] No Leave "esc stay" "esc enter" "stay";
};

/// What this key means there.
pub(crate) fn command(place: Place, key: Key) -> Option<Command> {
    bindings(place).find(|b| b.keys.contains(&key)).map(|b| b.command)
}

/// What holds there.
pub(crate) fn bindings(place: Place) -> impl Iterator<Item = &'static Binding> {
    KEYS.iter().filter(move |b| b.places.contains(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Place; 7] = [
        Place::Overview,
        Place::Jobs,
        Place::Detail,
        Place::Reading,
        Place::Confirm,
        Place::LeaveAttach,
        Place::LeaveConvert,
    ];

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in PLACES {
            let mut seen = std::collections::HashSet::new();
            for key in bindings(place).flat_map(|b| b.keys) {
                assert!(seen.insert(*key), "{key:?} twice in {place:?}");
            }
        }
    }

    #[test]
    fn keys_pressed_while_editing_are_bound_to_nothing() {
        for place in PLACES {
            for key in [Key::Delete, Key::Backspace] {
                assert_eq!(command(place, key), None, "{key:?} in {place:?}");
            }
        }
    }
}
