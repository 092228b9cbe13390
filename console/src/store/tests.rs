//! Promises of the store, on real files.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vc_farm::record::{AttemptEnd, AttemptRecord, JobRecord, JobResult, Lease, Reason, TaskState};
use vc_protocol::agent::{Metric, Outcome, PassedOver, QualityFound, Report};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AttemptId, AttemptNo, DeviceId, JobId, TaskNo};
use vc_protocol::job::{FileStamp, JobState, Priority};
use vc_protocol::media::StreamKind;
use vc_protocol::operator::{JobFilter, Sort, SortBy};
use vc_protocol::profile::{AudioCodec, AudioWish, Container, Profile, VideoCodec, VideoWish};
use vc_protocol::progress::Phase;

use super::*;

const LEASE: Lease = Lease { agent: AgentId(1), device: DeviceId(0), since_ms: 5 };

fn profile() -> NamedProfile {
    let video = VideoWish { crf: Some(20), ..VideoWish::of(VideoCodec::H264) };
    let audio = AudioWish { codec: AudioCodec::Aac, bitrate: None };
    let profile = Profile { description: "test".into(), ..Profile::of(Container::Mp4, video, audio) };
    NamedProfile { name: "h264".into(), profile }
}

fn candidate(name: &str, size: u64) -> Candidate {
    let output = FilePath(format!("{name}.mp4").into_bytes());
    Candidate { path: FilePath(format!("{name}.mov").into_bytes()), output, stamp: stamp(size) }
}

fn stamp(size: u64) -> FileStamp {
    FileStamp { size, mtime_ns: 7 }
}

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        Bench { dir, store }
    }

    fn session(&self) -> AddSession {
        self.session_below("/in")
    }

    fn session_below(&self, source: &str) -> AddSession {
        self.session_of(source, &profile())
    }

    fn session_of(&self, source: &str, profile: &NamedProfile) -> AddSession {
        let mut turn = self.store.turn();
        let session = turn
            .begin_add(&FilePath::from(source), &FilePath::from("/out"), profile, Priority::DEFAULT)
            .unwrap();
        turn.commit().unwrap();
        session
    }

    fn add(&self, session: &AddSession, candidates: &[Candidate]) -> Added {
        let mut turn = self.store.turn();
        let added = turn.add(1_000, session, candidates).unwrap();
        turn.commit().unwrap();
        added
    }

    fn put(&self, record: JobRecord) {
        let mut turn = self.store.turn();
        turn.put_job(record);
        turn.commit().unwrap();
    }

    fn record(&self, id: u64) -> JobRecord {
        self.store.reader().unwrap().record(JobId(id)).unwrap().unwrap()
    }

    fn set(&self, id: u64, state: JobState, updated_ms: i64) {
        self.put(in_state(self.record(id), state, updated_ms));
    }

    fn ids(&self, states: &[JobState], offset: u64, limit: usize) -> Vec<u64> {
        let page = self.store.page(&Query::of(JobFilter::of_states(states)), offset, limit).unwrap();
        page.rows.iter().map(|row| row.id.0).collect()
    }
}

fn in_state(mut record: JobRecord, state: JobState, updated_ms: i64) -> JobRecord {
    record.state = state;
    record.updated_ms = updated_ms;
    record.tasks[0].state =
        if state == JobState::Running { TaskState::Running(LEASE) } else { TaskState::Open };
    record.result = (state == JobState::Completed).then_some(JobResult {
        bytes_in: 10,
        bytes_out: 5,
        wall_ms: 1,
        media_ms: 2,
    });
    let failed = matches!(state, JobState::Failed | JobState::Held);
    record.reason = failed.then(|| Reason { class: Some(FailureClass::Source), text: "broken".into() });
    record
}

