//! Readiness over dependencies: which tasks of a job may start.
//!
//! A task's number is its place in the list. A graph that names tasks that do not exist, or needs itself, is refused
//! where it is made; here it simply never becomes ready, and [`check`] says so.

use vc_protocol::id::TaskNo;

use crate::record::{TaskRecord, TaskState};

/// The first task that this one waits for.
pub(crate) fn blocked_by(tasks: &[TaskRecord], task: TaskNo) -> Option<TaskNo> {
    let needs = tasks.get(usize::from(task.0)).map_or(&[][..], |t| &t.needs[..]);
    needs.iter().copied().find(|n| tasks.get(usize::from(n.0)).is_none_or(|t| t.state != TaskState::Done))
}

/// Open tasks whose dependencies are done, whether or not they wait for a time.
pub(crate) fn startable(tasks: &[TaskRecord]) -> impl Iterator<Item = TaskNo> + '_ {
    numbers(tasks).filter(move |no| {
        tasks[usize::from(no.0)].state == TaskState::Open && blocked_by(tasks, *no).is_none()
    })
}

/// The numbers of these tasks.
pub(crate) fn numbers(tasks: &[TaskRecord]) -> impl Iterator<Item = TaskNo> + use<> {
    (0..u16::try_from(tasks.len()).unwrap_or(u16::MAX)).map(TaskNo)
}

/// Whether no task has started before what it depends on, and every dependency comes earlier in the list, which rules
/// out circles.
pub(crate) fn check(tasks: &[TaskRecord]) -> Result<(), String> {
    for no in numbers(tasks) {
        let task = &tasks[usize::from(no.0)];
        if let Some(bad) = task.needs.iter().find(|n| **n >= no) {
            return Err(format!("task {no} needs task {bad}, which does not come before it"));
        }
        if task.state != TaskState::Open
            && let Some(need) = blocked_by(tasks, no)
        {
            return Err(format!("task {no} started before task {need} was done"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TaskKind;

    /// 0 splits, 1 and 2 encode, 3 joins.
    fn diamond() -> Vec<TaskRecord> {
        let needs: [&[u16]; 4] = [&[], &[0], &[0], &[1, 2]];
        needs
            .iter()
            .map(|n| TaskRecord {
                needs: n.iter().copied().map(TaskNo).collect(),
                ..TaskRecord::fresh(TaskKind::Encode)
            })
            .collect()
    }

    fn ready(tasks: &[TaskRecord]) -> Vec<u16> {
        startable(tasks).map(|n| n.0).collect()
    }

    #[test]
    fn a_task_starts_when_all_that_it_needs_is_done() {
        let mut tasks = diamond();
        assert_eq!(ready(&tasks), [0]);
        tasks[0].state = TaskState::Done;
        assert_eq!(ready(&tasks), [1, 2]);
        tasks[1].state = TaskState::Done;
        assert_eq!(ready(&tasks), [2]);
        assert_eq!(blocked_by(&tasks, TaskNo(3)), Some(TaskNo(2)));
        tasks[2].state = TaskState::Done;
        assert_eq!(ready(&tasks), [3]);
        assert_eq!(check(&tasks), Ok(()));
    }

    #[test]
    fn circles_and_early_starts_are_named() {
        let mut tasks = diamond();
        tasks[3].state = TaskState::Done;
        assert_eq!(check(&tasks), Err("task 3 started before task 1 was done".to_owned()));
        let mut tasks = diamond();
        tasks[0].needs = vec![TaskNo(3)];
        assert!(check(&tasks).is_err());
        assert!(ready(&tasks).is_empty());
    }
}
