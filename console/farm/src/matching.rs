//! Which ready task goes to which device, and when.
//!
//! Owns the lists of devices with room and the dispatch that follows every event. It looks only at devices whose room
//! or abilities changed, and, for lanes in which something became ready, at devices with room: its work does not grow
//! with the number of pending jobs or of busy agents.

use std::collections::BTreeSet;

use vc_protocol::id::{AgentId, AttemptId, DeviceId};

use crate::agent::Room;
use crate::effect::{Effect, Effects};
use crate::farm::Farm;
use crate::jobs::Spot;
use crate::lease::{GRACE_MS, LEASE_MS, Run, Seat, Settling, Standing};
use crate::on_time::Due;
use crate::ready::{Candidate, LaneKey, Ticket};
use crate::record::Lease;

/// A device by how much it holds, so that work spreads.
type Listed = (usize, AgentId, DeviceId);

/// Devices with room, of agents that take work; those that hold least come first.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    slot: BTreeSet<Listed>,
    spare: BTreeSet<Listed>,
    /// Devices, of whatever agents, that hold more than they have slots.
    pub(crate) crowded: BTreeSet<(AgentId, DeviceId)>,
}

impl Rooms {
    fn of(&self, room: Room) -> Option<&BTreeSet<Listed>> {
        match room {
            Room::Slot => Some(&self.slot),
            Room::Spare => Some(&self.spare),
            Room::Full => None,
        }
    }

    fn of_mut(&mut self, room: Room) -> Option<&mut BTreeSet<Listed>> {
        match room {
            Room::Slot => Some(&mut self.slot),
            Room::Spare => Some(&mut self.spare),
            Room::Full => None,
        }
    }

    pub(crate) fn contains(&self, room: Room, listed: Listed) -> bool {
        self.of(room).is_some_and(|set| set.contains(&listed))
    }

    /// Devices with a free slot.
    pub(crate) fn idle(&self) -> impl Iterator<Item = (AgentId, DeviceId)> + '_ {
        self.slot.iter().map(|(_, agent, device)| (*agent, *device))
    }

    pub(crate) fn len(&self) -> usize {
        self.slot.len() + self.spare.len()
    }
}

impl Farm {
    /// Hands out what is ready. Free slots everywhere come before work that would only wait on its device.
    pub(crate) fn dispatch(&mut self, out: &mut Effects) {
        if self.holds_back() || (self.woken.is_empty() && self.ready.hungry.is_empty()) {
            return;
        }
        let woken = std::mem::take(&mut self.woken);
        let hungry = std::mem::take(&mut self.ready.hungry);
        for room in [Room::Slot, Room::Spare] {
            self.fill_devices(room, &woken, out);
            for lane in &hungry {
                self.feed_lane(room, *lane, out);
            }
        }
        for (agent, device) in woken {
            self.draw_waiting(agent, device, out);
        }
        // Launching wakes devices and empties lanes, but leaves nothing that could be launched.
        self.woken.clear();
        self.ready.hungry.clear();
    }

    fn fill_devices(&mut self, room: Room, woken: &BTreeSet<(AgentId, DeviceId)>, out: &mut Effects) {
        let mut work: BTreeSet<Listed> = woken.iter().filter_map(|at| self.listed(*at, room)).collect();
        while let Some((_, agent, device)) = work.pop_first() {
            if let Some(best) = self.pick(agent, device)
                && self.launch(&best.ticket, agent, device, out).is_some()
            {
                work.extend(self.listed((agent, device), room));
            }
        }
    }

    fn feed_lane(&mut self, room: Room, key: LaneKey, out: &mut Effects) {
        while self.ready.lanes.get(&key).is_some_and(|lane| lane.ready > 0 && !lane.able.is_empty()) {
            let found = self.rooms.of(room).and_then(|set| {
                set.iter().find_map(|(_, agent, device)| {
                    let able = self.agents.get(agent).is_some_and(|a| a.able.contains(&key));
                    let best = if able { self.pick(*agent, *device) } else { None };
                    best.map(|best| (best, *agent, *device))
                })
            });
            let Some((best, agent, device)) = found else { return };
            if self.launch(&best.ticket, agent, device, out).is_none() {
                return;
            }
        }
    }

