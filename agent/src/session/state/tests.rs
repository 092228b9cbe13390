use vc_protocol::agent::{Disposition, FromAgent, Held, Outcome, Report, ToAgent};
use vc_protocol::id::{AgentId, AttemptId, DeviceId};
use vc_protocol::progress::{Phase, Progress};

use super::testing::{attempt, ended, offer, proven};
use super::{Action, HELD_MAX, Holdings, Input};
use crate::process::StopReason;

fn welcome(inventory: Vec<(AttemptId, Disposition)>) -> Input {
    Input::Console(ToAgent::Welcome { agent: AgentId(1), name: "ada".into(), inventory })
}

fn offered(job: u64) -> Input {
    Input::Console(ToAgent::Offer(offer(job)))
}

fn ended_with(job: u64, outcome: Outcome) -> Box<Report> {
    Box::new(Report::blank(attempt(job), outcome))
}

struct Desk(Holdings);

impl Desk {
    /// An agent with one device that was welcomed with nothing in hand.
    fn connected() -> Self {
        let mut desk = Desk(Holdings::new(vec![DeviceId(0)]));
        desk.expect(welcome(vec![]), []);
        desk
    }

    fn expect<const N: usize>(&mut self, input: Input, expected: [Action; N]) {
        let mut out = Vec::new();
        let shown = format!("{input:?}");
        self.0.apply(input, &mut out);
        assert_eq!(out, expected, "after {shown}");
    }

    fn with(inputs: impl IntoIterator<Item = Input>) -> Self {
        let mut desk = Desk::connected();
        for input in inputs {
            desk.0.apply(input, &mut Vec::new());
        }
        desk
    }

    /// What the next hello would list, and then the welcome with this word on it.
    fn reconnect<const N: usize>(&mut self, job: u64, word: Disposition, expected: [Action; N]) {
        self.expect(Input::Lost, []);
        assert_eq!(self.0.inventory().len(), 1);
        self.expect(welcome(vec![(attempt(job), word)]), expected);
    }

    fn is_empty(&self) -> bool {
        self.0.iter().next().is_none()
    }
}

fn send(message: FromAgent) -> Action {
    Action::Send(message)
}

#[test]
fn an_attempt_goes_from_offer_to_done() {
    let mut desk = Desk::connected();
    let id = attempt(1);
    desk.expect(offered(1), [Action::Start(offer(1))]);
    let half = Progress { permille: 500, ..Progress::start(Phase::Encoding) };
    desk.expect(Input::Progress(vec![(id, half)]), [send(FromAgent::Progress(vec![(id, half)]))]);
    desk.expect(Input::Beat, [send(FromAgent::Heartbeat(vec![id]))]);
    desk.expect(Input::Proven(id, proven(1)), [send(FromAgent::AskCommit(id, proven(1)))]);
    desk.expect(Input::Console(ToAgent::Granted(id)), [Action::Grant(id)]);
    desk.expect(Input::Console(ToAgent::Granted(id)), []);
    let report = Box::new(ended(id));
    let told = [send(FromAgent::Report(report.clone())), Action::Keep(report.clone())];
    desk.expect(Input::Ended(report), told);
    desk.expect(Input::Beat, [send(FromAgent::Heartbeat(vec![]))]);
    desk.expect(Input::Console(ToAgent::Done(id)), [Action::Forget(id)]);
    desk.expect(Input::Console(ToAgent::Done(id)), []);
    assert!(desk.is_empty() && desk.0.may_leave());
}

#[test]
fn the_same_offer_twice_starts_one_task() {
    let mut desk = Desk::with([offered(1)]);
    desk.expect(offered(1), []);
}

#[test]
fn a_cancelled_attempt_is_stopped_and_reported() {
    let mut desk = Desk::with([offered(1)]);
    let cancel = || Input::Console(ToAgent::Cancel(attempt(1)));
    desk.expect(cancel(), [Action::Stop(attempt(1), StopReason::Cancelled)]);
    let report = ended_with(1, Outcome::Stopped);
    let told = [send(FromAgent::Report(report.clone())), Action::Keep(report.clone())];
    desk.expect(Input::Ended(report), told);
    desk.expect(cancel(), []);
}

#[test]
fn a_cancel_of_an_offer_that_never_arrived_frees_the_job() {
    let mut desk = Desk::connected();
    let report = FromAgent::Report(ended_with(1, Outcome::Stopped));
    desk.expect(Input::Console(ToAgent::Cancel(attempt(1))), [send(report)]);
    assert!(desk.is_empty());
}

