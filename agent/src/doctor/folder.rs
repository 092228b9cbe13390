//! The state folder: whose it is, who may look, and how much room there is.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Finding, Verdict};
use crate::trial::Folder;

/// Less room than this is worth a word: results that wait for the console, each with its log, are kept here.
const FREE_LOW: u64 = 1_000_000_000;
/// Less than this and results cannot be kept before long: 512 of them with their logs.
const FREE_MIN: u64 = 100_000_000;

const CHECK: &str = "state folder";

/// Everything about the folder.
pub(super) fn state(dir: Option<&Path>) -> Vec<Finding> {
    let Some(dir) = dir else {
        let text = "no home folder is known, and none was named";
        return vec![Finding::new(CHECK, Verdict::Bad, text, "set VC_STATE_DIR")];
    };
    let shown = dir.display();
    let meta = match fs::metadata(dir) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![Finding::note(CHECK, format!("{shown} is made by `vc-agent join`"))];
        }
        Err(error) => {
            let text = format!("{shown} cannot be looked at: {error}");
            return vec![Finding::new(CHECK, Verdict::Bad, text, "give it to this user, or name another")];
        }
    };
    let access = access(dir, &meta);
    if access.verdict == Verdict::Bad { vec![access] } else { vec![access, room(dir, free(dir))] }
}

fn access(dir: &Path, meta: &fs::Metadata) -> Finding {
    let (shown, mode) = (dir.display(), meta.mode() & 0o777);
    let bad = |text: String, fix: String| Finding::new(CHECK, Verdict::Bad, text, fix);
    if !meta.is_dir() {
        return bad(format!("{shown} is not a folder"), "name another with VC_STATE_DIR".to_owned());
    }
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        let text = format!("{shown} belongs to user {}", meta.uid());
        return bad(text, "run vc-agent as that user, or name another folder".to_owned());
    }
    if let Err(error) = Folder::make(dir) {
        return bad(format!("{shown} cannot be written to: {error}"), format!("chmod u+rwx {shown}"));
    }
    if mode & 0o077 != 0 {
        // The key's own file is closed, and the next start closes the folder too.
        let text = format!("{shown} is open to others (mode {mode:03o}), who see what runs here");
        return Finding::new(CHECK, Verdict::Warning, text, format!("chmod 700 {shown}"));
    }
    Finding::fine(CHECK, format!("{shown}, mode {mode:03o}"))
}

fn free(dir: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(dir).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

fn room(dir: &Path, free: Option<u64>) -> Finding {
    const CHECK: &str = "state disk";
    let Some(free) = free else {
        return Finding::note(CHECK, format!("{}: free space is not told", dir.display()));
    };
    let text = format!("{:.1} GB free in {}", free as f64 / 1e9, dir.display());
    let fix = "make room there, or name another folder";
    match free {
        free if free < FREE_MIN => Finding::new(CHECK, Verdict::Bad, text, fix),
        free if free < FREE_LOW => Finding::new(CHECK, Verdict::Warning, text, fix),
        _ => Finding::fine(CHECK, text),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn verdicts(findings: &[Finding]) -> Vec<(&str, Verdict)> {
        findings.iter().map(|finding| (finding.check, finding.verdict)).collect()
    }

    #[test]
    fn an_open_state_folder_is_a_warning_and_a_missing_one_is_made_later() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(verdicts(&state(Some(dir.path())))[0], ("state folder", Verdict::Warning));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(verdicts(&state(Some(dir.path())))[0], ("state folder", Verdict::Fine));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
        assert_eq!(verdicts(&state(Some(&dir.path().join("none")))), [("state folder", Verdict::Note)]);
        assert_eq!(verdicts(&state(None)), [("state folder", Verdict::Bad)]);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(verdicts(&state(Some(&file))), [("state folder", Verdict::Bad)]);
    }

    #[test]
    fn little_room_is_a_warning_and_next_to_none_is_bad() {
        let dir = Path::new("/state");
        for (free, expected) in [
            (Some(5_000_000_000), Verdict::Fine),
            (Some(500_000_000), Verdict::Warning),
            (Some(0), Verdict::Bad),
            (None, Verdict::Note),
        ] {
            assert_eq!(room(dir, free).verdict, expected, "{free:?}");
        }
    }
}
