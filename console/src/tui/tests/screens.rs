//! The screens of agents, failures, events and the first run: as text, and from keys to requests.

use ratatui::layout::Size;
use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::job::JobState;
use vc_protocol::operator::{
    AgentView, EventView, Failures, JobAction, Page, Request, Response, Selection, Snapshot,
};

use super::answers::{events, sick};
use super::drawing::{both_sizes, check, everywhere, styles, text};
use super::fixture::{self, Board, NARROW, busy, empty};
use super::journeys::requests;
use crate::tui::Mode;
use crate::tui::keys::{Ground, Key};
use crate::tui::link::Reply;
use crate::tui::look::{Glyphs, Theme};
use crate::tui::state::agent::AgentRow;
use crate::tui::state::overlay::Overlay;
use crate::tui::state::{Action, Msg, Screen};

const SMALL: Size = Size { width: 60, height: 16 };

fn board(farm: Snapshot) -> Board {
    Board::new(NARROW, Glyphs::Ascii, farm)
}

/// In all sizes and glyphs, and once as styles.
fn every_way(name: &str, farm: fn() -> Snapshot, keys: &str) {
    everywhere(name, |size, glyphs| {
        let mut board = Board::new(size, glyphs, farm());
        board.keys(keys);
        board
    });
    let mut small = Board::new(SMALL, Glyphs::Ascii, farm());
    small.keys(keys);
    check(&format!("{name}_60x16"), &text(&small));
    let mut narrow = board(farm());
    narrow.keys(keys);
    check(&format!("styles_{name}"), &styles(&narrow));
    narrow.state.look.theme = Theme::named("mono").unwrap_or_default();
    check(&format!("styles_{name}_mono"), &styles(&narrow));
}

#[test]
fn agents_are_drawn_empty_busy_and_broken() {
    both_sizes("agents_empty", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, empty());
        board.keys("3");
        board
    });
    every_way("agents_busy", busy, "3j");
    every_way("agents_broken", sick, "3jj");
}

#[test]
fn an_agent_is_drawn_with_its_devices() {
    every_way("agent_broken", sick, "3jjj\n");
    // On the processor, and on the card that works.
    for (name, keys) in [("agent_cpu", "3jjj\nkk"), ("agent_gpu", "3jjj\nk")] {
        both_sizes(name, |size| {
            let mut board = Board::new(size, Glyphs::Ascii, sick());
            board.keys(keys);
            board
        });
    }
    both_sizes("agent_busy", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.keys("3\nj");
        board
    });
    both_sizes("agent_offline", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, sick());
        board.keys("3jj\n");
        board
    });
    both_sizes("agent_log", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, sick());
        board.keys("3jjj\nl");
        board
    });
}

#[test]
fn failures_are_drawn_empty_and_broken() {
    both_sizes("failures_empty", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.failures = Failures::default();
        board.keys("4");
        board
    });
    every_way("failures_broken", sick, "4");
}

#[test]
fn events_are_drawn_empty_and_busy() {
    both_sizes("events_empty", |size| {
        let mut board = Board::new(size, Glyphs::Ascii, busy());
        board.events = vec![];
        board.keys("5");
        board
    });
    every_way("events_busy", busy, "5jj");
}

#[test]
fn the_first_run_is_drawn_and_ticks_off_its_steps() {
    every_way("first_run", empty, "");
    let mut board = board(empty());
    board.state.first.can_start = true;
    check("first_run_local", &text(&board));
    let mut added = empty();
    added.totals.by_state[0] = 4;
    board.tell(Reply::Snapshot(Box::new(added)));
    check("first_run_added", &text(&board));
    board.keys("a");
    assert_eq!(board.asked, [Action::StartAgent]);
    check("first_run_starting", &text(&board));
    let mut joined = empty();
    let ada = fixture::agent(1, "ada", vc_protocol::operator::AgentState::Ok, 3, vec![]);
    joined.agents = vec![AgentView { completed: 0, failed: 0, ..ada }];
    board.tell(Reply::Snapshot(Box::new(joined)));
    check("first_run_joined", &text(&board));
}

