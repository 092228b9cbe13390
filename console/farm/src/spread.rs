//! A slot idles while work waits behind busy slots of another device: that work is moved.
//!
//! It happens at the end of a queue, or when an agent joins late: nothing is ready, and what was handed out ahead of its
//! turn stands where it can only wait. What has begun is never moved.

use vc_protocol::device::DeviceKind;
use vc_protocol::id::{AgentId, AttemptId, DeviceId};

use crate::agent::{Quiet, Room, Seats};
use crate::effect::Effects;
use crate::farm::Farm;
use crate::ready::LaneKey;

/// A slot that is free this soon is worth waiting for: what moves has its source read once more.
const SOON_S: u32 = 20;
/// Devices looked at for one idle slot, so that a large farm at the end of its queue does not search all of itself for
/// each job that ends.
const LOOK_MAX: usize = 64;
/// Idle devices that look again when an agent says how far it is, which it does once a second.
const WAKE_MAX: usize = 8;
/// Why an attempt is taken back.
pub(crate) const REASON: &str = "a slot is free elsewhere";

impl Farm {
    /// Fills free slots of a device, for which nothing is ready, with what waits elsewhere.
    pub(crate) fn draw_waiting(&mut self, id: AgentId, device: DeviceId, out: &mut Effects) {
        while !self.rooms.crowded.is_empty()
            && self.is_idle_at(id, device)
            && let Some(attempt) = self.waiting_for(id, device)
        {
            self.hand_back(attempt, REASON, out);
            let Some(best) = self.pick(id, device) else { return };
            if self.launch(&best.ticket, id, device, out).is_none() {
                return;
            }
        }
    }

    /// Whether a free slot there has nothing to do.
    fn is_idle_at(&self, id: AgentId, device: DeviceId) -> bool {
        let seats = self.agents.get(&id).and_then(|agent| agent.devices.get(&device));
        let has_slot = seats.and_then(|seats| seats.listed).is_some_and(|(room, _)| room == Room::Slot);
        has_slot && self.pick(id, device).is_none()
    }

    /// What waits on another device, came there last, and could begin here.
    fn waiting_for(&self, id: AgentId, device: DeviceId) -> Option<AttemptId> {
        let idle = self.agents.get(&id)?.devices.get(&device)?;
        self.rooms.crowded.iter().take(LOOK_MAX).find_map(|(of, at)| {
            let agent = self.agents.get(of).filter(|agent| agent.session.is_some())?;
            let seats = agent.devices.get(at).filter(|_| agent.quiet == Quiet::Heard)?;
            if (*of, *at) == (id, device) || !is_as_quick(idle, seats) || !self.is_stuck(seats) {
                return None;
            }
            let since = |attempt: &AttemptId| self.runs.get(attempt).map(|run| run.lease.since_ms);
            let could = seats.held.iter().filter(|a| self.waits(**a) && self.could_begin(**a, id, idle));
            could.max_by_key(|attempt| (since(attempt), **attempt)).copied()
        })
    }

    /// Whether what waits there is known to wait for long: all slots are busy, and none of them falls free soon.
    fn is_stuck(&self, seats: &Seats) -> bool {
        let begun = seats.held.iter().filter(|attempt| self.is_live(**attempt) && !self.waits(**attempt));
        let mut busy = 0;
        for attempt in begun {
            let told = self.runs.get(attempt).and_then(|run| run.progress?.eta_s);
            if told.is_none_or(|eta_s| eta_s <= SOON_S) {
                return false;
            }
            busy += 1;
        }
        busy >= seats.slots()
    }

    /// What waits on this agent may be of use to slots that idle: they look again.
    pub(crate) fn wake_idle_beside(&mut self, id: AgentId) {
        let all = (id, DeviceId(0))..=(id, DeviceId(u16::MAX));
        if self.rooms.crowded.range(all).next().is_some() {
            let idle = self.rooms.idle().take(WAKE_MAX);
            self.woken.extend(idle);
        }
    }

    fn could_begin(&self, attempt: AttemptId, id: AgentId, idle: &Seats) -> bool {
        let Some(group) = self.jobs.group(attempt.job) else { return false };
        let Some(lane) = self.ready.lanes.get(&LaneKey::of(&group)) else { return false };
        let task = self.jobs.live(attempt.job).and_then(|live| live.record.task(attempt.task));
        let allowed = task.is_some_and(|task| lane.allows(&task.failed_on, id));
        allowed && lane.able.contains(&id) && idle.offers(group.codec)
    }
}

