//! Choices, as tables.

use vc_protocol::device::TrialFacts;

use super::*;
use crate::encoder::ENCODERS;

const CARD: DeviceId = DeviceId(1);
const CPU: DeviceId = DeviceId(0);

fn gpu() -> Gpu {
    Gpu {
        pci: None,
        name: "Intel(R) Arc(tm) A770".into(),
        vulkan: vec![0],
        render_node: Some("/dev/dri/renderD128".into()),
        nvidia: None,
        encodes: Vec::new(),
        is_software: false,
    }
}

fn proved() -> Proved {
    let listed = ENCODERS.iter().map(|encoder| encoder.name.to_owned());
    let listed = listed.filter(|name| !name.ends_with("videotoolbox")).collect();
    Proved::new(listed, [(CPU, None), (CARD, Some(gpu()))])
}

/// An encoder with trials, each as `(bits, way, problem)`.
fn facts(name: &str, trials: &[(u8, RateMode, &str)]) -> EncoderFacts {
    let trial = |&(bits, rate, problem): &(u8, RateMode, &str)| TrialFacts {
        bits,
        rate,
        problem: problem.into(),
        fps: problem.is_empty().then_some(30.0),
        psnr_db: None,
    };
    let trials: Vec<_> = trials.iter().map(trial).collect();
    let fps = trials.iter().find_map(|trial| trial.fps);
    let problem = if fps.is_some() { String::new() } else { trials[0].problem.clone() };
    EncoderFacts { name: name.into(), problem, fps, trials }
}

const QUALITY: RateMode = RateMode::Quality;
const BITRATE: RateMode = RateMode::Bitrate;

fn good(name: &str) -> EncoderFacts {
    facts(name, &[(8, QUALITY, ""), (8, BITRATE, ""), (10, QUALITY, ""), (10, BITRATE, "")])
}

/// `hevc_vulkan hevc_vaapi | hevc_qsv: failed its trial: …`
fn told(choice: &Choice) -> String {
    let name = |c: &Candidate| format!("{}{}", c.encoder.name, if c.is_on_device { "+" } else { "" });
    let candidates: Vec<_> = choice.candidates.iter().map(name).collect();
    let over: Vec<_> = choice.passed_over.iter().map(|p| format!("{}: {}", p.encoder, p.cause)).collect();
    format!("{} | {}", candidates.join(" "), over.join(", "))
}

fn want(codec: VideoCodec, bits: u8, rate: RateMode) -> Want<'static> {
    Want { codec, bits, rate, order: &[] }
}

#[test]
fn vulkan_comes_before_the_makers_and_those_before_the_processor_and_only_what_passed() {
    let proved = proved();
    let hevc = want(VideoCodec::Hevc, 8, QUALITY);
    let untried = "libx265 | hevc_vulkan: not tried yet, hevc_qsv: not tried yet, hevc_vaapi: not tried yet";
    assert_eq!(told(&proved.choose(CARD, hevc)), untried);
    assert_eq!(told(&proved.choose(CPU, hevc)), "libx265 | ");
    let garbage = facts("hevc_qsv", &[(8, QUALITY, "makes garbage"), (10, QUALITY, "makes garbage")]);
    for (tried, expected) in [
        (vec![good("hevc_vulkan"), good("hevc_qsv")], "hevc_vulkan hevc_qsv libx265 | "),
        (
            vec![good("hevc_qsv"), good("hevc_vaapi")],
            "hevc_qsv hevc_vaapi libx265 | hevc_vulkan: not tried yet",
        ),
        (
            vec![garbage, good("hevc_vaapi")],
            "hevc_vaapi libx265 | hevc_vulkan: not tried yet, hevc_qsv: failed its trial: makes garbage",
        ),
    ] {
        proved.tried(CARD, tried);
        assert_eq!(told(&proved.choose(CARD, hevc)), expected);
    }
}

#[test]
fn an_encoder_is_used_only_for_the_depth_and_the_way_that_were_proved() {
    let proved = proved();
    let vulkan = facts("hevc_vulkan", &[(8, QUALITY, ""), (8, BITRATE, NO_TURN), (10, QUALITY, "no 10 bit")]);
    proved.tried(CARD, vec![vulkan, good("hevc_qsv"), good("hevc_vaapi"), good("h264_qsv")]);
    for (codec, bits, rate, expected) in [
        (VideoCodec::Hevc, 8, QUALITY, "hevc_vulkan hevc_qsv hevc_vaapi libx265 | "),
        (
            VideoCodec::Hevc,
            10,
            QUALITY,
            "hevc_qsv hevc_vaapi libx265 | hevc_vulkan: failed its trial at 10 bit by quality: no 10 bit",
        ),
        (
            VideoCodec::Hevc,
            12,
            BITRATE,
            "hevc_qsv hevc_vaapi libx265 | hevc_vulkan: not proved at 10 bit by bitrate",
        ),
        (
            VideoCodec::Hevc,
            8,
            BITRATE,
            "hevc_qsv hevc_vaapi libx265 | hevc_vulkan: its trial at 8 bit by bitrate had no turn within a minute",
        ),
        // All of them make 8 bit of 10 here, as the processor's does.
        (VideoCodec::H264, 10, QUALITY, "h264_qsv libx264 | h264_vulkan: not tried yet"),
    ] {
        assert_eq!(told(&proved.choose(CARD, want(codec, bits, rate))), expected, "{codec:?} {bits}");
    }
}