#[test]
fn a_token_is_made_when_it_is_shown_and_again_when_it_ended() {
    let mut board = board(empty());
    let line = |board: &Board| board.state.first.token.as_ref().map(|token| token.line.clone());
    let first = line(&board);
    assert!(first.is_some());
    board.wait(899_000);
    assert_eq!(line(&board), first);
    board.wait(2000);
    assert!(line(&board).is_some_and(|line| Some(line) != first));
    let asks = |mode, farm| Board::of(mode, NARROW, Glyphs::Ascii, farm).state.first.asked.is_some();
    assert!(!asks(Mode::Convert, empty()) && !asks(Mode::Attach, busy()));
}

#[test]
fn only_the_dashboard_of_this_box_starts_an_agent() {
    let mut board = board(empty());
    board.keys("a");
    assert!(board.asked.is_empty());
    board.state.first.can_start = true;
    board.keys("aa");
    assert_eq!(board.asked, [Action::StartAgent], "once");
    board.tell(Reply::Started(Err("no vc-agent beside this program".into())));
    assert!(board.state.notice.as_ref().is_some_and(|n| n.text.contains("no vc-agent")));
    board.keys("a");
    assert_eq!(board.asked.len(), 2, "a failed start may be tried again");
}

#[test]
fn an_agent_is_opened_by_its_row_and_asked_about() {
    let mut board = board(sick());
    board.keys("3jjj");
    assert_eq!(board.state.selected_agent(), Some((AgentId(4), None)));
    board.keys("\n");
    assert_eq!(board.state.below(), Ground::AgentDetail);
    assert!(board.state.agent.as_ref().is_some_and(|open| open.data.is_some()));
    let quarantined = Some((AgentId(4), Some(DeviceId(2))));
    assert_eq!(board.state.selected_agent(), quarantined, "what needs a person is under the cursor");
    board.keys("j");
    assert_eq!(board.state.agent.as_ref().and_then(|a| a.selected), Some(AgentRow::Job(JobId(41921))));
    board.keys("\n");
    assert!(board.state.detail.as_ref().is_some_and(|detail| detail.job == JobId(41921)));
    board.keys("\x1b\x1b");
    assert_eq!(board.state.below(), Ground::Agents);
}

#[test]
fn the_log_of_an_agent_lies_over_its_devices() {
    let mut board = board(sick());
    board.keys("3jjj\nl");
    assert!(board.state.agent.as_ref().is_some_and(|open| open.log == Some(0)));
    board.keys("\x1b");
    assert!(board.state.agent.as_ref().is_some_and(|open| open.log.is_none()));
    board.keys("\x1b3l");
    assert!(board.state.agent.as_ref().is_some_and(|open| open.log == Some(0)));
}

#[test]
fn agents_are_sorted_by_any_column_and_the_cursor_stays() {
    let mut board = board(sick());
    board.keys("3jjj");
    let names = |board: &Board| {
        let rows = board.state.snapshot.as_deref().map(|s| board.state.agents.rows(s)).unwrap_or_default();
        rows.iter().map(|agent| agent.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&board), "ada bolt dec fox gnu hen");
    board.keys(">");
    assert_eq!(names(&board), "dec hen gnu ada bolt fox");
    board.keys("I");
    assert_eq!(names(&board), "fox bolt ada gnu hen dec");
    assert_eq!(board.state.selected_agent(), Some((AgentId(4), None)));
    board.keys("<I");
    assert_eq!(names(&board), "ada bolt dec fox gnu hen");
}

#[test]
fn an_agent_that_went_away_is_said_to_be_gone() {
    let mut board = board(sick());
    board.keys("3jjj\n");
    let mut fewer = sick();
    fewer.agents.retain(|agent: &AgentView| agent.name != "fox");
    board.tell(Reply::Snapshot(Box::new(fewer)));
    board.wait(2000);
    assert_eq!(board.state.below(), Ground::AgentDetail);
    assert!(board.state.agent.as_ref().is_some_and(|open| open.refused.is_some()));
}

#[test]
fn a_cause_leads_to_its_jobs() {
    let mut board = board(sick());
    board.keys("4j\n");
    assert_eq!(board.state.screen, Screen::Jobs);
    assert_eq!(board.state.jobs.filter_text, "is:failed,held,retry cause:\"moov atom not found\"");
    let parsed = vc_protocol::operator::filter::parse(&board.state.jobs.filter_text);
    assert_eq!(parsed.as_ref(), Ok(&board.state.jobs.filter));
}

