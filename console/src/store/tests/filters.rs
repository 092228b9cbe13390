//! Filters and orders against a plain model that looks at every row.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use vc_protocol::device::{Device, DeviceKind};
use vc_protocol::operator::filter::{Compare, Kind, Term, Test, parse};
use vc_protocol::operator::{JobDetail, JobRow, Sort, SortBy};

use super::*;

const NOW_MS: i64 = 1_000_000;
const CAUSES: [&str; 4] =
    ["source ends at 0:03 of 1:00 (truncated?)", "No space left, 12 MiB", "odd thing at 7", "odd thing at 9"];

/// What is random about a job.
#[derive(Debug, Clone)]
struct Wish {
    state: usize,
    priority: u8,
    second_profile: bool,
    place: Option<(u32, u16)>,
    cause: Option<usize>,
    updated_ms: i64,
    size: u64,
    retries: u8,
}

fn wish() -> impl Strategy<Value = Wish> {
    let place = prop::option::of((1_u32..4, 0_u16..2));
    let cause = prop::option::of(0..CAUSES.len());
    ((0_usize..7, 3_u8..7, any::<bool>()), (place, cause, 0_i64..40), (1_u64..9, 0_u8..4)).prop_map(
        |((state, priority, second_profile), (place, cause, updated_ms), (size, retries))| Wish {
            state,
            priority,
            second_profile,
            place,
            cause,
            updated_ms,
            size,
            retries,
        },
    )
}

fn term() -> impl Strategy<Value = Term> {
    let kinds: Vec<Kind> =
        JobState::ALL.into_iter().map(Kind::State).chain([Kind::Retry, Kind::Unsure]).collect();
    let pick = |list: &'static [&'static str]| prop::sample::select(list).prop_map(str::to_owned);
    let compare = prop::sample::select(&[Compare::Below, Compare::Equal, Compare::Above][..]);
    let test = prop_oneof![
        prop::sample::subsequence(kinds, 1..4).prop_map(Test::Is),
        pick(&["ada", "bo", "nobody"]).prop_map(Test::Agent),
        pick(&["cpu", "ada/cpu", "bo"]).prop_map(Test::Device),
        pick(&["h264", "small", "x"]).prop_map(Test::Profile),
        pick(&["odd", "source is cut short", "SPACE", "zzz"]).prop_map(Test::Cause),
        (compare.clone(), 3_u8..7).prop_map(|(c, p)| Test::Priority(c, Priority(p))),
        (compare, 900_u64..1000).prop_map(|(c, s)| Test::Age(c, s)),
        pick(&["F1", "ada", "small", "mp4", "at 7", "ends at"]).prop_map(Test::Text),
    ];
    (any::<bool>(), test).prop_map(|(not, test)| Term { not: not && !matches!(test, Test::Age(..)), test })
}

fn fill(wishes: &[Wish]) -> Bench {
    let bench = Bench::new();
    let mut small = profile();
    small.name = "small".to_owned();
    small.profile.description = "another".to_owned();
    let sessions = [bench.session_of("/in", &profile()), bench.session_of("/in", &small)];
    let mut turn = bench.store.turn();
    for (n, wish) in wishes.iter().enumerate() {
        let candidate = candidate(&format!("{}/f{n}", wish.second_profile), wish.size);
        let session = &sessions[usize::from(wish.second_profile)];
        turn.add(n as i64 * 1_000, session, &[candidate]).unwrap();
    }
    turn.commit().unwrap();
    let mut turn = bench.store.turn();
    for (n, wish) in wishes.iter().enumerate() {
        let id = n as u64 + 1;
        let mut record = in_state(bench.record(id), JobState::ALL[wish.state], wish.updated_ms);
        record.priority = Priority(wish.priority);
        record.tasks[0].retries = wish.retries;
        record.reason =
            wish.cause.map(|no| Reason { class: Some(FailureClass::Job), text: CAUSES[no].to_owned() });
        if let Some((agent, device)) = wish.place {
            let attempt = AttemptId { job: JobId(id), task: TaskNo(0), no: AttemptNo(1) };
            let lease = Lease { agent: AgentId(agent), device: DeviceId(device), since_ms: 1 };
            let end = AttemptEnd::Stopped;
            turn.put_attempt(AttemptRecord { attempt, lease, ended_ms: 2, end, report: None });
        }
        turn.put_job(record);
    }
    turn.commit().unwrap();
    let mut turn = bench.store.turn();
    for (id, name) in [(1, "ada"), (2, "bo")] {
        let device = Device {
            id: DeviceId(0),
            kind: DeviceKind::Cpu,
            name: "cpu".to_owned(),
            slots: 1,
            codecs: Vec::new(),
        };
        turn.saw(AgentId(id), Seen { name: name.to_owned(), devices: vec![device], ..Seen::default() });
    }
    turn.commit().unwrap();
    bench
}

