//! The text field of a filter or of a search. While it is open no other key works.

use vc_protocol::operator::filter::{self, FilterError};

use super::field::Field;
use super::{Screen, State};
use crate::tui::keys::Key;

/// What is typed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Which jobs to show.
    Filter,
    /// What to look for in the open log.
    Find,
    /// Which events to show.
    Events,
}

/// An open text field.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub(crate) asks: Asks,
    pub(crate) input: Field,
    pub(crate) error: Option<FilterError>,
    /// How many filters back the text is from.
    back: usize,
    /// What was typed before an older filter was fetched back.
    own: String,
}

pub(super) fn open(state: &mut State, asks: Asks, text: String) {
    let mut input = Field::default();
    input.set(&text);
    state.prompt = Some(Prompt { asks, input, error: None, back: 0, own: String::new() });
}

/// Opens the field for the filter of the jobs table.
pub(super) fn open_filter(state: &mut State) {
    state.screen = Screen::Jobs;
    let mut text = state.jobs.filter_text.clone();
    if !text.is_empty() {
        text.push(' ');
    }
    open(state, Asks::Filter, text);
}

/// Pasted text goes to a text field or nowhere.
pub(super) fn paste(state: &mut State, text: &str) {
    if let Some(prompt) = &mut state.prompt {
        prompt.input.paste(text);
        if prompt.asks == Asks::Filter {
            prompt.error = filter::parse(prompt.input.value()).err();
        }
        state.dirty = true;
    }
}

pub(super) fn key(state: &mut State, key: Key) {
    let Some(prompt) = &mut state.prompt else { return };
    prompt.error = None;
    if prompt.input.edit(key) {
        return;
    }
    if key == Key::Enter {
        apply(state);
    } else if matches!(key, Key::Esc | Key::Ctrl('c')) {
        state.prompt = None;
    } else if key == Key::Up {
        prompt.recall(&state.jobs.history, 1);
    } else if key == Key::Down {
        prompt.recall(&state.jobs.history, -1);
    }
}

impl Prompt {
    /// Fetches an older or a younger filter; the youngest is what was typed.
    fn recall(&mut self, history: &[String], by: isize) {
        let back = self.back.saturating_add_signed(by).min(history.len());
        if self.asks != Asks::Filter || back == self.back {
            return;
        }
        if self.back == 0 {
            self.own = self.input.value().to_owned();
        }
        self.back = back;
        let older = history.len().checked_sub(back).and_then(|at| history.get(at));
        self.input.set(older.unwrap_or(&self.own));
    }
}

fn apply(state: &mut State) {
    let Some(prompt) = &mut state.prompt else { return };
    let text = prompt.input.value().trim_end().to_owned();
    match prompt.asks {
        Asks::Find => {
            if let Some(detail) = &mut state.detail {
                detail.log.search(text);
            }
        }
        Asks::Events => state.events.set_filter(text),
        Asks::Filter => match filter::parse(&text) {
            Ok(parsed) => state.jobs.set_filter(text, parsed),
            Err(error) => {
                prompt.error = Some(error);
                return;
            }
        },
    }
    state.prompt = None;
}
