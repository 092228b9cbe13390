//! What a conversion keeps of a source, what it says is lost, and what it refuses.

use vc_protocol::media::Mastering;
use vc_protocol::profile::{Depth, Interlaced, Loss, OnLoss, RawPass};

use super::*;

fn with(name: &str) -> Candidate {
    let encoder = ENCODERS.iter().find(|encoder| encoder.name == name).expect("a row of this name");
    Candidate { encoder, gpu: None, is_on_device: false }
}

/// The plan for a picture with this encoder, into Matroska but for what that does not suit.
fn by(name: &str, stream: &Stream, change: impl FnOnce(&mut Profile)) -> Result<Plan, Refusal> {
    by_major(name, stream, 9, change)
}

fn by_major(
    name: &str,
    stream: &Stream,
    major: u32,
    change: impl FnOnce(&mut Profile),
) -> Result<Plan, Refusal> {
    let candidate = with(name);
    let crf = candidate.encoder.quality.is_some().then_some(20);
    let mut profile = profile(Container::Mkv, candidate.encoder.codec, crf, AudioCodec::Aac);
    change(&mut profile);
    let encoders = BTreeSet::from(["aac", "libopus", "ac3", "flac"].map(str::to_owned));
    plan(&media("x", vec![stream.clone()]), &profile, Some(&candidate), Caps { encoders: &encoders, major })
}

/// What stands between the encoder's name and the container, in the last run.
fn told(plan: &Plan) -> String {
    let line = lines(plan).pop().expect("at least one run");
    let (_, line) = line.split_once("-c:0 ").expect("a first stream");
    line.split_once(" -max_muxing").map_or(line, |(line, _)| line).to_owned()
}

fn hdr10() -> Stream {
    let mut stream = Stream { pixel_format: "yuv420p10le".into(), ..video() };
    stream.colour = Colour {
        primaries: "bt2020".into(),
        transfer: "smpte2084".into(),
        matrix: "bt2020nc".into(),
        range: "tv".into(),
        chroma: "topleft".into(),
    };
    let points = [(34_000, 16_000), (13_250, 34_500), (7_500, 3_000), (15_635, 16_450)];
    stream.hdr.mastering = Some(Mastering { points, min: 1, max: 10_000_000 });
    stream.hdr.light = Some((1000, 400));
    stream
}

#[test]
fn hdr10_is_told_to_x265_left_to_the_frames_elsewhere_and_held_against_the_output() {
    let x265 = by("libx265", &hdr10(), |p| p.video.max_height = Some(90)).unwrap();
    assert_eq!(
        told(&x265),
        "libx265 -preset:0 medium -crf:0 20 -x265-params:0 log-level=error:hdr-opt=1:master-display=\
         G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400 \
         -pix_fmt:0 yuv420p10le -filter:0 scale=160:90:out_chroma_loc=topleft -fps_mode:0 vfr"
    );
    assert_eq!((&x265.streams[0].hdr, &x265.streams[0].colour), (&hdr10().hdr, &hdr10().colour));
    let two = |p: &mut Profile| (p.video.crf, p.video.bitrate) = (None, Some("1M".into()));
    let two = told(&by("libx265", &hdr10(), two).unwrap());
    assert!(
        two.contains("log-level=error:hdr-opt=1:") && two.contains(":max-cll=1000,400:pass=2:stats="),
        "{two}"
    );
    let svt = by("libsvtav1", &hdr10(), |_| {}).unwrap();
    assert!(!told(&svt).contains("master"));
    assert_eq!(svt.streams[0].hdr, hdr10().hdr);
    let x264 = by("libx264", &hdr10(), |_| {}).unwrap();
    assert_eq!(
        x264.warnings,
        [
            "stream 0: reduced from 10 to 8 bit, as players of h264 need",
            "stream 0: high dynamic range in 8 bit, which shows bands",
        ]
    );
    let older = by_major("libx264", &hdr10(), 7, |_| {}).unwrap();
    assert_eq!((&x264.streams[0].hdr, &older.streams[0].hdr), (&hdr10().hdr, &Hdr::default()));
    let loses = by("h264_vaapi", &hdr10(), |_| {}).unwrap();
    assert_eq!(loses.warnings[2], "stream 0: h264_vaapi does not carry HDR10 metadata");
}