/// The filter, as the protocol describes it, on what a row shows.
fn fits(term: &Term, job: &JobDetail, unsure: &BTreeSet<JobId>) -> bool {
    let row = &job.row;
    let lower = |text: &str| text.to_lowercase();
    let group = || lower(&crate::cause::name(&row.cause));
    let holds = match &term.test {
        Test::Is(kinds) => kinds.iter().any(|kind| match kind {
            Kind::State(state) => row.state == *state,
            Kind::Retry => row.state == JobState::Pending && !row.cause.is_empty(),
            Kind::Unsure => row.state == JobState::Running && unsure.contains(&row.id),
        }),
        Test::Agent(name) => row.place.split('/').next() == Some(name),
        Test::Device(name) => row.place == *name || row.place.ends_with(&format!("/{name}")),
        Test::Profile(name) => row.profile == *name,
        Test::Cause(text) => !row.cause.is_empty() && group().contains(&lower(text)),
        Test::Priority(compare, than) => compare.holds(row.priority, *than),
        Test::Age(compare, seconds) => compare.holds(((NOW_MS - job.created_ms) / 1000) as u64, *seconds),
        Test::Text(text) => [&row.source.shown(), &job.output.shown(), &row.profile, &row.place, &row.cause]
            .into_iter()
            .any(|place| lower(place).contains(&lower(text))),
    };
    holds != term.not
}

/// The order, as the protocol describes it.
fn sorted(mut rows: Vec<(JobRow, u64)>, sort: Sort) -> Vec<u64> {
    let shown = |row: &JobRow| order::SHOWN.iter().position(|state| *state == row.state).unwrap();
    let placed = |(row, cost): &(JobRow, u64)| match row.state {
        JobState::Pending => (Reverse(u64::from(row.priority.0)), Reverse(*cost), row.id.0),
        JobState::Running => (Reverse(0), Reverse(0), row.id.0),
        JobState::Completed | JobState::Failed | JobState::Cancelled | JobState::Skipped | JobState::Held => {
            (Reverse(row.updated_ms as u64), Reverse(row.id.0), 0)
        }
    };
    let id = |row: &JobRow| row.id;
    match sort.by {
        SortBy::State => rows.sort_by_key(|job| (shown(&job.0), placed(job))),
        SortBy::Priority => rows.sort_by_key(|job| (Reverse(job.0.priority), shown(&job.0), placed(job))),
        SortBy::Id => rows.sort_by_key(|(row, _)| id(row)),
        SortBy::Updated => rows.sort_by_key(|(row, _)| Reverse((row.updated_ms, row.id))),
        SortBy::File => rows.sort_by_key(|(row, _)| (row.source.0.clone(), id(row))),
        SortBy::Profile => rows.sort_by_key(|(row, _)| (row.profile.clone(), id(row))),
        SortBy::Place => rows.sort_by_key(|(row, _)| (row.place.clone(), id(row))),
        SortBy::Retries => rows.sort_by_key(|(row, _)| (Reverse(row.retries), id(row))),
        SortBy::Size => rows.sort_by_key(|(row, _)| (Reverse(row.bytes_in), id(row))),
    }
    if sort.reversed {
        rows.reverse();
    }
    rows.into_iter().map(|(row, _)| row.id.0).collect()
}

