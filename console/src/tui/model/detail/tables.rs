//! Tabs that are tables: attempts, streams of the source, events.

use vc_protocol::media::{Stream, StreamKind};
use vc_protocol::operator::{AttemptView, JobDetail};

use super::super::text::{Line, Role, clean, cut, section, width, wrap};
use super::super::words;
use super::summary::{channels, codec};
use super::table::{Align, Column, fixed, growing, heads, row, widths};
use crate::tui::look::Glyphs;
use crate::tui::state::State;
use crate::tui::state::detail::Detail;

const ATTEMPTS: [Column; 9] = [
    fixed("NO", Align::Right, 3, 20),
    growing("WHERE", (10, 24), 1, 15),
    growing("ENCODER", (10, 16), 1, 10),
    fixed("STARTED", Align::Left, 8, 8),
    fixed("LENGTH", Align::Right, 7, 9),
    growing("ENDED", (9, 14), 1, 18),
    growing("CAUSE", (16, 200), 4, 255),
    fixed("CMDS", Align::Right, 4, 2),
    fixed("LOG", Align::Right, 9, 3),
];

/// One row an attempt, newest first; log and command tabs are of the one under the cursor.
pub(super) fn attempts(state: &State, open: &Detail, data: &JobDetail, columns: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    if data.attempts.is_empty() {
        return vec![Line::new(" not started yet")];
    }
    let widths = widths(&ATTEMPTS, columns.saturating_sub(2));
    let mut lines = vec![Line::new("  ")];
    lines[0].extend(heads(&ATTEMPTS, &widths));
    for (at, attempt) in data.attempts.iter().enumerate() {
        let selected = at == open.attempt_at();
        let mut line = Line::new(if selected { "> " } else { "  " });
        line.extend(row(&ATTEMPTS, &widths, cells(state, attempt, &widths, glyphs)));
        line.selected = selected;
        lines.push(line);
    }
    if let Some(attempt) = open.attempt() {
        lines.extend(choice(attempt, columns, glyphs));
    }
    lines
}

/// Why an attempt encoded with what it did, and how well.
fn choice(attempt: &AttemptView, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let passed = attempt.passed_over.iter();
    let passed = passed.map(|passed| ("not", format!("{}: {}", passed.encoder, passed.cause)));
    let quality = attempt.quality.iter().map(|found| ("quality", found.words()));
    let mut lines = Vec::new();
    for (name, text) in passed.chain(quality) {
        let text = wrap(&text, columns.saturating_sub(FACT + 1), 2, glyphs);
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        lines.extend(names.zip(text).map(|(name, text)| Line::new(format!(" {name:<FACT$}{text}"))));
    }
    if !lines.is_empty() {
        let title = format!("Encoder of attempt {}", attempt.no);
        lines.splice(0..0, [Line::default(), section(&title, "", columns, glyphs)]);
    }
    lines
}

fn cells(state: &State, attempt: &AttemptView, widths: &[usize; 9], glyphs: Glyphs) -> [Line; 9] {
    let length = attempt.ended_ms.map_or("-".into(), |end| {
        words::length(u64::try_from(end.saturating_sub(attempt.started_ms)).unwrap_or(0) / 1000)
    });
    let (ended, role) = match attempt.ended.as_str() {
        "" => ("running", Role::Busy),
        "completed" => ("completed", Role::Good),
        "stopped" => ("stopped", Role::Odd),
        class => (class, Role::Bad),
    };
    let lines = attempt.log.lines().filter(|line| !line.trim().is_empty()).count();
    let log = if lines > 0 { words::some(lines as u64, "line") } else { "-".into() };
    [
        Line::new(attempt.no.to_string()),
        Line::new(cut(&attempt.place, widths[1], glyphs)),
        Line::new(cut(&attempt.encoder, widths[2], glyphs)),
        Line::new(words::time(attempt.started_ms, &state.look.zone)),
        Line::new(length),
        Line::role(role, cut(ended, widths[5], glyphs)),
        Line::new(cut(&attempt.cause, widths[6], glyphs)),
        Line::new(attempt.commands.len().to_string()),
        Line::new(log),
    ]
}

/// Columns before what a stream's row has no room for: below its kind.
const STREAM_INDENT: usize = 5;
/// Columns of the name of a fact.
const FACT: usize = 8;

const STREAMS: [Column; 8] = [
    fixed("NO", Align::Right, 3, 20),
    fixed("KIND", Align::Left, 10, 19),
    growing("CODEC", (10, 16), 1, 18),
    fixed("LANG", Align::Left, 4, 10),
    fixed("SIZE", Align::Left, 11, 15),
    growing("FORMAT", (10, 14), 1, 5),
    fixed("RATE", Align::Right, 10, 12),
    growing("NOTES", (12, 60), 3, 8),
];

