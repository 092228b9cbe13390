//! What is wrong with a profile, and where it is said.

use std::fmt;

/// One thing that is wrong in a profile's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, or what it is instead of one.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Letter of the line, from 1.
    pub column: usize,
    /// The key at fault with its table; empty if it is about the text.
    pub key: String,
    /// What is wrong with it; fits after the key.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// Without the place.
    pub fn problem(&self) -> String {
        let Fault { key, what, remedy, .. } = self;
        let blank = if key.is_empty() { "" } else { " " };
        format!("{key}{blank}{what}: {remedy}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.origin, self.line, self.column, self.problem())
    }
}
