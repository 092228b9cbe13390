//! The one place that starts child processes, watches them and ends them.
//!
//! Owns: the spawner thread, process groups, the stop machine (SIGTERM, grace, SIGKILL, gone), bounded reading of
//! both pipes, the watchdog, and the records that let a later start end orphans. Knows nothing of jobs, plans and
//! what ffmpeg's words mean, but for the shape of its `-progress` blocks.
//!
//! A stop that we asked for is never a success: [`Ended::stopped`] says that we did, whatever the exit status is.

mod group;
mod orphans;
mod progress;
mod quick;
mod ring;
mod run;
mod spawner;
mod stop;
mod watch;

pub use orphans::sweep;
pub use progress::{Block, ProgressParser};
pub use quick::{Quick, quick};
pub use ring::Ring;
pub use run::{Ended, Exit, Limits, Sinks, Stdout};
pub use spawner::{Invocation, ProcessError, Spawner};
pub use stop::{StopReason, StopToken, Stopper};
