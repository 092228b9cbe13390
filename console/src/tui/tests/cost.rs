//! What drawing costs: bytes that a busy farm sends to a terminal, and windows of a table of a million rows.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentState, Page, Request, Response, Scanned, Snapshot, Sort};
use vc_protocol::progress::Phase;

use super::fixture::{self, Board, NARROW, WIDE, agent, busy, progress, run};
use crate::tui::link::{Reply, RequestTag};
use crate::tui::look::{Color, Glyphs};
use crate::tui::model::model;
use crate::tui::state::{Action, Msg, update};
use crate::tui::view::{FrameView, Inks};

/// What a second of 72 busy slots may send.
const BYTES_A_SECOND: usize = 6 * 1024;
const AGENTS: u32 = 9;
const SLOTS: u32 = 8;
const JOBS: u64 = 1_000_000;

/// Counts what is written.
#[derive(Clone, Default)]
struct Count(Rc<Cell<usize>>);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A farm of 72 slots, so many seconds after its start; each agent told of itself in its own tenth of a second.
fn farm(tenths: u32) -> Snapshot {
    let mut snapshot = busy();
    let told = |agent_no: u32| (tenths + 10 - agent_no % 10) / 10;
    snapshot.agents = (0..AGENTS)
        .map(|no| {
            let runs = (0..SLOTS).map(|slot| {
                let (job, s) = (41_000 + u64::from(no * SLOTS + slot), told(no));
                let wobble = (s * 7 + slot * 13 + no * 5) % 10;
                let permille = (100 + slot * 80 + s * (1 + slot % 3)) as u16;
                let fps = 480.0 + wobble as f32 * 3.0;
                let left = 2000u32.saturating_sub(s * 2 + slot);
                run(job, "show_s02e01_uhd.mkv", progress(Phase::Encoding, permille, fps, fps / 24.0, left))
            });
            agent(no + 1, &format!("box{no}"), AgentState::Ok, SLOTS as u16, runs.collect())
        })
        .collect();
    let runs = snapshot.agents.iter().flat_map(|a| &a.devices[0].runs);
    snapshot.totals.fps = runs.clone().map(|r| r.progress.fps).sum();
    snapshot.totals.speed = runs.map(|r| r.progress.speed).sum();
    snapshot.totals.by_state[1] = u64::from(AGENTS * SLOTS);
    snapshot.totals.eta_s = Some(34_800 - u64::from(tenths / 10));
    snapshot.now_ms += i64::from(tenths) * 100;
    snapshot
}

/// Bytes and milliseconds of each second of ten frames.
fn seconds_of_work(size: Size, glyphs: Glyphs, keys: &str) -> (usize, f64) {
    const SECONDS: u32 = 10;
    let count = Count::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.width, size.height));
    let backend = CrosstermBackend::new(count.clone());
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
    let mut board = Board::new(size, glyphs, farm(0));
    board.keys(keys).wait(5000);
    let mut draw = |board: &Board| {
        terminal
            .draw(|frame| {
                let model = model(&board.state, size, board.now);
                let inks = Inks { theme: &board.state.look.theme, color: Color::On };
                frame.render_widget(FrameView { model: &model, inks }, frame.area());
            })
            .unwrap();
    };
    draw(&board);
    count.0.set(0);
    let start = Instant::now();
    for tenth in 1..=SECONDS * 10 {
        board.now += 100;
        board.tell(Reply::Snapshot(Box::new(farm(tenth))));
        draw(&board);
    }
    let spent = start.elapsed().as_secs_f64() * 1000.0 / f64::from(SECONDS);
    (count.0.get() / SECONDS as usize, spent)
}

#[test]
fn a_second_of_72_busy_slots_is_cheap_to_send() {
    let all = Size { width: 200, height: 110 };
    for (size, keys) in [(NARROW, ""), (WIDE, ""), (all, ""), (all, "t>")] {
        for glyphs in [Glyphs::Ascii, Glyphs::Unicode] {
            let (bytes, ms) = seconds_of_work(size, glyphs, keys);
            println!(
                "{}x{} {glyphs:?} {keys:?}: {bytes} B/s, {ms:.0} ms/s unoptimised",
                size.width, size.height
            );
            assert!(bytes <= BYTES_A_SECOND, "{bytes} at {size:?} {glyphs:?}");
        }
    }
}

/// Answers for a table of a million rows, a page at a time; texts are found in every thousandth row.
fn answer(request: &Request) -> Page {
    let Request::Jobs { filter, offset, limit, .. } = request else { panic!("{request:?}") };
    let step = if filter.is_all() { 1 } else { 1000 };
    let found = JOBS / step;
    let end = (offset + u64::from(*limit)).min(found);
    let row = |at: u64| fixture::row(at * step, JobState::Pending, "tv/s04/ep_0411.mkv");
    Page { rows: (*offset..end).map(row).collect(), total: Some(found), more: end < found, scanned: None }
}

