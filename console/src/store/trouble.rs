//! Failures by cause: what is open comes from the facets, what was overcome from a small row a cause.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};
use vc_farm::HELD_BY;
use vc_farm::record::{AttemptEnd, AttemptRecord, Lease, Reason};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::job::JobState;
use vc_protocol::operator::{FailureGroup, Failures};

use super::row::Row;
use super::shape::StoredJob;
use super::{Store, StoreError, tables};
use crate::cause;

/// Causes remembered beside those of jobs in the table; the one not seen for longest goes first. A person looks at
/// twenty.
const TROUBLES_MAX: usize = 1_000;
/// Causes in one answer: those that need a person come first.
const GROUPS_MAX: usize = 300;
/// Hours in which a failure that was overcome is shown.
const HOURS: u32 = 24;
/// Places remembered of one cause; with more it is nobody's fault in particular.
const PLACES_MAX: usize = 64;
const HOUR_MS: i64 = 3_600_000;

/// What is remembered of a cause.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Trouble {
    class: Option<FailureClass>,
    last_ms: i64,
    /// Word for word.
    example: String,
    job: JobId,
    /// Attempts that failed and whose job went on, by hour since 1970, oldest first, of the last [`HOURS`].
    overcome: Vec<(u32, u64)>,
    /// Where, each with the last hour.
    places: Vec<(AgentId, DeviceId, u32)>,
}

impl Row for Trouble {
    const VERSION: u8 = 1;
}

/// By the name of the group.
pub(super) type Troubles = BTreeMap<String, Trouble>;

pub(super) fn load(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Troubles, StoreError> {
    let mut troubles = Troubles::new();
    for entry in table.iter()? {
        let (name, row) = entry?;
        troubles.insert(name.value().to_owned(), Trouble::from_bytes(row.value())?);
    }
    Ok(troubles)
}

fn hour_of(wall_ms: i64) -> u32 {
    u32::try_from(wall_ms.div_euclid(HOUR_MS)).unwrap_or(0)
}

impl Trouble {
    fn happened(&mut self, job: JobId, at_ms: i64, reason: &Reason, lease: Option<Lease>) {
        if at_ms >= self.last_ms {
            self.last_ms = at_ms;
            self.class = reason.class;
            self.example.clone_from(&reason.text);
            self.job = job;
        }
        let (Some(lease), hour) = (lease, hour_of(at_ms)) else { return };
        let is_there = |(agent, device, _): &&mut (AgentId, DeviceId, u32)| {
            (*agent, *device) == (lease.agent, lease.device)
        };
        if let Some((_, _, last)) = self.places.iter_mut().find(is_there) {
            *last = hour.max(*last);
        } else if self.places.len() < PLACES_MAX {
            self.places.push((lease.agent, lease.device, hour));
        }
    }

    fn was_overcome(&mut self, at_ms: i64) {
        let hour = hour_of(at_ms);
        self.overcome.retain(|(then, _)| then + HOURS > hour);
        self.places.retain(|(_, _, then)| then + HOURS > hour);
        match self.overcome.last_mut() {
            Some((last, count)) if *last >= hour => *count += 1,
            _ => self.overcome.push((hour, 1)),
        }
    }

    /// Attempts overcome in the hours before this moment.
    fn recovered(&self, now_ms: i64) -> u64 {
        let now = hour_of(now_ms);
        self.overcome.iter().filter(|(hour, _)| hour + HOURS > now).map(|(_, count)| count).sum()
    }
}

/// What one turn adds.
#[derive(Debug, Default)]
pub(super) struct TroubleChanges(Troubles);

impl TroubleChanges {
    /// A job was written, with these attempts that ended in this turn. `came` tells that its state is new.
    pub(super) fn wrote(&mut self, known: &Troubles, job: &StoredJob, ended: &[AttemptRecord], came: bool) {
        let record = &job.record;
        let goes_on = !matches!(record.state, JobState::Failed | JobState::Held);
        for attempt in ended {
            let AttemptEnd::Failed(reason) = &attempt.end else { continue };
            let trouble = self.of(known, &reason.text);
            trouble.happened(record.id, attempt.ended_ms, reason, Some(attempt.lease));
            if goes_on {
                trouble.was_overcome(attempt.ended_ms);
            }
        }
        if let (false, true, Some(reason)) = (goes_on, came, &record.reason) {
            self.of(known, &reason.text).happened(record.id, record.updated_ms, reason, job.lease());
        }
    }

    fn of(&mut self, known: &Troubles, text: &str) -> &mut Trouble {
        let name = cause::name(text);
        let before = || known.get(&name).cloned().unwrap_or_default();
        self.0.entry(name.clone()).or_insert_with(before)
    }

    pub(super) fn write(&self, txn: &WriteTransaction) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(tables::TROUBLES)?;
        for (name, trouble) in &self.0 {
            table.insert(name.as_str(), trouble.to_bytes()?.as_slice())?;
        }
        Ok(())
    }

    /// After the commit. What is over the limit goes from the file when it is next opened.
    pub(super) fn keep(self, troubles: &mut Troubles) {
        troubles.extend(self.0);
        while troubles.len() > TROUBLES_MAX {
            let oldest =
                troubles.iter().min_by_key(|(_, trouble)| trouble.last_ms).map(|(name, _)| name.clone());
            oldest.map(|name| troubles.remove(&name));
        }
    }
}