#[test]
fn the_file_is_for_its_user_alone_whoever_made_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let meta = std::fs::metadata(bench.dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_rescan_adds_nothing_and_a_changed_source_becomes_a_job() {
    let bench = Bench::new();
    let session = bench.session();
    assert_eq!(bench.add(&session, &[candidate("a", 1), candidate("b", 1)]).counts.added, 2);
    let revision = bench.store.revision();
    let again = bench.add(&bench.session(), &[candidate("a", 1), candidate("b", 1)]);
    assert_eq!((again.counts.added, again.counts.unchanged), (0, 2));
    assert_eq!(bench.store.revision(), revision, "nothing was written");
    // Still pending: the same job, about the source as it is now.
    assert_eq!(bench.add(&session, &[candidate("a", 2)]).counts.unchanged, 1);
    assert_eq!(bench.store.reader().unwrap().spec(JobId(1)).unwrap().unwrap().stamp, stamp(2));
    // Running: its agent notices.
    bench.set(1, JobState::Running, 5);
    assert_eq!(bench.add(&session, &[candidate("a", 3)]).counts.unchanged, 1);
    assert_eq!(bench.store.reader().unwrap().spec(JobId(1)).unwrap().unwrap().stamp, stamp(2));
    // Final: a new job takes over, and the old one cannot run again.
    bench.set(1, JobState::Completed, 6);
    let changed = bench.add(&session, &[candidate("a", 3)]);
    assert_eq!((changed.counts.added, changed.new[0].id), (1, JobId(3)));
    let reader = bench.store.reader().unwrap();
    assert!(!reader.holds_output(JobId(1)).unwrap());
    assert!(reader.holds_output(JobId(3)).unwrap());
}

#[test]
fn two_sources_never_get_one_output() {
    let bench = Bench::new();
    let mut other = candidate("a", 1);
    other.path = FilePath::from("a.avi");
    let session = bench.session();
    let added = bench.add(&session, &[candidate("a", 1), other.clone()]);
    assert_eq!((added.counts.added, added.counts.clashed), (1, 1));
    assert_eq!(added.problems, ["a.avi: its output /out/a.mp4 belongs to job 1"]);
    bench.set(1, JobState::Completed, 6);
    assert_eq!(bench.add(&session, &[other]).counts.clashed, 1, "a final job keeps its output");
    let elsewhere = bench.session_below("/in2");
    assert_eq!(bench.add(&elsewhere, &[candidate("a", 1)]).counts.clashed, 1);
}

#[test]
fn a_source_that_changes_in_the_turn_that_ends_its_job_is_not_lost() {
    let bench = Bench::new();
    let session = bench.session();
    bench.add(&session, &[candidate("a", 1)]);
    bench.set(1, JobState::Running, 5);
    let mut turn = bench.store.turn();
    turn.put_job(in_state(bench.record(1), JobState::Completed, 9));
    assert_eq!(turn.add(10, &session, &[candidate("a", 2)]).unwrap().counts.added, 1);
    turn.commit().unwrap();
}

#[test]
fn a_dry_run_counts_as_a_real_one_and_stores_nothing() {
    let bench = Bench::new();
    let mut other = candidate("a", 1);
    other.path = FilePath::from("a.avi");
    let candidates = [candidate("a", 1), other, candidate("b", 1)];
    let (source, out) = (FilePath::from("/in"), FilePath::from("/out"));
    let dry = bench.store.begin_dry_run(&source, &out, &profile(), Priority::DEFAULT);
    let counted = bench.store.dry_add(&dry, &candidates).unwrap().counts;
    assert_eq!(bench.store.tally(), Tally::default());
    assert_eq!(bench.add(&bench.session(), &candidates).counts, counted);
    let dry = bench.store.begin_dry_run(&source, &out, &profile(), Priority::DEFAULT);
    assert_eq!(bench.store.dry_add(&dry, &[candidate("b", 1)]).unwrap().counts.unchanged, 1);
}

#[test]
fn every_state_is_paged_in_its_order() {
    let bench = Bench::new();
    let names: Vec<Candidate> = (0..6).map(|n| candidate(&format!("f{n}"), 10 + n % 3)).collect();
    bench.add(&bench.session(), &names);
    assert_eq!(bench.ids(&[JobState::Pending], 0, 10), [3, 6, 2, 5, 1, 4], "longest first, then oldest");
    for (id, at) in [(1, 30), (2, 10), (3, 20)] {
        bench.set(id, JobState::Completed, at);
    }
    assert_eq!(bench.ids(&[JobState::Completed], 0, 10), [1, 3, 2], "newest first");
    bench.set(4, JobState::Failed, 40);
    bench.set(5, JobState::Running, 50);
    assert_eq!(bench.ids(&[], 0, 10), [5, 4, 6, 1, 3, 2], "running, failed, pending, completed");
    assert_eq!(bench.ids(&[], 2, 2), [6, 1]);
    assert_eq!(bench.ids(&[], 9, 2), [0; 0]);
    let page = bench.store.page(&Query::default(), 0, 4).unwrap();
    assert_eq!((page.total, page.more, page.rows.len()), (Some(6), true, 4));
}

#[test]
fn a_job_is_on_the_first_page_of_all_whatever_moves_meanwhile() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    let moves = 150;
    std::thread::scope(|scope| {
        let mover = scope.spawn(|| {
            for at in 0..moves {
                let state = if at % 2 == 0 { JobState::Running } else { JobState::Pending };
                bench.set(1, state, at);
            }
        });
        while !mover.is_finished() {
            assert_eq!(bench.ids(&[], 0, 10), [1]);
        }
    });
}