/// Answers all questions about rows; gives back how many there were.
fn settle(board: &mut Board, mut open: Vec<Action>) -> usize {
    let mut asked = 0;
    while let Some(action) = open.pop() {
        let Action::Send(tag, request) = action else { continue };
        asked += 1;
        let reply = Reply::Response(tag, Response::Page(answer(&request)));
        open.extend(update(&mut board.state, board.now, Msg::Reply(reply)));
    }
    asked
}

#[test]
fn a_million_rows_are_looked_at_through_windows() {
    let mut snapshot = busy();
    snapshot.totals.by_state = [JOBS - 26, 26, 0, 0, 0, 0, 0];
    let mut board = Board::silent(NARROW, Glyphs::Ascii, snapshot);
    board.keys("2");
    let open = std::mem::take(&mut board.asked);
    assert_eq!(settle(&mut board, open), 1);
    let start = Instant::now();
    let mut asked = 0;
    for key in "Gkkkgjjj".chars().cycle().take(400) {
        board.keys(&key.to_string());
        let open = std::mem::take(&mut board.asked);
        asked += settle(&mut board, open);
        let rows = &board.state.jobs.window.as_ref().unwrap().page.rows;
        assert!(rows.len() <= 200 && board.state.jobs.row().is_some());
        model(&board.state, NARROW, board.now);
    }
    println!(
        "{:.1} ms a key, unoptimised; {asked} questions for 400 keys",
        start.elapsed().as_secs_f64() * 2.5
    );
    assert!(asked <= 101, "only jumps ask: {asked}");
    board.keys("G");
    let open = std::mem::take(&mut board.asked);
    settle(&mut board, open);
    assert_eq!(board.state.jobs.selected, Some(JobId(JOBS - 1)));
}

/// The jobs screen with its first rows.
fn at_jobs() -> Board {
    let mut board = Board::silent(NARROW, Glyphs::Ascii, busy());
    board.keys("2");
    let open = std::mem::take(&mut board.asked);
    settle(&mut board, open);
    board
}

#[test]
fn so_many_rows_sort_by_what_is_indexed_only() {
    let mut board = at_jobs();
    let mut columns = Vec::new();
    for _ in 0..4 {
        board.keys(">");
        let open = std::mem::take(&mut board.asked);
        settle(&mut board, open);
        columns.push(board.state.jobs.sort.by.word());
    }
    assert_eq!(columns, ["id", "priority", "updated", "state"]);
    assert!(board.state.notice.as_ref().is_some_and(|n| n.text.contains("filter")));
}

fn told(found: &[u64], scanned: Option<(u64, u64)>) -> Response {
    let rows = found.iter().map(|id| fixture::row(*id, JobState::Failed, "ep.mkv")).collect();
    let scanned = scanned.map(|(seen, of)| Scanned { seen, of });
    Response::Page(Page { rows, total: None, more: scanned.is_some(), scanned })
}

/// The one question under way.
fn question(board: &mut Board) -> (RequestTag, u64, Sort) {
    let mut open = std::mem::take(&mut board.asked);
    let Some(Action::Send(tag, Request::Jobs { offset, sort, .. })) = open.pop() else { panic!("asks") };
    assert!(open.is_empty(), "one question at a time");
    (tag, offset, sort)
}

#[test]
fn a_search_goes_on_from_its_last_hit_until_it_is_over_or_ended() {
    let mut board = at_jobs();
    board.keys("/ep_\n");
    let (tag, offset, _) = question(&mut board);
    assert_eq!(offset, 0);
    board.tell(Reply::Response(tag, told(&[7, 9], Some((412_000, JOBS)))));
    let (tag, offset, _) = question(&mut board);
    assert_eq!((offset, board.state.jobs.count()), (2, 2), "hits show while it goes on");
    board.tell(Reply::Response(tag, told(&[], Some((800_000, JOBS)))));
    let (tag, offset, _) = question(&mut board);
    assert_eq!(offset, 2);
    board.tell(Reply::Response(tag, told(&[11], None)));
    assert!(board.asked.is_empty());
    let window = board.state.jobs.window.as_ref().unwrap();
    assert!(window.whole() && window.page.rows.len() == 3);

    board.keys("/ep_ x\n");
    let (tag, ..) = question(&mut board);
    board.keys("j").tell(Reply::Response(tag, told(&[7], Some((412_000, JOBS)))));
    board.keys("\x1b");
    let (tag, ..) = question(&mut board);
    board.tell(Reply::Response(tag, told(&[8], Some((500_000, JOBS)))));
    assert!(board.asked.is_empty(), "it was ended");
    assert!(!board.state.jobs.filter.is_all(), "the filter stays");
    board.keys("\x1b");
    assert!(board.state.jobs.filter.is_all());
}

#[test]
fn a_server_that_looks_no_further_is_not_asked_for_ever() {
    let mut board = at_jobs();
    board.keys("/ep_\n");
    for _ in 0..2 {
        let (tag, ..) = question(&mut board);
        board.tell(Reply::Response(tag, told(&[], Some((10, JOBS)))));
    }
    assert!(board.asked.is_empty());
}
