//! What the engine makes of an agent's new certificate: an event, and what screens show of it.

use vc_protocol::operator::EventKind;

use super::input::Renewal;
use super::run::{After, Loop};
use crate::store::{EventRow, Turn};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Loop {
    pub(super) fn renewed(&mut self, renewal: Renewal, turn: &mut Turn<'_>, after: &mut After) {
        let Renewal { agent, name, serial, ends_ms } = renewal;
        let at_ms = self.clock.now().wall_ms;
        let text = format!("{name} renewed its certificate ({})", life(ends_ms.saturating_sub(at_ms)));
        if let Some(session) = self.sessions.get_mut(&agent) {
            session.certificate = Some((serial, ends_ms));
        }
        let kind = EventKind::Agent;
        turn.note(EventRow { at_ms, kind, text, who: String::new(), agent: name, job: None });
        after.dirty = true;
    }
}

/// To the nearest day: signing took a moment of it.
fn life(left_ms: i64) -> String {
    match left_ms.saturating_add(DAY_MS / 2) / DAY_MS {
        ..=0 => "under a day".to_owned(),
        days => format!("{days} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_told_in_days() {
        assert_eq!(life(30 * DAY_MS - 7), "30 d");
        assert_eq!(life(10_000), "under a day");
        assert_eq!(life(-5), "under a day");
    }
}
