//! A farm with everything that the specification draws, and screens of it.

use vc_protocol::agent::{Metric, PassedOver, QualityFound};
use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::job::JobState;
use vc_protocol::media::{Colour, Mastering, Media, Stream, StreamKind};
use vc_protocol::operator::{
    AgentState, AgentView, DeviceState, DeviceUse, DeviceView, EventView, JobDetail, Need, Page, Paused,
    Scanned, Snapshot,
};
use vc_protocol::progress::Phase;

use super::drawing::{both_sizes, check, everywhere, styles, text};
use super::fixture::{self, Board, NARROW, NOON, WIDE, agent, busy, progress, run};
use crate::tui::keys::Key;
use crate::tui::link::Reply;
use crate::tui::look::{Color, Glyphs, Theme};
use ratatui::layout::Size;

fn gpu(id: u16, name: &str, load: (u16, u16, u64, u16), slots: u16, jobs: &[(u64, &str)]) -> DeviceView {
    let (encode, decode, memory, celsius) = load;
    let runs = jobs.iter().enumerate().map(|(at, (job, name))| {
        let step = at as u16;
        let at_work = progress(
            Phase::Encoding,
            640 - step * 210,
            512.0 - f32::from(step) * 14.0,
            21.3,
            51 + u32::from(step) * 62,
        );
        let mut run = run(*job, name, at_work);
        run.profile = "hevc-q24".into();
        run
    });
    DeviceView {
        id: DeviceId(id),
        name: name.into(),
        short: format!("gpu{id}"),
        state: DeviceState::Ok,
        load: DeviceUse {
            encode: Some(encode),
            decode: Some(decode),
            memory: Some(memory),
            memory_total: Some(48_000_000_000),
            celsius: Some(celsius),
            watts: Some(291),
        },
        slots,
        runs: runs.collect(),
    }
}

fn with(id: u32, name: &str, devices: Vec<DeviceView>) -> AgentView {
    AgentView { devices, ..agent(id, name, AgentState::Ok, 0, vec![]) }
}

fn need(kind: &str, what: &str, text: &str, jobs: &[u64], agent: Option<u32>) -> Need {
    let jobs = jobs.iter().map(|id| JobId(*id)).collect();
    Need { kind: kind.into(), what: what.into(), text: text.into(), jobs, agent: agent.map(AgentId) }
}

