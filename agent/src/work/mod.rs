//! One attempt, from offer to report.
//!
//! ```text
//! fetch, probe, plan -> wait for a slot -> sample -> encode -> verify -> slot is free -> seal -> ask -> rename -> report
//!                                            ^--------------------' the next tested encoder, if this one cannot
//! ```
//! The source of the next attempt is looked at while the present one encodes, and a slot is given back before the
//! result is flushed: neither the disk nor the console keeps a slot from its next work. Checking stays inside the slot,
//! since it takes the processor. Knows nothing of the session: what it needs of it is [`AttemptLink`].

mod attempt;
mod deliver;
mod encoders;
mod guard;
mod link;
mod meter;
mod place;
mod sampling;
mod view;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::failure::Failure;
use vc_protocol::job::{FileStamp, Offer};

use crate::ffmpeg::Tools;
use crate::plan::Refusal;
use crate::process::{Spawner, StopToken};
use crate::proved::Proved;
use crate::storage::Storage;

pub use link::{AttemptLink, Grant};
pub use place::Place;
pub use view::LiveView;

/// No progress of the encoder for this long ends it. Slow encoders write a frame in seconds, not in a minute.
pub const STALL_MAX: Duration = Duration::from_secs(60);

/// What every attempt on this box shares.
#[derive(Clone)]
pub struct WorkContext {
    /// ffmpeg and ffprobe.
    pub tools: Arc<Tools>,
    /// Which encoders may be used.
    pub proved: Arc<Proved>,
    /// Starts children.
    pub spawner: Spawner,
    /// Reaches media.
    pub storage: Arc<dyn Storage>,
    /// [`STALL_MAX`], unless a test cannot wait that long.
    pub stall: Duration,
}

/// How an attempt left this process.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It ended.
    Report(Box<Report>),
    /// The agent goes down while the proven result waits for its grant: the part file stays, and the agent's journal
    /// hands it in again after the next start.
    Parked(Proven),
}

/// Why an attempt goes no further.
#[derive(Debug)]
enum Halt {
    Failed(Failure),
    Stopped,
    Skipped(String),
    SourceChanged(FileStamp),
    Parked(Proven),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Halt::Failed(failure)
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Skipped(why) => Halt::Skipped(why),
            Refusal::Failed(failure) => Halt::Failed(failure),
        }
    }
}

/// Runs one attempt, with its place in the queue for a slot. Whatever happens, no child and no file of it is left, but for the
/// output of a committed attempt and the part file of a parked one. Dropping the future kills what runs.
pub async fn run(
    context: &WorkContext,
    offer: &Offer,
    place: Place,
    link: &dyn AttemptLink,
    view: &LiveView,
    stop: StopToken,
) -> End {
    let mut attempt = attempt::Attempt::new(context, offer, link, view, stop);
    let halt = match attempt.run(place).await {
        Ok(proven) => return End::Report(Box::new(attempt.report(Outcome::Committed(proven)))),
        Err(halt) => halt,
    };
    let outcome = match halt {
        Halt::Parked(proven) => return End::Parked(proven),
        // A source that changed meanwhile explains any failure better than what ffmpeg made of it.
        Halt::Failed(failure) => match attempt.changed_source().await {
            Some(stamp) => Outcome::SourceChanged(stamp),
            None => Outcome::Failed(failure),
        },
        Halt::Stopped => Outcome::Stopped,
        Halt::Skipped(why) => Outcome::Skipped(why),
        Halt::SourceChanged(stamp) => Outcome::SourceChanged(stamp),
    };
    End::Report(Box::new(attempt.report(outcome)))
}
