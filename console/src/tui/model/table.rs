//! Columns that share a width: the least important ones drop first, what is left over goes to those that grow.

use super::text::{Line, Role};
use crate::tui::state::mouse::Hit;

/// Where the text of a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) align: Align,
    /// Narrowest useful width.
    pub(crate) min: usize,
    /// Share of what is left over.
    pub(crate) grow: usize,
    /// It grows no further than this.
    pub(crate) max: usize,
    /// The lowest one drops first.
    pub(crate) keep: u8,
}

/// A column of fixed width.
pub(crate) const fn fixed(title: &'static str, align: Align, width: usize, keep: u8) -> Column {
    Column { title, align, min: width, grow: 0, max: width, keep }
}

/// A column that grows.
pub(crate) const fn growing(
    title: &'static str,
    (min, max): (usize, usize),
    grow: usize,
    keep: u8,
) -> Column {
    Column { title, align: Align::Left, min, grow, max, keep }
}

/// Width of each column; 0 for those that dropped. One blank stands between two.
pub(crate) fn widths<const N: usize>(columns: &[Column; N], total: usize) -> [usize; N] {
    let mut widths = columns.map(|c| c.min);
    let used = |widths: &[usize; N]| {
        let shown = widths.iter().filter(|w| **w > 0).count();
        widths.iter().sum::<usize>() + shown.saturating_sub(1)
    };
    while used(&widths) > total {
        let last = (0..N).filter(|i| widths[*i] > 0).min_by_key(|i| columns[*i].keep);
        match last {
            Some(i) if widths.iter().filter(|w| **w > 0).count() > 1 => widths[i] = 0,
            // The last column takes what there is.
            Some(i) => {
                widths[i] = total;
                break;
            }
            None => break,
        }
    }
    // A broad column that dropped may leave room for a narrow one that dropped before it.
    let mut dropped: Vec<usize> = (0..N).filter(|i| widths[*i] == 0 && columns[*i].min > 0).collect();
    dropped.sort_by_key(|i| std::cmp::Reverse(columns[*i].keep));
    for i in dropped {
        if used(&widths) + 1 + columns[i].min <= total {
            widths[i] = columns[i].min;
        }
    }
    let mut left = total.saturating_sub(used(&widths));
    while left > 0 {
        let growing: Vec<usize> = (0..N)
            .filter(|i| widths[*i] > 0 && columns[*i].grow > 0 && widths[*i] < columns[*i].max)
            .collect();
        let shares: usize = growing.iter().map(|i| columns[*i].grow).sum();
        if shares == 0 {
            break;
        }
        let before = left;
        for i in growing {
            let room = columns[i].max - widths[i];
            let more = (before * columns[i].grow).div_ceil(shares).min(room).min(left);
            widths[i] += more;
            left -= more;
        }
    }
    widths
}

/// The line of titles.
pub(crate) fn heads<const N: usize>(columns: &[Column; N], widths: &[usize; N]) -> Line {
    let cells = columns.map(|column| {
        let mut cell = Line::default();
        cell.push_hit(Role::Strong, column.title, Hit::Head(column.title));
        cell
    });
    row(columns, widths, cells)
}

/// The columns without some: they are as if they had dropped.
pub(crate) fn without<const N: usize>(
    mut columns: [Column; N],
    hidden: impl Fn(usize) -> bool,
) -> [Column; N] {
    for (at, column) in columns.iter_mut().enumerate() {
        if hidden(at) {
            (column.min, column.max, column.grow) = (0, 0, 0);
        }
    }
    columns
}

/// The columns when so many are scrolled away, of those that are not pinned: then those at the left are kept first.
pub(crate) fn scrolled<const N: usize>(columns: &[Column; N], pinned: &[usize], away: usize) -> [Column; N] {
    if away == 0 {
        return *columns;
    }
    let gone: Vec<usize> = (0..N).filter(|at| !pinned.contains(at)).take(away).collect();
    let mut columns = without(*columns, |at| gone.contains(&at));
    for (at, column) in columns.iter_mut().enumerate() {
        column.keep = if pinned.contains(&at) { 254 } else { 100 - u8::try_from(at).unwrap_or(100).min(100) };
    }
    columns
}

