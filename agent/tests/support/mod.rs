//! What the tests of attempts share: a box with ffmpeg, a folder tree, a console of a few lines.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    reason = "tests fail by panics, and say aloud what they skip"
)]
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use vc_agent::ffmpeg::Tools;
use vc_agent::probe;
use vc_agent::process::{Spawner, StopToken, Stopper};
use vc_agent::proved::Proved;
use vc_agent::storage::{Boxed, Mounted};
use vc_agent::work::{AttemptLink, End, Grant, LiveView, Place, WorkContext};
use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::id::{AttemptId, AttemptNo, DeviceId, JobId, RootId, TaskNo};
use vc_protocol::job::{FileStamp, Offer};
use vc_protocol::media::Media;
use vc_protocol::path::FilePath;
use vc_protocol::profile::{
    AudioCodec, AudioWish, Container, Effort, NamedProfile, Profile, VideoCodec, VideoWish,
};
use vc_protocol::progress::Progress;

/// The longest any of these tests waits for a state.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The tools of this box, or none said aloud.
pub(crate) fn tools() -> Option<Arc<Tools>> {
    match Tools::find(None, None) {
        Ok(tools) => Some(Arc::new(tools)),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

/// A box with a source and an output folder.
pub(crate) struct Box {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) context: WorkContext,
}

impl Box {
    pub(crate) fn new() -> Option<Box> {
        tools().map(Box::with)
    }

    pub(crate) fn with(tools: Arc<Tools>) -> Box {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        let spawner = Spawner::start(Some(dir.path().join("run"))).unwrap();
        let storage = Arc::new(Mounted::default());
        let proved = Arc::new(Proved::new(tools.encoders.clone(), [(DeviceId(0), None)]));
        Box { dir, context: WorkContext { tools, proved, spawner, storage, stall: PATIENCE } }
    }

    pub(crate) fn source(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join("in").join(name)
    }

    pub(crate) fn output(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join("out").join(name)
    }

    /// Makes a source with ffmpeg; `words` stand between the program's name and the file.
    pub(crate) fn make(&self, name: impl AsRef<Path>, words: &str) -> PathBuf {
        let path = self.source(name);
        let made = Command::new(&self.context.tools.ffmpeg)
            .args("-nostdin -v error -y".split(' '))
            .args(words.split_ascii_whitespace())
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success(), "{words}");
        path
    }

    /// A clip of three seconds with sound.
    pub(crate) fn clip(&self, name: impl AsRef<Path>) -> PathBuf {
        self.make(
            name,
            "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -f lavfi -i sine=d=3 -c:v libx264 -preset ultrafast -c:a aac -f mp4",
        )
    }

    pub(crate) fn offer(&self, source: impl AsRef<Path>, output: &str, profile: Profile) -> Offer {
        let root = |name: &str| FilePath(self.dir.path().join(name).as_os_str().as_bytes().to_vec());
        let source = source.as_ref();
        let stamp = stamp(&self.source(source));
        Offer {
            attempt: AttemptId { job: JobId(7), task: TaskNo(0), no: AttemptNo(1) },
            device: DeviceId(0),
            source_root: (RootId(1), root("in")),
            source: FilePath(source.as_os_str().as_bytes().to_vec()),
            stamp,
            output_root: (RootId(2), root("out")),
            output: output.into(),
            profile: NamedProfile { name: "test".into(), profile },
        }
    }

    /// A file as the agent sees it.
    pub(crate) fn look(&self, file: &Path) -> Media {
        let call = probe::command(&self.context.tools, file);
        let said = Command::new(&call.program).args(&call.args).output().unwrap();
        probe::parse(&said.stdout).unwrap().media
    }

    /// Files left in the folder for part files.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.output(".vc-tmp")) else { return Vec::new() };
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// Runs an offer to its end with a console that grants.
    pub(crate) async fn convert(&self, offer: &Offer) -> Report {
        let (_stopper, stop) = Stopper::new();
        report(self.run(offer, &Console::default(), stop).await)
    }

    pub(crate) async fn run(&self, offer: &Offer, console: &Console, stop: StopToken) -> End {
        self.run_within(PATIENCE, offer, console, stop).await
    }

    pub(crate) async fn run_within(
        &self,
        patience: Duration,
        offer: &Offer,
        console: &Console,
        stop: StopToken,
    ) -> End {
        let slots = Arc::new(Semaphore::new(1));
        let view = LiveView::new();
        let work = vc_agent::work::run(&self.context, offer, Place::take(&slots), console, &view, stop);
        let end = tokio::time::timeout(patience, work).await.expect("an attempt ends");
        assert_eq!(slots.available_permits(), 1, "the slot is free again");
        assert_eq!(std::fs::read_dir(self.dir.path().join("run")).unwrap().count(), 0, "no child is left");
        end
    }
}

pub(crate) fn report(end: End) -> Report {
    match end {
        End::Report(report) => *report,
        End::Parked(proven) => panic!("parked: {proven:?}"),
    }
}

pub(crate) fn committed(report: &Report) -> &Proven {
    match &report.outcome {
        Outcome::Committed(proven) => proven,
        other => panic!("{other:?}\n{}", report.log),
    }
}

pub(crate) fn stamp(path: &Path) -> FileStamp {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = std::fs::metadata(path) else { return FileStamp { size: 1, mtime_ns: 1 } };
    FileStamp { size: meta.len(), mtime_ns: meta.mtime() * 1_000_000_000 + meta.mtime_nsec() }
}

/// A console that answers each question for the right to commit, or keeps silent.
#[derive(Default)]
pub(crate) struct Console {
    pub(crate) seen: Mutex<Vec<Progress>>,
    pub(crate) asked: AtomicUsize,
    pub(crate) changed: Notify,
    pub(crate) answer: Answer,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    #[default]
    Grant,
    Stale,
    Never,
}

impl Console {
    pub(crate) fn that(answer: Answer) -> Console {
        Console { answer, ..Console::default() }
    }

    /// Waits until what was told fits.
    pub(crate) async fn until(&self, what: impl Fn(&Console) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if what(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the state is reached");
    }
}

impl AttemptLink for Console {
    fn progress(&self, progress: Progress) {
        self.seen.lock().unwrap().push(progress);
        self.changed.notify_one();
    }

    fn ask_commit<'a>(&'a self, _proven: &'a Proven) -> Boxed<'a, Grant> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
        std::boxed::Box::pin(async {
            match self.answer {
                Answer::Grant => Grant::Granted,
                Answer::Stale => Grant::Stale,
                Answer::Never => std::future::pending().await,
            }
        })
    }
}

pub(crate) fn profile(container: Container, codec: VideoCodec) -> Profile {
    let crf = match codec {
        VideoCodec::H264 => Some(30),
        VideoCodec::Hevc => Some(32),
        VideoCodec::Av1 => Some(50),
        VideoCodec::Vp9 => Some(50),
        VideoCodec::Copy | VideoCodec::Ffv1 | VideoCodec::Prores | VideoCodec::Drop => None,
    };
    let audio = if codec == VideoCodec::Copy { AudioCodec::Copy } else { AudioCodec::Aac };
    let video = VideoWish { crf, effort: Effort::Fast, ..VideoWish::of(codec) };
    Profile::of(container, video, AudioWish { codec: audio, bitrate: None })
}
