//! What counts as a video, and where its output goes. Pure.

use vc_protocol::path::FilePath;
use vc_protocol::profile::Container;

/// Extensions that a scan takes, in lower case.
const EXTENSIONS: [&str; 12] =
    ["mp4", "mkv", "mov", "avi", "flv", "webm", "m4v", "ts", "m2ts", "wmv", "mpg", "mpeg"];

/// Whether a file of this name is taken by a scan. Hidden files are not.
pub fn is_video(name: &[u8]) -> bool {
    let Some((stem, extension)) = split_extension(name) else { return false };
    let extension = extension.to_ascii_lowercase();
    !stem.starts_with(b".") && EXTENSIONS.iter().any(|e| e.as_bytes() == extension)
}

/// The output of a source, both below their roots: the same place, with the container's extension.
pub fn output_of(source: &FilePath, container: Container) -> FilePath {
    let name_at = source.0.len() - source.file_name().len();
    let stem = split_extension(source.file_name()).map_or(source.file_name(), |(stem, _)| stem);
    let mut bytes = source.0[..name_at].to_vec();
    bytes.extend_from_slice(stem);
    bytes.push(b'.');
    bytes.extend_from_slice(container.extension().as_bytes());
    FilePath(bytes)
}

/// Name without extension, and extension; none if there is no dot inside the name.
fn split_extension(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = name.iter().rposition(|b| *b == b'.').filter(|at| *at > 0)?;
    Some((&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_are_known_by_their_extension() {
        for name in ["a.mp4", "a.MKV", "-i.mov", "a b.m2ts", "x.y.mpeg", "a\n.ts"] {
            assert!(is_video(name.as_bytes()), "{name:?}");
        }
        assert!(is_video(b"\xff.mp4"));
        for name in ["a.txt", "mp4", ".mp4", ".hidden.mp4", "a.mp4.part", "a.", ""] {
            assert!(!is_video(name.as_bytes()), "{name:?}");
        }
    }

    #[test]
    fn outputs_mirror_the_tree() {
        for (source, output) in [
            ("a.avi", "a.mp4"),
            ("s1/e.01.mkv", "s1/e.01.mp4"),
            ("d.x/noext", "d.x/noext.mp4"),
            ("-i.mov", "-i.mp4"),
        ] {
            assert_eq!(output_of(&source.into(), Container::Mp4), output.into());
        }
    }
}
