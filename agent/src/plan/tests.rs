//! Media, profile and encoder in; the exact command line out.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use vc_protocol::profile::{AudioCodec, AudioWish, VideoWish};

mod kept;

use super::*;
use crate::encoder::{ENCODERS, Encoder, Route};

fn stream(index: u32, kind: StreamKind, codec: &str) -> Stream {
    Stream {
        index,
        kind,
        codec: codec.into(),
        language: None,
        width: 0,
        height: 0,
        pixel_format: String::new(),
        fps: 0.0,
        is_vfr: false,
        frames: None,
        duration_ms: Some(3000),
        rotation: 0,
        channels: 0,
        dispositions: vec!["default".to_owned()],
        ..Stream::default()
    }
}

pub(super) fn video() -> Stream {
    Stream {
        width: 320,
        height: 180,
        pixel_format: "yuv420p".into(),
        fps: 25.0,
        ..stream(0, StreamKind::Video, "mpeg4")
    }
}

fn audio(index: u32, codec: &str, channels: u32) -> Stream {
    Stream { channels, ..stream(index, StreamKind::Audio, codec) }
}

fn media(container: &str, streams: Vec<Stream>) -> Media {
    Media { container: container.into(), duration_ms: Some(3000), size: 1000, streams, ..Media::default() }
}

fn profile(container: Container, codec: VideoCodec, crf: Option<u8>, audio: AudioCodec) -> Profile {
    let video = VideoWish { crf, ..VideoWish::of(codec) };
    Profile::of(container, video, AudioWish { codec: audio, bitrate: None })
}

fn planned(media: &Media, profile: &Profile, major: u32) -> Result<Plan, Refusal> {
    let encoders = ["libx264", "libx265", "libsvtav1", "aac", "libopus", "flac"].map(str::to_owned).into();
    let of_cpu = |e: &&Encoder| e.codec == profile.video.codec && e.route == Route::Cpu;
    let encoder = ENCODERS.iter().find(of_cpu);
    let with = encoder.map(|encoder| Candidate { encoder, gpu: None, is_on_device: false });
    plan(media, profile, with.as_ref(), Caps { encoders: &encoders, major })
}

