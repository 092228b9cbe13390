//! The Failures screen: what the server last said of each cause, the cursor that follows its group, and what its
//! keys do.

use vc_protocol::job::JobState;
use vc_protocol::operator::filter::{Kind, Test};
use vc_protocol::operator::{self, FailureGroup, JobFilter, PAGE_ROWS_MAX, Page, Request, Response, Sort};

use super::deed::{Target, Verb};
use super::detail::{Detail, Tab};
use super::{Action, Millis, Screen, State, asks, on_reply, row_ref, shift};
use crate::tui::keys::{Command, Place};
use crate::tui::link::RequestTag;
use crate::tui::model;

/// Least time between two questions while the table of jobs changes.
pub(crate) const REFETCH_MS: Millis = 1000;

/// What the groups are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GroupSort {
    /// Those that need a person first, as the server gives them.
    #[default]
    Need,
    /// Most first; likewise the next two.
    Open,
    Retry,
    Recovered,
    /// Newest first.
    Last,
}

impl GroupSort {
    pub(super) const ALL: [GroupSort; 5] = [Self::Need, Self::Open, Self::Retry, Self::Recovered, Self::Last];

    /// What the title says.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Need => "by cause",
            Self::Open => "by cause, most open first",
            Self::Retry => "by cause, most to retry first",
            Self::Recovered => "by cause, most recovered first",
            Self::Last => "by cause, newest first",
        }
    }

    /// The word for its column.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Need => "cause",
            Self::Open => "open",
            Self::Retry => "retry",
            Self::Recovered => "recovered",
            Self::Last => "last",
        }
    }

    /// The column `by` places further, around the ends.
    fn step(self, by: isize) -> GroupSort {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        let count = Self::ALL.len();
        Self::ALL[(at + count).saturating_add_signed(by) % count]
    }

    fn key(self, group: &FailureGroup) -> i64 {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        match self {
            Self::Need => 0,
            Self::Open => count(group.open),
            Self::Retry => count(group.retry),
            Self::Recovered => count(group.recovered),
            Self::Last => group.last_ms,
        }
    }
}

/// The jobs of a group are being looked up, to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnGroup {
    pub(crate) tag: RequestTag,
    pub(crate) verb: Verb,
    pub(crate) filter: JobFilter,
}

/// The groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Failures {
    pub(crate) data: Option<operator::Failures>,
    pub(crate) refused: Option<String>,
    pub(crate) sort: GroupSort,
    pub(crate) reversed: bool,
    /// Places of the groups in `data`, as they stand.
    order: Vec<usize>,
    /// The cause under the cursor, which it follows.
    pub(crate) selected: Option<String>,
    pub(crate) at: usize,
    /// Columns scrolled away at the left.
    pub(crate) column: usize,
    pub(crate) asked: Option<RequestTag>,
    pub(crate) asked_at: Millis,
    /// Revision of the table when it was asked.
    pub(crate) revision: u64,
    pub(crate) on_group: Option<OnGroup>,
}

impl Failures {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &FailureGroup> {
        let groups = self.data.as_ref().map_or(&[][..], |data| &data.groups);
        self.order.iter().filter_map(|at| groups.get(*at))
    }

