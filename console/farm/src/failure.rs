//! What a failed attempt costs, and what happens next.
//!
//! Each class has its own budget: a source at fault ends the job, a lost agent costs it nothing, anything unexplained
//! uses up retries. Knows nothing of queues and agents beyond their numbers; whether the task can go elsewhere is told.

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::id::{AgentId, JobId, TaskNo};

use crate::record::{Reason, TaskRecord};

/// Retries of a job's own budget: an error that four tries on different agents do not cure is not by chance.
pub const RETRIES_MAX: u8 = 3;
/// Attempts of a task, whatever ended them, before a person must look: bounds what free retries can burn.
pub const LAUNCHES_MAX: u8 = 10;
/// Agents on which the process may be killed by a signal: one may be short of memory, two are a pattern.
const CRASHED_AGENTS_MAX: usize = 2;
/// Agents that may vanish while running it: a job that takes boxes down must not visit all of them.
const LOST_MAX: u8 = 2;
/// First backoff of an unexplained failure; each further one is four times longer.
const BACKOFF_FIRST_MS: u64 = 15_000;
/// Longest backoff: an operator who mends the cause should not wait for the farm longer than a coffee takes.
const BACKOFF_MAX_MS: u64 = 15 * 60_000;
/// Wait before trying again where it just failed, since there is nowhere else: what was used up there needs time.
const ALONE_WAIT_MS: u64 = 30_000;
/// Wait after a source changed: it is probably still being written.
const CHANGED_WAIT_MS: u64 = 30_000;

/// How an attempt ended without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The agent said so.
    Failed(Failure),
    /// The agent stopped it of its own accord: it goes down.
    Stopped,
    /// The agent, or only the offer, was lost.
    Lost {
        /// The agent had said that it runs.
        ran: bool,
        /// What happened, for people.
        text: &'static str,
    },
    /// The source changed under it.
    SourceChanged,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt, not before this much time has passed.
    Again { wait_ms: u64 },
    /// The job is given up.
    Fail,
    /// A person must look.
    Hold(String),
}

impl Mishap {
    pub(crate) fn reason(&self) -> Reason {
        let infrastructure =
            |text: &str| Reason { class: Some(FailureClass::Infrastructure), text: text.to_owned() };
        match self {
            Self::Failed(failure) => Reason { class: Some(failure.class), text: failure.cause.clone() },
            Self::Stopped => infrastructure("the agent stopped it"),
            Self::Lost { text, .. } => infrastructure(text),
            Self::SourceChanged => Reason { class: None, text: "the source changed meanwhile".to_owned() },
        }
    }

    /// Writes down against whom this counts.
    pub(crate) fn charge(&self, task: &mut TaskRecord, agent: AgentId) {
        match self {
            Self::Failed(failure) => {
                insert(&mut task.failed_on, agent);
                if failure.by_signal {
                    insert(&mut task.crashed_on, agent);
                }
            }
            Self::Lost { ran: true, .. } => {
                insert(&mut task.failed_on, agent);
                task.lost = task.lost.saturating_add(1);
            }
            // Nobody failed: the same agent is as good as any.
            Self::Stopped | Self::Lost { ran: false, .. } | Self::SourceChanged => {}
        }
    }
}

/// Decides, after [`Mishap::charge`]; uses up a retry where the class says so.
///
/// `elsewhere` tells whether an agent that has not failed the task could take it.
pub(crate) fn next(
    task: &mut TaskRecord,
    mishap: &Mishap,
    elsewhere: bool,
    retries_max: u8,
    seed: (JobId, TaskNo),
) -> Next {
    if let Mishap::Failed(Failure { class: FailureClass::Source, .. }) = mishap {
        return Next::Fail;
    }
    if let Some(why) = held(task) {
        return Next::Hold(why);
    }
    let alone = |wait_ms| Next::Again { wait_ms: if elsewhere { 0 } else { wait_ms } };
    match mishap {
        Mishap::Stopped | Mishap::Lost { .. } => Next::Again { wait_ms: 0 },
        Mishap::SourceChanged => Next::Again { wait_ms: CHANGED_WAIT_MS },
        Mishap::Failed(failure) => match failure.class {
            FailureClass::Source => Next::Fail,
            FailureClass::Encoder if elsewhere => Next::Again { wait_ms: 0 },
            FailureClass::Encoder => Next::Fail,
            FailureClass::Capacity | FailureClass::Infrastructure => alone(ALONE_WAIT_MS),
            FailureClass::Job if task.retries >= retries_max => Next::Fail,
            FailureClass::Job => {
                let wait_ms = backoff_ms(task.retries, seed);
                task.retries += 1;
                Next::Again { wait_ms }
            }
        },
    }
}

fn held(task: &TaskRecord) -> Option<String> {
    if task.crashed_on.len() >= CRASHED_AGENTS_MAX {
        return Some(format!("killed by a signal on {} agents", task.crashed_on.len()));
    }
    if task.lost >= LOST_MAX {
        return Some(format!("its agent was lost {} times while running it", task.lost));
    }
    (task.launches >= LAUNCHES_MAX).then(|| format!("{} attempts without a result", task.launches))
}

