//! Where settings and state are by convention, and the files that may hold settings, best first.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Settings of everybody on this machine.
const SYSTEM: &str = "/etc/vc/console.toml";

/// A file that may hold settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its path.
    pub path: PathBuf,
    /// Somebody named it, so it must be there.
    pub must_exist: bool,
}

/// The files that count, best first.
pub fn files(named: Option<&Path>, var: &dyn Fn(&str) -> Option<OsString>) -> Vec<Candidate> {
    let named = named.map(Path::to_owned).or_else(|| path_of(var, "VC_CONFIG"));
    let user = config_home(var).map(|home| home.join("vc/console.toml"));
    let usual = |path| Candidate { path, must_exist: false };
    named
        .map(|path| Candidate { path, must_exist: true })
        .into_iter()
        .chain(user.map(usual))
        .chain([usual(PathBuf::from(SYSTEM))])
        .collect()
}

/// Where this user's settings are: `$XDG_CONFIG_HOME`, or `~/.config`.
pub fn config_home(var: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    path_of(var, "XDG_CONFIG_HOME").or_else(|| Some(path_of(var, "HOME")?.join(".config")))
}

/// Where programs of this user keep their state: `$XDG_STATE_HOME`, or `~/.local/state`.
pub(super) fn state_home(var: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    path_of(var, "XDG_STATE_HOME").or_else(|| Some(path_of(var, "HOME")?.join(".local/state")))
}

fn path_of(var: &dyn Fn(&str) -> Option<OsString>, name: &str) -> Option<PathBuf> {
    var(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
