//! The overview: put together when something changed, somebody looks, and a tenth of a second has passed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use vc_farm::record::{AttemptEnd, AttemptRecord, Pause};
use vc_farm::view;
use vc_protocol::device::Device;
use vc_protocol::id::{AgentId, RootId};
use vc_protocol::job::JobState;
use vc_protocol::operator::{
    AgentState, AgentView, DeviceState, DeviceView, EventView, FarmTotals, Paused, RunView, Snapshot, Sums,
};
use vc_protocol::progress::{Phase, Progress};

use super::errand::Errand;
use super::halt::Halt;
use super::needs::{self, Facts};
use super::run::Loop;
use crate::store::{CauseGroup, Reader, Seen, StoreError, Tally};

/// Snapshots at most ten times a second: the eye sees no more, and a terminal over a network chokes on more.
const PAINT_PAUSE: Duration = Duration::from_millis(100);
/// After a snapshot that took long, as in a farm of a thousand agents, the next one waits this many times as long: the
/// engine has better things to do than to be looked at.
const PAINT_SHARE: u32 = 9;
/// Causes listed under what needs a person.
const CAUSES_MAX: usize = 20;
/// Last events in a snapshot.
const RECENT_MAX: usize = 20;
/// Free room is looked at this often while somebody looks.
const FREE_PAUSE: Duration = Duration::from_secs(10);

/// What is kept for the overview beside the farm itself.
pub(super) struct Painter {
    sender: Arc<watch::Sender<Arc<Snapshot>>>,
    dirty: bool,
    last: Instant,
    /// How long the last snapshot took.
    cost: Duration,
    started: Instant,
    names: BTreeMap<AgentId, String>,
    /// Attempts completed and failed since the start.
    ended: BTreeMap<AgentId, (u64, u64)>,
    outputs: BTreeSet<RootId>,
    output_free: Option<u64>,
    free_asked: Option<Instant>,
    /// An answer is still to come: a share that hangs must not take one disk thread after the other.
    free_awaited: bool,
    /// Read from the store, as of this revision.
    read: Option<(u64, Vec<CauseGroup>, Vec<EventView>)>,
}

impl Painter {
    pub(super) fn new(sender: Arc<watch::Sender<Arc<Snapshot>>>, outputs: BTreeSet<RootId>) -> Self {
        let now = Instant::now();
        Painter {
            sender,
            dirty: true,
            last: now,
            cost: Duration::ZERO,
            started: now,
            names: BTreeMap::new(),
            ended: BTreeMap::new(),
            outputs,
            output_free: None,
            free_asked: None,
            free_awaited: false,
            read: None,
        }
    }

    /// Something changed that a screen shows.
    pub(super) fn dirty(&mut self) {
        self.dirty = true;
    }

    /// How long until the next snapshot is due; none while nothing changed or nobody looks.
    pub(super) fn next_paint(&self) -> Option<Duration> {
        (self.dirty && self.sender.receiver_count() > 0)
            .then(|| PAINT_PAUSE.max(self.cost * PAINT_SHARE).saturating_sub(self.last.elapsed()))
    }

    pub(super) fn named(&mut self, agent: AgentId, name: &str) {
        self.names.insert(agent, name.to_owned());
    }

    pub(super) fn fills(&mut self, root: RootId) {
        self.outputs.insert(root);
    }

    pub(super) fn free(&mut self, free: Option<u64>) {
        self.free_awaited = false;
        self.dirty |= self.output_free != free;
        self.output_free = free;
    }

    pub(super) fn ended(&mut self, record: &AttemptRecord) {
        let (completed, failed) = self.ended.entry(record.lease.agent).or_default();
        match record.end {
            AttemptEnd::Completed | AttemptEnd::Skipped => *completed += 1,
            AttemptEnd::Failed(_) => *failed += 1,
            AttemptEnd::Stopped => {}
        }
    }
}

/// The snapshot without the figures that move by themselves: a farm in which only clocks run is not drawn again.
fn picture(snapshot: &Snapshot) -> Snapshot {
    let mut still = Snapshot { up_ms: 0, now_ms: 0, ..snapshot.clone() };
    for agent in &mut still.agents {
        agent.silent_ms = None;
        agent.rtt_us = None;
        agent.gives_back_s = None;
        agent.empty_s = None;
    }
    // The chart of a farm that stands still only moves along; it stands where the clock of the screen does.
    if still.totals.by_state[JobState::Running as usize] == 0 {
        still.totals.speed_minutes.clear();
    }
    still
}

/// Bytes that outputs are smaller than their sources.
fn saved(sums: &Sums) -> i64 {
    let bytes = i128::from(sums.bytes_in) - i128::from(sums.bytes_out);
    i64::try_from(bytes).unwrap_or(if bytes < 0 { i64::MIN } else { i64::MAX })
}

