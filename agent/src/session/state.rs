//! What this agent holds, and what each message or event makes of it: pure, so that every crossing of messages is a
//! table test.
//!
//! ```text
//!            offer            proven             granted
//!   (none) ───────► Running ─────────► Proven ─────────► Granted
//!                      │                 │ ▲                │
//!                      │   agent started │ │ found in       │ task ended
//!                      │       again     ▼ │ the journal    ▼
//!                      │               Parked            Ended ──► (none)    acknowledged: DONE
//!                      └───────────────────────────────────▲
//!   any with a task ──► Leaving ──► (none)      STALE or ABANDON: killed, deleted, never reported
//!   Proven ──► Left                             the agent ends first: the next process finds it Parked
//! ```
//!
//! Knows nothing of sockets, clocks, files and tasks: it is told what happened and answers with [`Action`]s, which are
//! performed in their order.

use std::collections::BTreeMap;

use vc_protocol::agent::{Disposition, FromAgent, Held, Outcome, Proven, Report, ToAgent};
use vc_protocol::device::DEVICES_MAX;
use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AttemptId, DeviceId, RootId};
use vc_protocol::job::Offer;
use vc_protocol::progress::{Phase, Progress};
use vc_protocol::prove::Challenge;

use super::fit;
use crate::process::StopReason;

/// Most attempts held at once, so that an inventory of them always fits one frame. Twice the slots that a console
/// accepts of one device.
pub(crate) const HELD_MAX: usize = 512;

/// Something that happened on this box.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// The console said something after its welcome.
    Console(ToAgent),
    /// The session ended; what is held runs on.
    Lost,
    /// These attempts moved on.
    Progress(Vec<(AttemptId, Progress)>),
    /// This attempt has a proven result, which is in the journal.
    Proven(AttemptId, Proven),
    /// The task of this attempt ended.
    Ended(Box<Report>),
    /// The task of this attempt ended for the agent's sake and left its proven result to the next process.
    Left(AttemptId, Proven),
    /// The answer to a challenge.
    Proof(RootId, Result<[u8; 32], String>),
    /// The encoders of this device were tried; the verdict, if the console asked for it.
    Tried(DeviceId, Option<Result<(), String>>),
    /// It is time to say what is held.
    Beat,
    /// The agent was asked to stop.
    Drain,
    /// It was asked a while ago, and proven results still wait for their grant.
    Hurry,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Say this to the console; only while a session is up.
    Send(FromAgent),
    /// Start a task for this attempt.
    Start(Box<Offer>),
    /// Make the attempt's task end; its end comes back as [`Input::Ended`].
    Stop(AttemptId, StopReason),
    /// The attempt's task may put its result in place.
    Grant(AttemptId),
    /// Start a task that puts the journalled result of an earlier process in place.
    Finish(Box<Offer>, Box<Report>, Proven),
    /// Delete every file of an attempt that has no task.
    Discard(Box<Offer>),
    /// Keep this report in the journal until it is acknowledged.
    Keep(Box<Report>),
    /// Forget the attempt in the journal.
    Forget(AttemptId),
    /// Answer this challenge; the answer comes back as [`Input::Proof`].
    Prove(Box<Challenge>),
    /// Send what this running attempt has printed so far.
    TellLog(AttemptId),
    /// Try every encoder of this device.
    Try(DeviceId),
    /// Send what the box is like.
    TellFacts,
    /// Send the agent's own log.
    TellOwnLog,
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// Its task runs or waits for a slot.
    Running(Progress),
    /// Its task waits for the grant.
    Proven(Proven),
    /// Its task puts the result in place.
    Granted(Proven),
    /// No task: an earlier process proved it; waits for the console's word.
    Parked(Box<Report>, Proven),
    /// No task: this process ends, and the next one finds it in the journal.
    Left(Proven),
    /// Over; the report waits to be acknowledged.
    Ended(Box<Report>),
    /// Superseded; its task is ending.
    Leaving,
}

/// An attempt on this agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// What was asked for; unknown for a report of an earlier process.
    pub(crate) offer: Option<Box<Offer>>,
    /// Where it stands.
    pub(crate) stage: Stage,
}

/// Everything that this agent holds.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    entries: BTreeMap<AttemptId, Entry>,
    devices: Vec<DeviceId>,
    session: Session,
    draining: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Session {
    #[default]
    Down,
    Up,
}