/// A processor takes nothing from a card, which would have done it sooner even after some waiting.
fn is_as_quick(idle: &Seats, crowded: &Seats) -> bool {
    let kind = |seats: &Seats| seats.device.as_ref().map(|device| device.kind);
    kind(idle) == Some(DeviceKind::Gpu) || kind(crowded) != Some(DeviceKind::Gpu)
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::device::Device;
    use vc_protocol::failure::FailureClass;
    use vc_protocol::profile::VideoCodec;
    use vc_protocol::progress::{Phase, Progress};

    use super::*;
    use crate::event::AgentEvent;
    use crate::recorder::{Recorder, attempt, cpu, failure, new_job};

    /// Agents of two slots each, of which the first came when all jobs were there.
    fn first_took_all(jobs: u64) -> Recorder {
        let mut r = Recorder::new();
        r.add((1..=jobs).map(new_job));
        r.join(1, 2);
        tells(&mut r, 1, 1, SOON_S + 1);
        tells(&mut r, 1, 2, SOON_S + 1);
        r.skip();
        r
    }

    fn tells(r: &mut Recorder, agent: u32, job: u64, eta_s: u32) {
        let progress = Progress { eta_s: Some(eta_s), ..Progress::start(Phase::Encoding) };
        r.say(agent, AgentEvent::Progress(vec![(attempt(job, 1), progress)]));
    }

    #[test]
    fn an_agent_that_joins_late_takes_what_only_waits() {
        let mut r = first_took_all(4);
        r.join(2, 2);
        r.expect(&[
            "attempt 4.0/1 stopped",
            "tell 1 cancel 4.0/1",
            "job 4 pending: open",
            "job 4 running: leased",
            "offer 4.0/2 to 2/0",
            "attempt 3.0/1 stopped",
            "tell 1 cancel 3.0/1",
            "job 3 pending: open",
            "job 3 running: leased",
            "offer 3.0/2 to 2/0",
        ]);
        r.expect_note("back to pending: a slot is free elsewhere");
        assert_eq!((r.row(4).tasks[0].launches, r.row(4).tasks[0].retries), (1, 0), "moving costs nothing");
    }

    #[test]
    fn what_runs_or_begins_soon_stays_where_it_is() {
        let mut r = first_took_all(3);
        tells(&mut r, 1, 2, SOON_S);
        r.join(2, 2);
        assert_eq!(r.offers(), []);
        tells(&mut r, 1, 2, SOON_S + 1);
        assert_eq!(r.offers(), [(3, 2)]);
        r.say(2, AgentEvent::Devices(vec![cpu(4)]));
        assert_eq!(r.offers(), [], "the others run");
    }

    #[test]
    fn a_slot_that_falls_free_takes_what_waits_elsewhere() {
        let mut r = first_took_all(4);
        r.add([new_job(5)]);
        r.join(2, 1);
        assert_eq!(r.offers(), [(5, 2)]);
        r.reports(2, attempt(5, 1), Outcome::Skipped("there".to_owned()));
        assert_eq!(r.offers(), [(4, 2)]);
    }

    #[test]
    fn whoever_failed_it_takes_it_only_if_nobody_else_can() {
        let mut r = first_took_all(2);
        r.join(2, 1);
        r.reports(1, attempt(1, 1), failure(FailureClass::Infrastructure));
        assert_eq!(r.offers(), [(1, 2)]);
        r.reports(1, attempt(2, 1), failure(FailureClass::Infrastructure));
        assert_eq!(r.offers(), [(2, 2)], "it waits there rather than run here");
    }

    #[test]
    fn a_processor_takes_nothing_from_a_card() {
        let mut r = Recorder::new();
        r.add((1..=2).map(new_job));
        let card =
            Device { id: DeviceId(1), kind: DeviceKind::Gpu, codecs: vec![VideoCodec::H264], ..cpu(1) };
        r.connect(1, 1, vec![card.clone()], Vec::new());
        r.proves(1);
        tells(&mut r, 1, 1, 1_000);
        r.skip();
        r.join(2, 1);
        assert_eq!(r.offers(), []);
        r.say(2, AgentEvent::Devices(vec![cpu(1), card]));
        assert_eq!(r.offers(), [(2, 2)]);
    }

    #[test]
    fn nothing_is_taken_from_an_agent_that_cannot_be_told() {
        let mut r = first_took_all(4);
        r.say(1, AgentEvent::Disconnected);
        r.join(2, 2);
        assert_eq!(r.offers(), []);
    }
}
