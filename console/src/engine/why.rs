//! Why a job does not run, in words with names.

use std::collections::BTreeMap;

use vc_farm::explain::WhyNot;
use vc_farm::record::{JobRecord, Lease};
use vc_protocol::id::{AgentId, AttemptId, DeviceId, JobId, SessionNo};
use vc_protocol::operator::Why;

use super::handle::Live;
use super::run::Loop;
use crate::store::StoreError;

impl Loop {
    /// None if there is no such job.
    pub(super) fn why(&self, job: JobId) -> Result<Option<Why>, StoreError> {
        if let Some(explanation) = self.farm.explain(job) {
            let devices = explanation.devices.into_iter();
            return Ok(Some(Why {
                answer: self.words(&explanation.overall),
                devices: devices
                    .map(|(agent, device, why)| (self.place(agent, device), self.words(&why)))
                    .collect(),
            }));
        }
        let record = self.store.reader()?.record(job)?;
        Ok(record.map(|record| Why { answer: final_words(&record), devices: Vec::new() }))
    }

    fn words(&self, why: &WhyNot) -> String {
        match why {
            WhyNot::Runs(attempt, agent, device) => {
                format!("it runs on {} as attempt {}", self.place(*agent, *device), attempt.no)
            }
            WhyNot::AwaitsReport(agent) => {
                format!("waiting for {} to report what became of it", self.agent_name(*agent))
            }
            WhyNot::Settles(agent) => {
                format!("{} vanished while it committed; its output is checked", self.agent_name(*agent))
            }
            WhyNot::RootAsked(root) => {
                format!("has not yet proved that it sees {}", self.root_name(*root))
            }
            WhyNot::RootUnproven(root, reason) => {
                format!("cannot prove that it sees {}: {reason}", self.root_name(*root))
            }
            WhyNot::Held(_)
            | WhyNot::Paused(_)
            | WhyNot::Drained
            | WhyNot::DeviceDrained
            | WhyNot::Quarantined(_)
            | WhyNot::Tested
            | WhyNot::OnTrial
            | WhyNot::WaitsSeconds(_)
            | WhyNot::NeedsTask(_)
            | WhyNot::NoAgents
            | WhyNot::NobodyCan
            | WhyNot::AllBusy(_)
            | WhyNot::Offline
            | WhyNot::Suspect
            | WhyNot::Draining
            | WhyNot::NotOffered
            | WhyNot::NoSlots
            | WhyNot::Codec(_)
            | WhyNot::FailedThere
            | WhyNot::Full(_)
            | WhyNot::Next => why.to_string(),
        }
    }

    pub(super) fn place(&self, agent: AgentId, device: DeviceId) -> String {
        self.store.place(Lease { agent, device, since_ms: 0 })
    }

    /// Where these jobs stand, those that run.
    pub(super) fn live(&self, jobs: &[JobId]) -> BTreeMap<JobId, Live> {
        jobs.iter().filter_map(|job| Some((*job, self.live_job(*job)?))).collect()
    }

    fn live_job(&self, job: JobId) -> Option<Live> {
        let view = self.farm.job(job)?;
        let (agent, device) = view.place?;
        let (no, task) = view.tasks.iter().enumerate().find(|(_, task)| task.lease().is_some())?;
        let task_no = vc_protocol::id::TaskNo(u16::try_from(no).ok()?);
        Some(Live {
            attempt: AttemptId { job, task: task_no, no: task.attempt },
            place: self.place(agent, device),
            since_ms: task.lease()?.since_ms,
            progress: view.progress,
            unsure: view.unsure,
            lease_ms: self.farm.silent_ms(agent),
        })
    }

    /// Who has this attempt, if it can be reached.
    pub(super) fn holder(&self, attempt: AttemptId) -> Option<(AgentId, SessionNo)> {
        let record = self.farm.record(attempt.job)?;
        let task = record.tasks.get(usize::from(attempt.task.0))?;
        let lease = task.lease().filter(|_| task.attempt == attempt.no)?;
        Some((lease.agent, self.sessions.get(&lease.agent)?.no))
    }
}

fn final_words(record: &JobRecord) -> String {
    match &record.reason {
        Some(reason) => format!("it is {}: {}", record.state.word(), reason.text),
        None => format!("it is {}", record.state.word()),
    }
}
