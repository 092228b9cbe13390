//! The one table of keys: dispatch, footer, help and palette are all read from it, so they cannot disagree.
//!
//! `commands` says what can be asked for, `table` which keys ask for it where, `footers` which of them a screen
//! names. Knows nothing of the terminal library; `app` translates its events to [`Key`].

mod commands;
mod footers;
mod map;
mod name;
mod table;

pub(crate) use commands::{COMMANDS, Command, Fact, Group, Level};
pub(crate) use footers::{Foot, footer};
pub(crate) use map::Clash;
pub use map::Keys;
pub(crate) use table::{BINDINGS, Binding};

/// A key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Where a binding holds: the screen, dialog or text field that has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Overview,
    Jobs,
    Agents,
    /// One agent with its devices.
    AgentDetail,
    Failures,
    Events,
    /// One job, on any tab but its log.
    JobDetail,
    /// The log of a job or an agent.
    Log,
    /// Something to read and close.
    Reading,
    /// Typing searches it.
    Help,
    /// Level 1: yes or no.
    Confirm,
    /// Level 2: the name or the count is typed.
    TypedConfirm,
    /// The leave dialog in front of a server.
    LeaveAttach,
    /// The leave dialog of a conversion.
    LeaveConvert,
    Palette,
    CopyMenu,
    /// The text field of a filter or of a search.
    Prompt,
}

/// What dialogs and text fields lie over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    Overview,
    Jobs,
    Agents,
    AgentDetail,
    Failures,
    Events,
    JobDetail,
    Log,
}

impl From<Ground> for Place {
    fn from(ground: Ground) -> Place {
        match ground {
            Ground::Overview => Place::Overview,
            Ground::Jobs => Place::Jobs,
            Ground::Agents => Place::Agents,
            Ground::AgentDetail => Place::AgentDetail,
            Ground::Failures => Place::Failures,
            Ground::Events => Place::Events,
            Ground::JobDetail => Place::JobDetail,
            Ground::Log => Place::Log,
        }
    }
}

impl Place {
    pub(crate) const ALL: [Place; 17] = [
        Place::Overview,
        Place::Jobs,
        Place::Agents,
        Place::AgentDetail,
        Place::Failures,
        Place::Events,
        Place::JobDetail,
        Place::Log,
        Place::Reading,
        Place::Help,
        Place::Confirm,
        Place::TypedConfirm,
        Place::LeaveAttach,
        Place::LeaveConvert,
        Place::Palette,
        Place::CopyMenu,
        Place::Prompt,
    ];

    /// Lies over a screen and asks something.
    pub(crate) fn is_dialog(self) -> bool {
        match self {
            Place::Help
            | Place::Confirm
            | Place::TypedConfirm
            | Place::LeaveAttach
            | Place::LeaveConvert
            | Place::Palette
            | Place::CopyMenu
            | Place::Prompt => true,
            Place::Overview
            | Place::Jobs
            | Place::Agents
            | Place::AgentDetail
            | Place::Failures
            | Place::Events
            | Place::JobDetail
            | Place::Log
            | Place::Reading => false,
        }
    }
}

/// What holds there.
pub(crate) fn bindings(place: Place) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |b| b.places.contains(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in Place::ALL {
            let mut seen = std::collections::HashSet::new();
            for key in bindings(place).flat_map(|b| b.keys) {
                assert!(seen.insert(*key), "{key:?} twice in {place:?}");
            }
        }
    }

    #[test]
    fn keys_pressed_while_editing_are_bound_to_nothing() {
        for place in Place::ALL {
            for key in [Key::Delete, Key::Backspace] {
                assert_eq!(Keys::default().command(place, key), None, "{key:?} in {place:?}");
            }
        }
    }

    #[test]
    fn every_command_is_told_once_and_every_footer_has_its_key() {
        for (at, fact) in COMMANDS.iter().enumerate() {
            assert!(
                COMMANDS[..at].iter().all(|f| f.command != fact.command && f.name != fact.name),
                "{fact:?}"
            );
        }
        for binding in BINDINGS {
            assert!(COMMANDS.iter().any(|f| f.command == binding.command), "{binding:?}");
        }
        for place in Place::ALL {
            for foot in footer(place) {
                assert!(bindings(place).any(|b| b.command == foot.command), "{foot:?} in {place:?}");
            }
        }
    }

    #[test]
    fn every_action_has_a_subcommand() {
        for fact in COMMANDS.iter().filter(|f| f.level != Level::Look) {
            assert!(!fact.cli.is_empty(), "{}", fact.name);
        }
    }
}