    fn listed(&self, (agent, device): (AgentId, DeviceId), room: Room) -> Option<Listed> {
        let (is, held) = self.agents.get(&agent)?.devices.get(&device)?.listed?;
        (is == room).then_some((held, agent, device))
    }

    /// The task that this device should take next.
    pub(crate) fn pick(&self, id: AgentId, device: DeviceId) -> Option<Candidate> {
        let agent = self.agents.get(&id)?;
        let seats = agent.devices.get(&device)?;
        let lanes = agent.able.iter().filter(|key| seats.offers(key.codec));
        lanes
            .filter_map(|key| self.ready.lanes.get(key)?.best(*key, id))
            .min_by(|a, b| a.rank().cmp(&b.rank()))
    }

    pub(crate) fn launch(
        &mut self,
        ticket: &Ticket,
        agent: AgentId,
        device: DeviceId,
        out: &mut Effects,
    ) -> Option<AttemptId> {
        let session = self.session(agent)?;
        let (job, task) = (ticket.place.job, ticket.place.task);
        let wall_ms = self.wall_ms;
        let lease = Lease { agent, device, since_ms: wall_ms };
        self.ready.serve(ticket);
        let launched = self.jobs.edit(job, |live| {
            live.side_mut(task)?.spot = Spot::Away;
            let no = live.record.task_mut(task)?.launch(lease);
            live.record.follow_tasks(wall_ms);
            Some(live.record.attempt_id(task, no))
        });
        let attempt = launched.flatten()?;
        let lapses = self.clock.listened().plus(LEASE_MS + GRACE_MS);
        let armed = self.clock.mono_of(lapses);
        self.timers.set(armed, Due::Lease(attempt));
        let run = Run {
            lease,
            standing: Standing::Live,
            seat: Seat::Taken,
            lapses,
            armed,
            progress: None,
            settling: Settling::No,
            report: None,
        };
        self.seat(attempt, run);
        self.put(job, out);
        out.push(Effect::Offer { agent, session, attempt, device });
        Some(attempt)
    }

