//! The table of settings: name, kind, default, flag, variables and the words that document each.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::discover::state_home;
use crate::profiles;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is documented in the table, for people")]
pub enum Name {
    StateDir,
    Connect,
    Listen,
    Log,
    Color,
    Ascii,
    Accessible,
    Mouse,
    Theme,
    ReadOnly,
    Profile,
    Out,
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A path; in files absolute or below `~`, since a file has no working folder.
    Path,
    /// Address and port.
    Address,
    /// true or false.
    Bool,
    /// One of these.
    Word(&'static [&'static str]),
    /// Anything.
    Text,
}

/// What holds when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This, as it would be written.
    Is(&'static str),
    /// `vc-console` in the folder where programs keep their state.
    StateHome,
    /// Nothing: it must be said where it is needed, for example so.
    Nothing(&'static str),
}

/// A row of the table.
#[derive(Debug)]
pub struct Key {
    /// Which setting.
    pub name: Name,
    /// Its table in the file.
    pub section: &'static str,
    /// Its name there.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is by itself.
    pub default: Fallback,
    /// Its flag.
    pub flag: &'static str,
    /// Its variables, the first that is set wins.
    pub variables: &'static [&'static str],
    /// What it is for.
    pub doc: &'static str,
}

/// Tables of the file, with what they are about.
pub const SECTIONS: [(&str, &str); 4] = [
    ("server", "The server: `vc-console serve`, and what plain `vc-console` starts in the background."),
    ("remote", "A server on another box, whose farm `vc-console join` made you an operator or viewer of."),
    ("dashboard", "How the dashboard looks and what it allows."),
    ("add", "What `vc-console add` takes when nothing else is said."),
];

/// Themes of the dashboard.
pub const THEMES: [&str; 6] = ["terminal", "dark", "light", "contrast", "mono", "auto"];

/// Every setting.
pub const KEYS: [Key; 12] = [
    Key {
        name: Name::StateDir,
        section: "server",
        key: "state_dir",
        kind: Kind::Path,
        default: Fallback::StateHome,
        flag: "--state-dir",
        variables: &["VC_STATE_DIR"],
        doc: "Folder of the job table, the farm's keys and the socket. Lose it and every agent must join again.",
    },
    Key {
        name: Name::Listen,
        section: "server",
        key: "listen",
        kind: Kind::Address,
        default: Fallback::Is("0.0.0.0:4433"),
        flag: "--listen",
        variables: &["VC_LISTEN"],
        doc: "Address and UDP port that agents dial. Port 0 takes a free one, which changes at each start.",
    },
    Key {
        name: Name::Log,
        section: "server",
        key: "log",
        kind: Kind::Text,
        default: Fallback::Is("info"),
        flag: "--log",
        variables: &["VC_LOG"],
        doc: "How much is logged: error, warn, info, debug, trace, or a filter such as info,vc_console=debug.",
    },
    Key {
        name: Name::Connect,
        section: "remote",
        key: "connect",
        kind: Kind::Text,
        default: Fallback::Nothing("console.example"),
        flag: "--connect",
        variables: &["VC_CONNECT"],
        doc: "Commands and the dashboard are for the server at this HOST or HOST:PORT. - is the one farm that you joined.",
    },
    Key {
        name: Name::Color,
        section: "dashboard",
        key: "color",
        kind: Kind::Word(&["auto", "always", "never"]),
        default: Fallback::Is("auto"),
        flag: "--color",
        variables: &["VC_COLOR"],
        doc: "Colours: auto has none where NO_COLOR is set or the terminal is dumb.",
    },
    Key {
        name: Name::Ascii,
        section: "dashboard",
        key: "ascii",
        kind: Kind::Bool,
        default: Fallback::Is("false"),
        flag: "--ascii",
        variables: &["VC_ASCII"],
        doc: "Draw with ASCII only. Otherwise the locale and the terminal decide.",
    },
    Key {
        name: Name::Accessible,
        section: "dashboard",
        key: "accessible",
        kind: Kind::Bool,
        default: Fallback::Is("false"),
        flag: "--accessible",
        variables: &["VC_ACCESSIBLE", "ACCESSIBLE"],
        doc: "For screen readers: plain lines, no boxes, nothing redrawn, numbered choices.",
    },
    Key {
        name: Name::Mouse,
        section: "dashboard",
        key: "mouse",
        kind: Kind::Word(&["auto", "on", "off"]),
        default: Fallback::Is("auto"),
        flag: "--mouse",
        variables: &["VC_MOUSE"],
        doc: "Whether the mouse is taken at the start: auto is off over SSH and on elsewhere. `m` changes it live.",
    },
    Key {
        name: Name::Theme,
        section: "dashboard",
        key: "theme",
        kind: Kind::Word(&THEMES),
        default: Fallback::Is("terminal"),
        flag: "--theme",
        variables: &["VC_THEME"],
        doc: "Colours by name: terminal uses what the terminal has, auto is dark or light as its background is. Single roles are set in [theme].",
    },
    Key {
        name: Name::ReadOnly,
        section: "dashboard",
        key: "read_only",
        kind: Kind::Bool,
        default: Fallback::Is("false"),
        flag: "--read-only",
        variables: &["VC_READ_ONLY"],
        doc: "Only look: every action is hidden.",
    },
    Key {
        name: Name::Profile,
        section: "add",
        key: "profile",
        kind: Kind::Text,
        default: Fallback::Is(profiles::DEFAULT),
        flag: "--profile",
        variables: &["VC_PROFILE"],
        doc: "The recipe: `vc-console profiles ls` lists them.",
    },
    Key {
        name: Name::Out,
        section: "add",
        key: "out",
        kind: Kind::Path,
        default: Fallback::Nothing("/srv/converted"),
        flag: "--out",
        variables: &["VC_OUT"],
        doc: "Folder for the outputs; the tree below each source is kept.",
    },
];

