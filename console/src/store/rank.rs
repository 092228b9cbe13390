//! Where the n-th job of a state stands, without walking to it.
//!
//! The index is cut into runs of neighbouring keys whose lengths are known, in memory: a page from the middle of a
//! million jobs adds up some hundred lengths and then walks at most one run.

use redb::ReadableTable;

use vc_protocol::id::JobId;

use super::StoreError;
use super::facet::FacetNo;
use super::shape::{WAITING, index_job};
use super::tables::IndexKey;

/// Longest run of keys: walking it costs less than reading the rows of a page.
const RUN_LEN_MAX: u64 = 2_048;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// No key of the run is below; keys of the next are not below its own.
    first: IndexKey,
    len: u64,
}

/// Numbers of jobs counted together.
const NUMBERS_A_BLOCK: u64 = 1_024;

/// The runs of every state, in the order of the index; and how many jobs of each block of numbers there are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Ranks {
    runs: Vec<Run>,
    blocks: Vec<u64>,
}

impl Ranks {
    /// Counts an index.
    pub(super) fn load(index: &impl ReadableTable<IndexKey, FacetNo>) -> Result<Self, StoreError> {
        let mut ranks = Ranks::default();
        for entry in index.range(..(WAITING, 0, 0, 0))? {
            let key = entry?.0.value();
            *ranks.block(index_job(key)) += 1;
            match ranks.runs.last_mut() {
                Some(run) if run.first.0 == key.0 && run.len < RUN_LEN_MAX / 2 => run.len += 1,
                _ => ranks.runs.push(Run { first: key, len: 1 }),
            }
        }
        Ok(ranks)
    }

    fn block(&mut self, job: JobId) -> &mut u64 {
        let no = usize::try_from(job.0 / NUMBERS_A_BLOCK).unwrap_or(usize::MAX);
        if self.blocks.len() <= no {
            self.blocks.resize(no + 1, 0);
        }
        &mut self.blocks[no]
    }

    /// A job is new.
    pub(super) fn add(&mut self, job: JobId) {
        *self.block(job) += 1;
    }

    /// A job was purged.
    pub(super) fn forget(&mut self, job: JobId) {
        let block = self.block(job);
        *block = block.saturating_sub(1);
    }

    /// A key came.
    pub(super) fn insert(&mut self, key: IndexKey) {
        let place = self.runs.partition_point(|run| run.first <= key);
        let before = place.checked_sub(1).filter(|i| self.runs[*i].first.0 == key.0);
        match before {
            Some(i) => self.runs[i].len += 1,
            None => match self.runs.get_mut(place) {
                Some(next) if next.first.0 == key.0 => *next = Run { first: key, len: next.len + 1 },
                _ => self.runs.insert(place, Run { first: key, len: 1 }),
            },
        }
    }

    /// A key went.
    pub(super) fn remove(&mut self, key: IndexKey) {
        let Some(i) = self.runs.partition_point(|run| run.first <= key).checked_sub(1) else { return };
        self.runs[i].len = self.runs[i].len.saturating_sub(1);
        if self.runs[i].len == 0 {
            self.runs.remove(i);
        }
    }

    /// Whether [`Ranks::split`] has something to do.
    pub(super) fn needs_split(&self) -> bool {
        self.runs.iter().any(|run| run.len > RUN_LEN_MAX)
    }

    /// Cuts runs that grew too long at keys that the index has.
    pub(super) fn split(&mut self, index: &impl ReadableTable<IndexKey, FacetNo>) -> Result<(), StoreError> {
        let mut cut = Vec::with_capacity(self.runs.len() + 8);
        for run in self.runs.drain(..) {
            if run.len <= RUN_LEN_MAX {
                cut.push(run);
                continue;
            }
            let mut left = run.len;
            let mut first = run.first;
            let mut keys = index.range(run.first..)?.step_by((RUN_LEN_MAX / 2) as usize).skip(1);
            while left > RUN_LEN_MAX {
                let Some(next) = keys.next() else { break };
                cut.push(Run { first, len: RUN_LEN_MAX / 2 });
                first = next?.0.value();
                left -= RUN_LEN_MAX / 2;
            }
            cut.push(Run { first, len: left });
        }
        self.runs = cut;
        Ok(())
    }

    /// The first number of the block that holds the n-th job, and how many jobs of it to pass.
    pub(super) fn number(&self, n: u64) -> Option<(JobId, u64)> {
        let mut left = n;
        for (no, jobs) in self.blocks.iter().enumerate() {
            if left < *jobs {
                return Some((JobId(no as u64 * NUMBERS_A_BLOCK), left));
            }
            left -= jobs;
        }
        None
    }

    /// Where to start, and how many keys to pass, to stand at the n-th of a state.
    pub(super) fn seek(&self, state: u8, n: u64) -> (IndexKey, u64) {
        let mut left = n;
        let mut last = (state, 0, 0, 0);
        let from = self.runs.partition_point(|run| run.first.0 < state);
        for run in self.runs[from..].iter().take_while(|run| run.first.0 == state) {
            if left < run.len {
                return (run.first, left);
            }
            left -= run.len;
            last = run.first;
        }
        // Past the end, as far as is known here: the last run is walked to its end.
        let last_len = self.runs[from..].iter().rfind(|run| run.first.0 == state).map_or(0, |run| run.len);
        (last, left + last_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_cut_and_every_place_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let db = redb::Database::create(dir.path().join("t")).unwrap();
        let table: redb::TableDefinition<'_, IndexKey, FacetNo> = redb::TableDefinition::new("t");
        let txn = db.begin_write().unwrap();
        let mut index = txn.open_table(table).unwrap();
        let mut ranks = Ranks::default();
        for n in 0..10_000_u64 {
            // Not in order, and with a second state behind.
            let key = (0, 0, n * 7_919 % 10_007, n);
            for key in [key, (1, key.1, key.2, key.3)] {
                index.insert(key, 0).unwrap();
                ranks.insert(key);
            }
            if ranks.needs_split() {
                ranks.split(&index).unwrap();
            }
        }
        assert!(ranks.runs.len() > 8 && ranks.runs.iter().all(|run| run.len <= RUN_LEN_MAX));
        for state in 0..2 {
            for n in [0, 1, 2_047, 5_000, 9_999] {
                let (from, pass) = ranks.seek(state, n);
                let found = index.range(from..).unwrap().nth(pass as usize).unwrap().unwrap().0.value();
                let all =
                    index.range((state, 0, 0, 0)..).unwrap().nth(n as usize).unwrap().unwrap().0.value();
                assert_eq!(found, all, "{n} of {state}");
            }
            assert!(ranks.seek(state, 10_000).1 >= 1);
        }
    }
}
