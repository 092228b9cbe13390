//! Why a job does not run: for the job as a whole, and for each device the first reason why it is not that one.
//!
//! Asks the same questions in the same order as dispatch does. Knows folders by number; who shows this knows names.

use std::fmt;

use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, RootId, TaskNo};
use vc_protocol::job::JobState;
use vc_protocol::profile::VideoCodec;

use crate::agent::{Agent, Quiet, Room, RootState, Seats};
use crate::farm::Farm;
use crate::graph;
use crate::jobs::{Live, Spot};
use crate::lease::{Seat, Settling};
use crate::on_operator::HELD_BY;
use crate::ready::{LaneKey, Ticket};
use crate::record::Pause;
use crate::ward::Health;

/// Jobs counted ahead of one; more than this says enough.
const AHEAD_MAX: usize = 10_000;

/// A reason why a job does not run, or not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNot {
    /// It does run: this attempt, there.
    Runs(AttemptId, AgentId, DeviceId),
    /// Handed out before the console started; its agent has not reported since.
    AwaitsReport(AgentId),
    /// The agent vanished with the right to commit; its output is being looked for.
    Settles(AgentId),
    /// A person must look, for this reason; or holds it, by that name.
    Held(String),
    /// Nothing is handed out.
    Paused(Pause),
    /// Its next attempt waits this many more seconds.
    WaitsSeconds(u64),
    /// Waits for another of its tasks.
    NeedsTask(TaskNo),
    /// No agent ever connected.
    NoAgents,
    /// No device can take it; each has its own reason.
    NobodyCan,
    /// Devices could take it, and all their places are full.
    AllBusy(usize),
    /// The agent is not connected.
    Offline,
    /// The agent is silent.
    Suspect,
    /// The agent is going down.
    Draining,
    /// A person wants nothing new for the agent.
    Drained,
    /// A person wants nothing new for the device.
    DeviceDrained,
    /// The agent does not offer that device any more.
    NotOffered,
    /// The device is offered without a slot.
    NoSlots,
    /// None of its encoders makes that.
    Codec(VideoCodec),
    /// The agent was asked to prove that it sees that folder, and has not answered.
    RootAsked(RootId),
    /// The agent cannot prove that it sees that folder.
    RootUnproven(RootId, String),
    /// The device failed too often; tested in so many seconds, or when a person releases it.
    Quarantined(Option<u64>),
    /// The device failed too often, and is being tested.
    Tested,
    /// The device gets one job at a time until one succeeds.
    OnTrial,
    /// It failed there, and other agents are tried first.
    FailedThere,
    /// All places are full; this many others go first.
    Full(usize),
    /// It is next there.
    Next,
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ahead = |n: usize| if n >= AHEAD_MAX { format!("over {AHEAD_MAX}") } else { n.to_string() };
        match self {
            Self::Runs(attempt, agent, device) => {
                write!(f, "runs as attempt {} on agent {agent}, device {device}", attempt.no)
            }
            Self::AwaitsReport(agent) => write!(f, "waiting for agent {agent} to report what became of it"),
            Self::Settles(agent) => {
                write!(f, "agent {agent} vanished while it committed; its output is checked")
            }
            Self::Held(reason) if reason.starts_with(HELD_BY) => write!(f, "{reason}"),
            Self::Held(reason) => write!(f, "held for a person: {reason}"),
            Self::Paused(Pause { who, why, .. }) => {
                f.write_str("the farm is paused")?;
                if !who.is_empty() {
                    write!(f, " by {who}")?;
                }
                if why.is_empty() { Ok(()) } else { write!(f, ": {why}") }
            }
            Self::WaitsSeconds(seconds) => write!(f, "waits {seconds} s for its next attempt"),
            Self::NeedsTask(task) => write!(f, "waits for task {task} of this job"),
            Self::NoAgents => write!(f, "no agent has connected"),
            Self::NobodyCan => write!(f, "no device can take it now"),
            Self::AllBusy(n) => write!(f, "all devices that could take it are busy; {} ahead", ahead(*n)),
            Self::Offline => write!(f, "agent is not connected"),
            Self::Suspect => write!(f, "agent is silent"),
            Self::Draining => write!(f, "agent is going down"),
            Self::Drained => write!(f, "agent is drained"),
            Self::DeviceDrained => write!(f, "device is drained"),
            Self::NotOffered => write!(f, "device is not offered any more"),
            Self::NoSlots => write!(f, "device has no slots"),
            Self::Codec(codec) if !codec.is_encoded() => write!(f, "cannot copy streams"),
            Self::Codec(codec) => write!(f, "has no {} encoder", codec.ffmpeg_name()),
            Self::RootAsked(root) => write!(f, "has not yet proved that it sees folder {root}"),
            Self::RootUnproven(root, reason) => {
                write!(f, "cannot prove that it sees folder {root}: {reason}")
            }
            Self::Quarantined(Some(seconds)) => write!(f, "device is quarantined, self-test in {seconds} s"),
            Self::Quarantined(None) => write!(f, "device is quarantined until somebody releases it"),
            Self::Tested => write!(f, "device is quarantined, and tested now"),
            Self::OnTrial => write!(f, "device was quarantined, and is tried with one job first"),
            Self::FailedThere => write!(f, "failed there; other agents are tried first"),
            Self::Full(n) => write!(f, "all slots are busy; {} ahead", ahead(*n)),
            Self::Next => write!(f, "next there"),
        }
    }
}

