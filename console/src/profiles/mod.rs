//! The profiles that this console knows: the built-in ones, and the operator's own files beside the configuration.
//!
//! `text` reads one text, `inherit` makes one profile of a text and of those that it inherits, `keys` says what may be
//! written. Knows nothing of jobs. A file of the operator's hides a built-in profile of the same name, and may inherit
//! the one that it hides.

mod fault;
mod inherit;
mod keys;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vc_protocol::profile::NamedProfile;

use self::inherit::{Link, Merged};
use self::text::Source;
use crate::config::{config_home, nearest};

pub use self::fault::Fault;

/// What a job gets when nothing is said.
pub const DEFAULT: &str = "h264-1080p";

/// Largest profile file that is read, in bytes; a real one is under one KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const BUILT_IN: [(&str, &str); 9] = [
    ("audio-only", include_str!("../../../assets/profiles/audio-only.toml")),
    ("av1-archive", include_str!("../../../assets/profiles/av1-archive.toml")),
    ("ffv1-archive", include_str!("../../../assets/profiles/ffv1-archive.toml")),
    ("h264-1080p", include_str!("../../../assets/profiles/h264-1080p.toml")),
    ("h264-web", include_str!("../../../assets/profiles/h264-web.toml")),
    ("hevc-quality", include_str!("../../../assets/profiles/hevc-quality.toml")),
    ("hevc-save", include_str!("../../../assets/profiles/hevc-save.toml")),
    ("prores-proxy", include_str!("../../../assets/profiles/prores-proxy.toml")),
    ("remux", include_str!("../../../assets/profiles/remux.toml")),
];

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// No profile has that name.
    #[error("no profile is called \"{name}\"{meant}; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The one that is most like it, as a question; may be empty.
        meant: String,
        /// Those that exist.
        known: String,
    },
    /// A profile file cannot be read.
    #[error("read profile {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its text makes no profile; each fault has its place.
    #[error("{}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

/// A profile as people look at it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What it says about itself, or that it is unusable and why.
    pub description: String,
    /// The file that it is in, or what it is instead.
    pub origin: String,
    /// The profiles that it inherits from, the nearest first.
    pub inherits: Vec<String>,
    /// As TOML that inherits nothing.
    pub toml: String,
}

/// The text of every known profile by name: the one that counts, then that which it hides.
#[derive(Debug, Clone)]
pub struct Profiles {
    texts: BTreeMap<String, Vec<Source>>,
}

impl Profiles {
    /// The built-in ones and the `*.toml` of this folder, if it exists.
    pub fn load(folder: Option<&Path>) -> Result<Profiles, ProfilesError> {
        let built_in = |(name, text): (&str, &str)| {
            let origin = format!("built-in {name}");
            (name.to_owned(), vec![Source { origin, is_built_in: true, text: text.to_owned() }])
        };
        let mut profiles = Profiles { texts: BUILT_IN.into_iter().map(built_in).collect() };
        for path in folder.map(toml_files).transpose()?.unwrap_or_default() {
            profiles.take_file(&path)?;
        }
        Ok(profiles)
    }

    /// Those that a server told of: names, descriptions and texts.
    pub fn told(list: Vec<(String, String, String)>) -> Profiles {
        let source = |text| vec![Source { origin: "the server".to_owned(), is_built_in: false, text }];
        Profiles { texts: list.into_iter().map(|(name, _, text)| (name, source(text))).collect() }
    }

    /// Takes in a file, wherever it is, as the one that counts of its name; gives that back.
    pub fn take_file(&mut self, path: &Path) -> Result<String, ProfilesError> {
        let read = |source| ProfilesError::Read { path: path.to_owned(), source };
        let text = read_bounded(path).map_err(read)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source { origin: path.display().to_string(), is_built_in: false, text };
        let known = self.texts.entry(name.clone()).or_default();
        // Of the operator's own there is one of a name.
        known.retain(|known| known.is_built_in);
        known.insert(0, source);
        Ok(name)
    }

    /// The profile of that name, made of all that it inherits, and checked.
    pub fn get(&self, name: &str) -> Result<NamedProfile, ProfilesError> {
        let profile = self.merged(name)?.profile().map_err(ProfilesError::Faults)?;
        Ok(NamedProfile { name: name.to_owned(), profile })
    }

    /// Each of them, for people.
    pub fn all(&self) -> Vec<Shown> {
        self.texts.iter().filter_map(|(name, sources)| Some(self.shown(name, sources.first()?))).collect()
    }

