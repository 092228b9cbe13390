//! Dialogs, palette, mouse, copying: what keys and clicks come to.

use proptest::prelude::*;
use ratatui::layout::Size;
use vc_protocol::id::{AgentId, JobId};
use vc_protocol::job::JobState;
use vc_protocol::operator::{
    Acted, AgentAction, JobAction, RefusalCode, Request, Response, Role as OperatorRole, Selection, StopHow,
    Welcome,
};

use super::answers::sick;
use super::fixture::{self, Board, NARROW, WIDE, broken, busy};
use crate::tui::keys::{COMMANDS, Command, Key, Level, Place};
use crate::tui::link::Reply;
use crate::tui::look::Glyphs;
use crate::tui::model::model;
use crate::tui::state::mouse::Hit;
use crate::tui::state::overlay::Overlay;
use crate::tui::state::{Action, Msg, Screen};
use crate::tui::{Leave, Mode};

fn board() -> Board {
    Board::new(NARROW, Glyphs::Ascii, busy())
}

fn requests(board: &mut Board) -> Vec<Request> {
    let sent = board.asked.drain(..);
    sent.filter_map(|action| if let Action::Send(_, request) = action { Some(request) } else { None })
        .collect()
}

fn said(board: &Board) -> &str {
    board.state.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

/// Clicks on the first place where this text is drawn.
fn click(board: &mut Board, text: &str, twice: bool) -> bool {
    let frame = model(&board.state, board.state.size, board.now);
    let size = board.state.size;
    let drawn = super::drawing::draw(board, size, crate::tui::Color::Off);
    for y in 0..size.height {
        let row: String = (0..size.width).map(|x| drawn[(x, y)].symbol().to_owned()).collect();
        if let Some(at) = row.find(text) {
            let x = row[..at].chars().count() as u16;
            let Some(hit) = frame.hit(x, y) else { return false };
            board.now += 20;
            board.message(Msg::Click { hit, twice });
            board.state.drawn();
            return true;
        }
    }
    panic!("{text:?} is not drawn")
}

#[test]
fn every_command_that_acts_asks_as_its_level_says() {
    // From the row of a running job, of a device and of an agent, in the tree and in their own screens.
    for place in ["", "j", "jj", "2jjj", "2j", "3", "4"] {
        for fact in COMMANDS.iter().filter(|f| f.level > Level::Look) {
            let mut board = Board::new(NARROW, Glyphs::Ascii, sick());
            board.keys(place).wait(1000);
            board.asked.clear();
            board.keys(&format!(":{} {}\n", fact.name, if fact.argument.is_empty() { "" } else { "7" }));
            let asked = matches!(board.state.overlay, Some(Overlay::Confirm(_) | Overlay::Typed(_)));
            let sent = board.asked.iter().any(|a| !matches!(a, Action::Repaint));
            if fact.level >= Level::Asks {
                let destroys = board.asked.iter().any(|a| {
                    matches!(
                        a,
                        Action::Send(_, Request::Act { .. } | Request::OnAgent(..))
                            | Action::Leave(Leave::Stop(StopHow::Now))
                    )
                });
                assert!(!destroys, "{} after {place:?}: {:?}", fact.name, board.asked);
            } else {
                assert!(!(asked && sent), "{} both asks and acts", fact.name);
            }
        }
    }
}

#[test]
fn a_viewer_sees_no_action_and_none_works() {
    for read_only in [true, false] {
        let mut board = Board::new(WIDE, Glyphs::Ascii, broken());
        board.state.read_only = read_only;
        let role = if read_only { OperatorRole::Operator } else { OperatorRole::Viewer };
        board.tell(Reply::Welcome(Welcome {
            farm: "studio-a".into(),
            who: "eve".into(),
            role,
            version: "0".into(),
        }));
        for fact in COMMANDS.iter().filter(|f| f.level > Level::Look) {
            assert!(board.state.refusal(fact.command).is_some(), "{}", fact.name);
        }
        for key in "rxpPubTa".chars() {
            board.keys(&format!("jj{key}"));
            assert!(board.asked.is_empty() && board.state.overlay.is_none(), "{key}");
            assert!(said(&board).contains("not act"), "{key}: {}", said(&board));
        }
        board.keys("?");
        let text = super::drawing::text(&board);
        assert!(!text.contains("cancel (asks)") && !text.contains("drain or undrain"), "{text}");
        board.keys("\x1bq");
        let text = super::drawing::text(&board);
        assert!(text.contains("detach") && !text.contains("stop now"), "{text}");
    }
}

#[test]
fn what_cannot_be_taken_back_wants_its_name_typed() {
    let mut board = board();
    board.keys(":revoke bolt\n");
    assert_eq!(board.state.place(), Place::TypedConfirm);
    board.keys("ada\n");
    assert!(board.asked.is_empty() && board.state.overlay.is_some(), "another name");
    board.press(Key::Ctrl('u'));
    board.keys("bolt\n");
    assert_eq!(requests(&mut board), [Request::OnAgent(AgentId(2), AgentAction::Revoke)]);
    board.keys(":revoke bolt\n").keys("y\n\x1b");
    assert!(board.asked.is_empty() && board.state.overlay.is_none());
    board.keys("2G:purge\n");
    assert!(board.state.overlay.is_some());
    board.keys("1\n");
    let jobs = Selection::Ids(vec![JobId(41932)]);
    assert_eq!(requests(&mut board), [Request::Act { action: JobAction::Purge, jobs, expect: None }]);
}

#[test]
fn enter_takes_what_has_the_focus_and_that_is_no_at_first() {
    let mut board = board();
    board.keys("jjx").wait(400).keys("\n");
    assert!(board.asked.is_empty() && board.state.overlay.is_none());
    board.keys("x").wait(400).press(Key::Right);
    board.press(Key::Enter);
    assert_eq!(requests(&mut board).len(), 1);
    board.keys("jx");
    board.press(Key::Right);
    board.press(Key::Enter);
    assert!(board.asked.is_empty(), "not before it stood for a moment");
}

#[test]
fn a_second_yes_does_not_reach_what_lay_under_the_question() {
    let mut board = board();
    board.keys("jjx").wait(400).keys("yyy");
    assert_eq!(requests(&mut board).len(), 1);
    assert!(board.state.overlay.is_none(), "no copy menu");
    board.wait(400).keys("y");
    assert_eq!(board.state.place(), Place::CopyMenu);
}

#[test]
fn the_leave_dialog_is_walked_and_stopping_now_is_asked_once_more() {
    let mut board = board();
    board.keys("q\n");
    assert_eq!(board.asked.pop(), Some(Action::Leave(Leave::Detached)));
    let mut board = self::board();
    board.keys("q").press(Key::Down);
    board.press(Key::Enter);
    assert_eq!(board.asked.pop(), Some(Action::Leave(Leave::Stop(StopHow::Drain))));
    board.keys("\x1bqn");
    assert!(matches!(&board.state.overlay, Some(Overlay::Confirm(_))), "asks");
    board.wait(400).keys("y");
    assert_eq!(board.asked.pop(), Some(Action::Leave(Leave::Stop(StopHow::Now))));
}

#[test]
fn a_second_ctrl_c_detaches_only_within_a_second() {
    let mut board = board();
    board.keys("^c").wait(1500).keys("^c");
    assert!(board.asked.is_empty() && board.state.overlay.is_some());
    board.keys("^c");
    assert_eq!(board.asked.pop(), Some(Action::Leave(Leave::Detached)));
}

#[test]
fn the_palette_runs_completes_and_remembers() {
    let mut board = board();
    board.keys("jj:canc\n");
    assert!(matches!(&board.state.overlay, Some(Overlay::Confirm(_))), "cancel asks");
    board.keys("\x1b:prio 7\n");
    let jobs = Selection::Ids(vec![JobId(41902)]);
    let action = JobAction::Prioritise(vc_protocol::job::Priority(7));
    assert_eq!(requests(&mut board), [Request::Act { action, jobs, expect: None }]);
    board.keys(":prio 99\n");
    let Some(Overlay::Palette(palette)) = &board.state.overlay else { panic!("stays open") };
    assert!(palette.error.as_ref().is_some_and(|e| e.contains("0 to 9")));
    board.keys("\x1b:th\t");
    let Some(Overlay::Palette(palette)) = &board.state.overlay else { panic!("completes") };
    assert_eq!(palette.field.value(), "theme ");
    board.keys("da\t\n");
    assert_eq!(board.state.look.theme.name(), "dark");
    board.keys(":").press(Key::Up);
    board.press(Key::Up);
    let Some(Overlay::Palette(palette)) = &board.state.overlay else { panic!("remembers") };
    assert_eq!(palette.field.value(), "prio 7");
    board.keys("\x1b:filter state:failed ep\n");
    assert_eq!((board.state.screen, board.state.jobs.filter.terms.len()), (Screen::Jobs, 2));
    board.keys(":filter state:nope\n");
    assert!(matches!(&board.state.overlay, Some(Overlay::Palette(p)) if p.error.is_some()));
    board.keys("\x1b:41877\n");
    assert_eq!(board.state.detail.as_ref().map(|d| d.job), Some(JobId(41877)));
}

#[test]
fn a_command_that_does_not_work_now_does_not_become_another_one() {
    let mut board = board();
    board.keys(":prio 3\n");
    let Some(Overlay::Palette(palette)) = &board.state.overlay else { panic!("stays open") };
    assert!(palette.error.is_some() && board.asked.is_empty());
}

#[test]
fn undoable_commands_are_done_at_once_and_say_how_to_undo() {
    let mut board = Board::new(NARROW, Glyphs::Ascii, sick());
    let check = |board: &mut Board, keys: &str, request: Request| {
        board.keys(keys);
        let sent = board.asked.pop();
        let Some(Action::Send(tag, asked)) = sent else { panic!("{keys:?}: {sent:?}") };
        assert_eq!(asked, request, "{keys:?}");
        board.tell(Reply::Response(tag, Response::Done("done".into())));
        said(board).to_owned()
    };
    assert_eq!(check(&mut board, "P", Request::Pause), "done; P goes on");
    let drain = Request::OnAgent(AgentId(1), AgentAction::Drain { device: None, kill: false });
    assert_eq!(check(&mut board, "gu", drain), "done; u takes it back");
    let ids = Selection::Ids(vec![JobId(41896)]);
    let hold = Request::Act { action: JobAction::Hold, jobs: ids.clone(), expect: None };
    check(&mut board, "2p", hold);
    let raise = Request::Act { action: JobAction::Raise, jobs: ids, expect: None };
    check(&mut board, "+", raise);
    let held = Selection::Ids(vec![JobId(41930)]);
    check(&mut board, "jjjjp", Request::Act { action: JobAction::Release, jobs: held, expect: None });
}

#[test]
fn how_to_undo_names_the_key_of_the_screen_and_of_the_settings() {
    let raised = |mut board: Board, keys: &str| {
        board.keys(keys).press(Key::F(7));
        let Some(Action::Send(tag, Request::Act { action: JobAction::Raise, .. })) = board.asked.pop() else {
            panic!("{keys:?}")
        };
        let acted = Acted { count: 1, ..Acted::default() };
        board.tell(Reply::Response(tag, Response::Acted(acted)));
        said(&board).to_owned()
    };
    assert_eq!(raised(board(), "jj"), "1 job one priority up; F8 takes it back", "there - folds");
    assert_eq!(raised(board(), "2"), "1 job one priority up; - takes it back");
    let mut other = board();
    let keys = [("lower".to_owned(), vec!["ctrl-o".to_owned()])];
    other.state.keys = crate::tui::settings::check_keys(&keys.into()).unwrap();
    assert_eq!(raised(other, "2"), "1 job one priority up; ctrl-o takes it back");
}

#[test]
fn a_filter_that_finds_others_by_then_is_asked_about_again() {
    let mut board = board();
    let rows: Vec<_> = (1..=200).map(|id| fixture::row(id, JobState::Failed, "a.mkv")).collect();
    board.page = vc_protocol::operator::Page { rows, total: Some(300), more: true, scanned: None };
    board.keys("/state:failed\n*r").wait(400).keys("y");
    let Some(Action::Send(tag, Request::Act { expect: Some(300), .. })) = board.asked.pop() else {
        panic!("says how many it expects")
    };
    let refused = Response::Refused { code: RefusalCode::Changed, message: "301 by now".into() };
    board.tell(Reply::Response(tag, refused));
    assert_eq!(said(&board), "301 by now");
}

#[test]
fn a_click_selects_a_second_one_opens_and_the_wheel_scrolls() {
    let mut board = Board::new(WIDE, Glyphs::Unicode, busy());
    assert!(click(&mut board, "ep_0418", false));
    assert_eq!(board.state.selected().map(|j| j.id), Some(JobId(41907)));
    assert!(click(&mut board, "ep_0418", true));
    assert_eq!(board.state.detail.as_ref().map(|d| d.job), Some(JobId(41907)));
    assert!(click(&mut board, "Attempts", false));
    assert_eq!(board.state.detail.as_ref().map(|d| d.tab.word()), Some("Attempts"));
    assert!(click(&mut board, "2 Jobs", false));
    assert_eq!((board.state.screen, board.state.detail.is_some()), (Screen::Jobs, false));
    board.message(Msg::Wheel(1));
    assert_eq!(board.state.jobs.at, 3);
    board.message(Msg::Wheel(-9));
    assert_eq!(board.state.jobs.at, 0);
    assert!(click(&mut board, "UPDATED", false));
    assert_eq!(board.state.jobs.sort.by.word(), "updated");
    assert!(click(&mut board, "UPDATED", false));
    assert!(board.state.jobs.sort.reversed, "once more: the other way round");
}

#[test]
fn clicks_answer_dialogs_and_never_reach_what_lies_under_them() {
    let mut board = Board::new(WIDE, Glyphs::Ascii, busy());
    board.keys("jj");
    assert!(click(&mut board, "x cancel", false), "a key of the footer");
    assert!(!click(&mut board, "3 Agents", false), "nothing under a dialog");
    assert_eq!(board.state.screen, Screen::Overview);
    board.wait(400);
    assert!(click(&mut board, "[ No (esc) ]", false));
    assert!(board.state.overlay.is_none() && board.asked.is_empty());
    board.keys("x");
    click(&mut board, "y  yes", false);
    assert!(board.asked.is_empty(), "too early");
    board.wait(400);
    click(&mut board, "y  yes", false);
    assert_eq!(requests(&mut board).len(), 1);
}

#[test]
fn the_mouse_is_switched_and_the_footer_says_how_to_select() {
    let mut board = Board::new(WIDE, Glyphs::Ascii, busy());
    assert!(!super::drawing::text(&board).contains("shift-drag"));
    board.keys("2m");
    assert_eq!(board.asked.pop(), Some(Action::Mouse(true)));
    board.wait(6000);
    assert!(super::drawing::text(&board).contains("shift-drag selects"));
    board.keys("m");
    assert_eq!(board.asked.pop(), Some(Action::Mouse(false)));
}

#[test]
fn what_is_selected_is_copied_or_printed() {
    let mut board = board();
    board.keys("jjc");
    let Some(Action::Copy(item)) = board.asked.pop() else { panic!("copies") };
    assert_eq!(item.text, "41902");
    board.keys("dy");
    assert_eq!(board.state.place(), Place::CopyMenu);
    let text = super::drawing::text(&board);
    for what in ["id", "path of the source", "command as a shell line", "log", "report"] {
        assert!(text.contains(what), "{what} in {text}");
    }
    board.keys("jy");
    let Some(Action::Copy(item)) = board.asked.pop() else { panic!("copies") };
    assert_eq!(item.text, "/srv/tv/s04/ep_0417.mkv");
    board.keys("lyp");
    let Some(Action::Print(log)) = board.asked.pop() else { panic!("prints") };
    assert!(log.contains("using SAR"), "in a log the log comes first");
    board.keys("\x1b\x1b2  y\n");
    let Some(Action::Copy(item)) = board.asked.pop() else { panic!("copies") };
    assert_eq!(item.text, "41877\n41896");
}

#[test]
fn a_frozen_picture_stands_still_and_goes_on() {
    let mut board = board();
    board.keys("Z");
    let before = super::drawing::text(&board);
    assert!(before.contains("FROZEN"));
    board.tell(Reply::Snapshot(Box::new(broken())));
    board.wait(5000);
    let mut later = super::drawing::text(&board);
    let banner =
        |text: &str| text.lines().find(|l| l.contains("FROZEN")).map(str::to_owned).unwrap_or_default();
    later = later.replace(&banner(&later), &banner(&before));
    assert_eq!(later, before);
    assert_eq!(board.state.next_tick(board.now), None, "nothing ticks");
    board.keys("Z");
    assert!(super::drawing::text(&board).contains("Needs you (5)"));
}

#[test]
fn help_lists_what_works_and_finds_everything() {
    let mut board = board();
    board.keys("jj?");
    let text = super::drawing::text(&board);
    assert!(text.contains("cancel (asks)") && !text.contains("retry all of a cause"), "{text}");
    board.keys("quarant");
    let text = super::drawing::text(&board);
    assert!(text.contains("vc-console agents release"), "{text}");
    board.keys("\x1b?");
    board.keys("?");
    assert!(board.state.overlay.is_none(), "the same key closes it");
}

#[test]
fn a_conversion_is_not_suspended_with_its_program() {
    let mut board = Board::of(Mode::Convert, NARROW, Glyphs::Ascii, busy());
    board.keys("^z");
    assert!(board.asked.is_empty() && said(&board).contains("stand still"));
    let mut board = self::board();
    board.keys("^z");
    assert_eq!(board.asked.pop(), Some(Action::Suspend));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rubbish_pasted_into_any_field_does_nothing(
        paste in proptest::collection::vec(any::<char>(), 0..300),
        field in proptest::sample::select(vec!["/", ":", "?", ":revoke bolt\n", ":filter ", "5/", "jjl/"]),
    ) {
        let mut board = board();
        board.keys(field);
        let text: String = paste.into_iter().filter(|c| !c.is_ascii_digit()).collect();
        board.message(Msg::Paste(format!("{text}\x1b[31m\u{202e}\r\n")));
        for action in &board.asked {
            prop_assert!(matches!(action, Action::Repaint), "{action:?}");
        }
        let drawn = super::drawing::text(&board);
        let steers = drawn.contains(['\x1b', '\u{202e}', '\r']);
        prop_assert!(!steers);
        board.press(Key::Esc);
        board.press(Key::Esc);
        for action in &board.asked {
            prop_assert!(matches!(action, Action::Repaint), "{action:?}");
        }
    }

    #[test]
    fn any_click_on_any_dialog_is_harmless(
        keys in proptest::sample::select(vec!["", "jjx", "q", "qn", "?", ":", "y", "jjdy", "2", "3", "4", "5", ":revoke bolt\n"]),
        (x, y) in (0u16..120, 0u16..40),
        wheel in -3i64..3,
    ) {
        let mut board = Board::new(Size { width: 120, height: 40 }, Glyphs::Ascii, sick());
        board.keys(keys);
        board.asked.clear();
        let frame = model(&board.state, board.state.size, board.now);
        board.message(Msg::Wheel(wheel));
        if let Some(hit) = frame.hit(x, y) {
            board.message(Msg::Click { hit, twice: true });
            if !matches!(hit, Hit::Foot(_)) {
                let stops = |a: &Action| matches!(a, Action::Leave(Leave::Stop(StopHow::Now)));
                prop_assert!(!board.asked.iter().any(stops));
            }
        }
        let cancels = |a: &Action| matches!(a, Action::Send(_, Request::Act { action: JobAction::Cancel, .. }));
        prop_assert!(!board.asked.iter().any(cancels), "a dialog that was just opened takes no yes");
        prop_assert!(board.state.place() != Place::Prompt || board.state.refusal(Command::Filter).is_none());
    }
}
