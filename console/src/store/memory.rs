//! What the farm core remembers besides jobs: a pause, and what a person or the farm decided about agents and devices.

use std::collections::BTreeMap;

use redb::{ReadableDatabase, ReadableTable, TableError, WriteTransaction};
use vc_farm::record::{AgentRecord, FarmRecord};
use vc_protocol::id::AgentId;

use super::row::Row;
use super::tables;
use super::{Store, StoreError};

/// Key of the farm's record among the facts about the file.
const META_FARM: &str = "farm";

/// What a turn changed of it.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) farm: Option<FarmRecord>,
    pub(super) agents: BTreeMap<AgentId, AgentRecord>,
}

impl Remembered {
    pub(super) fn is_empty(&self) -> bool {
        self.farm.is_none() && self.agents.is_empty()
    }

    pub(super) fn write(&self, txn: &WriteTransaction) -> Result<(), StoreError> {
        if let Some(farm) = &self.farm {
            txn.open_table(tables::META)?.insert(META_FARM, farm.to_bytes()?.as_slice())?;
        }
        if self.agents.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(tables::REMEMBERED)?;
        for (agent, record) in &self.agents {
            if *record == AgentRecord::default() {
                table.remove(agent.0)?;
            } else {
                table.insert(agent.0, record.to_bytes()?.as_slice())?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// What is remembered of the farm as a whole.
    pub fn farm_record(&self) -> Result<FarmRecord, StoreError> {
        let txn = self.db()?.begin_read()?;
        let meta = txn.open_table(tables::META)?;
        let Some(row) = meta.get(META_FARM)? else { return Ok(FarmRecord::default()) };
        Ok(FarmRecord::from_bytes(row.value())?)
    }

    /// What is remembered of agents.
    pub fn agent_records(&self) -> Result<BTreeMap<AgentId, AgentRecord>, StoreError> {
        let txn = self.db()?.begin_read()?;
        let table = match txn.open_table(tables::REMEMBERED) {
            Ok(table) => table,
            // Nothing was ever remembered in this file.
            Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
            Err(error) => return Err(error.into()),
        };
        let mut records = BTreeMap::new();
        for entry in table.iter()? {
            let (agent, row) = entry?;
            records.insert(AgentId(agent.value()), AgentRecord::from_bytes(row.value())?);
        }
        Ok(records)
    }
}