/// Drops what is over the limit from the file.
pub(super) fn tidy(txn: &WriteTransaction) -> Result<bool, StoreError> {
    let mut table = txn.open_table(tables::TROUBLES)?;
    let mut by_age: Vec<(i64, String)> =
        load(&table)?.into_iter().map(|(name, trouble)| (trouble.last_ms, name)).collect();
    by_age.sort();
    let surplus = by_age.len().saturating_sub(TROUBLES_MAX);
    for (_, name) in &by_age[..surplus] {
        table.remove(name.as_str())?;
    }
    Ok(surplus > 0)
}

/// What the facets say of a cause.
#[derive(Default)]
struct Open {
    open: u64,
    retry: u64,
    places: BTreeSet<(AgentId, DeviceId)>,
}

impl Store {
    /// Failures by cause: those that need a person first, then those that are tried again, then those overcome.
    pub fn failures(&self, now_ms: i64) -> Result<Failures, StoreError> {
        let (open, troubles) = self.open_causes(now_ms);
        let names: BTreeSet<&String> = open.keys().chain(troubles.keys()).collect();
        let mut failures = Failures::default();
        let mut groups = Vec::with_capacity(names.len());
        for name in names {
            let group = self.group(name, open.get(name), troubles.get(name), now_ms)?;
            failures.open += group.open;
            failures.retry += group.retry;
            failures.recovered += group.recovered;
            groups.push(group);
        }
        groups.sort_by(|a, b| {
            let key = |g: &FailureGroup| (g.open, g.retry, g.recovered, g.last_ms);
            key(b).cmp(&key(a)).then_with(|| a.cause.cmp(&b.cause))
        });
        groups.truncate(GROUPS_MAX);
        failures.groups = groups;
        Ok(failures)
    }

    /// Causes of jobs in the table, and what is remembered of them and of those overcome lately.
    fn open_causes(&self, now_ms: i64) -> (BTreeMap<String, Open>, Troubles) {
        let memory = self.memory();
        let mut open = BTreeMap::<String, Open>::new();
        for (_, facet, jobs) in memory.facets.iter().filter(|(_, _, jobs)| *jobs > 0) {
            let needs_person = matches!(facet.state, JobState::Failed | JobState::Held);
            // What a person holds did not fail.
            let failed = |name: &&String| facet.state != JobState::Held || !name.starts_with(HELD_BY);
            let Some(name) = facet.cause.as_ref().filter(failed).filter(|_| needs_person || facet.is_retry())
            else {
                continue;
            };
            let group = open.entry(name.clone()).or_default();
            *(if needs_person { &mut group.open } else { &mut group.retry }) += jobs;
            group.places.extend(facet.place);
        }
        let shown = memory.troubles.iter();
        let shown = shown.filter(|(name, trouble)| open.contains_key(*name) || trouble.recovered(now_ms) > 0);
        let troubles = shown.map(|(name, trouble)| (name.clone(), trouble.clone())).collect();
        (open, troubles)
    }

    fn group(
        &self,
        name: &str,
        open: Option<&Open>,
        trouble: Option<&Trouble>,
        now_ms: i64,
    ) -> Result<FailureGroup, StoreError> {
        let forgotten;
        let trouble = match trouble {
            Some(trouble) => trouble,
            None => {
                forgotten = self.newest_of(name)?;
                &forgotten
            }
        };
        let (count, retry) = open.map_or((0, 0), |open| (open.open, open.retry));
        let mut places = open.map(|open| open.places.clone()).unwrap_or_default();
        let lately = trouble.places.iter().filter(|(_, _, hour)| hour + HOURS > hour_of(now_ms));
        places.extend(lately.map(|(agent, device, _)| (*agent, *device)));
        let hint = cause::hint(&trouble.example).or_else(|| cause::hint(name));
        Ok(FailureGroup {
            cause: name.to_owned(),
            class: trouble.class.or(hint.map(|hint| hint.class)),
            open: count,
            retry,
            // A job that waits has not gone on yet.
            recovered: trouble.recovered(now_ms).saturating_sub(retry),
            place: self.places(&places),
            last_ms: trouble.last_ms,
            example: trouble.example.clone(),
            job: (trouble.job != JobId(0)).then_some(trouble.job),
            hint: hint.map(|hint| hint.id.to_owned()).unwrap_or_default(),
            advice: hint.map(|hint| hint.advice.to_owned()).unwrap_or_default(),
        })
    }

    /// Of a cause that is not remembered any more: the newest of its jobs.
    fn newest_of(&self, name: &str) -> Result<Trouble, StoreError> {
        let reader = self.reader()?;
        let mut trouble = Trouble::default();
        for state in [JobState::Failed, JobState::Held] {
            let jobs = reader.tables.causes.get((state as u8, name))?;
            let Some(id) = jobs.last().transpose()?.map(|id| JobId(id.value())) else { continue };
            if let Some(job) = reader.stored(id)?
                && let Some(reason) = &job.record.reason
            {
                trouble.happened(id, job.record.updated_ms, reason, None);
            }
        }
        Ok(trouble)
    }

    fn places(&self, places: &BTreeSet<(AgentId, DeviceId)>) -> String {
        match (places.first(), places.len()) {
            (None, _) => String::new(),
            (Some((agent, device)), 1) => self.place(Lease { agent: *agent, device: *device, since_ms: 0 }),
            (Some((agent, _)), _) if places.iter().all(|(other, _)| other == agent) => {
                self.agent_name(*agent)
            }
            (_, count) => format!("{count} devices"),
        }
    }
}