impl Holdings {
    /// Nothing held yet, on these devices.
    pub(crate) fn new(devices: Vec<DeviceId>) -> Self {
        debug_assert!(devices.len() <= DEVICES_MAX);
        Holdings { devices, ..Holdings::default() }
    }

    /// Attempts are taken on these devices from now on.
    pub(crate) fn set_devices(&mut self, devices: Vec<DeviceId>) {
        debug_assert!(devices.len() <= DEVICES_MAX);
        self.devices = devices;
    }

    /// Takes up a proven result that an earlier process left in the journal.
    pub(crate) fn park(&mut self, offer: Box<Offer>, draft: Box<Report>, proven: Proven) {
        let entry = Entry { offer: Some(offer.clone()), stage: Stage::Parked(draft, proven) };
        self.entries.insert(offer.attempt, entry);
    }

    /// Takes up an unacknowledged report that an earlier process left in the journal.
    pub(crate) fn remember(&mut self, report: Box<Report>) {
        self.entries.insert(report.attempt, Entry { offer: None, stage: Stage::Ended(report) });
    }

    /// Everything held, by attempt.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AttemptId, &Entry)> {
        self.entries.iter()
    }

    /// Whether the agent may end: no task runs, and whatever the console does not know is in the journal.
    pub(crate) fn may_leave(&self) -> bool {
        self.entries.values().all(|e| match e.stage {
            Stage::Parked(..) | Stage::Left(_) => true,
            Stage::Ended(_) => self.session == Session::Down,
            Stage::Running(_) | Stage::Proven(_) | Stage::Granted(_) | Stage::Leaving => false,
        })
    }

    /// What the hello of a new session lists, cut to what one frame holds.
    pub(crate) fn inventory(&self) -> Vec<Held> {
        let mut held: Vec<Held> = self.entries.iter().filter_map(|(id, e)| held(*id, &e.stage)).collect();
        fit::inventory(&mut held);
        held
    }

    /// The only door.
    pub(crate) fn apply(&mut self, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Console(message) => self.on_console(message, out),
            Input::Lost => self.on_lost(out),
            Input::Progress(progress) => self.on_progress(progress, out),
            Input::Proven(id, proven) => self.on_proven(id, proven, out),
            Input::Ended(report) => self.on_ended(report, out),
            Input::Left(id, proven) => self.on_left(id, proven, out),
            Input::Proof(root, answer) => self.send(FromAgent::Proof(root, answer), out),
            Input::Tried(device, verdict) => self.on_tried(device, verdict, out),
            Input::Beat => self.send(FromAgent::Heartbeat(self.live()), out),
            Input::Drain => self.on_drain(out),
            Input::Hurry => self.on_hurry(out),
        }
    }

    fn on_tried(&mut self, device: DeviceId, verdict: Option<Result<(), String>>, out: &mut Vec<Action>) {
        if let Some(verdict) = verdict {
            self.send(FromAgent::SelfTested(device, verdict), out);
        }
        out.push(Action::TellFacts);
    }

    fn on_lost(&mut self, out: &mut Vec<Action>) {
        self.session = Session::Down;
        if self.draining {
            self.on_hurry(out);
        }
    }

    fn on_console(&mut self, message: ToAgent, out: &mut Vec<Action>) {
        match message {
            ToAgent::Welcome { inventory, .. } => self.on_welcome(inventory, out),
            ToAgent::Offer(offer) => self.on_offer(offer, out),
            ToAgent::Cancel(id) => self.on_cancel(id, out),
            ToAgent::Granted(id) => self.on_granted(id, out),
            ToAgent::Done(id) => self.on_done(id, out),
            ToAgent::Stale(id) => self.drop_attempt(id, out),
            ToAgent::Prove(challenge) => out.push(Action::Prove(challenge)),
            ToAgent::WantLog(id) => out.push(Action::TellLog(id)),
            ToAgent::SelfTest(device) => out.push(Action::Try(device)),
            ToAgent::WantFacts => out.push(Action::TellFacts),
            ToAgent::WantOwnLog => out.push(Action::TellOwnLog),
        }
    }

    /// The console's word on each attempt of the inventory; what changed since the hello was sent is told again.
    fn on_welcome(&mut self, inventory: Vec<(AttemptId, Disposition)>, out: &mut Vec<Action>) {
        self.session = Session::Up;
        for (id, disposition) in inventory {
            match disposition {
                Disposition::Continue => {}
                Disposition::Commit => self.on_granted(id, out),
                Disposition::Done => self.on_done(id, out),
                Disposition::Abandon => self.drop_attempt(id, out),
            }
        }
        for (id, entry) in &self.entries {
            match &entry.stage {
                Stage::Proven(proven) | Stage::Parked(_, proven) => {
                    out.push(Action::Send(FromAgent::AskCommit(*id, proven.clone())));
                }
                Stage::Ended(report) => out.push(Action::Send(FromAgent::Report(report.clone()))),
                Stage::Running(_) | Stage::Granted(_) | Stage::Left(_) | Stage::Leaving => {}
            }
        }
        if self.draining {
            out.push(Action::Send(FromAgent::Draining));
        }
    }

    fn on_offer(&mut self, offer: Box<Offer>, out: &mut Vec<Action>) {
        let id = offer.attempt;
        if self.entries.contains_key(&id) {
            return;
        }
        let refusal = if self.draining {
            Some(Outcome::Stopped)
        } else if !self.devices.contains(&offer.device) {
            let cause = format!("this agent has no device {}", offer.device);
            Some(Outcome::Failed(Failure::new(FailureClass::Infrastructure, cause)))
        } else if self.entries.len() >= HELD_MAX {
            let cause = format!("this agent holds {HELD_MAX} attempts already");
            Some(Outcome::Failed(Failure::new(FailureClass::Capacity, cause)))
        } else {
            None
        };
        if let Some(outcome) = refusal {
            // Not kept: nothing was begun, and an answer that is lost is replaced by the end of the lease.
            return self.send(FromAgent::Report(Box::new(Report::blank(id, outcome))), out);
        }
        let stage = Stage::Running(Progress::start(Phase::Waiting));
        self.entries.insert(id, Entry { offer: Some(offer.clone()), stage });
        out.push(Action::Start(offer));
    }

    fn on_cancel(&mut self, id: AttemptId, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get(&id) else {
            // Its offer never arrived here, so it is stopped already; saying so frees the job at once.
            return self.send(FromAgent::Report(Box::new(Report::blank(id, Outcome::Stopped))), out);
        };
        match &entry.stage {
            Stage::Running(_) | Stage::Proven(_) | Stage::Granted(_) => {
                out.push(Action::Stop(id, StopReason::Cancelled));
            }
            Stage::Parked(draft, _) => {
                if let Some(offer) = &entry.offer {
                    out.push(Action::Discard(offer.clone()));
                }
                let report = Box::new(Report { outcome: Outcome::Stopped, ..(**draft).clone() });
                self.on_ended(report, out);
            }
            Stage::Left(_) => {
                if let Some(offer) = &entry.offer {
                    out.push(Action::Discard(offer.clone()));
                }
                self.on_ended(Box::new(Report::blank(id, Outcome::Stopped)), out);
            }
            Stage::Ended(_) | Stage::Leaving => {}
        }
    }

    fn on_granted(&mut self, id: AttemptId, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        match (&entry.stage, &entry.offer) {
            (Stage::Proven(proven), _) => {
                entry.stage = Stage::Granted(proven.clone());
                out.push(Action::Grant(id));
            }
            (Stage::Parked(draft, proven), Some(offer)) => {
                out.push(Action::Finish(offer.clone(), draft.clone(), proven.clone()));
                entry.stage = Stage::Granted(proven.clone());
            }
            // A second copy of the grant, or one for an attempt that is over, which its report tells, or that was left
            // to the next process, which asks again.
            _ => {}
        }
    }

    fn on_done(&mut self, id: AttemptId, out: &mut Vec<Action>) {
        match self.entries.get(&id).map(|e| &e.stage) {
            // The console knows the end of an attempt of which we have not heard the end ourselves: it settled it.
            Some(
                Stage::Running(_) | Stage::Proven(_) | Stage::Granted(_) | Stage::Parked(..) | Stage::Left(_),
            ) => self.drop_attempt(id, out),
            Some(Stage::Ended(_)) => self.forget(id, out),
            Some(Stage::Leaving) | None => {}
        }
    }

    /// Kill, delete, forget, without a report.
    fn drop_attempt(&mut self, id: AttemptId, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        match (&entry.stage, &entry.offer) {
            (Stage::Running(_) | Stage::Proven(_) | Stage::Granted(_), _) => {
                entry.stage = Stage::Leaving;
                out.push(Action::Stop(id, StopReason::Stale));
            }
            (Stage::Parked(..) | Stage::Left(_), Some(offer)) => {
                out.push(Action::Discard(offer.clone()));
                self.forget(id, out);
            }
            (Stage::Leaving, _) => {}
            (Stage::Parked(..) | Stage::Left(_) | Stage::Ended(_), _) => self.forget(id, out),
        }
    }

    fn on_progress(&mut self, progress: Vec<(AttemptId, Progress)>, out: &mut Vec<Action>) {
        let mut told = Vec::with_capacity(progress.len());
        for (id, now) in progress {
            if let Some(Entry { stage: Stage::Running(shown), .. }) = self.entries.get_mut(&id) {
                *shown = now;
            }
            if self.entries.contains_key(&id) {
                told.push((id, now));
            }
        }
        if !told.is_empty() {
            self.send(FromAgent::Progress(told), out);
        }
    }

    fn on_proven(&mut self, id: AttemptId, proven: Proven, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        // From granted it comes back when the grant has become too old to be used.
        if matches!(entry.stage, Stage::Running(_) | Stage::Proven(_) | Stage::Granted(_)) {
            entry.stage = Stage::Proven(proven.clone());
            self.send(FromAgent::AskCommit(id, proven), out);
        }
    }

    fn on_ended(&mut self, mut report: Box<Report>, out: &mut Vec<Action>) {
        let id = report.attempt;
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.stage == Stage::Leaving {
            return self.forget(id, out);
        }
        fit::report(&mut report);
        entry.stage = Stage::Ended(report.clone());
        self.send(FromAgent::Report(report.clone()), out);
        out.push(Action::Keep(report));
    }

    fn on_left(&mut self, id: AttemptId, proven: Proven, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        match (&entry.stage, &entry.offer) {
            // It was superseded while it was being left.
            (Stage::Leaving, Some(offer)) => {
                out.push(Action::Discard(offer.clone()));
                self.forget(id, out);
            }
            _ => entry.stage = Stage::Left(proven),
        }
    }

    /// Results that are proven already wait a little for their grant, if there is a console to give it; everything
    /// else stops now.
    fn on_drain(&mut self, out: &mut Vec<Action>) {
        if self.draining {
            return;
        }
        self.draining = true;
        self.send(FromAgent::Draining, out);
        for (id, entry) in &self.entries {
            if matches!(entry.stage, Stage::Running(_)) {
                out.push(Action::Stop(*id, StopReason::Shutdown));
            }
        }
        if self.session == Session::Down {
            self.on_hurry(out);
        }
    }

    /// What is proven and not granted is left to the next process of this agent: the journal holds it.
    fn on_hurry(&self, out: &mut Vec<Action>) {
        for (id, entry) in &self.entries {
            if matches!(entry.stage, Stage::Proven(_)) {
                out.push(Action::Stop(*id, StopReason::Shutdown));
            }
        }
    }

    fn forget(&mut self, id: AttemptId, out: &mut Vec<Action>) {
        self.entries.remove(&id);
        out.push(Action::Forget(id));
    }

    fn send(&self, message: FromAgent, out: &mut Vec<Action>) {
        if self.session == Session::Up {
            out.push(Action::Send(message));
        }
    }

    /// Attempts whose leases are to live on.
    fn live(&self) -> Vec<AttemptId> {
        let leased = |e: &Entry| !matches!(e.stage, Stage::Ended(_) | Stage::Leaving);
        self.entries.iter().filter(|(_, e)| leased(e)).map(|(id, _)| *id).collect()
    }
}

fn held(id: AttemptId, stage: &Stage) -> Option<Held> {
    Some(match stage {
        Stage::Running(progress) => Held::Running(id, *progress),
        Stage::Proven(proven) | Stage::Granted(proven) | Stage::Parked(_, proven) | Stage::Left(proven) => {
            Held::Proven(id, proven.clone())
        }
        Stage::Ended(report) => Held::Ended(report.clone()),
        Stage::Leaving => return None,
    })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
