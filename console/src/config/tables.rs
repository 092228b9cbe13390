//! The two open tables of the file: `[keys]` with an action's keys, `[theme]` with a role's style. Which names there are,
//! and what may stand there, the dashboard says.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::document::comment;
use super::error::Problem;
use super::file::{Assigned, nearest};
use super::{Origin, keys};
use crate::tui::settings::{Unfit, check_keys, check_theme, default_keys, roles};
use crate::tui::{Keys, Theme};

/// An entry of such a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The action or the role.
    pub name: String,
    /// Its keys, or its style.
    pub texts: Vec<String>,
    /// Where it was said.
    pub origin: Origin,
}

/// Both tables, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// Keys of actions.
    pub keys: Vec<Binding>,
    /// Styles of roles.
    pub theme: Vec<Binding>,
}

impl Tables {
    /// The best file that names an action or a role decides.
    pub(super) fn merge(layers: Vec<Assigned>) -> Tables {
        let mut merged = Tables::default();
        for layer in layers {
            for (into, from) in [(&mut merged.keys, layer.keys), (&mut merged.theme, layer.theme)] {
                for binding in from {
                    if !into.iter().any(|known| known.name == binding.name) {
                        into.push(binding);
                    }
                }
            }
        }
        merged
    }

    /// What the dashboard makes of both, or everything that is wrong with them.
    pub(super) fn read(&self, theme: &str) -> Result<(Keys, Theme), Vec<Problem>> {
        let theme = if keys::THEMES.contains(&theme) { theme } else { keys::THEMES[0] };
        // An action may have a key in some places only; naming all that it has anyway changes nothing.
        let is_changed =
            |b: &&Binding| !default_keys().any(|(name, keys, _)| name == b.name && keys == b.texts);
        let changed: Vec<_> = self.keys.iter().filter(is_changed).cloned().collect();
        let keys = read("keys", &changed, check_keys);
        let theme = read("theme", &self.theme, |entries| check_theme(theme, entries));
        match (keys, theme) {
            (Ok(keys), Ok(theme)) => Ok((keys, theme)),
            (keys, theme) => Err([keys.err(), theme.err()].into_iter().flatten().flatten().collect()),
        }
    }
}

/// The dashboard names one entry at a time; without that one it looks at the others.
fn read<T>(
    section: &str,
    bindings: &[Binding],
    check: impl Fn(&BTreeMap<String, Vec<String>>) -> Result<T, Unfit>,
) -> Result<T, Vec<Problem>> {
    let mut entries: BTreeMap<_, _> = bindings.iter().map(|b| (b.name.clone(), b.texts.clone())).collect();
    let mut problems = Vec::new();
    loop {
        let unfit = match check(&entries) {
            Ok(read) if problems.is_empty() => return Ok(read),
            Ok(_) => return Err(problems),
            Err(unfit) => unfit,
        };
        let blamed = bindings.iter().find(|binding| binding.name == unfit.entry());
        let key = format!("{section}.{}", unfit.entry());
        let (message, nearest) = match &unfit {
            Unfit::Name { known, .. } => {
                let known: Vec<_> = known.iter().map(|name| format!("{section}.{name}")).collect();
                ("is not known".to_owned(), nearest(&key, &known))
            }
            Unfit::Value { message, .. } => (format!("cannot be so: {message}"), None),
        };
        let place = blamed.map_or(Origin::Default, |binding| binding.origin.clone());
        problems.push(Problem { place, key, message, nearest });
        if entries.remove(unfit.entry()).is_none() {
            return Err(problems);
        }
    }
}

/// Both tables with what the dashboard has by itself, for the documented file.
pub(super) fn documented() -> String {
    let about_keys = "Keys of the dashboard: an action with its key or its keys, in place of those that it has. A key is a \
                      character, ctrl-x, F1 to F12, space, enter, esc, tab, up, down, left, right, home, end, PgUp or PgDn. \
                      The keys of questions are fixed.";
    let mut text = format!("\n{}[keys]\n", comment(about_keys));
    for (name, keys, what) in default_keys() {
        let keys = toml::Value::Array(keys.into_iter().map(Into::into).collect());
        let _ = writeln!(text, "#{name} = {keys} # {what}");
    }
    let about_theme = "Styles of single roles, in place of those of the theme: bold, dim, underline, reverse, plain, a \
                       colour (red to bright-white, 0 to 255, #rrggbb), and `on` with a second one for the background. What \
                       a role has by itself depends on the theme.";
    let _ = write!(text, "\n{}[theme]\n", comment(about_theme));
    for role in roles() {
        let _ = writeln!(text, "#{role} = \"plain\"");
    }
    text
}