#[test]
fn a_group_is_retried_by_the_ids_that_it_has_now() {
    let mut board = board(sick());
    let rows =
        vec![fixture::row(41877, JobState::Failed, "a.mkv"), fixture::row(41880, JobState::Failed, "b.mkv")];
    board.page = Page { rows, total: Some(2), more: false, scanned: None };
    board.keys("4R");
    let ids = Selection::Ids(vec![JobId(41877), JobId(41880)]);
    let expected = [Request::Act { action: JobAction::Retry, jobs: ids, expect: None }];
    assert_eq!(requests(&mut board), expected);
}

#[test]
fn giving_up_on_a_group_asks_and_names_its_jobs() {
    let mut board = board(sick());
    let held = fixture::row(41930, JobState::Held, "a.mkv");
    board.page = Page { rows: vec![held], total: Some(1), more: false, scanned: None };
    board.keys("4x");
    assert!(matches!(board.state.overlay, Some(Overlay::Confirm(_))));
    assert!(requests(&mut board).is_empty());
    board.wait(400).keys("y");
    let ids = Selection::Ids(vec![JobId(41930)]);
    let expected = [Request::Act { action: JobAction::Cancel, jobs: ids, expect: None }];
    assert_eq!(requests(&mut board), expected);
}

#[test]
fn a_group_whose_jobs_went_on_meanwhile_is_left_alone() {
    let mut board = board(sick());
    board.page = Page { rows: vec![], total: Some(0), more: false, scanned: None };
    board.keys("4R");
    assert!(requests(&mut board).is_empty());
    assert!(board.state.notice.as_ref().is_some_and(|n| n.text.contains("no job of this cause")));
    board.keys("GR");
    assert!(board.state.notice.as_ref().is_some_and(|n| n.text.contains("nothing to retry")));
}

#[test]
fn failures_are_asked_for_again_when_the_table_changed_but_not_more_than_once_a_second() {
    let mut board = board(sick());
    board.keys("4jj");
    board.failures.groups.remove(0);
    let mut later = sick();
    later.revision += 1;
    board.now += 100;
    board.tell(Reply::Snapshot(Box::new(later)));
    assert_eq!(board.state.failures.count(), 4);
    board.wait(1000);
    assert_eq!(board.state.failures.count(), 3);
    assert_eq!(board.state.failures.selected.as_deref(), Some("NVENC open failed"), "the cursor follows");
}

#[test]
fn events_page_back_to_the_first_one() {
    let mut board = board(busy());
    board.events = events(700, 700);
    board.keys("5");
    assert_eq!(board.state.events.held.len(), 200);
    board.keys("GGGGGG");
    assert_eq!(board.state.events.held.len(), 700);
    assert!(board.state.events.whole);
    assert_eq!(board.state.events.row().map(|event| event.no), Some(1));
}

#[test]
fn the_top_of_the_events_follows_what_happens() {
    let mut board = board(busy());
    board.events = events(700, 700);
    board.keys("5");
    let mut later = busy();
    later.recent = events(705, 12);
    board.tell(Reply::Snapshot(Box::new(later)));
    assert_eq!(board.state.events.row().map(|event| event.no), Some(705));
    board.keys("jj");
    let mut later = busy();
    later.recent = events(720, 12);
    board.events = events(720, 720);
    board.tell(Reply::Snapshot(Box::new(later)));
    board.wait(1000);
    assert_eq!(board.state.events.row().map(|event| event.no), Some(703), "the cursor stays");
    assert_eq!(board.state.events.held.first().map(|event| event.no), Some(720));
}

#[test]
fn an_event_leads_to_its_job_or_its_agent() {
    let mut board = board(busy());
    board.events = events(700, 700);
    board.keys("5\n");
    assert!(board.state.detail.as_ref().is_some_and(|detail| detail.job == JobId(41_700)));
    board.keys("\x1bjjj\n");
    assert_eq!(board.state.below(), Ground::AgentDetail);
    board.keys("5gj\n");
    assert_eq!(board.state.below(), Ground::Events, "it is about neither");
}

#[test]
fn events_are_filtered_by_any_word_of_theirs() {
    let mut board = board(busy());
    board.events = events(700, 700);
    board.keys("5/ANA\n");
    assert!(board.state.prompt.is_none());
    let shown = |board: &Board| board.state.events.row().map(|event| event.no);
    assert_eq!((board.state.screen, shown(&board)), (Screen::Events, Some(698)));
    assert!(board.state.events.count() >= usize::from(NARROW.height));
    board.keys("G\n");
    assert!(board.state.agent.is_some(), "what an operator did to an agent leads there");
    board.keys("5\x1b");
    assert_eq!((board.state.screen, board.state.events.filter.as_str()), (Screen::Events, ""));
}

