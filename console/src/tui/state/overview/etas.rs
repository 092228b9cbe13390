//! Times left as they are shown: repainted only when they moved, so that a farm at work is cheap to watch.

use std::collections::BTreeMap;

use vc_protocol::id::JobId;
use vc_protocol::operator::Snapshot;

/// A shown time that is off by so many seconds is repainted.
const MOVED_S: u64 = 5;
/// So is one that is off by this part of itself.
const MOVED_PART: u64 = 20;

/// What is shown of the farm and of each running job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Etas {
    farm: Option<u64>,
    jobs: BTreeMap<JobId, u64>,
}

impl Etas {
    /// Seconds until everything ends.
    pub(crate) fn farm(&self) -> Option<u64> {
        self.farm
    }

    /// Seconds until this job's phase ends.
    pub(crate) fn job(&self, job: JobId) -> Option<u64> {
        self.jobs.get(&job).copied()
    }

    pub(super) fn take(&mut self, snapshot: &Snapshot) {
        self.farm = steady(self.farm, snapshot.totals.eta_s);
        let runs = super::runs(snapshot).map(|(_, _, run)| run);
        let shown = runs.filter_map(|run| {
            let job = run.attempt.job;
            let told = run.progress.eta_s.map(u64::from);
            Some((job, steady(self.job(job), told)?))
        });
        self.jobs = shown.collect();
    }
}

/// What to show when this was shown and that is told.
fn steady(shown: Option<u64>, told: Option<u64>) -> Option<u64> {
    let (Some(shown), Some(told)) = (shown, told) else { return told };
    let off = shown.abs_diff(told);
    let moved = off >= MOVED_S || (off > 0 && off.saturating_mul(MOVED_PART) >= shown);
    Some(if moved { told } else { shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_repainted_when_it_moved_five_seconds_or_five_percent() {
        let check = |shown, told, expected| assert_eq!(steady(shown, told), expected, "{shown:?} {told:?}");
        check(None, Some(9), Some(9));
        check(Some(9), None, None);
        check(Some(51), Some(50), Some(51));
        check(Some(51), Some(48), Some(48));
        check(Some(3000), Some(2996), Some(3000));
        check(Some(3000), Some(2995), Some(2995));
        check(Some(0), Some(0), Some(0));
        check(Some(0), Some(1), Some(1));
        check(Some(u64::MAX), Some(0), Some(0));
    }
}
