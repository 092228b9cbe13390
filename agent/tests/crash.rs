//! The agent dies at each step of a commit; the next one finds either the old state or the new file, never half of it.

#![allow(clippy::unwrap_used, reason = "tests fail by panics, and say aloud what they skip")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::{Box, committed, profile, stamp};
use vc_agent::commit;
use vc_agent::process::{Spawner, Stopper, sweep};
use vc_agent::storage::Boxed;
use vc_agent::work::{AttemptLink, Grant, LiveView, Place};
use vc_protocol::agent::{Outcome, Proven};
use vc_protocol::job::Offer;
use vc_protocol::profile::{Container, VideoCodec};
use vc_protocol::progress::Progress;

const CHILD_IN: &str = "VC_TEST_CRASH_CHILD_IN";

/// A console that grants, and a journal in one file.
struct Journal(PathBuf);

impl AttemptLink for Journal {
    fn progress(&self, _progress: Progress) {}

    fn ask_commit<'a>(&'a self, proven: &'a Proven) -> Boxed<'a, Grant> {
        std::fs::write(&self.0, serde_json::to_vec(proven).unwrap()).unwrap();
        std::boxed::Box::pin(async { Grant::Granted })
    }
}

fn offer(on: &Box) -> Offer {
    on.offer("a.mp4", "sub/a.mp4", profile(Container::Mp4, VideoCodec::H264))
}

/// Not a test by itself: the process that dies. Without its variable it does nothing.
#[tokio::test]
async fn child() {
    let Some(dir) = std::env::var_os(CHILD_IN) else { return };
    let Some(mut on) = Box::new() else { return };
    let dir = PathBuf::from(dir);
    on.context.spawner = Spawner::start(Some(dir.join("run"))).unwrap();
    let mut offer = offer(&on);
    let path = |name: &str| dir.join(name).to_str().unwrap().into();
    (offer.source_root.1, offer.output_root.1) = (path("in"), path("out"));
    offer.stamp = stamp(&dir.join("in/a.mp4"));
    let journal = Journal(dir.join("journal"));
    let place = Place::take(&Arc::new(tokio::sync::Semaphore::new(1)));
    let (_stopper, stop) = Stopper::new();
    vc_agent::work::run(&on.context, &offer, place, &journal, &LiveView::new(), stop).await;
}

fn die_at(dir: &Path, place: &str) {
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD_IN, dir)
        .env("VC_FAILPOINT", place)
        .output()
        .unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(died.status.signal(), Some(6), "{place}: {}", String::from_utf8_lossy(&died.stderr));
}

#[tokio::test]
async fn after_a_death_at_any_step_the_output_is_whole_or_not_there_and_the_attempt_can_be_finished() {
    let Some(on) = Box::new() else { return };
    on.clip("a.mp4");
    let output = on.output("sub/a.mp4");
    for (place, is_proven, is_placed) in [
        ("encode-began", false, false),
        ("part-synced", false, false),
        ("grant-held", true, false),
        ("renamed", true, true),
        ("dir-synced", true, true),
    ] {
        die_at(on.dir.path(), place);
        sweep(&on.dir.path().join("run")).unwrap();
        assert_eq!(output.exists(), is_placed, "{place}");
        let journal = std::fs::read(on.dir.path().join("journal")).ok();
        assert_eq!(journal.is_some(), is_proven, "{place}");
        let offer = offer(&on);
        let storage = Arc::clone(&on.context.storage);
        let hash = match journal.map(|bytes| serde_json::from_slice::<Proven>(&bytes).unwrap()) {
            Some(proven) => {
                let finished = commit::finish(storage.as_ref(), &offer, &proven).await;
                assert_eq!(finished, Outcome::Committed(proven.clone()), "{place}");
                proven.hash
            }
            None => {
                assert!(!on.leftovers().is_empty(), "{place}: the part file is what was left");
                commit::discard(storage.as_ref(), &offer).await.unwrap();
                committed(&on.convert(&offer).await).hash
            }
        };
        assert_eq!(*blake3::hash(&std::fs::read(&output).unwrap()).as_bytes(), hash, "{place}");
        assert_eq!(on.leftovers(), [""; 0], "{place}");
        std::fs::remove_file(&output).unwrap();
        std::fs::remove_file(on.dir.path().join("journal")).ok();
    }
}
