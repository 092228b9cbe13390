//! Records of running children, so that a later start of the agent can end those that outlived it.
//!
//! The parent-death signal ends the child itself; what it forked, and children of a kernel that lost the signal, are
//! found here. A record is a file named by the process number that holds its start time: numbers are used again, the
//! pair is not.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A record on disk; gone when dropped.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
}

impl Record {
    /// Writes the record of a child that has just started. Not flushed: after a power cut no child is left either.
    pub(super) fn write(dir: &Path, pid: u32) -> io::Result<Record> {
        let start = start_time(pid).unwrap_or_default();
        let path = dir.join(pid.to_string());
        std::fs::write(&path, start.to_string())?;
        Ok(Record { path })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "a process record stays behind");
        }
    }
}

/// Kills the groups that an earlier agent left running, and forgets their records. Returns how many it killed.
pub fn sweep(dir: &Path) -> io::Result<usize> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut killed = 0;
    for entry in entries {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let recorded = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let is_same = start_time(pid).is_some_and(|start| recorded.trim().parse() == Ok(start));
        if let (true, Ok(group)) = (is_same, i32::try_from(pid))
            && killpg(Pid::from_raw(group), Signal::SIGKILL).is_ok()
        {
            killed += 1;
        }
        std::fs::remove_file(entry.path())?;
    }
    Ok(killed)
}

/// Start of a process in clock ticks since boot.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_start_time(&stat)
}

/// Field 22 of `/proc/PID/stat`. Field 2 is the name in parentheses and may hold blanks and parentheses itself.
fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let after_name = stat.iter().rposition(|b| *b == b')')? + 1;
    std::str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = b"7 (a) b) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 8123 9 9";
        assert_eq!(parse_start_time(stat), Some(8123));
        assert_eq!(parse_start_time(b"7 (cut"), None);
    }

    #[test]
    fn an_orphan_is_killed_and_a_stranger_with_its_number_is_not() {
        use std::os::unix::process::CommandExt;
        let dir = tempfile::tempdir().unwrap();
        let start = || Command::new("sleep").arg("30").process_group(0).spawn().unwrap();
        let (mut orphan, mut stranger) = (start(), start());
        std::mem::forget(Record::write(dir.path(), orphan.id()).unwrap());
        std::fs::write(dir.path().join(stranger.id().to_string()), "1").unwrap();
        assert_eq!(sweep(dir.path()).unwrap(), 1);
        assert!(!orphan.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
