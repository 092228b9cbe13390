//! Outputs that are not what was planned, one fault each.

use vc_protocol::media::{Colour, Hdr, Mastering};

use super::*;
use crate::plan::RawRun;

fn stream_of(index: u32, kind: StreamKind, codec: &str) -> Stream {
    Stream {
        index,
        kind,
        codec: codec.into(),
        language: None,
        width: if kind == StreamKind::Video { 320 } else { 0 },
        height: if kind == StreamKind::Video { 180 } else { 0 },
        pixel_format: String::new(),
        fps: 25.0,
        is_vfr: false,
        frames: (kind == StreamKind::Video).then_some(75),
        duration_ms: Some(3000),
        rotation: 0,
        channels: 0,
        dispositions: vec!["default".to_owned()],
        ..Stream::default()
    }
}

fn planned(kind: StreamKind, codec: &str, action: Action) -> Planned {
    let size = (kind == StreamKind::Video).then_some((320, 180));
    Planned {
        source: 0,
        action,
        kind,
        codec: codec.into(),
        language: Some("eng".into()),
        size,
        dispositions: Vec::new(),
        channels: 0,
        colour: Default::default(),
        hdr: Default::default(),
        rotation: 0,
        duration_ms: None,
        source_codec: String::new(),
        source_format: String::new(),
        tags: Vec::new(),
    }
}

fn the_plan() -> Plan {
    let picture = crate::plan::Picture {
        filter: None,
        is_altered: false,
        is_joined: false,
        format: "yuv420p",
        is_vfr: false,
        size: Some((320, 180)),
        options: Vec::new(),
    };
    Plan {
        container: Container::Mp4,
        with: None,
        rate: crate::encoder::Rate::Fixed,
        effort: vc_protocol::profile::Effort::Medium,
        streams: vec![
            planned(StreamKind::Video, "h264", Action::Picture(picture)),
            planned(StreamKind::Audio, "aac", Action::Copy),
        ],
        is_two_pass: false,
        needs_time_stamps: false,
        has_exact_times: true,
        durations_ms: vec![3000],
        raw: Vec::new(),
        chapters: 1,
        verify: Default::default(),
        warnings: Vec::new(),
    }
}

fn output() -> Media {
    let english = |stream: Stream| Stream { language: Some("eng".into()), ..stream };
    Media {
        container: "mov,mp4,m4a".into(),
        duration_ms: Some(3020),
        size: 1,
        streams: vec![
            english(stream_of(0, StreamKind::Video, "h264")),
            english(stream_of(1, StreamKind::Audio, "aac")),
            stream_of(2, StreamKind::Data, "bin_data"),
        ],
        chapters: 1,
        ..Media::default()
    }
}

fn facts(log: &str) -> Facts {
    Facts { log: log.into(), frames: Some(75), out_ms: Some(3000) }
}

fn check(change: impl FnOnce(&mut Media), log: &str, class: FailureClass, cause: &str) {
    let mut media = output();
    change(&mut media);
    let failure = compare(&the_plan(), &facts(log), &media).unwrap_err();
    assert_eq!((failure.class, failure.cause.as_str()), (class, cause));
}

#[test]
fn what_is_as_planned_passes_without_a_word() {
    assert_eq!(compare(&the_plan(), &facts(""), &output()), Ok(Vec::new()));
}

#[test]
fn each_difference_is_refused_by_name() {
    use FailureClass::{Encoder, Source};
    check(|m| m.container = "avi".into(), "", Encoder, "the output is not right: it is avi and not mp4");
    check(|m| drop(m.streams.remove(1)), "", Encoder, "the output is not right: it has 1 streams and not 2");
    check(
        |m| m.streams[1].codec = "mp3".into(),
        "",
        Encoder,
        "the output is not right: stream 1 is mp3 and not aac",
    );
    check(
        |m| m.streams[0].width = 160,
        "",
        Encoder,
        "the output is not right: stream 0 is 160x180 and not 320x180",
    );
    check(|m| m.duration_ms = None, "", Encoder, "the output is not right: it has no length");
    check(
        |m| m.streams[0].frames = Some(70),
        "",
        Encoder,
        "the output is not right: it holds 70 frames and 75 were encoded",
    );
    let short = "the output is not right: it is 0:01.6 long and the source 0:03.0";
    check(|m| m.duration_ms = Some(1600), "", Encoder, short);
    let lost = "the output is not right: stream 1: language unknown and not eng";
    check(|m| m.streams[1].language = None, "", Encoder, lost);
    let partial = "[mov @ 0x1] [error] stream 1, offset 0x30: partial file";
    check(|m| m.duration_ms = Some(1600), partial, Source, "source ends at 0:01.6 of 0:03.0 (truncated?)");
}

#[test]
fn frames_must_decode_and_all_of_them_where_all_were_tried() {
    let of = |n: i64| Described { media: output(), times_ms: [(0, (0..n).map(|i| i * 40).collect())].into() };
    let judge = |n, is_whole| frames(&the_plan(), &facts(""), &of(n), is_whole).map_err(|f| f.cause);
    assert_eq!(judge(75, true), Ok(()));
    assert_eq!(judge(70, false), Ok(()));
    let cause = |what| Err(format!("the output is not right: {what}"));
    assert_eq!(judge(60, false), cause("frames are missing at the end of stream 0"));
    assert_eq!(judge(74, true), cause("74 of 75 frames decode"));
    assert_eq!(judge(0, false), cause("no frame of stream 0 decodes"));
}

