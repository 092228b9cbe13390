//! The command palette: what fits what was typed, and carrying it out.

use vc_protocol::id::JobId;
use vc_protocol::operator::filter;

use super::detail::{Detail, Tab};
use super::field::Field;
use super::overlay::Overlay;
use super::{Action, Millis, Screen, State, asks, on_key, sorting};
use crate::tui::keys::{self, COMMANDS, Command, Fact, Group};
use crate::tui::look::Theme;
use crate::tui::look::theme::THEMES;

/// Lines kept for the next time.
const HISTORY_MAX: usize = 50;

/// What was typed, and which of the commands that fit it has the focus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Palette {
    pub(crate) field: Field,
    pub(crate) at: usize,
    /// How many lines back in the history the field is; 0 for a new one.
    back: usize,
    /// Why the line could not be carried out.
    pub(crate) error: Option<String>,
}

impl Palette {
    /// The text changed.
    pub(super) fn edited(&mut self) {
        (self.at, self.back, self.error) = (0, 0, None);
    }

    /// Name and argument.
    fn words(&self) -> (&str, &str) {
        let line = self.field.value().trim_start();
        line.split_once(char::is_whitespace).map_or((line, ""), |(name, rest)| (name, rest.trim()))
    }

    /// The commands that fit what was typed, the best one first.
    pub(crate) fn choices(&self, state: &State) -> Vec<&'static Fact> {
        let (name, _) = self.words();
        if self.field.value().trim_start().contains(char::is_whitespace) {
            return COMMANDS.iter().filter(|f| f.name == name && is_offered(state, f)).collect();
        }
        let mut found: Vec<(u32, &Fact)> = COMMANDS
            .iter()
            .filter(|f| is_offered(state, f))
            .filter_map(|f| score(name, f).map(|score| (score, f)))
            .collect();
        // Who typed nothing yet sees what can be done, in the order of the help.
        let is_look = |fact: &Fact| name.is_empty() && fact.group != Group::Do;
        found.sort_by_key(|(score, fact)| {
            (is_look(fact), std::cmp::Reverse(if name.is_empty() { 0 } else { *score }))
        });
        found.into_iter().map(|(_, fact)| fact).collect()
    }
}

/// Whether it can be called from this screen by this operator.
fn is_offered(state: &State, fact: &Fact) -> bool {
    let called = !matches!(fact.group, Group::Move | Group::Answer) && fact.command != Command::Palette;
    let everywhere = !keys::BINDINGS.iter().any(|b| b.command == fact.command && !b.is_fixed());
    let here = keys::bindings(state.below().into()).any(|b| b.command == fact.command);
    called && (here || everywhere) && state.refusal(fact.command).is_none()
}

/// How well a command fits: its letters in order, better at the start of words and next to each other.
fn score(query: &str, fact: &Fact) -> Option<u32> {
    let query = query.to_lowercase();
    let mut score = 100;
    let mut rest = fact.name.char_indices();
    let mut before: Option<usize> = None;
    for wanted in query.chars() {
        let Some((at, _)) = rest.find(|(_, c)| *c == wanted) else {
            // A word of its description is better than nothing.
            return fact.help.to_lowercase().contains(&query).then_some(1);
        };
        let starts = at == 0 || fact.name.as_bytes().get(at - 1) == Some(&b'-');
        let joins = at.checked_sub(1) == before && before.is_some();
        score += if at == 0 { 8 } else { 0 } + if starts { 8 } else { 0 } + if joins { 5 } else { 0 };
        before = Some(at);
    }
    // Of two that fit alike, the shorter one is meant.
    Some(score * 64 - fact.name.len() as u32)
}

/// Up and down: along the choices, and above the first one into the history.
pub(super) fn step(state: &mut State, by: i64) {
    let history = state.history.clone();
    let Some(Overlay::Palette(palette)) = &state.overlay else { return };
    let count = palette.choices(state).len();
    let Some(Overlay::Palette(palette)) = &mut state.overlay else { return };
    if by < 0 && palette.at == 0 && palette.back < history.len() {
        palette.back += 1;
        palette.field.set(&history[history.len() - palette.back]);
    } else if by > 0 && palette.back > 0 {
        palette.back -= 1;
        let line = palette.back.checked_sub(1).map(|_| history[history.len() - palette.back].as_str());
        palette.field.set(line.unwrap_or_default());
    } else {
        let by = isize::try_from(by).unwrap_or(0);
        palette.at = palette.at.saturating_add_signed(by).min(count.saturating_sub(1));
    }
    palette.error = None;
}

