//! The state folder and the output folders: who may look, how much room there is, whether a file can take its place
//! without replacing another, and how long the disk takes to keep a promise.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{Finding, Verdict};
use crate::engine::free_bytes;
use crate::store;

/// Less room than this for the job table is worth a word: a million jobs take under two gigabytes.
const STATE_FREE_LOW: u64 = 2_000_000_000;
/// Less than this and the table stops taking changes before long.
const STATE_FREE_MIN: u64 = 200_000_000;
/// Less room than this for outputs is worth a word.
const OUTPUT_FREE_LOW: u64 = 20_000_000_000;
/// Times a small write is flushed to see how long that takes.
const FLUSHES: usize = 15;
/// Every change of a job waits for one flush of the state folder's disk; past this the farm is felt to be slow.
const FLUSH_SLOW: Duration = Duration::from_millis(50);

/// A file of ours that is gone when this is dropped.
pub(super) struct Probe {
    path: PathBuf,
    file: File,
}

impl Probe {
    pub(super) fn make(folder: &Path) -> io::Result<Probe> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = folder.join(format!(".vc-doctor-{:016x}", u64::from_le_bytes(random)));
        let file = OpenOptions::new().create_new(true).write(true).open(&path)?;
        Ok(Probe { path, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Everything about the state folder.
pub(super) fn state(dir: Option<&Path>, is_running: bool) -> Vec<Finding> {
    let Some(dir) = dir else {
        let text = "no home folder is known, and none was named";
        return vec![Finding::new("state folder", Verdict::Bad, text, "set VC_STATE_DIR")];
    };
    let shown = dir.display();
    let meta = match std::fs::metadata(dir) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![Finding::note("state folder", format!("{shown} is made at the first start"))];
        }
        Err(error) => {
            let text = format!("{shown} cannot be looked at: {error}");
            return vec![Finding::new(
                "state folder",
                Verdict::Bad,
                text,
                "give it to this user, or name another",
            )];
        }
    };
    let mut findings = vec![access(dir, &meta)];
    if findings[0].verdict == Verdict::Bad {
        return findings;
    }
    findings.push(room("state disk", dir, STATE_FREE_LOW, STATE_FREE_MIN));
    findings.push(table(dir, is_running));
    findings.extend(flush_speed("state disk speed", dir));
    findings
}

fn access(dir: &Path, meta: &std::fs::Metadata) -> Finding {
    let (shown, mode) = (dir.display(), meta.mode() & 0o777);
    let bad = |text: String, fix: String| Finding::new("state folder", Verdict::Bad, text, fix);
    if !meta.is_dir() {
        return bad(format!("{shown} is not a folder"), "name another with VC_STATE_DIR".to_owned());
    }
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        let text = format!("{shown} belongs to user {}", meta.uid());
        return bad(text, "run vc-console as that user, or name another folder".to_owned());
    }
    if let Err(error) = Probe::make(dir) {
        return bad(format!("{shown} cannot be written to: {error}"), format!("chmod u+rwx {shown}"));
    }
    if mode & 0o077 != 0 {
        let text = format!("{shown} is open to others (mode {mode:03o}): the farm's keys are in it");
        return bad(text, format!("chmod 700 {shown}"));
    }
    Finding::fine("state folder", format!("{shown}, mode {mode:03o}"))
}

fn table(dir: &Path, is_running: bool) -> Finding {
    let holder = store::holder(dir).map(|pid| format!(", process {pid}")).unwrap_or_default();
    if is_running {
        return Finding::fine("job table", format!("held by the running server{holder}"));
    }
    let bad = |text: String, fix: &str| Finding::new("job table", Verdict::Bad, text, fix);
    match store::look(dir) {
        store::Looked::Missing => Finding::note("job table", "is made at the first start"),
        store::Looked::Fine => Finding::fine("job table", "opens"),
        store::Looked::NeedsRepair => {
            Finding::note("job table", "was not closed in order; the next start puts that right by itself")
        }
        store::Looked::InUse => bad(
            format!("is held by a server that does not answer{holder}"),
            "wait a moment; if it stays so, end that process and start again: nothing is lost",
        ),
        store::Looked::Broken(why) => {
            bad(format!("cannot be opened: {why}"), "put farm.redb aside and take the last copy of it")
        }
    }
}