#[test]
fn a_length_may_be_that_of_the_kept_streams_and_lengths_scale() {
    let long = |is, wanted: &[u64]| {
        let plan = Plan { durations_ms: wanted.to_vec(), ..the_plan() };
        length(&plan, &facts(""), &Media { duration_ms: Some(is), ..output() }).is_ok()
    };
    assert!(long(3000, &[60_000, 3000]));
    assert!(long(7_193_000, &[7_200_000]), "0.1 % of two hours is 7.2 s");
    assert!(!long(7_192_000, &[7_200_000]));
    assert!(
        long(3400, &[]) && !long(9000, &[]),
        "without a length of the source, the encoder's count decides"
    );
    let stamps = "broken time stamps: 1:42 came out of 0:03.0";
    check(|m| m.duration_ms = Some(102_000), "", FailureClass::Source, stamps);
    let mut copied = the_plan();
    copied.streams[0].action = Action::Copy;
    let hidden = length(&copied, &facts(""), &Media { duration_ms: Some(3_600), ..output() });
    assert_eq!(hidden, Ok(Some("0:00.6 that the source hides at its start is shown".into())));
    assert_eq!((clock(16_900), clock(3_723_000)), ("0:16.9".into(), "1:02:03".into()));
}

/// A change to the plan and one to the output: the cause, or the warnings.
fn against(
    plan: impl FnOnce(&mut Planned),
    output_has: impl FnOnce(&mut Stream),
) -> Result<Vec<String>, String> {
    let (mut wanted, mut media) = (the_plan(), output());
    plan(&mut wanted.streams[0]);
    output_has(&mut media.streams[0]);
    compare(&wanted, &facts(""), &media).map_err(|failure| failure.cause)
}

#[test]
fn what_is_planned_of_a_stream_is_held_against_it() {
    let hdr10 = || Colour {
        primaries: "bt2020".into(),
        transfer: "smpte2084".into(),
        matrix: "bt2020nc".into(),
        range: "tv".into(),
        chroma: "left".into(),
    };
    let screen = Mastering {
        points: [(35_400, 14_600), (8_500, 39_850), (6_550, 2_300), (15_635, 16_450)],
        min: 50,
        max: 10_000_000,
    };
    let wrong = |what: &str| Err(format!("the output is not right: stream 0{what}"));
    let worth = |what: &str| Ok(vec![format!("stream 0{what}")]);

    assert_eq!(against(|p| p.rotation = -90, |s| s.rotation = 270), Ok(Vec::new()));
    assert_eq!(against(|_| {}, |s| s.rotation = 90), wrong(" is turned by 90° and not by 0°"));
    assert_eq!(against(|p| p.channels = 6, |s| s.channels = 2), wrong(" has 2 channels and not 6"));
    assert_eq!(
        against(|p| p.dispositions = vec!["comment".into()], |_| {}),
        wrong(": the mark `comment` is lost")
    );
    assert_eq!(
        against(|p| p.dispositions = vec!["karaoke".into()], |_| {}),
        worth(": the mark `karaoke` is lost"),
        "mp4 has no room for it"
    );

    assert_eq!(against(|p| p.colour = hdr10(), |s| s.colour = hdr10()), Ok(Vec::new()));
    let untold = |s: &mut Stream| s.colour = Colour { transfer: String::new(), ..hdr10() };
    assert_eq!(against(|p| p.colour = hdr10(), untold), wrong(": transfer is unknown and not smpte2084"));
    let of_hd = || Colour { matrix: "bt709".into(), range: "tv".into(), ..Colour::default() };
    assert_eq!(against(|p| p.colour = of_hd(), |_| {}), worth(": not kept: matrix bt709"));
    let of_sd = |s: &mut Stream| s.colour.matrix = "smpte170m".into();
    assert_eq!(against(|p| p.colour = of_hd(), of_sd), wrong(": matrix is smpte170m and not bt709"));

    let has = |mastering, light| Hdr { mastering: Some(mastering), light: Some(light), ..Hdr::default() };
    let rounded = Mastering { min: 51, max: 10_000_001, ..screen };
    let given = |p: &mut Planned| p.hdr = has(screen, (1000, 400));
    assert_eq!(against(given, |s| s.hdr = has(rounded, (1000, 400))), Ok(Vec::new()));
    assert_eq!(against(given, |_| {}), wrong(" has lost the mastering screen of HDR10"));
    let dark = Mastering { max: 4_000_000, ..screen };
    assert_eq!(
        against(given, |s| s.hdr = has(dark, (1000, 400))),
        wrong(" has another mastering screen of HDR10 than planned")
    );
    assert_eq!(
        against(given, |s| s.hdr = has(screen, (1000, 0))),
        wrong(" says light levels 1000,0 and not 1000,400")
    );

    assert_eq!(
        against(|p| p.duration_ms = Some(9000), |_| {}),
        wrong(" is 0:03.0 long and 0:09.0 in the source")
    );
    assert_eq!(against(|p| p.duration_ms = Some(3400), |_| {}), Ok(Vec::new()));
    let mut few = output();
    few.chapters = 0;
    assert_eq!(compare(&the_plan(), &facts(""), &few), Ok(vec!["0 of 1 chapters were kept".to_owned()]));
}

#[test]
fn typed_options_promise_the_picture_and_nothing_else() {
    let typed = Plan { raw: vec![RawRun { input: Vec::new(), output: Vec::new() }], ..the_plan() };
    let mut only = output();
    only.streams.truncate(1);
    only.duration_ms = Some(100);
    let plan = Plan { streams: typed.streams[..1].to_vec(), ..typed };
    assert_eq!(compare(&plan, &facts(""), &only), Ok(Vec::new()));
    only.streams[0].codec = "hevc".into();
    let refused = compare(&plan, &facts(""), &only).unwrap_err();
    assert_eq!(refused.cause, "the output is not right: it has no h264 picture");
}