#[test]
fn what_must_lose_nothing_takes_only_an_encoder_that_keeps_every_bit() {
    let proved = proved();
    proved.tried(CARD, vec![facts("ffv1_vulkan", &[(8, QUALITY, ""), (10, QUALITY, "")])]);
    for (bits, rate, expected) in [
        (10, QUALITY, "ffv1_vulkan ffv1 | "),
        (16, QUALITY, "ffv1 | ffv1_vulkan: would lose something: it takes 10 bit at most"),
        (8, BITRATE, " | ffv1_vulkan: cannot be given a bitrate, ffv1: cannot be given a bitrate"),
    ] {
        let choice = proved.choose(CARD, want(VideoCodec::Ffv1, bits, rate));
        assert_eq!(told(&choice), expected, "{bits} bit");
    }
}

#[test]
fn a_profile_orders_them_by_name_or_by_way_and_the_rest_follow() {
    let proved = proved();
    let vaapi = facts("hevc_vaapi", &[(8, QUALITY, "makes garbage")]);
    proved.tried(CARD, vec![good("hevc_vulkan"), good("hevc_qsv"), vaapi]);
    for (order, expected) in [
        (&["cpu"][..], "libx265 hevc_vulkan hevc_qsv | "),
        (&["vendor", "vulkan"], "hevc_qsv hevc_vulkan libx265 | "),
        (&["cpu", "vulkan"], "libx265 hevc_vulkan hevc_qsv | "),
        (&["HEVC_QSV", "libx265"], "hevc_qsv libx265 hevc_vulkan | "),
        (&["vaapi"], "hevc_vulkan hevc_qsv libx265 | hevc_vaapi: failed its trial: makes garbage"),
    ] {
        let order: Vec<String> = order.iter().map(|word| (*word).to_owned()).collect();
        let want = Want { order: &order, ..want(VideoCodec::Hevc, 8, QUALITY) };
        assert_eq!(told(&proved.choose(CARD, want)), expected, "{order:?}");
    }
}

#[test]
fn pictures_stay_on_the_card_only_where_that_path_passed_for_the_codec_of_the_source() {
    let proved = proved();
    let paths =
        [facts("scale_vulkan:h264", &[(8, QUALITY, "")]), facts("scale_qsv:av1", &[(8, QUALITY, "bad")])];
    let tried = [good("hevc_vulkan"), good("hevc_qsv")].into_iter().chain(paths).collect();
    proved.tried(CARD, tried);
    for (source, expected) in [
        ("h264", "hevc_vulkan+ hevc_vulkan hevc_qsv libx265 | "),
        ("av1", "hevc_vulkan hevc_qsv libx265 | "),
        ("", "hevc_vulkan hevc_qsv libx265 | "),
    ] {
        let choice = proved.choose(CARD, want(VideoCodec::Hevc, 8, QUALITY));
        assert_eq!(told(&proved.on_device(CARD, choice, source)), expected, "{source}");
    }
    let names: Vec<_> = proved.facts(CARD).into_iter().map(|facts| facts.name).collect();
    assert!(names.ends_with(&["scale_vulkan:h264".to_owned(), "scale_qsv:av1".to_owned()]), "{names:?}");
}

#[test]
fn an_encoder_that_fails_twice_in_a_row_at_work_is_passed_over_until_its_next_trial() {
    let proved = proved();
    let hevc = want(VideoCodec::Hevc, 8, QUALITY);
    let encoder = ENCODERS.iter().find(|encoder| encoder.name == "hevc_vulkan").unwrap();
    let vulkan = &Candidate { encoder, gpu: Some(gpu()), is_on_device: false };
    let onboard = &Candidate { is_on_device: true, ..vulkan.clone() };
    proved.tried(CARD, vec![good("hevc_vulkan")]);
    proved.failed(CARD, vulkan, "bad picture");
    proved.worked(CARD, vulkan);
    proved.failed(CARD, vulkan, "bad picture");
    proved.failed(CARD, onboard, "no decoder");
    assert!(told(&proved.choose(CARD, hevc)).starts_with("hevc_vulkan "));
    assert_eq!(proved.codecs(CARD), [VideoCodec::Hevc]);
    proved.failed(CARD, vulkan, "wrong length");
    let told_now = told(&proved.choose(CARD, hevc));
    assert!(
        told_now.starts_with("libx265 | hevc_vulkan: failed its last 2 jobs: wrong length"),
        "{told_now}"
    );
    assert!(proved.codecs(CARD).is_empty());
    let facts = proved.facts(CARD).into_iter().find(|facts| facts.name == "hevc_vulkan").unwrap();
    assert_eq!(facts.problem, "failed its last 2 jobs: wrong length");
    proved.tried(CARD, vec![good("hevc_vulkan")]);
    assert!(told(&proved.choose(CARD, hevc)).starts_with("hevc_vulkan "));
}

#[test]
fn the_processor_is_offered_untried_and_until_a_trial_fails() {
    let proved = proved();
    let av1 = want(VideoCodec::Av1, 10, QUALITY);
    assert_eq!(told(&proved.choose(CPU, av1)), "libsvtav1 | ");
    assert!(proved.codecs(CPU).contains(&VideoCodec::Copy) && proved.codecs(CPU).contains(&VideoCodec::Av1));
    let mixed =
        facts("libsvtav1", &[(8, QUALITY, ""), (8, BITRATE, NO_TURN), (10, QUALITY, "makes garbage")]);
    proved.tried(CPU, vec![mixed]);
    assert_eq!(
        told(&proved.choose(CPU, av1)),
        " | libsvtav1: failed its trial at 10 bit by quality: makes garbage"
    );
    assert_eq!(told(&proved.choose(CPU, want(VideoCodec::Av1, 8, BITRATE))), "libsvtav1 | ");
}
