//! What keys do, from the press to the request.

use proptest::prelude::*;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{
    Acted, AgentAction, JobAction, JobFilter, Page, Request, Response, Scanned, Selection, StopHow,
};

use super::fixture::{self, Board, NARROW, broken, busy, empty};
use crate::tui::keys::Key;
use crate::tui::link::{Reply, RequestTag};
use crate::tui::look::Glyphs;
use crate::tui::state::deed::{Deed, Target};
use crate::tui::state::overlay::Overlay;
use crate::tui::state::overview::Node;
use crate::tui::state::{Action, Msg, Screen, update};
use crate::tui::{Leave, Mode};

fn act(action: JobAction, jobs: Selection) -> Request {
    Request::Act { action, jobs, expect: None }
}

fn board() -> Board {
    Board::new(NARROW, Glyphs::Ascii, busy())
}

fn ids(ids: &[u64]) -> Selection {
    Selection::Ids(ids.iter().map(|id| JobId(*id)).collect())
}

/// The requests that were sent, without their tags.
pub(super) fn requests(board: &mut Board) -> Vec<Request> {
    let sent = board
        .asked
        .drain(..)
        .filter_map(|action| if let Action::Send(_, request) = action { Some(request) } else { None });
    sent.collect()
}

fn left(board: &Board) -> Option<Leave> {
    board.asked.iter().find_map(|action| if let Action::Leave(leave) = action { Some(*leave) } else { None })
}

#[test]
fn a_cancel_asks_and_takes_yes_only_after_a_moment() {
    let mut board = board();
    board.keys("jjxy");
    assert!(board.asked.is_empty(), "y came too early");
    assert!(board.state.overlay.is_some());
    board.wait(300).keys("y");
    assert_eq!(requests(&mut board), [act(JobAction::Cancel, ids(&[41902]))]);
    assert_eq!(board.state.overlay, None);
}

#[test]
fn keys_pressed_before_a_dialog_was_drawn_do_not_answer_it() {
    let mut board = board();
    board.message(Msg::Key(Key::Char('q')));
    board.message(Msg::Key(Key::Char('s')));
    assert!(board.asked.is_empty() && board.state.overlay.is_some());
    board.state.drawn();
    board.message(Msg::Key(Key::Char('s')));
    assert_eq!(left(&board), Some(Leave::Stop(StopHow::Drain)));
}

#[test]
fn enter_and_every_other_key_mean_no() {
    for no in ["\n", "\x1b", "n", "q", "^c"] {
        let mut board = board();
        board.keys("jjx").wait(500).keys(no);
        assert_eq!(board.state.overlay, None, "{no:?}");
        assert!(board.asked.is_empty(), "{no:?}");
    }
}

#[test]
fn the_ids_are_fixed_when_the_question_opens() {
    let mut board = board();
    board.keys("jjx");
    let mut later = busy();
    later.agents[0].devices[0].runs.remove(0);
    board.tell(Reply::Snapshot(Box::new(later)));
    board.wait(400).keys("y");
    assert_eq!(requests(&mut board), [act(JobAction::Cancel, ids(&[41902]))]);
}

#[test]
fn marks_are_what_commands_are_for() {
    let mut board = board();
    board.keys("2j j x");
    let Some(Overlay::Confirm(confirm)) = &board.state.overlay else { panic!("asks") };
    let Deed::Jobs(_, Target::Jobs(jobs)) = &confirm.deed else { panic!("by id") };
    // The failed one that is marked too cannot be cancelled and is left out.
    assert_eq!(jobs.iter().map(|j| j.id.0).collect::<Vec<_>>(), [41902]);
    board.keys("\x1br");
    assert_eq!(requests(&mut board), [act(JobAction::Retry, ids(&[41877]))]);
    assert_eq!(board.state.jobs.marks.count(), 0, "a command takes the marks with it");
}

