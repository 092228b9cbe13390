//! The table of jobs that are not final, and its counts.
//!
//! A job that was never launched is 16 bytes here, since there may be a million of them; it grows into its whole row
//! when something happens to it, and leaves when it is final. Counts change only through [`Jobs::edit`], so that no
//! path can forget them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use vc_protocol::id::{AttemptNo, JobId, TaskNo};
use vc_protocol::job::{JobState, Priority};

use crate::event::{Millis, NewJob};
use crate::graph;
use crate::ready::{LaneKey, Place, Ticket};
use crate::record::{Group, JobRecord};

/// Number of a group in [`Groups`], while jobs refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupNo(u32);

/// Groups that jobs refer to, so that a job needs 4 bytes for its group instead of 20.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// Each with the number of jobs that refer to it; unused places are kept for later groups.
    list: Vec<Option<(Group, u64)>>,
    numbers: BTreeMap<Group, GroupNo>,
    free: Vec<GroupNo>,
}

impl Groups {
    fn enter(&mut self, group: Group) -> GroupNo {
        let no = *self.numbers.entry(group).or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.list.push(None);
                GroupNo(u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX))
            })
        });
        self.list[no.0 as usize].get_or_insert((group, 0)).1 += 1;
        no
    }

    /// True when nobody refers to it any more.
    fn leave(&mut self, group: &Group) -> bool {
        let Some(&no) = self.numbers.get(group) else { return false };
        let Some((_, jobs)) = &mut self.list[no.0 as usize] else { return false };
        *jobs -= 1;
        if *jobs > 0 {
            return false;
        }
        self.list[no.0 as usize] = None;
        self.numbers.remove(group);
        self.free.push(no);
        true
    }

    fn get(&self, no: GroupNo) -> Option<&Group> {
        self.list.get(no.0 as usize)?.as_ref().map(|(group, _)| group)
    }

    fn contains(&self, group: &Group) -> bool {
        self.numbers.contains_key(group)
    }

    /// Every group with the number of jobs that refer to it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Group, u64)> {
        self.list.iter().flatten().map(|(group, jobs)| (group, *jobs))
    }
}

/// Where the queue has a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Nowhere: it runs, is done, or waits for another task.
    Away,
    /// In its lane.
    Ready,
    /// Its timer rings then.
    Waiting(Millis),
}

/// What memory adds to a task's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) spot: Spot,
    /// The last attempt whose report was taken: when it comes again, it is answered as before.
    pub(crate) reported: AttemptNo,
}

/// A job to which something happened.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) record: JobRecord,
    pub(crate) sides: Vec<Side>,
}

impl Live {
    fn new(record: JobRecord, spot: Spot) -> Self {
        let sides = vec![Side { spot, reported: AttemptNo(0) }; record.tasks.len()];
        Live { record, sides }
    }

    pub(crate) fn ticket(&self, task: TaskNo) -> Ticket {
        let avoid = self.record.task(task).map_or_else(Vec::new, |t| t.failed_on.clone());
        let record = &self.record;
        Ticket {
            lane: LaneKey::of(&record.group),
            priority: record.priority,
            queue: (record.group.batch, avoid),
            place: Place { cost: Reverse(record.cost), job: record.id, task },
        }
    }

    pub(crate) fn side(&self, task: TaskNo) -> Option<Side> {
        self.sides.get(usize::from(task.0)).copied()
    }

    pub(crate) fn side_mut(&mut self, task: TaskNo) -> Option<&mut Side> {
        self.sides.get_mut(usize::from(task.0))
    }

    pub(crate) fn waits(&self) -> bool {
        self.record.state == JobState::Pending
            && self.sides.iter().any(|s| matches!(s.spot, Spot::Waiting(_)))
    }
}

/// A job in the table.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Never launched, one encode task, ready.
    Fresh {
        group: GroupNo,
        priority: Priority,
        cost: u64,
    },
    Live(Box<Live>),
}

/// Counts over the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) by_state: [u64; 7],
    pub(crate) to_retry: u64,
    /// Wide enough for any number of any costs.
    pub(crate) cost_left: u128,
}

impl Tally {
    pub(crate) fn add(&mut self, entry: &Entry) {
        let (state, waits, cost) = Self::parts(entry);
        self.by_state[state as usize] += 1;
        self.to_retry += u64::from(waits);
        self.cost_left += u128::from(cost);
    }

    fn subtract(&mut self, entry: &Entry) {
        let (state, waits, cost) = Self::parts(entry);
        self.by_state[state as usize] -= 1;
        self.to_retry -= u64::from(waits);
        self.cost_left -= u128::from(cost);
    }

    /// A held job is not work left: nothing will be done about it before a person looks.
    fn parts(entry: &Entry) -> (JobState, bool, u64) {
        match entry {
            Entry::Fresh { cost, .. } => (JobState::Pending, false, *cost),
            Entry::Live(live) => {
                let state = live.record.state;
                let cost =
                    if matches!(state, JobState::Pending | JobState::Running) { live.record.cost } else { 0 };
                (state, live.waits(), cost)
            }
        }
    }
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    entries: BTreeMap<JobId, Entry>,
    pub(crate) groups: Groups,
    tally: Tally,
}

