//! Tables on stdout: for people with titles, aligned and cut to the terminal; for programs a line of tab-parted fields
//! for each row, whole and without titles.

use std::io::IsTerminal;

use super::text::{Reader, parts};
use crate::tui::text::{clean, cut, cut_name, width};
use crate::tui::{Glyphs, Look};

/// Width of a terminal that does not say how wide it is.
const WIDTH_UNKNOWN: usize = 80;
/// From this width on there is room for the columns that only help.
const WIDE: usize = 110;
/// A cut column keeps this much.
const CUT_MIN: usize = 8;
/// Names keep this much as long as a sentence can give way: episodes differ at their ends.
const NAME_MIN: usize = 24;
/// Blanks between two columns.
const GAP: &str = "  ";

/// How a column stands, and what it gives up on a narrow terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Words of a known length.
    Left,
    /// Numbers.
    Right,
    /// A file name: cut in its middle.
    Name,
    /// A sentence: cut at its end.
    Text,
    /// Numbers that only a wide terminal shows.
    Wide,
    /// For programs only.
    Hidden,
}

/// A column: its title, and how it stands.
pub(super) type Column = (&'static str, Fit);

/// The text of a row in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// Short, as people read it.
    shown: String,
    /// Exact, as programs read it.
    exact: String,
}

impl Cell {
    /// Different for people and for programs.
    pub(super) fn new(shown: impl Into<String>, exact: impl ToString) -> Cell {
        Cell { shown: shown.into(), exact: exact.to_string() }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        let text = text.to_string();
        Cell { shown: text.clone(), exact: text }
    }
}

/// Who reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Somebody at a terminal of that many columns.
    People(usize, Glyphs),
    /// A pipe or a file.
    Programs,
}

impl Audience {
    /// Of this process.
    pub(super) fn of_stdout() -> Audience {
        if !std::io::stdout().is_terminal() {
            return Audience::Programs;
        }
        let columns = crossterm::terminal::size().map_or(0, |(columns, _)| usize::from(columns));
        Audience::People(if columns == 0 { WIDTH_UNKNOWN } else { columns }, Look::detect().glyphs)
    }
}

/// Prints the rows.
pub(super) fn print(columns: &[Column], rows: &[Vec<Cell>], audience: Audience) -> Reader {
    parts(lines(columns, rows, audience))
}

fn lines(columns: &[Column], rows: &[Vec<Cell>], audience: Audience) -> Vec<String> {
    match audience {
        Audience::People(total, glyphs) => for_people(columns, rows, total, glyphs),
        Audience::Programs => rows.iter().map(|row| for_programs(row)).collect(),
    }
}

fn for_programs(row: &[Cell]) -> String {
    let fields: Vec<_> = row.iter().map(|cell| clean(&cell.exact, Glyphs::Unicode)).collect();
    fields.join("\t")
}

fn for_people(columns: &[Column], rows: &[Vec<Cell>], total: usize, glyphs: Glyphs) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| clean(&cell.shown, glyphs)).collect()).collect();
    let widths = widths(columns, &rows, total);
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, (_, fit)), width) in cells.zip(columns).zip(&widths) {
            let Some(width) = *width else { continue };
            if !line.is_empty() {
                line += GAP;
            }
            line += &placed(cell, *fit, width, glyphs);
        }
        cut(line.trim_end(), total, glyphs)
    };
    let mut lines = vec![line(&mut columns.iter().map(|(title, _)| *title))];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines
}

fn placed(cell: &str, fit: Fit, columns: usize, glyphs: Glyphs) -> String {
    let cell = match fit {
        Fit::Name => cut_name(cell, columns, glyphs),
        Fit::Text => cut(cell, columns, glyphs),
        Fit::Left | Fit::Right | Fit::Wide | Fit::Hidden => cell.to_owned(),
    };
    let blanks = " ".repeat(columns.saturating_sub(width(&cell)));
    match fit {
        Fit::Right | Fit::Wide => blanks + &cell,
        Fit::Left | Fit::Name | Fit::Text | Fit::Hidden => cell + &blanks,
    }
}

