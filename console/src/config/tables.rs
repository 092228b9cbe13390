//! The two open tables of the file: `[keys]` with an action's keys, `[theme]` with a role's style. Which names there are,
//! and what may stand there, the dashboard says.

use super::Origin;
use super::file::Assigned;

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
}

/// Why an entry cannot be used.
pub(super) enum Unfit {
    /// There is no such action or role; these there are.
    Name(Vec<String>),
    /// It cannot have these keys or this style.
    Value(String),
}

/// Asks the dashboard whether an entry makes sense.
pub(super) fn check(section: &str, name: &str, texts: &[String]) -> Result<(), Unfit> {
    let _ = (section, name, texts);
    Ok(())
}

/// Both tables with what the dashboard has by itself, for the documented file.
pub(super) fn documented() -> String {
    String::new()
}