    /// Enters a run, and fills its place.
    pub(crate) fn seat(&mut self, attempt: AttemptId, run: Run) {
        let (agent, device) = (run.lease.agent, run.lease.device);
        self.runs.insert(attempt, run);
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.devices.entry(device).or_default().held.insert(attempt);
        }
        self.refresh_room(agent, device);
    }

    /// The agent has it again, or has it no longer, while its output is still looked after.
    pub(crate) fn reseat(&mut self, attempt: AttemptId, seat: Seat) {
        let Some(run) = self.runs.get_mut(&attempt) else { return };
        if run.seat == seat {
            return;
        }
        run.seat = seat;
        let (agent, device) = (run.lease.agent, run.lease.device);
        if let Some(agent) = self.agents.get_mut(&agent) {
            let seats = agent.devices.entry(device).or_default();
            match seat {
                Seat::Taken => seats.held.insert(attempt),
                Seat::Left => seats.held.remove(&attempt),
            };
        }
        self.refresh_room(agent, device);
    }

    /// Forgets a run, and frees its place.
    pub(crate) fn drop_run(&mut self, attempt: AttemptId) -> Option<Run> {
        self.reseat(attempt, Seat::Left);
        let run = self.runs.remove(&attempt)?;
        self.timers.drop(run.armed, Due::Lease(attempt));
        if let Settling::Again(at) = run.settling {
            self.timers.drop(at, Due::Settle(attempt));
        }
        Some(run)
    }

    /// Lists a device by the room that it has, and wakes it if it has any.
    pub(crate) fn refresh_room(&mut self, id: AgentId, device: DeviceId) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let takes_work = agent.takes_work();
        let Some(seats) = agent.devices.get_mut(&device) else { return };
        if let Some((room, held)) = seats.listed.take()
            && let Some(set) = self.rooms.of_mut(room)
        {
            set.remove(&(held, id, device));
        }
        let (room, held) = (seats.room(), seats.held.len());
        if held > seats.slots() {
            self.rooms.crowded.insert((id, device));
        } else {
            self.rooms.crowded.remove(&(id, device));
        }
        if takes_work
            && seats.is_open()
            && let Some(set) = self.rooms.of_mut(room)
        {
            set.insert((held, id, device));
            seats.listed = Some((room, held));
            self.woken.insert((id, device));
        }
    }

    /// Something about an agent changed: which lanes it can serve, and what room it has.
    pub(crate) fn refresh_agent(&mut self, id: AgentId) {
        let lanes: Vec<LaneKey> = self.ready.lanes.keys().copied().collect();
        for key in lanes {
            self.refresh_lane(id, key);
        }
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let devices: Vec<DeviceId> = agent.devices.keys().copied().collect();
        for device in devices {
            self.refresh_room(id, device);
        }
    }

    /// Whether an agent can serve a lane may have changed.
    pub(crate) fn refresh_lane(&mut self, id: AgentId, key: LaneKey) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let Some(lane) = self.ready.lanes.get_mut(&key) else { return };
        let can = agent.can_serve(key);
        if can == agent.able.contains(&key) {
            return;
        }
        if can {
            agent.able.insert(key);
            lane.able.insert(id);
        } else {
            agent.able.remove(&key);
            lane.able.remove(&id);
        }
        // More can be served here, or what was kept for this agent can go elsewhere.
        self.ready.hungry.insert(key);
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::agent::Outcome;
    use vc_protocol::device::Device;
    use vc_protocol::failure::FailureClass;
    use vc_protocol::id::JobId;
    use vc_protocol::job::Priority;
    use vc_protocol::profile::VideoCodec;

    use crate::event::{AgentEvent, NewJob};
    use crate::recorder::{OUTPUT, Recorder, SOURCE, attempt, cpu, failure, group, new_job};

    fn job(id: u64, priority: u8, batch: u32, cost: u64) -> NewJob {
        NewJob { id: JobId(id), group: group(batch), priority: Priority(priority), cost }
    }

    /// The order in which one agent with one slot gets these jobs.
    #[track_caller]
    fn check_order(jobs: &[NewJob], expected: &[u64]) {
        let mut r = Recorder::new();
        r.add(jobs.iter().copied());
        r.join(1, 1);
        let mut order: Vec<u64> = r.offers().into_iter().map(|(job, _)| job).collect();
        for done in 0..jobs.len() {
            r.reports(1, attempt(order[done], 1), Outcome::Skipped("there".to_owned()));
            order.extend(r.offers().into_iter().map(|(job, _)| job));
        }
        assert_eq!(order, expected);
    }

    #[test]
    fn the_highest_priority_goes_first_then_the_longest_then_the_oldest() {
        let jobs = [job(1, 5, 1, 10), job(2, 5, 1, 30), job(3, 9, 1, 1), job(4, 5, 1, 30), job(5, 1, 1, 99)];
        check_order(&jobs, &[3, 2, 4, 1, 5]);
    }

    #[test]
    fn batches_of_one_priority_take_turns_by_the_work_that_they_got() {
        let jobs = [
            job(1, 5, 1, 10),
            job(2, 5, 1, 10),
            job(3, 5, 1, 10),
            job(4, 5, 2, 20),
            job(5, 5, 2, 20),
            job(6, 5, 1, 10),
        ];
        check_order(&jobs, &[1, 4, 2, 3, 5, 6]);
    }

    #[test]
    fn free_slots_everywhere_are_filled_before_anything_waits_on_a_device() {
        let mut r = Recorder::new();
        r.add([new_job(100)]);
        r.join(1, 2);
        r.join(2, 1);
        r.reports(1, attempt(100, 1), Outcome::Skipped("there".to_owned()));
        r.skip();
        r.add((1..=9).map(new_job));
        r.say(1, AgentEvent::RootProof(SOURCE, Ok(())));
        let offers = r.offers();
        let on = |agent| offers.iter().filter(move |(_, a)| *a == agent).count();
        assert_eq!((on(1), on(2)), (4, 2), "slots and as many waiting ones: {offers:?}");
        let mut first: Vec<u32> = offers[..3].iter().map(|(_, agent)| *agent).collect();
        first.sort_unstable();
        assert_eq!(first, [1, 1, 2], "slots first: {offers:?}");
        assert_eq!(r.farm.ready_len(), 3);
    }

    #[test]
    fn a_freed_place_gets_the_next_job() {
        let mut r = Recorder::new();
        r.add((1..=4).map(new_job));
        r.join(1, 1);
        assert_eq!(r.offers(), [(1, 1), (2, 1)]);
        r.reports(1, attempt(1, 1), Outcome::Skipped("there".to_owned()));
        assert_eq!(r.offers(), [(3, 1)]);
        r.nothing_else();
    }

    #[test]
    fn a_job_goes_only_to_a_device_that_makes_its_codec() {
        let mut r = Recorder::new();
        let av1 = crate::record::Group { codec: VideoCodec::Av1, ..group(1) };
        r.add([NewJob { group: av1, ..new_job(1) }]);
        r.join(1, 1);
        r.nothing_else();
        let device = Device { codecs: vec![VideoCodec::Av1], ..cpu(1) };
        r.connect(2, 2, vec![device], Vec::new());
        r.expect(&["tell 2 welcome", "prove 2 root 10", "prove 2 root 20 writable"]);
        r.say(2, AgentEvent::RootProof(SOURCE, Ok(())));
        r.nothing_else();
        r.say(2, AgentEvent::RootProof(OUTPUT, Ok(())));
        r.expect(&["job 1 running: leased", "offer 1.0/1 to 2/0"]);
    }

    #[test]
    fn a_failed_job_goes_to_another_agent_where_there_is_one() {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2)]);
        r.join(1, 1);
        assert_eq!(r.offers(), [(1, 1), (2, 1)]);
        r.join(2, 1);
        r.skip();
        r.reports(1, attempt(1, 1), failure(FailureClass::Infrastructure));
        r.expect(&[
            "attempt 1.0/1 failed infrastructure",
            "job 1 pending: open",
            "tell 1 done 1.0/1",
            "job 1 running: leased",
            "offer 1.0/2 to 2/0",
        ]);
        // The second agent fails it too: now nobody is left who has not, and both will do, after a while.
        r.reports(2, attempt(1, 2), failure(FailureClass::Infrastructure));
        r.expect(&["attempt 1.0/2 failed infrastructure", "job 1 pending: open", "tell 2 done 1.0/2"]);
        r.pass_alive(30_000, &[1, 2]);
        assert_eq!(r.offers().len(), 1);
    }

    #[test]
    fn a_job_kept_for_another_agent_comes_back_when_that_one_leaves() {
        let mut r = Recorder::new();
        r.add([new_job(1), new_job(2), new_job(3)]);
        r.join(2, 1);
        assert_eq!(r.offers(), [(1, 2), (2, 2)]);
        r.join(1, 1);
        assert_eq!(r.offers(), [(3, 1)]);
        r.reports(1, attempt(3, 1), failure(FailureClass::Infrastructure));
        assert_eq!(r.offers(), [], "kept for agent 2, which is full");
        r.say(2, AgentEvent::Disconnected);
        assert_eq!(r.offers(), [(3, 1)]);
    }
}
