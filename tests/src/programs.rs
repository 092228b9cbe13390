//! Where the programs are that the tests drive.

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The console under test.
pub fn vc_console_path() -> PathBuf {
    built("vc-console")
}

/// The agent under test.
pub fn vc_agent_path() -> PathBuf {
    built("vc-agent")
}

/// The stand-in for ffmpeg.
pub fn vc_fake_path() -> PathBuf {
    built("fake-ffmpeg")
}

/// A program of this workspace, from the same profile folder as the running test: `target/debug/deps/it-…` drives
/// `target/debug/vc-console`.
///
/// `cargo test --workspace` builds them first. `cargo test -p vc-tests` does not, and would drive what the last build
/// left there.
fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the running test has a path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("a test lies in target/PROFILE/deps");
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is not there: run `cargo build --bins` (or test the whole workspace)",
        program.display()
    );
    program
}

/// The folder that holds the real `ffmpeg` and `ffprobe`, looked up once on the PATH; none says so aloud.
pub fn real_ffmpeg() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).find(|dir| dir.join("ffmpeg").is_file() && dir.join("ffprobe").is_file())
    });
    found.clone()
}

/// Says aloud why a test, or a part of it, is not done here.
#[expect(clippy::print_stderr, reason = "what is skipped is told to whoever runs the tests")]
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Returns from a test that needs ffmpeg where there is none, saying so; otherwise the folder of ffmpeg.
#[macro_export]
macro_rules! need_ffmpeg {
    () => {
        match $crate::real_ffmpeg() {
            Some(folder) => folder,
            None => {
                $crate::skipped("no ffmpeg");
                return;
            }
        }
    };
}