/// Why a job does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The answer in one line.
    pub overall: WhyNot,
    /// Every device with the first reason; empty if the answer does not depend on devices.
    pub devices: Vec<(AgentId, DeviceId, WhyNot)>,
}

impl Farm {
    /// Why a job that is not final does not run.
    pub fn explain(&self, job: JobId) -> Option<Explanation> {
        self.jobs.get(job)?;
        if let Some(overall) = self.jobs.live(job).and_then(|live| self.explain_live(live)) {
            return Some(Explanation { overall, devices: Vec::new() });
        }
        let ticket = self.jobs.tickets(job).into_iter().next()?;
        let devices: Vec<(AgentId, DeviceId, WhyNot)> = self
            .agents
            .iter()
            .flat_map(|(id, agent)| {
                agent.devices.iter().map(move |(device, seats)| (*id, agent, *device, seats))
            })
            .map(|(id, agent, device, seats)| (id, device, self.explain_device(&ticket, id, agent, seats)))
            .collect();
        let full = devices.iter().find_map(|(_, _, why)| {
            if let WhyNot::Full(ahead) = why {
                return Some(WhyNot::AllBusy(*ahead));
            }
            (*why == WhyNot::Next).then_some(WhyNot::Next)
        });
        let overall = match full {
            _ if self.holds_back() => {
                self.paused().map_or(WhyNot::Next, |pause| WhyNot::Paused(pause.clone()))
            }
            Some(why) => why,
            None if self.agents.values().all(|agent| agent.newest.is_none()) => WhyNot::NoAgents,
            None => WhyNot::NobodyCan,
        };
        Some(Explanation { overall, devices })
    }

    /// What keeps the whole job, whatever the devices say.
    fn explain_live(&self, live: &Live) -> Option<WhyNot> {
        let record = &live.record;
        if record.state == JobState::Held {
            let text = record.reason.as_ref().map_or_else(String::new, |r| r.text.clone());
            return Some(WhyNot::Held(text));
        }
        for attempt in record.live_attempts() {
            let Some(run) = self.runs.get(&attempt) else { continue };
            let (agent, device) = (run.lease.agent, run.lease.device);
            let seen = self.agents.get(&agent).is_some_and(|a| a.newest.is_some());
            return Some(match (run.seat, run.settling) {
                (Seat::Left, _) | (_, Settling::Again(_)) => WhyNot::Settles(agent),
                _ if !seen => WhyNot::AwaitsReport(agent),
                _ => WhyNot::Runs(attempt, agent, device),
            });
        }
        if live.sides.iter().any(|side| side.spot == Spot::Ready) {
            return None;
        }
        let waits = live.sides.iter().find_map(|side| match side.spot {
            Spot::Waiting(at) => Some(WhyNot::WaitsSeconds(at.since(self.clock.mono()).div_ceil(1000))),
            Spot::Away | Spot::Ready => None,
        });
        let blocked = || graph::numbers(&record.tasks).find_map(|no| graph::blocked_by(&record.tasks, no));
        waits.or_else(|| blocked().map(WhyNot::NeedsTask))
    }

