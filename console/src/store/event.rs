//! The last things that happened, as a ring.

use redb::WriteTransaction;
use vc_protocol::id::JobId;
use vc_protocol::operator::EventView;
use vc_protocol::path::FilePath;

use super::read::Reader;
use super::row::Row;
use super::shape::{Counters, EventRow};
use super::{StoreError, tables};

/// Events kept: enough for a look back over a busy night, one or two megabytes.
pub(super) const KEPT_MAX: u64 = 10_000;

/// Writes what happened; the oldest make room.
pub(super) fn write(
    txn: &WriteTransaction,
    events: Vec<EventRow>,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut table = txn.open_table(tables::EVENTS)?;
    for event in events {
        counters.last_event += 1;
        table.insert(counters.last_event, event.to_bytes()?.as_slice())?;
        if let Some(old) = counters.last_event.checked_sub(KEPT_MAX) {
            table.remove(old)?;
        }
    }
    Ok(())
}

impl Reader<'_> {
    /// The last events below this number, newest first; those of one job alone, if it is said.
    pub fn events(
        &self,
        before: Option<u64>,
        job: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<EventView>, StoreError> {
        let mut events = Vec::new();
        for entry in self.tables.events.range(..before.unwrap_or(u64::MAX))?.rev() {
            if events.len() == limit {
                break;
            }
            let (no, row) = entry?;
            let event = EventRow::from_bytes(row.value())?;
            if job.is_none() || event.job == job {
                events.push(self.event_view(no.value(), event)?);
            }
        }
        Ok(events)
    }

    /// The events above this number, oldest first.
    pub fn events_after(&self, after: u64, limit: usize) -> Result<Vec<EventView>, StoreError> {
        let mut events = Vec::new();
        for entry in self.tables.events.range(after.saturating_add(1)..)?.take(limit) {
            let (no, row) = entry?;
            events.push(self.event_view(no.value(), EventRow::from_bytes(row.value())?)?);
        }
        Ok(events)
    }

    fn event_view(&self, no: u64, event: EventRow) -> Result<EventView, StoreError> {
        let EventRow { at_ms, kind, text, who, agent, job } = event;
        let spec = job.map(|id| self.spec(id)).transpose()?.flatten();
        let file = FilePath(spec.map(|spec| spec.source.file_name().to_vec()).unwrap_or_default());
        Ok(EventView { no, at_ms, kind, text, who, agent, job, file })
    }
}