/// How many can be scrolled away: then all the others are in sight.
pub(crate) fn scrolled_max<const N: usize>(columns: &[Column; N], pinned: &[usize], total: usize) -> usize {
    let free = N - pinned.len();
    let fits = |away: &usize| {
        let widths = widths(&scrolled(columns, pinned, *away), total);
        (0..N).filter(|at| !pinned.contains(at)).skip(*away).all(|at| widths[at] > 0)
    };
    (0..free).find(fits).unwrap_or(free.saturating_sub(1))
}

/// A line of cells. A left-aligned cell that is too wide takes the empty ones after it.
pub(crate) fn row<const N: usize>(columns: &[Column; N], widths: &[usize; N], mut cells: [Line; N]) -> Line {
    let mut line = Line::default();
    let mut at = 0;
    while at < N {
        let (column, mut width) = (columns[at], widths[at]);
        let mut cell = std::mem::take(&mut cells[at]);
        at += 1;
        if width == 0 {
            continue;
        }
        if !line.spans.is_empty() {
            line.push(Role::Plain, " ");
        }
        if column.align == Align::Right {
            let blanks = width.saturating_sub(cell.width());
            line.push(Role::Plain, " ".repeat(blanks));
            cell.fit(width - blanks);
        } else {
            while cell.width() > width && at < N && cells[at].spans.is_empty() {
                width += if widths[at] > 0 { widths[at] + 1 } else { 0 };
                at += 1;
            }
            cell.fit(width);
        }
        line.extend(cell);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [growing("name", (4, 100), 1, 255), fixed("x", Align::Right, 3, 1), fixed("y", Align::Left, 3, 2)];

    #[test]
    fn columns_drop_by_priority_and_the_rest_grows() {
        assert_eq!(widths(&COLUMNS, 20), [12, 3, 3]);
        assert_eq!(widths(&COLUMNS, 12), [4, 3, 3]);
        assert_eq!(widths(&COLUMNS, 11), [7, 0, 3]);
        assert_eq!(widths(&COLUMNS, 5), [5, 0, 0]);
        assert_eq!(widths(&COLUMNS, 2), [2, 0, 0]);
        assert_eq!(widths(&COLUMNS, 0), [0, 0, 0]);
    }

    #[test]
    fn a_narrow_column_comes_back_where_a_broad_one_dropped() {
        let broad = [COLUMNS[0], fixed("x", Align::Right, 3, 1), fixed("y", Align::Left, 9, 2)];
        assert_eq!(widths(&broad, 12), [8, 3, 0]);
        assert_eq!(widths(&without(broad, |at| at == 1), 12), [12, 0, 0]);
    }

    #[test]
    fn columns_that_dropped_can_be_scrolled_into_sight() {
        assert_eq!(scrolled_max(&COLUMNS, &[0], 12), 0);
        assert_eq!(scrolled_max(&COLUMNS, &[0], 8), 1);
        assert_eq!(widths(&scrolled(&COLUMNS, &[0], 1), 8), [4, 0, 3]);
        assert_eq!(scrolled_max(&COLUMNS, &[0], 3), 1, "too narrow for more than one");
    }

    #[test]
    fn a_cell_too_wide_uses_the_empty_ones_after_it() {
        let line = |cells: [&str; 3]| {
            let cells = cells.map(|c| if c.is_empty() { Line::default() } else { Line::new(c) });
            let drawn = row(&COLUMNS, &[4, 3, 3], cells);
            drawn.spans.iter().map(|(_, text)| text.as_str()).collect::<String>()
        };
        assert_eq!(line(["abc", "1", "2"]), "abc    1 2  ");
        assert_eq!(line(["abcdefgh", "", "2"]), "abcdefgh 2  ");
        assert_eq!(line(["abcdefghij", "", ""]), "abcdefghij  ");
        assert_eq!(line(["abcdefgh", "1", ""]), "abcd   1    ");
    }
}