#[test]
fn dolby_vision_and_hdr10_plus_are_skipped_unless_the_profile_lets_them_go() {
    let mut stream = hdr10();
    stream.hdr.dolby_vision = Some(8);
    stream.hdr.has_hdr10_plus = true;
    let allowed = |loss: &[Loss]| by("libx265", &stream, |p| p.video.may_lose = loss.to_vec()).map(|_| ());
    let skipped = |why: &str| Err(Refusal::Skipped(why.to_owned()));
    assert_eq!(allowed(&[]), skipped("Dolby Vision (profile 8) would be lost"));
    assert_eq!(allowed(&[Loss::DolbyVision]), skipped("HDR10+ metadata would be lost"));
    assert_eq!(allowed(&[Loss::DolbyVision, Loss::Hdr10Plus]), Ok(()));
    let remux = profile(Container::Mp4, VideoCodec::Copy, None, AudioCodec::Copy);
    let hevc = Stream { codec: "hevc".into(), rotation: -90, ..stream };
    let copied = planned(&media("mov,mp4", vec![hevc]), &remux, 9).unwrap();
    assert_eq!((copied.streams[0].hdr.dolby_vision, copied.streams[0].rotation), (Some(8), -90));
    assert!(told(&copied).contains("-tag:0 hvc1") && lines(&copied)[0].contains("-strict unofficial"));
}

#[test]
fn depth_and_colour_follow_the_source_the_wish_and_the_encoder() {
    let of = |format: &str| Stream { pixel_format: format.into(), ..video() };
    let depth = |wish| move |p: &mut Profile| p.video.depth = wish;
    for (encoder, source, wish, format, warnings) in [
        ("libx265", "yuv420p10le", Depth::Keep, "yuv420p10le", 0),
        ("libx265", "yuv420p10le", Depth::Eight, "yuv420p", 0),
        ("libx265", "yuv420p", Depth::Ten, "yuv420p10le", 0),
        ("libsvtav1", "yuv422p12le", Depth::Keep, "yuv420p10le", 2),
        ("libx264", "yuv420p", Depth::Ten, "yuv420p", 0),
        ("ffv1", "yuva444p12le", Depth::Keep, "yuva444p12le", 0),
        ("ffv1", "nv12", Depth::Keep, "yuv420p", 0),
        ("ffv1", "pal8", Depth::Keep, "bgra", 0),
        ("prores_ks", "yuv420p", Depth::Keep, "yuv422p10le", 0),
    ] {
        let plan = by(encoder, &of(source), depth(wish)).unwrap();
        assert!(
            told(&plan).contains(&format!("-pix_fmt:0 {format} ")),
            "{encoder} {source}: {}",
            told(&plan)
        );
        assert_eq!(plan.warnings.len(), warnings, "{encoder} {source}: {:?}", plan.warnings);
    }
    let lost = failure(by("ffv1", &of("xyz12le"), |_| {}));
    assert_eq!(
        (lost.class, lost.cause.as_str()),
        (FailureClass::Encoder, "ffv1 cannot hold xyz12le without loss")
    );
    let screen = told(&by("libx264", &of("bgr0"), |_| {}).unwrap());
    assert!(screen.contains("-filter:0 scale=out_color_matrix=bt709:out_range=tv "), "{screen}");
    let full = Stream { pixel_format: "yuvj420p".into(), ..video() };
    let full = Stream { colour: Colour { range: "pc".into(), ..Colour::default() }, ..full };
    assert!(told(&by("ffv1", &full, |_| {}).unwrap()).contains("-color_range:0 pc"));
    assert_eq!(by("libx264", &full, |_| {}).unwrap().streams[0].colour.range, "pc");
    assert_eq!(by("prores_ks", &full, |_| {}).unwrap().streams[0].colour.range, "");
}

