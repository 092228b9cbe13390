//! The keys as they are after `[keys]`: the table, with the keys of some commands replaced.

use std::collections::BTreeMap;

use super::{BINDINGS, Binding, Command, Group, Key, Place};

/// Keys that no setting takes away: without it a remapped dashboard could not be left.
const ALWAYS: (Command, Key) = (Command::Leave, Key::Ctrl('c'));

/// Which keys ask for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    changed: BTreeMap<Command, Vec<Key>>,
}

/// A key that would mean two things in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) key: Key,
    pub(crate) one: Command,
    pub(crate) other: Command,
}

impl Binding {
    /// Dialogs and text fields keep their keys: no setting may make a question answer itself.
    pub(crate) fn is_fixed(&self) -> bool {
        self.command.fact().group == Group::Answer || self.places.iter().any(|p| p.is_dialog())
    }
}

impl Keys {
    /// Other keys for some commands. The keys of dialogs stay.
    pub(crate) fn changed(changed: BTreeMap<Command, Vec<Key>>) -> Result<Keys, Clash> {
        let keys = Keys { changed };
        for place in Place::ALL {
            let mut seen: BTreeMap<Key, Command> = BTreeMap::new();
            for binding in super::bindings(place) {
                for key in keys.of(binding) {
                    match seen.insert(key, binding.command) {
                        Some(other) if other != binding.command => {
                            return Err(Clash { key, one: binding.command, other });
                        }
                        Some(_) | None => {}
                    }
                }
            }
        }
        Ok(keys)
    }

    /// The keys of a row of the table.
    pub(crate) fn of(&self, binding: &Binding) -> Vec<Key> {
        match self.changed.get(&binding.command) {
            Some(keys) if !binding.is_fixed() => {
                let mut keys = keys.clone();
                if binding.command == ALWAYS.0 && !keys.contains(&ALWAYS.1) {
                    keys.push(ALWAYS.1);
                }
                keys
            }
            Some(_) | None => binding.keys.to_vec(),
        }
    }

    /// What this key means there.
    pub(crate) fn command(&self, place: Place, key: Key) -> Option<Command> {
        super::bindings(place).find(|b| self.of(b).contains(&key)).map(|b| b.command)
    }

    /// Every key of a command in a place, as help shows them; empty if none asks for it there.
    pub(crate) fn shown(&self, place: Place, command: Command) -> String {
        let rows = super::bindings(place).filter(|b| b.command == command);
        rows.flat_map(|b| self.of(b)).map(|k| k.to_string()).collect::<Vec<_>>().join(" ")
    }

    /// The key that footers name for a command there; empty if none asks for it.
    pub(crate) fn first(&self, place: Place, command: Command) -> String {
        let rows = super::bindings(place).filter(|b| b.command == command);
        rows.flat_map(|b| self.of(b)).next().map(|k| k.to_string()).unwrap_or_default()
    }

    /// Its keys wherever they hold, for lists of all commands.
    pub(crate) fn anywhere(&self, command: Command) -> String {
        let mut keys: Vec<Key> = Vec::new();
        for key in BINDINGS.iter().filter(|b| b.command == command).flat_map(|b| self.of(b)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
    }
}