/// The farm of the specification's drawings.
pub(crate) fn full() -> Snapshot {
    let mut ada = with(
        1,
        "ada",
        vec![gpu(
            0,
            "RTX 4090",
            (970, 410, 6_100_000_000, 64),
            3,
            &[(41902, "ep_0417.mkv"), (41907, "ep_0418.mkv"), (41911, "wedding_2019_raw_master.mov")],
        )],
    );
    ada.devices[0].runs[2].progress.phase = Phase::Verifying;
    let bolt = with(
        2,
        "bolt",
        vec![
            gpu(
                0,
                "RTX 4080",
                (990, 380, 5_000_000_000, 71),
                3,
                &[
                    (41915, "show_s02e01_uhd.mkv"),
                    (41916, "show_s02e02_uhd.mkv"),
                    (41920, "cam3_20240118_2200.ts"),
                ],
            ),
            gpu(1, "RTX 4080", (980, 370, 5_000_000_000, 69), 3, &[(41922, "a.mkv"), (41923, "b.mkv")]),
        ],
    );
    let mut cray = with(3, "cray", vec![gpu(0, "A2", (300, 100, 2_000_000_000, 50), 2, &[(41930, "c.mkv")])]);
    (cray.state, cray.drained, cray.empty_s) = (AgentState::Draining, true, Some(390));
    let mut dec = with(4, "dec", vec![gpu(0, "A2", (0, 0, 0, 0), 3, &[(41899, "ep_0414.mkv")])]);
    (dec.state, dec.silent_ms, dec.gives_back_s, dec.rtt_us) =
        (AgentState::Offline, Some(72_000), Some(108), None);
    dec.devices[0].runs[0].unsure = true;
    let mut broken = gpu(1, "A4000", (0, 0, 300_000_000, 41), 3, &[]);
    let why = "NVENC open failed 3 times in a row; a self-test follows".to_owned();
    broken.state = DeviceState::Quarantined { why, until_ms: Some(NOON + 380_000), testing: false };
    let fox =
        with(6, "fox", vec![gpu(0, "L40S", (910, 660, 31_200_000_000, 58), 15, &[(41950, "d.mkv")]), broken]);
    let mut snapshot = busy();
    let totals = &mut snapshot.totals;
    totals.by_state = [18_208, 26, 41_877, 3, 0, 0, 0];
    totals.unsure = 3;
    totals.eta_range_s = Some((29_400, 43_500));
    totals.media_left_ms = 14_270_400_000;
    totals.output_full_s = Some(4 * 86_400 + 3000);
    totals.table_bytes = 212_000_000;
    (totals.today_jobs, totals.today_saved) = (312, 84_000_000_000);
    snapshot.agents = vec![ada, bolt, cray, dec, fox];
    snapshot.needs = vec![
        need("failed", "2 files", "output shorter than source; two encoders agreed", &[41877, 41880], None),
        need("failed", "1 file", "input not readable: moov atom not found", &[39120], None),
        need("offline", "dec", "3 jobs go back to pending unless it returns", &[41899, 41901], Some(4)),
        need(
            "device",
            "fox/gpu1",
            "quarantined: NVENC open failed 3 times in a row; a self-test follows",
            &[],
            Some(6),
        ),
    ];
    let drained = EventView {
        at_ms: NOON - 389_000,
        text: "drain cray".into(),
        who: "ana".into(),
        ..EventView::default()
    };
    snapshot.recent.insert(2, drained);
    snapshot
}

fn board(size: Size, glyphs: Glyphs) -> Board {
    Board::new(size, glyphs, full())
}

/// A job of which everything is known.
pub(crate) fn known() -> JobDetail {
    let stream = |index, kind, codec: &str| Stream {
        index,
        kind,
        codec: codec.into(),
        language: Some("eng".into()),
        width: if kind == StreamKind::Video { 1920 } else { 0 },
        height: if kind == StreamKind::Video { 1080 } else { 0 },
        pixel_format: if kind == StreamKind::Video { "yuv420p".into() } else { String::new() },
        fps: if kind == StreamKind::Video { 24000.0 / 1001.0 } else { 0.0 },
        is_vfr: false,
        frames: None,
        duration_ms: None,
        rotation: 0,
        channels: if kind == StreamKind::Audio { 6 } else { 0 },
        dispositions: match index {
            0 | 1 => vec!["default".to_owned()],
            3 => vec!["forced".to_owned()],
            _ => Vec::new(),
        },
        ..Stream::default()
    };
    let mut detail = fixture::detail(JobState::Running);
    detail.media = Some(Media {
        container: "matroska,webm".into(),
        duration_ms: Some(3_011_000),
        size: 3_100_000_000,
        streams: vec![
            stream(0, StreamKind::Video, "h264"),
            stream(1, StreamKind::Audio, "aac"),
            stream(2, StreamKind::Subtitle, "subrip"),
            stream(3, StreamKind::Subtitle, "subrip"),
            stream(4, StreamKind::Subtitle, "hdmv_pgs_subtitle"),
        ],
        chapters: 12,
        ..Media::default()
    });
    detail.row.profile = "hevc-q24".into();
    detail.row.place = "ada/gpu0".into();
    detail.encoder = "hevc_vulkan".into();
    detail.wanted = "HEVC 10 bit quality 24 (hevc-q24), audio copy, subs copy".into();
    detail.next_encoders = vec!["hevc_nvenc".into(), "libx265".into()];
    detail.phases = vec![(Phase::Fetching, 3400), (Phase::Encoding, 90_000)];
    detail.lease_ms = Some(2100);
    detail.attempts[0].encoder = "hevc_vulkan".into();
    detail
}

