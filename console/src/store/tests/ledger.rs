//! What is kept beside the rows: events, failures, history; and that a purge takes every trace of a job.

use redb::ReadableTableMetadata;
use vc_protocol::agent::{Outcome, Report};
use vc_protocol::media::Media;
use vc_protocol::operator::{EventKind, Sums};
use vc_protocol::progress::Phase;

use super::*;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

impl Bench {
    /// An attempt fails, and the job goes to this state.
    fn fails(&self, id: u64, state: JobState, at_ms: i64, cause: &str, lease: Lease) {
        let mut record = in_state(self.record(id), state, at_ms);
        let reason = Reason { class: Some(FailureClass::Capacity), text: cause.to_owned() };
        record.reason = Some(reason.clone());
        let mut turn = self.store.turn();
        turn.put_job(record);
        let attempt = AttemptId { job: JobId(id), task: TaskNo(0), no: AttemptNo(1) };
        turn.put_attempt(AttemptRecord {
            attempt,
            lease,
            ended_ms: at_ms,
            end: AttemptEnd::Failed(reason),
            report: None,
        });
        turn.commit().unwrap();
    }

    fn purge(&self, id: u64) {
        let mut turn = self.store.turn();
        turn.purge(JobId(id)).unwrap();
        turn.commit().unwrap();
    }

    pub(super) fn reopened(self) -> Bench {
        let Bench { dir, store } = self;
        drop(store);
        Bench { store: Store::open(dir.path()).unwrap(), dir }
    }
}

#[test]
fn failures_are_grouped_and_those_overcome_are_counted_for_a_day() {
    let bench = Bench::new();
    bench.add(&bench.session(), &(0..6).map(|n| candidate(&format!("{n}"), 1)).collect::<Vec<_>>());
    let other = Lease { agent: AgentId(2), ..LEASE };
    let now = 100 * DAY_MS;
    bench.fails(1, JobState::Failed, now - 2, "odd thing at 7", LEASE);
    bench.fails(2, JobState::Held, now - 1, "odd thing at 9", other);
    let mut by_hand = in_state(bench.record(6), JobState::Held, now);
    by_hand.reason = Some(Reason { class: None, text: "held by ana".to_owned() });
    bench.put(by_hand);
    bench.fails(3, JobState::Pending, now, "no space left on the disk", LEASE);
    bench.fails(4, JobState::Pending, now, "no space left on the disk", LEASE);
    bench.set(4, JobState::Running, now);
    bench.set(4, JobState::Completed, now + 1);
    bench.fails(5, JobState::Pending, now - 30 * HOUR_MS, "its agent fell silent", LEASE);
    bench.set(5, JobState::Completed, now - 29 * HOUR_MS);
    let bench = bench.reopened();
    let failures = bench.store.failures(now + 2).unwrap();
    assert_eq!((failures.open, failures.retry, failures.recovered), (2, 1, 1));
    let groups: Vec<_> = failures
        .groups
        .iter()
        .map(|g| (g.cause.as_str(), g.open, g.retry, g.recovered, g.place.as_str(), g.hint.as_str()))
        .collect();
    assert_eq!(
        groups,
        [("odd thing at N", 2, 0, 0, "2 devices", ""), ("no space for the output", 0, 1, 1, "agent 1", "c1"),]
    );
    let odd = &failures.groups[0];
    assert_eq!((odd.example.as_str(), odd.job, odd.last_ms), ("odd thing at 9", Some(JobId(2)), now - 1));
    let later = bench.store.failures(now + 25 * HOUR_MS).unwrap();
    assert_eq!((later.open, later.retry, later.recovered), (2, 1, 0));
}

