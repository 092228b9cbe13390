//! The profiles that this console knows: the built-in ones, and the operator's own files beside the configuration.
//!
//! Knows nothing of jobs. A file of the operator's hides a built-in profile of the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vc_protocol::profile::{NamedProfile, Profile, ProfileError};

use crate::config::config_home;

/// What a job gets when nothing is said.
pub const DEFAULT: &str = "h264-1080p";

/// Largest profile file that is read, in bytes; a real one is under one KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const BUILT_IN: [(&str, &str); 4] = [
    ("av1-archive", include_str!("../../assets/profiles/av1-archive.toml")),
    ("h264-1080p", include_str!("../../assets/profiles/h264-1080p.toml")),
    ("hevc-quality", include_str!("../../assets/profiles/hevc-quality.toml")),
    ("remux", include_str!("../../assets/profiles/remux.toml")),
];

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// No profile has that name.
    #[error("no profile is called \"{name}\"; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
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
    /// A profile file is not such TOML; the text has line and column.
    #[error("profile {origin}:\n{source}")]
    Parse {
        /// The file, or `built in`.
        origin: String,
        /// Why.
        source: toml::de::Error,
    },
    /// It is TOML, but makes no sense.
    #[error("profile {origin}: {source}")]
    Check {
        /// The file, or `built in`.
        origin: String,
        /// Why.
        source: ProfileError,
    },
}

/// The text of every known profile by name, with where it came from.
#[derive(Debug, Clone)]
pub struct Profiles {
    texts: BTreeMap<String, (String, String)>,
}

impl Profiles {
    /// The built-in ones and the `*.toml` of this folder, if it exists.
    pub fn load(folder: Option<&Path>) -> Result<Profiles, ProfilesError> {
        let mut texts: BTreeMap<_, _> = BUILT_IN
            .into_iter()
            .map(|(name, text)| (name.to_owned(), ("built in".to_owned(), text.to_owned())))
            .collect();
        for path in folder.map(toml_files).transpose()?.unwrap_or_default() {
            let Some(name) = path.file_stem().and_then(|s| s.to_str()) else { continue };
            let text =
                read_bounded(&path).map_err(|source| ProfilesError::Read { path: path.clone(), source })?;
            texts.insert(name.to_owned(), (path.display().to_string(), text));
        }
        Ok(Profiles { texts })
    }

    /// Those that a server told of: names, descriptions and texts.
    pub fn told(list: Vec<(String, String, String)>) -> Profiles {
        let texts = list.into_iter().map(|(name, _, text)| (name, ("the server".to_owned(), text)));
        Profiles { texts: texts.collect() }
    }

    /// The profile of that name, parsed and checked.
    pub fn get(&self, name: &str) -> Result<NamedProfile, ProfilesError> {
        let Some((origin, text)) = self.texts.get(name) else {
            let known = self.texts.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(ProfilesError::Unknown { name: name.to_owned(), known });
        };
        let profile: Profile =
            toml::from_str(text).map_err(|source| ProfilesError::Parse { origin: origin.clone(), source })?;
        profile.check().map_err(|source| ProfilesError::Check { origin: origin.clone(), source })?;
        Ok(NamedProfile { name: name.to_owned(), profile })
    }

    /// Name, description (or what is wrong) and text of each.
    pub fn list(&self) -> Vec<(String, String, String)> {
        let row = |(name, (_, text)): (&String, &(String, String))| {
            let description = match self.get(name) {
                Ok(named) => named.profile.description,
                Err(error) => format!("unusable: {error}"),
            };
            (name.clone(), description, text.clone())
        };
        self.texts.iter().map(row).collect()
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
        if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_parses_and_makes_sense() {
        let profiles = Profiles::load(None).unwrap();
        for (name, _) in BUILT_IN {
            profiles.get(name).unwrap();
        }
        assert!(BUILT_IN.iter().any(|(name, _)| *name == DEFAULT));
    }

    #[test]
    fn a_file_hides_the_built_in_and_its_errors_name_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("remux.toml"), "description = 1").unwrap();
        let profiles = Profiles::load(Some(dir.path())).unwrap();
        let text = profiles.get("remux").unwrap_err().to_string();
        assert!(text.contains("remux.toml") && text.contains("line 1"), "{text}");
        let text = profiles.get("nope").unwrap_err().to_string();
        assert!(text.contains("h264-1080p"), "{text}");
    }
}
