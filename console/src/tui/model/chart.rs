//! Bars, sparklines and the speed chart as strings of glyphs.

use crate::tui::look::Glyphs;

const EIGHTHS_ACROSS: [&str; 7] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const EIGHTHS_UP: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Ink grows from left to right.
const ASCII_SPARK: [char; 9] = [' ', '.', ':', '-', '=', '+', '*', '#', '%'];
/// Ink grows from the foot of the cell upwards.
const ASCII_UP: [char; 5] = [' ', '_', '-', '=', '#'];

/// `[######----]`, `columns` wide with its brackets.
pub(crate) fn bar(permille: u16, columns: usize, glyphs: Glyphs) -> String {
    let Some(inner) = columns.checked_sub(2) else { return String::new() };
    let permille = usize::from(permille.min(1000));
    match glyphs {
        Glyphs::Ascii => {
            let full = inner * permille / 1000;
            format!("[{}{}]", "#".repeat(full), "-".repeat(inner - full))
        }
        Glyphs::Unicode => {
            let eighths = inner * 8 * permille / 1000;
            let (full, part) = (eighths / 8, eighths % 8);
            let edge = part.checked_sub(1).map_or("", |at| EIGHTHS_ACROSS[at]);
            let empty = inner - full - usize::from(part > 0);
            format!("[{}{edge}{}]", "█".repeat(full), " ".repeat(empty))
        }
    }
}

/// How full something was, in thousandths of all that it can: one line whose height is absolute, newest at the right.
/// What was not measured is blank.
pub(crate) fn gauge(values: &[u16], columns: usize, glyphs: Glyphs) -> String {
    // Nothing in use is a mark as well, to tell it from nothing known.
    let ramp: &[char] = match glyphs {
        Glyphs::Ascii => &ASCII_UP[1..],
        Glyphs::Unicode => &EIGHTHS_UP[1..],
    };
    let values: Vec<u32> = values.iter().map(|value| u32::from((*value).min(1000))).collect();
    let filled = (columns * values.len()).div_ceil(GAUGE_VALUES).min(columns);
    let marks = resample(&values, filled);
    let mark = |value: &u64| ramp[(*value as usize * ramp.len() / 1001).min(ramp.len() - 1)];
    " ".repeat(columns - filled) + &marks.iter().map(mark).collect::<String>()
}

/// Five minutes, a figure each five seconds.
const GAUGE_VALUES: usize = 60;

/// Exactly `columns` values: averages of neighbours, or each value repeated. Newest stays right.
fn resample(values: &[u32], columns: usize) -> Vec<u64> {
    if values.is_empty() {
        return vec![0; columns];
    }
    let n = values.len();
    let at = |column: usize| column * n / columns;
    let mean = |column| {
        let (from, to) = (at(column), at(column + 1).max(at(column) + 1).min(n));
        let part = &values[from.min(to - 1)..to];
        part.iter().map(|v| u64::from(*v)).sum::<u64>() / part.len() as u64
    };
    (0..columns).map(mean).collect()
}

/// Fewer minutes than the hour keep their place at the right.
fn right_aligned(values: &[u32], columns: usize) -> Vec<u64> {
    const HOUR: usize = 60;
    let known = &values[values.len().saturating_sub(HOUR)..];
    let filled = (columns * known.len()).div_ceil(HOUR).min(columns);
    let mut out = vec![0; columns - filled];
    out.extend(resample(known, filled));
    out
}

/// Speeds of the last hour in one line.
pub(crate) fn spark(values: &[u32], columns: usize, glyphs: Glyphs) -> String {
    let ramp = match glyphs {
        Glyphs::Ascii => &ASCII_SPARK,
        Glyphs::Unicode => &EIGHTHS_UP,
    };
    let values = right_aligned(values, columns);
    let peak = values.iter().copied().max().unwrap_or(0).max(1);
    let top = ramp.len() as u64 - 1;
    // Anything above nothing shows at least the smallest mark.
    values.iter().map(|v| ramp[(v * top).div_ceil(peak) as usize]).collect()
}

/// Speeds of the last hour as rows of cells, the highest row first.
pub(crate) fn columns(values: &[u32], columns: usize, rows: usize, glyphs: Glyphs) -> Vec<String> {
    let ramp: &[char] = match glyphs {
        Glyphs::Ascii => &ASCII_UP,
        Glyphs::Unicode => &EIGHTHS_UP,
    };
    let values = right_aligned(values, columns);
    let peak = values.iter().copied().max().unwrap_or(0).max(1);
    let steps = ramp.len() as u64 - 1;
    let row = |row: usize| {
        let below = (rows - 1 - row) as u64 * steps;
        let cell = |v: &u64| {
            let height = (v * steps * rows as u64).div_ceil(peak);
            ramp[height.saturating_sub(below).min(steps) as usize]
        };
        values.iter().map(cell).collect()
    };
    (0..rows).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_from_left_in_eighths_or_cells() {
        let check = |permille, columns, ascii: &str, unicode: &str| {
            assert_eq!(bar(permille, columns, Glyphs::Ascii), ascii);
            assert_eq!(bar(permille, columns, Glyphs::Unicode), unicode);
        };
        check(0, 12, "[----------]", "[          ]");
        check(640, 12, "[######----]", "[██████▍   ]");
        check(1000, 12, "[##########]", "[██████████]");
        check(5000, 4, "[##]", "[██]");
        check(500, 2, "[]", "[]");
        check(500, 1, "", "");
    }

    #[test]
    fn a_short_history_stands_at_the_right() {
        assert_eq!(spark(&[10, 10, 20], 60, Glyphs::Ascii).trim_start(), "==%");
        assert_eq!(spark(&[], 5, Glyphs::Ascii), "     ");
        assert_eq!(spark(&[1; 60], 5, Glyphs::Unicode), "█████");
        assert_eq!(spark(&[1; 60], 0, Glyphs::Unicode), "");
    }

    #[test]
    fn a_gauge_is_absolute_and_blank_where_nothing_is_known() {
        let check = |values: &[u16], columns, expected: &str| {
            assert_eq!(gauge(values, columns, Glyphs::Ascii), expected);
        };
        check(&[0; 60], 4, "____");
        check(&[1000; 30], 4, "  ##");
        check(&[], 4, "    ");
        check(&[300, 600], 0, "");
        check(&[&[0; 15][..], &[300; 15], &[600; 15], &[5000; 15]].concat(), 4, "_-=#");
        assert_eq!(gauge(&[500; 60], 2, Glyphs::Unicode), "▄▄");
    }

    #[test]
    fn the_chart_is_as_wide_and_high_as_asked() {
        let ramp: Vec<u32> = (1..=60).collect();
        let rows = columns(&ramp, 8, 2, Glyphs::Ascii);
        assert_eq!(rows, ["    _-=#", "_-=#####"]);
    }
}
