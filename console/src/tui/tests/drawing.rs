//! Every screen as text.

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color as Ink, Modifier};
use ratatui::widgets::Widget;
use vc_protocol::id::JobId;
use vc_protocol::operator::{Request, Response, Why};

use super::fixture::{self, Board, NARROW, WIDE, broken, busy, empty};
use crate::tui::Mode;
use crate::tui::keys::Key;
use crate::tui::link::Reply;
use crate::tui::look::{Color, Glyphs};
use crate::tui::model::model;
use crate::tui::state::{Action, Msg};
use crate::tui::view::{FrameView, Inks};

pub(super) fn draw(board: &Board, size: Size, color: Color) -> Buffer {
    let area = Rect::new(0, 0, size.width, size.height);
    let mut buffer = Buffer::empty(area);
    let model = model(&board.state, size, board.now);
    let inks = Inks { theme: &board.state.look.theme, color };
    FrameView { model: &model, inks }.render(area, &mut buffer);
    buffer
}

fn cells(buffer: &Buffer, show: impl Fn(&ratatui::buffer::Cell) -> String) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut hidden = 0;
        for x in area.left()..area.right() {
            let cell = &buffer[(x, y)];
            if hidden == 0 {
                line += &show(cell);
                hidden = ratatui::text::Span::raw(cell.symbol()).width().saturating_sub(1);
            } else {
                hidden -= 1;
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

pub(super) fn text(board: &Board) -> String {
    cells(&draw(board, board.state.size, Color::On), |cell| cell.symbol().to_owned())
}

/// One letter a cell: r g c m for colours, U underlined, B bold, R reversed, D dimmed; the first that holds wins.
pub(super) fn styles(board: &Board) -> String {
    cells(&draw(board, board.state.size, board.state.look.color), |cell| {
        let letter = match (cell.modifier, cell.fg) {
            (m, _) if m.contains(Modifier::REVERSED) => 'R',
            (m, _) if m.contains(Modifier::DIM) => 'D',
            (_, Ink::Red) => 'r',
            (_, Ink::Green) => 'g',
            (_, Ink::Cyan) => 'c',
            (_, Ink::Magenta) => 'm',
            (m, _) if m.contains(Modifier::UNDERLINED) => 'U',
            (m, _) if m.contains(Modifier::UNDERLINED) => 'U',
            (m, _) if m.contains(Modifier::BOLD) => 'B',
            _ => ' ',
        };
        letter.to_string()
    })
}

pub(super) fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// In both sizes and both sets of glyphs.
pub(super) fn everywhere(name: &str, prepare: impl Fn(Size, Glyphs) -> Board) {
    for (size, size_name) in [(NARROW, "80x24"), (WIDE, "120x40")] {
        for (glyphs, glyphs_name) in [(Glyphs::Ascii, "ascii"), (Glyphs::Unicode, "unicode")] {
            check(&format!("{name}_{size_name}_{glyphs_name}"), &text(&prepare(size, glyphs)));
        }
    }
}

/// In both sizes, ASCII.
pub(super) fn both_sizes(name: &str, prepare: impl Fn(Size) -> Board) {
    for (size, size_name) in [(NARROW, "80x24"), (WIDE, "120x40")] {
        check(&format!("{name}_{size_name}"), &text(&prepare(size)));
    }
}

#[test]
fn the_overview_is_drawn_empty_busy_and_broken() {
    everywhere("overview_empty", |size, glyphs| Board::new(size, glyphs, empty()));
    everywhere("overview_busy", |size, glyphs| {
        let mut board = Board::new(size, glyphs, busy());
        board.keys("jj");
        board
    });
    // Two cards and the processor of one agent, of which one card is in quarantine and nobody tells some figures.
    everywhere("overview_cards", |size, glyphs| {
        let mut board = Board::new(size, glyphs, super::answers::sick());
        board.keys("Gk");
        board
    });
    everywhere("overview_broken", |size, glyphs| {
        let mut board = Board::new(size, glyphs, broken());
        board.keys("jjj G");
        board
    });
}

#[test]
fn jobs_are_drawn_empty_busy_and_broken() {
    everywhere("jobs_empty", |size, glyphs| {
        let mut board = Board::new(size, glyphs, empty());
        board.keys("2");
        board
    });
    everywhere("jobs_busy", |size, glyphs| {
        let mut board = Board::new(size, glyphs, busy());
        board.keys("2 jj");
        board
    });
    everywhere("jobs_broken", |size, glyphs| {
        let mut board = Board::new(size, glyphs, broken());
        board.keys("2j");
        board.tell(Reply::Gone("connection refused".into()));
        board.wait(12_000);
        board
    });
}

#[test]
fn a_bad_filter_is_pointed_at() {
    both_sizes("filter_bad", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.keys("/ep state:fialed\n");
        board
    });
    both_sizes("filter_good", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.keys("/ep state:failed,held\n");
        board
    });
}