#[test]
fn lossless_touches_no_pixel_and_leaves_turning_to_players() {
    let odd = Stream { width: 321, height: 181, rotation: 90, ..video() };
    let kept = by("ffv1", &odd, |_| {}).unwrap();
    let line = &lines(&kept)[0];
    assert!(line.starts_with("-noautorotate -i ") && !line.contains("-filter"), "{line}");
    assert!(!line.contains("-slices"), "an odd size: {line}");
    assert_eq!((kept.streams[0].size, kept.streams[0].rotation), (Some((321, 181)), 90));
    assert_eq!(kept.warnings, [""; 0]);
    let small = by("ffv1", &odd, |p| p.video.max_width = Some(100)).unwrap();
    assert!(told(&small).contains("-filter:0 scale=") && small.streams[0].rotation == 0);
}

#[test]
fn fields_are_kept_where_the_encoder_can_and_joined_where_it_cannot_or_is_asked_to() {
    let fields = Stream { field_order: "tt".into(), width: 720, height: 576, ..video() };
    let half = |p: &mut Profile| p.video.max_height = Some(288);
    let kept = told(&by("libx264", &fields, half).unwrap());
    assert!(kept.contains("-flags:0 +ilme+ildct ") && kept.contains("scale=360:288:interl=1 "), "{kept}");
    let joined = |p: &mut Profile| p.video.interlaced = Interlaced::Deinterlace;
    let asked = by("libx264", &fields, joined).unwrap();
    assert!(told(&asked).contains("-filter:0 bwdif=mode=send_frame ") && asked.warnings.is_empty());
    let cannot = by("libx265", &fields, half).unwrap();
    assert!(told(&cannot).contains("-filter:0 bwdif=mode=send_frame,scale=360:288 "));
    assert_eq!(cannot.warnings, ["stream 0: interlaced, which libx265 cannot keep: it was deinterlaced"]);
    let ntsc = by("libx264", &Stream { height: 486, ..fields.clone() }, |_| {}).unwrap();
    let words = ["stream 0: interlaced, which libx264 cannot keep at this height: it was deinterlaced"];
    assert_eq!(ntsc.warnings, words);
}

#[test]
fn keyframes_profiles_levels_and_passes_are_spelled_for_the_encoder() {
    let wish = |p: &mut Profile| {
        (p.video.keyframe_s, p.video.profile, p.video.level) =
            (Some(2.0), Some("high".into()), Some("4.1".into()));
        (p.video.crf, p.video.bitrate, p.video.passes) = (None, Some("2M".into()), Some(1));
    };
    let plan = by("libx264", &video(), wish).unwrap();
    assert_eq!((lines(&plan).len(), plan.warnings.len()), (1, 0));
    assert_eq!(
        told(&plan),
        "libx264 -preset:0 medium -b:0 2000000 -profile:0 high -level:0 4.1 -g:0 50 -pix_fmt:0 yuv420p -fps_mode:0 vfr"
    );
    let uneven = Stream { is_vfr: true, ..video() };
    let uneven = told(&by("libx264", &uneven, |p| p.video.keyframe_s = Some(2.0)).unwrap());
    assert!(uneven.contains("-force_key_frames:0 expr:gte(t,n_forced*2) "), "{uneven}");
    let none = failure(by("libx264", &video(), |p| p.video.profile = Some("proxy".into())));
    assert_eq!((none.class, none.cause.as_str()), (FailureClass::Encoder, "libx264 has no profile proxy"));
}

#[test]
fn a_late_picture_keeps_its_time_to_the_tick() {
    let late = Stream { start_ms: Some(1423), ..video() };
    let file = Media { start_ms: Some(1400), ..media("mpegts", vec![late, audio(1, "aac", 2)]) };
    let h264 = profile(Container::Mp4, VideoCodec::H264, Some(20), AudioCodec::Aac);
    assert!(lines(&planned(&file, &h264, 9).unwrap())[0].contains("-enc_time_base:0 demux"));
    let file = Media { start_ms: Some(1423), ..file };
    assert!(!lines(&planned(&file, &h264, 9).unwrap())[0].contains("-enc_time_base:0 demux"));
}