/// The same of a source with much to lose, by an agent that had to choose.
pub(crate) fn rich() -> JobDetail {
    let mut detail = known();
    let passed = |encoder: &str, cause: &str| PassedOver { encoder: encoder.into(), cause: cause.into() };
    let attempt = &mut detail.attempts[0];
    attempt.encoder = "libx265".into();
    attempt.passed_over = vec![
        passed(
            "hevc_vulkan",
            "failed its trial: Device does not support the VK_KHR_video_encode_queue extension",
        ),
        passed("hevc_nvenc", "OpenEncodeSessionEx failed: out of memory (10): (no details)"),
    ];
    let tried = vec![(20.0, 97.1), (28.0, 92.44), (23.0, 95.4)];
    let (target, quality, predicted) = (95.0, 23.5, 95.2);
    attempt.quality = Some(QualityFound { metric: Metric::Vmaf, target, quality, predicted, tried });
    detail.encoder = "libx265".into();
    detail.next_encoders = vec![];
    detail.phases = vec![(Phase::Fetching, 3400), (Phase::Sampling, 21_000), (Phase::Encoding, 90_000)];
    if let Some([picture, sound, commentary, ..]) = detail.media.as_mut().map(|media| &mut media.streams[..])
    {
        picture.codec = "hevc".into();
        (picture.width, picture.height) = (3840, 2160);
        picture.pixel_format = "yuv420p10le".into();
        picture.colour = Colour {
            primaries: "bt2020".into(),
            transfer: "smpte2084".into(),
            matrix: "bt2020nc".into(),
            range: "tv".into(),
            chroma: "topleft".into(),
        };
        picture.hdr.mastering = Some(Mastering { max: 10_000_000, ..Mastering::default() });
        picture.hdr.light = Some((980, 400));
        sound.channel_layout = "5.1(side)".into();
        sound.title = Some("Surround".into());
        commentary.title = Some("Director's comment".into());
        commentary.dispositions = vec!["comment".into(), "hearing_impaired".into()];
    }
    detail
}

#[test]
fn a_rich_source_and_the_choice_of_its_encoder_are_told() {
    for (name, keys) in [("summary", "jjd"), ("attempts", "jjd]]]"), ("source", "jjd]]]]")] {
        both_sizes(&format!("rich_{name}"), |size| {
            let mut board = board(size, Glyphs::Ascii);
            board.detail = rich();
            board.keys(keys);
            board
        });
    }
}

#[test]
fn the_overview_is_drawn_as_specified() {
    everywhere("overview_full", |size, glyphs| {
        let mut board = board(size, glyphs);
        board.keys("jj j  k");
        board
    });
    let board = board(WIDE, Glyphs::Ascii);
    check("styles_overview_full", &styles(&board));
}

#[test]
fn the_smallest_full_screens_say_what_matters() {
    let small = Size { width: 60, height: 16 };
    for (name, keys) in
        [("overview", "jj "), ("jobs", "2jj "), ("job", "jjd"), ("log", "jjl"), ("attempts", "jjd]]]")]
    {
        for (glyphs, glyphs_name) in [(Glyphs::Ascii, "ascii"), (Glyphs::Unicode, "unicode")] {
            let mut board = board(small, glyphs);
            board.detail = known();
            board.keys(keys);
            check(&format!("full_{name}_60x16_{glyphs_name}"), &text(&board));
        }
    }
}

#[test]
fn without_colours_nothing_is_lost() {
    for (name, keys) in [("overview", "jj "), ("jobs", "2jj "), ("job", "jjd"), ("log", "jjl/libx\n")] {
        let mut plain = board(NARROW, Glyphs::Unicode);
        plain.detail = known();
        plain.keys(keys);
        let mut mono = plain.clone();
        mono.state.look.theme = Theme::named("mono").unwrap();
        mono.state.look.color = Color::Off;
        assert_eq!(text(&plain), text(&mono), "{name}");
        check(&format!("styles_mono_{name}_80x24"), &styles(&mono));
    }
}

