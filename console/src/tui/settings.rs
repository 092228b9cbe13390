//! What `[keys]` and `[theme]` of the configuration may say, and the list of actions for manuals.
//!
//! Knows nothing of files: `config` hands in names and texts, and knows on which line they stand.

use std::collections::BTreeMap;

use super::keys::{BINDINGS, COMMANDS, Clash, Command, Fact, Group, Key, Keys, Level};
use super::look::Theme;
use super::look::theme::{ROLES, THEMES, parse_style};

/// Why an entry cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is no such action, role or theme.
    #[error("no {name:?} here")]
    Name {
        /// The name that is not known.
        name: String,
        /// The names that are.
        known: Vec<&'static str>,
    },
    /// It cannot have this value.
    #[error("{name}: {message}")]
    Value {
        /// The action or the role.
        name: String,
        /// What is wrong with its value, and what would be right.
        message: String,
    },
}

impl Unfit {
    /// The entry that is to blame.
    pub fn entry(&self) -> &str {
        match self {
            Unfit::Name { name, .. } | Unfit::Value { name, .. } => name,
        }
    }
}

/// Reads `[keys]`: actions with their keys. What is not named keeps its own.
pub fn check_keys(entries: &BTreeMap<String, Vec<String>>) -> Result<Keys, Unfit> {
    let mut changed = BTreeMap::new();
    for (name, texts) in entries {
        let fact = remappable().find(|f| f.name == name).ok_or_else(|| Unfit::Name {
            name: name.clone(),
            known: remappable().map(|f| f.name).collect(),
        })?;
        let value = |message: String| Unfit::Value { name: name.clone(), message };
        let mut keys = Vec::new();
        for text in texts {
            let key: Key = text.parse().map_err(value)?;
            if matches!(key, Key::Delete | Key::Backspace) {
                let why = "is bound to nothing on purpose: people press it while they edit a filter";
                return Err(value(format!("{key} {why}")));
            }
            keys.push(key);
        }
        changed.insert(fact.command, keys);
    }
    Keys::changed(changed).map_err(|Clash { key, one, other }| {
        // Blame an entry that is in the file.
        let named = |c: &Command| entries.contains_key(c.fact().name);
        let (blamed, other) = if named(&one) { (one, other) } else { (other, one) };
        let message = format!("{key} is a key of {:?} in the same place", other.fact().name);
        Unfit::Value { name: blamed.fact().name.to_owned(), message }
    })
}

/// Reads `[theme]`: a theme by name, with other styles for some of its roles.
pub fn check_theme(name: &str, entries: &BTreeMap<String, Vec<String>>) -> Result<Theme, Unfit> {
    let mut theme = Theme::named(name).ok_or_else(|| Unfit::Name {
        name: name.to_owned(),
        known: THEMES.iter().map(|(name, _)| *name).collect(),
    })?;
    for (name, words) in entries {
        let (role, _) = ROLES.iter().find(|(_, word)| word == name).ok_or_else(|| Unfit::Name {
            name: name.clone(),
            known: ROLES.iter().map(|(_, word)| *word).collect(),
        })?;
        let style =
            parse_style(&words.join(" ")).map_err(|message| Unfit::Value { name: name.clone(), message })?;
        theme.set(*role, style);
    }
    Ok(theme)
}

/// Actions that `[keys]` can name, with the keys that they have by themselves and what they do.
pub fn default_keys() -> impl Iterator<Item = (&'static str, Vec<String>, &'static str)> {
    remappable().map(|fact| {
        let mut keys: Vec<String> = Vec::new();
        let rows = BINDINGS.iter().filter(|b| b.command == fact.command && !b.is_fixed());
        for key in rows.flat_map(|b| b.keys) {
            let shown = key.to_string();
            if !keys.contains(&shown) {
                keys.push(shown);
            }
        }
        (fact.name, keys, fact.help)
    })
}

/// Roles that `[theme]` can name.
pub fn roles() -> impl Iterator<Item = &'static str> {
    ROLES.iter().map(|(_, word)| *word)
}

/// What the dashboard can do, and what does the same outside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionView {
    /// Its name in the palette and in `[keys]`.
    pub name: &'static str,
    /// Its keys, anywhere; empty if the palette alone has it.
    pub keys: String,
    /// What it does.
    pub what: &'static str,
    /// The subcommands of `vc-console` that do the same; empty if it only moves about on the screen.
    pub subcommand: &'static str,
    /// It changes something in the farm.
    pub acts: bool,
}

