//! The ffmpeg and ffprobe of this box: where they are, what they can do, and what their error lines mean.
//!
//! Knows nothing of jobs and plans. Starts nothing but `-version`, `-encoders`, `-filters` and `-decoders`, once
//! each.

mod failure;
mod log;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::process::quick;

pub(crate) use failure::{NO_SESSION, is_busy};
pub use failure::{classify, first_error};
pub use log::{LogLine, damage, errors, lines};

/// Oldest ffmpeg that works: `-fps_mode` came with it.
const OLDEST: (u32, u32) = (5, 1);
/// Version given to a build from git, which carries a date or a hash instead: they are newer than any release.
const FROM_GIT: (u32, u32) = (99, 0);

/// Why this box cannot convert.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// Not installed, or not where it was said to be.
    #[error("{name} was not found {place}; assets/setup.sh installs it")]
    Missing {
        /// `ffmpeg` or `ffprobe`.
        name: &'static str,
        /// Where it was looked for.
        place: String,
    },
    /// It is there and does not run.
    #[error("{path} does not run; assets/setup.sh installs one that does")]
    Broken {
        /// Where it is.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Not ffmpeg, or one that says no version.
    #[error("{path} does not say which version of ffmpeg it is")]
    NoVersion {
        /// Where it is.
        path: String,
    },
    /// Too old.
    #[error("{name} {version} at {path} is too old: 5.1 or newer is needed; assets/setup.sh installs one")]
    TooOld {
        /// `ffmpeg` or `ffprobe`.
        name: &'static str,
        /// Which version it is.
        version: String,
        /// Where it is.
        path: String,
    },
}

/// What this box converts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// Absolute path of ffmpeg.
    pub ffmpeg: PathBuf,
    /// Absolute path of ffprobe.
    pub ffprobe: PathBuf,
    /// First line of `ffmpeg -version`.
    pub version_line: String,
    /// First line of `ffprobe -version`.
    pub probe_version_line: String,
    /// Major version of ffmpeg; 99 for builds from git.
    pub major: u32,
    /// Names of the encoders that ffmpeg was built with. Listing is no proof that one works.
    pub encoders: BTreeSet<String>,
    /// Names of its filters.
    pub filters: BTreeSet<String>,
    /// Names of the decoders that ffprobe was built with.
    pub probe_decoders: BTreeSet<String>,
}

impl Tools {
    /// Finds both programs, on the `PATH` unless told where, and asks them what they are. Blocks for a moment.
    pub fn find(ffmpeg: Option<&Path>, ffprobe: Option<&Path>) -> Result<Tools, ToolsError> {
        let ffmpeg = locate("ffmpeg", ffmpeg)?;
        let ffprobe = locate("ffprobe", ffprobe)?;
        // All at once: a process start costs up to a tenth of a second, and somebody waits for the first job.
        let (asked, probed, encoders, filters, decoders) = std::thread::scope(|scope| {
            let probed = scope.spawn(|| version("ffprobe", &ffprobe));
            let encoders = scope.spawn(|| ask(&ffmpeg, &["-hide_banner", "-encoders"]));
            let filters = scope.spawn(|| ask(&ffmpeg, &["-hide_banner", "-filters"]));
            let decoders = scope.spawn(|| ask(&ffprobe, &["-hide_banner", "-decoders"]));
            (version("ffmpeg", &ffmpeg), joined(probed), joined(encoders), joined(filters), joined(decoders))
        });
        let (version_line, version) = asked?;
        let (probe_version_line, _) = probed?;
        let (encoders, probe_decoders) = (names(&encoders?), names(&decoders?));
        let (filters, major) = (filter_names(&filters?), version.0);
        Ok(Tools {
            ffmpeg,
            ffprobe,
            version_line,
            probe_version_line,
            major,
            encoders,
            filters,
            probe_decoders,
        })
    }

    /// Whether ffprobe itself can decode pictures of this codec. Its own `av1` decoder needs a GPU, so AV1 counts only
    /// with one of the software decoders.
    pub fn probe_decodes(&self, codec: &str) -> bool {
        let has = |name: &str| self.probe_decoders.contains(name);
        if codec == "av1" { ["libdav1d", "libaom-av1", "libgav1"].into_iter().any(has) } else { has(codec) }
    }
}

/// What a thread came to; its panic goes on here.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn locate(name: &'static str, given: Option<&Path>) -> Result<PathBuf, ToolsError> {
    let found = match given {
        Some(path) => which::which(path),
        None => which::which(name),
    };
    let place = || match given {
        Some(path) => format!("at {}", path.display()),
        None => "on the PATH".to_owned(),
    };
    let found = found.map_err(|_| ToolsError::Missing { name, place: place() })?;
    std::path::absolute(&found).map_err(|_| ToolsError::Missing { name, place: place() })
}