/// The source and its streams, as ffprobe described them.
pub(super) fn source(data: &JobDetail, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let path = clean(&data.source.shown(), glyphs);
    let mut lines = vec![Line::new(format!(" {}", cut(&path, columns.saturating_sub(1), glyphs)))];
    let Some(media) = &data.media else {
        lines.push(Line::default());
        lines.push(Line::new(" no agent has looked into it yet"));
        return lines;
    };
    let length = media.duration_ms.map_or("-".into(), |ms| words::clock_left(ms / 1000));
    let chapters = words::some(u64::from(media.chapters), "chapter");
    let size = words::bytes(media.size);
    let title = media.title.as_ref().map(|title| format!("  \"{title}\"")).unwrap_or_default();
    let facts = format!(" {}  {length}  {size}  {chapters}{title}", media.container);
    lines.push(Line::new(cut(&facts, columns, glyphs)));
    lines.push(Line::default());
    let widths = widths(&STREAMS, columns.saturating_sub(2));
    let mut titles = Line::new(" ");
    titles.extend(heads(&STREAMS, &widths));
    lines.push(titles);
    for stream in &media.streams {
        let mut line = Line::new(" ");
        line.extend(row(&STREAMS, &widths, stream_cells(stream, &widths, glyphs)));
        lines.push(line);
        let mut details = stream.notes();
        if width(&details.join(", ")) <= widths[7] {
            details.clear();
        }
        details.extend(stream.details());
        if !details.is_empty() {
            let text = wrap(&details.join(", "), columns.saturating_sub(STREAM_INDENT), 0, glyphs);
            lines.extend(text.into_iter().map(|text| Line::new(format!("{:STREAM_INDENT$}{text}", ""))));
        }
    }
    lines
}

fn stream_cells(stream: &Stream, widths: &[usize; 8], glyphs: Glyphs) -> [Line; 8] {
    let (kind, is_picture) = match stream.kind {
        StreamKind::Video => ("video", true),
        StreamKind::Cover => ("cover", true),
        StreamKind::Audio => ("audio", false),
        StreamKind::Subtitle => ("subtitle", false),
        StreamKind::Attachment => ("attachment", false),
        StreamKind::Data => ("data", false),
    };
    let size = match stream.kind {
        _ if is_picture => format!("{}x{}", stream.width, stream.height),
        StreamKind::Audio if !stream.channel_layout.is_empty() => stream.channel_layout.clone(),
        StreamKind::Audio => channels(stream.channels),
        StreamKind::Video
        | StreamKind::Cover
        | StreamKind::Subtitle
        | StreamKind::Attachment
        | StreamKind::Data => String::new(),
    };
    let rate = (stream.fps * 1000.0).round() / 1000.0;
    let rate = if stream.kind == StreamKind::Video && stream.fps > 0.0 {
        format!("{rate} fps")
    } else {
        String::new()
    };
    let mut notes = stream.notes();
    notes.extend(stream.frames.map(|frames| words::some(frames, "frame")));
    [
        Line::new(stream.index.to_string()),
        Line::new(kind),
        Line::new(cut(&codec(&stream.codec), widths[2], glyphs)),
        Line::new(cut(stream.language.as_deref().unwrap_or("-"), widths[3], glyphs)),
        Line::new(cut(&size, widths[4], glyphs)),
        Line::new(cut(&stream.pixel_format, widths[5], glyphs)),
        Line::new(rate),
        Line::new(cut(&notes.join(", "), widths[7], glyphs)),
    ]
}

/// What happened to the job, newest first.
pub(super) fn events(state: &State, open: &Detail, columns: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let told = match &open.events {
        Some(Ok(events)) => Ok(events),
        Some(Err(refused)) => Err(refused.as_str()),
        None => Err("asking the server"),
    };
    let events = match told {
        Ok(events) => events,
        Err(text) => return vec![Line::new(format!(" {}", cut(text, columns.saturating_sub(1), glyphs)))],
    };
    if events.is_empty() {
        return vec![Line::new(" nothing happened to it that is still known")];
    }
    let now = state.snapshot.as_ref().map_or(0, |s| s.now_ms);
    let line = |event: &vc_protocol::operator::EventView| {
        let day = words::time_or_day(event.at_ms, now, &state.look.zone);
        let time = words::time(event.at_ms, &state.look.zone);
        let at = if day.contains(':') { time } else { format!("{day} {time}") };
        let who = if event.who.is_empty() { String::new() } else { format!("{}: ", event.who) };
        let text = format!(" {at}  {who}{}", event.text);
        Line::new(cut(&text, columns, glyphs))
    };
    events.iter().map(line).collect()
}