/// Tab: the name of the choice, or what its argument can be.
pub(super) fn complete(state: &mut State) {
    let Some(Overlay::Palette(palette)) = &state.overlay else { return };
    let Some(fact) = palette.choices(state).get(palette.at).copied() else { return };
    let (name, argument) = palette.words();
    let line = if name == fact.name && !fact.argument.is_empty() {
        let known = arguments(state, fact.command);
        // The next one after what stands there, so that tab goes through them.
        let next = known.iter().position(|k| k == argument).map(|at| (at + 1) % known.len());
        let found =
            next.and_then(|at| known.get(at)).or_else(|| known.iter().find(|k| k.starts_with(argument)));
        found.map(|argument| format!("{name} {argument}"))
    } else {
        let space = if fact.argument.is_empty() { "" } else { " " };
        Some(format!("{}{space}", fact.name))
    };
    if let (Some(Overlay::Palette(palette)), Some(line)) = (&mut state.overlay, line) {
        palette.field.set(&line);
        palette.edited();
    }
}

/// What can stand behind a command.
fn arguments(state: &State, command: Command) -> Vec<String> {
    let agents = || state.snapshot.iter().flat_map(|s| &s.agents).map(|a| a.name.clone()).collect();
    if command == Command::Theme {
        THEMES.iter().map(|(name, _)| (*name).to_owned()).collect()
    } else if command == Command::Revoke {
        agents()
    } else if command == Command::SortBy {
        sorting::words(state).into_iter().map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}

/// Enter: the line if it names a command, else the choice that has the focus.
pub(super) fn take(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    let Some(Overlay::Palette(palette)) = &state.overlay else { return };
    let (name, argument) = palette.words();
    let line = palette.field.value().trim().to_owned();
    let (name, argument) = (name.to_owned(), argument.to_owned());
    let named = COMMANDS.iter().find(|f| f.name == name).filter(|_| palette.at == 0);
    let exact = named.filter(|f| is_offered(state, f));
    // A command that does not work now must not become another one that looks like it.
    let chosen = match named {
        Some(_) => exact,
        None => palette.choices(state).get(palette.at).copied(),
    };
    if line.is_empty() && palette.at == 0 {
        state.overlay = None;
        return;
    }
    if let Ok(id) = name.trim_start_matches('#').parse() {
        remember(state, line);
        state.overlay = None;
        state.detail = Some(Detail::new(JobId(id), Tab::Summary));
        return;
    }
    let outcome = match chosen {
        Some(fact) if !fact.argument.is_empty() && argument.is_empty() && fact.command != Command::Revoke => {
            if let Some(Overlay::Palette(palette)) = &mut state.overlay {
                palette.field.set(&format!("{} ", fact.name));
                palette.edited();
            }
            return;
        }
        Some(fact) => {
            let before = state.overlay.take();
            let done = run(state, now, fact.command, &argument, out);
            if done.is_err() {
                state.overlay = before;
            } else {
                remember(state, if exact.is_some() { line } else { fact.name.to_owned() });
            }
            done
        }
        None => Err(unknown(state, &name)),
    };
    if let (Err(message), Some(Overlay::Palette(palette))) = (outcome, &mut state.overlay) {
        palette.error = Some(message);
    }
}

/// Why a name does nothing: there is no such command, or it does not work here.
fn unknown(state: &State, name: &str) -> String {
    match COMMANDS.iter().find(|f| f.name == name) {
        Some(fact) => state.refusal(fact.command).unwrap_or("that works on another screen only").to_owned(),
        None => "there is no such command".to_owned(),
    }
}

fn remember(state: &mut State, line: String) {
    state.history.retain(|old| *old != line);
    state.history.push(line);
    let extra = state.history.len().saturating_sub(HISTORY_MAX);
    state.history.drain(..extra);
}

/// Carries out a command with what was typed behind it.
fn run(
    state: &mut State,
    now: Millis,
    command: Command,
    argument: &str,
    out: &mut Vec<Action>,
) -> Result<(), String> {
    if command == Command::Theme {
        let theme = Theme::named(argument).ok_or_else(|| format!("there is no theme {argument:?}"))?;
        state.look.wear(theme);
    } else if command == Command::Filter && !argument.is_empty() {
        let parsed = filter::parse(argument).map_err(|e| e.to_string())?;
        (state.detail, state.agent, state.screen) = (None, None, Screen::Jobs);
        state.jobs.set_filter(argument.to_owned(), parsed);
    } else if command == Command::SortBy {
        if !sorting::by(state, argument) {
            return Err(format!("this sorts by: {}", sorting::words(state).join(", ")));
        }
    } else if !asks::run(state, now, command, argument, out)? {
        on_key::run(state, now, command, out);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(query: &str) -> &'static str {
        let found = COMMANDS.iter().filter_map(|f| score(query, f).map(|s| (s, f.name)));
        found.max_by_key(|(score, _)| *score).map_or("", |(_, name)| name)
    }

    #[test]
    fn few_letters_find_a_command() {
        for (query, name) in [
            ("ret", "retry"),
            ("rg", "retry-group"),
            ("can", "cancel"),
            ("drk", "drain-kill"),
            ("purge", "purge"),
            ("stn", "stop-now"),
            ("THE", "theme"),
            ("quarantine", "release-device"),
        ] {
            assert_eq!(best(query), name, "{query}");
        }
        assert_eq!(best("zzzz"), "");
    }
}
