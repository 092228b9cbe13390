//! Whole attempts with the real ffmpeg of this box.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    reason = "tests fail by panics, and say aloud what they skip"
)]

mod support;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use support::{Answer, Box, Console, committed, profile, report};
use vc_agent::process::{StopReason, Stopper};
use vc_agent::work::End;
use vc_protocol::agent::{CommandPhase, Outcome, Report};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::DeviceId;
use vc_protocol::media::StreamKind;
use vc_protocol::profile::{Container, VideoCodec};
use vc_protocol::progress::Phase;

fn failed(report: &Report) -> (FailureClass, &str) {
    match &report.outcome {
        Outcome::Failed(failure) => (failure.class, failure.cause.as_str()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_clip_is_converted_verified_and_put_in_its_place() {
    let Some(on) = Box::new() else { return };
    on.clip("a.mp4");
    let offer = on.offer("a.mp4", "sub/folder/a.mp4", profile(Container::Mp4, VideoCodec::H264));
    let console = Console::default();
    let (_stopper, stop) = Stopper::new();
    let report = report(on.run(&offer, &console, stop).await);
    let proven = committed(&report);
    let output = on.output("sub/folder/a.mp4");
    assert_eq!(proven.hash, *blake3::hash(&std::fs::read(&output).unwrap()).as_bytes());
    assert_eq!(
        (report.bytes_out, report.encoder.as_str(), report.warnings.len()),
        (proven.size, "libx264", 0)
    );
    assert!((2900..3200).contains(&report.media_ms) && report.bytes_in > 0);
    let phases: Vec<_> = report.commands.iter().map(|c| c.phase).collect();
    assert_eq!(phases, [CommandPhase::Probe, CommandPhase::Encode, CommandPhase::Verify]);
    let part = report.commands[1].argv.last().unwrap();
    assert_eq!(part.file_name(), proven.part.0, "the encode's last word is its part file");
    assert_eq!(on.leftovers(), [""; 0]);
    let mut phases: Vec<_> = console.seen.lock().unwrap().iter().map(|p| p.phase).collect();
    phases.dedup();
    assert_eq!(phases, [Phase::Fetching, Phase::Encoding, Phase::Verifying, Phase::Committing]);
    let again = on.convert(&offer).await;
    assert_eq!(again.outcome, Outcome::Skipped("output is already there: kept".into()));
}

#[tokio::test]
async fn every_encoder_and_container_of_this_box_works() {
    let Some(on) = Box::new() else { return };
    on.clip("a.mp4");
    let codecs = on.context.proved.codecs(DeviceId(0));
    for (codec, container) in [
        (VideoCodec::Hevc, Container::Mp4),
        (VideoCodec::Av1, Container::Mkv),
        (VideoCodec::Copy, Container::Mkv),
        (VideoCodec::H264, Container::Mov),
    ] {
        if !codecs.contains(&codec) {
            eprintln!("SKIPPED: this ffmpeg has no encoder for {codec:?}");
            continue;
        }
        let name = format!("{codec:?}.{}", container.extension());
        let report = on.convert(&on.offer("a.mp4", &name, profile(container, codec))).await;
        committed(&report);
        assert_eq!(report.warnings, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_bitrate_is_met_in_two_passes_that_leave_nothing_behind() {
    let Some(on) = Box::new() else { return };
    on.clip("a.mp4");
    for codec in [VideoCodec::H264, VideoCodec::Hevc] {
        let mut wish = profile(Container::Mp4, codec);
        (wish.video.crf, wish.video.bitrate) = (None, Some("150k".into()));
        let report = on.convert(&on.offer("a.mp4", &format!("{codec:?}.mp4"), wish)).await;
        let bits = committed(&report).size * 8 / 3;
        assert!((100_000..350_000).contains(&bits), "{codec:?}: {bits} bits a second");
        assert_eq!(report.commands.iter().filter(|c| c.phase == CommandPhase::Encode).count(), 2);
        assert_eq!(on.leftovers(), [""; 0]);
    }
}

#[tokio::test]
async fn all_streams_languages_and_chapters_survive_where_they_can() {
    let Some(on) = Box::new() else { return };
    std::fs::write(on.source("s.srt"), "1\n00:00:00,500 --> 00:00:01,500\nhello\n").unwrap();
    let chapters = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=one\n[CHAPTER]\nTIMEBASE=1/1000\n\
                    START=1500\nEND=3000\ntitle=two\n";
    std::fs::write(on.source("c.txt"), chapters).unwrap();
    std::fs::write(on.source("font.ttf"), "no real font").unwrap();
    let (subs, chapters, font) = (on.source("s.srt"), on.source("c.txt"), on.source("font.ttf"));
    let (subs, chapters, font) = (subs.display(), chapters.display(), font.display());
    on.make(
        "many.mkv",
        &format!(
            "-f lavfi -i testsrc=s=321x181:r=25:d=3 -f lavfi -i sine=d=3 -f lavfi -i anoisesrc=d=3:a=0.1 -i {subs} \
             -f ffmetadata -i {chapters} -map 1:a -map 0:v -map 2:a -map 3:s -map_chapters 4 -attach {font} \
             -metadata:s:t mimetype=font/ttf -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger \
             -metadata:s:s language=fre -c:v mpeg4 -c:a:0 flac -c:a:1 aac -c:s srt"
        ),
    );
    let mkv = on.convert(&on.offer("many.mkv", "many.mkv", profile(Container::Mkv, VideoCodec::H264))).await;
    committed(&mkv);
    assert_eq!(mkv.warnings, ["stream 1: 321x181 is odd, its last row or column is cut off"]);
    let kept = on.look(&on.output("many.mkv"));
    assert_eq!((kept.streams.len(), kept.chapters), (5, 2));
    let mp4 = on.convert(&on.offer("many.mkv", "many.mp4", profile(Container::Mp4, VideoCodec::H264))).await;
    committed(&mp4);
    assert_eq!(mp4.warnings.len(), 2, "{:?}", mp4.warnings);
    let kept = on.look(&on.output("many.mp4"));
    let streams: Vec<_> = kept
        .streams
        .iter()
        .filter(|s| s.kind != StreamKind::Data)
        .map(|s| (s.codec.as_str(), s.language.as_deref()))
        .collect();
    assert_eq!(
        streams,
        [("h264", None), ("aac", Some("eng")), ("aac", Some("ger")), ("mov_text", Some("fre"))]
    );
    assert_eq!((kept.chapters, kept.streams[0].width, kept.streams[0].height), (2, 320, 180));
}

#[tokio::test]
async fn a_cover_picture_stays_a_cover_in_mp4_and_becomes_a_track_in_mkv() {
    let Some(on) = Box::new() else { return };
    on.make(
        "cover.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=8 -f lavfi -i color=red:s=64x64:d=1 -map 0 -map 1 -frames:v:1 1 \
         -c:v:0 mpeg4 -c:v:1 mjpeg -disposition:v:1 attached_pic",
    );
    for (name, codec, warnings) in
        [("a.mp4", VideoCodec::H264, 0), ("b.mp4", VideoCodec::Copy, 0), ("c.mkv", VideoCodec::H264, 1)]
    {
        let container = if name.ends_with("mkv") { Container::Mkv } else { Container::Mp4 };
        let report = on.convert(&on.offer("cover.mp4", name, profile(container, codec))).await;
        committed(&report);
        assert_eq!(report.warnings.len(), warnings, "{:?}", report.warnings);
        let kinds: Vec<_> = on.look(&on.output(name)).streams.iter().map(|s| s.kind).collect();
        let kept = if container == Container::Mkv { StreamKind::Video } else { StreamKind::Cover };
        assert_eq!(kinds, [StreamKind::Video, kept], "{name}");
    }
}

#[tokio::test]
async fn bad_sources_fail_as_such_with_their_own_words_and_leave_nothing() {
    let Some(on) = Box::new() else { return };
    std::fs::write(on.source("text.mp4"), "this is no video\n".repeat(100)).unwrap();
    std::fs::write(on.source("empty.mp4"), "").unwrap();
    on.make("sound.m4a", "-f lavfi -i sine=d=1 -c:a aac -f mp4");
    let whole = std::fs::read(on.clip("whole.mp4")).unwrap();
    // Without `+faststart` the index is at the end: the first half has none.
    std::fs::write(on.source("no-index.mp4"), &whole[..whole.len() / 2]).unwrap();
    let front =
        on.make("front.mp4", "-f lavfi -i testsrc2=s=320x180:r=25:d=8 -c:v libx264 -movflags +faststart");
    let front = std::fs::read(front).unwrap();
    std::fs::write(on.source("cut.mp4"), &front[..front.len() / 2]).unwrap();
    std::fs::write(
        on.source("list.mp4"),
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nwhole.mp4\n#EXT-X-ENDLIST\n",
    )
    .unwrap();
    for (name, expected) in [
        ("text.mp4", "moov atom not found"),
        ("empty.mp4", "the file is empty"),
        ("sound.m4a", "no video stream, only sound"),
        ("no-index.mp4", "moov atom not found"),
        ("cut.mp4", "source ends at 0:0"),
        ("list.mp4", ""),
    ] {
        let report = on.convert(&on.offer(name, "x.mp4", profile(Container::Mp4, VideoCodec::H264))).await;
        let (class, cause) = failed(&report);
        assert_eq!(class, FailureClass::Source, "{name}: {cause}");
        assert!(cause.contains(expected), "{name}: {cause}");
        assert!(!cause.contains("/in/"), "{name}: {cause}");
        assert!(!on.output("x.mp4").exists() && on.leftovers().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn hostile_names_are_names_and_nothing_else() {
    let Some(on) = Box::new() else { return };
    let clip = std::fs::read(on.clip("plain.mp4")).unwrap();
    let long = format!("{}.mp4", "x".repeat(251));
    let names: [&[u8]; 8] = [
        b"-i.mp4",
        b"new\nline.mp4",
        b"it's \"quoted\".mp4",
        b"\xff\xfe.mp4",
        b"100%d.mp4",
        b"concat:a|b.mp4",
        b"$(touch x).mp4",
        long.as_bytes(),
    ];
    for name in names {
        let name = Path::new(std::ffi::OsStr::from_bytes(name));
        std::fs::write(on.source(name), &clip).unwrap();
        let mut offer = on.offer(name, "", profile(Container::Mp4, VideoCodec::Copy));
        offer.output = offer.source.clone();
        committed(&on.convert(&offer).await);
        assert!(on.output(name).exists());
    }
    let mut outside = on.offer("plain.mp4", "../escaped.mp4", profile(Container::Mp4, VideoCodec::Copy));
    assert_eq!(failed(&on.convert(&outside).await).0, FailureClass::Job);
    outside.source = "../in/plain.mp4".into();
    assert_eq!(failed(&on.convert(&outside).await).0, FailureClass::Job);
}

#[tokio::test]
async fn a_source_that_changed_since_is_not_used_and_one_that_changes_meanwhile_is_dropped() {
    let Some(on) = Box::new() else { return };
    on.clip("a.mp4");
    let mut offer = on.offer("a.mp4", "a.mp4", profile(Container::Mp4, VideoCodec::Copy));
    let real = offer.stamp;
    offer.stamp.mtime_ns -= 1;
    let report_before = on.convert(&offer).await;
    assert_eq!(report_before.outcome, Outcome::SourceChanged(real));
    assert!(report_before.commands.is_empty());
    offer.stamp = real;
    let console = Console::default();
    let (_stopper, stop) = Stopper::new();
    let source = on.source("a.mp4");
    let touch = async {
        console.until(|c| !c.seen.lock().unwrap().is_empty()).await;
        console.until(|c| c.seen.lock().unwrap().iter().any(|p| p.phase == Phase::Verifying)).await;
        std::fs::File::options()
            .append(true)
            .open(&source)
            .unwrap()
            .set_modified(std::time::SystemTime::now())
            .unwrap();
    };
    let (end, ()) = tokio::join!(on.run(&offer, &console, stop), touch);
    assert!(matches!(report(end).outcome, Outcome::SourceChanged(now) if now != real));
    assert!(!on.output("a.mp4").exists() && on.leftovers().is_empty());
}

fn long_offer(on: &Box) -> vc_protocol::job::Offer {
    on.make("long.mkv", "-f lavfi -i testsrc2=s=640x360:r=25:d=60 -c:v mpeg4 -q:v 9");
    let mut wish = profile(Container::Mp4, VideoCodec::H264);
    wish.video.effort = vc_protocol::profile::Effort::Slow;
    on.offer("long.mkv", "long.mp4", wish)
}

#[tokio::test]
async fn a_cancelled_encode_is_gone_in_two_seconds_without_a_trace() {
    let Some(on) = Box::new() else { return };
    let offer = long_offer(&on);
    let console = Console::default();
    let (stopper, stop) = Stopper::new();
    let cancel = async {
        console.until(|c| c.seen.lock().unwrap().iter().any(|p| p.frames > 0)).await;
        assert!(!on.leftovers().is_empty(), "it is in the middle of it");
        stopper.stop(StopReason::Cancelled);
        Instant::now()
    };
    let (end, asked) = tokio::join!(on.run(&offer, &console, stop), cancel);
    let took = asked.elapsed();
    eprintln!("from cancel to gone: {took:?}");
    assert_eq!(report(end).outcome, Outcome::Stopped);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(on.leftovers().is_empty() && !on.output("long.mp4").exists());
}

#[tokio::test]
async fn while_the_console_is_silent_a_cancel_drops_the_result_and_a_shutdown_keeps_it_for_later() {
    let Some(on) = Box::new() else { return };
    on.clip("a.mp4");
    let offer = on.offer("a.mp4", "a.mp4", profile(Container::Mp4, VideoCodec::H264));
    let until_asked = async |reason| {
        let console = Console::that(Answer::Never);
        let (stopper, stop) = Stopper::new();
        let halt = async {
            console.until(|c| c.asked.load(Ordering::SeqCst) > 0).await;
            stopper.stop(reason);
        };
        tokio::join!(on.run(&offer, &console, stop), halt).0
    };
    assert_eq!(report(until_asked(StopReason::Cancelled).await).outcome, Outcome::Stopped);
    assert!(on.leftovers().is_empty());
    let End::Parked(proven) = until_asked(StopReason::Shutdown).await else { panic!("it is kept") };
    assert_eq!(on.leftovers().len(), 1);
    // The next agent process, with the grant: twice, as if it had died in between.
    for _ in 0..2 {
        let finished = vc_agent::commit::finish(on.context.storage.as_ref(), &offer, &proven).await;
        assert_eq!(finished, Outcome::Committed(proven.clone()));
    }
    assert!(on.output("a.mp4").exists() && on.leftovers().is_empty());
    // And one whose source changed while no agent ran.
    std::fs::remove_file(on.output("a.mp4")).unwrap();
    let End::Parked(proven) = until_asked(StopReason::Shutdown).await else { panic!("it is kept") };
    let now = std::time::SystemTime::now();
    std::fs::File::options().append(true).open(on.source("a.mp4")).unwrap().set_modified(now).unwrap();
    let finished = vc_agent::commit::finish(on.context.storage.as_ref(), &offer, &proven).await;
    assert!(matches!(finished, Outcome::SourceChanged(_)), "{finished:?}");
    assert!(!on.output("a.mp4").exists() && on.leftovers().is_empty());
}

#[tokio::test]
async fn a_stale_attempt_throws_its_result_away_and_discard_removes_what_a_dead_process_left() {
    let Some(on) = Box::new() else { return };
    on.clip("a.mp4");
    let offer = on.offer("a.mp4", "a.mp4", profile(Container::Mp4, VideoCodec::Copy));
    let (_stopper, stop) = Stopper::new();
    let end = on.run(&offer, &Console::that(Answer::Stale), stop).await;
    assert_eq!(report(end).outcome, Outcome::Stopped);
    assert!(on.leftovers().is_empty() && !on.output("a.mp4").exists());
    for name in ["7.1.abc.part.mp4", "7.1.abc.pass-0.log", "7.2.abc.part.mp4"] {
        std::fs::write(on.output(".vc-tmp").join(name), "x").unwrap();
    }
    vc_agent::commit::discard(on.context.storage.as_ref(), &offer).await.unwrap();
    assert_eq!(on.leftovers(), ["7.2.abc.part.mp4"]);
}
