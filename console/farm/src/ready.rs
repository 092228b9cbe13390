//! The ready queue: every task that waits for nothing but a device.
//!
//! A *lane* is what decides where a task can run: both folders and the codec. Groups that differ only in recipe or
//! batch share one, so that a device looks at a handful of lanes however many batches there are. Within a lane:
//! highest priority first, then the batch that was served least, then the longest. Lanes that nobody can serve cost
//! nothing. Knows nothing of sessions, slots and timers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use vc_protocol::id::{AgentId, BatchId, JobId, RootId, TaskNo};
use vc_protocol::job::Priority;
use vc_protocol::profile::VideoCodec;

use crate::record::Group;

/// What decides where a task can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) source_root: RootId,
    pub(crate) output_root: RootId,
    pub(crate) codec: VideoCodec,
}

impl LaneKey {
    pub(crate) fn of(group: &Group) -> Self {
        LaneKey { source_root: group.source_root, output_root: group.output_root, codec: group.codec }
    }
}

/// A ready task in its queue: the longest first, then the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) cost: Reverse<u64>,
    pub(crate) job: JobId,
    pub(crate) task: TaskNo,
}

/// Tasks that are alike to the queue: of one batch, and failed by the same agents.
pub(crate) type QueueKey = (BatchId, Vec<AgentId>);

/// Where exactly a ready task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) lane: LaneKey,
    pub(crate) priority: Priority,
    pub(crate) queue: QueueKey,
    pub(crate) place: Place,
}

/// The best task of a lane for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) ticket: Ticket,
    served: u64,
}

impl Candidate {
    /// Smaller goes first.
    pub(crate) fn rank(&self) -> (Reverse<Priority>, u64, Place) {
        (Reverse(self.ticket.priority), self.served, self.ticket.place)
    }
}

#[derive(Debug, Default)]
struct Queue {
    /// Work handed out of it, from where the clock stood when it began.
    served: u64,
    places: BTreeSet<Place>,
}

/// The queues of one priority in a lane.
#[derive(Debug, Default)]
struct Level {
    queues: BTreeMap<QueueKey, Queue>,
    /// Queues of tasks that nobody failed, least served first: any agent takes the first, without a search.
    open: BTreeSet<(u64, BatchId)>,
    /// Queues of tasks that some agents failed. As many as there are sets of such agents, which are few.
    choosy: BTreeSet<(u64, QueueKey)>,
}

/// All ready tasks that the same agents can take.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    levels: BTreeMap<Reverse<Priority>, Level>,
    /// Agents that could serve it now, with room or without.
    pub(crate) able: BTreeSet<AgentId>,
    /// Ready tasks in it.
    pub(crate) ready: u64,
    /// Groups of jobs that are not final; the lane lives as long as there are any.
    pub(crate) groups: u32,
}

impl Level {
    fn enlist(&mut self, key: &QueueKey, served: u64) {
        if key.1.is_empty() {
            self.open.insert((served, key.0));
        } else {
            self.choosy.insert((served, key.clone()));
        }
    }

    fn delist(&mut self, key: &QueueKey, served: u64) {
        if key.1.is_empty() {
            self.open.remove(&(served, key.0));
        } else {
            self.choosy.remove(&(served, key.clone()));
        }
    }
}

impl Lane {
    /// Whether any agent but these could take a task of this lane.
    pub(crate) fn elsewhere(&self, avoid: &[AgentId]) -> bool {
        self.able.iter().any(|agent| avoid.binary_search(agent).is_err())
    }

    /// Whether the agent may take what those agents failed: the others come first, where there are any.
    pub(crate) fn allows(&self, avoid: &[AgentId], agent: AgentId) -> bool {
        avoid.binary_search(&agent).is_err() || !self.elsewhere(avoid)
    }

    /// The task that this agent should take first.
    pub(crate) fn best(&self, key: LaneKey, agent: AgentId) -> Option<Candidate> {
        self.levels.iter().find_map(|(Reverse(priority), level)| {
            let open = level.open.first().map(|(served, batch)| (*served, (*batch, Vec::new())));
            let choosy = level.choosy.iter().find(|(_, queue)| self.allows(&queue.1, agent)).cloned();
            open.into_iter()
                .chain(choosy)
                .filter_map(|(served, queue)| {
                    let place = *level.queues.get(&queue)?.places.first()?;
                    Some(Candidate {
                        ticket: Ticket { lane: key, priority: *priority, queue, place },
                        served,
                    })
                })
                .min_by_key(Candidate::rank)
        })
    }

