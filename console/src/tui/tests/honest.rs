//! What the screens say is what holds, and what they offer is what works.

use ratatui::layout::Size;
use vc_protocol::id::{AgentId, DeviceId};
use vc_protocol::operator::{
    AgentAction, AgentState, DeviceState, DeviceView, Need, Page, Request, Response, Scanned,
};

use super::drawing::text;
use super::fixture::{self, Board, NARROW, WIDE, broken, busy};
use super::journeys::requests;
use crate::tui::link::Reply;
use crate::tui::look::Glyphs;
use crate::tui::state::Action;

fn said(board: &Board) -> &str {
    board.state.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

#[test]
fn an_agent_with_one_device_is_tested_and_released_from_the_list() {
    let mut farm = busy();
    let second = DeviceView { id: DeviceId(1), ..farm.agents[1].devices[0].clone() };
    farm.agents[1].devices.push(second);
    farm.agents[0].devices[0].state =
        DeviceState::Quarantined { why: "three in a row".into(), until_ms: None, testing: false };
    let mut board = Board::new(NARROW, Glyphs::Ascii, farm);
    board.keys("3Tb");
    let asked = requests(&mut board).into_iter().filter(|r| matches!(r, Request::OnAgent(..)));
    let wanted = [AgentAction::SelfTest(DeviceId(0)), AgentAction::Release(DeviceId(0))];
    assert_eq!(asked.collect::<Vec<_>>(), wanted.map(|action| Request::OnAgent(AgentId(1), action)));
    board.keys("jT");
    assert!(said(&board).contains("choose one"), "{}", said(&board));
}

#[test]
fn the_header_and_the_list_count_the_same_devices() {
    let mut farm = busy();
    farm.agents[0].devices[0].state =
        DeviceState::Quarantined { why: "three in a row".into(), until_ms: None, testing: false };
    let mut board = Board::new(WIDE, Glyphs::Ascii, farm);
    board.keys("3");
    let text = text(&board);
    assert!(
        text.contains("devices 1/2") && text.lines().any(|l| l.contains("all 2") && l.contains(" 1/2 ")),
        "{text}"
    );
}

#[test]
fn an_offline_agent_is_offered_no_test() {
    let mut farm = busy();
    farm.agents[0].state = AgentState::Offline;
    let mut board = Board::new(WIDE, Glyphs::Ascii, farm);
    board.keys("3\n");
    assert!(!text(&board).contains("self-test"), "{}", text(&board));
    board.keys("T");
    assert_eq!(said(&board), "the agent is offline");
}

#[test]
fn what_goes_back_to_pending_counts_down_in_the_list_of_needs() {
    let mut farm = broken();
    farm.agents.iter_mut().find(|a| a.name == "dec").unwrap().gives_back_s = Some(108);
    let text_of = "1 job goes back to pending unless it returns";
    farm.needs = vec![Need {
        kind: "offline".into(),
        what: "dec".into(),
        text: text_of.into(),
        jobs: vec![],
        agent: Some(AgentId(3)),
    }];
    let mut board = Board::new(WIDE, Glyphs::Ascii, farm);
    assert!(text(&board).contains(&format!("{text_of} within 1:48")), "{}", text(&board));
    board.wait(8000);
    assert!(text(&board).contains(&format!("{text_of} within 1:40")), "{}", text(&board));
}

#[test]
fn needs_take_the_room_that_nothing_else_has() {
    let mut farm = busy();
    let need = |n: u64| Need { what: format!("{n} files"), text: format!("cause {n}"), ..Need::default() };
    farm.needs = (0..9).map(need).collect();
    let board = Board::new(WIDE, Glyphs::Ascii, farm);
    assert!(text(&board).contains("cause 8") && text(&board).contains("bolt connected"), "{}", text(&board));
}

#[test]
fn the_help_key_is_told_whole_in_the_narrowest_frame() {
    let mut farm = busy();
    farm.totals.by_state[3] = 60;
    let board = Board::new(Size::new(60, 16), Glyphs::Ascii, farm);
    let tabs = text(&board).lines().nth(1).unwrap_or_default().trim_end().to_owned();
    assert!(tabs.ends_with("?help") || tabs.ends_with(" ?"), "{tabs:?}");
}

#[test]
fn marking_all_is_not_offered_while_nobody_knows_how_many_that_are() {
    let mut board = Board::silent(NARROW, Glyphs::Ascii, busy());
    board.keys("2");
    let sent = board.asked.iter().rev();
    let mut tags = sent.filter_map(|a| if let Action::Send(tag, _) = a { Some(*tag) } else { None });
    let tag = tags.next().unwrap();
    let found =
        Page { total: None, more: true, scanned: Some(Scanned { seen: 9, of: 90 }), ..fixture::page() };
    board.tell(Reply::Response(tag, Response::Page(found)));
    assert!(!text(&board).contains("* all"), "{}", text(&board));
    board.keys("*");
    assert!(said(&board).starts_with("how many that are is not known"), "{}", said(&board));
}