#[test]
fn a_size_is_shared_out_or_refused_as_hopeless() {
    let hour = |size: &str| {
        let mut h264 = profile(Container::Mp4, VideoCodec::H264, None, AudioCodec::Aac);
        h264.video.size = Some(size.into());
        let file = Media { duration_ms: Some(3_600_000), ..media("x", vec![video(), audio(1, "dts", 6)]) };
        planned(&file, &h264, 9)
    };
    let plan = hour("700M").unwrap();
    // 1555 kbit/s, of which the container takes 15 and the sound 480.
    assert_eq!((plan.rate, plan.is_two_pass), (Rate::Bitrate(1_060_000), true));
    let refused = failure(hour("200M"));
    assert_eq!(
        (refused.class, refused.cause.as_str()),
        (FailureClass::Source, "200M cannot hold 60 minutes: its sound takes about 480 kbit/s of 444 kbit/s")
    );
    let mut unknown = profile(Container::Mkv, VideoCodec::H264, None, AudioCodec::Aac);
    unknown.video.size = Some("700M".into());
    let endless = Media { duration_ms: None, ..media("x", vec![video()]) };
    assert!(failure(planned(&endless, &unknown, 9)).cause.contains("length is not known"));
    let mut measured = profile(Container::Mkv, VideoCodec::H264, None, AudioCodec::Aac);
    measured.video.target_vmaf = Some(95.0);
    assert_eq!(planned(&media("x", vec![video()]), &measured, 9).unwrap().rate, Rate::Quality(22.0));
}

#[test]
fn each_codec_of_sound_gets_the_speakers_that_it_knows() {
    let of = |layout: &str, channels, codec, container| {
        let sound = Stream { channel_layout: layout.into(), ..audio(0, "pcm_f64le", channels) };
        let mut profile = profile(container, VideoCodec::Drop, None, codec);
        profile.audio.bitrate = Some("256k".into());
        let encoders = BTreeSet::from(["aac", "libopus", "ac3", "flac"].map(str::to_owned));
        let plan =
            plan(&media("x", vec![sound]), &profile, None, Caps { encoders: &encoders, major: 9 }).unwrap();
        (told(&plan), plan.streams[0].channels, plan.warnings.len())
    };
    let filter = |layout: &str| format!(" -filter:0 aformat=channel_layouts={layout}");
    use AudioCodec::{Aac, Ac3, Flac, Opus};
    for (layout, channels, codec, line, out, warnings) in [
        ("5.1(side)", 6, Aac, "aac -b:0 768000".to_owned(), 6, 0),
        ("7.1", 8, Ac3, "ac3 -b:0 640000".to_owned() + &filter("5.1(side)"), 6, 1),
        ("5.1(side)", 6, Ac3, "ac3 -b:0 640000".to_owned(), 6, 0),
        ("6.0", 6, Ac3, "ac3 -b:0 640000".to_owned() + &filter("5.1(side)"), 6, 0),
        ("2.1", 3, Ac3, "ac3 -b:0 384000".to_owned(), 3, 0),
        ("5.1(side)", 6, Flac, "flac".to_owned(), 6, 0),
        ("stereo", 2, Opus, "libopus -b:0 256000".to_owned(), 2, 0),
        ("7.1", 8, Opus, "libopus -b:0 1024000".to_owned(), 8, 0),
        ("5.1(side)", 6, Opus, "libopus -b:0 768000".to_owned() + &filter("5.1"), 6, 0),
        ("2.1", 3, Opus, "libopus -b:0 768000".to_owned() + &filter("5.1"), 6, 0),
        ("6.0", 6, Opus, "libopus -b:0 1024000".to_owned() + &filter("7.1"), 8, 0),
        ("7.1(wide)", 8, Opus, "libopus -b:0 1024000".to_owned() + &filter("7.1"), 8, 0),
        ("", 6, Opus, "libopus -b:0 768000".to_owned() + &filter("5.1"), 6, 0),
    ] {
        assert_eq!(of(layout, channels, codec, Container::Mka), (line, out, warnings), "{layout} {codec:?}");
    }
    let disc = profile(Container::Mka, VideoCodec::Drop, None, AudioCodec::Copy);
    for (codec, becomes) in
        [("pcm_bluray", "flac"), ("pcm_dvd", "flac"), ("nellymoser", "aac"), ("dts", "dts")]
    {
        let plan = planned(&media("x", vec![audio(0, codec, 2)]), &disc, 9).unwrap();
        assert_eq!(plan.streams[0].codec, becomes, "{codec}");
    }
    let m4a = profile(Container::M4a, VideoCodec::Drop, None, AudioCodec::Flac);
    let refused = failure(planned(&media("x", vec![audio(0, "mp3", 2)]), &m4a, 9));
    assert_eq!(refused.cause, "m4a cannot hold flac sound");
}

