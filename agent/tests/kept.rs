//! What a real ffmpeg keeps of a source when it runs what a plan says: colour, HDR, fields, shapes, speakers and times.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panics, and say aloud what they skip"
)]

mod support;

use support::{Box, committed, profile};
use vc_protocol::agent::Outcome;
use vc_protocol::media::{Media, Stream};
use vc_protocol::profile::{AudioCodec, Container, Interlaced, RawPass, Verify, VideoCodec};

/// First ffmpeg that writes what frames say of HDR10 into headers.
const TELLS_SINCE_MAJOR: u32 = 8;

fn has(on: &Box, encoder: &str) -> bool {
    let has = on.context.tools.encoders.contains(encoder);
    if !has {
        eprintln!("skipped: this ffmpeg has no {encoder}");
    }
    has
}

fn video(media: &Media) -> &Stream {
    media.video().unwrap()
}

/// A few frames of PQ with the light of its screen, made by x265.
fn hdr10(on: &Box) {
    on.make(
        "hdr10.ts",
        "-f lavfi -i testsrc2=s=192x108:r=25:d=0.4 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params \
         log-level=error:hdr-opt=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:\
         range=limited:chromaloc=2:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):\
         max-cll=1000,400",
    );
}

#[tokio::test]
async fn hdr10_that_only_frames_tell_of_is_found_and_reaches_every_output() {
    let Some(on) = Box::new() else { return };
    if !has(&on, "libx265") {
        return;
    }
    hdr10(&on);
    let major = on.context.tools.major;
    for (name, encoder, codec, container) in [
        ("x265.mkv", "libx265", VideoCodec::Hevc, Container::Mkv),
        ("x265.mp4", "libx265", VideoCodec::Hevc, Container::Mp4),
        ("svt.mp4", "libsvtav1", VideoCodec::Av1, Container::Mp4),
        ("ffv1.mkv", "ffv1", VideoCodec::Ffv1, Container::Mkv),
    ] {
        if !has(&on, encoder) {
            continue;
        }
        let report = on.convert(&on.offer("hdr10.ts", name, profile(container, codec))).await;
        committed(&report);
        let source = report.media.as_ref().unwrap();
        assert_eq!(video(source).hdr.light, Some((1000, 400)), "found in the frames");
        let made = on.look(&on.output(name));
        let made = video(&made);
        assert_eq!((made.pixel_format.as_str(), made.colour.transfer.as_str()), ("yuv420p10le", "smpte2084"));
        if major >= TELLS_SINCE_MAJOR {
            assert_eq!((&made.hdr, made.colour.chroma.as_str()), (&video(source).hdr, "topleft"), "{name}");
        }
    }
    let mut small = profile(Container::Mkv, VideoCodec::Hevc);
    (small.video.crf, small.video.bitrate, small.video.max_height) = (None, Some("300k".into()), Some(54));
    committed(&on.convert(&on.offer("hdr10.ts", "small.mkv", small)).await);
    let small = on.look(&on.output("small.mkv"));
    assert_eq!((video(&small).width, video(&small).height), (96, 54));
    if major >= TELLS_SINCE_MAJOR {
        assert!(video(&small).hdr.mastering.is_some() && video(&small).colour.chroma == "topleft");
    }
}

#[tokio::test]
async fn hlg_keeps_its_meaning_and_its_depth() {
    let Some(on) = Box::new() else { return };
    if !has(&on, "libx265") {
        return;
    }
    on.make(
        "hlg.mp4",
        "-f lavfi -i testsrc2=s=192x108:r=25:d=0.4 -vf \
         format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv \
         -c:v libx265 -preset ultrafast -x265-params log-level=error -tag:v hvc1",
    );
    for codec in [VideoCodec::Hevc, VideoCodec::Copy] {
        let name = format!("{codec:?}.mkv");
        committed(&on.convert(&on.offer("hlg.mp4", &name, profile(Container::Mkv, codec))).await);
        let made = on.look(&on.output(&name));
        let colour = &video(&made).colour;
        assert_eq!(
            (colour.primaries.as_str(), colour.transfer.as_str(), colour.matrix.as_str()),
            ("bt2020", "arib-std-b67", "bt2020nc"),
            "{name}"
        );
        assert_eq!(video(&made).pixel_format, "yuv420p10le");
    }
}

