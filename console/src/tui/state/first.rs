//! The first run: which of the three steps are done, and the token of the first one.

use vc_protocol::operator::{AgentState, Request, Response, Snapshot};

use super::deed::TOKEN;
use super::{Action, Millis, State, on_reply};
use crate::tui::Mode;
use crate::tui::link::RequestTag;

/// A token that the server refused to make is asked for again after this.
const AGAIN_MS: Millis = 10_000;

/// A line to paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: String,
    /// When it ends.
    pub(crate) ends: Millis,
}

/// What was made and started for the first steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) token: Option<Token>,
    pub(crate) refused: Option<String>,
    pub(crate) asked: Option<RequestTag>,
    asked_at: Millis,
    /// An agent can be started on this box, which is the server's.
    pub(crate) can_start: bool,
    /// It is being started.
    pub(crate) starting: bool,
}

/// Which steps are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) joined: bool,
    pub(crate) added: bool,
}

impl Steps {
    /// As the farm stands; none once everything is done.
    pub(crate) fn of(snapshot: &Snapshot) -> Option<Steps> {
        let worked = snapshot.agents.iter().any(|agent| agent.completed > 0 || agent.failed > 0);
        let steps = Steps {
            joined: !snapshot.agents.is_empty(),
            added: worked || snapshot.totals.by_state.iter().any(|count| *count > 0),
        };
        (!(steps.joined && steps.added)).then_some(steps)
    }
}

/// Somebody works here.
pub(crate) fn connected(snapshot: &Snapshot) -> bool {
    snapshot.agents.iter().any(|agent| agent.state != AgentState::Offline)
}

impl First {
    /// When to ask for a token (again); `wanted` says that it is shown.
    pub(crate) fn due(&self, wanted: bool) -> Option<Millis> {
        if !wanted || self.asked.is_some() {
            return None;
        }
        match (&self.token, &self.refused) {
            (Some(token), _) => Some(token.ends),
            (None, Some(_)) => Some(self.asked_at + AGAIN_MS),
            (None, None) => Some(0),
        }
    }

    pub(crate) fn ask(&mut self, tag: RequestTag, now: Millis) {
        (self.asked, self.asked_at) = (Some(tag), now);
    }

    /// Takes a token that lives so long.
    pub(crate) fn take(&mut self, line: String, ttl_s: u64, now: Millis) {
        (self.asked, self.refused) = (None, None);
        // Counted from the question: the screen must not promise a second more than the server keeps.
        let ends = self.asked_at.saturating_add(ttl_s.saturating_mul(1000)).max(now + AGAIN_MS);
        self.token = Some(Token { line, ends });
    }

    pub(crate) fn refuse(&mut self, why: String) {
        (self.asked, self.refused, self.token) = (None, Some(why), None);
    }
}

/// The line to paste is in sight: nobody has joined yet.
fn shows_token(state: &State) -> bool {
    let waits = state.snapshot.as_deref().is_some_and(|snapshot| snapshot.agents.is_empty());
    state.mode == Mode::Attach && waits && state.may_act()
}

/// The line that `y` copies; none once somebody joined.
pub(super) fn line(state: &State) -> Option<&str> {
    state.first.token.as_ref().filter(|_| shows_token(state)).map(|token| token.line.as_str())
}

/// Asks for a token where one is shown and there is none.
pub(super) fn fetch(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    if state.first.due(shows_token(state)).is_some_and(|due| due <= now) {
        let tag = state.send(Request::TokenCreate(TOKEN), out);
        state.first.ask(tag, now);
    }
}

/// Time left of a token that is told in seconds; before that in minutes, so that a screen that nobody looks at stands
/// still.
pub(crate) const LAST_MS: Millis = 120_000;

/// When time alone changes something: the countdown, or a token that ended.
pub(super) fn due(state: &State, now: Millis) -> Option<Millis> {
    let shown = shows_token(state);
    let left = state.first.token.as_ref().filter(|_| shown).map(|token| token.ends.saturating_sub(now));
    let step = |left| if left > LAST_MS { 60_000 } else { 1000 };
    let next = left.filter(|left| *left > 0).map(|left| now + (left - 1) % step(left) + 1);
    next.into_iter().chain(state.first.due(shown)).min()
}

/// Takes the token asked for; gives back what is not for it.
pub(super) fn answer(
    state: &mut State,
    now: Millis,
    tag: RequestTag,
    response: Response,
) -> Option<Response> {
    if state.first.asked != Some(tag) {
        return Some(response);
    }
    if let Response::Token { line, ttl_s } = response {
        state.first.take(line, ttl_s, now);
    } else {
        state.first.refuse(on_reply::refusal(response));
    }
    state.dirty = true;
    None
}

/// Starts an agent on this box.
pub(super) fn start(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    state.first.starting = true;
    state.say(now, "starting an agent on this box; it joins by itself");
    out.push(Action::StartAgent);
}

/// What became of it.
pub(super) fn started(state: &mut State, now: Millis, outcome: Result<String, String>) {
    // One that started joins in a moment, and the step ticks off; a failed start may be tried again.
    state.first.starting = outcome.is_ok();
    state.say(now, outcome.unwrap_or_else(|why| format!("no agent was started: {why}")));
    state.dirty = true;
}

/// Why no agent can be started from here; none if one can.
pub(super) fn refusal(state: &State) -> Option<&'static str> {
    if !state.first.can_start {
        Some("only the dashboard on the server's own box can do that")
    } else if state.first.starting {
        Some("it is being started already")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::operator::AgentView;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_again_when_it_ended() {
        let mut first = First::default();
        assert_eq!(first.due(false), None);
        assert_eq!(first.due(true), Some(0));
        first.ask(RequestTag(1), 1000);
        assert_eq!(first.due(true), None);
        first.take("vcj1.x".into(), 900, 1200);
        assert_eq!(first.due(true), Some(901_000));
        first.ask(RequestTag(2), 901_000);
        first.refuse("not by a viewer".into());
        assert_eq!((first.due(true), first.token), (Some(911_000), None));
    }

    #[test]
    fn steps_tick_off_as_the_farm_grows() {
        let mut farm = Snapshot::default();
        assert_eq!(Steps::of(&farm), Some(Steps { joined: false, added: false }));
        farm.totals.by_state[0] = 1;
        assert_eq!(Steps::of(&farm), Some(Steps { joined: false, added: true }));
        farm.agents.push(AgentView::default());
        assert_eq!(Steps::of(&farm), None);
        farm.totals.by_state[0] = 0;
        assert_eq!(Steps::of(&farm), Some(Steps { joined: true, added: false }));
        farm.agents[0].completed = 5;
        assert_eq!(Steps::of(&farm), None, "a farm whose jobs were purged is not new");
    }
}
