//! Walks what the operator named and hands out candidates in bounded chunks. Blocking: run it on its own thread.

use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use vc_protocol::job::{FileStamp, TEMP_FOLDER};
use vc_protocol::path::FilePath;
use vc_protocol::profile::Container;

use super::rules;
use crate::store::Candidate;

/// Candidates in a chunk: one durable transaction of the engine takes about as many rows.
pub const CHUNK: usize = 256;
/// Deepest folder below the one named; a deeper tree is a loop of mounts or links.
const DEPTH_MAX: usize = 64;

/// What a walk found since the last one.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Folder that the candidates are below.
    pub root: FilePath,
    /// Files to look at.
    pub candidates: Vec<Candidate>,
    /// Files looked at, also those that are no videos.
    pub seen: u64,
    /// Of those, not videos.
    pub ignored: u64,
    /// What could not be read, one line each.
    pub unreadable: Vec<String>,
}

/// Why a named path cannot be walked.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// It is not there or may not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The path as named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is neither file nor folder.
    #[error("{} is neither a file nor a folder", .0.display())]
    NotAFile(PathBuf),
}

/// Walks one named path. `take` gets each chunk and says whether to go on.
///
/// A file named by itself is taken whatever its extension. The folder `out` and the farm's own temporary folders are
/// passed over, so that outputs below a source folder do not become sources. `depth` is how many folders below the one
/// named are looked into, none for all.
pub fn walk(
    named: &Path,
    out: &Path,
    depth: Option<u16>,
    container: Container,
    take: &mut dyn FnMut(Chunk) -> bool,
) -> Result<(), WalkError> {
    let unreadable = |source| WalkError::Unreadable { path: named.to_owned(), source };
    let path = named.canonicalize().map_err(unreadable)?;
    let meta = path.metadata().map_err(unreadable)?;
    if meta.is_file() {
        let root = path.parent().unwrap_or(Path::new("/"));
        let mut chunk = Chunk { root: to_file_path(root), ..Chunk::default() };
        chunk.seen = 1;
        chunk.candidates.push(candidate(root, &path, &meta, container));
        take(chunk);
        return Ok(());
    }
    if !meta.is_dir() {
        return Err(WalkError::NotAFile(path));
    }
    std::fs::read_dir(&path).map_err(unreadable)?;
    walk_folder(&path, out, depth, container, take);
    Ok(())
}

fn walk_folder(
    root: &Path,
    out: &Path,
    depth: Option<u16>,
    container: Container,
    take: &mut dyn FnMut(Chunk) -> bool,
) {
    // The walker counts the files of the folder itself as one deep.
    let depth = depth.map_or(DEPTH_MAX, |depth| DEPTH_MAX.min(usize::from(depth) + 1));
    let out = out.to_owned();
    let own = root.to_owned();
    let walker = WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(false)
        .follow_links(true)
        .max_depth(Some(depth))
        .sort_by_file_name(Ord::cmp)
        .filter_entry(move |entry| {
            let is_hidden_folder = entry.depth() > 0
                && entry.file_type().is_some_and(|t| t.is_dir())
                && entry.file_name().as_bytes().starts_with(b".");
            let is_output = entry.path() == out && out != own;
            !is_hidden_folder && !is_output && entry.file_name() != TEMP_FOLDER
        })
        .build();
    let fresh = || Chunk { root: to_file_path(root), ..Chunk::default() };
    let mut chunk = fresh();
    for entry in walker {
        match entry {
            Ok(entry) if entry.file_type().is_some_and(|t| t.is_file()) => {
                chunk.seen += 1;
                if !rules::is_video(entry.file_name().as_bytes()) {
                    chunk.ignored += 1;
                } else {
                    match entry.metadata() {
                        Ok(meta) => chunk.candidates.push(candidate(root, entry.path(), &meta, container)),
                        Err(error) => chunk.unreadable.push(error.to_string()),
                    }
                }
            }
            Ok(_) => {}
            Err(error) => chunk.unreadable.push(shown(&error)),
        }
        if chunk.candidates.len() >= CHUNK || chunk.seen >= 64 * CHUNK as u64 {
            let full = std::mem::replace(&mut chunk, fresh());
            if !take(full) {
                return;
            }
        }
    }
    take(chunk);
}

fn shown(error: &ignore::Error) -> String {
    FilePath(error.to_string().into_bytes()).shown()
}

fn candidate(root: &Path, path: &Path, meta: &std::fs::Metadata, container: Container) -> Candidate {
    let below = to_file_path(path.strip_prefix(root).unwrap_or(path));
    Candidate {
        output: rules::output_of(&below, container),
        path: below,
        stamp: FileStamp {
            size: meta.size(),
            mtime_ns: meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec()),
        },
    }
}

/// The bytes of a path.
pub fn to_file_path(path: &Path) -> FilePath {
    FilePath(path.as_os_str().as_bytes().to_vec())
}

/// The path of these bytes.
pub fn to_path(path: &FilePath) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(path.0.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(named: &Path, out: &Path) -> (Vec<String>, u64, u64) {
        let (mut outputs, mut ignored, mut unreadable) = (Vec::new(), 0, 0);
        walk(named, out, None, Container::Mp4, &mut |chunk| {
            outputs.extend(chunk.candidates.iter().map(|c| format!("{} > {}", c.path, c.output)));
            ignored += chunk.ignored;
            unreadable += chunk.unreadable.len() as u64;
            true
        })
        .unwrap();
        (outputs, ignored, unreadable)
    }

    #[test]
    fn a_tree_is_walked_without_its_outputs_and_hidden_folders() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for file in ["b.avi", "a/x.mkv", "a/notes.txt", ".git/x.mp4", "out/x.mp4", ".vc-tmp/1.1.p.mp4"] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("dangling.mp4")).unwrap();
        let (outputs, ignored, unreadable) = found(&root, &root.join("out"));
        assert_eq!(outputs, ["a/x.mkv > a/x.mp4", "b.avi > b.mp4"]);
        assert_eq!((ignored, unreadable), (1, 1));
    }

    #[test]
    fn a_depth_ends_the_walk() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        for file in ["0.mkv", "a/1.mkv", "a/b/2.mkv"] {
            std::fs::write(dir.path().join(file), "x").unwrap();
        }
        let check = |depth, expected| {
            let mut found = 0;
            walk(dir.path(), Path::new("/out"), depth, Container::Mp4, &mut |chunk| {
                found += chunk.candidates.len();
                true
            })
            .unwrap();
            assert_eq!(found, expected, "{depth:?}");
        };
        check(Some(0), 1);
        check(Some(1), 2);
        check(None, 3);
        check(Some(u16::MAX), 3);
    }

    #[test]
    fn a_named_file_is_taken_whatever_it_is_called() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("noext");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(found(&file, Path::new("/nowhere")).0, ["noext > noext.mp4"]);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_it() {
        let error =
            walk(Path::new("/no/such"), Path::new("/out"), None, Container::Mp4, &mut |_| true).unwrap_err();
        assert!(error.to_string().contains("/no/such"), "{error}");
    }
}