#[tokio::test]
async fn fields_stay_in_their_order_or_are_joined() {
    let Some(on) = Box::new() else { return };
    on.make(
        "fields.mpg",
        "-f lavfi -i testsrc2=s=192x112:r=50:d=1 -vf setsar=64/45,tinterlace=interleave_top -c:v mpeg2video \
         -flags +ilme+ildct",
    );
    let shape = video(&on.look(&on.source("fields.mpg"))).pixel_aspect;
    assert!(shape.is_some());
    for (name, codec, interlaced, is_interlaced) in [
        ("kept.mp4", VideoCodec::H264, Interlaced::Keep, true),
        ("kept.mkv", VideoCodec::Ffv1, Interlaced::Keep, true),
        ("joined.mp4", VideoCodec::H264, Interlaced::Deinterlace, false),
        ("cannot.mp4", VideoCodec::Hevc, Interlaced::Keep, false),
    ] {
        let container = if name.ends_with("mkv") { Container::Mkv } else { Container::Mp4 };
        let mut wish = profile(container, codec);
        wish.video.interlaced = interlaced;
        let report = on.convert(&on.offer("fields.mpg", name, wish)).await;
        committed(&report);
        let made = on.look(&on.output(name));
        assert_eq!(video(&made).is_interlaced(), is_interlaced, "{name}: {}", video(&made).field_order);
        assert_eq!(video(&made).pixel_aspect, shape, "{name}");
        let is_told = report.warnings.iter().any(|w| w.contains("cannot keep: it was deinterlaced"));
        assert_eq!(is_told, name == "cannot.mp4", "{:?}", report.warnings);
    }
}

#[tokio::test]
async fn the_shape_of_pixels_survives_scaling_and_turning_is_applied_or_kept() {
    let Some(on) = Box::new() else { return };
    on.make(
        "wide.mp4",
        "-f lavfi -i testsrc2=s=180x144:r=25:d=1 -vf setsar=64/45 -c:v libx264 -preset ultrafast",
    );
    let mut small = profile(Container::Mkv, VideoCodec::H264);
    small.video.max_height = Some(72);
    committed(&on.convert(&on.offer("wide.mp4", "wide.mkv", small)).await);
    let wide = on.look(&on.output("wide.mkv"));
    assert_eq!(
        (video(&wide).width, video(&wide).height, video(&wide).pixel_aspect),
        (90, 72, Some((64, 45)))
    );
    let plain =
        on.make("plain.mp4", "-f lavfi -i testsrc2=s=192x108:r=25:d=1 -c:v libx264 -preset ultrafast");
    if on.context.tools.major < TELLS_SINCE_MAJOR {
        eprintln!("skipped: this ffmpeg cannot turn a clip for the test");
        return;
    }
    on.make("turned.mp4", &format!("-display_rotation 90 -i {} -c copy", plain.display()));
    for (name, codec, size, rotation) in [
        ("turned.mp4", VideoCodec::H264, (108, 192), 0),
        ("copied.mp4", VideoCodec::Copy, (192, 108), 90),
        ("lossless.mkv", VideoCodec::Ffv1, (192, 108), 90),
    ] {
        let container = if name.ends_with("mkv") { Container::Mkv } else { Container::Mp4 };
        let mut wish = profile(container, codec);
        if codec == VideoCodec::Ffv1 {
            wish.verify = Verify::Lossless;
        }
        committed(&on.convert(&on.offer("turned.mp4", name, wish)).await);
        let made = on.look(&on.output(name));
        let made = video(&made);
        assert_eq!(((made.width, made.height), made.rotation), (size, rotation), "{name}");
    }
}

#[tokio::test]
async fn pictures_of_every_kind_of_numbers_are_kept_without_loss() {
    let Some(on) = Box::new() else { return };
    for format in ["yuvj420p", "bgr24", "yuva420p", "gray", "yuv422p10le", "nv12", "yuv411p"] {
        let (codec, name) = if format == "yuvj420p" { ("mjpeg", "s.mov") } else { ("rawvideo", "s.nut") };
        on.make(name, &format!("-f lavfi -i testsrc2=s=65x35:r=25:d=0.2 -vf format={format} -c:v {codec}"));
        let mut wish = profile(Container::Mkv, VideoCodec::Ffv1);
        wish.verify = Verify::Lossless;
        let output = format!("{format}.mkv");
        committed(&on.convert(&on.offer(name, &output, wish)).await);
    }
}

