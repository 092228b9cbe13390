//! Reads a file of settings: which keys it sets on which lines, and what is wrong with it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::discover::Candidate;
use super::error::Problem;
use super::keys::{KEYS, Key, Kind, Name, Value};
use super::tables::Binding;
use super::{Origin, Setting};

/// Largest file that is read, in bytes: the documented one with every key is under 10 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How alike two names must be for the one to be meant by the other, between 0 and 1.
const ALIKE_MIN: f64 = 0.8;

/// What a file sets.
#[derive(Debug, Clone, Default)]
pub struct Assigned {
    /// Settings of the table.
    pub values: BTreeMap<Name, Setting>,
    /// Keys of actions, in `[keys]`.
    pub keys: Vec<Binding>,
    /// Styles of roles, in `[theme]`.
    pub theme: Vec<Binding>,
}

/// A file that was read.
pub(super) struct ReadFile {
    pub(super) assigned: Assigned,
    pub(super) problems: Vec<Problem>,
}

/// Reads it; none if it is not there and need not be.
pub(super) fn read(candidate: &Candidate) -> Result<Option<ReadFile>, Problem> {
    let mut text = String::new();
    let opened = std::fs::File::open(&candidate.path);
    let read = opened.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let whole = |message: String| Problem {
        place: Origin::File(candidate.path.clone(), 1),
        key: String::new(),
        message,
        nearest: None,
    };
    match read {
        Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => {
            Err(whole(format!("is larger than {} KiB: is it the right file?", FILE_BYTES_MAX / 1024)))
        }
        Ok(_) => Ok(Some(parse(&candidate.path, &text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !candidate.must_exist => Ok(None),
        Err(error) => Err(whole(format!("cannot be read: {error}"))),
    }
}

/// What a text says that is in the file of that path.
pub(super) fn parse(path: &Path, text: &str) -> ReadFile {
    let mut reader =
        Reader { path: path.to_owned(), text, assigned: Assigned::default(), problems: Vec::new() };
    match DeTable::parse(text) {
        Ok(document) => reader.document(document.get_ref()),
        Err(error) => {
            let at = error.span().unwrap_or_default();
            reader.problem(&at, "", format!("is not TOML: {}", error.message()), None);
        }
    }
    ReadFile { assigned: reader.assigned, problems: reader.problems }
}

struct Reader<'t> {
    path: PathBuf,
    text: &'t str,
    assigned: Assigned,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn origin(&self, at: &Range<usize>) -> Origin {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        Origin::File(self.path.clone(), before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }

    fn problem(&mut self, at: &Range<usize>, key: &str, message: String, nearest: Option<String>) {
        let place = self.origin(at);
        self.problems.push(Problem { place, key: key.to_owned(), message, nearest });
    }

    fn unknown(&mut self, at: &Range<usize>, key: &str, known: &[String]) {
        let nearest = nearest(key, known);
        self.problem(at, key, "is not known".to_owned(), nearest);
    }

    fn document(&mut self, document: &DeTable<'_>) {
        for (section, value) in document {
            let (name, at) = (section.get_ref().as_ref(), section.span());
            let is_known = ["keys", "theme"].contains(&name) || KEYS.iter().any(|key| key.section == name);
            match value.get_ref().as_table() {
                Some(table) if is_known => self.section(name, table),
                Some(_) => self.unknown(&at, name, &sections()),
                None if is_known => {
                    self.problem(&at, name, format!("is a table: write [{name}] on a line of its own"), None);
                }
                None => self.unknown(&at, name, &full_names()),
            }
        }
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), key.span());
            if section == "keys" || section == "theme" {
                self.binding(section, name, &at, value);
                continue;
            }
            let full = format!("{section}.{name}");
            match KEYS.iter().find(|key| key.section == section && key.key == name) {
                Some(key) => self.value(key, &at, value),
                None => self.unknown(&at, &full, &full_names()),
            }
        }
    }

    fn value(&mut self, key: &Key, at: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        match value_of(key.kind, value.get_ref()) {
            Ok(value) => {
                let setting = Setting { value: Some(value), origin: self.origin(at) };
                self.assigned.values.insert(key.name, setting);
            }
            Err(message) => self.problem(at, &key.full(), message, None),
        }
    }

    /// An action with its key or keys, or a role with its style.
    fn binding(&mut self, section: &str, name: &str, at: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        let list = value.get_ref().as_array().filter(|_| section == "keys");
        let texts: Option<Vec<String>> = match (value.get_ref().as_str(), list) {
            (Some(text), _) => Some(vec![text.to_owned()]),
            (None, Some(list)) => {
                list.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
            }
            (None, None) => None,
        };
        let full = format!("{section}.{name}");
        let Some(texts) = texts else {
            let wanted = if section == "keys" { "a key or a list of keys" } else { "a style" };
            let found = found(value.get_ref());
            return self.problem(at, &full, format!("wants {wanted} in quotes, not {found}"), None);
        };
        let binding = Binding { name: name.to_owned(), texts, origin: self.origin(at) };
        if section == "keys" { self.assigned.keys.push(binding) } else { self.assigned.theme.push(binding) }
    }
}

fn value_of(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    match (kind, value) {
        (Kind::Bool, DeValue::Boolean(on)) => Ok(Value::Bool(*on)),
        (Kind::Path, DeValue::String(text)) => path_of(text),
        (Kind::Address | Kind::Word(_) | Kind::Text, DeValue::String(text)) => {
            kind.parse(OsStr::new(text.as_ref()))
        }
        _ => Err(format!("wants {}, not {}", kind.wanted(), found(value))),
    }
}

/// What stands there, in words.
fn found(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    format!("{} {kind}", if kind.starts_with(['a', 'i']) { "an" } else { "a" })
}

/// A path of a file. It has no working folder, so a relative one would mean another folder at each call.
fn path_of(text: &str) -> Result<Value, String> {
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let path = match text.strip_prefix("~/").or((text == "~").then_some("")) {
        Some(rest) => {
            home().map(|home| home.join(rest)).ok_or("begins with ~, and no home folder is known")?
        }
        None => PathBuf::from(text),
    };
    if path.is_absolute() {
        Ok(Value::Path(path))
    } else {
        Err(format!("wants a path that begins with / or ~/, not \"{}\"", text.escape_debug()))
    }
}

fn full_names() -> Vec<String> {
    KEYS.iter().map(Key::full).collect()
}

fn sections() -> Vec<String> {
    KEYS.iter().map(|key| key.section).chain(["keys", "theme"]).map(str::to_owned).collect()
}

/// The known name that is most like it by its last part: the table may be missing or wrong.
pub(crate) fn nearest(name: &str, known: &[String]) -> Option<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let scored = known.iter().map(|known| (strsim::jaro_winkler(&last(name), &last(known)), known));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score >= ALIKE_MIN).map(|(_, name)| name.clone())
}
