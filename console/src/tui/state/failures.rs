//! The Failures screen: where its cursor is, and what its keys do.

use super::{Action, Millis, State};
use crate::tui::keys::Command;
use crate::tui::link::RequestTag;
use vc_protocol::operator::{FailureGroup, Response};

/// The screen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Failures {
    /// Row of the cursor.
    pub(crate) at: usize,
}

/// Carries out what is this screen's own; false hands the command on.
pub(super) fn run(_state: &mut State, _now: Millis, _command: Command, _out: &mut Vec<Action>) -> bool {
    false
}

/// Why a command does nothing here now; none if it works or is not this screen's.
pub(super) fn refusal(_state: &State, _command: Command) -> Option<&'static str> {
    None
}

/// Moves the cursor by rows.
pub(super) fn scroll(_state: &mut State, _by: i64) {}

/// Asks for what is in sight and missing or old.
pub(super) fn fetch(_state: &mut State, _now: Millis, _out: &mut Vec<Action>) {}

/// When [`fetch`] may want something by time alone.
pub(super) fn due(_state: &State, _now: Millis) -> Option<Millis> {
    None
}

/// Takes the answer to a question of this screen; gives back what is not for it.
pub(super) fn answer(
    _state: &mut State,
    _now: Millis,
    _tag: RequestTag,
    response: Response,
) -> Option<Response> {
    Some(response)
}

/// The group under the cursor.
pub(super) fn selected(_state: &State) -> Option<FailureGroup> {
    None
}