#[test]
fn a_retry_of_up_to_a_hundred_is_not_asked_about() {
    let mut board = board();
    board.keys("2jr");
    assert_eq!(requests(&mut board), [act(JobAction::Retry, ids(&[41877]))]);
    let rows = (1..=101).map(|id| fixture::row(id, JobState::Failed, "a.mkv")).collect();
    board.page = Page { rows, total: Some(101), more: false, scanned: None };
    board.keys("/a\n*r");
    assert!(requests(&mut board).is_empty());
    board.wait(400).keys("y");
    assert!(
        matches!(&requests(&mut board)[..], [Request::Act { jobs: Selection::Ids(ids), .. }] if ids.len() == 101)
    );
}

#[test]
fn all_of_a_filter_is_asked_again_when_its_count_changed() {
    let mut board = board();
    let rows: Vec<_> = (1..=200).map(|id| fixture::row(id, JobState::Pending, "a.mkv")).collect();
    board.page = Page { rows, total: Some(18_208), more: true, scanned: None };
    board.keys("/state:pending\n*x").wait(400);
    board.page.total = Some(18_300);
    let mut later = busy();
    later.revision += 1;
    board.wait(1000);
    board.tell(Reply::Snapshot(Box::new(later)));
    board.keys("y");
    assert!(requests(&mut board).is_empty(), "the count changed");
    board.wait(400).keys("y");
    let filter = JobFilter::of_states(&[JobState::Pending]);
    let jobs = Selection::Filter(filter);
    let sent = [Request::Act { action: JobAction::Cancel, jobs, expect: Some(18_300) }];
    assert_eq!(requests(&mut board), sent, "the server refuses if the number changed once more");
}

/// Only what level 0 allows: nothing that loses work.
fn harmless(action: &Action) -> bool {
    match action {
        Action::Send(_, Request::Act { action, .. }) => {
            !matches!(action, JobAction::Cancel | JobAction::Purge)
        }
        Action::Send(_, Request::OnAgent(_, action)) => {
            !matches!(action, AgentAction::Revoke | AgentAction::Drain { kill: true, .. })
        }
        Action::Send(_, request) => !matches!(request, Request::Stop(_) | Request::TokenRevoke(_)),
        Action::Leave(leave) => *leave == Leave::Detached,
        Action::Repaint
        | Action::StartAgent
        | Action::Copy(_)
        | Action::Print(_)
        | Action::Mouse(_)
        | Action::Suspend => true,
    }
}

#[test]
fn no_single_key_destroys_work() {
    let chars = (' '..='~').map(Key::Char).chain(('a'..='z').map(Key::Ctrl)).chain((1..=12).map(Key::F));
    let named =
        [Key::Enter, Key::Esc, Key::Delete, Key::Backspace, Key::Tab, Key::Left, Key::Right, Key::End];
    for key in chars.chain(named) {
        for mode in [Mode::Attach, Mode::Convert] {
            for place in
                ["", "j", "jj", "jj  ", "2jjj", "2*", "jjd", "jjl]", "/x", "3", "4", "5", "?", ":", "y"]
            {
                let mut board = Board::of(mode, NARROW, Glyphs::Ascii, broken());
                board.keys(place).wait(1000);
                board.press(key);
                for action in &board.asked {
                    let harmless = harmless(action);
                    assert!(harmless, "{key:?} after {place:?}: {action:?}");
                }
            }
        }
    }
}

#[test]
fn leaving_asks_while_jobs_run() {
    let leave = |mode, snapshot, keys: &str| {
        let mut board = Board::of(mode, NARROW, Glyphs::Ascii, snapshot);
        board.keys(keys).wait(400).keys("y");
        left(&board)
    };
    assert_eq!(leave(Mode::Attach, empty(), "q"), Some(Leave::Detached));
    assert_eq!(leave(Mode::Attach, busy(), "q"), None);
    assert_eq!(leave(Mode::Attach, busy(), "qd"), Some(Leave::Detached));
    assert_eq!(leave(Mode::Attach, busy(), "qs"), Some(Leave::Stop(StopHow::Drain)));
    assert_eq!(leave(Mode::Attach, busy(), "q\x1b"), None);
    assert_eq!(leave(Mode::Attach, busy(), "^c^c"), Some(Leave::Detached));
    assert_eq!(leave(Mode::Convert, busy(), "q"), Some(Leave::CancelAll));
    assert_eq!(leave(Mode::Convert, busy(), "q\n"), None);
    assert_eq!(leave(Mode::Convert, busy(), "^c^c"), Some(Leave::CancelAll));
    assert_eq!(leave(Mode::Convert, empty(), "q"), Some(Leave::Ended));
}