#[tokio::test]
async fn sound_and_picture_keep_their_distance_and_speakers_their_number() {
    let Some(on) = Box::new() else { return };
    let picture = "-f lavfi -i testsrc2=s=192x108:r=25:d=2";
    let sound = "-f lavfi -i anoisesrc=d=1.5:a=0.1";
    let coded = "-filter:a aformat=channel_layouts=5.1(side) -map 0:v -map 1:a -c:v mpeg4 -c:a ac3";
    for (name, words) in [
        ("late-sound.mkv", format!("{picture} -itsoffset 0.5 {sound} {coded}")),
        ("late-picture.mkv", format!("-itsoffset 0.51 {picture} {sound} {coded}")),
        ("broadcast.ts", format!("{picture} -itsoffset 0.317 {sound} {coded} -output_ts_offset 26000")),
        (
            "negative.mov",
            format!("{picture} {sound} {coded} -output_ts_offset -0.2 -avoid_negative_ts disabled"),
        ),
    ] {
        on.make(name, &words);
        let apart =
            |media: &Media| media.streams[1].start_ms.unwrap_or(0) - media.streams[0].start_ms.unwrap_or(0);
        let wanted = apart(&on.look(&on.source(name)));
        for container in [Container::Mp4, Container::Mkv] {
            let output = format!("{name}.{}", container.extension());
            committed(&on.convert(&on.offer(name, &output, profile(container, VideoCodec::H264))).await);
            let made = on.look(&on.output(&output));
            // AAC begins with half a frame of silence, which mp4 hides and Matroska counts.
            let moved = (apart(&made) - wanted).abs();
            assert!(moved <= 25, "{output}: moved by {moved} ms");
            assert_eq!((made.streams[1].channels, made.streams[1].codec.as_str()), (6, "aac"), "{output}");
        }
    }
    for (codec, encoder) in
        [(AudioCodec::Opus, "libopus"), (AudioCodec::Flac, "flac"), (AudioCodec::Ac3, "ac3")]
    {
        if !has(&on, encoder) {
            continue;
        }
        for layout in ["2.1", "5.1(side)", "6.0", "7.1", "7.1(wide)"] {
            on.make("s.wav", &format!("-f lavfi -i anullsrc=cl={layout}:r=48000:d=0.3 -c:a pcm_s16le"));
            let mut wish = profile(Container::Mka, VideoCodec::Drop);
            wish.audio.codec = codec;
            let output = format!("{encoder}{layout}.mka");
            committed(&on.convert(&on.offer("s.wav", &output, wish)).await);
        }
    }
}

#[tokio::test]
async fn a_size_is_met_and_a_hopeless_one_is_refused() {
    let Some(on) = Box::new() else { return };
    on.make(
        "s.mkv",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=8 -f lavfi -i sine=d=8 -c:v mpeg4 -q:v 2 -c:a flac",
    );
    let mut wish = profile(Container::Mp4, VideoCodec::H264);
    (wish.video.crf, wish.video.size) = (None, Some("400000".into()));
    let report = on.convert(&on.offer("s.mkv", "s.mp4", wish.clone())).await;
    let size = committed(&report).size;
    assert!((300_000..=420_000).contains(&size), "{size} bytes");
    wish.video.size = Some("100000".into());
    let report = on.convert(&on.offer("s.mkv", "t.mp4", wish)).await;
    assert!(
        matches!(&report.outcome, Outcome::Failed(f) if f.cause.contains("cannot hold")),
        "{:?}",
        report.outcome
    );
}

#[tokio::test]
async fn typed_passes_run_with_our_files_and_leave_nothing_behind() {
    let Some(on) = Box::new() else { return };
    on.clip("s.mp4");
    let mut wish = profile(Container::Mkv, VideoCodec::H264);
    wish.video.crf = None;
    let pass = |output: &str| RawPass { input: String::new(), output: output.to_owned() };
    wish.passes = vec![
        pass("-an -c:v libx264 -preset ultrafast -b:v 200k -pass 1"),
        pass("-t 2 -vf 'scale=160:90, hflip' -c:v libx264 -preset ultrafast -b:v 200k -c:a copy -pass 2"),
    ];
    let report = on.convert(&on.offer("s.mp4", "s.mkv", wish.clone())).await;
    committed(&report);
    assert_eq!((report.encoder.as_str(), on.leftovers().len()), ("libx264", 0));
    assert_eq!(video(&on.look(&on.output("s.mkv"))).width, 160);
    wish.video.codec = VideoCodec::Hevc;
    let report = on.convert(&on.offer("s.mp4", "t.mkv", wish)).await;
    assert!(matches!(&report.outcome, Outcome::Failed(f) if f.cause.contains("it has no hevc picture")));
}
