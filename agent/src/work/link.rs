//! What an attempt needs of the session.

use std::path::Path;

use vc_protocol::agent::{Proven, Report};
use vc_protocol::progress::Progress;

use crate::storage::Boxed;

/// The console's answer to a question for the right to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// It may take its place.
    Granted,
    /// The attempt is not current: throw it away.
    Stale,
}

/// The way from an attempt to the console, whatever happens to the connection.
pub trait AttemptLink: Send + Sync {
    /// How far it is: at each change of phase, and at most twice a second between. Must not block; may be merged.
    fn progress(&self, progress: Progress);

    /// Files of this attempt, with paths that begin like this, are about to be made: the agent writes that down, so that
    /// its next start removes what a crash leaves of them.
    fn making(&self, _stem: &Path) {}

    /// What will be reported if the proven result takes its place: it goes into the journal with it, so that another
    /// process of this agent can say it. Told before the right to commit is asked for.
    fn draft(&self, _report: Report) {}

    /// Asks for the right to commit and waits for the answer as long as it takes, across lost connections. The result
    /// must be in the journal before the question is sent. May be called again after an answer: a grant that has become
    /// too old is asked for anew.
    fn ask_commit<'a>(&'a self, proven: &'a Proven) -> Boxed<'a, Grant>;
}