#[test]
fn q_goes_back_before_it_leaves() {
    let mut board = board();
    board.keys("jjdq");
    assert!(board.state.detail.is_none() && board.state.overlay.is_none() && left(&board).is_none());
}

#[test]
fn escape_closes_then_clears_then_goes_back() {
    let mut board = board();
    board.keys("/ep\nd?");
    board.keys("\x1b");
    assert!(board.state.overlay.is_none() && board.state.detail.is_some());
    board.keys("\x1b");
    assert!(board.state.detail.is_none() && !board.state.jobs.filter_text.is_empty());
    board.keys("\x1b");
    assert!(board.state.jobs.filter_text.is_empty() && board.state.screen == Screen::Jobs);
    board.keys("\x1b");
    assert_eq!(board.state.screen, Screen::Overview);
}

#[test]
fn the_selection_follows_its_job() {
    let mut board = board();
    board.keys("2jjj");
    assert_eq!(board.state.jobs.selected, Some(JobId(41902)));
    board.page.rows.remove(0);
    board.page.total = Some(7);
    let mut later = busy();
    later.revision += 1;
    board.now += 1000;
    board.tell(Reply::Snapshot(Box::new(later)));
    assert_eq!(board.state.jobs.at, 3, "no row moves so soon after a key");
    assert_eq!(board.state.next_tick(board.now), Some(1000 + 4 * 20 + 1500));
    board.wait(500);
    assert_eq!((board.state.jobs.selected, board.state.jobs.at), (Some(JobId(41902)), 2));
    board.keys("1jjj");
    assert_eq!(board.state.overview.selected, Some(Node::Run(JobId(41907))));
    let mut later = busy();
    later.agents[0].devices[0].runs.remove(0);
    board.tell(Reply::Snapshot(Box::new(later)));
    assert_eq!(board.state.overview.selected, Some(Node::Run(JobId(41907))));
    let mut later = busy();
    later.agents[0].devices[0].runs.clear();
    board.tell(Reply::Snapshot(Box::new(later)));
    assert_eq!(board.state.overview.at, 2, "the cursor stays where its row was");
}

#[test]
fn text_fields_take_all_keys_and_a_bad_filter_stays_open() {
    let mut board = board();
    board.keys("/qx state:nope\n");
    assert!(board.state.prompt.is_some() && board.asked.is_empty());
    assert_eq!(board.state.jobs.filter, JobFilter::default());
    for _ in 0..4 {
        board.press(Key::Backspace);
    }
    board.message(Msg::Paste("fai\x1bled\n".into()));
    board.keys("\n");
    assert!(board.state.prompt.is_none());
    let filter = vc_protocol::operator::filter::parse("qx state:failed").unwrap();
    assert_eq!(board.state.jobs.filter, filter);
}

#[test]
fn a_server_that_is_gone_keeps_the_picture_and_refuses_actions() {
    let mut board = board();
    board.keys("jj");
    board.tell(Reply::Gone("connection refused".into()));
    board.keys("x");
    assert!(board.state.overlay.is_none() && board.asked.is_empty());
    assert!(board.state.notice.as_ref().is_some_and(|n| n.text.contains("no word")));
    board.tell(Reply::Snapshot(Box::new(busy())));
    assert!(board.state.gone.is_none());
    board.keys("x");
    assert!(board.state.overlay.is_some());
}

#[test]
fn a_quiet_server_that_is_back_is_noticed() {
    let mut board = Board::new(NARROW, Glyphs::Ascii, empty());
    board.tell(Reply::Gone("connection reset".into()));
    board.wait(1000).wait(1000);
    let Some(Action::Send(tag, Request::Snapshot)) = board.asked.pop() else { panic!("asks") };
    assert!(board.asked.is_empty(), "one question at a time");
    board.tell(Reply::Response(tag, Response::Snapshot(Box::new(empty()))));
    assert!(board.state.gone.is_none());
}