#[test]
fn a_day_sums_up_what_ended_on_it_by_profile_and_agent() {
    let bench = Bench::new();
    bench.add(&bench.session(), &(0..4).map(|n| candidate(&format!("{n}"), 1)).collect::<Vec<_>>());
    let day = 20_000;
    let at = i64::from(day) * DAY_MS;
    bench.set(1, JobState::Running, at - 5);
    bench.fails(1, JobState::Completed, at - 1, "overcome", LEASE);
    bench.set(2, JobState::Completed, at);
    bench.set(3, JobState::Failed, at + 1);
    bench.set(3, JobState::Pending, at + 2);
    bench.set(3, JobState::Skipped, at + 3);
    bench.set(4, JobState::Cancelled, at + 4);
    let bench = bench.reopened();
    let one = Sums { completed: 1, media_ms: 2, wall_ms: 1, bytes_in: 10, bytes_out: 5, ..Sums::default() };
    let today = Sums { failed: 1, skipped: 1, ..one };
    assert_eq!(bench.store.today(at), today);
    assert_eq!(bench.store.today(at + DAY_MS), Sums::default());
    let stats = bench.store.stats(at + 9, 30).unwrap();
    assert_eq!(stats.days, [(day, today), (day - 1, one)]);
    assert_eq!((stats.all.completed, stats.all.failed, stats.all.bytes_in), (2, 1, 20));
    assert_eq!(stats.profiles, [("h264".to_owned(), stats.all)]);
    assert_eq!(stats.agents, [("agent 1".to_owned(), one)]);
    assert_eq!(bench.store.stats(at + 9, 1).unwrap().all, today);
}

#[test]
fn a_clock_that_was_once_ahead_does_not_hide_what_is_done_today() {
    let bench = Bench::new();
    bench.add(&bench.session(), &(0..3).map(|n| candidate(&format!("{n}"), 1)).collect::<Vec<_>>());
    bench.set(1, JobState::Completed, 20_000 * DAY_MS);
    bench.set(2, JobState::Completed, 30_000 * DAY_MS);
    bench.set(3, JobState::Completed, 20_000 * DAY_MS + 1);
    assert_eq!(bench.store.today(20_000 * DAY_MS + 2).completed, 2);
    let bench = bench.reopened();
    assert_eq!(bench.store.today(20_000 * DAY_MS + 2).completed, 2);
    assert_eq!(bench.store.stats(20_000 * DAY_MS + 2, 7).unwrap().all.completed, 2);
}

#[test]
fn a_purge_leaves_no_trace_but_the_history_and_the_source_can_be_added_again() {
    let bench = Bench::new();
    let session = bench.session();
    bench.add(&session, &[candidate("a", 1), candidate("b", 1)]);
    bench.fails(1, JobState::Failed, DAY_MS, "odd", LEASE);
    bench.set(2, JobState::Completed, DAY_MS);
    let mut turn = bench.store.turn();
    turn.purge(JobId(1)).unwrap();
    turn.purge(JobId(1)).unwrap();
    assert!(turn.is_purged(JobId(1)));
    let again = turn.add(5, &session, &[candidate("a", 1)]).unwrap();
    assert_eq!((again.counts.added, again.new[0].id), (1, JobId(3)), "in the same turn");
    turn.commit().unwrap();
    bench.purge(2);
    bench.purge(9);
    let bench = bench.reopened();
    let reader = bench.store.reader().unwrap();
    assert!(reader.record(JobId(1)).unwrap().is_none() && reader.record(JobId(2)).unwrap().is_none());
    assert_eq!(bench.store.tally().by_state, [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(reader.tables.attempts.len().unwrap(), 0);
    assert_eq!(reader.tables.index.len().unwrap(), 2, "the new job, twice");
    assert!(reader.causes(JobState::Failed, 9, 9).unwrap().is_empty());
    assert_eq!(bench.store.failures(DAY_MS).unwrap().open, 0);
    assert_eq!(bench.store.today(DAY_MS).completed, 1);
    let by_id = Query { sort: Sort { by: SortBy::Id, reversed: true }, ..Query::default() };
    let page = bench.store.page(&by_id, 0, 9).unwrap();
    assert_eq!((page.rows.len(), page.rows[0].id, page.total), (1, JobId(3), Some(1)));
    drop(reader);
    assert_eq!(bench.add(&bench.session(), &[candidate("b", 1)]).counts.added, 1);
}

#[test]
fn what_was_not_worth_it_is_known_after_a_purge_until_source_or_recipe_change() {
    let bench = Bench::new();
    let session = bench.session();
    let names = ["a", "b", "c"];
    bench.add(&session, &names.map(|name| candidate(name, 1)));
    let skipped = |id: u64, text: &str| {
        let mut record = in_state(bench.record(id), JobState::Skipped, 5);
        record.reason = Some(Reason { class: None, text: text.to_owned() });
        record
    };
    bench.put(skipped(1, "not worth it: 2 % smaller, 5 % are wanted"));
    bench.put(skipped(2, "output is already there: kept"));
    bench.purge(1);
    bench.purge(2);
    let mut turn = bench.store.turn();
    turn.put_job(skipped(3, "not worth it: larger than its source"));
    turn.purge(JobId(3)).unwrap();
    assert_eq!(turn.add(5, &session, &[candidate("c", 1)]).unwrap().counts.added, 0, "in the same turn");
    turn.commit().unwrap();
    let bench = bench.reopened();
    let session = bench.session();
    let again = names.map(|name| candidate(name, 1));
    let counts = bench.store.dry_add(&session, &again).unwrap().counts;
    assert_eq!((counts.unchanged, counts.added), (2, 1), "b was skipped for another reason");
    let counts = bench.add(&session, &again).counts;
    assert_eq!((counts.unchanged, counts.added, counts.clashed), (2, 1, 0));
    assert_eq!(bench.add(&session, &[candidate("a", 2)]).counts.added, 1, "the source changed");
    bench.set(5, JobState::Completed, 9);
    bench.purge(5);
    assert_eq!(bench.add(&session, &[candidate("a", 1)]).counts.added, 1, "a newer job was worth it");
    let mut other = profile();
    other.profile.video.crf = Some(30);
    let session = bench.session_of("/in", &other);
    assert_eq!(bench.add(&session, &[candidate("c", 1)]).counts.added, 1, "the recipe changed");
}

#[test]
fn a_job_that_ended_shows_its_source_its_recipe_and_its_phases() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    let media = Media {
        container: "mov".to_owned(),
        duration_ms: Some(5),
        size: 9,
        streams: Vec::new(),
        chapters: 0,
        ..Media::default()
    };
    let mut turn = bench.store.turn();
    turn.put_job(in_state(bench.record(1), JobState::Failed, 9));
    for (no, media) in [(1, Some(Box::new(media.clone()))), (2, None)] {
        let attempt = AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(no) };
        let report = Report {
            encoder: "libx264".to_owned(),
            media_ms: 5,
            bytes_in: 9,
            media,
            phases: vec![(Phase::Fetching, u64::from(no))],
            ..Report::blank(attempt, Outcome::Stopped)
        };
        let (end, report) = (AttemptEnd::Stopped, Some(Box::new(report)));
        turn.put_attempt(AttemptRecord { attempt, lease: LEASE, ended_ms: 9, end, report });
    }
    turn.commit().unwrap();
    let detail = bench.store.reader().unwrap().detail(JobId(1)).unwrap().unwrap();
    assert_eq!(detail.media, Some(media), "of the newest attempt that looked into it");
    assert_eq!(detail.phases, [(Phase::Fetching, 2)]);
    assert_eq!(detail.wanted, "H.264, quality 20, audio AAC, subtitles kept, mp4");
}