#[test]
fn sound_alone_keeps_its_cover_and_loses_the_picture_without_a_word() {
    let file = media("mov,mp4", vec![video(), audio(1, "aac", 2), stream(2, StreamKind::Cover, "mjpeg")]);
    let alone =
        |container| planned(&file, &profile(container, VideoCodec::Drop, None, AudioCodec::Aac), 9).unwrap();
    let m4a = alone(Container::M4a);
    assert_eq!(
        lines(&m4a),
        ["-i file:/in/a b.mkv -map 0:1 -map 0:2 -c:0 copy -c:1 copy -max_muxing_queue_size 4096 \
          -movflags +faststart -brand M4A  -f mp4 /out/.vc-tmp/7.1.x.part.mp4"]
    );
    assert_eq!((m4a.streams[1].kind, m4a.warnings.len()), (StreamKind::Cover, 0));
    let mka = alone(Container::Mka);
    assert_eq!(mka.warnings, ["stream 2: the cover picture is kept as a video track"]);
    let drop = profile(Container::M4a, VideoCodec::Drop, None, AudioCodec::Aac);
    assert_eq!(failure(planned(&media("x", vec![video()]), &drop, 9)).cause, "no sound");
}

#[test]
fn titles_and_languages_are_told_where_the_container_would_lose_them() {
    let german = |from: &str, container| {
        let named = Stream { title: Some("Kino".into()), language: Some("de".into()), ..audio(1, "aac", 2) };
        let plan = planned(
            &media(from, vec![video(), named]),
            &profile(container, VideoCodec::H264, Some(20), AudioCodec::Aac),
            9,
        );
        let plan = plan.unwrap();
        (told(&plan).split_once("-c:1 copy").unwrap().1.to_owned(), plan.streams[1].language.clone().unwrap())
    };
    let (told, language) = german("matroska,webm", Container::Mkv);
    assert_eq!((told.as_str(), language.as_str()), ("", "de"));
    let (told, language) = german("mov,mp4", Container::Mp4);
    assert_eq!(
        (told.as_str(), language.as_str()),
        (" -metadata:s:1 title=Kino -metadata:s:1 language=ger", "ger")
    );
    let (told, _) = german("matroska,webm", Container::Mov);
    assert_eq!(told, " -metadata:s:1 handler_name=Kino -metadata:s:1 language=ger");
    let odd = Stream { language: Some("gle".into()), ..audio(1, "aac", 2) };
    let mov = profile(Container::Mov, VideoCodec::H264, Some(20), AudioCodec::Aac);
    let odd = planned(&media("x", vec![video(), odd]), &mov, 9).unwrap();
    assert_eq!(odd.warnings, ["stream 1: mov has no word for its language (gle)"]);
}

#[test]
fn subtitles_that_are_pictures_are_left_out_aloud_or_refused_and_looks_are_told() {
    let plan = |codec: &str, pictures| {
        let mut mp4 = profile(Container::Mp4, VideoCodec::H264, Some(20), AudioCodec::Aac);
        mp4.subtitles.pictures = pictures;
        planned(&media("x", vec![video(), stream(1, StreamKind::Subtitle, codec)]), &mp4, 9)
    };
    let pgs = "hdmv_pgs_subtitle";
    assert_eq!(plan(pgs, OnLoss::Warn).unwrap().streams.len(), 1);
    assert_eq!(
        failure(plan(pgs, OnLoss::Refuse)).cause,
        "stream 1: mp4 cannot hold hdmv_pgs_subtitle subtitles"
    );
    let styled = plan("ass", OnLoss::Refuse).unwrap();
    assert_eq!(styled.warnings, ["stream 1: mp4 keeps the words of ass subtitles and little of their looks"]);
}