#[test]
fn a_job_is_drawn_with_all_its_tabs() {
    for (name, keys) in
        [("summary", "2jjjd"), ("log", "2jjjl"), ("command", "2jjjd]]"), ("attempts", "2jjjd]]]")]
    {
        both_sizes(&format!("detail_{name}"), |size| {
            let mut board = Board::new(size, Glyphs::Ascii, busy());
            board.keys(keys);
            board
        });
    }
    both_sizes("detail_failed", |size| {
        let mut board = Board::new(size, Glyphs::Unicode, empty());
        board.detail = fixture::detail(vc_protocol::job::JobState::Failed);
        board.page = fixture::page();
        board.keys("2jd");
        board
    });
}

#[test]
fn dialogs_are_drawn() {
    both_sizes("help", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.keys("2?");
        board
    });
    both_sizes("confirm", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.keys("jj    x");
        board
    });
    both_sizes("leave_attach", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.keys("q");
        board
    });
    both_sizes("leave_convert", |size| {
        let mut board = Board::of(Mode::Convert, size, Glyphs::Unicode, busy());
        board.keys("q");
        board
    });
    both_sizes("why", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.keys("2w");
        let Some(Action::Send(tag, Request::Why(JobId(41896)))) = board.asked.pop() else {
            panic!("asks why")
        };
        let devices = vec![
            ("ada/cpu".to_owned(), "all 3 slots are busy".to_owned()),
            ("dec/cpu".to_owned(), "this job was lost there; other devices go first until 12:09".to_owned()),
        ];
        let answer = "It waits 0:15 before it is tried again.".to_owned();
        board.tell(Reply::Response(tag, Response::Why(Why { answer, devices })));
        board
    });
}

#[test]
fn a_small_window_says_the_most_important() {
    let mut board = Board::new(NARROW, Glyphs::Ascii, broken());
    board.message(Msg::Resize(Size { width: 50, height: 10 }));
    check("short_form_50x10", &text(&board));
    board.message(Msg::Resize(Size { width: 60, height: 16 }));
    check("overview_broken_60x16", &text(&board));
    board.keys("2");
    check("jobs_broken_60x16", &text(&board));
    board.keys("jx");
    board.press(Key::Char('?'));
    check("jobs_broken_60x16_help", &text(&board));
}

#[test]
fn styles_follow_meaning() {
    let mut board = Board::new(NARROW, Glyphs::Ascii, broken());
    check("styles_overview_broken", &styles(&board));
    board.keys("2jj");
    check("styles_jobs_broken", &styles(&board));
}

#[test]
fn no_meaning_is_in_colour_alone() {
    for keys in ["", "2", "2jjjd", "3", "3jjj\n", "4", "5"] {
        let mut board = Board::new(WIDE, Glyphs::Unicode, super::answers::sick());
        board.keys(keys);
        let (colored, mono) = (draw(&board, WIDE, Color::On), draw(&board, WIDE, Color::Off));
        let symbols = |buffer: &Buffer| cells(buffer, |cell| cell.symbol().to_owned());
        assert_eq!(symbols(&colored), symbols(&mono));
        for cell in mono.content() {
            assert_eq!(cell.fg, Ink::Reset);
        }
        for cell in colored.content().iter().filter(|c| c.fg != Ink::Reset && c.symbol() != " ") {
            let known = [Ink::Red, Ink::Green, Ink::Cyan, Ink::Magenta];
            assert!(known.contains(&cell.fg), "{:?} is hard to read on some background", cell.fg);
        }
    }
}
