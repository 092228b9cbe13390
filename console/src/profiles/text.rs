//! The text of one profile: which keys it sets, where each stands, and what in it is no profile at all.
//!
//! Knows nothing of other profiles: `inherits` is only read here.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;
use super::keys::{INHERITS, Key, PASS, TABLES};
use crate::config::nearest;

/// A profile's text, with where it came from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The file, or what it is instead of one.
    pub(super) origin: String,
    pub(super) is_built_in: bool,
    pub(super) text: String,
}

impl Source {
    /// Something is wrong at that place of the text.
    pub(super) fn fault(&self, at: usize, key: &str, what: &str, remedy: &str) -> Fault {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
        Fault {
            origin: self.origin.clone(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            key: key.to_owned(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// A value as it is written, with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) text: String,
    pub(super) at: Range<usize>,
}

/// What a text says.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    pub(super) leaves: BTreeMap<Key, Leaf>,
    /// The profile that it begins with, and where that is said.
    pub(super) inherits: Option<(String, usize)>,
}

/// Reads it, or tells everything that is wrong.
pub(super) fn read(source: &Source) -> Result<Document, Vec<Fault>> {
    let mut reader = Reader { source, document: Document::default(), faults: Vec::new() };
    match DeTable::parse(&source.text) {
        Ok(document) => reader.top(document.get_ref()),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let what = format!("is not TOML: {}", error.message());
            reader.fault(at, "", &what, "write it as the built-in profiles are written");
        }
    }
    if reader.faults.is_empty() { Ok(reader.document) } else { Err(reader.faults) }
}

struct Reader<'s> {
    source: &'s Source,
    document: Document,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, at: usize, key: &str, what: &str, remedy: &str) {
        self.faults.push(self.source.fault(at, key, what, remedy));
    }

    fn top(&mut self, document: &DeTable<'_>) {
        for (key, value) in document {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            if name == INHERITS {
                match value.get_ref().as_str() {
                    Some(parent) => self.document.inherits = Some((parent.to_owned(), value.span().start)),
                    None => self.fault(at, name, "is no text", "write the name of a profile in quotes"),
                }
            } else if name == PASS {
                self.passes(at, value);
            } else if TABLES.iter().any(|table| !table.name.is_empty() && table.name == name) {
                match value.get_ref().as_table() {
                    Some(table) => self.table(name, 0, at, table),
                    None => {
                        self.fault(at, name, "is a table", &format!("write [{name}] on a line of its own"))
                    }
                }
            } else {
                self.leaf("", 0, key.span(), name, value);
            }
        }
    }

    fn passes(&mut self, at: usize, value: &Spanned<DeValue<'_>>) {
        let tables: Option<Vec<_>> = value.get_ref().as_array().and_then(|list| {
            list.iter().map(|run| Some((run.span().start, run.get_ref().as_table()?))).collect()
        });
        let Some(tables) = tables else {
            return self.fault(at, PASS, "is a list of runs", "write [[pass]] on a line of its own for each");
        };
        for (n, (at, table)) in tables.into_iter().enumerate() {
            self.table(PASS, n + 1, at, table);
        }
    }

    fn table(&mut self, name: &str, pass: usize, at: usize, table: &DeTable<'_>) {
        for (key, value) in table {
            self.leaf(name, pass, key.span(), key.get_ref().as_ref(), value);
        }
        // These two are not made up from several profiles, so that what they must have is here.
        let needed = match name {
            PASS => Key::find(name, pass, "output"),
            "guard" => Key::find(name, pass, "min_saving_percent"),
            _ => None,
        };
        if let Some(key) = needed.filter(|key| !self.document.leaves.contains_key(key)) {
            let remedy = format!("give {}", key.takes());
            self.fault(at, &key.to_string(), "is missing", &remedy);
        }
    }

    fn leaf(&mut self, table: &str, pass: usize, at: Range<usize>, name: &str, value: &Spanned<DeValue<'_>>) {
        let Some(key) = Key::find(table, pass, name) else {
            return self.unknown(table, at.start, name);
        };
        if value.get_ref().is_table() {
            return self.fault(at.start, &key.to_string(), "is a table", &format!("give {}", key.takes()));
        }
        let Some(text) = self.source.text.get(value.span()) else { return };
        let leaf = Leaf { text: text.to_owned(), at: value.span() };
        self.document.leaves.insert(key, leaf);
    }

    /// Looks for the nearest one in the same table first.
    fn unknown(&mut self, table: &str, at: usize, name: &str) {
        let full =
            |table: &str, key: &str| if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
        let keys_of = |wanted: Option<&str>| -> Vec<String> {
            let tables = TABLES.iter().filter(|known| wanted.is_none_or(|name| name == known.name));
            let keys = tables.flat_map(|known| known.keys.iter().map(|(key, _)| full(known.name, key)));
            keys.collect()
        };
        let mut others = keys_of(None);
        others
            .extend(TABLES.iter().filter(|known| !known.name.is_empty()).map(|known| known.name.to_owned()));
        others.push(INHERITS.to_owned());
        let near = nearest(name, &keys_of(Some(table))).or_else(|| nearest(name, &others));
        let remedy = near.map_or_else(
            || "leave it out; `vc-console profiles show hevc-save` shows what there is".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        self.fault(at, &full(table, name), "is not known", &remedy);
    }
}
