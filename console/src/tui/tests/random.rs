//! Every screen at every size, from states that nobody would think of.

use proptest::prelude::*;
use ratatui::layout::Size;
use vc_protocol::operator::{DeviceState, Page, Paused, Response, Scanned, Why};
use vc_protocol::path::FilePath;
use vc_protocol::progress::Phase;

use super::answers;
use super::drawing::draw;
use super::fixture::{self, Board};
use super::full;
use crate::tui::Mode;
use crate::tui::keys::Key;
use crate::tui::link::{Reply, RequestTag};
use crate::tui::look::{Color, Glyphs};
use crate::tui::model::model;
use crate::tui::state::Msg;

fn keys() -> impl Strategy<Value = Vec<Key>> {
    let key = prop_oneof![
        8 => proptest::sample::select("jkgGd12345lxrwU*/?hqynNRTubaI<>ceZtvpP[]+- \\s".chars().collect::<Vec<_>>()).prop_map(Key::Char),
        1 => any::<char>().prop_map(Key::Char),
        2 => proptest::sample::select(vec![
            Key::Ctrl('c'), Key::Ctrl('d'), Key::Ctrl('u'), Key::Ctrl('l'), Key::Enter, Key::Esc, Key::Tab,
            Key::BackTab, Key::Home, Key::End, Key::PageDown, Key::PageUp, Key::Left, Key::Right,
            Key::Backspace, Key::Delete, Key::F(1), Key::F(9),
        ]),
    ];
    proptest::collection::vec(key, 0..12)
}

