//! Which of the scanned sources are new jobs, decided against what is already known.
//!
//! The same source, recipe and output folder is one job however often it is scanned. An output belongs to one source:
//! a second source that would get the same output is refused, and a changed source takes over from its own job only
//! when that one is final. A source that was not worth it stays known when its job is purged, until it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use redb::{ReadableTable, WriteTransaction};
use vc_farm::event::NewJob;
use vc_farm::record::{Group, JobRecord};
use vc_protocol::id::{BatchId, JobId, ProfileId, RootId};
use vc_protocol::job::{FileStamp, JobSpec, JobState, Priority};
use vc_protocol::operator::ScanCounts;
use vc_protocol::path::FilePath;
use vc_protocol::profile::{NamedProfile, VideoCodec};

use super::row::Row;
use super::shape::{BatchRow, Role, RootRow, StoredJob, source_key};
use super::tables::{self, Tables};
use super::turn::{Change, Turn};
use super::{Store, StoreError, begin_write};

/// Stands for a folder, profile or batch that is not stored: nothing is ever found under it.
const UNKNOWN: u32 = u32::MAX;

/// A file that a scan found, with the output that it would get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Source below its folder.
    pub path: FilePath,
    /// Output below the output folder.
    pub output: FilePath,
    /// The source as it is now.
    pub stamp: FileStamp,
}

/// One run of a scan into the table: what all its sources have in common.
#[derive(Debug)]
pub struct AddSession {
    /// Number of the batch.
    pub batch: BatchId,
    /// Folder of the sources.
    pub source_root: RootId,
    /// Folder of the outputs.
    pub output_root: RootId,
    /// Its path.
    pub output_path: FilePath,
    /// Recipe.
    pub profile: ProfileId,
    codec: VideoCodec,
    priority: Priority,
    /// Outputs claimed by a dry run, which stores nothing; as hashes, 16 bytes each.
    dry: Option<Mutex<BTreeSet<[u8; 16]>>>,
}

impl AddSession {
    /// Whether it only counts.
    pub fn is_dry(&self) -> bool {
        self.dry.is_some()
    }
}

/// What became of some candidates.
#[derive(Debug, Default)]
pub struct Added {
    /// What to add to the scan's counts; each candidate counts as seen.
    pub counts: ScanCounts,
    /// One line for each clash.
    pub problems: Vec<String>,
    /// Jobs to tell the farm core of, in the same turn.
    pub new: Vec<NewJob>,
}

/// What is to be done with one candidate.
enum Verdict {
    Known,
    Restamp(JobId),
    New,
    Clash(JobId),
}

impl Turn<'_> {
    /// Starts a scan: numbers for its folders, recipe and batch.
    pub fn begin_add(
        &mut self,
        source: &FilePath,
        output: &FilePath,
        profile: &NamedProfile,
        priority: Priority,
    ) -> Result<AddSession, StoreError> {
        let source_root = self.root(RootRow::new(Role::Source, source))?;
        let output_root = self.root(RootRow::new(Role::Output, output))?;
        let profile_id = self.profile(profile)?;
        self.counters.last_batch += 1;
        let batch = BatchId(self.counters.last_batch);
        let (codec, output_path) = (profile.profile.video.codec, output.clone());
        let dry = None;
        Ok(AddSession {
            batch,
            source_root,
            output_root,
            output_path,
            profile: profile_id,
            codec,
            priority,
            dry,
        })
    }

    fn root(&mut self, root: RootRow) -> Result<RootId, StoreError> {
        if let Some(id) = self.store.root_id(&root) {
            return Ok(id);
        }
        let mut roots = txn(&mut self.txn, self.store)?.open_table(tables::ROOTS)?;
        // A folder that this very turn stored is not in memory yet.
        for entry in roots.iter()? {
            let (id, known) = entry?;
            if known.value() == root.bytes() {
                return Ok(RootId(id.value()));
            }
        }
        self.counters.last_root += 1;
        roots.insert(self.counters.last_root, root.bytes())?;
        self.new_roots.push((RootId(self.counters.last_root), root));
        Ok(RootId(self.counters.last_root))
    }

    fn profile(&mut self, profile: &NamedProfile) -> Result<ProfileId, StoreError> {
        if let Some(id) = self.store.profile_id(profile) {
            return Ok(id);
        }
        // One that this very turn stored is not in memory yet.
        if let Some((id, _)) = self.new_profiles.iter().find(|(_, known)| makes_the_same(known, profile)) {
            return Ok(*id);
        }
        let mut profiles = txn(&mut self.txn, self.store)?.open_table(tables::PROFILES)?;
        self.counters.last_profile += 1;
        profiles.insert(self.counters.last_profile, profile.to_bytes()?.as_slice())?;
        self.new_profiles.push((ProfileId(self.counters.last_profile), profile.clone()));
        Ok(ProfileId(self.counters.last_profile))
    }

    /// Takes candidates in. The new jobs have numbers and specs; the farm core makes their rows in the same turn.
    pub fn add(
        &mut self,
        now_ms: i64,
        session: &AddSession,
        candidates: &[Candidate],
    ) -> Result<Added, StoreError> {
        let mut added = Added::default();
        let txn = txn(&mut self.txn, self.store)?;
        let mut sources = txn.open_table(tables::SOURCES)?;
        let mut outputs = txn.open_table(tables::OUTPUTS)?;
        let mut declined = txn.open_table(tables::DECLINED)?;
        let (hot, cold) = (txn.open_table(tables::HOT)?, txn.open_table(tables::COLD)?);
        for candidate in candidates {
            let output = session.output_path.join(&candidate.output);
            let source = session.source_key(candidate);
            let verdict = judge(
                session,
                candidate,
                &Known {
                    of_source: sources.get(source.as_slice())?.map(|v| JobId(v.value())),
                    of_output: outputs.get(output.0.as_slice())?.map(|v| JobId(v.value())),
                    declined: stamp(declined.get(source.as_slice())?)?,
                    hot: &hot,
                    cold: &cold,
                    changes: &self.changes,
                },
            )?;
            added.count(&verdict, candidate, &output);
            match verdict {
                Verdict::Known | Verdict::Clash(_) => {}
                Verdict::Restamp(job) => {
                    self.changes.entry(job).or_default().stamp = Some(candidate.stamp);
                }
                Verdict::New => {
                    self.counters.last_job += 1;
                    let id = self.counters.last_job;
                    sources.insert(source.as_slice(), id)?;
                    declined.remove(source.as_slice())?;
                    outputs.insert(output.0.as_slice(), id)?;
                    let job = session.new_job(JobId(id), candidate);
                    let change = self.changes.entry(job.id).or_default();
                    change.spec = Some(session.spec(now_ms, candidate));
                    change.record = Some(JobRecord::fresh(&job, now_ms));
                    added.new.push(job);
                }
            }
        }
        if !added.new.is_empty() {
            let row = BatchRow { created_ms: now_ms, source_root: session.source_root }.to_bytes()?;
            txn.open_table(tables::BATCHES)?.insert(session.batch.0, row.as_slice())?;
        }
        Ok(added)
    }
}

