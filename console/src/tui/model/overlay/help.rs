//! The help: the keys that work here, or every command that a search finds.

use ratatui::layout::Size;

use super::super::text::{Line, Role, clean, cut};
use super::Content;
use crate::tui::keys::{self, COMMANDS, Command, Fact, Group};
use crate::tui::look::Glyphs;
use crate::tui::state::State;
use crate::tui::state::field::Field;

/// Columns of the headings.
const HEADS: usize = 6;
/// Columns that the keys of one line may take; of more keys the first are shown.
const KEYS: usize = 9;

/// Commands that share a line, because they are told in one breath.
const TOGETHER: [(&[Command], &str); 12] = [
    (&[Command::Down, Command::Up], "lines; arrows too"),
    (&[Command::First, Command::Last], "ends"),
    (&[Command::HalfDown, Command::HalfUp], "half a page"),
    (&[Command::PageDown, Command::PageUp], "page"),
    (&[Command::ScrollLeft, Command::ScrollRight], "columns"),
    (&[Command::NextPane, Command::PrevPane], "pane or screen"),
    (
        &[Command::GoOverview, Command::GoJobs, Command::GoAgents, Command::GoFailures, Command::GoEvents],
        "screens",
    ),
    (&[Command::Fold, Command::Unfold], "fold, unfold"),
    (&[Command::PrevTab, Command::NextTab], "tabs"),
    (&[Command::SortBefore, Command::SortNext], "sort column"),
    (&[Command::NextHit, Command::PrevHit], "next, previous"),
    (&[Command::Raise, Command::Lower], "priority up, down"),
];

pub(super) fn content(state: &State, field: &Field, scroll: usize, size: Size) -> Content {
    let glyphs = state.look.glyphs;
    let columns = usize::from(size.width).saturating_sub(4);
    let query = field.value().trim().to_lowercase();
    let found = if query.is_empty() { here(state, columns) } else { search(state, &query, columns, glyphs) };
    let mut top = if query.is_empty() {
        let all = COMMANDS.iter().filter(|f| f.group != Group::Answer).count();
        Line::new(format!("type to search all {all} commands"))
    } else {
        Line::new("search ").with(Role::Strong, cut(&clean(field.value(), glyphs), columns / 2, glyphs))
    };
    top.push(Role::Plain, " ");
    let cursor = (!query.is_empty()).then(|| ("search ".len() + field.visual_cursor(), 0));
    let room = usize::from(size.height).saturating_sub(2);
    let hint = if found.len() + 2 > room { ", arrows scroll" } else { "" };
    let mut lines = vec![top, Line::default()];
    lines.extend(found);
    Content { title: format!("? Help (only keys that work here{hint})"), lines, scroll, fixed: 2, cursor }
}

/// A line of the help.
struct Told {
    head: &'static str,
    keys: String,
    help: &'static str,
}

/// The keys of the screen below; commands that do nothing now are left out.
fn here(state: &State, columns: usize) -> Vec<Line> {
    let place = state.below().into();
    let mut told: Vec<Told> = Vec::new();
    for group in Group::ALL {
        let mut seen: Vec<Command> = Vec::new();
        for binding in keys::bindings(place) {
            let command = binding.command;
            if command.fact().group != group || seen.contains(&command) || state.refusal(command).is_some() {
                continue;
            }
            let head = if seen.is_empty() { group.word() } else { "" };
            let (keys, help) = match TOGETHER.iter().find(|(all, _)| all.contains(&command)) {
                Some((all, help)) => {
                    let firsts: Vec<String> = all.iter().map(|c| state.keys.first(place, *c)).collect();
                    seen.extend(*all);
                    (firsts.join(" "), *help)
                }
                None => {
                    seen.push(command);
                    (some_keys(&state.keys.shown(place, command)), command.fact().help)
                }
            };
            told.push(Told { head, keys, help });
        }
    }
    let (left, right) = told.split_at(told.len().div_ceil(2));
    let both = [lines(left), lines(right)];
    let gutter = both[0].iter().map(Line::width).max().unwrap_or(0) + 2;
    let width = gutter + both[1].iter().map(Line::width).max().unwrap_or(0);
    if width > columns {
        return lines(&told);
    }
    let [mut left, right] = both;
    for (line, other) in left.iter_mut().zip(right) {
        line.pad_to(gutter);
        line.extend(other);
    }
    left
}

/// As many keys as have room; the first in any case.
fn some_keys(all: &str) -> String {
    let mut keys = String::new();
    for key in all.split(' ') {
        if !keys.is_empty() && keys.len() + 1 + key.len() > KEYS {
            break;
        }
        keys += if keys.is_empty() { "" } else { " " };
        keys += key;
    }
    keys
}

fn lines(told: &[Told]) -> Vec<Line> {
    let keys = told.iter().map(|t| t.keys.chars().count()).max().unwrap_or(0);
    let line = |told: &Told| {
        let mut line = Line::role(Role::Strong, format!("{:<HEADS$}", told.head));
        line.push(Role::Plain, format!("{:<keys$} {}", told.keys, told.help));
        line
    };
    told.iter().map(line).collect()
}

/// Every command that has the words in its name, its keys or its help.
fn search(state: &State, query: &str, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let fits = |fact: &&Fact| {
        let keys = state.keys.anywhere(fact.command).to_lowercase();
        let all = format!("{} {keys} {} {}", fact.name, fact.help.to_lowercase(), fact.cli);
        query.split_whitespace().all(|word| all.contains(word))
    };
    let hidden = |fact: &&Fact| fact.command.acts() && !state.may_act();
    let mut lines = Vec::new();
    for fact in COMMANDS.iter().filter(|f| f.group != Group::Answer).filter(fits).filter(|f| !hidden(f)) {
        let keys = state.keys.anywhere(fact.command);
        let keys = if keys.is_empty() { format!(":{}", fact.name) } else { keys };
        let mut found = Line::role(Role::Strong, format!("{keys:<16} "));
        found.push(Role::Plain, fact.help);
        if !fact.cli.is_empty() {
            found.pad_to(40);
            found.push(Role::Plain, format!(" vc-console {}", fact.cli));
        }
        lines.push(found);
    }
    if lines.is_empty() {
        lines.push(Line::new(cut(&format!("nothing has {query:?}"), columns, glyphs)));
    }
    lines
}