/// Video left, told from the video that work of the same expected cost held so far; 0 until that is known.
fn media_left_ms(tally: &Tally, cost_left: u64) -> u64 {
    let left = u128::from(tally.media_ms) * u128::from(cost_left);
    left.checked_div(u128::from(tally.cost_done)).and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
}

fn paused(pause: &Pause) -> Paused {
    Paused { who: pause.who.clone(), why: pause.why.clone(), since_ms: pause.since_ms }
}

/// Until everything that runs there has ended, as far as all of it knows; nothing new is on its way.
fn empty_s(devices: &[DeviceView]) -> Option<u64> {
    let runs = devices.iter().flat_map(|device| &device.runs);
    runs.map(|run| run.progress.eta_s.map(u64::from)).try_fold(0, |longest, left| Some(left?.max(longest)))
}

/// Until the last of these has ended: the farm is not done sooner, whatever its pace was.
fn longest_s<'r>(runs: impl Iterator<Item = &'r RunView>) -> u64 {
    let heard = runs.filter(|run| !run.unsure).filter_map(|run| run.progress.eta_s);
    heard.map(u64::from).max().unwrap_or(0)
}

fn device_state(device: &view::DeviceView<'_>) -> DeviceState {
    // A quarantine needs a look; that somebody drained it they know themselves.
    match device.quarantine {
        Some(view::QuarantineView { why, until_ms, testing }) => {
            DeviceState::Quarantined { why: why.to_owned(), until_ms, testing }
        }
        None if device.drained => DeviceState::Draining,
        None => DeviceState::Ok,
    }
}

impl Loop {
    /// Sends a snapshot to whoever looks, if one is due.
    pub(super) fn paint_if_due(&mut self) {
        if self.painter.next_paint() != Some(Duration::ZERO) {
            return;
        }
        self.painter.dirty = false;
        let began = Instant::now();
        let snapshot = self.snapshot();
        self.painter.last = Instant::now();
        self.painter.cost = self.painter.last - began;
        match snapshot {
            Ok(snapshot) => {
                self.painter.sender.send_if_modified(|shown| {
                    let changed = picture(shown) != picture(&snapshot);
                    if changed {
                        *shown = Arc::new(snapshot);
                    }
                    changed
                });
            }
            Err(error) => tracing::warn!(error = vc_agent::told::chain(&error), "no snapshot"),
        }
    }