/// Width of each column, none for those that are not shown: nothing is in them, or there is no room to spare.
fn widths(columns: &[Column], rows: &[Vec<String>], total: usize) -> Vec<Option<usize>> {
    let natural = |(at, (title, fit)): (usize, &Column)| {
        let is_off = *fit == Fit::Hidden || (*fit == Fit::Wide && total < WIDE);
        let widest = rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0);
        (!is_off && widest > 0).then_some(widest.max(title.len()))
    };
    let mut widths: Vec<Option<usize>> = columns.iter().enumerate().map(natural).collect();
    let has_names = columns.iter().any(|(_, fit)| *fit == Fit::Name);
    shrink(columns, &mut widths, total, |fit| match fit {
        Fit::Name => Some(NAME_MIN),
        Fit::Text => Some(CUT_MIN),
        Fit::Left | Fit::Right | Fit::Wide | Fit::Hidden => None,
    });
    if has_names && over(&widths, total) > 0 {
        widths
            .iter_mut()
            .zip(columns)
            .filter(|(_, (_, fit))| *fit == Fit::Text)
            .for_each(|(width, _)| *width = None);
        shrink(columns, &mut widths, total, |fit| (fit == Fit::Name).then_some(CUT_MIN));
    }
    widths
}

/// Columns of the terminal that these are too many.
fn over(widths: &[Option<usize>], total: usize) -> usize {
    let gaps = GAP.len() * widths.iter().flatten().count().saturating_sub(1);
    (widths.iter().flatten().sum::<usize>() + gaps).saturating_sub(total)
}

/// Takes what is too much from columns that can be cut, each down to its least; the widest gives first.
fn shrink(
    columns: &[Column],
    widths: &mut [Option<usize>],
    total: usize,
    least: impl Fn(Fit) -> Option<usize>,
) {
    for _ in 0..over(widths, total) {
        let can_give = widths.iter_mut().zip(columns).filter_map(|(width, (_, fit))| {
            let width = width.as_mut()?;
            (*width > least(*fit)?).then_some(width)
        });
        let Some(widest) = can_give.max() else { break };
        *widest -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 5] = [
        ("ID", Fit::Right),
        ("FILE", Fit::Name),
        ("IN", Fit::Wide),
        ("CAUSE", Fit::Text),
        ("EXACT", Fit::Hidden),
    ];

    fn row(id: u32, file: &str, cause: &str) -> Vec<Cell> {
        vec![id.into(), file.into(), Cell::new("1.27 GB", 1_270_000_000_u64), cause.into(), "x".into()]
    }

    #[test]
    fn people_get_titles_and_columns_that_fit() {
        let rows =
            [row(7, "日本語の映画.mkv", "moov atom not found"), row(12, "wedding_2019_final_master.mov", "")];
        let check = |columns, expected: &[&str]| {
            let lines = lines(&COLUMNS, &rows, Audience::People(columns, Glyphs::Unicode));
            assert_eq!(lines, expected);
            assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
        };
        check(
            46,
            &[
                "ID  FILE                      CAUSE",
                " 7  日本語の映画.mkv          moov atom not f…",
                "12  wedding_2019_fi…ster.mov",
            ],
        );
        // No room for both: the name stays.
        check(24, &["ID  FILE", " 7  日本語の映画.mkv", "12  wedding_2019…ter.mov"]);
    }

    #[test]
    fn a_wide_terminal_shows_more_and_an_empty_column_is_left_out() {
        let rows = [row(7, "a.mkv", "")];
        assert_eq!(
            lines(&COLUMNS, &rows, Audience::People(WIDE, Glyphs::Ascii)),
            ["ID  FILE        IN", " 7  a.mkv  1.27 GB"]
        );
        assert_eq!(lines(&COLUMNS, &[], Audience::People(WIDE, Glyphs::Ascii)), [""; 0]);
    }

    #[test]
    fn programs_get_everything_exactly() {
        let rows = [row(7, "a\tb.mkv", "c\x1b[2Jd")];
        assert_eq!(lines(&COLUMNS, &rows, Audience::Programs), ["7\ta b.mkv\t1270000000\tc[2Jd\tx"]);
    }
}