#[test]
fn typed_options_run_as_they_are_with_our_files_and_promise_only_the_codec() {
    let mut typed = profile(Container::Mkv, VideoCodec::H264, None, AudioCodec::Aac);
    let pass = |output: &str| RawPass { input: "-ss 1".into(), output: output.into() };
    typed.passes = vec![pass("-an -c:v libx264 -b:v 1M -pass 1"), pass("-c:v libx264 -b:v 1M -pass 2")];
    let plan = plan(
        &media("x", vec![video(), audio(1, "dts", 6)]),
        &typed,
        None,
        Caps { encoders: &BTreeSet::new(), major: 9 },
    );
    let plan = plan.unwrap();
    assert_eq!(
        lines(&plan),
        [
            "-ss 1 -i file:/in/a b.mkv -an -c:v libx264 -b:v 1M -pass 1 -passlogfile /out/t:1/7.pass -f null -",
            "-ss 1 -i file:/in/a b.mkv -c:v libx264 -b:v 1M -pass 2 -passlogfile /out/t:1/7.pass -f matroska \
             /out/.vc-tmp/7.1.x.part.mp4",
        ]
    );
    assert_eq!((plan.streams.len(), plan.streams[0].codec.as_str()), (1, "h264"));
    assert_eq!(plan.with.map(|with| with.encoder.name), Some("libx264"));
    typed.passes = vec![pass("-c:v libx265 -x265-params log-level=error:pass=1")];
    let x265 =
        super::plan(&media("x", vec![video()]), &typed, None, Caps { encoders: &BTreeSet::new(), major: 9 });
    assert!(lines(&x265.unwrap())[0].contains(r"log-level=error:pass=1:stats=/out/t\:1/7.pass -f"));
}

#[test]
fn pictures_go_to_a_card_by_upload_or_stay_there_where_nothing_needs_memory() {
    let card = crate::device::merge(&[crate::device::testing::card(1, "0000:01:00.0")], &[], &[]).remove(0);
    let plan = |is_on_device, stream: &Stream, height| {
        let candidate = Candidate { gpu: Some(card.clone()), is_on_device, ..with("h264_vulkan") };
        let mut h264 = profile(Container::Mkv, VideoCodec::H264, Some(20), AudioCodec::Aac);
        h264.video.max_height = height;
        let encoders = BTreeSet::new();
        plan(
            &media("x", vec![stream.clone()]),
            &h264,
            Some(&candidate),
            Caps { encoders: &encoders, major: 9 },
        )
    };
    let upload = lines(&plan(false, &video(), Some(90)).unwrap()).concat();
    assert!(upload.starts_with("-init_hw_device vulkan=vk:1 -filter_hw_device vk -i "), "{upload}");
    assert!(upload.contains("-filter:0 scale=160:90,format=nv12,hwupload ") && !upload.contains("-pix_fmt"));
    let fields = Stream { field_order: "tt".into(), ..video() };
    let joined = lines(&plan(false, &fields, None).unwrap()).concat();
    assert!(joined.contains("-filter:0 bwdif=mode=send_frame,format=nv12,hwupload "), "{joined}");
    let stays = lines(&plan(true, &video(), Some(90)).unwrap()).concat();
    let begin = "-init_hw_device vulkan=vk:1 -filter_hw_device vk -hwaccel vulkan -hwaccel_output_format vulkan \
                 -hwaccel_device vk -i ";
    assert!(stays.starts_with(begin) && stays.contains("-filter:0 scale_vulkan=w=160:h=90 "), "{stays}");
    assert!(!stays.contains("-pix_fmt") && !stays.contains("hwupload"), "{stays}");
    for stream in [fields, Stream { rotation: 90, ..video() }, hdr10()] {
        let refused = failure(plan(true, &stream, None));
        assert_eq!(
            (refused.class, refused.cause.as_str()),
            (FailureClass::Encoder, "h264_vulkan: this picture must be changed in memory")
        );
    }
}

#[test]
fn copied_sound_may_be_longer_by_what_an_edit_list_hides() {
    let sound =
        Stream { sample_rate: 44_100, frames: Some(88), duration_ms: Some(1500), ..audio(1, "aac", 2) };
    let file = Media { duration_ms: Some(1500), ..media("mov,mp4", vec![video(), sound]) };
    let lengths = |codec| {
        planned(&file, &profile(Container::Mkv, VideoCodec::H264, Some(20), codec), 9).unwrap().durations_ms
    };
    assert_eq!(lengths(AudioCodec::Aac), [1500, 3000, 2043]);
    assert_eq!(lengths(AudioCodec::Opus), [1500, 3000]);
}