    /// The overview now.
    pub(super) fn snapshot(&mut self) -> Result<Snapshot, StoreError> {
        self.measure_free();
        let revision = self.store.revision();
        let store = self.store.clone();
        let reader = if self.halted.is_some() { None } else { Some(store.reader()?) };
        let (groups, recent) = self.read_lists(revision, reader.as_ref())?;
        let agents = self.agent_views(reader.as_ref())?;
        let totals = self.totals(&agents);
        let halted = self.halt_reason();
        let needs = needs::list(&Facts {
            halted: self.halted.as_ref().map(|halt| halt.reason.as_str()),
            agents: &agents,
            now_ms: self.clock.now().wall_ms,
            groups: &groups,
            open: totals.by_state[JobState::Pending as usize] + totals.by_state[JobState::Running as usize],
            unreported: self.farm.unreported_agents(),
            output_free: self.painter.output_free,
            paused: self.farm.paused(),
        });
        Ok(Snapshot {
            farm: self.config.farm.clone(),
            // The engine runs before anyone listens; the operator service fills it in.
            listen: String::new(),
            up_ms: u64::try_from(self.painter.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            now_ms: self.clock.now().wall_ms,
            revision,
            totals,
            agents,
            needs,
            recent,
            halted,
            paused: self.farm.paused().map(paused),
        })
    }

    fn halt_reason(&self) -> Option<String> {
        if let Some(Halt { reason, .. }) = &self.halted {
            return Some(format!("the job table cannot be written: {reason}"));
        }
        None
    }

    fn measure_free(&mut self) {
        let is_fresh = self.painter.free_asked.is_some_and(|asked| asked.elapsed() < FREE_PAUSE);
        if is_fresh || self.painter.free_awaited {
            return;
        }
        self.painter.free_asked = Some(Instant::now());
        let roots = self.painter.outputs.iter().filter_map(|root| self.store.root(*root).ok());
        let roots: Vec<PathBuf> = roots.map(|path| super::local(&path)).collect();
        if !roots.is_empty() {
            self.painter.free_awaited = true;
            self.errands.push(Errand::MeasureFree(roots));
        }
    }

    fn read_lists(
        &mut self,
        revision: u64,
        reader: Option<&Reader<'_>>,
    ) -> Result<(Vec<CauseGroup>, Vec<EventView>), StoreError> {
        if let (Some(reader), true) =
            (reader, self.painter.read.as_ref().is_none_or(|read| read.0 != revision))
        {
            let mut groups = reader.causes(JobState::Held, CAUSES_MAX, needs::JOBS_NAMED)?;
            groups.extend(reader.causes(JobState::Failed, CAUSES_MAX, needs::JOBS_NAMED)?);
            self.painter.read = Some((revision, groups, reader.events(None, None, RECENT_MAX)?));
        }
        Ok(self
            .painter
            .read
            .as_ref()
            .map(|(_, groups, recent)| (groups.clone(), recent.clone()))
            .unwrap_or_default())
    }

    fn totals(&self, agents: &[AgentView]) -> FarmTotals {
        let tally = self.store.tally();
        let live = self.farm.totals();
        let runs = || agents.iter().flat_map(|agent| &agent.devices).flat_map(|device| &device.runs);
        // What a silent agent last said is no speed of now. A sum of no floats is -0.0, which shows.
        let sum = |of: fn(&Progress) -> f32| {
            runs().filter(|run| !run.unsure).map(|run| of(&run.progress)).fold(0.0, |all, one| all + one)
        };
        let begun = self.work_begun();
        let all = tally.cost_done.saturating_add(tally.cost_open);
        let done = tally.cost_done.saturating_add(begun).min(all);
        let running = tally.of(JobState::Running) > 0;
        let is_left = running || tally.of(JobState::Pending) > 0;
        let eta_s = self.meter.eta_s(live.cost_left, begun).filter(|_| is_left);
        let eta_s = eta_s.map(|of_pace| of_pace.max(longest_s(runs())));
        let today = self.store.today(self.clock.now().wall_ms);
        FarmTotals {
            by_state: tally.by_state,
            to_retry: self.store.retrying(),
            unsure: live.unsure,
            bytes_in: tally.bytes_in,
            bytes_out: tally.bytes_out,
            media_ms: tally.media_ms,
            speed: sum(|progress| progress.speed),
            fps: sum(|progress| progress.fps),
            permille: (u128::from(done) * 1000).checked_div(u128::from(all)).unwrap_or(0) as u16,
            eta_s,
            eta_range_s: eta_s.and_then(|eta_s| self.meter.range_s(eta_s)),
            media_left_ms: media_left_ms(&tally, live.cost_left.saturating_sub(begun)),
            output_full_s: self
                .painter
                .output_free
                .filter(|_| running)
                .and_then(|free| self.meter.fills_s(free)),
            output_free: self.painter.output_free,
            speed_minutes: self.meter.minutes(),
            table_bytes: self.store.file_bytes(),
            today_jobs: today.completed,
            today_saved: saved(&today),
        }
    }

    /// Expected work that is done of the jobs that run.
    fn work_begun(&self) -> u64 {
        let held = self.farm.agents().flat_map(|agent| agent.devices).flat_map(|device| device.held);
        held.filter(|held| !held.stopping)
            .filter_map(|held| {
                let share = match held.progress?.phase {
                    Phase::Waiting | Phase::Fetching | Phase::Sampling => 0,
                    Phase::Encoding => u64::from(held.progress?.permille),
                    Phase::Verifying | Phase::Committing => 1000,
                };
                Some((u128::from(self.farm.record(held.attempt.job)?.cost) * u128::from(share) / 1000) as u64)
            })
            .fold(0, u64::saturating_add)
    }

    /// Speed of all slots together, and whether anything runs.
    pub(super) fn pace(&self) -> (f32, bool) {
        let held = self.farm.agents().flat_map(|agent| agent.devices).flat_map(|device| device.held);
        let heard = held.filter(|held| !held.unsure).filter_map(|held| held.progress);
        let speed = heard.map(|progress| progress.speed).sum();
        (speed, self.farm.totals().by_state[JobState::Running as usize] > 0)
    }

    fn agent_views(&self, reader: Option<&Reader<'_>>) -> Result<Vec<AgentView>, StoreError> {
        let seen = self.store.seen();
        let live: BTreeMap<AgentId, view::AgentView<'_>> =
            self.farm.agents().map(|agent| (agent.id, agent)).collect();
        let ids: BTreeSet<AgentId> = live.keys().chain(self.config.registered.keys()).copied().collect();
        let mut views = Vec::with_capacity(ids.len());
        for id in ids {
            let known = seen.get(&id).map(|seen| seen.as_ref().clone()).unwrap_or_default();
            views.push(self.agent_view(id, known, live.get(&id), reader)?);
        }
        views.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        Ok(views)
    }

    fn agent_view(
        &self,
        id: AgentId,
        seen: Seen,
        live: Option<&view::AgentView<'_>>,
        reader: Option<&Reader<'_>>,
    ) -> Result<AgentView, StoreError> {
        let session = self.sessions.get(&id);
        let address = session.map(|known| known.link.address().unwrap_or(known.address).to_string());
        let (completed, failed) = self.painter.ended.get(&id).copied().unwrap_or_default();
        let unproven = live.map_or(&[][..], |live| &live.unproven);
        let state = live.map_or(AgentState::Offline, |live| live.state);
        let devices = self.device_views(id, &seen.devices, live, reader)?;
        Ok(AgentView {
            id,
            name: self.agent_name(id),
            state,
            drained: live.is_some_and(|live| live.drained),
            empty_s: (state == AgentState::Draining).then(|| empty_s(&devices)).flatten(),
            gives_back_s: live.and_then(|live| live.gives_back_ms).map(|ms| ms.div_ceil(1000)),
            silent_ms: live.filter(|live| live.seen).map(|live| live.silent_ms),
            address: address.unwrap_or(seen.address),
            rtt_us: session.map(|known| known.link.rtt_us()),
            cert_ends_ms: session.and_then(|known| known.certificate.as_ref()).map(|(_, ends_ms)| *ends_ms),
            version: seen.version,
            ffmpeg: seen.ffmpeg,
            devices,
            unproven: unproven
                .iter()
                .map(|(root, why)| format!("{}: {why}", self.root_name(*root)))
                .collect(),
            completed,
            failed,
        })
    }

    fn device_views(
        &self,
        agent: AgentId,
        seen: &[Device],
        live: Option<&view::AgentView<'_>>,
        reader: Option<&Reader<'_>>,
    ) -> Result<Vec<DeviceView>, StoreError> {
        let view = |device: &Device| DeviceView {
            id: device.id,
            name: device.name.clone(),
            short: device.short_name(),
            load: self.boxes.load(agent, device.id),
            slots: device.slots,
            ..DeviceView::default()
        };
        let mut devices: Vec<DeviceView> = seen.iter().map(view).collect();
        for held in live.iter().flat_map(|live| &live.devices) {
            let runs = self.run_views(held, reader)?;
            match devices.iter_mut().find(|device| device.id == held.id) {
                Some(device) => {
                    device.runs = runs;
                    device.state = device_state(held);
                }
                None if runs.is_empty() => {}
                None => {
                    let name = format!("device {}", held.id);
                    devices.push(DeviceView { id: held.id, name, runs, ..DeviceView::default() });
                }
            }
        }
        Ok(devices)
    }

    fn run_views(
        &self,
        device: &view::DeviceView<'_>,
        reader: Option<&Reader<'_>>,
    ) -> Result<Vec<RunView>, StoreError> {
        let Some(reader) = reader else { return Ok(Vec::new()) };
        let mut runs = Vec::new();
        for held in device.held.iter().filter(|held| !held.stopping) {
            let Some(spec) = reader.spec(held.attempt.job)? else { continue };
            runs.push(RunView {
                attempt: held.attempt,
                source: spec.source,
                profile: self.store.profile(spec.profile)?.name.clone(),
                progress: held.progress.unwrap_or(Progress::start(Phase::Waiting)),
                unsure: held.unsure,
            });
        }
        runs.sort_by_key(|run| (run.progress.phase == Phase::Waiting, run.attempt));
        Ok(runs)
    }

    /// The name of an agent, as well as it is known.
    pub(super) fn agent_name(&self, id: AgentId) -> String {
        let known = self.painter.names.get(&id).or_else(|| self.config.registered.get(&id)).cloned();
        let seen = || self.store.seen().get(&id).map(|seen| seen.name.clone());
        known.or_else(seen).unwrap_or_else(|| format!("agent {id}"))
    }

    /// The path of a folder, as well as it is known.
    pub(super) fn root_name(&self, id: RootId) -> String {
        self.store.root(id).map_or_else(|_| format!("folder {id}"), |path| path.shown())
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::id::{AttemptId, AttemptNo, JobId, TaskNo};

    use super::*;

    #[test]
    fn the_farm_is_done_no_sooner_than_its_last_job() {
        let run = |eta_s, unsure| RunView {
            attempt: AttemptId { job: JobId(1), task: TaskNo(0), no: AttemptNo(1) },
            source: "a.mov".into(),
            profile: String::new(),
            progress: Progress { eta_s, ..Progress::start(Phase::Encoding) },
            unsure,
        };
        assert_eq!(longest_s([run(Some(3), false), run(Some(26), false), run(None, false)].iter()), 26);
        assert_eq!(longest_s([run(Some(26), true)].iter()), 0, "a silent agent's job may have ended");
        assert_eq!(longest_s([].iter()), 0);
    }
}