/// 15 s x 4^n with full jitter. A task keeps its share of the jitter, so that its own retries never speed up, while
/// tasks that failed together still come back apart.
fn backoff_ms(retries_used: u8, (job, task): (JobId, TaskNo)) -> u64 {
    let ceiling = 4u64
        .checked_pow(u32::from(retries_used))
        .and_then(|factor| BACKOFF_FIRST_MS.checked_mul(factor))
        .map_or(BACKOFF_MAX_MS, |ms| ms.min(BACKOFF_MAX_MS));
    let permille = scramble(job.0.rotate_left(16) ^ u64::from(task.0)) % 1001;
    ceiling * permille / 1000
}

/// Spreads neighbouring numbers over the whole range (the finaliser of splitmix64).
fn scramble(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn insert(agents: &mut Vec<AgentId>, agent: AgentId) {
    if let Err(at) = agents.binary_search(&agent) {
        agents.insert(at, agent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TaskKind;

    const SEED: (JobId, TaskNo) = (JobId(7), TaskNo(0));

    fn failed(class: FailureClass) -> Mishap {
        Mishap::Failed(Failure::new(class, "it broke"))
    }

    fn after(task: &mut TaskRecord, mishap: &Mishap, agent: u32, elsewhere: bool) -> Next {
        task.launches += 1;
        mishap.charge(task, AgentId(agent));
        next(task, mishap, elsewhere, RETRIES_MAX, SEED)
    }

    #[test]
    fn each_class_has_its_own_budget() {
        let again = |wait_ms| Next::Again { wait_ms };
        let gone = Mishap::Lost { ran: true, text: "gone" };
        let cases = [
            (failed(FailureClass::Source), true, Next::Fail),
            (failed(FailureClass::Encoder), true, again(0)),
            (failed(FailureClass::Encoder), false, Next::Fail),
            (failed(FailureClass::Capacity), true, again(0)),
            (failed(FailureClass::Capacity), false, again(30_000)),
            (failed(FailureClass::Infrastructure), true, again(0)),
            (failed(FailureClass::Infrastructure), false, again(30_000)),
            (gone, false, again(0)),
            (Mishap::Stopped, false, again(0)),
            (Mishap::SourceChanged, true, again(30_000)),
        ];
        for (mishap, elsewhere, expected) in cases {
            let mut task = TaskRecord::fresh(TaskKind::Encode);
            assert_eq!(after(&mut task, &mishap, 1, elsewhere), expected, "{mishap:?} elsewhere {elsewhere}");
            assert_eq!(task.retries, 0, "{mishap:?} uses no retry");
        }
    }

    #[test]
    fn an_unexplained_failure_is_tried_three_times_more_and_never_sooner_than_before() {
        for job in 0..200 {
            let mut task = TaskRecord::fresh(TaskKind::Encode);
            let mishap = failed(FailureClass::Job);
            let mut last = 0;
            for ceiling in [15_000, 60_000, 240_000] {
                task.launches += 1;
                let Next::Again { wait_ms } =
                    next(&mut task, &mishap, true, RETRIES_MAX, (JobId(job), TaskNo(0)))
                else {
                    panic!("retries are left")
                };
                assert!((last..=ceiling).contains(&wait_ms));
                last = wait_ms;
            }
            assert_eq!(next(&mut task, &mishap, true, RETRIES_MAX, (JobId(job), TaskNo(0))), Next::Fail);
        }
    }

    #[test]
    fn backoff_is_spread_and_capped() {
        let mut waits: Vec<u64> = (0..1000).map(|job| backoff_ms(0, (JobId(job), TaskNo(0)))).collect();
        waits.sort_unstable();
        assert!(waits[100] < 3_000 && waits[900] > 12_000, "{} {}", waits[100], waits[900]);
        assert!((0..100).all(|job| backoff_ms(200, (JobId(job), TaskNo(1))) <= BACKOFF_MAX_MS));
    }

    #[test]
    fn what_breaks_agents_is_held() {
        let crash = Mishap::Failed(Failure { by_signal: true, ..Failure::new(FailureClass::Job, "SIGSEGV") });
        let mut task = TaskRecord::fresh(TaskKind::Encode);
        assert!(matches!(after(&mut task, &crash, 1, true), Next::Again { .. }));
        assert!(matches!(after(&mut task, &crash, 1, true), Next::Again { .. }), "one agent may be at fault");
        assert_eq!(
            after(&mut task, &crash, 2, true),
            Next::Hold("killed by a signal on 2 agents".to_owned())
        );

        let gone = Mishap::Lost { ran: true, text: "gone" };
        let mut task = TaskRecord::fresh(TaskKind::Encode);
        assert_eq!(after(&mut task, &gone, 1, true), Next::Again { wait_ms: 0 });
        assert!(matches!(after(&mut task, &gone, 1, true), Next::Hold(_)));
    }

    #[test]
    fn the_tenth_launch_is_the_last_whatever_the_class() {
        for mishap in [failed(FailureClass::Capacity), Mishap::Stopped, Mishap::SourceChanged] {
            let mut task = TaskRecord::fresh(TaskKind::Encode);
            for _ in 1..LAUNCHES_MAX {
                assert!(matches!(after(&mut task, &mishap, 1, true), Next::Again { .. }));
            }
            assert!(matches!(after(&mut task, &mishap, 1, true), Next::Hold(_)), "{mishap:?}");
        }
    }
}