    fn explain_device(&self, ticket: &Ticket, id: AgentId, agent: &Agent, seats: &Seats) -> WhyNot {
        let LaneKey { source_root, output_root, codec } = ticket.lane;
        if agent.session.is_none() {
            return WhyNot::Offline;
        }
        if agent.quiet != Quiet::Heard {
            return WhyNot::Suspect;
        }
        if agent.draining {
            return WhyNot::Draining;
        }
        if agent.drained {
            return WhyNot::Drained;
        }
        match seats.device.as_ref().map(|device| device.slots) {
            None => return WhyNot::NotOffered,
            Some(0) => return WhyNot::NoSlots,
            Some(_) => {}
        }
        if !seats.makes(codec) {
            return WhyNot::Codec(codec);
        }
        if seats.drained {
            return WhyNot::DeviceDrained;
        }
        if let Health::Quarantined { until_ms, .. } = seats.ward.health() {
            if seats.ward.testing {
                return WhyNot::Tested;
            }
            let left_s = |at: i64| u64::try_from(at.saturating_sub(self.wall_ms)).unwrap_or(0).div_ceil(1000);
            return WhyNot::Quarantined(until_ms.map(left_s));
        }
        for root in [source_root, output_root] {
            match agent.roots.get(&root) {
                Some(RootState::Proven) => {}
                Some(RootState::Failed { reason, .. }) => return WhyNot::RootUnproven(root, reason.clone()),
                Some(RootState::Asked { .. }) | None => return WhyNot::RootAsked(root),
            }
        }
        let Some(lane) = self.ready.lanes.get(&ticket.lane) else { return WhyNot::Next };
        if !lane.allows(&ticket.queue.1, id) {
            return WhyNot::FailedThere;
        }
        match seats.room() {
            Room::Full if *seats.ward.health() == Health::Trial => WhyNot::OnTrial,
            Room::Full => WhyNot::Full(lane.ahead(ticket, AHEAD_MAX)),
            Room::Slot | Room::Spare => WhyNot::Next,
        }
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::failure::FailureClass;

    use super::*;
    use crate::event::{AgentEvent, OperatorEvent};
    use crate::recorder::{OUTPUT, Recorder, SOURCE, attempt, cpu, failure, group, new_job};

    #[track_caller]
    fn check(r: &Recorder, job: u64, overall: &str, devices: &[&str]) {
        let why = r.farm.explain(JobId(job)).unwrap();
        assert_eq!(why.overall.to_string(), overall);
        let found: Vec<String> = why.devices.iter().map(|(a, d, w)| format!("{a}/{d} {w}")).collect();
        assert_eq!(found, devices);
    }

    #[test]
    fn each_device_gives_its_first_reason() {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        check(&r, 1, "no agent has connected", &[]);
        r.connect(1, 1, vec![cpu(1)], Vec::new());
        r.connect(2, 2, vec![cpu(1)], Vec::new());
        r.connect(3, 3, vec![vc_protocol::device::Device { codecs: Vec::new(), ..cpu(1) }], Vec::new());
        r.connect(4, 4, vec![cpu(1)], Vec::new());
        r.connect(5, 5, vec![cpu(0)], Vec::new());
        r.say(2, AgentEvent::RootProof(SOURCE, Err("no such folder".to_owned())));
        r.say(4, AgentEvent::Draining);
        let devices = [
            "1/0 has not yet proved that it sees folder 10",
            "2/0 cannot prove that it sees folder 10: no such folder",
            "3/0 has no h264 encoder",
            "4/0 agent is going down",
            "5/0 device has no slots",
        ];
        check(&r, 1, "no device can take it now", &devices);
        r.say(4, AgentEvent::Disconnected);
        r.pass(15_000);
        let why = r.farm.explain(JobId(1)).unwrap();
        assert_eq!(why.devices[0].2, WhyNot::Suspect);
        assert_eq!(why.devices[3].2, WhyNot::Offline);
    }

    #[test]
    fn a_job_in_the_queue_knows_how_many_go_before_it() {
        let mut r = Recorder::new();
        r.add((1..=6).map(new_job));
        r.join(1, 1);
        check(
            &r,
            6,
            "all devices that could take it are busy; 3 ahead",
            &["1/0 all slots are busy; 3 ahead"],
        );
        check(&r, 1, "runs as attempt 1 on agent 1, device 0", &[]);
        assert_eq!(r.farm.explain(JobId(99)), None);
    }

    #[test]
    fn waiting_held_and_unreported_jobs_say_so() {
        let mut r = Recorder::new();
        r.add([new_job(1)]);
        r.join(1, 1);
        r.reports(1, attempt(1, 1), failure(FailureClass::Capacity));
        r.pass(500);
        check(&r, 1, "waits 30 s for its next attempt", &[]);
        r.pass_alive(30_000, &[1]);
        r.skip();
        r.restart();
        check(&r, 1, "waiting for agent 1 to report what became of it", &[]);
        r.connect(1, 1, vec![cpu(1)], Vec::new());
        r.skip();
        check(&r, 1, "no device can take it now", &["1/0 has not yet proved that it sees folder 10"]);
    }

    #[test]
    fn what_a_person_stopped_says_who_or_where() {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2)]);
        r.join(1, 1);
        r.join(2, 1);
        let ask = |r: &mut Recorder, agent, device| {
            let drain = OperatorEvent::Drain { agent: AgentId(agent), device, kill: true };
            r.ask(drain);
            r.reports(agent, attempt(agent.into(), 1), vc_protocol::agent::Outcome::Stopped);
        };
        ask(&mut r, 2, Some(DeviceId(0)));
        ask(&mut r, 1, None);
        check(&r, 2, "no device can take it now", &["1/0 agent is drained", "2/0 device is drained"]);
        r.ask(OperatorEvent::Pause);
        check(&r, 2, "the farm is paused by ana", &["1/0 agent is drained", "2/0 device is drained"]);
        r.ask(OperatorEvent::Hold(JobId(2)));
        check(&r, 2, "held by ana", &[]);
    }

    #[test]
    fn a_quarantined_device_says_when_it_is_tested() {
        let mut r = Recorder::new();
        r.add((1..=9).map(new_job));
        r.join(1, 1);
        for job in 1..=3 {
            r.reports(1, attempt(job, 1), failure(FailureClass::Encoder));
        }
        r.join(2, 1);
        let held = r.held(1);
        for (attempt, _) in held.iter().zip(0..2) {
            r.reports(1, *attempt, failure(FailureClass::Capacity));
        }
        let third = r.held(1)[0];
        r.reports(1, third, failure(FailureClass::Capacity));
        r.step(30_000);
        r.say(2, AgentEvent::Heartbeat(Vec::new()));
        let why = |r: &Recorder| r.farm.explain(JobId(9)).unwrap().devices[0].2.to_string();
        assert_eq!(why(&r), "device is quarantined, self-test in 570 s");
        r.ask(OperatorEvent::SelfTest(AgentId(1), DeviceId(0)));
        assert_eq!(why(&r), "device is quarantined, and tested now");
    }

    #[test]
    fn a_job_kept_for_another_agent_says_so() {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2), new_job(3)]);
        r.join(2, 1);
        r.join(1, 1);
        r.reports(1, attempt(3, 1), failure(FailureClass::Infrastructure));
        let devices = ["1/0 failed there; other agents are tried first", "2/0 all slots are busy; 0 ahead"];
        check(&r, 3, "all devices that could take it are busy; 0 ahead", &devices);
        let roots = [SOURCE, OUTPUT];
        assert_eq!(roots, [group(1).source_root, group(1).output_root]);
    }
}