    /// Name, description (or what is wrong) and text of each.
    pub fn list(&self) -> Vec<(String, String, String)> {
        self.all().into_iter().map(|shown| (shown.name, shown.description, shown.toml)).collect()
    }

    fn shown(&self, name: &str, source: &Source) -> Shown {
        let unusable = |error: ProfilesError| {
            let text = error.to_string();
            format!("unusable: {}", text.lines().next().unwrap_or_default())
        };
        let mut shown = Shown {
            name: name.to_owned(),
            description: String::new(),
            origin: source.origin.clone(),
            inherits: Vec::new(),
            toml: source.text.clone(),
        };
        match self.merged(name) {
            Ok(merged) => {
                shown.inherits = merged.parents();
                if !shown.inherits.is_empty() {
                    shown.toml = merged.flat();
                }
                shown.description = match merged.profile() {
                    Ok(profile) => profile.description,
                    Err(faults) => unusable(ProfilesError::Faults(faults)),
                };
            }
            Err(error) => shown.description = unusable(error),
        }
        shown
    }

    /// The profile's text with those that it inherits.
    fn merged(&self, name: &str) -> Result<Merged<'_>, ProfilesError> {
        let Some((name, sources)) = self.texts.get_key_value(name) else {
            return Err(ProfilesError::Unknown {
                name: name.to_owned(),
                meant: nearest(name, &self.names())
                    .map(|near| format!(" (did you mean {near}?)"))
                    .unwrap_or_default(),
                known: self.names().join(", "),
            });
        };
        let mut chain: Vec<Link<'_>> = Vec::new();
        let mut next = sources.first().map(|source| (name.as_str(), 0, source));
        // Where each link stands among the texts of its name: the same one again is a circle.
        let mut been = Vec::new();
        while let Some((name, level, source)) = next.take() {
            let document = text::read(source).map_err(ProfilesError::Faults)?;
            been.push((name, level));
            let inherits = document.inherits.clone();
            chain.push(Link { name, source, document });
            if let Some((parent, at)) = inherits {
                let step = self.parent(&been, &parent);
                let wrong = |(what, remedy): (String, String)| {
                    ProfilesError::Faults(vec![source.fault(at, keys::INHERITS, &what, &remedy)])
                };
                next = Some(step.map_err(wrong)?);
            }
        }
        Ok(Merged::of(chain))
    }

    /// The text that the last link of a chain inherits; or what is wrong with that, and what to do.
    fn parent(
        &self,
        been: &[(&str, usize)],
        parent: &str,
    ) -> Result<(&str, usize, &Source), (String, String)> {
        let shown = parent.escape_debug();
        let Some((parent, sources)) = self.texts.get_key_value(parent) else {
            let what = format!("names \"{shown}\", and there is no such profile");
            let near = nearest(parent, &self.names());
            let list = || format!("name one of {}", self.names().join(", "));
            return Err((what, near.map_or_else(list, |near| format!("did you mean {near}?"))));
        };
        let level = match been.last() {
            Some((name, level)) if name == parent => level + 1,
            Some(_) | None => 0,
        };
        let Some(source) = sources.get(level) else {
            let what = format!("names \"{shown}\" in itself, and no built-in profile has that name");
            return Err((what, "name another profile, or leave it out".to_owned()));
        };
        if been.contains(&(parent.as_str(), level)) {
            let chain: Vec<&str> = been.iter().map(|(name, _)| *name).chain([parent.as_str()]).collect();
            let what = format!("goes round in a circle, {}", chain.join(" -> "));
            return Err((what, "let one of them inherit nothing, or a built-in profile".to_owned()));
        }
        Ok((parent, level, source))
    }

    fn names(&self) -> Vec<String> {
        self.texts.keys().cloned().collect()
    }
}

/// Where the operator's own profiles are: beside the configuration.
pub fn user_folder() -> Option<PathBuf> {
    config_home(&|name| std::env::var_os(name)).map(|home| home.join("vc/profiles"))
}

fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, ProfilesError> {
    let read = |source| ProfilesError::Read { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(read)?.path();
        // Editors keep their own files beside the one that is edited, with a dot in front.
        let is_profile = |stem: &str| !stem.starts_with('.');
        if path.extension().is_some_and(|e| e == "toml")
            && path.file_stem().is_some_and(|s| s.to_str().is_some_and(is_profile))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let bytes = std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > FILE_BYTES_MAX {
        let large = format!("is larger than {} KiB: is it the right file?", FILE_BYTES_MAX / 1024);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, large));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