fn failure(planned: Result<Plan, Refusal>) -> Failure {
    match planned {
        Err(Refusal::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn files() -> Files {
    let path = |text: &str| PathBuf::from(text);
    Files {
        source: path("/in/a b.mkv"),
        part: path("/out/.vc-tmp/7.1.x.part.mp4"),
        pass_log: path("/out/t:1/7.pass"),
    }
}

/// Each command as one line, without the words that all begin with.
fn lines(plan: &Plan) -> Vec<String> {
    let common =
        "-nostdin -hide_banner -y -v level+warning -nostats -progress pipe:1 -protocol_whitelist file,pipe ";
    plan.commands(&files())
        .iter()
        .map(|args| {
            let line = args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
            line.strip_prefix(common).expect("every command begins alike").to_owned()
        })
        .collect()
}

#[test]
fn a_plain_clip_becomes_h264_in_mp4_with_its_aac_copied() {
    let media = media("mov,mp4", vec![video(), audio(1, "aac", 2)]);
    let plan =
        planned(&media, &profile(Container::Mp4, VideoCodec::H264, Some(20), AudioCodec::Aac), 9).unwrap();
    assert_eq!(
        lines(&plan),
        ["-i file:/in/a b.mkv -map 0:0 -map 0:1 -c:0 libx264 -preset:0 medium -crf:0 20 -pix_fmt:0 yuv420p \
          -fps_mode:0 vfr -c:1 copy -max_muxing_queue_size 4096 -movflags +faststart -f mp4 /out/.vc-tmp/7.1.x.part.mp4"]
    );
    assert_eq!(plan.warnings, [""; 0]);
}

fn everything() -> Media {
    let of = |index, kind, codec, language: &str| Stream {
        language: Some(language.into()),
        ..stream(index, kind, codec)
    };
    media(
        "matroska,webm",
        vec![
            Stream { language: Some("eng".into()), ..audio(0, "ac3", 6) },
            Stream { index: 1, ..video() },
            audio(2, "flac", 2),
            of(3, StreamKind::Subtitle, "subrip", "ger"),
            of(4, StreamKind::Subtitle, "hdmv_pgs_subtitle", "fre"),
            stream(5, StreamKind::Cover, "mjpeg"),
            stream(6, StreamKind::Attachment, "ttf"),
            stream(7, StreamKind::Data, "bin_data"),
            stream(8, StreamKind::Data, ""),
            audio(9, "", 4),
        ],
    )
}

#[test]
fn mp4_takes_what_it_can_and_names_what_it_cannot() {
    let media = Media { chapters: 2, ..everything() };
    let plan =
        planned(&media, &profile(Container::Mp4, VideoCodec::H264, Some(20), AudioCodec::Aac), 9).unwrap();
    assert_eq!(
        lines(&plan),
        ["-i file:/in/a b.mkv -map 0:1 -map 0:0 -map 0:2 -map 0:3 -map 0:5 \
          -c:0 libx264 -preset:0 medium -crf:0 20 -pix_fmt:0 yuv420p -fps_mode:0 vfr -c:1 aac -b:1 480000 \
          -c:2 aac -b:2 160000 -c:3 mov_text -c:4 copy -max_muxing_queue_size 4096 -movflags +faststart -f mp4 \
          /out/.vc-tmp/7.1.x.part.mp4"]
    );
    assert_eq!(
        plan.warnings,
        [
            "stream 4 (subtitles, hdmv_pgs_subtitle) is left out: mp4 cannot hold them",
            "stream 6 (attachment, ttf) is left out: mp4 holds no attachments",
            "stream 8 (data) is left out",
            "stream 9 (sound) is left out",
        ]
    );
    let kept: Vec<_> =
        plan.streams.iter().map(|s| (s.kind, s.codec.as_str(), s.language.as_deref())).collect();
    assert_eq!(
        kept,
        [
            (StreamKind::Video, "h264", None),
            (StreamKind::Audio, "aac", Some("eng")),
            (StreamKind::Audio, "aac", None),
            (StreamKind::Subtitle, "mov_text", Some("ger")),
            (StreamKind::Cover, "mjpeg", None),
        ]
    );
}

#[test]
fn mkv_keeps_everything_but_data() {
    let plan =
        planned(&everything(), &profile(Container::Mkv, VideoCodec::Hevc, Some(22), AudioCodec::Copy), 9)
            .unwrap();
    assert_eq!(
        lines(&plan),
        ["-i file:/in/a b.mkv -map 0:1 -map 0:0 -map 0:2 -map 0:3 -map 0:4 -map 0:5 -map 0:6 \
          -c:0 libx265 -preset:0 medium -crf:0 22 -x265-params:0 log-level=error \
          -pix_fmt:0 yuv420p -fps_mode:0 vfr -c:1 copy -c:2 copy -c:3 copy -c:4 copy -c:5 copy -c:6 copy \
          -max_muxing_queue_size 4096 -f matroska /out/.vc-tmp/7.1.x.part.mp4"]
    );
    assert_eq!(plan.warnings.len(), 4, "{:?}", plan.warnings);
}

#[test]
fn ten_bit_stays_where_the_codec_shows_it_and_is_reduced_aloud_where_not() {
    let deep = Stream {
        width: 1920,
        height: 1080,
        rotation: -90,
        is_vfr: true,
        pixel_format: "yuv420p10le".into(),
        ..video()
    };
    let media = media("mov,mp4", vec![deep]);
    let to = |codec, major| {
        planned(&media, &profile(Container::Mp4, codec, Some(24), AudioCodec::Aac), major).unwrap()
    };
    let hevc = to(VideoCodec::Hevc, 9);
    assert_eq!(
        lines(&hevc),
        [
            "-i file:/in/a b.mkv -map 0:0 -c:0 libx265 -preset:0 medium -crf:0 24 -x265-params:0 log-level=error \
          -pix_fmt:0 yuv420p10le -fps_mode:0 passthrough -enc_time_base:0 demux -tag:0 hvc1 \
          -max_muxing_queue_size 4096 -movflags +faststart -f mp4 /out/.vc-tmp/7.1.x.part.mp4"
        ]
    );
    assert_eq!(hevc.streams[0].size, Some((1080, 1920)));
    assert!(hevc.warnings.is_empty());
    let old = lines(&to(VideoCodec::Av1, 5)).concat();
    assert!(old.contains("-pix_fmt:0 yuv420p10le -fps_mode:0 vfr -max"), "{old}");
    let h264 = to(VideoCodec::H264, 9);
    assert!(lines(&h264).concat().contains("-pix_fmt:0 yuv420p "));
    assert_eq!(h264.warnings, ["stream 0: reduced from 10 to 8 bit, as players of h264 need"]);
}

#[test]
fn a_bitrate_is_encoded_in_two_passes_where_the_encoder_can() {
    let media = media("avi", vec![video(), audio(1, "mp3", 2)]);
    let with_bitrate = |codec| {
        let mut profile = profile(Container::Mp4, codec, None, AudioCodec::Aac);
        profile.video.bitrate = Some("6M".into());
        profile.audio.bitrate = Some("96k".into());
        profile
    };
    let x264 = planned(&media, &with_bitrate(VideoCodec::H264), 9).unwrap();
    assert_eq!(
        lines(&x264),
        [
            "-fflags +genpts -i file:/in/a b.mkv -map 0:0 -c:0 libx264 -preset:0 medium -b:0 6000000 \
             -pass:0 1 -passlogfile:0 /out/t:1/7.pass -pix_fmt:0 yuv420p -fps_mode:0 vfr -f null -",
            "-fflags +genpts -i file:/in/a b.mkv -map 0:0 -map 0:1 -c:0 libx264 -preset:0 medium \
             -b:0 6000000 -pass:0 2 -passlogfile:0 /out/t:1/7.pass -pix_fmt:0 yuv420p -fps_mode:0 vfr -c:1 aac \
             -b:1 96000 -max_muxing_queue_size 4096 -movflags +faststart -f mp4 /out/.vc-tmp/7.1.x.part.mp4",
        ]
    );
    let x265 = lines(&planned(&media, &with_bitrate(VideoCodec::Hevc), 9).unwrap());
    assert!(
        x265[0].contains(r"-x265-params:0 log-level=error:pass=1:stats=/out/t\:1/7.pass -pix_fmt:0 yuv420p -fps_mode:0 vfr -f null"),
        "{x265:?}"
    );
    assert!(
        x265[1].contains(r":pass=2:stats=/out/t\:1/7.pass -pix_fmt:0 yuv420p -fps_mode:0 vfr -tag:0 hvc1"),
        "{x265:?}"
    );
    let old = planned(&media, &with_bitrate(VideoCodec::Av1), 5).unwrap();
    assert_eq!(old.commands(&files()).len(), 1);
    assert_eq!(old.warnings, ["libsvtav1 of this ffmpeg has no two-pass mode: one pass was used"]);
}

#[test]
fn remux_copies_or_refuses_but_never_encodes_the_picture() {
    let remux = |container| profile(container, VideoCodec::Copy, None, AudioCodec::Copy);
    let vorbis = media("ogg", vec![Stream { codec: "theora".into(), ..video() }, audio(1, "truehd", 8)]);
    let refused = failure(planned(&vorbis, &remux(Container::Mp4), 9));
    assert_eq!(
        (refused.class, refused.cause.as_str()),
        (FailureClass::Source, "mp4 cannot hold this video (theora) unchanged")
    );
    let kept = planned(&vorbis, &remux(Container::Mkv), 9).unwrap();
    assert_eq!(
        lines(&kept),
        [
            "-i file:/in/a b.mkv -map 0:0 -map 0:1 -c:0 copy -c:1 copy -max_muxing_queue_size 4096 -f matroska \
          /out/.vc-tmp/7.1.x.part.mp4"
        ]
    );
    let sound_only = media("flac", vec![audio(0, "truehd", 6)]);
    let converted = planned(&sound_only, &remux(Container::Mp4), 9).unwrap();
    assert!(lines(&converted).concat().contains("-c:0 aac -b:0 480000"));
    assert_eq!(converted.warnings, ["stream 0: mp4 cannot hold truehd sound, which was converted"]);
}

#[test]
fn a_source_without_pictures_fails_unless_nothing_is_encoded() {
    let h264 = profile(Container::Mp4, VideoCodec::H264, Some(20), AudioCodec::Aac);
    let cause = |streams| failure(planned(&media("x", streams), &h264, 9));
    assert_eq!(cause(vec![audio(0, "mp3", 2)]).cause, "no video stream, only sound");
    let empty = cause(vec![stream(0, StreamKind::Data, "")]);
    assert_eq!((empty.class, empty.cause.as_str()), (FailureClass::Source, "no video stream"));
}

#[test]
fn opus_gets_layouts_that_it_takes_and_only_so_many_channels() {
    let media =
        media("matroska", vec![video(), audio(1, "dts", 6), audio(2, "pcm_s16le", 16), audio(3, "opus", 2)]);
    let line = lines(
        &planned(&media, &profile(Container::Mkv, VideoCodec::Av1, Some(30), AudioCodec::Opus), 9).unwrap(),
    );
    let layouts = "aformat=channel_layouts";
    assert!(
        line[0].contains(&format!("-c:1 libopus -b:1 384000 -filter:1 {layouts}=5.1 -c:2 libopus")),
        "{line:?}"
    );
    assert!(
        line[0].contains(&format!("-b:2 512000 -ac:2 8 -filter:2 {layouts}=7.1 -c:3 copy -max_muxing")),
        "{line:?}"
    );
}

#[test]
fn hostile_names_stay_one_word_and_are_never_options() {
    let media = media("mov,mp4", vec![video()]);
    let plan =
        planned(&media, &profile(Container::Mp4, VideoCodec::H264, Some(20), AudioCodec::Aac), 9).unwrap();
    for name in
        [&b"-i"[..], b"a\nb", b"it's \"quoted\"", b"\xff\xfe", b"100%d.mp4", b"concat:a|b", b"http://x"]
    {
        let mut source = b"/in/".to_vec();
        source.extend_from_slice(name);
        let source = PathBuf::from(OsString::from_vec(source));
        let args = plan.commands(&Files { source: source.clone(), ..files() }).remove(0);
        let at = args.iter().position(|a| a == "-i").unwrap();
        let mut expected = OsString::from("file:");
        expected.push(&source);
        assert_eq!(args[at + 1], expected);
        assert_eq!(args.last().unwrap(), "/out/.vc-tmp/7.1.x.part.mp4");
    }
}
