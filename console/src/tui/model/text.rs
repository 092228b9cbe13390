//! Text cut to display columns, and lines made of spans with roles. Knows no colours: a role is a meaning.

use ratatui::text::Span;
use vc_protocol::path::is_unprintable;

use crate::tui::look::Glyphs;
use crate::tui::state::mouse::Hit;

/// What a piece of text means; the view gives it a style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    /// Titles and what is chosen.
    Strong,
    /// Went or goes well.
    Good,
    /// Needs a person.
    Bad,
    /// Moves.
    Busy,
    /// Neither good nor bad: held, unsure, draining.
    Odd,
    /// What was searched for.
    Found,
    /// Rules and borders.
    Frame,
    /// The row of the cursor.
    Selected,
    /// The picture of a server that is gone.
    Stale,
}

/// A line of spans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) spans: Vec<(Role, String)>,
    /// The cursor is on it.
    pub(crate) selected: bool,
    /// What a click anywhere on it means.
    pub(crate) hit: Option<Hit>,
    /// What a click on some of its columns means: the first, the one after the last, and the meaning.
    zones: Vec<(usize, usize, Hit)>,
}

impl Line {
    pub(crate) fn new(text: impl Into<String>) -> Line {
        Line::role(Role::Plain, text)
    }

    pub(crate) fn role(role: Role, text: impl Into<String>) -> Line {
        Line { spans: vec![(role, text.into())], ..Line::default() }
    }

    pub(crate) fn push(&mut self, role: Role, text: impl Into<String>) -> &mut Line {
        self.spans.push((role, text.into()));
        self
    }

    /// The same line with one more span.
    pub(crate) fn with(mut self, role: Role, text: impl Into<String>) -> Line {
        self.push(role, text);
        self
    }

    /// Its words without their roles.
    pub(crate) fn text(&self) -> String {
        self.spans.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// A span that means something when it is clicked.
    pub(crate) fn push_hit(&mut self, role: Role, text: impl Into<String>, hit: Hit) -> &mut Line {
        let start = self.width();
        self.push(role, text);
        self.zones.push((start, self.width(), hit));
        self
    }

    /// What a click on this column means.
    pub(crate) fn hit_at(&self, column: usize) -> Option<Hit> {
        let zone = self.zones.iter().find(|(start, end, _)| (*start..*end).contains(&column));
        zone.map(|(_, _, hit)| *hit).or(self.hit)
    }

    pub(crate) fn extend(&mut self, other: Line) {
        let offset = self.width();
        self.zones
            .extend(other.zones.into_iter().map(|(start, end, hit)| (start + offset, end + offset, hit)));
        self.spans.extend(other.spans);
    }

    pub(crate) fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| width(text)).sum()
    }

    /// Blanks up to a column.
    pub(crate) fn pad_to(&mut self, column: usize) -> &mut Line {
        let missing = column.saturating_sub(self.width());
        if missing > 0 {
            self.push(Role::Plain, " ".repeat(missing));
        }
        self
    }

    /// Exactly `columns` wide: cut or padded.
    pub(crate) fn fit(&mut self, columns: usize) -> &mut Line {
        let mut left = columns;
        for (_, text) in &mut self.spans {
            if width(text) > left {
                *text = head(text, left);
            }
            left -= width(text);
        }
        self.spans.retain(|(_, text)| !text.is_empty());
        self.pad_to(columns)
    }
}

/// Display columns of a text.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// Text from outside made safe for the terminal: nothing that steers it, and only what its glyphs can show.
pub(crate) fn clean(text: &str, glyphs: Glyphs) -> String {
    let shown = text.chars().filter_map(|c| match c {
        '\t' => Some(' '),
        c if is_unprintable(c) => None,
        c if !c.is_ascii() && glyphs == Glyphs::Ascii => Some('?'),
        c => Some(c),
    });
    shown.collect()
}

/// The longest start that fits.
pub(crate) fn head(text: &str, columns: usize) -> String {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        // Grown by the whole start, not by single characters: an emoji selector widens what came before it.
        if width(&text[..at + c.len_utf8()]) > columns {
            break;
        }
        end = at + c.len_utf8();
    }
    text[..end].to_owned()
}

/// The longest end that fits.
fn tail(text: &str, columns: usize) -> &str {
    let mut start = text.len();
    for (at, _) in text.char_indices().rev() {
        if width(&text[at..]) > columns {
            break;
        }
        start = at;
    }
    &text[start..]
}

/// What stands for text left out.
pub(crate) fn dots(glyphs: Glyphs) -> &'static str {
    match glyphs {
        Glyphs::Ascii => "..",
        Glyphs::Unicode => "…",
    }
}

/// A sentence cut at its end.
pub(crate) fn cut(text: &str, columns: usize, glyphs: Glyphs) -> String {
    let text = clean(text, glyphs);
    if width(&text) <= columns {
        return text;
    }
    let dots = dots(glyphs);
    match columns.checked_sub(width(dots)) {
        Some(left) => head(&text, left) + dots,
        None => head(&text, columns),
    }
}

/// Longest extension worth keeping, with its dot.
const EXTENSION_COLUMNS_MAX: usize = 6;

