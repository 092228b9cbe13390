//! The farm core: every scheduling decision, as one pure state machine.
//!
//! Knows nothing of clocks, sockets, disks, threads and chance. [`event`] lists all that can happen, [`effect`] all
//! that follows, [`record`] what survives a restart; [`Farm`] is the machine between them, [`view`] and [`explain`]
//! say how it stands. Each `on_*` file answers one family of events; it decides *which* transition, and the
//! transitions themselves live with the records, in `job` and `attempt`.
//!
//! ```text
//!  event ─► farm::apply ─► on_intake │ on_agent │ on_report │ on_commit │ on_operator │ on_drain │ on_time
//!                          on_quarantine watches how attempts end
//!                              └──► job, attempt, failure, graph (transitions) ──► ready (queue)
//!           effects ◄── matching (dispatch: which ready task to which device) ◄──────┘
//! ```

mod agent;
mod attempt;
mod check;
pub mod effect;
pub mod event;
pub mod explain;
mod failure;
mod farm;
mod graph;
mod job;
mod jobs;
mod lease;
mod matching;
mod on_agent;
mod on_commit;
mod on_connect;
mod on_devices;
mod on_drain;
mod on_intake;
mod on_operator;
mod on_quarantine;
mod on_report;
mod on_time;
mod proof;
mod ready;
pub mod record;
#[cfg(test)]
mod recorder;
mod spread;
pub mod view;
mod ward;

pub use failure::{LAUNCHES_MAX, RETRIES_MAX};
#[doc(hidden)]
pub use farm::Mutant;
pub use farm::{Farm, FarmConfig};
pub use lease::{GRACE_MS, LEASE_MS, RECONCILE_MS, SUSPECT_MS, UNSURE_MS};
pub use on_operator::HELD_BY;
pub use on_time::Due;
pub use ward::{QUARANTINE_MS, SELF_TEST_MS};