#[test]
fn a_stale_attempt_is_killed_and_never_reported() {
    let mut desk = Desk::with([offered(1)]);
    let stale = || Input::Console(ToAgent::Stale(attempt(1)));
    desk.expect(stale(), [Action::Stop(attempt(1), StopReason::Stale)]);
    desk.expect(stale(), []);
    desk.expect(Input::Proven(attempt(1), proven(1)), []);
    assert_eq!(desk.0.inventory(), vec![]);
    assert!(!desk.0.may_leave(), "its task still ends");
    desk.expect(Input::Ended(Box::new(ended(attempt(1)))), [Action::Forget(attempt(1))]);
    assert!(desk.is_empty());
}

#[test]
fn a_result_proven_while_the_console_is_away_asks_again_at_each_session() {
    let id = attempt(1);
    let ask = || send(FromAgent::AskCommit(id, proven(1)));
    let mut desk = Desk::with([offered(1), Input::Lost]);
    desk.expect(Input::Proven(id, proven(1)), []);
    assert_eq!(desk.0.inventory(), vec![Held::Proven(id, proven(1))]);
    desk.expect(welcome(vec![(id, Disposition::Continue)]), [ask()]);
    desk.reconnect(1, Disposition::Continue, [ask()]);
    desk.reconnect(1, Disposition::Commit, [Action::Grant(id)]);
    assert_eq!(desk.0.inventory(), vec![Held::Proven(id, proven(1))], "granted, and not yet in place");
}

#[test]
fn what_ended_between_hello_and_welcome_is_told_after_it() {
    let id = attempt(1);
    let mut desk = Desk::with([offered(1), Input::Lost]);
    assert_eq!(desk.0.inventory().len(), 1);
    let report = ended_with(1, Outcome::Stopped);
    desk.expect(Input::Ended(report.clone()), [Action::Keep(report.clone())]);
    desk.expect(welcome(vec![(id, Disposition::Continue)]), [send(FromAgent::Report(report))]);
}

#[test]
fn each_disposition_of_each_stage_has_its_answer() {
    let id = attempt(1);
    let stop = || Action::Stop(id, StopReason::Stale);
    let proven_in = || Input::Proven(id, proven(1));
    let report = Box::new(ended(id));

    Desk::with([offered(1)]).reconnect(1, Disposition::Continue, []);
    Desk::with([offered(1)]).reconnect(1, Disposition::Commit, []);
    Desk::with([offered(1)]).reconnect(1, Disposition::Done, [stop()]);
    Desk::with([offered(1)]).reconnect(1, Disposition::Abandon, [stop()]);
    Desk::with([offered(1), proven_in()]).reconnect(1, Disposition::Commit, [Action::Grant(id)]);
    Desk::with([offered(1), proven_in()]).reconnect(1, Disposition::Done, [stop()]);
    Desk::with([offered(1), proven_in()]).reconnect(1, Disposition::Abandon, [stop()]);
    let ended_desk = || Desk::with([offered(1), Input::Ended(Box::new(ended(attempt(1))))]);
    ended_desk().reconnect(1, Disposition::Continue, [send(FromAgent::Report(report))]);
    ended_desk().reconnect(1, Disposition::Done, [Action::Forget(id)]);
    ended_desk().reconnect(1, Disposition::Abandon, [Action::Forget(id)]);
}

#[test]
fn a_result_of_an_earlier_process_is_finished_or_discarded() {
    let id = attempt(1);
    let draft = Box::new(ended(id));
    let parked = || {
        let mut holdings = Holdings::new(vec![DeviceId(0)]);
        holdings.park(offer(1), draft.clone(), proven(1));
        assert_eq!(holdings.inventory(), vec![Held::Proven(id, proven(1))]);
        Desk(holdings)
    };
    let finish = || Action::Finish(offer(1), draft.clone(), proven(1));
    let discard = || Action::Discard(offer(1));

    parked().reconnect(1, Disposition::Commit, [finish()]);
    parked().reconnect(1, Disposition::Abandon, [discard(), Action::Forget(id)]);
    parked().reconnect(1, Disposition::Done, [discard(), Action::Forget(id)]);

    let mut desk = parked();
    desk.reconnect(1, Disposition::Continue, [send(FromAgent::AskCommit(id, proven(1)))]);
    desk.expect(Input::Console(ToAgent::Granted(id)), [finish()]);

    let mut desk = parked();
    desk.reconnect(1, Disposition::Continue, [send(FromAgent::AskCommit(id, proven(1)))]);
    let stopped = Box::new(Report { outcome: Outcome::Stopped, ..*draft.clone() });
    let told = [discard(), send(FromAgent::Report(stopped.clone())), Action::Keep(stopped)];
    desk.expect(Input::Console(ToAgent::Cancel(id)), told);
}

