//! Values for the tests of this crate.

use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::id::{AttemptId, AttemptNo, DeviceId, JobId, RootId, TaskNo};
use vc_protocol::job::{FileStamp, Offer};
use vc_protocol::path::FilePath;
use vc_protocol::profile::{AudioCodec, AudioWish, Container, NamedProfile, Profile, VideoCodec, VideoWish};

pub(crate) fn attempt(job: u64) -> AttemptId {
    AttemptId { job: JobId(job), task: TaskNo(0), no: AttemptNo(1) }
}

pub(crate) fn offer(job: u64) -> Box<Offer> {
    let video = VideoWish { crf: Some(20), ..VideoWish::of(VideoCodec::H264) };
    let profile = Profile::of(Container::Mp4, video, AudioWish { codec: AudioCodec::Aac, bitrate: None });
    Box::new(Offer {
        attempt: attempt(job),
        device: DeviceId(0),
        source_root: (RootId(1), FilePath::from("/in")),
        source: FilePath::from("a.mkv"),
        stamp: FileStamp { size: 10, mtime_ns: 20 },
        output_root: (RootId(2), FilePath::from("/out")),
        output: FilePath::from("a.mp4"),
        profile: NamedProfile { name: "test".into(), profile },
    })
}

pub(crate) fn proven(job: u64) -> Proven {
    Proven { part: FilePath::from(format!("{job}.1.ab.part.mp4").as_str()), hash: [7; 32], size: 9 }
}

pub(crate) fn ended(id: AttemptId) -> Report {
    Report::blank(id, Outcome::Committed(proven(id.job.0)))
}