/// Every page, asked for as a dashboard does.
fn all_pages(store: &Store, query: &Query, limit: usize) -> (Vec<u64>, Option<u64>) {
    let mut ids = Vec::new();
    for _ in 0..500 {
        let page = store.page(query, ids.len() as u64, limit).unwrap();
        ids.extend(page.rows.iter().map(|row| row.id.0));
        if let Some(scanned) = page.scanned {
            assert!(page.more && scanned.seen <= scanned.of, "{scanned:?}");
        }
        if !page.more {
            return (ids, page.total);
        }
    }
    panic!("the search for {} never ends", query.filter);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn page_by_page_every_filter_finds_what_a_look_at_every_row_finds(
        wishes in prop::collection::vec(wish(), 1..120),
        questions in prop::collection::vec(
            (prop::collection::vec(term(), 0..4), 0_usize..9, any::<bool>(), 1_usize..40),
            8,
        ),
    ) {
        let bench = fill(&wishes);
        let reader = bench.store.reader().unwrap();
        let jobs: Vec<JobDetail> =
            (1..=wishes.len() as u64).map(|id| reader.detail(JobId(id)).unwrap().unwrap()).collect();
        drop(reader);
        let unsure: Arc<BTreeSet<JobId>> = Arc::new((1..=200).step_by(2).map(JobId).collect());
        for (terms, by, reversed, limit) in questions {
            let sort = Sort { by: SortBy::ALL[by], reversed };
            let filter = JobFilter { terms };
            prop_assert_eq!(parse(&filter.to_string()), Ok(filter.clone()));
            let query = Query { filter, sort, unsure: unsure.clone(), now_ms: NOW_MS };
            let found = jobs.iter().filter(|job| query.filter.terms.iter().all(|term| fits(term, job, &unsure)));
            let rows: Vec<(JobRow, u64)> =
                found.map(|job| (job.row.clone(), bench.record(job.row.id.0).cost)).collect();
            let expected = sorted(rows, sort);
            let (ids, total) = all_pages(&bench.store, &query, limit);
            prop_assert_eq!(&ids, &expected, "{} by {:?}", query.filter, sort);
            prop_assert_eq!(total, Some(expected.len() as u64));
            let selected: BTreeSet<u64> = bench.store.select(&query).unwrap().iter().map(|id| id.0).collect();
            prop_assert_eq!(selected, expected.iter().copied().collect::<BTreeSet<u64>>());
            // From the middle, without what the pages before it left behind.
            let middle = expected.len() / 2;
            *bench.store.shared.cursors.lock().unwrap() = Cursors::default();
            let mut page = bench.store.page(&query, middle as u64, limit).unwrap();
            while page.rows.is_empty() && page.more {
                page = bench.store.page(&query, middle as u64, limit).unwrap();
            }
            let rows: Vec<u64> = page.rows.iter().map(|row| row.id.0).collect();
            prop_assert_eq!(&rows[..], &expected[middle..middle + rows.len()], "{} by {:?}", query.filter, sort);
        }
    }
}

#[test]
fn totals_of_what_an_index_answers_come_with_the_first_page() {
    let wish = Wish {
        state: 3,
        priority: 5,
        second_profile: false,
        place: Some((1, 0)),
        cause: Some(2),
        updated_ms: 5,
        size: 1,
        retries: 0,
    };
    let bench = fill(&vec![wish; 90]);
    for (text, total) in [
        ("", Some(90)),
        ("is:failed", Some(90)),
        ("is:retry", Some(0)),
        ("agent:ada cause:odd pri:5 device:cpu profile:h264", Some(90)),
        ("!agent:ada", Some(0)),
        ("cause:\"odd thing at N\"", Some(90)),
        ("f1", None),
    ] {
        let query = Query::of(parse(text).unwrap());
        assert_eq!(bench.store.page(&query, 0, 10).unwrap().total, total, "{text}");
    }
}

#[test]
fn the_whole_name_of_a_cause_means_that_one_alone() {
    let bench = Bench::new();
    bench.add(&bench.session(), &[candidate("a", 1), candidate("b", 1)]);
    for (id, cause) in [(1, "no video stream"), (2, "no video stream, only sound")] {
        let mut record = in_state(bench.record(id), JobState::Failed, 5);
        record.reason = Some(Reason { class: None, text: cause.to_owned() });
        bench.put(record);
    }
    let find = |text: &str| bench.store.select(&Query::of(parse(text).unwrap())).unwrap().len();
    assert_eq!(find("cause:\"no video stream\""), 1);
    assert_eq!(find("cause:\"no video\""), 2);
}
