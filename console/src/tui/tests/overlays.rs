//! Every dialog as text at every size, and its styles without a colour.

use ratatui::layout::Size;
use ratatui::style::Modifier;
use vc_protocol::operator::{Request, Response};

use super::drawing::{check, draw, text};
use super::fixture::{Board, NARROW, WIDE, busy};
use crate::tui::link::Reply;
use crate::tui::look::{Color, Glyphs, Theme};
use crate::tui::state::Action;

/// The least size of a whole screen.
const SMALL: Size = Size { width: 60, height: 16 };

/// How each dialog is opened.
const DIALOGS: [(&str, &str); 8] = [
    ("help", "jj?"),
    ("help_search", "?priority"),
    ("confirm", "jj   x"),
    ("typed", ":revoke bolt\nbo"),
    ("leave", "q"),
    ("palette", "jj:re"),
    ("copy", "jjdy"),
    ("token", ":token\n"),
];

fn board(size: Size, glyphs: Glyphs, keys: &str) -> Board {
    let mut board = Board::new(size, glyphs, busy());
    board.keys(keys);
    if let Some(Action::Send(tag, Request::TokenCreate(_))) = board.asked.pop() {
        let line = "vcj1.MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPIYDCMRTGQ2TMNZYHE.10.0.0.5:4433".to_owned();
        board.tell(Reply::Response(tag, Response::Token { line, ttl_s: 900 }));
    }
    board
}

#[test]
fn dialogs_fit_every_size() {
    for (name, keys) in DIALOGS {
        for (size, size_name) in [(SMALL, "60x16"), (NARROW, "80x24"), (WIDE, "120x40")] {
            for (glyphs, glyphs_name) in [(Glyphs::Ascii, "ascii"), (Glyphs::Unicode, "unicode")] {
                let drawn = text(&board(size, glyphs, keys));
                check(&format!("dialog_{name}_{size_name}_{glyphs_name}"), &drawn);
            }
        }
    }
}

/// One letter a cell: R reversed, B bold, U underlined, D dimmed; the first that is true.
fn letters(board: &Board) -> String {
    let drawn = draw(board, board.state.size, Color::On);
    let letter = |m: Modifier| match m {
        m if m.contains(Modifier::REVERSED) => 'R',
        m if m.contains(Modifier::BOLD) => 'B',
        m if m.contains(Modifier::UNDERLINED) => 'U',
        m if m.contains(Modifier::DIM) => 'D',
        _ => ' ',
    };
    let rows = drawn.area.height;
    let line = |y| (0..drawn.area.width).map(|x| letter(drawn[(x, y)].modifier)).collect::<String>();
    (0..rows).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

#[test]
fn dialogs_need_no_colour() {
    for (name, keys) in DIALOGS {
        let mut board = board(NARROW, Glyphs::Ascii, keys);
        board.state.look.theme = Theme::named("mono").unwrap();
        check(&format!("dialog_{name}_mono"), &letters(&board));
    }
}
