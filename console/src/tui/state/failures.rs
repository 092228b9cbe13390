//! Failures by cause: what the server last said, and the cursor that follows its group.

use vc_protocol::operator::filter::{Kind, Test};
use vc_protocol::operator::{FailureGroup, Failures, JobFilter};
use vc_protocol::job::JobState;

use super::Millis;
use super::overlay::Verb;
use crate::tui::link::RequestTag;

/// Least time between two questions while the table of jobs changes.
pub(crate) const REFETCH_MS: Millis = 1000;

/// The jobs of a group are being looked up, to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnGroup {
    pub(crate) tag: RequestTag,
    pub(crate) verb: Verb,
    pub(crate) filter: JobFilter,
}

/// The groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Groups {
    pub(crate) data: Option<Failures>,
    pub(crate) refused: Option<String>,
    /// The cause under the cursor, which it follows.
    pub(crate) selected: Option<String>,
    pub(crate) at: usize,
    pub(crate) asked: Option<RequestTag>,
    pub(crate) asked_at: Millis,
    /// Revision of the table when it was asked.
    pub(crate) revision: u64,
    pub(crate) on_group: Option<OnGroup>,
}

impl Groups {
    pub(crate) fn rows(&self) -> &[FailureGroup] {
        self.data.as_ref().map_or(&[], |data| &data.groups)
    }

    pub(crate) fn row(&self) -> Option<&FailureGroup> {
        self.rows().get(self.at)
    }

    pub(crate) fn move_to(&mut self, at: usize) {
        self.at = at.min(self.rows().len().saturating_sub(1));
        self.selected = self.row().map(|group| group.cause.clone());
    }

    /// Puts the cursor on a group, now or when it comes.
    pub(crate) fn select(&mut self, cause: String) {
        self.selected = Some(cause);
        self.follow();
    }

    fn follow(&mut self) {
        let selected = self.selected.clone();
        let found = selected.as_ref().and_then(|cause| self.rows().iter().position(|g| g.cause == *cause));
        match (found, &self.data) {
            // Nothing came yet: what was chosen may still come.
            (None, None) => {}
            (found, _) => self.move_to(found.unwrap_or(self.at)),
        }
    }

    pub(crate) fn take(&mut self, data: Failures) {
        (self.data, self.refused) = (Some(data), None);
        self.follow();
    }

    /// When to ask (again).
    pub(crate) fn due(&self, revision: u64) -> Option<Millis> {
        match self.asked {
            Some(_) => None,
            None if self.data.is_none() && self.refused.is_none() => Some(0),
            None => (revision != self.revision).then_some(self.asked_at + REFETCH_MS),
        }
    }
}

/// The jobs of a cause that are of these kinds.
pub(crate) fn jobs_of(cause: &str, kinds: &[Kind]) -> JobFilter {
    // The filter language has no way to write a quote; the longest part without one finds the same and hardly more.
    let part = cause.split('"').max_by_key(|part| part.len()).unwrap_or_default().trim();
    let mut terms = vec![Test::Is(kinds.to_vec()).term()];
    if !part.is_empty() {
        terms.push(Test::Cause(part.to_owned()).term());
    }
    JobFilter { terms }
}

/// Those that a person can do something about.
pub(crate) const OPEN: [Kind; 3] = [Kind::State(JobState::Failed), Kind::State(JobState::Held), Kind::Retry];
/// Those that have not ended: what giving up ends.
pub(crate) const WAITING: [Kind; 2] = [Kind::State(JobState::Held), Kind::Retry];

#[cfg(test)]
mod tests {
    use vc_protocol::operator::filter::parse;

    use super::*;

    fn group(cause: &str) -> FailureGroup {
        FailureGroup {
            cause: cause.into(),
            class: None,
            open: 1,
            retry: 0,
            recovered: 0,
            place: String::new(),
            last_ms: 0,
            example: String::new(),
            job: None,
            hint: String::new(),
            advice: String::new(),
        }
    }

    fn told(causes: &[&str]) -> Failures {
        Failures { groups: causes.iter().map(|cause| group(cause)).collect(), ..Failures::default() }
    }

    #[test]
    fn the_cursor_follows_its_cause() {
        let mut groups = Groups::default();
        groups.select("b".into());
        groups.take(told(&["a", "b"]));
        assert_eq!(groups.at, 1);
        groups.take(told(&["b", "c", "a"]));
        assert_eq!(groups.at, 0);
        groups.take(told(&["c"]));
        assert_eq!(groups.selected.as_deref(), Some("c"));
        groups.take(told(&[]));
        assert_eq!((groups.at, groups.row()), (0, None));
    }

    #[test]
    fn the_filter_of_a_cause_can_be_typed() {
        let check = |cause: &str, expected: &str| {
            let filter = jobs_of(cause, &OPEN);
            assert_eq!(filter.to_string(), expected);
            assert_eq!(parse(expected).as_ref(), Ok(&filter));
        };
        check("moov atom not found", "is:failed,held,retry cause:\"moov atom not found\"");
        check("said \"no\" to it all", "is:failed,held,retry cause:\"to it all\"");
        check("\"", "is:failed,held,retry");
    }
}