impl Store {
    /// Starts a dry run: nothing is stored.
    pub fn begin_dry_run(
        &self,
        source: &FilePath,
        output: &FilePath,
        profile: &NamedProfile,
        priority: Priority,
    ) -> AddSession {
        AddSession {
            batch: BatchId(UNKNOWN),
            source_root: self.root_id(&RootRow::new(Role::Source, source)).unwrap_or(RootId(UNKNOWN)),
            output_root: self.root_id(&RootRow::new(Role::Output, output)).unwrap_or(RootId(UNKNOWN)),
            output_path: output.clone(),
            profile: self.profile_id(profile).unwrap_or(ProfileId(UNKNOWN)),
            codec: profile.profile.video.codec,
            priority,
            dry: Some(Mutex::default()),
        }
    }

    /// What [`Turn::add`] would do.
    pub fn dry_add(&self, session: &AddSession, candidates: &[Candidate]) -> Result<Added, StoreError> {
        let mut added = Added::default();
        let tables = Tables::open(&*self.db()?)?;
        for candidate in candidates {
            let output = session.output_path.join(&candidate.output);
            let source = session.source_key(candidate);
            let mut verdict = judge(
                session,
                candidate,
                &Known {
                    of_source: tables.sources.get(source.as_slice())?.map(|v| JobId(v.value())),
                    of_output: tables.outputs.get(output.0.as_slice())?.map(|v| JobId(v.value())),
                    declined: match &tables.declined {
                        Some(table) => stamp(table.get(source.as_slice())?)?,
                        None => None,
                    },
                    hot: &tables.hot,
                    cold: &tables.cold,
                    changes: &BTreeMap::new(),
                },
            )?;
            if let (Verdict::New, Some(claims)) = (&verdict, &session.dry) {
                let hash = blake3::hash(&output.0);
                let mut short = [0; 16];
                short.copy_from_slice(&hash.as_bytes()[..16]);
                if !claims.lock().unwrap_or_else(PoisonError::into_inner).insert(short) {
                    verdict = Verdict::Clash(JobId(0));
                }
            }
            added.count(&verdict, candidate, &output);
        }
        Ok(added)
    }

    fn root_id(&self, root: &RootRow) -> Option<RootId> {
        self.memory().roots.iter().find(|(_, known)| *known == root).map(|(id, _)| *id)
    }

    fn profile_id(&self, profile: &NamedProfile) -> Option<ProfileId> {
        self.memory().profiles.iter().find(|(_, known)| makes_the_same(known, profile)).map(|(id, _)| *id)
    }
}

/// Whether two recipes are one to a scan: of the same name, and with the same files coming out. How a recipe is
/// described to people must not have everything converted anew.
fn makes_the_same(one: &NamedProfile, other: &NamedProfile) -> bool {
    let undescribed = |profile: &NamedProfile| {
        let mut profile = profile.clone();
        profile.profile.description = String::new();
        profile
    };
    one.name == other.name && undescribed(one) == undescribed(other)
}