#[test]
fn a_text_finds_rows_and_goes_on_where_it_stopped() {
    let bench = Bench::new();
    let names: Vec<Candidate> = (0..20).map(|n| candidate(&format!("Ep_{n:02}"), 100 - n)).collect();
    bench.add(&bench.session(), &names);
    bench.set(20, JobState::Failed, 9);
    let find = |text: &str, offset, limit| {
        let filter = JobFilter { terms: vec![vc_protocol::operator::filter::Test::Text(text.into()).term()] };
        let page = bench.store.page(&Query::of(filter), offset, limit).unwrap();
        (page.rows.iter().map(|row| row.id.0).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(find("ep_0", 0, 4), (vec![1, 2, 3, 4], true));
    assert_eq!(find("ep_0", 4, 4), (vec![5, 6, 7, 8], true));
    assert_eq!(find("ep_0", 8, 4), (vec![9, 10], false));
    assert_eq!(find("BROKEN", 0, 4), (vec![20], false));
    assert_eq!(find("nothing", 0, 4), (vec![], false));
}

#[test]
fn attempts_are_kept_with_their_job_and_the_last_ten_are_shown() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    for no in 1..=12 {
        let mut turn = bench.store.turn();
        turn.put_job(in_state(bench.record(1), JobState::Pending, no));
        let attempt = AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(no as u32) };
        turn.put_attempt(AttemptRecord {
            attempt,
            lease: LEASE,
            ended_ms: no,
            end: AttemptEnd::Stopped,
            report: None,
        });
        turn.commit().unwrap();
    }
    let detail = bench.store.reader().unwrap().detail(JobId(1)).unwrap().unwrap();
    let numbers: Vec<u32> = detail.attempts.iter().map(|attempt| attempt.no).collect();
    assert_eq!(numbers, (3..=12).rev().collect::<Vec<u32>>());
    let kept = redb::ReadableTableMetadata::len(&bench.store.reader().unwrap().tables.attempts).unwrap();
    assert_eq!(kept, 10, "rows that nobody can reach do not pile up");
    assert_eq!(detail.row.place, "agent 1");
    assert_eq!(detail.output, FilePath::from("/out/a.mp4"));
}

#[test]
fn what_an_attempt_encoded_with_and_why_is_kept_with_it() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    let attempt = AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(1) };
    let passed_over = vec![PassedOver { encoder: "hevc_vulkan".into(), cause: "failed its trial".into() }];
    let (metric, tried) = (Metric::Vmaf, vec![(20.0, 97.0)]);
    let quality = Some(QualityFound { metric, target: 95.0, quality: 23.5, predicted: 95.2, tried });
    let report = Report {
        encoder: "libx265".into(),
        passed_over: passed_over.clone(),
        quality: quality.clone(),
        ..Report::blank(attempt, Outcome::Stopped)
    };
    let mut turn = bench.store.turn();
    turn.put_job(in_state(bench.record(1), JobState::Pending, 5));
    let (end, report) = (AttemptEnd::Stopped, Some(Box::new(report)));
    turn.put_attempt(AttemptRecord { attempt, lease: LEASE, ended_ms: 5, end, report });
    turn.commit().unwrap();
    let detail = bench.store.reader().unwrap().detail(JobId(1)).unwrap().unwrap();
    let told = detail.encoded().unwrap();
    assert_eq!(
        (told.encoder.as_str(), &told.passed_over, &told.quality),
        ("libx265", &passed_over, &quality)
    );
}

#[test]
fn an_attempt_given_up_for_lost_and_reported_later_is_one_attempt() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    let attempt = AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(1) };
    for (ended_ms, end) in [(5, AttemptEnd::Stopped), (9, AttemptEnd::Completed)] {
        let mut turn = bench.store.turn();
        turn.put_job(in_state(bench.record(1), JobState::Pending, ended_ms));
        turn.put_attempt(AttemptRecord { attempt, lease: LEASE, ended_ms, end, report: None });
        turn.commit().unwrap();
    }
    let detail = bench.store.reader().unwrap().detail(JobId(1)).unwrap().unwrap();
    let shown: Vec<_> = detail.attempts.iter().map(|attempt| (attempt.no, attempt.ended_ms)).collect();
    assert_eq!(shown, [(1, Some(9))]);
    let kept = redb::ReadableTableMetadata::len(&bench.store.reader().unwrap().tables.attempts).unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn what_was_not_committed_never_happened() {
    let bench = Bench::new();
    let session = bench.session();
    let mut turn = bench.store.turn();
    turn.add(1, &session, &[candidate("a", 1)]).unwrap();
    drop(turn);
    assert_eq!(bench.store.tally(), Tally::default());
    assert_eq!(bench.add(&session, &[candidate("a", 1)]).new[0].id, JobId(1));
}