#[test]
fn a_report_of_an_earlier_process_is_repeated_until_done() {
    let mut holdings = Holdings::new(vec![DeviceId(0)]);
    let report = Box::new(ended(attempt(1)));
    holdings.remember(report.clone());
    let mut desk = Desk(holdings);
    desk.reconnect(1, Disposition::Continue, [send(FromAgent::Report(report.clone()))]);
    desk.reconnect(1, Disposition::Continue, [send(FromAgent::Report(report))]);
    desk.reconnect(1, Disposition::Done, [Action::Forget(attempt(1))]);
}

#[test]
fn draining_stops_what_runs_lets_proven_results_be_granted_and_takes_nothing_new() {
    let (running, waiting) = (attempt(1), attempt(2));
    let mut desk = Desk::with([offered(1), offered(2), Input::Proven(waiting, proven(2))]);
    desk.expect(Input::Drain, [send(FromAgent::Draining), Action::Stop(running, StopReason::Shutdown)]);
    desk.expect(Input::Drain, []);
    desk.expect(offered(3), [send(FromAgent::Report(ended_with(3, Outcome::Stopped)))]);
    desk.0.apply(Input::Ended(ended_with(1, Outcome::Stopped)), &mut Vec::new());
    desk.expect(Input::Console(ToAgent::Done(running)), [Action::Forget(running)]);
    assert!(!desk.0.may_leave(), "a grant may still come");
    desk.expect(Input::Hurry, [Action::Stop(waiting, StopReason::Shutdown)]);
    desk.expect(Input::Left(waiting, proven(2)), []);
    assert!(desk.0.may_leave());
}

#[test]
fn draining_without_a_console_leaves_proven_results_to_the_next_process() {
    let id = attempt(1);
    let mut desk = Desk::with([offered(1), Input::Proven(id, proven(1)), Input::Lost]);
    desk.expect(Input::Drain, [Action::Stop(id, StopReason::Shutdown)]);
    desk.expect(Input::Left(id, proven(1)), []);
    assert!(desk.0.may_leave());
    assert_eq!(desk.0.inventory(), [Held::Proven(id, proven(1))]);
    desk.expect(welcome(vec![(id, Disposition::Commit)]), [send(FromAgent::Draining)]);
    desk.expect(Input::Console(ToAgent::Stale(id)), [Action::Discard(offer(1)), Action::Forget(id)]);
}

#[test]
fn a_console_lost_while_draining_is_not_waited_for() {
    let mut desk = Desk::with([offered(1), Input::Proven(attempt(1), proven(1)), Input::Drain]);
    desk.expect(Input::Lost, [Action::Stop(attempt(1), StopReason::Shutdown)]);
}

#[test]
fn a_grant_that_became_too_old_is_asked_for_again() {
    let id = attempt(1);
    let mut desk =
        Desk::with([offered(1), Input::Proven(id, proven(1)), Input::Console(ToAgent::Granted(id))]);
    desk.expect(Input::Proven(id, proven(1)), [send(FromAgent::AskCommit(id, proven(1)))]);
    desk.expect(Input::Console(ToAgent::Granted(id)), [Action::Grant(id)]);
}

#[test]
fn offers_beyond_reason_are_refused_with_a_class() {
    let mut desk = Desk::with((1..=HELD_MAX as u64).map(offered));
    let mut out = Vec::new();
    desk.0.apply(offered(9999), &mut out);
    assert!(
        matches!(&out[..], [Action::Send(FromAgent::Report(r))] if matches!(r.outcome, Outcome::Failed(_)))
    );
    let mut elsewhere = offer(1);
    elsewhere.device = DeviceId(9);
    Desk::connected().0.apply(Input::Console(ToAgent::Offer(elsewhere)), &mut out);
    assert!(matches!(&out[1..], [Action::Send(FromAgent::Report(_))]));
}