#[test]
fn a_job_that_is_not_final_is_not_purged() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    bench.set(1, JobState::Failed, 5);
    let mut turn = bench.store.turn();
    turn.put_job(in_state(bench.record(1), JobState::Pending, 6));
    turn.purge(JobId(1)).unwrap();
    turn.commit().unwrap();
    assert_eq!(bench.record(1).state, JobState::Pending);
}

#[test]
fn events_say_who_and_what_and_are_followed_from_any_number() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    let mut newest = bench.store.last_event();
    assert!(!newest.has_changed().unwrap());
    let mut turn = bench.store.turn();
    for n in 1..=5 {
        turn.note(EventRow {
            at_ms: n,
            kind: EventKind::Operator,
            text: format!("event {n}"),
            who: "ana".to_owned(),
            agent: "ada".to_owned(),
            job: (n % 2 == 0).then_some(JobId(1)),
        });
    }
    turn.commit().unwrap();
    assert!(newest.has_changed().unwrap());
    assert_eq!(*newest.borrow_and_update(), 5);
    let reader = bench.store.reader().unwrap();
    let numbers =
        |events: Vec<vc_protocol::operator::EventView>| events.iter().map(|e| e.no).collect::<Vec<_>>();
    assert_eq!(numbers(reader.events(Some(4), None, 2).unwrap()), [3, 2]);
    assert_eq!(numbers(reader.events(None, Some(JobId(1)), 9).unwrap()), [4, 2]);
    assert_eq!(numbers(reader.events_after(3, 9).unwrap()), [4, 5]);
    assert_eq!(numbers(reader.events_after(0, 2).unwrap()), [1, 2]);
    let event = &reader.events(None, Some(JobId(1)), 1).unwrap()[0];
    assert_eq!(
        (event.who.as_str(), event.agent.as_str(), event.file.shown()),
        ("ana", "ada", "a.mov".to_owned())
    );
}