    pub(crate) fn count(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn row(&self) -> Option<&FailureGroup> {
        self.rows().nth(self.at)
    }

    pub(super) fn sort_by(&mut self, sort: GroupSort, reversed: bool) {
        (self.sort, self.reversed) = (sort, reversed);
        let groups = self.data.as_ref().map_or(&[][..], |data| &data.groups);
        self.order = (0..groups.len()).collect();
        // Stable, so that equals stay as the server gave them.
        self.order.sort_by_key(|at| std::cmp::Reverse(sort.key(&groups[*at])));
        if reversed {
            self.order.reverse();
        }
        self.follow();
    }

    pub(crate) fn move_to(&mut self, at: usize) {
        self.at = at.min(self.count().saturating_sub(1));
        self.selected = self.row().map(|group| group.cause.clone());
    }

    /// Puts the cursor on the group of that cause, as it is told or as a job told it; now or when it comes.
    pub(crate) fn select(&mut self, cause: String) {
        self.selected = Some(cause);
        self.follow();
    }

    fn follow(&mut self) {
        let selected = self.selected.clone();
        let is = |group: &FailureGroup, told: &str| {
            // A need may tell more than the cause that it is grouped by.
            told == group.cause || told == group.example || told.starts_with(&group.cause)
        };
        let found = selected.as_ref().and_then(|cause| self.rows().position(|g| is(g, cause)));
        match (found, &self.data) {
            // Nothing came yet: what was chosen may still come.
            (None, None) => {}
            (found, _) => self.move_to(found.unwrap_or(self.at)),
        }
    }

    pub(crate) fn take(&mut self, data: operator::Failures) {
        (self.data, self.refused) = (Some(data), None);
        self.sort_by(self.sort, self.reversed);
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

/// Carries out what is this screen's own; false hands the command on.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn run(state: &mut State, _now: Millis, command: Command, out: &mut Vec<Action>) -> bool {
    let Some(group) = state.failures.row() else { return false };
    let (cause, job) = (group.cause.clone(), group.job);
    let table = &mut state.failures;
    match command {
        Command::ScrollLeft => table.column = table.column.saturating_sub(1),
        Command::ScrollRight => {
            let last = model::column_max(state);
            state.failures.column = (state.failures.column + 1).min(last);
        }
        Command::SortBefore => table.sort_by(table.sort.step(-1), table.reversed),
        Command::SortNext => table.sort_by(table.sort.step(1), table.reversed),
        Command::Invert => table.sort_by(table.sort, !table.reversed),
        Command::Open => {
            let filter = jobs_of(&cause, &OPEN);
            state.jobs.set_filter(filter.to_string(), filter);
            state.screen = Screen::Jobs;
        }
        Command::Log => {
            if let Some(job) = job {
                state.detail = Some(Detail::new(job, Tab::Log));
            }
        }
        Command::RetryGroup => look_up(state, Verb::Retry, jobs_of(&cause, &OPEN), out),
        Command::CancelGroup => look_up(state, Verb::Cancel, jobs_of(&cause, &WAITING), out),
        _ => return false,
    }
    true
}

/// Asks which jobs a group has now, so that the question names them and is about no others.
fn look_up(state: &mut State, verb: Verb, filter: JobFilter, out: &mut Vec<Action>) {
    let limit = u32::try_from(PAGE_ROWS_MAX).unwrap_or(u32::MAX);
    let request = Request::Jobs { filter: filter.clone(), sort: Sort::default(), offset: 0, limit };
    let tag = state.send(request, out);
    state.failures.on_group = Some(OnGroup { tag, verb, filter });
}

/// The jobs of a group came: what was asked for goes on.
fn looked_up(state: &mut State, now: Millis, on: OnGroup, page: Page, out: &mut Vec<Action>) {
    let target = match page.total {
        _ if page.rows.is_empty() && on.verb == Verb::Cancel => {
            return state.say(now, "nothing to give up here: its jobs have ended; R retries them");
        }
        _ if page.rows.is_empty() => return state.say(now, "no job of this cause waits any more"),
        Some(count) if page.more => Target::All { filter: on.filter, count },
        None if page.more => {
            return state.say(now, "these are too many to count: enter, then mark them there");
        }
        Some(_) | None => Target::Jobs(page.rows.iter().map(row_ref).collect()),
    };
    // Whoever went on to something else does not want to be asked any more.
    if state.place() == Place::Failures && state.prompt.is_none() {
        asks::ask_about(state, now, on.verb, target, out);
    }
}

/// Why a command does nothing here now; none if it works or is not this screen's.
#[expect(clippy::wildcard_enum_match_arm, reason = "a screen names only what is its own")]
pub(super) fn refusal(state: &State, command: Command) -> Option<&'static str> {
    let group = state.failures.row();
    match command {
        Command::Open | Command::CopyMenu | Command::CopyId if group.is_none() => {
            Some("no cause is selected")
        }
        Command::Log if group.is_none_or(|group| group.job.is_none()) => {
            Some("no job of this cause is known: enter lists them")
        }
        Command::RetryGroup if group.is_none_or(|group| group.open + group.retry == 0) => {
            Some("nothing to retry here: all jobs of this cause went on")
        }
        Command::CancelGroup if group.is_none_or(|group| group.open + group.retry == 0) => {
            Some("nothing to give up here: all jobs of this cause went on")
        }
        _ => None,
    }
}

/// Moves the cursor by rows.
pub(super) fn scroll(state: &mut State, by: i64) {
    let at = shift(state.failures.at, by, usize::MAX);
    state.failures.move_to(at);
}

/// Asks for what is in sight and missing or old.
pub(super) fn fetch(state: &mut State, now: Millis, out: &mut Vec<Action>) {
    let revision = state.revision();
    if state.failures.due(revision).is_some_and(|due| due <= now) {
        let tag = state.send(Request::Failures, out);
        let failures = &mut state.failures;
        (failures.asked, failures.asked_at, failures.revision) = (Some(tag), now, revision);
    }
}

/// When [`fetch`] may want something by time alone.
pub(super) fn due(state: &State, _now: Millis) -> Option<Millis> {
    state.failures.due(state.revision())
}

/// Takes the answer to a question of this screen; gives back what is not for it.
pub(super) fn answer(
    state: &mut State,
    now: Millis,
    tag: RequestTag,
    response: Response,
    out: &mut Vec<Action>,
) -> Option<Response> {
    if state.failures.asked == Some(tag) {
        state.failures.asked = None;
        if let Response::Failures(data) = response {
            state.failures.take(data);
        } else {
            state.failures.refused = Some(on_reply::refusal(response));
        }
    } else if let Some(on) = state.failures.on_group.take_if(|on| on.tag == tag) {
        if let Response::Page(page) = response {
            looked_up(state, now, on, page, out);
        } else {
            state.say(now, on_reply::refusal(response));
        }
    } else {
        return Some(response);
    }
    state.dirty = true;
    None
}

/// The group under the cursor.
pub(super) fn selected(state: &State) -> Option<FailureGroup> {
    state.failures.row().cloned()
}

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

    fn told(causes: &[&str]) -> operator::Failures {
        operator::Failures {
            groups: causes.iter().map(|cause| group(cause)).collect(),
            ..operator::Failures::default()
        }
    }

    #[test]
    fn the_cursor_follows_its_cause() {
        let mut groups = Failures::default();
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
    fn groups_are_sorted_by_any_count_and_the_cursor_stays() {
        let mut groups = Failures::default();
        let mut data = told(&["a", "b", "c"]);
        (data.groups[1].open, data.groups[2].open) = (5, 9);
        groups.take(data);
        let causes = |groups: &Failures| groups.rows().map(|g| g.cause.as_str()).collect::<String>();
        groups.move_to(1);
        assert_eq!(causes(&groups), "abc");
        groups.sort_by(groups.sort.step(1), false);
        assert_eq!((causes(&groups).as_str(), groups.at), ("cba", 1));
        groups.sort_by(groups.sort, true);
        assert_eq!(causes(&groups), "abc");
        groups.sort_by(groups.sort.step(-2), false);
        assert_eq!(groups.sort, GroupSort::Last);
        assert_eq!(groups.selected.as_deref(), Some("b"));
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