#[test]
fn the_overview_folds_flattens_expands_and_goes_to_what_needs_a_person() {
    both_sizes("overview_folded", |size| {
        let mut board = board(size, Glyphs::Ascii);
        board.press(Key::Left);
        board.keys("jjj");
        board.press(Key::Left);
        board
    });
    both_sizes("overview_flat_by_eta", |size| {
        let mut board = board(size, Glyphs::Ascii);
        board.keys("t<I");
        board
    });
    both_sizes("overview_needs", |size| {
        let mut board = board(size, Glyphs::Ascii);
        board.keys("nnnn");
        board
    });
    both_sizes("overview_expanded", |size| {
        let mut board = board(size, Glyphs::Ascii);
        board.keys("\t\tej");
        board
    });
}

#[test]
fn what_stops_the_farm_is_in_its_title() {
    both_sizes("overview_paused", |size| {
        let mut snapshot = full();
        snapshot.paused = Some(Paused { who: "ana".into(), why: String::new(), since_ms: NOON - 360_000 });
        snapshot.totals.media_left_ms = 0;
        Board::new(size, Glyphs::Unicode, snapshot)
    });
    let mut snapshot = full();
    snapshot.needs.insert(0, need("agents", "3 agents", "not heard since the console started", &[], None));
    check("overview_reporting_80x24", &text(&Board::new(NARROW, Glyphs::Ascii, snapshot)));
}

#[test]
fn a_device_and_an_agent_count_down_without_a_word_of_the_server() {
    let mut board = board(WIDE, Glyphs::Ascii);
    board.keys("G");
    for words in ["test in 6:20", "1 job, 1:48 left", "1m12s"] {
        assert!(text(&board).contains(words), "{words}");
    }
    board.wait(8000);
    for words in ["test in 6:12", "1 job, 1:40 left", "1m20s"] {
        assert!(text(&board).contains(words), "{words}");
    }
}

#[test]
fn jobs_are_drawn_filtered_sorted_scrolled_and_ranged() {
    both_sizes("jobs_filtered", |size| {
        let mut board = board(size, Glyphs::Ascii);
        board.keys("/state:failed,retry,unsure  ep_\n<  ").wait(2000);
        board
    });
    both_sizes("jobs_scrolled", |size| {
        let mut board = board(size, Glyphs::Ascii);
        board.keys("2jjvjj");
        for _ in 0..9 {
            board.press(Key::Right);
        }
        board
    });
    both_sizes("jobs_searching", |size| {
        let mut board = board(size, Glyphs::Unicode);
        board.page = Page {
            rows: fixture::page().rows.drain(..3).collect(),
            total: None,
            more: true,
            scanned: Some(Scanned { seen: 412_345, of: 1_000_000 }),
        };
        board.keys("/ep_\n");
        board
    });
}

#[test]
fn a_known_job_is_drawn_with_all_its_tabs() {
    let tabs = [("summary", ""), ("source", "]]]]"), ("events", "]]]]]"), ("log_found", "l/libx\nt")];
    for (name, keys) in tabs {
        both_sizes(&format!("known_{name}"), |size| {
            let mut board = board(size, Glyphs::Ascii);
            board.detail = known();
            board.keys("2jjjd").keys(keys);
            board
        });
    }
    everywhere("known_summary", |size, glyphs| {
        let mut board = board(size, glyphs);
        board.detail = known();
        board.keys("jjd");
        board
    });
    let mut board = board(NARROW, Glyphs::Ascii);
    board.detail = known();
    board.keys("jjl/LIBX264\n");
    check("styles_log_found", &styles(&board));
}

#[test]
fn a_server_that_is_gone_leaves_every_screen_readable() {
    for (name, keys) in [("overview", "jj"), ("jobs", "2j"), ("job", "2jjjd"), ("log", "2jjjl")] {
        let mut board = board(NARROW, Glyphs::Ascii);
        board.keys(keys);
        board.tell(Reply::Gone("connection refused".into()));
        board.wait(12_000);
        board.keys("x");
        check(&format!("gone_{name}_80x24"), &text(&board));
    }
}
