//! One snapshot of the table, and what is asked of it.

use redb::ReadableTable;
use vc_farm::RETRIES_MAX;
use vc_farm::record::{AttemptEnd, AttemptRecord, JobRecord, Lease};
use vc_protocol::agent::Report;
use vc_protocol::id::{JobId, RootId};
use vc_protocol::job::{FileStamp, JobSpec, JobState};
use vc_protocol::operator::{AttemptView, JobDetail, JobRow};
use vc_protocol::path::FilePath;

use super::find::Names;
use super::intake::holds_claim;
use super::row::Row;
use super::shape::{Run, StoredJob, index_job};
use super::tables::Tables;
use super::{Store, StoreError};

/// Sources looked at to find some that are not done; more would make a proof slow on a large, finished folder.
const SOURCES_LOOKED_AT: usize = 2_000;

/// A snapshot of the last commit.
pub struct Reader<'s> {
    pub(super) store: &'s Store,
    pub(super) tables: Tables,
}

/// Jobs that share a state and a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseGroup {
    /// Failed or held.
    pub state: JobState,
    /// Name of their cause.
    pub cause: String,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub jobs: Vec<JobId>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(store: &'s Store, tables: Tables) -> Self {
        Reader { store, tables }
    }

    /// What was asked for.
    pub fn spec(&self, id: JobId) -> Result<Option<JobSpec>, StoreError> {
        Ok(self.stored(id)?.map(|stored| stored.spec))
    }

    /// The row that the farm core made.
    pub fn record(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        Ok(self.stored(id)?.map(|stored| stored.record))
    }

    /// Whether the job's output is still its own: a changed source's newer job takes it over.
    pub fn holds_output(&self, id: JobId) -> Result<bool, StoreError> {
        let Some(spec) = self.spec(id)? else { return Ok(false) };
        holds_claim(&self.tables, &self.store.root(spec.output_root)?.join(&spec.output), id)
    }

    /// Hands over the row of every job that is not final, in the order of their numbers.
    pub fn each_live(&self, mut each: impl FnMut(JobRecord)) -> Result<(), StoreError> {
        for entry in self.tables.hot.iter()? {
            each(StoredJob::from_bytes(entry?.1.value())?.record);
        }
        let mut waiting = Vec::new();
        for state in [JobState::Pending as u8, JobState::Held as u8] {
            for entry in self.tables.index.range((state, 0, 0, 0)..(state + 1, 0, 0, 0))? {
                waiting.push(index_job(entry?.0.value()));
            }
        }
        // Rows lie by number: in that order each page is read once.
        waiting.sort_unstable();
        for id in waiting {
            let row = self.tables.cold.get(id.0)?.ok_or(StoreError::Damaged(id))?;
            each(StoredJob::from_bytes(row.value())?.record);
        }
        Ok(())
    }

    /// The job as a row of a table; its progress is not known here.
    pub fn row(&self, id: JobId) -> Result<Option<JobRow>, StoreError> {
        self.stored(id)?.map(|stored| self.make_row(&stored)).transpose()
    }

    /// Everything about one job; its progress and running attempt are not known here.
    pub fn detail(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        let Some(stored) = self.stored(id)? else { return Ok(None) };
        let spec = &stored.spec;
        let mut attempts = Vec::with_capacity(stored.runs.len());
        let mut last: Option<Box<Report>> = None;
        // Of the newest attempt that looked into it.
        let mut media = None;
        for run in stored.runs.iter().rev() {
            let Some(row) = self.tables.attempts.get(run.at)? else { continue };
            let record = AttemptRecord::from_bytes(row.value())?;
            attempts.push(self.attempt_view(run, &record));
            if let (None, Some(known)) =
                (&media, record.report.as_ref().and_then(|report| report.media.as_ref()))
            {
                media = Some(known.as_ref().clone());
            }
            last = last.or(record.report);
        }
        Ok(Some(JobDetail {
            row: self.make_row(&stored)?,
            source: self.store.root(spec.source_root)?.join(&spec.source),
            output: self.store.root(spec.output_root)?.join(&spec.output),
            created_ms: spec.created_ms,
            encoder: last.as_ref().map(|r| r.encoder.clone()).unwrap_or_default(),
            seconds: stored.record.result.as_ref().map_or(0.0, |r| r.wall_ms as f64 / 1000.0),
            media_ms: last.as_ref().map_or(0, |r| r.media_ms),
            warnings: last.as_ref().map(|r| r.warnings.clone()).unwrap_or_default(),
            phases: last.as_ref().map(|r| r.phases.clone()).unwrap_or_default(),
            media,
            wanted: self.store.profile(spec.profile)?.profile.words(),
            next_encoders: Vec::new(),
            lease_ms: None,
            attempts,
        }))
    }

    /// Jobs that run.
    pub fn running(&self) -> Result<Vec<JobId>, StoreError> {
        self.tables.hot.iter()?.map(|entry| Ok(JobId(entry?.0.value()))).collect()
    }

    /// The causes of a state's jobs, at most so many, each with its first jobs.
    pub fn causes(
        &self,
        state: JobState,
        groups_max: usize,
        jobs_max: usize,
    ) -> Result<Vec<CauseGroup>, StoreError> {
        let mut groups = Vec::new();
        for entry in self.tables.causes.range((state as u8, "")..(state as u8 + 1, ""))?.take(groups_max) {
            let (key, jobs) = entry?;
            let count = jobs.len();
            let jobs =
                jobs.take(jobs_max).map(|id| Ok(JobId(id?.value()))).collect::<Result<_, StoreError>>()?;
            groups.push(CauseGroup { state, cause: key.value().1.to_owned(), count, jobs });
        }
        Ok(groups)
    }

    /// Known sources below a folder with their stamps, those of jobs that are not final if there are any.
    pub fn sources_below(&self, root: RootId) -> Result<Vec<(FilePath, FileStamp)>, StoreError> {
        let (mut live, mut done) = (Vec::new(), Vec::new());
        let (from, to) = (root.0.to_be_bytes(), root.0.saturating_add(1).to_be_bytes());
        for entry in
            self.tables.sources.range::<&[u8]>(from.as_slice()..to.as_slice())?.take(SOURCES_LOOKED_AT)
        {
            let id = JobId(entry?.1.value());
            let Some(stored) = self.stored(id)? else { continue };
            let list = if stored.record.state.is_final() { &mut done } else { &mut live };
            list.push((stored.spec.source, stored.spec.stamp));
        }
        Ok(if live.is_empty() { done } else { live })
    }

    pub(super) fn stored(&self, id: JobId) -> Result<Option<StoredJob>, StoreError> {
        if let Some(row) = self.tables.hot.get(id.0)? {
            return Ok(Some(StoredJob::from_bytes(row.value())?));
        }
        Ok(match self.tables.cold.get(id.0)? {
            Some(row) => Some(StoredJob::from_bytes(row.value())?),
            None => None,
        })
    }

    pub(super) fn make_row(&self, stored: &StoredJob) -> Result<JobRow, StoreError> {
        let StoredJob { spec, record, .. } = stored;
        Ok(JobRow {
            id: record.id,
            state: record.state,
            unsure: false,
            priority: record.priority,
            source: spec.source.clone(),
            profile: self.store.profile(spec.profile)?.name.clone(),
            place: stored.lease().map(|lease| self.store.place(lease)).unwrap_or_default(),
            retries: record.tasks.iter().map(|task| task.retries).max().unwrap_or(0),
            retries_max: RETRIES_MAX,
            created_ms: spec.created_ms,
            updated_ms: record.updated_ms,
            not_before_ms: record.tasks.iter().filter_map(|task| task.not_before_ms).max(),
            progress: None,
            bytes_in: spec.stamp.size,
            bytes_out: record.result.as_ref().map_or(0, |result| result.bytes_out),
            cause: record.reason.as_ref().map(|reason| reason.text.clone()).unwrap_or_default(),
            class: record.reason.as_ref().and_then(|reason| reason.class),
        })
    }

    fn attempt_view(&self, run: &Run, record: &AttemptRecord) -> AttemptView {
        let (ended, cause) = match &record.end {
            AttemptEnd::Completed => ("completed", String::new()),
            AttemptEnd::Skipped => ("skipped", String::new()),
            AttemptEnd::Stopped => ("stopped", String::new()),
            AttemptEnd::Failed(reason) => (reason.class.map_or("failed", |c| c.word()), reason.text.clone()),
        };
        let report = record.report.as_deref();
        AttemptView {
            task: run.task,
            no: run.no.0,
            place: self.store.place(run.lease),
            encoder: report.map(|r| r.encoder.clone()).unwrap_or_default(),
            passed_over: report.map(|r| r.passed_over.clone()).unwrap_or_default(),
            quality: report.and_then(|r| r.quality.clone()),
            started_ms: run.lease.since_ms,
            ended_ms: Some(record.ended_ms),
            ended: ended.to_owned(),
            cause,
            commands: report.map(|r| r.commands.clone()).unwrap_or_default(),
            log: report.map(|r| r.log.clone()).unwrap_or_default(),
        }
    }
}

impl Store {
    /// `ada/cpu`, by the names that agent and device last had.
    pub fn place(&self, lease: Lease) -> String {
        Names(&self.memory().seen).place(lease.agent, lease.device)
    }
}
