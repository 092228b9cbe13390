//! A child with its whole process group: dropping the guard kills all of it.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::{Instant, sleep};

use super::orphans::Record;

/// Longest wait until the last member of a killed group is gone. One in an uninterruptible wait stays longer; its
/// leader is reaped by then, and nothing else can be done about it.
const GROUP_GONE_MAX: Duration = Duration::from_millis(200);
/// How often to look; ends of killed processes take well under a millisecond.
const GROUP_POLL: Duration = Duration::from_millis(2);

/// A running child and everything it forked.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    leader: Pid,
    is_reaped: bool,
    _record: Option<Record>,
}

impl Group {
    /// Guards a child that leads its own group.
    pub(super) fn new(child: Child, record: Option<Record>) -> io::Result<Group> {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let leader = Pid::from_raw(id.ok_or_else(|| io::Error::other("child has no process number"))?);
        Ok(Group { child, leader, is_reaped: false, _record: record })
    }

    /// Both pipes, once.
    pub(super) fn take_pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Sends a signal to every member. One that is gone needs none.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.is_reaped
            && let Err(error) = killpg(self.leader, signal)
        {
            tracing::debug!(%error, group = self.leader.as_raw(), "no signal sent");
        }
    }

    /// Waits for the leader to end. Cancel-safe.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.is_reaped = true;
        Ok(status)
    }

    /// After the leader has ended: ends what it left behind and waits until that is gone, with a bound.
    ///
    /// The group's number cannot go to a stranger while a member lives; with none left the signal finds nobody, since
    /// the kernel gives out numbers in turn and not the one that has just come free.
    pub(super) async fn clear(&mut self) {
        let deadline = Instant::now() + GROUP_GONE_MAX;
        while killpg(self.leader, Signal::SIGKILL).is_ok() {
            if Instant::now() >= deadline {
                tracing::warn!(group = self.leader.as_raw(), "a process left behind by a child does not end");
                return;
            }
            sleep(GROUP_POLL).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