fn ask(program: &Path, args: &[&str]) -> Result<String, ToolsError> {
    let path = || program.display().to_string();
    let answer = quick(program, args).map_err(|source| ToolsError::Broken { path: path(), source })?;
    if answer.is_ok {
        Ok(answer.stdout)
    } else {
        Err(ToolsError::Broken {
            path: path(),
            source: io::Error::other(format!("`{}` failed", args.join(" "))),
        })
    }
}

fn version(name: &'static str, program: &Path) -> Result<(String, (u32, u32)), ToolsError> {
    let path = program.display().to_string();
    let answer = ask(program, &["-version"])?;
    let line = answer.lines().next().unwrap_or_default();
    let Some((word, version)) = parse_version(line) else { return Err(ToolsError::NoVersion { path }) };
    if version < OLDEST {
        return Err(ToolsError::TooOld { name, version: word.to_owned(), path });
    }
    Ok((line.to_owned(), version))
}

/// The version of `ffmpeg version 5.1.9-0+deb12u1 Copyright …`, as its word and as numbers.
fn parse_version(line: &str) -> Option<(&str, (u32, u32))> {
    let word = line.split_once(" version ")?.1.split_ascii_whitespace().next()?;
    let mut numbers = word.strip_prefix('n').unwrap_or(word).split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?;
    if major.is_empty() {
        return Some((word, FROM_GIT));
    }
    let minor = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Some((word, (major.parse().ok()?, minor)))
}

/// Second column of the table that `-encoders` and `-decoders` print below their legend.
fn names(listing: &str) -> BTreeSet<String> {
    let table = listing.lines().skip_while(|line| !line.trim_start().starts_with("---")).skip(1);
    table.filter_map(|line| line.split_ascii_whitespace().nth(1)).map(str::to_owned).collect()
}

/// Second column of what `-filters` prints, which has no line below its legend in ffmpeg 5; the third says what goes in
/// and out.
fn filter_names(listing: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (name, ways) = (words.nth(1)?, words.next()?);
        ways.contains("->").then(|| name.to_owned())
    };
    listing.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_every_build_writes_them() {
        for (line, expected) in [
            ("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026 the FFmpeg developers", (5, 1)),
            ("ffmpeg version n9.0.2-3-gabcdef Copyright (c) 2000-2026", (9, 0)),
            ("ffmpeg version 7.1 Copyright", (7, 1)),
            ("ffmpeg version N-118193-g5f38c82536 Copyright", FROM_GIT),
            ("ffmpeg version 2024-12-26-git-fe04b93afa-full_build Copyright", (2024, 12)),
            ("ffprobe version 4.1 Copyright", (4, 1)),
        ] {
            assert_eq!(parse_version(line).map(|(_, v)| v), Some(expected), "{line}");
        }
        assert_eq!(parse_version("bash: ffmpeg: no"), None);
    }

    #[test]
    fn names_come_from_the_table_and_not_from_its_legend() {
        let listing = "Encoders:\n V..... = Video\n A..... = Audio\n ------\n V....D libx264   H.264 (codec h264)\n \
                       A....D aac   AAC\n";
        assert_eq!(names(listing).into_iter().collect::<Vec<_>>(), ["aac", "libx264"]);
    }

    #[test]
    fn filters_are_told_from_their_legend_with_and_without_a_line_below_it() {
        let legend = "Filters:\n  T.. = Timeline support\n  | = Source or sink filter\n";
        let table =
            " TSC scale             V->V       Scale the input video size.\n ... libvmaf VV->V Calculate.\n";
        for listing in [format!("{legend}{table}"), format!("{legend}  ------\n{table}")] {
            assert_eq!(filter_names(&listing).into_iter().collect::<Vec<_>>(), ["libvmaf", "scale"]);
        }
    }

    fn script(dir: &Path, name: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn missing_and_old_programs_are_named_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let absent = dir.path().join("absent");
        let old = script(dir.path(), "ffmpeg", "echo 'ffmpeg version 4.1 Copyright'");
        let missing = Tools::find(Some(&absent), Some(&old)).unwrap_err().to_string();
        assert!(missing.starts_with("ffmpeg was not found at ") && missing.contains("setup.sh"), "{missing}");
        let too_old = Tools::find(Some(&old), Some(&old)).unwrap_err().to_string();
        assert!(too_old.starts_with("ffmpeg 4.1 at ") && too_old.contains("5.1 or newer"), "{too_old}");
        let mute = script(dir.path(), "mute", "exit 1");
        assert!(matches!(Tools::find(Some(&mute), Some(&mute)), Err(ToolsError::Broken { .. })));
    }
}
