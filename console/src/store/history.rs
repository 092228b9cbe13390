//! What the farm did, by day: sums of jobs that ended, in all, per profile and per agent.
//!
//! A purge takes nothing away here: what was done stays done.

use std::collections::BTreeMap;

use redb::{ReadableTable, WriteTransaction};
use vc_protocol::id::{AgentId, ProfileId};
use vc_protocol::job::JobState;
use vc_protocol::operator::{Stats, Sums};

use super::row::Row;
use super::shape::StoredJob;
use super::{Store, StoreError, tables};

/// Days kept: two years, so that a month can be held against the same month of last year. With a hundred agents that is
/// 10 MiB.
const DAYS_MAX: usize = 2 * 366;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Day since 1970 (UTC), what the sums are about, and its number.
pub(super) type SumsKey = (u32, u8, u32);

/// Everything.
const ALL: u8 = 0;
/// One profile.
const PROFILE: u8 = 1;
/// One agent.
const AGENT: u8 = 2;

impl Row for Sums {
    const VERSION: u8 = 1;
}

/// Days since 1970, UTC.
fn day_of(wall_ms: i64) -> u32 {
    u32::try_from(wall_ms.div_euclid(DAY_MS)).unwrap_or(0)
}

/// The sums of each day. A clock that was once ahead leaves days behind that have not come yet.
#[derive(Debug, Default, Clone)]
pub(super) struct Days {
    known: BTreeMap<u32, Sums>,
}

impl Days {
    pub(super) fn load(table: &impl ReadableTable<SumsKey, &'static [u8]>) -> Result<Self, StoreError> {
        let mut days = Days::default();
        for entry in table.iter()? {
            let (key, row) = entry?;
            if let (day, ALL, _) = key.value() {
                days.known.insert(day, Sums::from_bytes(row.value())?);
            }
        }
        Ok(days)
    }
}

/// What one turn adds.
#[derive(Debug, Default)]
pub(super) struct HistoryChanges(BTreeMap<SumsKey, Sums>);

impl HistoryChanges {
    /// A job came to this state.
    pub(super) fn ended(&mut self, job: &StoredJob) {
        let mut sums = Sums::default();
        match job.record.state {
            JobState::Completed => sums.completed = 1,
            JobState::Failed => sums.failed = 1,
            JobState::Skipped => sums.skipped = 1,
            JobState::Pending | JobState::Running | JobState::Cancelled | JobState::Held => return,
        }
        if let (JobState::Completed, Some(result)) = (job.record.state, &job.record.result) {
            (sums.media_ms, sums.wall_ms) = (result.media_ms, result.wall_ms);
            (sums.bytes_in, sums.bytes_out) = (result.bytes_in, result.bytes_out);
        }
        let day = day_of(job.record.updated_ms);
        let agent = job.lease().map(|lease| (day, AGENT, lease.agent.0));
        for key in
            [Some((day, ALL, 0)), Some((day, PROFILE, job.spec.profile.0)), agent].into_iter().flatten()
        {
            add(self.0.entry(key).or_default(), &sums);
        }
    }

    /// Writes the sums; gives back the days as they are once this is committed.
    pub(super) fn write(&self, txn: &WriteTransaction, days: &Days) -> Result<Option<Days>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut days = days.clone();
        let mut table = txn.open_table(tables::HISTORY)?;
        for (key, more) in &self.0 {
            let known = table.get(key)?.map(|row| Sums::from_bytes(row.value())).transpose()?;
            let mut sums = known.unwrap_or_default();
            add(&mut sums, more);
            table.insert(key, sums.to_bytes()?.as_slice())?;
            if let (day, ALL, _) = *key {
                days.known.insert(day, sums);
            }
        }
        while days.known.len() > DAYS_MAX {
            let Some((oldest, _)) = days.known.pop_first() else { break };
            table.retain_in((oldest, 0, 0)..(oldest + 1, 0, 0), |_, _| false)?;
        }
        Ok(Some(days))
    }
}

impl Store {
    /// What was done on the day of this moment.
    pub fn today(&self, wall_ms: i64) -> Sums {
        self.memory().days.known.get(&day_of(wall_ms)).copied().unwrap_or_default()
    }

    /// What was done on the last so many days, that of this moment included.
    pub fn stats(&self, wall_ms: i64, days: u32) -> Result<Stats, StoreError> {
        let today = day_of(wall_ms);
        let first = today.saturating_sub(days.saturating_sub(1));
        let mut stats = Stats::default();
        let (mut profiles, mut agents) = (BTreeMap::<String, Sums>::new(), BTreeMap::<String, Sums>::new());
        let reader = self.reader()?;
        for entry in reader.tables.history.range((first, 0, 0)..(today.saturating_add(1), 0, 0))? {
            let (key, row) = entry?;
            let ((day, kind, id), sums) = (key.value(), Sums::from_bytes(row.value())?);
            match kind {
                ALL => {
                    stats.days.push((day, sums));
                    add(&mut stats.all, &sums);
                }
                PROFILE => {
                    let profile = self.profile(ProfileId(id));
                    let name = profile.map_or_else(|_| format!("profile {id}"), |p| p.name.clone());
                    add(profiles.entry(name).or_default(), &sums);
                }
                AGENT => add(agents.entry(self.agent_name(AgentId(id))).or_default(), &sums),
                _ => {}
            }
        }
        stats.days.reverse();
        stats.profiles = profiles.into_iter().collect();
        stats.agents = agents.into_iter().collect();
        Ok(stats)
    }
}

fn add(sums: &mut Sums, more: &Sums) {
    let Sums { completed, failed, skipped, media_ms, wall_ms, bytes_in, bytes_out } = more;
    for (sum, by) in [
        (&mut sums.completed, completed),
        (&mut sums.failed, failed),
        (&mut sums.skipped, skipped),
        (&mut sums.media_ms, media_ms),
        (&mut sums.wall_ms, wall_ms),
        (&mut sums.bytes_in, bytes_in),
        (&mut sums.bytes_out, bytes_out),
    ] {
        *sum = sum.saturating_add(*by);
    }
}