/// Everything that the dashboard can do, in the order of its help.
pub fn actions() -> impl Iterator<Item = ActionView> {
    let keys = Keys::default();
    COMMANDS.iter().filter(|f| f.group != Group::Answer).map(move |fact| ActionView {
        name: fact.name,
        keys: keys.anywhere(fact.command),
        what: fact.help,
        subcommand: fact.cli,
        acts: fact.level > Level::Look,
    })
}

fn remappable() -> impl Iterator<Item = &'static Fact> {
    let bound = |f: &&Fact| BINDINGS.iter().any(|b| b.command == f.command && !b.is_fixed());
    COMMANDS.iter().filter(bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keys::Place;

    fn entries(all: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        all.iter().map(|(name, texts)| ((*name).to_owned(), own(texts))).collect()
    }

    #[test]
    fn keys_can_be_changed_and_footers_follow() {
        let keys = check_keys(&entries(&[("cancel", &["ctrl-x", "F5"]), ("leave", &["Q"])])).unwrap();
        assert_eq!(keys.command(Place::Jobs, Key::Ctrl('x')), Some(Command::Cancel));
        assert_eq!(keys.command(Place::Jobs, Key::F(5)), Some(Command::Cancel));
        assert_eq!(keys.command(Place::Jobs, Key::Char('x')), None);
        assert_eq!(keys.first(Place::Jobs, Command::Cancel), "ctrl-x");
        assert_eq!(keys.command(Place::Jobs, Key::Char('q')), None);
        assert_eq!(keys.command(Place::Jobs, Key::Ctrl('c')), Some(Command::Leave), "there is a way out");
    }

    #[test]
    fn no_setting_makes_a_question_answer_itself() {
        for name in ["yes", "no", "take", "complete"] {
            assert!(matches!(check_keys(&entries(&[(name, &["x"])])), Err(Unfit::Name { .. })), "{name}");
        }
        let keys =
            check_keys(&entries(&[("leave", &["y"]), ("copy", &["f3"]), ("copy-id", &["C"])])).unwrap();
        assert_eq!(keys.command(Place::Confirm, Key::Char('y')), Some(Command::Yes));
        assert_eq!(keys.command(Place::Confirm, Key::Enter), Some(Command::Take));
    }

    #[test]
    fn entries_that_cannot_be_are_named() {
        let check = |all: &[(&str, &[&str])], entry: &str, message: &str| {
            let error = check_keys(&entries(all)).unwrap_err();
            assert_eq!(error.entry(), entry);
            assert!(error.to_string().contains(message), "{error}");
        };
        check(&[("cancle", &["x"])], "cancle", "no \"cancle\"");
        check(&[("cancel", &["alt-x"])], "cancel", "alt-x");
        check(&[("cancel", &["delete"])], "cancel", "on purpose");
        check(&[("cancel", &["r"])], "cancel", "\"retry\"");
        check(&[("mark", &["z"]), ("filter", &["z"])], "mark", "z is a key of");
    }

    #[test]
    fn roles_of_a_theme_can_be_changed() {
        let theme = |all: &[(&str, &[&str])]| check_theme("dark", &entries(all));
        assert!(theme(&[("good", &["bold #00ff00 on black"]), ("bad", &["red", "underline"])]).is_ok());
        assert!(matches!(theme(&[("god", &["red"])]), Err(Unfit::Name { .. })));
        assert!(matches!(theme(&[("good", &["reddish"])]), Err(Unfit::Value { .. })));
        assert!(matches!(check_theme("darkest", &BTreeMap::new()), Err(Unfit::Name { .. })));
    }

    #[test]
    fn the_list_of_actions_has_a_subcommand_for_each() {
        assert!(actions().all(|a| !a.acts || !a.subcommand.is_empty()));
        assert!(actions().any(|a| a.name == "cancel" && a.keys == "x F9" && a.subcommand == "jobs cancel"));
        assert!(default_keys().any(|(name, keys, _)| name == "cancel" && keys == ["x", "F9"]));
        assert!(roles().count() > 5);
    }
}