fn stamp(row: Option<redb::AccessGuard<'_, &'static [u8]>>) -> Result<Option<FileStamp>, StoreError> {
    Ok(row.map(|row| FileStamp::from_bytes(row.value())).transpose()?)
}

/// What the table says about a candidate's source and output.
struct Known<'a, S> {
    of_source: Option<JobId>,
    of_output: Option<JobId>,
    /// What the source was when it was not worth it, and its job was purged.
    declined: Option<FileStamp>,
    hot: &'a S,
    cold: &'a S,
    /// What the turn will write of jobs that the tables do not say yet.
    changes: &'a BTreeMap<JobId, Change>,
}

fn judge<S>(session: &AddSession, candidate: &Candidate, known: &Known<'_, S>) -> Result<Verdict, StoreError>
where
    S: ReadableTable<u64, &'static [u8]>,
{
    if let Some(job) = known.of_source {
        let (spec, state) = known.job(job)?;
        if spec.stamp == candidate.stamp {
            return Ok(Verdict::Known);
        }
        match state {
            // Its agent compares the source before it commits; one that slips through differs at the next scan.
            JobState::Running => return Ok(Verdict::Known),
            JobState::Pending | JobState::Held => return Ok(Verdict::Restamp(job)),
            JobState::Completed | JobState::Failed | JobState::Cancelled | JobState::Skipped => {}
        }
    } else if known.declined == Some(candidate.stamp) {
        return Ok(Verdict::Known);
    }
    let Some(holder) = known.of_output else { return Ok(Verdict::New) };
    let (spec, state) = known.job(holder)?;
    let same_source = spec.source_root == session.source_root && spec.source == candidate.path;
    Ok(if same_source && state.is_final() { Verdict::New } else { Verdict::Clash(holder) })
}

impl<S> Known<'_, S>
where
    S: ReadableTable<u64, &'static [u8]>,
{
    /// The job as the tables and this turn have it.
    fn job(&self, id: JobId) -> Result<(JobSpec, JobState), StoreError> {
        let change = self.changes.get(&id);
        let stored = match self.hot.get(id.0)?.or(self.cold.get(id.0)?) {
            Some(row) => Some(StoredJob::from_bytes(row.value())?),
            None => None,
        };
        let changed = change.and_then(|change| change.record.as_ref()).map(|record| record.state);
        let state = changed.or(stored.as_ref().map(|stored| stored.record.state));
        let spec = change.and_then(|change| change.spec.clone()).or(stored.map(|stored| stored.spec));
        let (Some(mut spec), Some(state)) = (spec, state) else { return Err(StoreError::Damaged(id)) };
        spec.stamp = change.and_then(|change| change.stamp).unwrap_or(spec.stamp);
        Ok((spec, state))
    }
}

impl AddSession {
    fn source_key(&self, candidate: &Candidate) -> Vec<u8> {
        source_key(self.source_root, self.profile, self.output_root, &candidate.path.0)
    }

    fn spec(&self, now_ms: i64, candidate: &Candidate) -> JobSpec {
        JobSpec {
            source_root: self.source_root,
            source: candidate.path.clone(),
            stamp: candidate.stamp,
            output_root: self.output_root,
            output: candidate.output.clone(),
            profile: self.profile,
            batch: self.batch,
            created_ms: now_ms,
        }
    }

    fn new_job(&self, id: JobId, candidate: &Candidate) -> NewJob {
        let group = Group {
            source_root: self.source_root,
            output_root: self.output_root,
            profile: self.profile,
            codec: self.codec,
            batch: self.batch,
        };
        // Within one recipe the size is the best guess of the work that can be had without opening the file.
        NewJob { id, group, priority: self.priority, cost: candidate.stamp.size.max(1) }
    }
}

impl Added {
    fn count(&mut self, verdict: &Verdict, candidate: &Candidate, output: &FilePath) {
        self.counts.seen += 1;
        match verdict {
            Verdict::Known | Verdict::Restamp(_) => self.counts.unchanged += 1,
            Verdict::New => self.counts.added += 1,
            Verdict::Clash(holder) => {
                self.counts.clashed += 1;
                let by = if holder.0 == 0 { "another source".to_owned() } else { format!("job {holder}") };
                self.problems.push(format!("{}: its output {output} belongs to {by}", candidate.path));
            }
        }
    }
}

/// The turn's transaction, begun when it is first needed.
pub(super) fn txn<'t>(
    slot: &'t mut Option<WriteTransaction>,
    store: &Store,
) -> Result<&'t WriteTransaction, StoreError> {
    if slot.is_none() {
        *slot = Some(begin_write(&*store.db()?)?);
    }
    slot.as_ref().ok_or(StoreError::Closed)
}

/// Whether this job may run again: its output was not taken over by a newer job of the same source.
pub(super) fn holds_claim(tables: &Tables, output: &FilePath, job: JobId) -> Result<bool, StoreError> {
    Ok(tables.outputs.get(output.0.as_slice())?.is_none_or(|holder| holder.value() == job.0))
}