fn board(seed: u8, names: &[Vec<u8>], numbers: (u64, f32), size: Size) -> Board {
    let glyphs = if seed & 1 == 0 { Glyphs::Ascii } else { Glyphs::Unicode };
    let mode = if seed & 2 == 0 { Mode::Attach } else { Mode::Convert };
    let mut snapshot = match seed % 3 {
        0 => fixture::empty(),
        1 if seed & 16 == 0 => fixture::busy(),
        1 => full::full(),
        _ if seed & 16 == 0 => fixture::broken(),
        _ => answers::sick(),
    };
    let (n, real) = numbers;
    snapshot.totals.permille = n as u16;
    snapshot.totals.speed = real;
    snapshot.totals.fps = real;
    snapshot.totals.bytes_out = n;
    snapshot.totals.eta_s = Some(n);
    snapshot.totals.speed_minutes =
        names.iter().map(|name| (name.len() as u32).wrapping_mul(n as u32)).collect();
    snapshot.totals.eta_range_s = Some((n / 3, n));
    snapshot.totals.media_left_ms = n;
    snapshot.totals.output_full_s = Some(n);
    (snapshot.totals.table_bytes, snapshot.totals.today_jobs, snapshot.totals.today_saved) = (n, n, n as i64);
    snapshot.now_ms = n as i64;
    let text = String::from_utf8_lossy(&names[0]).into_owned();
    snapshot.farm = text.clone();
    snapshot.paused =
        (seed & 128 == 0).then(|| Paused { who: text.clone(), why: text.clone(), since_ms: n as i64 });
    let mut paths = names.iter().cycle();
    for agent in &mut snapshot.agents {
        agent.name = text.clone();
        agent.cert_ends_ms = Some(n as i64);
        agent.silent_ms = Some(n);
        agent.gives_back_s = Some(n);
        agent.empty_s = Some(n);
        agent.rtt_us = Some(n);
        agent.completed = n / 8;
        agent.address = text.clone();
        for device in &mut agent.devices {
            device.name = text.clone();
            device.slots = n as u16;
            device.load.encode = Some(n as u16);
            device.load.memory = Some(n);
            device.load.memory_total = (seed & 32 == 0).then_some(n);
            if let DeviceState::Quarantined { why, until_ms, .. } = &mut device.state {
                (*why, *until_ms) = (text.clone(), (seed & 64 == 0).then_some(n as i64));
            }
        }
        for run in agent.devices.iter_mut().flat_map(|d| &mut d.runs) {
            run.source = FilePath(paths.next().cloned().unwrap_or_default());
            run.progress.permille = n as u16;
            run.progress.speed = real;
            run.progress.eta_s = Some(n as u32);
        }
    }
    for need in &mut snapshot.needs {
        need.text = text.clone();
    }
    let mut board = Board::of(mode, size, glyphs, snapshot);
    let rows = fixture::page().rows.into_iter().map(|mut row| {
        row.source = FilePath(paths.next().cloned().unwrap_or_default());
        row.cause = text.clone();
        (row.bytes_in, row.created_ms, row.updated_ms) = (n, n as i64, n as i64);
        row.not_before_ms = row.not_before_ms.map(|_| n as i64);
        row
    });
    let total = (seed & 4 == 0).then_some(n % 1000);
    let scanned = (seed & 32 == 0).then_some(Scanned { seen: n / 2, of: n });
    board.page = Page { rows: rows.collect(), total, more: seed & 8 == 0, scanned };
    if seed & 64 == 0 {
        board.detail = full::rich();
        for passed in board.detail.attempts.iter_mut().flat_map(|attempt| &mut attempt.passed_over) {
            (passed.encoder, passed.cause) = (text.clone(), text.clone());
        }
        board.detail.phases.push((Phase::Encoding, n));
        board.detail.lease_ms = Some(n);
        (board.detail.wanted, board.detail.next_encoders) = (text.clone(), vec![text.clone()]);
        if let Some(media) = &mut board.detail.media {
            (media.container, media.duration_ms, media.size) = (text.clone(), Some(n), n);
            for stream in &mut media.streams {
                (stream.codec, stream.language) = (text.clone(), Some(text.clone()));
                (stream.title, stream.channel_layout) = (Some(text.clone()), text.clone());
                (stream.dispositions, stream.colour.matrix) = (vec![text.clone()], text.clone());
                (stream.fps, stream.frames, stream.channels) = (f64::from(real), Some(n), n as u32);
            }
        }
    }
    board.detail.source = FilePath(names[0].clone());
    board.detail.media_ms = n;
    board.detail.seconds = f64::from(real);
    for (at, group) in board.failures.groups.iter_mut().enumerate() {
        group.cause = format!("{text}{at}");
        (group.example, group.advice, group.hint) = (text.clone(), text.clone(), text.clone());
        (group.open, group.recovered, group.last_ms) = (n, n, n as i64);
    }
    for event in &mut board.events {
        (event.text, event.who, event.agent) = (text.clone(), text.clone(), text.clone());
        event.at_ms = event.at_ms.wrapping_mul(n as i64);
        event.file = FilePath(paths.next().cloned().unwrap_or_default());
    }
    board.detail.attempts[0].log = text.clone();
    board.detail.attempts[0].commands[1].argv.push(FilePath(names[0].clone()));
    board
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_screen_at_any_size_is_drawn_inside_its_frame(
        seed in any::<u8>(),
        names in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..6),
        numbers in (any::<u64>(), any::<f32>()),
        (width, height) in (0u16..=200, 0u16..=60),
        before in keys(),
        after in keys(),
        gone in proptest::bool::weighted(0.2),
        paste in "\\PC{0,20}",
    ) {
        let size = Size { width, height };
        let mut board = board(seed, &names, numbers, size);
        for key in before {
            board.press(key);
            board.now += 50;
        }
        board.message(Msg::Paste(paste));
        if gone {
            board.tell(Reply::Gone(String::from_utf8_lossy(&names[0]).into_owned()));
        }
        let why = Why { answer: "x".repeat(300), devices: vec![(String::new(), "日".repeat(99))] };
        for tag in 0..40 {
            board.tell(Reply::Response(RequestTag(tag), Response::Why(why.clone())));
        }
        for key in after {
            board.press(key);
        }
        let frame = model(&board.state, size, board.now);
        prop_assert!(frame.lines.len() <= usize::from(height));
        for line in &frame.lines {
            prop_assert_eq!(line.width(), usize::from(width));
        }
        if let Some(dialog) = &frame.dialog {
            prop_assert!(dialog.area.right() <= width && dialog.area.bottom() <= height);
        }
        if let Some((x, y)) = frame.cursor {
            prop_assert!(x <= width && y < height);
        }
        let drawn = draw(&board, size, Color::On);
        for cell in drawn.content() {
            prop_assert!(!cell.symbol().chars().any(vc_protocol::path::is_unprintable), "{:?}", cell.symbol());
        }
    }
}
