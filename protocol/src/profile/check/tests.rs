use proptest::prelude::*;

use super::*;
use crate::profile::{AudioWish, SizeGuard};

/// A change of a good profile, the key that is then at fault (none if it stays good), and a part of what is said.
type Case = (&'static str, fn(&mut Profile), Option<(&'static str, &'static str)>);

fn good() -> Profile {
    let video = VideoWish { crf: Some(20), ..VideoWish::of(VideoCodec::Hevc) };
    Profile::of(Container::Mkv, video, AudioWish { codec: AudioCodec::Copy, bitrate: None })
}

/// Without any quality.
fn set(profile: &mut Profile, container: Container, codec: VideoCodec) {
    profile.container = container;
    profile.video = VideoWish::of(codec);
}

fn run(cases: &[Case]) {
    for (name, change, wanted) in cases {
        let mut profile = good();
        change(&mut profile);
        let faults = profile.faults();
        match wanted {
            None => assert_eq!(faults, [], "{name}"),
            Some((field, part)) => {
                let [fault] = faults.as_slice() else { panic!("{name}: {faults:?}") };
                assert_eq!(fault.field, *field, "{name}");
                assert!(fault.to_string().contains(part), "{name}: {fault}");
            }
        }
    }
}

#[test]
fn exactly_one_quality_is_given_where_the_codec_has_one() {
    run(&[
        ("one", |_| {}, None),
        ("none", |p| p.video.crf = None, Some(("video.codec", "exactly one"))),
        ("two", |p| p.video.bitrate = Some("6M".into()), Some(("video.bitrate", "beside crf"))),
        ("crf", |p| p.video.crf = Some(52), Some(("video.crf", "0 (best) to 51"))),
        ("longer scale", |p| p.video = VideoWish { crf: Some(63), ..VideoWish::of(VideoCodec::Av1) }, None),
        (
            "off the longer scale",
            |p| p.video = VideoWish { crf: Some(64), ..VideoWish::of(VideoCodec::Vp9) },
            Some(("video.crf", "63")),
        ),
        (
            "bits",
            |p| (p.video.crf, p.video.bitrate) = (None, Some("lots".into())),
            Some(("video.bitrate", "6M")),
        ),
        ("bytes", |p| (p.video.crf, p.video.size) = (None, Some("1".into())), Some(("video.size", "700M"))),
        ("a size", |p| (p.video.crf, p.video.size) = (None, Some("700M".into())), None),
        ("vmaf", |p| (p.video.crf, p.video.target_vmaf) = (None, Some(95.0)), None),
        (
            "vmaf of nothing",
            |p| (p.video.crf, p.video.target_vmaf) = (None, Some(0.95)),
            Some(("video.target_vmaf", "1 to 100")),
        ),
        (
            "vmaf that is no number",
            |p| (p.video.crf, p.video.target_vmaf) = (None, Some(f64::NAN)),
            Some(("video.target_vmaf", "1 to 100")),
        ),
        (
            "ssim of one",
            |p| (p.video.crf, p.video.target_ssim) = (None, Some(1.0)),
            Some(("video.target_ssim", "0.98")),
        ),
        ("passes of crf", |p| p.video.passes = Some(2), Some(("video.passes", "bitrate or a size"))),
        (
            "three passes",
            |p| (p.video.crf, p.video.bitrate, p.video.passes) = (None, Some("6M".into()), Some(3)),
            Some(("video.passes", "1 or 2")),
        ),
        (
            "two passes",
            |p| (p.video.crf, p.video.bitrate, p.video.passes) = (None, Some("6M".into()), Some(2)),
            None,
        ),
        ("ffv1", |p| set(p, Container::Mkv, VideoCodec::Ffv1), None),
        ("ffv1 with crf", |p| p.video.codec = VideoCodec::Ffv1, Some(("video.crf", "ever lost"))),
        ("prores", |p| set(p, Container::Mov, VideoCodec::Prores), None),
        (
            "prores with a size",
            |p| {
                set(p, Container::Mov, VideoCodec::Prores);
                p.video.size = Some("4G".into());
            },
            Some(("video.size", "proxy")),
        ),
        ("copy with crf", |p| p.video.codec = VideoCodec::Copy, Some(("video.crf", "means nothing"))),
        (
            "copy that is made smaller",
            |p| {
                set(p, Container::Mkv, VideoCodec::Copy);
                p.video.max_height = Some(720);
            },
            Some(("video.max_height", "means nothing")),
        ),
    ]);
}

#[test]
fn values_are_on_their_scales_and_names_are_plain_words() {
    run(&[
        ("width", |p| p.video.max_width = Some(2), Some(("video.max_width", "16 to 16384"))),
        ("height", |p| p.video.max_height = Some(100_000), Some(("video.max_height", "16 to 16384"))),
        (
            "ten bits of h264",
            |p| (p.video.codec, p.video.depth) = (VideoCodec::H264, Depth::Ten),
            Some(("video.depth", "hevc")),
        ),
        ("ten bits", |p| p.video.depth = Depth::Ten, None),
        ("no time", |p| p.video.keyframe_s = Some(0.0), Some(("video.keyframe_s", "above 0"))),
        ("endless", |p| p.video.keyframe_s = Some(f64::INFINITY), Some(("video.keyframe_s", "at most 300"))),
        ("two seconds", |p| p.video.keyframe_s = Some(2.0), None),
        ("level", |p| p.video.level = Some("4.1".into()), None),
        ("profile", |p| p.video.profile = Some("main10 -y".into()), Some(("video.profile", "plain word"))),
        ("an option", |p| p.video.profile = Some("-y".into()), Some(("video.profile", "plain word"))),
        ("encoders", |p| p.video.encoders = vec!["hevc_nvenc".into(), "cpu".into()], None),
        ("a path", |p| p.video.encoders = vec!["../x".into()], Some(("video.encoders", "plain words"))),
        (
            "twice",
            |p| p.video.encoders = vec!["cpu".into(), "cpu".into()],
            Some(("video.encoders", "cpu twice")),
        ),
        ("guard", |p| p.guard = Some(SizeGuard { min_saving_percent: 5 }), None),
        (
            "guard of all",
            |p| p.guard = Some(SizeGuard { min_saving_percent: 100 }),
            Some(("guard.min_saving_percent", "1 to 99")),
        ),
        ("floor", |p| p.min_ssim = Some(1.5), Some(("min_ssim", "0.95"))),
        ("two lines", |p| p.description = "a\nb".into(), Some(("description", "one line"))),
        (
            "bits of flac",
            |p| p.audio = AudioWish { codec: AudioCodec::Flac, bitrate: Some("160k".into()) },
            Some(("audio.bitrate", "ever lost")),
        ),
        (
            "bits of sound",
            |p| p.audio = AudioWish { codec: AudioCodec::Aac, bitrate: Some("6M".into()) },
            Some(("audio.bitrate", "160k")),
        ),
    ]);
}

#[test]
fn a_container_is_asked_to_hold_only_what_it_can() {
    use Container::*;
    use VideoCodec::*;
    for (container, codec, fits) in [
        (Mkv, Drop, true),
        (Mkv, Prores, true),
        (Mp4, Vp9, true),
        (Mp4, Ffv1, false),
        (Mp4, Prores, false),
        (Mp4, Drop, false),
        (Mov, Prores, true),
        (Mov, Av1, false),
        (Mov, Ffv1, false),
        (Webm, Av1, true),
        (Webm, Vp9, true),
        (Webm, Hevc, false),
        (Webm, Drop, false),
        (M4a, Drop, true),
        (M4a, Copy, false),
        (Mka, H264, false),
    ] {
        let mut profile = good();
        set(&mut profile, container, codec);
        if matches!(codec, H264 | Hevc | Av1 | Vp9) {
            profile.video.crf = Some(20);
        }
        let faults: Vec<_> = profile.faults().into_iter().map(|fault| fault.field).collect();
        let wanted: &[&str] = if fits { &[] } else { &["video.codec"] };
        assert_eq!(faults, wanted, "{container:?} with {codec:?}");
    }
    for (container, codec, fits) in [
        (Mkv, AudioCodec::Flac, true),
        (Mp4, AudioCodec::Opus, true),
        (Mov, AudioCodec::Opus, false),
        (Webm, AudioCodec::Aac, false),
        (Webm, AudioCodec::Flac, false),
        (Webm, AudioCodec::Opus, true),
        (M4a, AudioCodec::Flac, false),
        (M4a, AudioCodec::Aac, true),
        (Mka, AudioCodec::Flac, true),
    ] {
        let mut profile = good();
        let is_sound = matches!(container, M4a | Mka);
        set(&mut profile, container, if is_sound { Drop } else { Copy });
        profile.audio.codec = codec;
        let faults: Vec<_> = profile.faults().into_iter().map(|fault| fault.field).collect();
        let wanted: &[&str] = if fits { &[] } else { &["audio.codec"] };
        assert_eq!(faults, wanted, "{container:?} with {codec:?}");
    }
}

#[test]
fn only_what_loses_nothing_is_checked_for_losing_nothing() {
    run(&[
        (
            "ffv1",
            |p| {
                set(p, Container::Mkv, VideoCodec::Ffv1);
                p.verify = Verify::Lossless;
            },
            None,
        ),
        (
            "ffv1 made smaller",
            |p| {
                set(p, Container::Mkv, VideoCodec::Ffv1);
                (p.verify, p.video.max_width) = (Verify::Lossless, Some(1280));
            },
            Some(("video.max_width", "lossless")),
        ),
        ("hevc", |p| p.verify = Verify::Lossless, Some(("verify", "ffv1"))),
        (
            "x264",
            |p| {
                p.verify = Verify::Lossless;
                p.video = VideoWish {
                    crf: Some(0),
                    encoders: vec!["libx264".into()],
                    ..VideoWish::of(VideoCodec::H264)
                };
            },
            None,
        ),
    ]);
}

#[test]
fn typed_options_replace_what_says_how_to_encode() {
    let pass = |output: &str| RawPass { input: String::new(), output: output.to_owned() };
    let mut profile = good();
    profile.video.crf = None;
    profile.passes = vec![pass("-c:v libx265 -crf 20 -an"), pass("-c:v libx265 -crf 20")];
    assert_eq!(profile.check(), Ok(()));
    profile.video.crf = Some(20);
    assert_eq!(profile.check().unwrap_err().field, "video.crf");
    profile.video.crf = None;
    profile.passes[1] = pass("-y");
    assert_eq!(profile.check().unwrap_err().field, "pass.2.output");
    profile.passes = vec![pass("-an"); 5];
    assert_eq!(profile.check().unwrap_err().field, "pass");
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), number in any::<f64>(), byte in any::<u8>()) {
        let mut profile = good();
        profile.description = text.clone();
        let texts = [
            &mut profile.video.bitrate,
            &mut profile.video.size,
            &mut profile.video.profile,
            &mut profile.video.level,
            &mut profile.audio.bitrate,
        ];
        for slot in texts {
            *slot = Some(text.clone());
        }
        profile.video.encoders = vec![text.clone(), text];
        (profile.video.target_vmaf, profile.video.keyframe_s) = (Some(number), Some(number));
        (profile.video.crf, profile.video.passes) = (Some(byte), Some(byte));
        prop_assert!(!profile.faults().is_empty());
        let _ = profile.words();
    }
}
