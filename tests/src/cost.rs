//! What a program in a terminal costs, and a job table as large as a test wants it.

use std::path::Path;
use std::time::{Duration, Instant};

use vc_console::profiles::{DEFAULT, Profiles};
use vc_console::store::{Candidate, Store};
use vc_protocol::job::{FileStamp, Priority};
use vc_protocol::path::FilePath;

use crate::terminal::Terminal;

/// Candidates in one turn, as a scan sends them.
const CHUNK: u64 = 512;

/// What a program took in some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// How long it was looked at.
    pub seconds: f64,
    /// Written to the terminal.
    pub bytes_per_second: f64,
    /// Of one core.
    pub percent: f64,
}

/// Looks at a program for that long.
///
/// # Panics
/// When it ends meanwhile.
pub fn of(terminal: &Terminal, time: Duration) -> Cost {
    let (written, used, began) = (terminal.written(), processor_s(terminal.pid()), Instant::now());
    std::thread::sleep(time);
    let seconds = began.elapsed().as_secs_f64();
    Cost {
        seconds,
        bytes_per_second: (terminal.written() - written) as f64 / seconds,
        percent: (processor_s(terminal.pid()) - used) / seconds * 100.0,
    }
}

impl Cost {
    /// Memory of a process, in MiB.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn resident_mib(pid: u32) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of KiB") / 1024
    }
}

/// Processor seconds that a process used so far.
fn processor_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the program runs");
    // The name may hold anything, a closing bracket too; the figures follow the last one.
    let (_, figures) = stat.rsplit_once(')').expect("a line of figures");
    let figures: Vec<&str> = figures.split_whitespace().collect();
    let ticks = |place: usize| figures[place].parse::<f64>().expect("a number of ticks");
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    (ticks(11) + ticks(12)) / per_second as f64
}

/// Puts that many pending jobs into the table of a server that does not run.
///
/// # Panics
/// When the table cannot be opened or written.
pub fn fill(state: &Path, jobs: u64) {
    let store = Store::open(state).expect("the table opens");
    let profiles = Profiles::load(None).expect("the built-in profiles are good");
    let profile = profiles.get(DEFAULT).expect("a built-in profile").clone();
    let mut turn = store.turn();
    let session = turn
        .begin_add(&"/films".into(), &"/converted".into(), &profile, Priority::DEFAULT)
        .expect("a scan can begin");
    turn.commit().expect("the table can be written");
    for start in (0..jobs).step_by(CHUNK as usize) {
        let candidates: Vec<Candidate> = (start..(start + CHUNK).min(jobs)).map(candidate).collect();
        let mut turn = store.turn();
        turn.add(1_700_000_000_000, &session, &candidates).expect("jobs can be added");
        turn.commit().expect("the table can be written");
    }
}

/// Sizes are spread, so that jobs stand in another order than they were added.
fn candidate(number: u64) -> Candidate {
    let name =
        |extension| FilePath(format!("reel{:03}/film-{number:07}.{extension}", number / 5000).into_bytes());
    let size = 1_000_000 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000;
    Candidate { path: name("mov"), output: name("mp4"), stamp: FileStamp { size, mtime_ns: 1 } }
}