/// Every output folder.
pub(super) fn outputs(outs: &[PathBuf]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for out in outs {
        if !out.is_dir() {
            let text = format!("{} is not there; `add` makes it", out.display());
            findings.push(Finding::note("output folder", text));
            continue;
        }
        match Probe::make(out) {
            Ok(probe) => {
                findings.push(taking_place(out, &probe));
                findings.push(room("output disk", out, OUTPUT_FREE_LOW, 0));
                findings.extend(flush_speed("output disk speed", out));
            }
            Err(error) => findings.push(Finding::new(
                "output folder",
                Verdict::Bad,
                format!("{} cannot be written to: {error}", out.display()),
                "give it to the user that the agents run as",
            )),
        }
    }
    findings
}

/// An output takes its place in one step that never replaces another file: by a rename that refuses to, else by a link.
fn taking_place(out: &Path, probe: &Probe) -> Finding {
    let taken = match Probe::make(out) {
        Ok(taken) => taken,
        Err(error) => {
            return Finding::new("output folder", Verdict::Bad, error.to_string(), "look at its disk");
        }
    };
    let shown = out.display();
    let refuses = |result: nix::Result<()>| matches!(result, Err(nix::errno::Errno::EEXIST));
    let rename = renameat2(AT_FDCWD, probe.path(), AT_FDCWD, taken.path(), RenameFlags::RENAME_NOREPLACE);
    let link = std::fs::hard_link(probe.path(), taken.path());
    let link_refuses = link.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists);
    if refuses(rename) {
        Finding::fine("output folder", format!("{shown}: outputs appear whole and replace nothing"))
    } else if link_refuses {
        Finding::fine("output folder", format!("{shown}: outputs appear whole, by hard links"))
    } else {
        let text =
            format!("{shown}: its file system has neither renames that replace nothing nor hard links");
        Finding::new("output folder", Verdict::Bad, text, "use another: outputs cannot be put there safely")
    }
}

fn room(check: &'static str, dir: &Path, low: u64, min: u64) -> Finding {
    let Some(free) = free_bytes(dir) else {
        return Finding::note(check, format!("{}: free space is not told", dir.display()));
    };
    let text = format!("{:.1} GB free in {}", free as f64 / 1e9, dir.display());
    let verdict = match free {
        free if free < min => Verdict::Bad,
        free if free < low => Verdict::Warning,
        _ => Verdict::Fine,
    };
    let fix = if verdict == Verdict::Fine { "" } else { "make room there, or name another folder" };
    Finding::new(check, verdict, text, fix)
}

/// The time in which half of the small writes are on the disk.
fn flush_speed(check: &'static str, dir: &Path) -> Option<Finding> {
    let mut probe = Probe::make(dir).ok()?;
    let mut times = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let from = Instant::now();
        probe.file.write_all(&[0; 4096]).and_then(|()| probe.file.sync_data()).ok()?;
        times.push(from.elapsed());
    }
    times.sort_unstable();
    let median = times[FLUSHES / 2];
    let text = format!("a flush takes {:.1} ms in {}", median.as_secs_f64() * 1000.0, dir.display());
    Some(if median <= FLUSH_SLOW {
        Finding::fine(check, text)
    } else {
        Finding::new(check, Verdict::Warning, text, "a disk of this box, best an SSD, answers sooner")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn verdict(findings: &[Finding], check: &str) -> Verdict {
        findings.iter().find(|f| f.check == check).unwrap_or_else(|| panic!("{check}: {findings:?}")).verdict
    }

    #[test]
    fn an_open_state_folder_is_bad_and_a_missing_one_is_made_later() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(verdict(&state(Some(dir.path()), false), "state folder"), Verdict::Bad);
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let findings = state(Some(dir.path()), false);
        assert_eq!(verdict(&findings, "state folder"), Verdict::Fine);
        assert_eq!(verdict(&findings, "job table"), Verdict::Note);
        assert_eq!(verdict(&state(Some(&dir.path().join("none")), false), "state folder"), Verdict::Note);
        assert_eq!(verdict(&state(None, false), "state folder"), Verdict::Bad);
    }

    #[test]
    fn a_table_is_opened_and_a_broken_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let held = store::Store::open(dir.path()).unwrap();
        assert_eq!(table(dir.path(), false).verdict, Verdict::Bad);
        assert_eq!(table(dir.path(), true).verdict, Verdict::Fine);
        drop(held);
        assert_eq!(table(dir.path(), false).verdict, Verdict::Fine);
        std::fs::write(dir.path().join(store::FILE_NAME), "no table").unwrap();
        assert_eq!(table(dir.path(), false).verdict, Verdict::Bad);
    }

    #[test]
    fn an_output_folder_is_tried_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let findings = outputs(&[dir.path().to_owned(), dir.path().join("none")]);
        assert_eq!(verdict(&findings, "output folder"), Verdict::Fine, "{findings:?}");
        assert!(findings.iter().any(|f| f.text.contains("is not there")));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