#[test]
fn every_need_is_reached_by_its_key() {
    let mut board = board(sick());
    // The job table, two failures of a kind, one of another, an offline agent, a folder.
    let opened = |board: &mut Board, keys: &str| {
        board.keys(keys).keys("\n");
        let place = board.state.below();
        (place, board.state.selected_agent().map(|(id, _)| id))
    };
    assert_eq!(opened(&mut board, "n"), (Ground::Events, None));
    assert_eq!(opened(&mut board, "1n").0, Ground::Failures);
    assert_eq!(board.state.failures.selected.as_deref(), Some("output shorter than source"));
    // From any other screen it leads on to the next one at once.
    board.keys("2n");
    assert!(board.state.detail.as_ref().is_some_and(|detail| detail.job == JobId(39120)));
    board.keys("\x1b");
    board.keys("3n");
    assert_eq!(board.state.selected_agent().map(|(id, _)| id), Some(AgentId(3)));
    board.keys("n");
    assert_eq!(board.state.selected_agent().map(|(id, _)| id), Some(AgentId(4)));
    board.keys("N");
    assert_eq!(board.state.selected_agent().map(|(id, _)| id), Some(AgentId(3)), "and back");
    let mut calm = self::board(busy());
    calm.keys("3n");
    assert_eq!(calm.state.below(), Ground::Agents);
    assert!(calm.state.notice.as_ref().is_some_and(|n| n.text.contains("nothing needs you")));
}

#[test]
fn a_server_that_goes_away_at_any_screen_is_asked_anew_when_it_is_back() {
    for keys in ["3", "3\n", "4", "5", ""] {
        let farm = if keys.is_empty() { empty() } else { busy() };
        let mut board = Board::silent(NARROW, Glyphs::Ascii, farm.clone());
        board.keys(keys);
        let asked = requests(&mut board);
        board.tell(Reply::Gone("connection reset".into()));
        requests(&mut board);
        let mut later = farm;
        later.revision += 1;
        board.wait(3000);
        requests(&mut board);
        board.tell(Reply::Snapshot(Box::new(later)));
        assert_eq!(requests(&mut board).len(), asked.len(), "after {keys:?}: {asked:?}");
    }
}

#[test]
fn what_is_refused_is_said_on_the_screen_that_asked() {
    for keys in ["3\n", "4", "5"] {
        let mut board = Board::silent(NARROW, Glyphs::Ascii, busy());
        board.keys(keys);
        for action in std::mem::take(&mut board.asked) {
            let Action::Send(tag, _) = action else { continue };
            let message = "the store is being mended".to_owned();
            let code = vc_protocol::operator::RefusalCode::Unavailable;
            board.tell(Reply::Response(tag, Response::Refused { code, message }));
        }
        if keys == "3\n" {
            assert!(board.state.agent.as_ref().is_some_and(|open| open.refused.is_some()));
        } else {
            assert!(text(&board).contains("being mended"), "{keys:?}");
        }
        let due = board.state.next_tick(board.now);
        assert!(due.is_none_or(|at| at > board.now), "{keys:?} spins");
    }
}

#[test]
fn unnumbered_events_of_an_older_server_do_no_harm() {
    let mut board = board(busy());
    board.events = vec![EventView { text: "x".into(), ..EventView::default() }; 300];
    board.keys("5G");
    assert_eq!(board.state.events.held.len(), 200);
    board.message(Msg::Tick);
    board.press(Key::PageDown);
    assert!(board.state.next_tick(board.now).is_none_or(|at| at > board.now));
}

#[test]
fn columns_that_have_no_room_are_scrolled_to() {
    for (keys, hidden, always) in [("3", "VERSION", "NAME"), ("5", "WHO", "WHAT")] {
        let mut board = board(sick());
        board.keys(keys);
        assert!(!text(&board).contains(hidden));
        for _ in 0..9 {
            board.press(Key::Right);
        }
        assert!(text(&board).contains(hidden) && text(&board).contains(always), "{}", text(&board));
        for _ in 0..9 {
            board.press(Key::Left);
        }
        assert!(!text(&board).contains(hidden));
    }
}