/// What a setting is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A path.
    Path(PathBuf),
    /// Address and port.
    Address(SocketAddr),
    /// true or false.
    Bool(bool),
    /// A word or a text.
    Text(String),
}

impl Value {
    pub(super) fn as_path(&self) -> Option<&Path> {
        if let Self::Path(path) = self { Some(path) } else { None }
    }

    pub(super) fn as_address(&self) -> Option<SocketAddr> {
        if let Self::Address(address) = self { Some(*address) } else { None }
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(on) = self { Some(*on) } else { None }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// As it would stand in the file.
    pub fn toml(&self) -> toml::Value {
        match self {
            Self::Path(path) => path.display().to_string().into(),
            Self::Address(address) => address.to_string().into(),
            Self::Bool(on) => (*on).into(),
            Self::Text(text) => text.clone().into(),
        }
    }
}

impl Kind {
    /// The value that a text means. The error fits after "key: ".
    pub fn parse(self, text: &OsStr) -> Result<Value, String> {
        if self == Self::Path {
            return Ok(Value::Path(PathBuf::from(text)));
        }
        let shown = text.to_string_lossy();
        let wants = |what: &str| format!("wants {what}, not \"{}\"", shown.escape_debug());
        let Some(text) = text.to_str() else { return Err(wants("text in UTF-8")) };
        match self {
            Self::Path | Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Address => match text.parse() {
                Ok(address) => Ok(Value::Address(address)),
                Err(_) => Err(wants("an address and port such as 0.0.0.0:4433 or [::]:4433")),
            },
            Self::Bool => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::Bool(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Bool(false)),
                _ => Err(wants(self.wanted().as_str())),
            },
            Self::Word(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Word(_) => Err(wants(self.wanted().as_str())),
        }
    }

    /// What it takes, in words.
    pub fn wanted(self) -> String {
        match self {
            Self::Path => "a path".to_owned(),
            Self::Address => "an address and port".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text => "a text".to_owned(),
        }
    }
}

impl Key {
    /// `section.key`.
    pub fn full(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// What it is when nothing is said.
    pub(super) fn default_value(&self, var: &dyn Fn(&str) -> Option<OsString>) -> Option<Value> {
        match self.default {
            Fallback::Is(text) => self.kind.parse(OsStr::new(text)).ok(),
            Fallback::StateHome => state_home(var).map(|dir| Value::Path(dir.join("vc-console"))),
            Fallback::Nothing(_) => None,
        }
    }
}