    /// Ready tasks of this lane that go before this one, counted up to a limit.
    pub(crate) fn ahead(&self, ticket: &Ticket, limit: usize) -> usize {
        let mut count = 0;
        for (Reverse(priority), level) in &self.levels {
            if *priority < ticket.priority {
                break;
            }
            for queue in level.queues.values() {
                let left = limit.saturating_sub(count);
                count += if *priority > ticket.priority {
                    queue.places.len().min(left)
                } else {
                    queue.places.range(..ticket.place).take(left).count()
                };
            }
        }
        count
    }
}

/// All lanes.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) lanes: BTreeMap<LaneKey, Lane>,
    /// What the queue served last had been served: new queues start here, so that a newcomer gets its share from now
    /// on and nothing for the past.
    clock: u64,
    /// Lanes in which a task became ready, or that lost an agent, since the last dispatch.
    pub(crate) hungry: BTreeSet<LaneKey>,
}

impl Ready {
    pub(crate) fn push(&mut self, ticket: &Ticket) {
        let lane = self.lanes.entry(ticket.lane).or_default();
        let level = lane.levels.entry(Reverse(ticket.priority)).or_default();
        let queue = level.queues.entry(ticket.queue.clone()).or_default();
        if queue.places.is_empty() {
            queue.served = self.clock;
        }
        let (was_empty, served) = (queue.places.is_empty(), queue.served);
        if queue.places.insert(ticket.place) {
            lane.ready += 1;
        }
        if was_empty {
            level.enlist(&ticket.queue, served);
        }
        self.hungry.insert(ticket.lane);
    }

    /// Takes it out without serving it.
    pub(crate) fn remove(&mut self, ticket: &Ticket) {
        self.take_out(ticket, 0);
    }

    /// Takes it out to run: its batch has had its turn.
    pub(crate) fn serve(&mut self, ticket: &Ticket) {
        if let Some(served) = self.take_out(ticket, ticket.place.cost.0.max(1)) {
            self.clock = self.clock.max(served);
        }
    }

    /// How much the queue had been served before.
    fn take_out(&mut self, ticket: &Ticket, work: u64) -> Option<u64> {
        let lane = self.lanes.get_mut(&ticket.lane)?;
        let level = lane.levels.get_mut(&Reverse(ticket.priority))?;
        let queue = level.queues.get_mut(&ticket.queue)?;
        if !queue.places.remove(&ticket.place) {
            return None;
        }
        lane.ready -= 1;
        let before = queue.served;
        queue.served = before.saturating_add(work);
        let (after, empty) = (queue.served, queue.places.is_empty());
        if empty || after != before {
            level.delist(&ticket.queue, before);
        }
        if empty {
            level.queues.remove(&ticket.queue);
            if level.queues.is_empty() {
                lane.levels.remove(&Reverse(ticket.priority));
            }
        } else if after != before {
            level.enlist(&ticket.queue, after);
        }
        Some(before)
    }

    pub(crate) fn contains(&self, ticket: &Ticket) -> bool {
        self.lanes
            .get(&ticket.lane)
            .and_then(|lane| lane.levels.get(&Reverse(ticket.priority)))
            .and_then(|level| level.queues.get(&ticket.queue))
            .is_some_and(|queue| queue.places.contains(&ticket.place))
    }

    /// Whether lists and counts agree with the queues.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, lane) in &self.lanes {
            let mut ready = 0;
            for level in lane.levels.values() {
                let listed = level.open.len() + level.choosy.len();
                if listed != level.queues.len() || level.queues.is_empty() {
                    return Err(format!("{key:?}: {listed} queues listed of {}", level.queues.len()));
                }
                for (queue_key, queue) in &level.queues {
                    let listed = if queue_key.1.is_empty() {
                        level.open.contains(&(queue.served, queue_key.0))
                    } else {
                        level.choosy.contains(&(queue.served, queue_key.clone()))
                    };
                    if queue.places.is_empty() || !listed {
                        return Err(format!("{key:?}: queue {queue_key:?} is empty or not listed"));
                    }
                    ready += queue.places.len() as u64;
                }
            }
            if ready != lane.ready {
                return Err(format!("{key:?}: counts {} ready, has {ready}", lane.ready));
            }
        }
        Ok(())
    }
}
