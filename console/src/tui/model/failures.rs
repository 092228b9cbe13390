//! Failures in words: a row for each cause, and what is known of the one under the cursor.

use jiff::tz::TimeZone;
use vc_protocol::operator::FailureGroup;

use super::super::look::Glyphs;
use super::super::state::{Millis, State};
use super::table::{Align, Column, fixed, growing, heads, row, scrolled, scrolled_max, widths};
use super::text::{Line, Role, cut, section, width, wrap};
use super::words;
use crate::tui::state::mouse::Hit;

const COLUMNS: [Column; 7] = [
    growing("CAUSE (class)", (24, 90), 4, 255),
    fixed("OPEN", Align::Right, 5, 20),
    fixed("RETRY", Align::Right, 5, 15),
    fixed("RECOV", Align::Right, 5, 10),
    growing("WHERE", (11, 24), 1, 9),
    fixed("LAST", Align::Right, 5, 8),
    fixed("HINT", Align::Left, 4, 5),
];
/// Stays when the others are scrolled away.
const PINNED: [usize; 1] = [0];

/// Most lines of the example and of the advice.
const ADVICE_ROWS: usize = 3;

/// Columns that can be scrolled away.
pub(super) fn column_max(columns: usize) -> usize {
    scrolled_max(&COLUMNS, &PINNED, columns.saturating_sub(2))
}

pub(super) fn body(state: &State, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let groups = &state.failures;
    let mut lines = vec![title(state, columns)];
    if groups.count() == 0 {
        let text = match (&groups.refused, &groups.data) {
            (Some(refused), _) => refused.as_str(),
            (None, None) => "asking the server",
            (None, Some(_)) => "Nothing failed.",
        };
        lines.push(Line::default());
        lines.push(Line::new(format!("  {}", cut(text, columns.saturating_sub(2), glyphs))));
        return lines;
    }
    let shown = scrolled(&COLUMNS, &PINNED, groups.column.min(column_max(columns)));
    let widths = widths(&shown, columns.saturating_sub(2));
    let mut titles = Line::new("  ");
    titles.extend(heads(&shown, &widths));
    lines.push(titles);
    let hint = groups.row().map(|group| hint_box(group, columns, glyphs)).unwrap_or_default();
    let room = rows.saturating_sub(lines.len() + hint.len()).max(1);
    let top = crate::tui::state::jobs::top(groups.at as u64, groups.count() as u64, room as u64) as usize;
    for (at, group) in groups.rows().enumerate().skip(top).take(room) {
        let selected = at == groups.at;
        let mut line = Line::new(if selected { "> " } else { "  " });
        line.extend(row(&shown, &widths, cells(state, group, &widths, now)));
        line.selected = selected;
        line.hit = Some(Hit::Row(at as u64));
        lines.push(line);
    }
    lines.extend(hint);
    lines
}

/// `4 Failures: 3 failed, 4 to retry, 212 recovered (24 h)`
fn title(state: &State, columns: usize) -> Line {
    let glyphs = state.look.glyphs;
    let Some(data) = &state.failures.data else { return section("4 Failures", "", columns, glyphs) };
    let text = format!(
        "4 Failures: {} failed, {} to retry, {} recovered (24 h)",
        words::count(data.open),
        words::count(data.retry),
        words::count(data.recovered)
    );
    let order = state.failures.sort.word();
    let inverted = if state.failures.reversed { ", inverted" } else { "" };
    section(&text, &format!("{order}{inverted}"), columns, glyphs)
}

fn cells(state: &State, group: &FailureGroup, widths: &[usize; 7], now: Millis) -> [Line; 7] {
    let glyphs = state.look.glyphs;
    let class = group.class.map(|class| format!(" ({})", class.word())).unwrap_or_default();
    let cause = cut(&group.cause, widths[0].saturating_sub(class.len()), glyphs);
    let open = if group.open > 0 { Role::Bad } else { Role::Plain };
    let retry = if group.retry > 0 { Role::Odd } else { Role::Plain };
    let last = words::time_or_day(group.last_ms, state.wall_ms(now), &state.look.zone);
    let dash = |text: &str, columns| {
        Line::new(if text.is_empty() { "-".into() } else { cut(text, columns, glyphs) })
    };
    [
        Line::new(cause + &class),
        Line::role(open, words::count_tight(group.open)),
        Line::role(retry, words::count_tight(group.retry)),
        Line::new(words::count_tight(group.recovered)),
        dash(&group.place, widths[4]),
        Line::new(last),
        dash(&group.hint, widths[6]),
    ]
}

/// ` v1: source 50:11, output 47:58 …` and what to do about it.
fn hint_box(group: &FailureGroup, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let name =
        if group.hint.is_empty() { String::new() } else { format!("{}:", cut(&group.hint, 8, glyphs)) };
    let margin = if name.is_empty() { 1 } else { width(&name) + 2 };
    let example = if group.example.is_empty() { &group.cause } else { &group.example };
    let job = group.job.map(|id| format!(" (#{id})")).unwrap_or_default();
    let room = columns.saturating_sub(margin);
    let mut lines = Vec::new();
    for text in [format!("{example}{job}"), group.advice.clone()] {
        if text.is_empty() {
            continue;
        }
        for part in wrap(&text, room, 0, glyphs).into_iter().take(ADVICE_ROWS) {
            let mut line = Line::default();
            if lines.is_empty() {
                line.push(Role::Strong, format!(" {name}"));
            }
            line.pad_to(margin).push(Role::Plain, part);
            lines.push(line);
        }
    }
    lines
}

/// A group as text to paste into a report.
pub(crate) fn report(group: &FailureGroup, zone: &TimeZone) -> String {
    let class = group.class.map_or("-", |class| class.word());
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let mut lines = vec![
        format!("cause:     {}", group.cause),
        format!("class:     {class}"),
        format!("jobs:      {} open, {} to retry", group.open, group.retry),
        format!("recovered: {} in 24 h", group.recovered),
        format!("where:     {}", dash(&group.place)),
        format!("last:      {}", words::stamp(group.last_ms, zone)),
        format!("example:   {}", dash(&group.example)),
        format!("job:       {}", group.job.map_or("-".into(), |id| format!("#{id}"))),
    ];
    if !group.hint.is_empty() || !group.advice.is_empty() {
        lines.push(format!("advice:    {} {}", dash(&group.hint), group.advice));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use vc_protocol::failure::FailureClass;
    use vc_protocol::id::JobId;

    use super::*;

    #[test]
    fn a_report_says_all_that_is_known_of_a_group() {
        let group = FailureGroup {
            cause: "moov atom not found".into(),
            class: Some(FailureClass::Source),
            open: 1,
            retry: 0,
            recovered: 2,
            place: "ada/gpu0".into(),
            last_ms: 1_700_000_000_000,
            example: "x.mkv: moov atom not found".into(),
            job: Some(JobId(7)),
            hint: "s3".into(),
            advice: "The file is cut.".into(),
        };
        let text = report(&group, &TimeZone::UTC);
        for part in ["source", "1 open, 0 to retry", "2023-11-14 22:13:20", "#7", "s3 The file is cut."] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }
}
