//! The console's settings: what can be set, where it may be said, and where each value came from.
//!
//! [`keys::KEYS`] is the one table: checks, variables, `config show` and the documented file are made from it. A flag
//! wins over a variable, a variable over the files, the file that was named over the user's, that over the system's, and
//! those over the defaults. Knows nothing of what a setting does.

mod discover;
mod document;
mod error;
mod file;
pub mod keys;
mod tables;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use discover::{Candidate, config_home, files};
pub use document::documented;
pub use error::{ConfigError, Problem};
pub use file::Assigned;
pub(crate) use file::nearest;
pub use tables::{Binding, Tables};

use crate::tui::{Keys, Theme};
use keys::{KEYS, Key, Name, Value};

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line, by this flag.
    Flag(&'static str),
    /// In this variable.
    Variable(&'static str),
    /// In a file, on a line.
    File(PathBuf, usize),
    /// Nowhere.
    Default,
}

impl Origin {
    /// One word for documents.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Variable(_) => "variable",
            Self::File(..) => "file",
            Self::Default => "default",
        }
    }

    /// Whether somebody said it to this very program, and not once for all.
    pub fn is_of_this_call(&self) -> bool {
        matches!(self, Self::Flag(_) | Self::Variable(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The value; none if there is no default.
    pub value: Option<Value>,
    /// Where it was said.
    pub origin: Origin,
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// A file that goes before the usual ones.
    pub file: Option<PathBuf>,
    /// Values of flags.
    pub flags: Vec<(Name, OsString)>,
}

impl Given {
    /// Takes a flag, if it was given.
    pub fn flag(&mut self, name: Name, value: Option<impl Into<OsString>>) {
        self.flags.extend(value.map(|value| (name, value.into())));
    }
}

/// Every setting.
#[derive(Debug, Clone)]
pub struct Config {
    settings: BTreeMap<Name, Setting>,
    tables: Tables,
    keys: Keys,
    theme: Theme,
}

/// Reads everything that is said anywhere. `var` is the environment.
pub fn load(given: &Given, var: &dyn Fn(&str) -> Option<OsString>) -> Result<Config, ConfigError> {
    let mut problems = Vec::new();
    let mut layers = Vec::new();
    for candidate in files(given.file.as_deref(), var) {
        match file::read(&candidate) {
            Ok(Some(read)) => {
                problems.extend(read.problems);
                layers.push(read.assigned);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    let mut settings = BTreeMap::new();
    for key in &KEYS {
        match resolve(key, given, &layers, var) {
            Ok(setting) => drop(settings.insert(key.name, setting)),
            Err(problem) => problems.push(problem),
        }
    }
    let tables = Tables::merge(layers);
    let theme = settings.get(&Name::Theme).and_then(|setting| setting.value.as_ref()?.as_text());
    match tables.read(theme.unwrap_or_default()) {
        Ok((keys, theme)) if problems.is_empty() => Ok(Config { settings, tables, keys, theme }),
        Ok(_) => Err(ConfigError { problems }),
        Err(more) => Err(ConfigError { problems: problems.into_iter().chain(more).collect() }),
    }
}

/// What is wrong with one file, whatever else is said.
pub fn check(path: &Path) -> Vec<Problem> {
    match file::read(&Candidate { path: path.to_owned(), must_exist: true }) {
        Ok(Some(read)) => {
            let tables = Tables::merge(vec![read.assigned]).read(keys::THEMES[0]);
            read.problems.into_iter().chain(tables.err().into_iter().flatten()).collect()
        }
        Ok(None) => Vec::new(),
        Err(problem) => vec![problem],
    }
}

fn resolve(
    key: &'static Key,
    given: &Given,
    layers: &[Assigned],
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Setting, Problem> {
    let said = |text: &OsStr, origin: Origin| match key.kind.parse(text) {
        Ok(value) => Ok(Setting { value: Some(value), origin }),
        Err(message) => Err(Problem { place: origin, key: key.full(), message, nearest: None }),
    };
    if let Some((_, text)) = given.flags.iter().rev().find(|(name, _)| *name == key.name) {
        return said(text, Origin::Flag(key.flag));
    }
    for variable in key.variables {
        // A variable that is set to nothing is as good as one that is not set.
        if let Some(text) = var(variable).filter(|text| !text.is_empty()) {
            return said(&text, Origin::Variable(variable));
        }
    }
    let in_file = layers.iter().find_map(|layer| layer.values.get(&key.name));
    Ok(in_file.cloned().unwrap_or_else(|| Setting { value: key.default_value(var), origin: Origin::Default }))
}

impl Config {
    /// One setting.
    pub fn setting(&self, name: Name) -> Option<&Setting> {
        self.settings.get(&name)
    }

    fn value(&self, name: Name) -> Option<&Value> {
        self.setting(name)?.value.as_ref()
    }

    /// A folder; none if it was not said and has no default.
    pub fn path(&self, name: Name) -> Option<&Path> {
        self.value(name).and_then(Value::as_path)
    }

    /// A word or a text; empty if it was not said and has no default.
    pub fn text(&self, name: Name) -> &str {
        self.value(name).and_then(Value::as_text).unwrap_or_default()
    }

    /// Yes or no.
    pub fn is_on(&self, name: Name) -> bool {
        self.value(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// An address and port.
    pub fn address(&self, name: Name) -> Option<SocketAddr> {
        self.value(name).and_then(Value::as_address)
    }

    /// Keys and styles of the dashboard, as they were said.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// What the keys of the dashboard mean.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The theme of the dashboard.
    pub fn theme(&self) -> &Theme {
        &self.theme
    }
}

#[cfg(test)]
mod tests;