#[test]
fn a_failed_commit_changes_nothing_and_the_store_goes_on_after_reopening() {
    let bench = Bench::new();
    let session = bench.session();
    bench.add(&session, &[candidate("a", 1)]);
    bench.store.fail_next_commit();
    let mut turn = bench.store.turn();
    turn.add(1, &session, &[candidate("b", 1)]).unwrap();
    turn.put_job(in_state(bench.record(1), JobState::Running, 5));
    assert!(turn.commit().is_err());
    bench.store.reopen().unwrap();
    bench.store.try_write().unwrap();
    assert_eq!(bench.store.tally().by_state, [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bench.record(1).state, JobState::Pending);
    assert_eq!(bench.add(&session, &[candidate("b", 1)]).counts.added, 1);
}

#[test]
fn a_second_console_is_told_who_was_first() {
    let bench = Bench::new();
    match Store::open(bench.dir.path()) {
        Err(error @ StoreError::InUse { pid: Some(pid), .. }) => {
            assert_eq!(pid, std::process::id());
            assert!(error.to_string().contains(&format!("(pid {pid})")), "{error}");
        }
        other => panic!("opened twice: {:?}", other.map(|_| ())),
    }
}

#[test]
fn a_newer_file_is_refused_with_the_version_that_wrote_it_and_left_alone() {
    let bench = Bench::new();
    {
        let txn = begin_write(&bench.store.db().unwrap()).unwrap();
        let mut meta = txn.open_table(tables::META).unwrap();
        meta.insert(META_SCHEMA, 9_u32.to_le_bytes().as_slice()).unwrap();
        meta.insert(META_WRITTEN_BY, b"7.1.0".as_slice()).unwrap();
        drop(meta);
        txn.commit().unwrap();
    }
    let Bench { dir, store } = bench;
    drop(store);
    for _ in 0..2 {
        let error = Store::open(dir.path()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("written by vc-console 7.1.0 (schema 9)"), "{error}");
    }
}

#[test]
fn events_are_a_ring_newest_first() {
    let bench = Bench::new();
    let mut turn = bench.store.turn();
    for n in 0..10_050 {
        turn.note(EventRow { at_ms: n, text: format!("event {n}"), ..EventRow::default() });
    }
    turn.commit().unwrap();
    let reader = bench.store.reader().unwrap();
    assert_eq!(reader.events(None, None, 2).unwrap()[0].text, "event 10049");
    assert_eq!(reader.events(None, None, 20_000).unwrap().len(), 10_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever happens to jobs, sums, index, ranks and causes say what the rows say, also after a restart.
    #[test]
    fn what_is_derived_equals_the_rows(
        steps in prop::collection::vec((0_u64..40, 0_usize..7, 0_i64..50), 1..120),
        per_turn in 1_usize..9,
    ) {
        let bench = Bench::new();
        let names: Vec<Candidate> = (0..40).map(|n| candidate(&format!("{n}"), 1 + n % 5)).collect();
        bench.add(&bench.session(), &names);
        let mut model: BTreeMap<u64, JobRecord> = (1..=40).map(|id| (id, bench.record(id))).collect();
        for chunk in steps.chunks(per_turn) {
            let mut turn = bench.store.turn();
            for (id, state, at) in chunk {
                let record = in_state(model[&(id + 1)].clone(), JobState::ALL[*state], *at);
                model.insert(id + 1, record.clone());
                turn.put_job(record);
            }
            turn.commit().unwrap();
        }
        check(&bench.store, &model)?;
        let Bench { dir, store } = bench;
        drop(store);
        check(&Store::open(dir.path()).unwrap(), &model)?;
    }
}

fn check(store: &Store, model: &BTreeMap<u64, JobRecord>) -> Result<(), TestCaseError> {
    let mut tally = Tally::default();
    model.values().for_each(|record| tally.enter(record));
    prop_assert_eq!(store.tally(), tally);
    let reader = store.reader().unwrap();
    let mut live = 0;
    reader
        .each_live(|record| {
            assert_eq!(&record, &model[&record.id.0]);
            live += 1;
        })
        .unwrap();
    prop_assert_eq!(live, model.values().filter(|record| !record.state.is_final()).count());
    for state in JobState::ALL {
        let mut expected: Vec<&JobRecord> = model.values().filter(|record| record.state == state).collect();
        expected.sort_by_key(|record| shape::index_key(record));
        let expected: Vec<JobId> = expected.into_iter().map(|record| record.id).collect();
        let query = Query::of(JobFilter::of_states(&[state]));
        for offset in 0..=expected.len() {
            let page = store.page(&query, offset as u64, 3).unwrap();
            let rows: Vec<JobId> = page.rows.iter().map(|row| row.id).collect();
            prop_assert!(!rows.is_empty() || offset == expected.len());
            prop_assert_eq!(&rows[..], &expected[offset..offset + rows.len()]);
        }
        let grouped: u64 = reader.causes(state, 9, 3).unwrap().iter().map(|group| group.count).sum();
        let needs_person = matches!(state, JobState::Failed | JobState::Held);
        prop_assert_eq!(grouped, if needs_person { expected.len() as u64 } else { 0 });
    }
    Ok(())
}

/// A small store of every schema; a program that reads no older one any more must say so by name.
fn golden(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/golden/store-v{schema}.redb"))
}

fn fill_golden(bench: &Bench) {
    let names: Vec<Candidate> = (0..7).map(|n| candidate(&format!("clip-{n}"), 100 + n)).collect();
    bench.add(&bench.session(), &names);
    for (n, state) in JobState::ALL.into_iter().enumerate() {
        bench.set(n as u64 + 1, state, 1_000 + n as i64);
    }
    let mut turn = bench.store.turn();
    turn.put_attempt(AttemptRecord {
        attempt: AttemptId { job: JobId(3), task: TaskNo(0), no: AttemptNo(1) },
        lease: LEASE,
        ended_ms: 2_000,
        end: AttemptEnd::Completed,
        report: None,
    });
    turn.saw(AgentId(1), Seen { name: "ada".into(), ..Seen::default() });
    let text = "completed".to_owned();
    turn.note(EventRow { at_ms: 2_000, text, job: Some(JobId(3)), ..EventRow::default() });
    turn.commit().unwrap();
}

#[test]
fn the_store_of_every_release_opens_and_says_what_it_said() {
    let new = Bench::new();
    fill_golden(&new);
    for schema in 1..=SCHEMA {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(golden(schema), dir.path().join(FILE_NAME)).unwrap();
        let old = Bench { store: Store::open(dir.path()).unwrap(), dir };
        assert_eq!(old.store.tally(), new.store.tally());
        for by in SortBy::ALL {
            let all = Query { sort: Sort { by, reversed: false }, ..Query::default() };
            assert_eq!(old.store.page(&all, 0, 10).unwrap(), new.store.page(&all, 0, 10).unwrap(), "{by:?}");
        }
        let detail = |bench: &Bench| bench.store.reader().unwrap().detail(JobId(3)).unwrap();
        assert_eq!(detail(&old), detail(&new));
        let events = |bench: &Bench| bench.store.reader().unwrap().events(None, None, 5).unwrap();
        assert_eq!(events(&old), events(&new));
        let causes = |bench: &Bench| bench.store.reader().unwrap().causes(JobState::Held, 5, 5).unwrap();
        assert_eq!(causes(&old), causes(&new));
        assert_eq!(old.store.failures(1).unwrap().open, 2);
        let scanned: Vec<Candidate> = (0..7).map(|n| candidate(&format!("clip-{n}"), 100 + n)).collect();
        let again = old.add(&old.session(), &scanned).counts;
        assert_eq!((again.unchanged, again.added), (7, 0), "its recipe is the one that is stored");
        for (id, state) in [(1, JobState::Running), (2, JobState::Completed)] {
            old.set(id, state, 3_000);
        }
        let old = old.reopened();
        assert_eq!(old.ids(&[], 0, 10), [1, 7, 4, 2, 3, 6, 5], "and goes on");
    }
}

/// An attempt with its report as the first release wrote it: variants by number, then the fields that there were.
#[derive(serde::Serialize, serde::Deserialize)]
struct OldAttempt {
    head: ((u64, u16, u32), Lease, i64, u32),
    report: Option<OldReport>,
}

type OldReport = ((u64, u16, u32), u32, String, (Vec<u8>, Vec<String>), String, (u64, u64, u64, u64));

impl Row for OldAttempt {
    const VERSION: u8 = 1;
}

#[test]
fn an_attempt_of_the_first_release_is_read() {
    let id = (3, 0, 1);
    let (stopped, lists) = (4, (Vec::new(), vec!["a warning".to_owned()]));
    let report = (id, stopped, "libx264".to_owned(), lists, "log".to_owned(), (1, 2, 3, 4));
    let old = OldAttempt { head: (id, LEASE, 7, 2), report: Some(report) };
    let record = AttemptRecord::from_bytes(&old.to_bytes().unwrap()).unwrap();
    let report = record.report.unwrap();
    assert_eq!((record.ended_ms, record.end, report.bytes_out), (7, AttemptEnd::Stopped, 4));
    assert_eq!((report.media, report.encoder.as_str(), report.warnings.len()), (None, "libx264", 1));
}

/// The same of the second release: with the source and the phases behind.
#[derive(serde::Serialize, serde::Deserialize)]
struct SecondAttempt {
    head: ((u64, u16, u32), Lease, i64, u32),
    report: Option<SecondReport>,
}

type SecondReport = (OldReport, Option<SecondMedia>, Vec<(u32, u64)>);
type SecondMedia = (String, Option<u64>, u64, Vec<SecondStream>, u32);
type SecondStream = (
    (u32, u32, String, Option<String>, u32, u32, String, f64, bool),
    (Option<u64>, Option<u64>, i32, u32, bool, bool),
);

impl Row for SecondAttempt {
    const VERSION: u8 = 2;
}

#[test]
fn an_attempt_of_the_second_release_is_read() {
    let id = (3, 0, 1);
    let (stopped, lists) = (4, (Vec::new(), Vec::new()));
    let report = (id, stopped, "libx264".to_owned(), lists, "log".to_owned(), (1, 2, 3, 4));
    let picture =
        (0, 0, "h264".to_owned(), Some("eng".to_owned()), 640, 360, "yuv420p".to_owned(), 25.0, false);
    let streams = vec![(picture, (Some(50), Some(2_000), 90, 0, true, false))];
    let media = ("mov,mp4".to_owned(), Some(2_000), 9_000, streams, 3);
    let old =
        SecondAttempt { head: (id, LEASE, 7, 2), report: Some((report, Some(media), vec![(2, 1_500)])) };
    let record = AttemptRecord::from_bytes(&old.to_bytes().unwrap()).unwrap();
    let report = record.report.unwrap();
    assert_eq!((report.bytes_out, report.phases), (4, vec![(Phase::Encoding, 1_500)]));
    assert_eq!((report.passed_over, report.quality), (vec![], None));
    let media = report.media.unwrap();
    assert_eq!((media.chapters, media.size, media.streams.len()), (3, 9_000, 1));
    let stream = &media.streams[0];
    assert_eq!((stream.kind, stream.rotation, stream.frames), (StreamKind::Video, 90, Some(50)));
    assert!(stream.has("default") && !stream.has("forced"));
}

#[test]
fn a_recipe_that_is_only_told_in_other_words_makes_no_new_jobs() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1)]);
    let mut other = profile();
    other.profile.description = "the same, said better".into();
    assert_eq!(bench.add(&bench.session_of("/in", &other), &[candidate("a", 1)]).counts.unchanged, 1);
    let dry = |profile: &NamedProfile| {
        let (source, out) = (FilePath::from("/in"), FilePath::from("/out"));
        let session = bench.store.begin_dry_run(&source, &out, profile, Priority::DEFAULT);
        bench.store.dry_add(&session, &[candidate("a", 1)]).unwrap().counts.unchanged
    };
    assert_eq!(dry(&other), 1);
    other.profile.video.crf = Some(21);
    assert_eq!(dry(&other), 0, "that one makes other files");
}

#[test]
#[ignore = "writes the golden store of this release: run it when the schema's number grew"]
fn write_the_golden_store() {
    let bench = Bench::new();
    fill_golden(&bench);
    let Bench { dir, store } = bench;
    drop(store);
    let file = dir.path().join(FILE_NAME);
    while Database::open(&file).unwrap().compact().unwrap() {}
    std::fs::create_dir_all(golden(SCHEMA).parent().unwrap()).unwrap();
    std::fs::copy(&file, golden(SCHEMA)).unwrap();
}

mod filters;
mod ledger;