/// A file name or path cut in its middle, so that its extension stays.
pub(crate) fn cut_name(name: &str, columns: usize, glyphs: Glyphs) -> String {
    let name = clean(name, glyphs);
    if width(&name) <= columns {
        return name;
    }
    let dots = dots(glyphs);
    let extension = name.rfind('.').map_or("", |at| &name[at..]);
    let extension = if width(extension) <= EXTENSION_COLUMNS_MAX { extension } else { "" };
    let Some(left) = columns.checked_sub(width(dots) + width(extension)).filter(|left| *left >= 3) else {
        return cut(&name, columns, glyphs);
    };
    // A little of the end tells episodes apart; the start tells what it is.
    let stem = &name[..name.len() - extension.len()];
    let end = tail(stem, left / 4);
    let start = head(stem, left - width(end));
    format!("{start}{dots}{end}{extension}")
}

/// Longest line of a log that is drawn, in bytes.
const WRAP_BYTES_MAX: usize = 4096;

/// A text folded to columns; continued lines are indented.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize, glyphs: Glyphs) -> Vec<String> {
    let text = clean(&text[..text.floor_char_boundary(WRAP_BYTES_MAX)], glyphs);
    let mut lines = Vec::new();
    let mut rest = text.as_str();
    loop {
        let margin = if lines.is_empty() { 0 } else { indent };
        let room = columns.saturating_sub(margin).max(1);
        let mut part = head(rest, room);
        if part.is_empty() {
            // One character wider than the room: give it a line, the view cuts it.
            part = rest.chars().next().map(String::from).unwrap_or_default();
        }
        if part.len() < rest.len()
            && let Some(space) = part.rfind(' ').filter(|at| *at > room / 2)
        {
            part.truncate(space);
        }
        lines.push(format!("{}{part}", " ".repeat(margin)));
        rest = rest[part.len()..].trim_start_matches(' ');
        if rest.is_empty() {
            return lines;
        }
    }
}

/// ` one  two  three`: as many of the parts as fit, in their order.
pub(crate) fn joined(parts: &[String], columns: usize) -> String {
    let mut text = String::new();
    for part in parts {
        let gap = if text.is_empty() { " " } else { "  " };
        if width(&text) + gap.len() + width(part) <= columns {
            text = text + gap + part;
        }
    }
    text
}

/// The title line of a section: `-- left ------ right --`.
pub(crate) fn section(left: &str, right: &str, columns: usize, glyphs: Glyphs) -> Line {
    section_with(left, (Role::Plain, right), columns, glyphs)
}

/// The same with a meaning on its right.
pub(crate) fn section_with(left: &str, (role, right): (Role, &str), columns: usize, glyphs: Glyphs) -> Line {
    let dash = rule(glyphs);
    let mut line = Line::role(Role::Frame, dash.repeat(2));
    line.push(Role::Strong, format!(" {left} "));
    // A title that does not fit beside its left half is cut, not written over it.
    let right = cut(right, columns.saturating_sub(line.width() + 5), glyphs);
    let end = if right.is_empty() { 2 } else { width(&right) + 4 };
    line.push(Role::Frame, dash.repeat(columns.saturating_sub(line.width() + end)));
    if !right.is_empty() {
        line.push(role, format!(" {right} "));
    }
    line.push(Role::Frame, dash.repeat(2));
    line.fit(columns);
    line
}

pub(crate) fn rule(glyphs: Glyphs) -> &'static str {
    match glyphs {
        Glyphs::Ascii => "-",
        Glyphs::Unicode => "─",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_cut_in_the_middle_and_keep_their_extension() {
        let check = |name: &str, columns, expected: &str| {
            assert_eq!(cut_name(name, columns, Glyphs::Ascii), expected);
        };
        check("ep_0417.mkv", 11, "ep_0417.mkv");
        check("wedding_2019_master.mov", 14, "weddin..er.mov");
        check("wedding", 5, "wed..");
        check("a.verylongextension", 10, "a.very..on");
        check("x.mkv", 0, "");
        assert_eq!(cut_name("日本語の映画.mkv", 11, Glyphs::Unicode), "日本語….mkv");
        assert_eq!(cut_name("日本.mkv", 11, Glyphs::Ascii), "??.mkv");
    }

    #[test]
    fn nothing_that_steers_the_terminal_stays() {
        assert_eq!(clean("a\x1b[2Jb\n\u{202e}c\td", Glyphs::Unicode), "a[2Jbc d");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,40}(\\.mkv)?", columns in 0usize..30) {
            for glyphs in [Glyphs::Ascii, Glyphs::Unicode] {
                prop_assert!(width(&cut(&text, columns, glyphs)) <= columns);
                prop_assert!(width(&cut_name(&text, columns, glyphs)) <= columns);
                let mut line = Line::new(clean(&text, glyphs)).with(Role::Good, "x日");
                line.fit(columns);
                prop_assert!(line.width() == columns);
            }
        }

        #[test]
        fn folded_lines_keep_every_character(text in "[a-z日 ]{0,60}", columns in 2usize..20) {
            let lines = wrap(&text, columns, 1, Glyphs::Unicode);
            let squeeze = |s: &str| s.replace(' ', "");
            prop_assert_eq!(squeeze(&lines.concat()), squeeze(&text));
        }
    }
}
