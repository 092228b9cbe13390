//! The judge: a plain reference of what the rules allow, held against every event, every row and every message.
//!
//! Knows nothing of how the farm decides; it only knows rows, messages, the disk and the clock.

use std::collections::{BTreeMap, BTreeSet};

use vc_farm::effect::{Effect, Note};
use vc_farm::event::{AgentEvent, Event, OperatorEvent};
use vc_farm::record::{AttemptEnd, JobRecord, TaskState};
use vc_farm::{Farm, GRACE_MS, LAUNCHES_MAX, LEASE_MS, RECONCILE_MS, RETRIES_MAX};
use vc_protocol::agent::{Disposition, Held, Outcome, ToAgent};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, AttemptId, AttemptNo, JobId, TaskNo};
use vc_protocol::job::JobState;

use crate::console::Remembered;
use crate::disk::{Disk, File};
use crate::judge_devices::Offered;
use crate::judge_orders::Orders;

pub(crate) type Verdict = Result<(), String>;

macro_rules! rule {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}

/// What happened to a run at least once, over all seeds.
pub(crate) type Sometimes = BTreeMap<&'static str, u64>;

/// What a job had since a person last asked for a retry.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    /// Its attempt number then.
    from: u32,
    /// Wait after its last unexplained failure.
    wait_ms: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// Rows as the farm last wrote them, on disk or not yet.
    pub(crate) rows: BTreeMap<JobId, JobRecord>,
    by_state: [u64; 7],
    /// Time spent listening in this life of the console.
    listened: u64,
    /// When an attempt was last heard of in this life: handed out, named by a heartbeat or an inventory.
    named: BTreeMap<AttemptId, u64>,
    /// Attempts that their agent no longer had when it connected.
    missing: BTreeSet<AttemptId>,
    /// Numbers handed out, ever, and to whom.
    offered: BTreeMap<AttemptId, AgentId>,
    /// Since a person last asked for a retry, as far as memory knows and as it was when rows last went to disk.
    tries: BTreeMap<JobId, Tries>,
    tries_on_disk: BTreeMap<JobId, Tries>,
    /// Attempts whose grant was on disk, ever.
    granted: BTreeSet<AttemptId>,
    /// Outputs that were created, ever.
    created: BTreeSet<JobId>,
    orders: Orders,
    devices: Offered,
    pub(crate) sometimes: Sometimes,
}