#[test]
fn what_was_done_is_said_and_goes_away() {
    let mut board = board();
    board.keys("2jr");
    let Some(Action::Send(tag, _)) = board.asked.pop() else { panic!("asks") };
    let acted = Acted { done: vec![JobId(41877)], count: 1, left: vec![(JobId(3), "it runs".into())] };
    board.tell(Reply::Response(tag, Response::Acted(acted)));
    let said = board.state.notice.as_ref().map(|n| n.text.clone()).unwrap_or_default();
    assert_eq!(said, "1 job back to pending; x cancels; 1 left alone, #3: it runs");
    board.wait(5000);
    assert_eq!(board.state.notice, None);
}

#[test]
fn nothing_ticks_while_nothing_runs() {
    let mut quiet = busy();
    quiet.totals.by_state[JobState::Running as usize] = 0;
    quiet.totals.to_retry = 0;
    quiet.agents.iter_mut().for_each(|agent| agent.devices[0].runs.clear());
    let mut board = Board::new(NARROW, Glyphs::Ascii, quiet);
    for keys in ["", "2", "?", "\x1b", "3", "\n", "4", "5", "G"] {
        board.keys(keys);
        assert_eq!(board.state.next_tick(board.now), None, "after {keys:?}");
    }
    let board = self::board();
    assert!(board.state.next_tick(board.now).is_some_and(|at| at > board.now));
}

/// How the server of [`settle`] finds its rows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Finds {
    /// By an index.
    AtOnce,
    /// By looking at everything, a slice a question.
    Counted,
    /// The same, and only the end tells how many there are.
    Uncounted,
}

/// Sends what the state asks for to a table of `rows` rows whose pages hold at most `cut`, until it is quiet.
fn settle(board: &mut Board, finds: Finds, rows: u64, cut: u64, actions: Vec<Action>) -> usize {
    let mut asked = 0;
    let mut open = actions;
    while let Some(action) = open.pop() {
        let Action::Send(tag, Request::Jobs { offset, limit, .. }) = action else { continue };
        asked += 1;
        assert!(asked < 40, "asks for ever");
        let end = (offset + cut.min(u64::from(limit))).min(rows);
        let found = (offset..end).map(|id| fixture::row(id, JobState::Pending, "a.mkv")).collect();
        let more = end < rows;
        let scanned = (finds != Finds::AtOnce && more).then_some(Scanned { seen: end, of: rows });
        let total = (finds != Finds::Uncounted || !more).then_some(rows);
        let page = Page { rows: found, total, more, scanned };
        let reply = Reply::Response(tag, Response::Page(page));
        open.extend(update(&mut board.state, board.now, Msg::Reply(reply)));
    }
    asked
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_in_sight_are_fetched_whatever_the_jumps(
        rows in 0u64..5000,
        cut in 30u64..=200,
        finds in proptest::sample::select(vec![Finds::AtOnce, Finds::Counted, Finds::Uncounted]),
        jumps in proptest::collection::vec((any::<bool>(), 0u64..5000), 1..8),
    ) {
        let mut board = self::board();
        board.state.screen = Screen::Jobs;
        let actions = update(&mut board.state, board.now, Msg::Tick);
        settle(&mut board, finds, rows, cut, actions);
        for (newer, to) in jumps {
            board.now += 600;
            board.state.jobs.move_to(to);
            if newer && let Some(snapshot) = &mut board.state.snapshot {
                snapshot.revision += 1;
            }
            let actions = update(&mut board.state, board.now, Msg::Tick);
            settle(&mut board, finds, rows, cut, actions);
            let jobs = &board.state.jobs;
            prop_assert_eq!(jobs.row().map(|r| r.id.0), (rows > 0).then_some(jobs.at));
            let due = board.state.next_tick(board.now);
            prop_assert!(due.is_none_or(|at| at > board.now), "spins");
        }
    }
}

#[test]
fn a_late_page_is_dropped() {
    let mut board = board();
    board.keys("2");
    let stale = Page {
        rows: vec![fixture::row(9, JobState::Failed, "x")],
        total: Some(1),
        more: false,
        scanned: None,
    };
    board.tell(Reply::Response(RequestTag(0), Response::Page(stale)));
    assert_eq!(board.state.jobs.count(), 8);
}