impl Jobs {
    pub(crate) fn get(&self, id: JobId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether any job of that group is here.
    pub(crate) fn has_group(&self, group: &Group) -> bool {
        self.groups.contains(group)
    }

    /// Takes in a job that was just added; its ticket.
    pub(crate) fn insert_fresh(&mut self, job: &NewJob) -> Ticket {
        let group = self.groups.enter(job.group);
        let entry = Entry::Fresh { group, priority: job.priority, cost: job.cost };
        self.tally.add(&entry);
        self.entries.insert(job.id, entry);
        fresh_ticket(&job.group, job.priority, job.cost, job.id)
    }

    /// Takes in a job with a history; its tasks are in no queue yet.
    pub(crate) fn insert_live(&mut self, record: JobRecord) {
        self.groups.enter(record.group);
        let id = record.id;
        let entry = Entry::Live(Box::new(Live::new(record, Spot::Away)));
        self.tally.add(&entry);
        self.entries.insert(id, entry);
    }

    /// Lets a job go, with its row; true if it was the last of its group.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<(JobRecord, bool)> {
        let entry = self.entries.remove(&id)?;
        self.tally.subtract(&entry);
        let record = match entry {
            Entry::Fresh { group, priority, cost } => {
                let group = *self.groups.get(group)?;
                JobRecord::fresh(&NewJob { id, group, priority, cost }, 0)
            }
            Entry::Live(live) => live.record,
        };
        let last = self.groups.leave(&record.group);
        Some((record, last))
    }

    pub(crate) fn live(&self, id: JobId) -> Option<&Live> {
        match self.entries.get(&id)? {
            Entry::Live(live) => Some(live),
            Entry::Fresh { .. } => None,
        }
    }

    /// A copy of the job's row. Of a job that was never touched its time of change is not kept here and reads 0.
    pub(crate) fn record(&self, id: JobId) -> Option<JobRecord> {
        match self.entries.get(&id)? {
            Entry::Fresh { group, priority, cost } => {
                let group = *self.groups.get(*group)?;
                Some(JobRecord::fresh(&NewJob { id, group, priority: *priority, cost: *cost }, 0))
            }
            Entry::Live(live) => Some(live.record.clone()),
        }
    }

    /// The group of a job.
    pub(crate) fn group(&self, id: JobId) -> Option<Group> {
        match self.entries.get(&id)? {
            Entry::Fresh { group, .. } => self.groups.get(*group).copied(),
            Entry::Live(live) => Some(live.record.group),
        }
    }

    /// The only way to change a job. Counts follow.
    pub(crate) fn edit<R>(&mut self, id: JobId, change: impl FnOnce(&mut Live) -> R) -> Option<R> {
        let entry = self.entries.get_mut(&id)?;
        self.tally.subtract(entry);
        if let Entry::Fresh { group, priority, cost } = *entry
            && let Some(group) = self.groups.get(group)
        {
            let record = JobRecord::fresh(&NewJob { id, group: *group, priority, cost }, 0);
            *entry = Entry::Live(Box::new(Live::new(record, Spot::Ready)));
        }
        let result = match entry {
            Entry::Live(live) => Some(change(live)),
            Entry::Fresh { .. } => None,
        };
        self.tally.add(entry);
        result
    }

    /// To this priority; its tasks must be in no lane. A job that nothing happened to stays as small as it is.
    pub(crate) fn prioritise(&mut self, id: JobId, to: Priority, wall_ms: i64) {
        match self.entries.get_mut(&id) {
            Some(Entry::Fresh { priority, .. }) => *priority = to,
            Some(Entry::Live(live)) => {
                live.record.priority = to;
                live.record.updated_ms = wall_ms;
            }
            None => {}
        }
    }

    /// Every ready task of a job, as the queue knows it.
    pub(crate) fn tickets(&self, id: JobId) -> Vec<Ticket> {
        match self.entries.get(&id) {
            Some(Entry::Fresh { group, priority, cost }) => {
                let group = self.groups.get(*group);
                group.map(|group| fresh_ticket(group, *priority, *cost, id)).into_iter().collect()
            }
            Some(Entry::Live(live)) => graph::numbers(&live.record.tasks)
                .filter(|no| live.side(*no).is_some_and(|side| side.spot == Spot::Ready))
                .map(|no| live.ticket(no))
                .collect(),
            None => Vec::new(),
        }
    }
}

fn fresh_ticket(group: &Group, priority: Priority, cost: u64, job: JobId) -> Ticket {
    Ticket {
        lane: LaneKey::of(group),
        priority,
        queue: (group.batch, Vec::new()),
        place: Place { cost: Reverse(cost), job, task: TaskNo(0) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untouched_job_takes_sixteen_bytes_and_its_place_in_the_queue_twenty_four() {
        assert_eq!(size_of::<Entry>(), 16);
        assert_eq!(size_of::<Place>(), 24);
    }
}