impl Judge {
    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.sometimes.entry(what).or_default() += 1;
    }

    /// The console starts with these rows.
    pub(crate) fn on_start(&mut self, store: &BTreeMap<JobId, JobRecord>, remembered: &Remembered) {
        self.orders = Orders::on_start(remembered);
        self.devices = Offered::default();
        self.rows = store.clone();
        self.by_state = [0; 7];
        for row in self.rows.values() {
            self.by_state[row.state as usize] += 1;
        }
        self.listened = 0;
        self.tries = self.tries_on_disk.clone();
        self.named.clear();
        self.missing.clear();
    }

    pub(crate) fn on_listened(&mut self, ms: u64) {
        self.listened += ms;
    }

    pub(crate) fn on_added(&mut self, row: JobRecord) {
        self.by_state[row.state as usize] += 1;
        self.rows.insert(row.id, row);
    }

    fn is_current(&self, agent: AgentId, attempt: AttemptId) -> bool {
        let task = self.rows.get(&attempt.job).map(|row| &row.tasks[usize::from(attempt.task.0)]);
        task.is_some_and(|t| t.attempt == attempt.no && t.lease().is_some_and(|l| l.agent == agent))
    }

    /// After one event: nothing changed that the event does not allow, and the counts are right.
    pub(crate) fn on_applied(
        &mut self,
        farm: &Farm,
        event: &Event,
        heard: bool,
        effects: &[Effect],
    ) -> Verdict {
        self.note_names(event, heard);
        let stale = self.stale_of(event, heard);
        self.orders.on_event(event);
        let offers_anew = heard && self.devices.on_event(event, &self.rows, &mut self.sometimes);
        for effect in effects {
            self.orders.on_effect(effect, farm, &mut self.sometimes)?;
            self.check_moved(effect, effects)?;
            self.devices.on_effect(effect, &self.rows, offers_anew, &mut self.sometimes)?;
            match effect {
                Effect::PutJob(row) => {
                    let old = self
                        .rows
                        .get(&row.id)
                        .cloned()
                        .ok_or_else(|| format!("job {} from nowhere", row.id))?;
                    self.check_row(&old, row, event, &stale)?;
                    self.by_state[old.state as usize] -= 1;
                    self.by_state[row.state as usize] += 1;
                    self.rows.insert(row.id, (**row).clone());
                }
                Effect::PutAttempt(ended) => {
                    let taken_back = ended.report.is_none() && matches!(ended.end, AttemptEnd::Failed(_));
                    let settled =
                        matches!(event, Event::Settled(..) | Event::Operator(_, OperatorEvent::Revoked(_)));
                    if taken_back && !settled {
                        self.check_taken_back(ended.attempt)?;
                    }
                }
                _ => {}
            }
        }
        self.check_answers(event, &stale, effects)?;
        if offers_anew {
            self.devices.check_waiting(event, &self.rows)?;
        }
        let totals = farm.totals();
        let states = [JobState::Pending, JobState::Running, JobState::Held];
        for state in states {
            let (farm, rows) = (totals.by_state[state as usize], self.by_state[state as usize]);
            rule!(farm == rows, "I1: {farm} {} jobs in the farm, {rows} in rows", state.word());
        }
        Ok(())
    }

    /// What is taken back for an idle slot goes to one at once, and nowhere else.
    fn check_moved(&mut self, effect: &Effect, effects: &[Effect]) -> Verdict {
        let Effect::Note(Note { text, job: Some(job), .. }) = effect else { return Ok(()) };
        if !text.contains("a slot is free elsewhere") {
            return Ok(());
        }
        let from = effects.iter().find_map(|effect| match effect {
            Effect::PutAttempt(ended) if ended.attempt.job == *job && ended.report.is_none() => {
                Some((ended.lease.agent, ended.lease.device))
            }
            _ => None,
        });
        let to = effects.iter().rev().find_map(|effect| match effect {
            Effect::Offer { attempt, agent, device, .. } if attempt.job == *job => Some((*agent, *device)),
            _ => None,
        });
        rule!(
            to.is_some() && from != to,
            "job {job} was taken from {from:?} for an idle slot, and given to {to:?}"
        );
        self.saw("moved to an idle slot");
        Ok(())
    }

    /// Attempts that the event is about and that are not current.
    fn stale_of(&self, event: &Event, heard: bool) -> Vec<AttemptId> {
        let Event::Agent(agent, _, said) = event else { return Vec::new() };
        let about: Vec<AttemptId> = match said {
            AgentEvent::Heartbeat(list) => list.clone(),
            AgentEvent::Progress(list) => list.iter().map(|(a, _)| *a).collect(),
            AgentEvent::AskCommit(attempt, _) => vec![*attempt],
            AgentEvent::Report(report) => vec![report.attempt],
            AgentEvent::Connected { inventory, .. } => inventory.iter().map(Held::attempt).collect(),
            _ => Vec::new(),
        };
        let connects = matches!(said, AgentEvent::Connected { .. });
        // A job that the same event may rightly change is left to the other rules.
        let excused = |a: &AttemptId| {
            let holder = self.rows.get(&a.job).and_then(|row| row.tasks[0].lease()).map(|l| l.agent);
            let current = about.iter().any(|b| b.job == a.job && self.is_current(*agent, *b));
            heard && (current || (connects && holder == Some(*agent)))
        };
        about.iter().copied().filter(|a| !excused(a)).collect()
    }

    fn note_names(&mut self, event: &Event, heard: bool) {
        let Event::Agent(agent, _, said) = event else { return };
        if !heard {
            return;
        }
        let named: Vec<AttemptId> = match said {
            AgentEvent::Heartbeat(list) => list.clone(),
            AgentEvent::Connected { inventory, .. } => {
                let named: BTreeSet<AttemptId> = inventory.iter().map(Held::attempt).collect();
                for row in self.rows.values().filter(|row| row.state == JobState::Running) {
                    let attempt = AttemptId { job: row.id, task: TaskNo(0), no: row.tasks[0].attempt };
                    let holder = row.tasks[0].lease().map(|l| l.agent);
                    if holder == Some(*agent) && !named.contains(&attempt) {
                        self.missing.insert(attempt);
                    }
                }
                named.into_iter().collect()
            }
            _ => Vec::new(),
        };
        for attempt in named {
            self.named.insert(attempt, self.listened);
        }
    }

    fn check_row(&mut self, old: &JobRecord, new: &JobRecord, event: &Event, stale: &[AttemptId]) -> Verdict {
        let id = new.id;
        let (was, is) = (&old.tasks[0], &new.tasks[0]);
        rule!(
            is.attempt >= was.attempt,
            "I6: attempt of job {id} fell from {} to {}",
            was.attempt,
            is.attempt
        );
        let launched = is.attempt > was.attempt;
        if launched {
            rule!(is.attempt.0 == was.attempt.0 + 1, "I6: job {id} skipped an attempt number");
            rule!(was.lease().is_none(), "I6: job {id} was launched while attempt {} was live", was.attempt);
            let launches = is.attempt.0 - self.tries.entry(id).or_default().from;
            rule!(launches <= u32::from(LAUNCHES_MAX), "I5: job {id} was launched {launches} times");
            let attempt = AttemptId { job: id, task: TaskNo(0), no: is.attempt };
            self.named.insert(attempt, self.listened);
            self.check_turn(old, new)?;
        }
        rule!(is.retries <= RETRIES_MAX, "I5: job {id} was retried {} times", is.retries);
        let starts_over = matches!(
            event,
            Event::Operator(_, OperatorEvent::Retry(job, _) | OperatorEvent::Release(job)) if *job == id
        );
        if starts_over && new.state == JobState::Pending {
            self.tries.insert(id, Tries { from: is.attempt.0, wait_ms: 0 });
        } else {
            rule!(!old.state.is_final(), "I1: final job {id} changed by {event:?}");
            // What is taken back for the sake of its device or of a person was no try of the job.
            let refunded = was.launches.saturating_sub(is.launches);
            if refunded > 0 {
                rule!(refunded == 1 && was.lease().is_some(), "I5: job {id} was given {refunded} launches");
                rule!(new.tasks[0].retries == was.retries, "I5: being taken back cost job {id} a retry");
                self.tries.entry(id).or_default().from += 1;
                self.saw("operator: took attempts back");
            }
        }
        match event {
            Event::Operator(_, OperatorEvent::Hold(_)) => self.saw("operator: held"),
            Event::Operator(_, OperatorEvent::Release(_)) => self.saw("operator: released"),
            Event::Operator(_, OperatorEvent::Prioritise(..)) => self.saw("operator: priority raised"),
            _ => {}
        }
        // The place that a stale one leaves may be filled with what waits elsewhere, be it of the same job.
        let is_moved = was.launches > is.launches;
        if !launched && !is_moved && stale.iter().any(|a| a.job == id) {
            return Err(format!("I6: a message about a stale attempt changed job {id}: {event:?}"));
        }
        if let TaskState::Granted(_, proven) = &was.state
            && !matches!(&is.state, TaskState::Granted(_, same) if same == proven)
        {
            let by_report = |o: &Outcome| matches!(o, Outcome::Committed(p) if p == proven);
            let rightly = match event {
                Event::Settled(attempt, _) => attempt.job == id && attempt.no == was.attempt,
                Event::Agent(_, _, AgentEvent::Report(r)) => by_report(&r.outcome),
                Event::Agent(_, _, AgentEvent::Connected { inventory, .. }) => inventory.iter().any(
                    |item| matches!(item, Held::Ended(r) if r.attempt.job == id && by_report(&r.outcome)),
                ),
                _ => false,
            };
            rule!(rightly, "I2: the grant of {id}/{} was dropped by {event:?}", was.attempt);
        }
        if was.lease().is_some() { self.check_wait(new) } else { Ok(()) }
    }

    /// A job that is handed out was waiting, and none of a higher priority that could have gone in its place was.
    fn check_turn(&self, old: &JobRecord, new: &JobRecord) -> Verdict {
        rule!(old.state == JobState::Pending, "job {} was handed out while {}", new.id, old.state.word());
        let lane = |row: &JobRecord| (row.group.source_root, row.group.output_root, row.group.codec);
        let better = self.rows.values().find(|row| {
            row.state == JobState::Pending
                && row.priority > new.priority
                && lane(row) == lane(new)
                && row.tasks[0].not_before_ms.is_none()
                && row.tasks[0].failed_on.is_empty()
        });
        rule!(
            better.is_none(),
            "job {} went before {:?}, of higher priority",
            new.id,
            better.map(|row| row.id)
        );
        Ok(())
    }

    /// Waits of one job's unexplained failures never get shorter.
    fn check_wait(&mut self, new: &JobRecord) -> Verdict {
        let class = new.reason.as_ref().and_then(|r| r.class);
        if new.state != JobState::Pending || class != Some(FailureClass::Job) || new.tasks[0].retries == 0 {
            return Ok(());
        }
        let wait = new.tasks[0].not_before_ms.map_or(0, |at| at - new.updated_ms);
        let tries = self.tries.entry(new.id).or_default();
        let last = std::mem::replace(&mut tries.wait_ms, wait);
        rule!(wait >= last, "I5: retries of job {} speed up from {last} to {wait} ms", new.id);
        Ok(())
    }

    fn check_taken_back(&mut self, attempt: AttemptId) -> Verdict {
        if self.missing.contains(&attempt) {
            self.saw("taken back: agent came back without it");
            return Ok(());
        }
        let (since, needed) = match self.named.get(&attempt) {
            Some(at) => (self.listened - at, LEASE_MS + GRACE_MS),
            None => (self.listened, RECONCILE_MS),
        };
        rule!(since >= needed, "attempt {attempt} was taken back after {since} ms, {needed} must pass");
        self.saw(if needed == RECONCILE_MS { "taken back: after a restart" } else { "taken back: silence" });
        Ok(())
    }

    /// A stale question is answered, and answered with no.
    fn check_answers(&mut self, event: &Event, stale: &[AttemptId], effects: &[Effect]) -> Verdict {
        let Event::Agent(agent, session, said) = event else { return Ok(()) };
        let told = |wanted: &dyn Fn(&ToAgent) -> bool| {
            effects
                .iter()
                .any(|e| matches!(e, Effect::Tell(a, s, m) if a == agent && s == session && wanted(m)))
        };
        let is_stale = |a: AttemptId| move |m: &ToAgent| *m == ToAgent::Stale(a);
        let is_done = |a: AttemptId| move |m: &ToAgent| *m == ToAgent::Done(a);
        match said {
            AgentEvent::AskCommit(attempt, _) if stale.contains(attempt) => {
                rule!(
                    !told(&|m| *m == ToAgent::Granted(*attempt)),
                    "I2: stale attempt {attempt} was granted"
                );
                if told(&is_stale(*attempt)) {
                    self.saw("stale: question");
                }
            }
            AgentEvent::Report(report) if stale.contains(&report.attempt) => {
                if told(&is_stale(report.attempt)) {
                    self.saw("stale: report");
                } else if told(&is_done(report.attempt)) {
                    self.saw("done: report came again");
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A row goes to disk.
    pub(crate) fn on_committed(&mut self, row: &JobRecord, disk: &Disk) -> Verdict {
        self.tries_on_disk.insert(row.id, self.tries.get(&row.id).copied().unwrap_or_default());
        if let TaskState::Granted(..) = row.tasks[0].state {
            self.granted.insert(AttemptId { job: row.id, task: TaskNo(0), no: row.tasks[0].attempt });
        }
        if row.state == JobState::Completed {
            let file = disk.finals.get(&row.id);
            rule!(file.is_some_and(|f| f.whole), "I3: job {} completed with output {file:?}", row.id);
            rule!(self.created.contains(&row.id), "I2: job {} completed with a file of others", row.id);
        }
        Ok(())
    }

    /// A message leaves the console: what it promises is on disk.
    pub(crate) fn on_sent(&mut self, effect: &Effect, store: &BTreeMap<JobId, JobRecord>) -> Verdict {
        let stored =
            |attempt: AttemptId| store.get(&attempt.job).map(|row| &row.tasks[usize::from(attempt.task.0)]);
        // Its own end in the same turn may have moved it on already.
        let done = |a: AttemptId| stored(a).is_some_and(|t| t.attempt == a.no && t.state == TaskState::Done);
        let granted = |a: AttemptId| self.granted.contains(&a) || done(a);
        match effect {
            Effect::Offer { agent, attempt, .. } => {
                let no = stored(*attempt).map_or(AttemptNo(0), |t| t.attempt);
                rule!(no >= attempt.no, "I6: offer {attempt} is on the wire, attempt {no} on disk");
                let before = self.offered.insert(*attempt, *agent);
                rule!(before.is_none(), "I6: {attempt} offered to {before:?} and to agent {agent}");
            }
            Effect::Tell(_, _, ToAgent::Granted(attempt)) => {
                rule!(granted(*attempt), "I2: grant of {attempt} told, {:?} on disk", stored(*attempt));
            }
            Effect::Tell(_, _, ToAgent::Done(attempt)) => {
                let open = stored(*attempt).is_some_and(|t| {
                    t.attempt == attempt.no && matches!(t.state, TaskState::Leased(_) | TaskState::Running(_))
                });
                rule!(!open, "I1: the end of {attempt} was confirmed and is not on disk");
            }
            Effect::Tell(_, _, ToAgent::Welcome { inventory, .. }) => {
                for (attempt, disposition) in inventory {
                    let right = *disposition != Disposition::Commit || granted(*attempt);
                    rule!(right, "I2: {attempt} may commit, {:?} on disk", stored(*attempt));
                }
                for (_, disposition) in inventory {
                    let name = match disposition {
                        Disposition::Continue => "inventory: continue",
                        Disposition::Commit => "inventory: commit",
                        Disposition::Done => "inventory: done",
                        Disposition::Abandon => "inventory: abandon",
                    };
                    self.saw(name);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A final name was created from this attempt's part file.
    pub(crate) fn on_created(
        &mut self,
        attempt: AttemptId,
        file: &File,
        store: &BTreeMap<JobId, JobRecord>,
    ) -> Verdict {
        rule!(file.whole, "I3: half a file at the final name of job {}", attempt.job);
        rule!(self.created.insert(attempt.job), "I2: a second output of job {}", attempt.job);
        let task = store.get(&attempt.job).map(|row| &row.tasks[usize::from(attempt.task.0)]);
        let granted = task.is_some_and(|t| {
            t.attempt == attempt.no && matches!(&t.state, TaskState::Granted(_, p) if p.hash == file.hash)
        });
        rule!(granted, "I2: {attempt} created an output, {task:?} on disk");
        Ok(())
    }

    /// Faults have stopped long ago.
    pub(crate) fn at_end(&mut self, store: &BTreeMap<JobId, JobRecord>) -> Verdict {
        for row in store.values() {
            let over = row.state.is_final() || row.state == JobState::Held;
            rule!(over, "I1: job {} is still {} at the end: {row:?}", row.id, row.state.word());
            rule!(
                row.state != JobState::Held || row.reason.is_some(),
                "I1: job {} is held without a reason",
                row.id
            );
            self.saw(match row.state {
                JobState::Completed => "end: completed",
                JobState::Failed => "end: failed",
                JobState::Cancelled => "end: cancelled",
                JobState::Skipped => "end: skipped",
                JobState::Held | JobState::Pending | JobState::Running => "end: held",
            });
        }
        Ok(())
    }
}
